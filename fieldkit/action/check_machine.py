"""Look at this machine from all sides at once: what would stand in the way, and how to mend it:

    findings = check_machine(subject_of(home, profiles), operator.say)
    findings = await offer_mends(subject, findings, findings, operator)

Nothing is changed but what the person agreed to have mended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fieldkit.doctor import preflight
from fieldkit.doctor.mend import carry_out, offers
from fieldkit.doctor.probe import Probe, Subject, examine
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.operator import Operator
from fieldkit.profile.model import Profiles
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from fieldkit.token.agents import Listing

STORE_DEADLINE = 15.0
TOKENS_DEADLINE = 15.0


def subject_of(home: Home, profiles: Profiles | None, modules: Iterable[str] = ()) -> Subject:
    """This machine, to be looked at; nothing of the store is read yet, and no lock is taken."""
    return Subject(home, dict(os.environ), profiles, tuple(modules), lambda: _last(home))


async def offer_mends(
    subject: Subject, findings: Sequence[Finding], wanted: Iterable[Finding], operator: Operator
) -> list[Finding]:
    """Offer to mend what of `wanted` can be; `findings`, with what was mended looked at again."""
    now = list(findings)
    for offer in await asyncio.to_thread(offers, subject, wanted):
        if not await operator.consent(offer.plan):
            continue
        with tempfile.TemporaryDirectory() as folder:
            failed = await asyncio.to_thread(carry_out, offer, Path(folder) / "mend.log")
        if failed is not None:
            operator.say(failed)
            now.append(failed)
            continue
        again = await asyncio.to_thread(examine, subject, (offer.probe,), operator.say)
        ids = {finding.id for finding in again}
        now = [finding for finding in now if finding.id not in ids] + again
    return now


def check_machine(subject: Subject, tell: Callable[[Finding], None]) -> list[Finding]:
    """Every finding about `subject`; `tell` gets each as it is made."""
    return examine(subject, probes(subject), tell)


def probes(subject: Subject) -> tuple[Probe, ...]:
    """Every look at `subject`: the machine, the store, and each module in a process of its own."""
    last = Probe("store", _store, STORE_DEADLINE), Probe("tokens", _tokens, TOKENS_DEADLINE)
    return (*preflight.probes(subject), *last)


def summary(findings: Sequence[Finding]) -> Message:
    """The findings in one sentence."""
    counts = {severity: sum(f.severity == severity for f in findings) for severity in ("fail", "warning")}
    if counts["fail"]:
        return M("The machine is not ready; faults: {count}.", count=counts["fail"])
    if counts["warning"]:
        return M("The machine is ready; warnings: {count}.", count=counts["warning"])
    return M("The machine is ready.")


def _tokens(subject: Subject) -> Iterable[Finding]:
    """Load the modules that are here, each in a process of its own, and count the tokens they show."""
    from fieldkit.token.agents import Agents
    from fieldkit.token.kinds import modules

    known = subject.profiles.tokens.values() if subject.profiles is not None else ()
    here = modules(known, subject.modules)
    with _logs(subject.home) as logs, Agents(here, logs, named=subject.modules) as agents:
        for listing in agents.listings(mechanisms=False):
            yield _loaded(listing)


def _loaded(listing: Listing) -> Finding:
    if listing.problem is not None:
        return Finding(
            "tokens",
            "warning",
            M("The module does not load: {path}.", path=listing.module),
            detail=f"{listing.problem.code}: {listing.problem}",
            hint=M("Install its driver again (fieldkit driver install), or look into the log."),
        )
    count = len(listing.tokens)
    message = M("{module} loads; tokens it shows: {count}.", module=listing.module, count=count)
    return Finding("tokens", "pass", message)


def _store(subject: Subject) -> Iterable[Finding]:
    """Whether what was said before can be read and what comes next can be kept."""
    from fieldkit.journal.health import look

    return look(subject.home.store)


@contextlib.contextmanager
def _logs(home: Home) -> Iterator[Path]:
    """Where modules' output goes: the home's logs, or a passing folder where looking must not make a home."""
    if os.access(home.logs, os.W_OK):
        yield home.logs
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _last(home: Home) -> datetime | None:
    """When the journal was last written to, as its files say."""
    try:
        times = [path.stat().st_mtime for path in home.store.iterdir() if path.is_file()]
    except OSError:
        return None
    return datetime.fromtimestamp(max(times), UTC) if times else None
