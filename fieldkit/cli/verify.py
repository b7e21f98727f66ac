"""`fieldkit verify`: judge the signatures of PDFs, by fieldkit and by every other program that is here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from fieldkit import errors
from fieldkit.cli.frame import Call, Reply, option, verb
from fieldkit.errors import FieldkitError
from fieldkit.text import M, Said
from fieldkit.verdict import Check, Outcome, Overall

SIGNS: dict[Outcome, str] = {"pass": "✓", "fail": "✗", "not-checked": "?"}
WORDS: dict[Overall, Said] = {
    "pass": M("VALID"),
    "fail": M("NOT VALID"),
    "indeterminate": M("NOT SETTLED"),
}


@verb("verify", M("Judge the signatures of PDFs; exits 0 only when everything required holds."))
@click.argument("files", metavar="FILE.pdf...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--trust", multiple=True, type=click.Path(path_type=Path), said=M("A root certificate; repeatable."))
@option(
    "--crl", multiple=True, type=click.Path(path_type=Path), said=M("A revocation list; may be repeated.")
)
@option("--network", is_flag=True, said=M("Ask the authorities' servers about revocation."))
@option("--no-revocation", is_flag=True, said=M("Do without knowing whether a certificate is revoked."))
@option("--alone", is_flag=True, said=M("Do not ask the other programs."))
def verify(
    call: Call,
    files: tuple[Path, ...],
    trust: tuple[Path, ...],
    crl: tuple[Path, ...],
    network: bool,
    no_revocation: bool,
    alone: bool,
) -> Reply:
    from fieldkit.cli.sign import material
    from fieldkit.signature.judgement import Policy, shape
    from fieldkit.signature.quorum import judge
    from fieldkit.signature.validate import validate

    anchors = [_given(path) for path in trust]
    crls = [_given(path) for path in crl]
    if not anchors:
        here = material(call, call.profiles())
        anchors = list(here.anchors)
        crls += here.crls
    policy = Policy(revocation=not no_revocation)
    results: list[dict[str, Any]] = []
    lines: list[str | Said] = []
    for path in _files(files):
        try:
            found = (
                validate(path, trust=anchors, crls=crls, network=network, policy=policy)
                if alone
                else judge(path, anchors, crls, network=network, policy=policy)
            )
        except FieldkitError as error:
            if len(files) == 1 and path == files[0]:
                raise
            results.append(
                {
                    "file": str(path),
                    "verdict": "fail",
                    "checks": [],
                    "signatures": [],
                    "error": error.as_dict(),
                }
            )
            lines.append(M("{file}: {verdict}", file=str(path), verdict=str(WORDS["fail"])))
            lines += [f"  ✗ {line}" for line in error.lines()]
            continue
        results.append({"file": str(path)} | shape(found))
        lines.append(M("{file}: {verdict}", file=str(path), verdict=str(WORDS[found.verdict])))
        for each in found.signatures:
            lines.append(
                M(
                    "{field}: {signer}, {time}, {level}: {verdict}",
                    field=each.field,
                    signer=each.signer,
                    time=each.signed_at or "?",
                    level=each.level.upper(),
                    verdict=str(WORDS[each.verdict]),
                )
            )
            lines += check_lines(each.checks)
        lines += check_lines(found.checks)
        if found.verdict == "indeterminate":
            lines.append(
                M("What is required and marked ? was not checked; each line says what would settle it.")
            )
    good = bool(results) and all(each["verdict"] == "pass" for each in results)
    return Reply(results[0] if len(results) == 1 else results, lines, good=good)


def check_lines(checks: Sequence[Check]) -> list[str | Said]:
    """Checks as lines for a person: a sign, the words, the technical text."""
    return [
        f"  {SIGNS[check.verdict]} {check.message}" + (f"  [{check.detail}]" if check.detail else "")
        for check in checks
    ]


def _files(given: Sequence[Path]) -> list[Path]:
    """The files named, and the PDFs in the folders named."""
    found: list[Path] = []
    for path in given:
        found += sorted(path.glob("*.pdf")) if path.is_dir() else [path]
    if not found:
        raise errors.Missing(M("There is no PDF in the folder."), hint=M("Give files, or another folder."))
    return found


def _given(path: Path) -> bytes:
    from fieldkit.signature import document

    return document.read(path)
