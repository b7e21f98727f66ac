"""`fieldkit record`: export a visit's record, verify one that came from somewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fieldkit.cli import completion, options
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.options import FILE
from fieldkit.cli.output import check_lines, data, fields, request_lines
from fieldkit.errors import FieldkitError
from fieldkit.record.formats import FORMATS
from fieldkit.text import M, Said
from fieldkit.text_output import verdict_word

if TYPE_CHECKING:
    from fieldkit.journal.store import Store
    from fieldkit.record.content import Language
    from fieldkit.record.verify import VerifiedRecord

record = noun("record", M("Handover records: export and verify."))

LANGUAGES = ("vi", "en", "both")


@record.verb("export", M("Write a visit's record; before it is signed off, a draft marked as such."))
@click.argument("name", metavar="VISIT", shell_complete=completion.visits)
@option("--format", "kind", type=click.Choice(tuple(FORMATS)), required=True, help=M("The kind of file."))
@option("--record", "older", default="", help=M("An older record's name, after an amendment."))
@option("--language", type=click.Choice(LANGUAGES), help=M("The language of tables and drafts."))
@options.out
def export(
    call: Call, name: str, kind: str, out: Path, older: str, language: Language | None, replace: bool
) -> Reply:
    from fieldkit.record.export import export as write

    with call.visits() as visits:
        made = write(visits, name, kind, out, record=older, language=language, overwrite=replace)
        result = {"out": made.path} | data(made, "path")
        return Reply(result, made.message, damage=visits.store.damage(visits.load(name).id))


@record.verb(
    "sign",
    M("Sign a record for the handing-over party, after the receiving officer."),
    secrets=("pin",),
    modules=True,
)
@click.argument("file", type=FILE)
@options.token
@options.certificate
@options.out
def sign(call: Call, file: Path, token: str, certificate: str, out: Path, replace: bool) -> Reply:
    from fieldkit.record.countersign import sign_for_giver
    from fieldkit.validation.judgement import shape

    async def work() -> tuple[str, VerifiedRecord]:
        material = call.trusted()
        async with call.tokens() as tokens:
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
@click.argument("file", type=FILE)
@options.trust
@options.revocation
@option(
    "--device",
    "devices",
    multiple=True,
    metavar="KEY",
    help=M("The key of a device that may have made it, 64 hexadecimal digits; may be repeated."),
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
    from fieldkit.record.verify import verify as judge
    from fieldkit.validation.judgement import Policy, shape
    from fieldkit.validation.online import Online

    material = call.trusting(trust, crl)
    online = Online(named=call.profiles().addresses) if network else None
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
            "journal": fields(journal, "device", "seq", "hash"),
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
    lines += check_lines(verified.checks, hints=False)
    if online is not None:
        result["requests"] = online.asked
        lines += request_lines(online)
    return Reply(result, lines, good=verified.verdict == "pass")
