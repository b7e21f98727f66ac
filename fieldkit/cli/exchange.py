"""`fieldkit exchange`: pack signed PDFs as the national exchange does, open a package, rehearse both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.exchange.edxml import MessageHeader
    from fieldkit.exchange.packages import OpenedPackage
    from fieldkit.finding import Finding, Overall
    from fieldkit.profile.model import Dossier
    from fieldkit.signature.raw_signer import RawSigner

Result = TypeVar("Result")
exchange = noun("exchange", M("Rehearse sending and receiving signed documents."))


def _header_options(function: Any) -> Any:
    for name, default, message in reversed(
        (
            ("--from", "000.MAU.01", M("The sending agency's code.")),
            ("--to", "000.MAU.02", M("The receiving agency's code.")),
            ("--number", "01", M("The document's number.")),
            ("--notation", "MẪU", M("The document's sign.")),
            ("--subject", "Văn bản mẫu, không có giá trị", M("What the document is about.")),
        )
    ):
        function = option(name, default=default, said=message)(function)
    return function


def _token_options(function: Any) -> Any:
    for name, message in (
        ("--certificate", M("Which certificate on it: CKA_ID, label or SHA-256.")),
        ("--token", M("The token that signs the package as a whole.")),
    ):
        function = option(name, default="", said=message)(function)
    return function


@exchange.verb("pack", M("Wrap signed PDFs into one package."), secrets=("pin",), modules=True)
@click.argument("files", metavar="FILE.pdf...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--out", required=True, type=click.Path(path_type=Path), said=M("The package to write."))
@_header_options
@_token_options
def pack(call: Call, files: tuple[Path, ...], out: Path, token: str, certificate: str, **given: str) -> Reply:
    from fieldkit.exchange.packages import pack

    made = _with_signer(
        call, token, certificate, lambda signer: pack(files, out, _header(given), signer=signer)
    )
    lines: list[str | Said] = [M("The package was written: {path}", path=made.out)]
    if _asked(call) and not made.signed:
        lines.append(
            M("The profile asks for packages that are signed, and this one is not. Add --token to sign it.")
        )
    return Reply(made, lines)


@exchange.verb("open", M("Open a package as its receiver must: structure, digests, every signature."))
@click.argument("package", metavar="FILE", type=click.Path(path_type=Path))
@option("--out", required=True, type=click.Path(path_type=Path), said=M("The folder for the documents."))
@option("--trust", multiple=True, type=click.Path(path_type=Path), said=M("A root certificate; repeatable."))
@option(
    "--crl", multiple=True, type=click.Path(path_type=Path), said=M("A revocation list; may be repeated.")
)
@option("--receiver", default="", said=M("The receiving agency's code."))
@option("--require-signature", is_flag=True, said=M("Refuse a package that is not signed itself."))
@option("--accept-unsigned", is_flag=True, said=M("Agree to a package that is not signed itself."))
@option("--no-appearance", is_flag=True, said=M("Do not draw the pages to see what was changed on them."))
def open_(
    call: Call,
    package: Path,
    out: Path,
    trust: tuple[Path, ...],
    crl: tuple[Path, ...],
    receiver: str,
    require_signature: bool,
    accept_unsigned: bool,
    no_appearance: bool,
) -> Reply:
    from fieldkit.action.trust_material import named
    from fieldkit.exchange.packages import open_package
    from fieldkit.validation.judgement import Policy

    material = named(call.home, call.profiles(), trust, crl)
    asked = _asked(call)
    opened = open_package(
        package,
        out,
        trust=material.anchors,
        crls=material.crls,
        receiver=receiver,
        policy=Policy(purposes=material.purposes),
        signature=True if asked or require_signature else False if accept_unsigned else asked,
        senders=_senders(call),
        draw=not no_appearance,
    )
    return _opened(opened, opened.verdict, opened.checks)


@exchange.verb(
    "rehearse",
    M("Pack and open through a folder, between two sample agencies."),
    secrets=("pin",),
    modules=True,
)
@click.argument("files", metavar="FILE.pdf...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--folder", required=True, type=click.Path(path_type=Path), said=M("The folder between them."))
@option("--trust", multiple=True, type=click.Path(path_type=Path), said=M("A root certificate; repeatable."))
@option(
    "--crl", multiple=True, type=click.Path(path_type=Path), said=M("A revocation list; may be repeated.")
)
@_header_options
@_token_options
def rehearse(
    call: Call,
    files: tuple[Path, ...],
    folder: Path,
    trust: tuple[Path, ...],
    crl: tuple[Path, ...],
    token: str,
    certificate: str,
    **given: str,
) -> Reply:
    from fieldkit.action.trust_material import named
    from fieldkit.exchange.packages import rehearse
    from fieldkit.validation.judgement import Policy

    material = named(call.home, call.profiles(), trust, crl)
    done = _with_signer(
        call,
        token,
        certificate,
        lambda signer: rehearse(
            files,
            folder,
            _header(given),
            trust=material.anchors,
            crls=material.crls,
            policy=Policy(purposes=material.purposes),
            signer=signer,
            senders=_senders(call),
        ),
    )
    evidence = folder / f"rehearsal-{done.packed.document}.json"
    reply = _opened(
        done.opened,
        done.verdict,
        done.checks,
        package=done.packed.out,
        sha256=done.packed.sha256,
        evidence=str(evidence),
    )
    _written(evidence, reply.result)
    return reply


def _written(path: Path, result: Any) -> None:
    """Keep what a rehearsal found beside what it exchanged."""
    import msgspec

    from fieldkit.pdf import document

    with document.written(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")


def _with_signer(
    call: Call, token: str, certificate: str, work: Callable[[RawSigner | None], Result]
) -> Result:
    """Do `work` with the token's key where one was named."""
    if not token:
        return work(None)
    from fieldkit.cli.signing import signed_with

    return signed_with(call, token, certificate, M("The exchange package as a whole"), work)


def _asked(call: Call) -> bool | None:
    """Whether the profile of the exchange axis asks for signed packages; None where it does not say."""
    said = {service.signed for service in call.profiles().services if service.kind == "axis"}
    return True if True in said else False if False in said else None


def _senders(call: Call) -> dict[str, list[Dossier]]:
    """By the code of each agency in the plan, what was asked for its certificates."""
    known: dict[str, list[Dossier]] = {}
    for bureau in call.profiles().plan.bureaus:
        if bureau.agency_code:
            known.setdefault(bureau.agency_code, []).append(bureau.dossier)
    return known


def _header(given: dict[str, str]) -> MessageHeader:
    from fieldkit.exchange.edxml import MessageHeader, Organ

    return MessageHeader(
        sender=Organ(given["from"], given["from"]),
        receiver=Organ(given["to"], given["to"]),
        number=given["number"],
        notation=given["notation"],
        place="",
        date=date.today().isoformat(),
        subject=given["subject"],
        document="",
    )


def _opened(opened_package: OpenedPackage, verdict: Overall, checks: Sequence[Finding], **more: str) -> Reply:
    from fieldkit.cli.verify import WORDS, check_lines
    from fieldkit.validation.judgement import check_shape

    lines: list[str | Said] = [*check_lines(checks), WORDS[verdict]]
    result = more | {
        "verdict": verdict,
        "document": opened_package.header.document,
        "files": list(opened_package.files),
        "status": opened_package.status,
        "checks": [check_shape(check) for check in checks],
    }
    return Reply(result, lines, good=verdict == "pass")
