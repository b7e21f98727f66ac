"""`fieldkit exchange`: pack signed PDFs as the national exchange does, open a package, rehearse both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.signature.edxml import Header
    from fieldkit.signature.exchange import Opened

exchange = noun("exchange", M("Rehearse sending and receiving signed documents."))


def _header_options(function: Any) -> Any:
    for name, default, said in reversed(
        (
            ("--from", "000.MAU.01", M("The sending agency's code.")),
            ("--to", "000.MAU.02", M("The receiving agency's code.")),
            ("--number", "01", M("The document's number.")),
            ("--notation", "MẪU", M("The document's sign.")),
            ("--subject", "Văn bản mẫu, không có giá trị", M("What the document is about.")),
        )
    ):
        function = option(name, default=default, said=said)(function)
    return function


@exchange.verb("pack", M("Wrap signed PDFs into one package."))
@click.argument("files", metavar="FILE.pdf...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--out", required=True, type=click.Path(path_type=Path), said=M("The package to write."))
@_header_options
def pack(call: Call, files: tuple[Path, ...], out: Path, **given: str) -> Reply:
    from fieldkit.signature.exchange import pack

    made = pack(files, out, _header(given))
    return Reply(made, M("The package was written: {path}", path=made.out))


@exchange.verb("open", M("Open a package as its receiver must: structure, digests, every signature."))
@click.argument("package", metavar="FILE", type=click.Path(path_type=Path))
@option("--out", required=True, type=click.Path(path_type=Path), said=M("The folder for the documents."))
@option("--trust", multiple=True, type=click.Path(path_type=Path), said=M("A root certificate; repeatable."))
@option(
    "--crl", multiple=True, type=click.Path(path_type=Path), said=M("A revocation list; may be repeated.")
)
@option("--receiver", default="", said=M("The receiving agency's code."))
def open_(
    call: Call, package: Path, out: Path, trust: tuple[Path, ...], crl: tuple[Path, ...], receiver: str
) -> Reply:
    from fieldkit.signature.exchange import open_package

    anchors, crls = _material(call, trust, crl)
    return _opened(open_package(package, out, trust=anchors, crls=crls, receiver=receiver))


@exchange.verb("rehearse", M("Pack and open through a folder, between two sample agencies."))
@click.argument("files", metavar="FILE.pdf...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--folder", required=True, type=click.Path(path_type=Path), said=M("The folder between them."))
@option("--trust", multiple=True, type=click.Path(path_type=Path), said=M("A root certificate; repeatable."))
@option(
    "--crl", multiple=True, type=click.Path(path_type=Path), said=M("A revocation list; may be repeated.")
)
@_header_options
def rehearse(
    call: Call,
    files: tuple[Path, ...],
    folder: Path,
    trust: tuple[Path, ...],
    crl: tuple[Path, ...],
    **given: str,
) -> Reply:
    from fieldkit.signature.exchange import rehearse

    anchors, crls = _material(call, trust, crl)
    packed, opened = rehearse(files, folder, _header(given), trust=anchors, crls=crls)
    return _opened(opened, package=packed.out, sha256=packed.sha256)


def _header(given: dict[str, str]) -> Header:
    from fieldkit.signature.edxml import Header, Organ

    return Header(
        sender=Organ(given["from"], given["from"]),
        receiver=Organ(given["to"], given["to"]),
        number=given["number"],
        notation=given["notation"],
        place="",
        date=date.today().isoformat(),
        subject=given["subject"],
        document="",
    )


def _material(call: Call, trust: Sequence[Path], crl: Sequence[Path]) -> tuple[list[bytes], list[bytes]]:
    """The anchors and lists that were named; those of the profiles where no anchor was."""
    from fieldkit.cli.sign import material
    from fieldkit.signature import document

    anchors, crls = [document.read(path) for path in trust], [document.read(path) for path in crl]
    if not anchors:
        here = material(call, call.profiles())
        anchors, crls = list(here.anchors), [*crls, *here.crls]
    return anchors, crls


def _opened(found: Opened, **more: str) -> Reply:
    from fieldkit.cli.verify import WORDS, check_lines
    from fieldkit.signature.judgement import check_shape

    lines: list[str | Said] = [*check_lines(found.checks), WORDS[found.verdict]]
    result = more | {
        "verdict": found.verdict,
        "document": found.header.document,
        "files": list(found.files),
        "status": found.status,
        "checks": [check_shape(check) for check in found.checks],
    }
    return Reply(result, lines, good=found.verdict == "pass")
