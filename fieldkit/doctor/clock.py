"""The clock: signatures and certificates are judged by it, and a flat battery sets it years back.

Without a network it is compared with what cannot lie in the future: fieldkit's own files, the
journal's last entry, the hardware clock. With one, with the date that a service answers.
"""

from __future__ import annotations

import email.utils
import urllib.error
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from fieldkit import web
from fieldkit.doctor import services
from fieldkit.doctor.probe import Probe, Subject
from fieldkit.finding import Finding
from fieldkit.home import PACKAGE
from fieldkit.pdf.errors import TimestampFailed
from fieldkit.text import M

RTC = Path("/sys/class/rtc/rtc0/since_epoch")
# A hardware clock may keep local time (Windows beside Linux), so whole time zones are let pass.
ZONES = timedelta(hours=15)
TOLERATED = timedelta(minutes=2)
SLACK = timedelta(minutes=5)
SET_IT = M("Set date, time and time zone of this computer before anything is signed.")


def sane(subject: Subject) -> Iterable[Finding]:
    now = datetime.now(UTC)
    installed = datetime.fromtimestamp((PACKAGE / "__init__.py").stat().st_mtime, UTC)
    shown = _shown(now)
    last = subject.last_entry() if subject.last_entry is not None else None
    if now < installed - SLACK:
        yield Finding(
            "clock",
            "fail",
            M(
                "The clock is wrong: it shows {now}, before fieldkit was installed ({then}).",
                now=shown,
                then=_shown(installed),
            ),
            hint=SET_IT,
        )
    elif last is not None and now < last - SLACK:
        yield Finding(
            "clock",
            "fail",
            M(
                "The clock is wrong: it shows {now}, before the journal was last written to ({then}).",
                now=shown,
                then=_shown(last),
            ),
            hint=SET_IT,
        )
    else:
        yield Finding(
            "clock", "pass", M("The clock shows {now}; nothing known speaks against it.", now=shown)
        )


def _shown(moment: datetime) -> str:
    """`moment` by this computer's zone, as messages write days and hours in each language."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def hardware(subject: Subject) -> Iterable[Finding]:
    try:
        hardware_time = datetime.fromtimestamp(int(RTC.read_text("ascii")), UTC)
    except (OSError, ValueError):
        return  # containers and many virtual machines have none: nothing to compare with
    if abs(datetime.now(UTC) - hardware_time) > ZONES:
        yield Finding(
            "clock-hardware",
            "warning",
            M("The hardware clock shows another day: {then}.", then=_shown(hardware_time)),
            hint=M("After setting the time run `sudo hwclock --systohc`; the battery may be flat."),
        )


def network(subject: Subject) -> Iterable[Finding]:
    """Compare with what a timestamp authority signs, or else with the `Date` that any service answers."""
    listed = services.targets(subject.profiles) if subject.profiles is not None else ()
    addresses = [target for target in listed if target.url.startswith(("http://", "https://"))]
    for target in sorted(addresses, key=lambda target: target.kind != "tsa"):
        before = datetime.now(UTC)
        moment = _stamped(target.url) if target.kind == "tsa" else None
        by_stamp = moment is not None
        moment = moment or _date(target.url)
        if moment is None:
            continue
        host = urlsplit(target.url).hostname or ""
        yield compared(moment, before, datetime.now(UTC), f"{host} ({'timestamp' if by_stamp else 'Date'})")
        return
    yield Finding(
        "clock-network",
        "not-checked",
        M("The clock was not compared with a time server: no service answered."),
        hint=M("Compare it with a telephone; with a network, run `fieldkit doctor` again."),
    )


def compared(moment: datetime, before: datetime, after: datetime, source: str) -> Finding:
    """The finding on a time `moment` by a service between `before` and `after` by this clock."""
    apart = max(before - moment, moment - after, timedelta())
    if apart > TOLERATED:
        return Finding(
            "clock-network",
            "fail",
            M("The clock is {seconds} s away from the network's time.", seconds=round(apart.total_seconds())),
            detail=source,
            hint=SET_IT,
        )
    return Finding("clock-network", "pass", M("The clock agrees with the network's time."), detail=source)


def _stamped(address: str) -> datetime | None:
    """The time in a timestamp (RFC 3161) by the authority at `address`; its signature is not judged."""
    from fieldkit.signature.timestamp import genuine_time

    try:
        return genuine_time(address, timeout=4)
    except TimestampFailed:
        return None


def _date(address: str) -> datetime | None:
    """The `Date` that the server at `address` answers with; None where there is none."""
    try:
        date = web.exchange(web.request(address, method="HEAD"), seconds=4, largest=1 << 16).headers.get(
            "Date"
        )
    except urllib.error.HTTPError as error:  # a refusal carries a date too
        date = error.headers.get("Date")
    except web.FAULTS:
        return None
    try:
        return email.utils.parsedate_to_datetime(date).astimezone(UTC) if date else None
    except ValueError:
        return None


PROBES = (Probe("clock", sane), Probe("clock-hardware", hardware), Probe("clock-network", network, 10.0))
