"""`fieldkit verify`: judge the signatures of PDFs, by fieldkit and by every other program that is here."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fieldkit import errors
from fieldkit.cli.frame import Call, Reply, option, verb
from fieldkit.finding import Finding, Overall
from fieldkit.operator import SecretRequest
from fieldkit.text import M, Said
from fieldkit.text_output import SYMBOLS

if TYPE_CHECKING:
    from fieldkit.action.verify_documents import VerificationOptions
    from fieldkit.secret import Secret
    from fieldkit.validation.folder import JudgedDocument
    from fieldkit.validation.online import Online

WORDS: dict[Overall, Said] = {
    "pass": M("VALID"),
    "fail": M("NOT VALID"),
    "indeterminate": M("NOT SETTLED"),
}


@verb(
    "verify",
    M("Judge the signatures of PDFs; exits 0 only when everything required holds."),
    secrets=("pin", "password"),
    modules=True,
)
@click.argument("files", metavar="FILE.pdf...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--trust", multiple=True, type=click.Path(path_type=Path), said=M("A root certificate; repeatable."))
@option(
    "--crl", multiple=True, type=click.Path(path_type=Path), said=M("A revocation list; may be repeated.")
)
@option("--network", is_flag=True, said=M("Ask the authorities' servers about revocation."))
@option("--no-revocation", is_flag=True, said=M("Do without knowing whether a certificate is revoked."))
@option("--timestamp", is_flag=True, said=M("Ask for a trusted timestamp in every signature."))
@option("--alone", is_flag=True, said=M("Do not ask the other programs."))
@option("--no-appearance", is_flag=True, said=M("Do not draw the pages to see what was changed on them."))
@option(
    "--out", type=click.Path(path_type=Path), said=M("Write a table too: a name that ends in .xlsx or .csv.")
)
@option("--report", type=click.Path(path_type=Path), said=M("Write a report too, a PDF; --token signs it."))
@option("--token", default="", said=M("The token that signs the report."))
@option("--certificate", default="", said=M("Which certificate on it: CKA_ID, label or SHA-256."))
@option("--replace", is_flag=True, said=M("Replace table and report if they are there."))
def verify(
    call: Call, files: tuple[Path, ...], trust: tuple[Path, ...], crl: tuple[Path, ...], **given: Any
) -> Reply:
    from fieldkit.action.verify_documents import verify_documents
    from fieldkit.pdf.errors import DocumentUnfit
    from fieldkit.record.verification import data_of
    from fieldkit.validation.folder import gather

    out, report = given["out"], given["report"]
    _writable(out, report, given["token"], replace=given["replace"])
    options = _options(call, trust, crl, given)
    paths = gather(files)
    many = len(paths) > 1
    done = verify_documents(paths, options, call.console().progress if many else None)
    single = not many and paths[0] == files[0] and not (out or report)
    if single and done[0].error is not None and not isinstance(done[0].error, DocumentUnfit):
        raise done[0].error  # what opens and is no document that can be read is judged: it fails
    lines = [line for each in done for line in _lines(each, brief=many)]
    if many:
        lines += _table(done)
    results = [data_of(each) for each in done]
    result: Any = results[0] if len(results) == 1 else results
    good = all(each.verdict == "pass" for each in done)
    if out or report:
        verdicts = {each.verdict for each in done}
        verdict = "fail" if "fail" in verdicts else "pass" if verdicts == {"pass"} else "indeterminate"
        result = {"verdict": verdict, "documents": results}
    if out:
        result["table"] = _tabled(done, out, replace=given["replace"])
        lines.append(M("The table was written: {path}", path=str(out)))
    if report:
        result["report"] = _reported(call, done, options, given)
        lines.append(M("The report was written: {path}", path=str(report)))
        if not given["token"]:
            lines.append(M("The report is not signed. Add --token to have a token sign it."))
    if options.online is not None:
        lines += requests(options.online)
        if isinstance(result, dict):
            result["requests"] = options.online.asked
    return Reply(result, lines, good=good)


def requests(online: Online) -> list[str | Said]:
    """Every request that was made, for whoever has to find out why one fails."""
    return [
        M(
            "Asked: {url}: {outcome}, {size} bytes, {milliseconds} ms",
            url=answer.url,
            outcome=answer.outcome,
            size=answer.size,
            milliseconds=answer.milliseconds,
        )
        for answer in online.asked
    ]


def _options(
    call: Call, trust: Sequence[Path], crl: Sequence[Path], given: Mapping[str, Any]
) -> VerificationOptions:
    from fieldkit.action.trust_material import named
    from fieldkit.action.verify_documents import VerificationOptions
    from fieldkit.validation.online import Online

    profiles = call.profiles()
    return VerificationOptions(
        named(call.home, profiles, trust, crl),
        revocation=not given["no_revocation"],
        timestamp=given["timestamp"],
        online=Online(named=profiles.addresses) if given["network"] else None,
        rules=tuple(profiles.rules.values()),
        alone=given["alone"],
        draw=not given["no_appearance"],
        password=_password(call),
    )


def _password(call: Call) -> Secret | None:
    """The documents' password where a file with it was named."""
    if not call.gives("password"):
        return None
    request = SecretRequest(role="password", title=M("The documents' password"))
    return asyncio.run(call.console().secret(request))


