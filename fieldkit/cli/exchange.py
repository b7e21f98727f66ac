"""`fieldkit exchange`: pack signed PDFs as the national exchange does, open a package, rehearse both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import click
import msgspec

from fieldkit.cli import options
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.options import FILE
from fieldkit.cli.output import VERDICTS, Data, check_lines
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.exchange.edxml import MessageHeader
    from fieldkit.exchange.packages import OpenedPackage
    from fieldkit.finding import Finding, Overall
    from fieldkit.signature.raw_signer import RawSigner

Result = TypeVar("Result")
exchange = noun("exchange", M("Rehearse sending and receiving signed documents."))


class HeaderOptions(TypedDict):
    """What the package says of itself, as the options say it."""

    sender: str
    receiver: str
    number: str
    notation: str
    subject: str


def _header_options(function: Any) -> Any:
    for name, parameter, default, message in reversed(
        (
            ("--from", "sender", "000.MAU.01", M("The sending agency's code.")),
            ("--to", "receiver", "000.MAU.02", M("The receiving agency's code.")),
            ("--number", "number", "01", M("The document's number.")),
            ("--notation", "notation", "MẪU", M("The document's sign.")),
            ("--subject", "subject", "Văn bản mẫu, không có giá trị", M("What the document is about.")),
        )
    ):
        function = option(name, parameter, default=default, help=message)(function)
    return function


def _token_options(function: Any) -> Any:
    token = option("--token", default="", help=M("The token that signs the package as a whole."))
    return token(options.certificate(function))


@exchange.verb("pack", M("Wrap signed PDFs into one package."), secrets=("pin",), modules=True)
@click.argument("files", metavar="FILE.pdf...", nargs=-1, required=True, type=FILE)
@option("--out", required=True, type=FILE, help=M("The package to write."))
@_header_options
@_token_options
def pack(
    call: Call,
    files: tuple[Path, ...],
    out: Path,
    token: str,
    certificate: str,
    **header: Unpack[HeaderOptions],
) -> Reply:
    from fieldkit.exchange.packages import pack

    made = _with_signer(
        call, token, certificate, lambda signer: pack(files, out, _header(header), signer=signer)
    )
    lines: list[str | Said] = [M("The package was written: {path}", path=made.out)]
    if call.profiles().packages_signed and not made.signed:
        lines.append(
            M("The profile asks for packages that are signed, and this one is not. Add --token to sign it.")
        )
    return Reply(made, lines)


@exchange.verb("open", M("Open a package as its receiver must: structure, digests, every signature."))
@click.argument("package", metavar="FILE", type=FILE)
@option("--out", required=True, type=FILE, help=M("The folder for the documents."))
@options.trust
@option("--receiver", default="", help=M("The receiving agency's code."))
@option("--require-signature", is_flag=True, help=M("Refuse a package that is not signed itself."))
@option("--accept-unsigned", is_flag=True, help=M("Agree to a package that is not signed itself."))
@options.appearance
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
    from fieldkit.exchange.packages import open_package
    from fieldkit.validation.judgement import Policy

    material = call.trusting(trust, crl)
    wanted = call.profiles().packages_signed
    opened = open_package(
        package,
        out,
        trust=material.anchors,
        crls=material.crls,
        receiver=receiver,
        policy=Policy(purposes=material.purposes),
        signature=True if wanted or require_signature else False if accept_unsigned else wanted,
        senders=call.profiles().senders,
        draw=not no_appearance,
    )
    return _opened(opened, opened.verdict, opened.checks)


@exchange.verb(
    "rehearse",
    M("Pack and open through a folder, between two sample agencies."),
    secrets=("pin",),
    modules=True,
)
@click.argument("files", metavar="FILE.pdf...", nargs=-1, required=True, type=FILE)
@option("--folder", required=True, type=FILE, help=M("The folder between them."))
@options.trust
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
    **header: Unpack[HeaderOptions],
) -> Reply:
    from fieldkit.exchange.packages import rehearse
    from fieldkit.pdf import document
    from fieldkit.validation.judgement import Policy

    material = call.trusting(trust, crl)
    done = _with_signer(
        call,
        token,
        certificate,
        lambda signer: rehearse(
            files,
            folder,
            _header(header),
            trust=material.anchors,
            crls=material.crls,
            policy=Policy(purposes=material.purposes),
            signer=signer,
            senders=call.profiles().senders,
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
    with document.written(evidence) as file:
        file.write(msgspec.json.format(msgspec.json.encode(reply.result), indent=2) + b"\n")
    return reply


def _with_signer(
    call: Call, token: str, certificate: str, work: Callable[[RawSigner | None], Result]
) -> Result:
    """Do `work` with the token's key where one was named."""
    if not token:
        return work(None)
    return call.with_signer(token, certificate, M("The exchange package as a whole"), work)


def _header(options: HeaderOptions) -> MessageHeader:
    from fieldkit.exchange.edxml import MessageHeader, Organ

    return MessageHeader(
        sender=Organ(options["sender"], options["sender"]),
        receiver=Organ(options["receiver"], options["receiver"]),
        number=options["number"],
        notation=options["notation"],
        place="",
        date=date.today().isoformat(),
        subject=options["subject"],
        document="",
    )


def _opened(opened: OpenedPackage, verdict: Overall, checks: Sequence[Finding], **more: str) -> Reply:
    from fieldkit.validation.judgement import check_shape

    result: Data = {
        **more,
        "verdict": verdict,
        "document": opened.header.document,
        "files": opened.files,
        "status": opened.status,
        "checks": [check_shape(check) for check in checks],
    }
    return Reply(result, [*check_lines(checks), VERDICTS[verdict]], good=verdict == "pass")
