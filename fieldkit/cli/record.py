"""`fieldkit record`: export a visit's record, verify one that came from somewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.errors import FieldkitError, NotConsented
from fieldkit.operator import Plan
from fieldkit.plain import SYMBOLS, verdict_word
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.journal.store import Store

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
    from fieldkit.cli.sign import material
    from fieldkit.cli.token import agents, ask_pin, last_try
    from fieldkit.record.countersign import countersign, ready
    from fieldkit.signature.errors import OutputUnfit
    from fieldkit.signature.judgement import shape
    from fieldkit.signature.trust import chain_of

    known = material(call, call.profiles())
    if out.exists() and not replace:
        raise OutputUnfit(
            M("There is already a file {name}.", name=out.name),
            unchanged=M("Nothing was signed."),
            hint=M("Choose another name, or agree to have it replaced."),
        )
    with agents(call) as running:
        held = running.find(token)
        with running.session(held) as session:  # its certificate first: no PIN goes to a wrong token
            chosen = session.certificate(certificate)
            issuers = [each.der for each in session.certificates() if each.der != chosen.der]
        checked = ready(file, chosen.der, known)
        plan = Plan(
            title=M("Sign the record {number} for the handing-over party", number=checked.content.number),
            steps=(
                M(
                    "The token {token} signs with the certificate {label}.",
                    token=held.name,
                    label=chosen.label,
                ),
                M("The signed record is written to {path}; it is verified first.", path=str(out)),
            ),
        )
        if not asyncio.run(call.console().consent(plan)):
            raise NotConsented(
                M("The record was not signed: not agreed to."), unchanged=M("Nothing was signed.")
            )
        confirmed = last_try(call, held)
        with (
            ask_pin(call, held) as pin,
            running.session(held, pin, confirmed_last_try=confirmed) as session,
        ):
            chain = chain_of(chosen.der, (*issuers, *known.others, *known.anchors))
            signer = session.signer(session.certificate(chosen.sha256), chain)
            judged = countersign(checked, out, signer, known, overwrite=replace)
    result = {"out": str(out), "record": checked.content.name} | shape(judged.judgement)
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
    from fieldkit.cli.sign import material
    from fieldkit.cli.verify import requests
    from fieldkit.record.verify import verify as judge
    from fieldkit.signature import document
    from fieldkit.signature.judgement import Policy, shape
    from fieldkit.signature.online import Online

    anchors = [document.read(path) for path in trust]
    crls = [document.read(path) for path in crl]
    profiles = call.profiles()
    here = material(call, profiles)
    online = Online(named=profiles.addresses) if network else None
    if not anchors:
        anchors = list(here.anchors)
        crls += here.crls
    policy = Policy(revocation=not no_revocation, purposes=here.purposes)
    with _journal(call) as (store, fault):
        found = judge(
            file,
            trust=anchors,
            crls=crls,
            network=online or False,
            policy=policy,
            store=store,
            unopened=fault,
            devices=devices,
        )
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
    if online is not None:
        result["requests"] = online.asked
        lines += requests(online)
    return Reply(result, lines, good=found.verdict == "pass")