def _writable(out: Path | None, report: Path | None, token: str, *, replace: bool) -> None:
    """What is asked for can be written, before anything is judged."""
    if out is not None and out.suffix.lower() not in (".xlsx", ".csv"):
        raise errors.Misused(
            M("--out needs a name that ends in .xlsx or .csv."), unchanged=M("Nothing was written.")
        )
    if token and report is None:
        raise errors.Misused(
            M("--token signs the report; name it with --report."), unchanged=M("Nothing was signed.")
        )
    for path in filter(None, (out, report)):
        if not replace and os.path.lexists(path):
            from fieldkit.pdf.errors import OutputUnfit

            raise OutputUnfit(
                M("There is already a file {name}.", name=path.name),
                unchanged=M("Nothing was written."),
                hint=M("Choose another name, or add --replace."),
            )


def _tabled(done: Sequence[JudgedDocument], out: Path, *, replace: bool) -> str:
    from fieldkit.pdf import document
    from fieldkit.record import verification

    data = verification.to_csv(done) if out.suffix.lower() == ".csv" else verification.to_xlsx(done)
    with document.written(out, overwrite=replace) as file:
        file.write(data)
    return str(out)


def _reported(
    call: Call, done: Sequence[JudgedDocument], options: VerificationOptions, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the report, signed where a token was named; where it is and what it is."""
    from fieldkit.pdf import document
    from fieldkit.record import verification
    from fieldkit.signature.sign import sign

    out, token = given["report"], given["token"]
    material, online = options.material, options.online
    asked = [f"{request.url}: {request.outcome}" for request in online.asked] if online else []
    known = verification.basis(material.anchors, material.crls, asked, network=online is not None)
    made = verification.report(done, known, signed=bool(token))
    if not token:
        with document.written(out, overwrite=given["replace"]) as file:
            file.write(made)
        return {"path": str(out), "signed": False, "sha256": hashlib.sha256(made).hexdigest()}
    from fieldkit.cli.signing import signing_with

    with tempfile.TemporaryDirectory(prefix="fieldkit-report-") as name:
        plain = Path(name) / "report.pdf"
        plain.write_bytes(made)
        signing = signing_with(call, token, given["certificate"], M("The report {name}", name=out.name))
        signed = asyncio.run(
            signing(
                lambda signer: sign(
                    plain,
                    out,
                    signer,
                    field=verification.FIELD,
                    overwrite=given["replace"],
                    purposes=material.purposes,
                )
            )
        )
    return {"path": str(out), "signed": True, "sha256": signed.sha256}


def _lines(judged: JudgedDocument, *, brief: bool) -> list[str | Said]:
    """One document for a person: what is signed by whom, then every check; of many what is to be mended."""
    if brief and judged.verdict == "pass":
        return []

    def chosen(checks: Sequence[Finding]) -> list[Finding]:
        return [check for check in checks if not brief or (check.required and check.severity != "pass")]

    verdict = str(WORDS[judged.verdict])
    lines: list[str | Said] = [M("{file}: {verdict}", file=str(judged.path), verdict=verdict)]
    if judged.error is not None:
        first, *more = judged.error.lines()
        return [*lines, f"  ✗ {first}", *(f"      → {line}" for line in more)]
    assert judged.found is not None
    for signature in judged.found.signatures:
        lines.append(
            M(
                "{field}: {signer}, {time}, {level}: {verdict}",
                field=signature.field,
                signer=signature.signer or "?",
                time=signature.signed_at or "?",
                level=signature.level.upper(),
                verdict=str(WORDS[signature.verdict]),
            )
        )
        lines += check_lines(chosen(signature.checks))
    lines += check_lines(chosen(judged.found.checks))
    if judged.verdict == "indeterminate" and not brief:
        lines.append(M("What is required and marked ? was not checked; each line says what would settle it."))
    return lines


def _table(done: Sequence[JudgedDocument]) -> list[str | Said]:
    """Every document in one line, then how many are what."""
    width = max(len(str(WORDS[each])) for each in WORDS)
    lines: list[str | Said] = [""]
    for each in done:
        count = len(each.found.signatures) if each.found is not None else 0
        lines.append(f"{WORDS[each.verdict]!s:<{width}}  {count:>2}  {each.path}")
    verdicts = [each.verdict for each in done]
    lines.append(
        M(
            "Documents: {all}; valid {good}, not valid {bad}, not settled {open}.",
            all=len(done),
            good=verdicts.count("pass"),
            bad=verdicts.count("fail"),
            open=verdicts.count("indeterminate"),
        )
    )
    return lines


def check_lines(checks: Sequence[Finding]) -> list[str | Said]:
    """Checks as lines for a person: a sign, the words, the technical text; then what would settle it."""
    lines: list[str | Said] = []
    for check in checks:
        lines.append(
            f"  {SYMBOLS[check.severity]} {check.message}" + (f"  [{check.detail}]" if check.detail else "")
        )
        if check.hint is not None and check.severity != "pass":
            lines.append(f"      → {check.hint}")
    return lines
