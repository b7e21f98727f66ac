"""The modules that the profiles name: which are here and would fit this process. None is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterable

from fieldkit.doctor.probe import Probe, Subject
from fieldkit.driver import prove
from fieldkit.driver.methods import places
from fieldkit.finding import Finding
from fieldkit.text import M


def look(subject: Subject) -> Iterable[Finding]:
    count = 0
    examined: set[str] = set()
    for profile in subject.profiles.tokens.values() if subject.profiles is not None else ():
        for place in places(profile):
            real = os.path.realpath(place)
            finding = prove.examine(place) if real not in examined else None
            examined.add(real)
            if finding is None:
                continue
            count += 1
            if finding.severity == "pass":
                yield Finding(
                    "modules", "pass", M("The driver of {profile} is here.", profile=profile.id), detail=place
                )
            else:
                yield Finding("modules", "warning", finding.message, finding.detail, finding.hint)
    for place in subject.modules:
        finding = prove.examine(place, named=True)
        if finding is None:
            yield Finding(
                "modules",
                "fail",
                M("The module named is not there: {path}.", path=place),
                hint=M("Check the path given with --module."),
            )
        else:
            count += 1
            yield Finding("modules", finding.severity, finding.message, finding.detail, finding.hint)
    if subject.profiles is None:
        yield Finding(
            "modules",
            "not-checked",
            M("Which drivers are here was not checked: the profiles cannot be read."),
            hint=M("Mend the profiles, then run `fieldkit doctor` again."),
        )
    elif not count:
        yield Finding(
            "modules",
            "info",
            M("No token driver is installed yet."),
            hint=M("Run `fieldkit driver detect`, then `fieldkit driver install`."),
        )


PROBES = (Probe("modules", look),)
