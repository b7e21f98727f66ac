"""`fieldkit record`: export a visit's record, verify one that came from somewhere."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.errors import FieldkitError
from fieldkit.plain import SYMBOLS, verdict_word
from fieldkit.text import M, Said

record = noun("record", M("Handover records: export and verify."))

FORMATS = ("pdf", "xlsx", "csv", "json")
LANGUAGES = ("vi", "en", "both")


@record.verb("export", M("Write a visit's record; before it is signed off, a draft marked as such."))
@click.argument("name", metavar="VISIT")
@option("--format", "kind", type=click.Choice(FORMATS), required=True, said=M("The kind of file."))
@option("--out", type=click.Path(path_type=Path), required=True, said=M("The file to write."))
@option("--record", "which", default="", said=M("An older record's name, after an amendment."))
@option("--language", type=click.Choice(LANGUAGES), said=M("The language of tables and drafts."))
@option("--replace", is_flag=True, said=M("Replace the output if it is there."))
def export(
    call: Call, name: str, kind: str, out: Path, which: str, language: str | None, replace: bool
) -> Reply:
    from fieldkit.record.export import export as write

    with call.visits() as visits:
        made = write(visits, name, kind, out, record=which, language=language, overwrite=replace)  # type: ignore[arg-type]
        said: Said = M("Written: {path}", path=str(made.path))
        if made.draft:
            said = M("Written as a draft, for the visit has no record yet: {path}", path=str(made.path))
        result = {
            "out": str(made.path),
            "format": made.format,
            "record": made.record,
            "draft": made.draft,
            "signed": made.signed,
        }
        return Reply(result, said, damage=visits.store.damage(visits.load(name).id))


@record.verb("verify", M("Judge a record: its signatures, its data, and that the paper says the same."))
@click.argument("file", type=click.Path(path_type=Path))
@option("--trust", multiple=True, type=click.Path(path_type=Path), said=M("A root certificate; repeatable."))
@option(
    "--crl", multiple=True, type=click.Path(path_type=Path), said=M("A revocation list; may be repeated.")
)
@option("--network", is_flag=True, said=M("Ask the authorities' servers about revocation."))
@option("--no-revocation", is_flag=True, said=M("Do without knowing whether a certificate is revoked."))
def verify(
    call: Call, file: Path, trust: tuple[Path, ...], crl: tuple[Path, ...], network: bool, no_revocation: bool
) -> Reply:
    from fieldkit.cli.sign import material
    from fieldkit.record.verify import verify as judge
    from fieldkit.signature import document
    from fieldkit.signature.judgement import Policy, shape

    anchors = [document.read(path) for path in trust]
    crls = [document.read(path) for path in crl]
    if not anchors:
        here = material(call, call.profiles())
        anchors = list(here.anchors)
        crls += here.crls
    policy = Policy(revocation=not no_revocation)
    with contextlib.ExitStack() as stack:
        store = None
        if call.home.store.is_dir():  # the record may be of this very journal; a damaged one is no reason
            with contextlib.suppress(FieldkitError):
                store = stack.enter_context(call.store())
        found = judge(file, trust=anchors, crls=crls, network=network, policy=policy, store=store)
    content = found.content
    result = {"file": str(file), "sha256": found.sha256} | shape(found.judgement)
    lines: list[str | Said] = [
        M("{file}: {verdict}", file=str(file), verdict=str(verdict_word(found.verdict)))
    ]
    if content is not None:
        journal = content.journal
        result |= {
            "record": content.name,
            "visit": content.visit.id,
            "sample": content.sample,
            "journal": {"device": journal.device, "seq": journal.seq, "hash": journal.hash},
        }
        lines.append(
            M(
                "Record {number}, made at {made} from journal {device} at entry {seq}.",
                number=content.number,
                made=content.made,
                device=journal.device,
                seq=journal.seq,
            )
        )
        if content.sample:
            lines.append(M("SAMPLE: the record is of an invented bureau and without legal effect."))
    for check in found.checks:
        detail = f"  [{check.detail}]" if check.detail else ""
        lines.append(f"  {SYMBOLS[check.verdict]} {check.message}{detail}")
    return Reply(result, lines, good=found.verdict == "pass")
