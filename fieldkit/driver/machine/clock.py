"""The clock: signatures and certificates are judged by it, and a flat battery sets it years back.

Without a network it is compared with what cannot lie in the future: fieldkit's own files, the
journal's last entry, the hardware clock. With one, with the date that a service answers.
"""

from __future__ import annotations

import email.utils
import urllib.error
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from fieldkit.driver.machine.probe import Probe, Subject
from fieldkit.driver.machine.services import addresses
from fieldkit.home import PACKAGE
from fieldkit.operator import Finding
from fieldkit.text import M

RTC = Path("/sys/class/rtc/rtc0/since_epoch")
# A hardware clock may keep local time (Windows beside Linux), so whole time zones are let pass.
ZONES = timedelta(hours=15)
TOLERATED = timedelta(minutes=2)
SLACK = timedelta(minutes=5)
SET_IT = M("Set date, time and time zone of this computer before anything is signed.")


def sane(subject: Subject) -> Iterable[Finding]:
    now = datetime.now(UTC)
    made = datetime.fromtimestamp((PACKAGE / "__init__.py").stat().st_mtime, UTC)
    shown = now.astimezone().isoformat(timespec="minutes")
    if now < made - SLACK:
        yield Finding(
            "clock",
            "fail",
            M(
                "The clock is wrong: it shows {now}, before fieldkit was installed ({then}).",
                now=shown,
                then=made.astimezone().isoformat(timespec="minutes"),
            ),
            hint=SET_IT,
        )
    elif subject.last_entry is not None and now < subject.last_entry - SLACK:
        yield Finding(
            "clock",
            "fail",
            M(
                "The clock is wrong: it shows {now}, before the journal was last written to ({then}).",
                now=shown,
                then=subject.last_entry.astimezone().isoformat(timespec="minutes"),
            ),
            hint=SET_IT,
        )
    else:
        yield Finding(
            "clock", "pass", M("The clock shows {now}; nothing known speaks against it.", now=shown)
        )


def hardware(subject: Subject) -> Iterable[Finding]:
    try:
        kept = datetime.fromtimestamp(int(RTC.read_text()), UTC)
    except (OSError, ValueError):
        return  # containers and many virtual machines have none: nothing to compare with
    if abs(datetime.now(UTC) - kept) > ZONES:
        yield Finding(
            "clock-hardware",
            "warning",
            M("The hardware clock shows another day: {then}.", then=kept.isoformat(timespec="minutes")),
            hint=M("After setting the time run `sudo hwclock --systohc`; the battery may be flat."),
        )


def network(subject: Subject) -> Iterable[Finding]:
    """Compare with the `Date` that a service of the profiles answers."""
    for address in addresses(subject.profiles):
        before = datetime.now(UTC)
        told = _date(address)
        if told is None:
            continue
        apart = told - before
        seconds = round(apart.total_seconds())
        if abs(apart) > TOLERATED:
            yield Finding(
                "clock-network",
                "fail",
                M("The clock is {seconds} s away from the network's time.", seconds=abs(seconds)),
                detail=urlsplit(address).hostname or "",
                hint=SET_IT,
            )
        else:
            yield Finding(
                "clock-network",
                "pass",
                M("The clock agrees with the network's time."),
                detail=urlsplit(address).hostname or "",
            )
        return
    yield Finding(
        "clock-network",
        "not-checked",
        M("The clock was not compared with a time server: no service answered."),
        hint=M("Compare it with a telephone; with a network, run `fieldkit doctor` again."),
    )


def _date(address: str) -> datetime | None:
    if not address.startswith(("http://", "https://")):
        return None
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 (http only, checked above)
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310
            said = answer.headers.get("Date")
    except urllib.error.HTTPError as error:  # a refusal carries a date too
        said = error.headers.get("Date")
    except (OSError, ValueError):
        return None
    try:
        return email.utils.parsedate_to_datetime(said).astimezone(UTC) if said else None
    except ValueError:
        return None


PROBES = (Probe("clock", sane), Probe("clock-hardware", hardware), Probe("clock-network", network, 6.0))
