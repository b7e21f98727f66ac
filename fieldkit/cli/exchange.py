"""`fieldkit exchange`: pack signed PDFs as the national exchange does, open a package, rehearse both."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fieldkit.action import exchange_documents as action
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.signing import signing_with
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.exchange.edxml import MessageHeader
    from fieldkit.exchange.packages import OpenedPackage
    from fieldkit.finding import Finding, Overall

exchange = noun("exchange", M("Rehearse sending and receiving signed documents."))


def _header_options(function: Any) -> Any:
    """The options of a package's header, for a function that takes the header."""

    @functools.wraps(function)
    def with_header(*arguments: Any, sender: str, receiver: str, **options: Any) -> Reply:
        names = ("number", "notation", "subject")
        header = action.header_of(
            (sender, sender), (receiver, receiver), **{name: options.pop(name) for name in names}
        )
        reply: Reply = function(*arguments, header=header, **options)
        return reply

    for names, default, message in reversed(
        (
            (("--from", "sender"), action.SENDER, M("The sending agency's code.")),
            (("--to", "receiver"), action.RECEIVER, M("The receiving agency's code.")),
            (("--number",), "01", M("The document's number.")),
            (("--notation",), "MẪU", M("The document's sign.")),
            (("--subject",), "Văn bản mẫu, không có giá trị", M("What the document is about.")),
        )
    ):
        with_header = option(*names, default=default, said=message)(with_header)
    return with_header


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
def pack(
    call: Call, files: tuple[Path, ...], out: Path, header: MessageHeader, token: str, certificate: str
) -> Reply:
    packed = asyncio.run(action.pack_documents(files, out, header, _signing(call, token, certificate)))
    lines: list[str | Said] = [M("The package was written: {path}", path=packed.out)]
    if action.signature_asked(call.profiles()) and not packed.signed:
        lines.append(
            M("The profile asks for packages that are signed, and this one is not. Add --token to sign it.")
        )
    return Reply(packed, lines)


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

    profiles = call.profiles()
    opened_package = action.open_received(
        profiles,
        package,
        out,
        named(call.home, profiles, trust, crl),
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
    header: MessageHeader,
    token: str,
    certificate: str,
) -> Reply:
    from fieldkit.action.trust_material import named

    profiles = call.profiles()
    rehearsed = asyncio.run(
        action.rehearse_exchange(
            call.console(),
            files,
            folder,
            header,
            named(call.home, profiles, trust, crl),
            known=action.senders(profiles),
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
    _written(evidence, reply.result)
    return reply


def _written(path: Path, result: Any) -> None:
    """Keep what a rehearsal found beside what it exchanged."""
    import msgspec

    from fieldkit.pdf import document

    with document.written(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")


def _signing(call: Call, token: str, certificate: str) -> action.Signing | None:
    """With the token's key where one was named."""
    return signing_with(call, token, certificate, M("The exchange package as a whole")) if token else None


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
