"""`fieldkit exchange`: pack signed PDFs as the national exchange does, open a package, rehearse both."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from fieldkit.action import exchange_documents as action
from fieldkit.cli import completion, options
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.options import FILE
from fieldkit.cli.output import VERDICTS, Data, check_lines
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.exchange.edxml import MessageHeader
    from fieldkit.exchange.packages import OpenedPackage
    from fieldkit.finding import Finding, Overall

exchange = noun("exchange", M("Rehearse sending and receiving signed documents."))


def _header_options(function: Callable[..., Reply]) -> Callable[..., Reply]:
    """The options of a package's header, for a function that takes the header."""

    @functools.wraps(function)
    def with_header(
        *arguments: object,
        sender: str,
        receiver: str,
        number: str,
        notation: str,
        subject: str,
        **options: object,
    ) -> Reply:
        ends = (sender, sender), (receiver, receiver)
        header = action.header_of(*ends, number=number, notation=notation, subject=subject)
        return function(*arguments, header=header, **options)

    for names, default, message in reversed(
        (
            (("--from", "sender"), action.SENDER, M("The sending agency's code.")),
            (("--to", "receiver"), action.RECEIVER, M("The receiving agency's code.")),
            (("--number",), "01", M("The document's number.")),
            (("--notation",), "MẪU", M("The document's sign.")),
            (("--subject",), "Văn bản mẫu, không có giá trị", M("What the document is about.")),
        )
    ):
        with_header = option(*names, default=default, help=message)(with_header)
    return with_header


def _token_options(function: Callable[..., Reply]) -> Callable[..., Reply]:
    token = option(
        "--token",
        default="",
        shell_complete=completion.tokens,
        help=M("The token that signs the package as a whole."),
    )
    return token(options.certificate(function))


@exchange.verb("pack", M("Wrap signed PDFs into one package."), secrets=("pin",), modules=True)
@click.argument("files", metavar="FILE.pdf...", nargs=-1, required=True, type=FILE)
@option("--out", required=True, type=FILE, help=M("The package to write."))
@_header_options
@_token_options
def pack(
    call: Call, files: tuple[Path, ...], out: Path, header: MessageHeader, token: str, certificate: str
) -> Reply:
    packed = asyncio.run(action.pack_documents(files, out, header, _signing(call, token, certificate)))
    lines: list[str | Said] = [M("The package was written: {path}", path=packed.out)]
    if call.profiles().packages_signed and not packed.signed:
        lines.append(
            M("The profile asks for packages that are signed, and this one is not. Add --token to sign it.")
        )
    return Reply(packed, lines)


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
    opened_package = action.open_received(
        call.profiles(),
        package,
        out,
        call.trusting(trust, crl),
        receiver=receiver,
        signature=True if require_signature else False if accept_unsigned else None,
        draw=not no_appearance,
    )
    return _opened(opened_package, opened_package.verdict, opened_package.checks)


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
    header: MessageHeader,
    token: str,
    certificate: str,
) -> Reply:
    from fieldkit.pdf import document

    profiles = call.profiles()
    rehearsed = asyncio.run(
        action.rehearse_exchange(
            call.console(),
            files,
            folder,
            header,
            call.trusting(trust, crl),
            known=profiles.senders,
            signing=_signing(call, token, certificate),
            consented=True,  # nothing is sent; whoever signs agrees to that
        )
    )
    packed = rehearsed.rehearsal.packed
    evidence = folder / f"rehearsal-{packed.document}.json"
    reply = _opened(
        rehearsed.rehearsal.opened,
        rehearsed.verdict,
        rehearsed.findings,
        package=packed.out,
        sha256=packed.sha256,
        evidence=str(evidence),
    )
    with document.written(evidence) as file:
        file.write(msgspec.json.format(msgspec.json.encode(reply.result), indent=2) + b"\n")
    return reply


def _signing(call: Call, token: str, certificate: str) -> action.Signing | None:
    """With the token's key where one was named."""
    return call.signing(token, certificate, M("The exchange package as a whole")) if token else None


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
