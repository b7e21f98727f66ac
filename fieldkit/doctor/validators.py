"""The programs that judge signatures besides fieldkit; without them a signature is judged only once."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable

from fieldkit.doctor.probe import Probe, Subject
from fieldkit.finding import Finding
from fieldkit.program import bring, run
from fieldkit.text import M
from fieldkit.validation.judges import JUDGES

# program: how it tells its version, and the package that brings it; qpdf mends what can be signed only then
PROGRAMS = {judge.program: (judge.version, judge.package) for judge in JUDGES}
PROGRAMS["qpdf"] = (("--version",), "qpdf")
NEEDED = tuple(judge.program for judge in JUDGES if judge.needed)


def _prober(program: str) -> Callable[[Subject], Iterable[Finding]]:
    arguments, package = PROGRAMS[program]

    def probe_validator(subject: Subject) -> Iterable[Finding]:
        path = shutil.which(program)
        if path is None:
            yield Finding(
                f"validator-{program}",
                "warning" if program in NEEDED else "info",
                M("{program} is not here; what it would judge is told as not checked.", program=program),
                hint=bring(program, package),
            )
            return
        done = run([path, *arguments], timeout=10)
        version = re.search(r"\d+(?:\.\d+)+", done.text + done.complaint)
        yield Finding(
            f"validator-{program}",
            "pass",
            M("{program} {version} is here.", program=program, version=version[0] if version else "?"),
            detail=path,
        )

    return probe_validator


PROBES = tuple(Probe(f"validator-{program}", _prober(program), 10.0) for program in PROGRAMS)
