"""Proving a driver: its module is there, is for this processor, and loads. An exit status proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from fieldkit.driver.errors import ModuleUnproved
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.text import M
from fieldkit.token import library, module_file

Load = Callable[[str], int]  # loads a module in a process of its own; how many tokens it shows


class Proof(msgspec.Struct, frozen=True):
    """A module that was loaded: where it is, what kind of file, how many tokens it showed."""

    module: str
    library: str
    tokens: int
    findings: tuple[Finding, ...]


def prove(profile: str, places: Sequence[str], load: Load) -> Proof:
    """The first of `places` whose module loads; raises `ModuleUnproved` with what was seen at each."""
    findings: list[Finding] = []
    for place in places:
        finding = examine(place)
        if finding is None:
            continue
        findings.append(finding)
        if finding.severity == "fail":
            continue
        try:
            tokens = load(place)
        except FieldkitError as error:
            findings.append(
                Finding(
                    "driver-module",
                    "fail",
                    M("The module does not load: {path}.", path=place),
                    detail=f"{error.code}: {error} {error.detail}".strip(),
                )
            )
            continue
        findings.append(
            Finding(
                "driver-loads", "pass", M("The module loads; tokens it shows: {count}.", count=tokens), place
            )
        )
        return Proof(place, str(library.read_header(Path(place))), tokens, tuple(findings))
    raise ModuleUnproved(
        M("The driver of {profile} does not work: no module of it loads.", profile=profile),
        hint=M("Look at the findings; a restart of the machine helps some drivers."),
        detail="\n".join(f"{finding.message} {finding.detail}" for finding in findings) or ", ".join(places),
        findings=[f"{finding.id}: {finding.message}" for finding in findings],
    )


def examine(place: str, *, named: bool = False) -> Finding | None:
    """Whether the module at `place` would be loaded, by its file; None where there is none.

    named: the person named it.
    """
    try:
        reason = module_file.unusable(place, named=named)
    except FileNotFoundError:
        return None
    if reason is not None:
        return Finding("driver-module", "fail", reason.message, reason.detail, reason.hint)
    kind = str(library.read_header(Path(place)))
    return Finding("driver-module", "pass", M("The module is there: {path}.", path=place), detail=kind)
