"""What signatures are judged by without a network: the authorities' roots and revocation lists."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from fieldkit.doctor.probe import Probe, Subject
from fieldkit.doctor.services import used
from fieldkit.finding import Finding
from fieldkit.profile.model import Authority
from fieldkit.text import M, Message

SOON = timedelta(days=2)


class RevocationList(msgspec.Struct, frozen=True):
    """A list by its own dates; `until` is None where it does not say."""

    since: datetime
    until: datetime | None


def probe_revocation_lists(subject: Subject) -> Iterable[Finding]:
    profiles = subject.profiles
    for authority in used(profiles) if profiles is not None else ():
        assert profiles is not None
        if profiles.anchors(authority.id):
            yield Finding(
                "anchors", "pass", M("The root certificates of {authority} are here.", authority=authority.id)
            )
        else:
            yield Finding(
                "anchors",
                "info" if authority.sample else "warning",  # the demonstration makes its own
                M(
                    "No root certificate of {authority} is here: nothing it issued can be judged.",
                    authority=authority.id,
                ),
                hint=M(
                    "Put the files that head office compared with the authority into {folder}.",
                    folder=str(_folder(subject, authority)),
                ),
            )
        yield from _lists(subject, authority)


def _lists(subject: Subject, authority: Authority) -> Iterable[Finding]:
    paths = sorted(_folder(subject, authority).glob("*.crl"))
    fetch = M(
        "Copy a fresh one from the kit or the network into {folder}.", folder=str(_folder(subject, authority))
    )
    if not paths:
        yield Finding(
            "crl",
            "info",
            M(
                "No revocation list of {authority} is here: without a network, revocation is not checked.",
                authority=authority.id,
            ),
            hint=fetch,
        )
    now = datetime.now(UTC)
    for path in paths:
        try:
            revocation_list = read_revocation_list(path)
        except (OSError, ValueError) as error:
            yield Finding(
                "crl",
                "warning",
                M("The revocation list {file} cannot be read.", file=path.name),
                detail=str(error),
                hint=fetch,
            )
            continue
        yield _dated(path, revocation_list, now, fetch)


def _dated(path: Path, revocation_list: RevocationList, now: datetime, fetch: Message) -> Finding:
    if revocation_list.since > now + timedelta(minutes=5):
        message = M(
            "The revocation list {file} is of {day}, later than now.",
            file=path.name,
            day=_day(revocation_list.since),
        )
        return Finding("crl", "warning", message, hint=M("Check the clock of this computer."))
    if revocation_list.until is None:
        message = M(
            "The revocation list {file} is of {day}.", file=path.name, day=_day(revocation_list.since)
        )
        return Finding("crl", "info", message)
    if revocation_list.until < now:
        message = M(
            "The revocation list {file} ran out on {day}.", file=path.name, day=_day(revocation_list.until)
        )
        return Finding("crl", "warning", message, hint=fetch)
    if revocation_list.until < now + SOON:
        message = M(
            "The revocation list {file} runs out on {day}.", file=path.name, day=_day(revocation_list.until)
        )
        return Finding("crl", "warning", message, hint=fetch)
    message = M(
        "The revocation list {file} is fresh until {day}.", file=path.name, day=_day(revocation_list.until)
    )
    return Finding("crl", "pass", message)


def read_revocation_list(path: Path) -> RevocationList:
    """The dates of the list in the file `path`, DER or PEM. Raises OSError or ValueError."""
    from cryptography import x509

    data = path.read_bytes()
    load = x509.load_pem_x509_crl if data.lstrip().startswith(b"-----") else x509.load_der_x509_crl
    certificate_revocation_list = load(data)
    return RevocationList(
        certificate_revocation_list.last_update_utc, certificate_revocation_list.next_update_utc
    )


def _folder(subject: Subject, authority: Authority) -> Path:
    return subject.home.profiles / "authorities" / authority.id


def _day(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


PROBES = (Probe("crl", probe_revocation_lists, 8.0),)
