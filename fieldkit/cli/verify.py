"""`fieldkit verify`: judge the signatures of PDFs, by fieldkit and by every other program that is here."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from fieldkit import errors
from fieldkit.cli import completion, options
from fieldkit.cli.frame import Call, Reply, option, verb
from fieldkit.cli.options import FILE
from fieldkit.cli.output import VERDICTS, Data, check_lines, error_lines, request_lines
from fieldkit.finding import Finding
from fieldkit.operator import SecretRequest
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.action.verify_documents import VerificationOptions
    from fieldkit.secret import Secret
    from fieldkit.validation.folder import JudgedDocument


class VerifyOptions(TypedDict):
    """What has to hold and what to write, as the options say it."""

    network: bool
    no_revocation: bool
    timestamp: bool
    alone: bool
    no_appearance: bool
    out: Path | None
    report: Path | None
    token: str
    certificate: str
    replace: bool


@verb(
    "verify",
    M("Judge the signatures of PDFs; exits 0 only when everything required holds."),
    secrets=("pin", "password"),
    modules=True,
)
@click.argument("files", metavar="FILE.pdf...", nargs=-1, required=True, type=FILE)
@options.trust
@options.revocation
@option("--timestamp", is_flag=True, help=M("Ask for a trusted timestamp in every signature."))
@option("--alone", is_flag=True, help=M("Do not ask the other programs."))
@options.appearance
@option("--out", type=FILE, help=M("Write a table too: a name that ends in .xlsx or .csv."))
@option("--report", type=FILE, help=M("Write a report too, a PDF; --token signs it."))
@option("--token", default="", shell_complete=completion.tokens, help=M("The token that signs the report."))
@options.certificate
@option("--replace", is_flag=True, help=M("Replace table and report if they are there."))
def verify(
    call: Call,
    files: tuple[Path, ...],
    trust: tuple[Path, ...],
    crl: tuple[Path, ...],
    **chosen: Unpack[VerifyOptions],
) -> Reply:
    from fieldkit.action.verify_documents import verify_documents
    from fieldkit.pdf.errors import DocumentUnfit
    from fieldkit.record.verification import data_of
    from fieldkit.validation.folder import gather

    out, report = chosen["out"], chosen["report"]
    _writable(out, report, chosen["token"], replace=chosen["replace"])
    by = _judged_by(call, trust, crl, chosen)
    paths = gather(files)
    many = len(paths) > 1
    progress = call.console().progress if many else (lambda progress: None)
    documents = verify_documents(paths, by, progress)
    single = not many and paths[0] == files[0] and not (out or report)
    if single and documents[0].error is not None and not isinstance(documents[0].error, DocumentUnfit):
        raise documents[0].error  # what opens and is no document that can be read is judged: it fails
    lines = [line for document in documents for line in _lines(document, brief=many)]
    if many:
        lines += _table(documents)
    verdicts = {document.verdict for document in documents}
    more: Data = {}
    if out:
        more["table"] = _tabled(documents, out, replace=chosen["replace"])
        lines.append(M("The table was written: {path}", path=str(out)))
    if report:
        more["report"] = _reported(call, documents, by, report, chosen)
        lines.append(M("The report was written: {path}", path=str(report)))
        if not chosen["token"]:
            lines.append(M("The report is not signed. Add --token to have a token sign it."))
    if by.online is not None:
        lines += request_lines(by.online)
        more["requests"] = by.online.asked
    good = verdicts == {"pass"}
    results = [data_of(document) for document in documents]
    if out or report:
        verdict = "fail" if "fail" in verdicts else "pass" if good else "indeterminate"
        return Reply({"verdict": verdict, "documents": results} | more, lines, good=good)
    return Reply(results[0] | more if len(results) == 1 else results, lines, good=good)


def _judged_by(
    call: Call, trust: Sequence[Path], crl: Sequence[Path], chosen: VerifyOptions
) -> VerificationOptions:
    from fieldkit.action.verify_documents import VerificationOptions
    from fieldkit.validation.online import Online

    profiles = call.profiles()
    return VerificationOptions(
        call.trusting(trust, crl),
        revocation=not chosen["no_revocation"],
        timestamp=chosen["timestamp"],
        online=Online(named=profiles.addresses) if chosen["network"] else None,
        rules=tuple(profiles.rules.values()),
        alone=chosen["alone"],
        draw=not chosen["no_appearance"],
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


def _tabled(documents: Sequence[JudgedDocument], out: Path, *, replace: bool) -> str:
    from fieldkit.pdf import document
    from fieldkit.record import verification

    data = verification.to_csv(documents) if out.suffix.lower() == ".csv" else verification.to_xlsx(documents)
    with document.written(out, overwrite=replace) as file:
        file.write(data)
    return str(out)


def _reported(
    call: Call, documents: Sequence[JudgedDocument], by: VerificationOptions, out: Path, chosen: VerifyOptions
) -> Data:
    """Write the report, signed where a token was named; where it is and what it is."""
    from fieldkit.pdf import document
    from fieldkit.record import verification
    from fieldkit.signature.sign import sign

    token = chosen["token"]
    material, online = by.material, by.online
    requests = [f"{request.url}: {request.outcome}" for request in online.asked] if online else []
    basis = verification.basis(material.anchors, material.crls, requests, network=online is not None)
    report = verification.report(documents, basis, signed=bool(token))
    if not token:
        with document.written(out, overwrite=chosen["replace"]) as file:
            file.write(report)
        return {"path": str(out), "signed": False, "sha256": hashlib.sha256(report).hexdigest()}
    with tempfile.TemporaryDirectory(prefix="fieldkit-report-") as name:
        plain = Path(name) / "report.pdf"
        plain.write_bytes(report)
        signing = call.signing(token, chosen["certificate"], M("The report {name}", name=out.name))
        signed = asyncio.run(
            signing(
                lambda signer: sign(
                    plain,
                    out,
                    signer,
                    field=verification.FIELD,
                    overwrite=chosen["replace"],
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

    verdict = str(VERDICTS[judged.verdict])
    lines: list[str | Said] = [M("{file}: {verdict}", file=str(judged.path), verdict=verdict)]
    if judged.error is not None:
        return [*lines, *error_lines(judged.error, "  ✗ ", "      → ")]
    assert judged.judgement is not None
    for signature in judged.judgement.signatures:
        lines.append(
            M(
                "{field}: {signer}, {time}, {level}: {verdict}",
                field=signature.field,
                signer=signature.signer or "?",
                time=signature.signed_at or "?",
                level=signature.level.upper(),
                verdict=str(VERDICTS[signature.verdict]),
            )
        )
        lines += check_lines(chosen(signature.checks))
    lines += check_lines(chosen(judged.judgement.checks))
    if judged.verdict == "indeterminate" and not brief:
        lines.append(M("What is required and marked ? was not checked; each line says what would settle it."))
    return lines


def _table(documents: Sequence[JudgedDocument]) -> list[str | Said]:
    """Every document in one line, then how many are what."""
    width = max(len(str(word)) for word in VERDICTS.values())
    lines: list[str | Said] = [""]
    for document in documents:
        count = len(document.judgement.signatures) if document.judgement is not None else 0
        lines.append(f"{VERDICTS[document.verdict]!s:<{width}}  {count:>2}  {document.path}")
    verdicts = [document.verdict for document in documents]
    lines.append(
        M(
            "Documents: {all}; valid {good}, not valid {bad}, not settled {open}.",
            all=len(documents),
            good=verdicts.count("pass"),
            bad=verdicts.count("fail"),
            open=verdicts.count("indeterminate"),
        )
    )
    return lines
