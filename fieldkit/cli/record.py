"""`fieldkit record`: export a visit's record, verify one that came from somewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.errors import FieldkitError
from fieldkit.record.formats import FORMATS
from fieldkit.text import M, Said
from fieldkit.text_output import SYMBOLS, verdict_word

if TYPE_CHECKING:
    from fieldkit.journal.store import Store
    from fieldkit.record.verify import VerifiedRecord

record = noun("record", M("Handover records: export and verify."))

LANGUAGES = ("vi", "en", "both")


@record.verb("export", M("Write a visit's record; before it is signed off, a draft marked as such."))
@click.argument("name", metavar="VISIT")
@option("--format", "kind", type=click.Choice(tuple(FORMATS)), required=True, said=M("The kind of file."))
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
        text: Said = M("Written: {path}", path=str(made.path))
        if made.draft:
            text = M("Written as a draft, for the visit has no record yet: {path}", path=str(made.path))
        result = {
            "out": str(made.path),
            "format": made.format,
            "record": made.record,
            "draft": made.draft,
            "signed": made.signed,
        }
        return Reply(result, text, damage=visits.store.damage(visits.load(name).id))


@record.verb(
    "sign",
    M("Sign a record for the handing-over party, after the receiving officer."),
    secrets=("pin",),
    modules=True,
)
@click.argument("file", type=click.Path(path_type=Path))
@option("--token", required=True, said=M("The token: its URI, label or serial number."))
@option("--certificate", default="", said=M("Which certificate on it: CKA_ID, label or SHA-256."))
@option("--out", type=click.Path(path_type=Path), required=True, said=M("The file to write."))
@option("--replace", is_flag=True, said=M("Replace the output if it is there."))
def sign(call: Call, file: Path, token: str, certificate: str, out: Path, replace: bool) -> Reply:
    from fieldkit.action.trust_material import gather
    from fieldkit.cli.token import access
    from fieldkit.record.countersign import sign_for_giver
    from fieldkit.validation.judgement import shape

    profiles = call.profiles()

    async def work() -> tuple[str, VerifiedRecord]:
        material = gather(call.home, profiles, profiles.trusted)
        async with access(call) as tokens:
            return await sign_for_giver(
                tokens, file, out, token=token, certificate=certificate, material=material, overwrite=replace
            )

    name, judged = asyncio.run(work())
    result = {"out": str(out), "record": name} | shape(judged.judgement)
    return Reply(result, M("The record was signed for the handing-over party: {path}", path=str(out)))


@contextlib.contextmanager
def _journal(call: Call) -> Iterator[tuple[Store | None, FieldkitError | None]]:
    """The store here, which the record may be of; or why it cannot be opened."""
    with contextlib.ExitStack() as stack:
        store, fault = None, None
        if call.home.store.is_dir():
            try:
                store = stack.enter_context(call.store())
            except FieldkitError as error:
                fault = error
        yield store, fault


@record.verb("verify", M("Judge a record: its signatures, its data, and that the paper says the same."))
@click.argument("file", type=click.Path(path_type=Path))
@option("--trust", multiple=True, type=click.Path(path_type=Path), said=M("A root certificate; repeatable."))
@option(
    "--crl", multiple=True, type=click.Path(path_type=Path), said=M("A revocation list; may be repeated.")
)
@option("--network", is_flag=True, said=M("Ask the authorities' servers about revocation."))
@option("--no-revocation", is_flag=True, said=M("Do without knowing whether a certificate is revoked."))
@option(
    "--device",
    "devices",
    multiple=True,
    metavar="KEY",
    said=M("The key of a device that may have made it, 64 hexadecimal digits; may be repeated."),
)
def verify(
    call: Call,
    file: Path,
    trust: tuple[Path, ...],
    crl: tuple[Path, ...],
    network: bool,
    no_revocation: bool,
    devices: tuple[str, ...],
) -> Reply:
    from fieldkit.action.trust_material import named
    from fieldkit.cli.verify import requests
    from fieldkit.record.verify import verify as judge
    from fieldkit.validation.judgement import Policy, shape
    from fieldkit.validation.online import Online

    profiles = call.profiles()
    material = named(call.home, profiles, trust, crl)
    online = Online(named=profiles.addresses) if network else None
    policy = Policy(revocation=not no_revocation, purposes=material.purposes)
    with _journal(call) as (store, fault):
        verified = judge(
            file,
            trust=material.anchors,
            crls=material.crls,
            network=online or False,
            policy=policy,
            store=store,
            unopened=fault,
            devices=devices,
        )
    content = verified.content
    result = {"file": str(file), "sha256": verified.sha256} | shape(verified.judgement)
    lines: list[str | Said] = [
        M("{file}: {verdict}", file=str(file), verdict=str(verdict_word(verified.verdict)))
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
    for check in verified.checks:
        detail = f"  [{check.detail}]" if check.detail else ""
        lines.append(f"  {SYMBOLS[check.severity]} {check.message}{detail}")
    if online is not None:
        result["requests"] = online.asked
        lines += requests(online)
    return Reply(result, lines, good=verified.verdict == "pass")
