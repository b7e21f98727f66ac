"""The end of a visit: sign-off, then the record is made, signed with the token handed over, verified, kept.

Broken off at any point it goes on where it was: the sign-off is in the journal before the record is begun.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import msgspec

from fieldkit import errors
from fieldkit.access import make_private_folder
from fieldkit.action.trust_material import TrustMaterial, gather
from fieldkit.checklist.kinds import Item
from fieldkit.finding import Finding
from fieldkit.journal.store import Store
from fieldkit.operator import Operator, Plan, Progress, Question
from fieldkit.pdf import document
from fieldkit.pdf.errors import OutputNotWritten
from fieldkit.procedure.context import Context
from fieldkit.record.build import build, hands_over
from fieldkit.record.content import Language, RecordContent, sha256
from fieldkit.record.errors import RecordNotMade, RecordNotVerified, RecordNotWritten, WrongCertificate
from fieldkit.record.formats import FORMATS
from fieldkit.record.render import Rendered, render
from fieldkit.record.signing import sign_for
from fieldkit.record.verify import VerifiedRecord, verify
from fieldkit.signature.raw_signer import RawSigner
from fieldkit.text import M, Message
from fieldkit.token.session import Session
from fieldkit.validation.judgement import Policy
from fieldkit.visit.model import Visit
from fieldkit.visit.visits import Visits, must_be_ready


class Record(msgspec.Struct, frozen=True):
    """A record that was made and kept. pdf, json, tables: the files written. sha256: of the PDF."""

    visit: str
    name: str
    pdf: Path
    json: Path
    tables: tuple[Path, ...]
    sha256: str
    signed: bool
    verdict: str
    checks: tuple[Finding, ...]

    @property
    def summary(self) -> Message:
        """What was made, in a sentence."""
        if self.signed:
            return M("The record was made and verified: {path}", path=str(self.pdf))
        return M("The record was made, unsigned: {path}", path=str(self.pdf))


async def hand_over(
    visits: Visits,
    visit: str,
    operator: Operator,
    *,
    token: str = "",
    out: Path | None = None,
    modules: tuple[str, ...] = (),
    language: Language = "vi",
    reviewed: Visit | None = None,
) -> Record:
    """Sign the visit off if that is still to be done, then make, sign, verify and keep its record.

    reviewed: the visit as the officer read it; as it stands when this begins unless given. token: a token's
    URI, label or serial; the visit's own unless given. out: where the files are written besides the store,
    the visit's folder unless given.

    :raises VisitNotReady: required items are open. :raises RecordNotMade: it has its record already.
    :raises VisitChanged: it was changed after it was read.
    """
    with visits.store.finishing():  # whatever has to be written for it, also where the disk is full
        return await _hand_over(visits, visit, operator, token, out, modules, language, reviewed)


async def _hand_over(
    visits: Visits,
    visit: str,
    operator: Operator,
    token: str,
    out: Path | None,
    modules: tuple[str, ...],
    language: Language,
    reviewed: Visit | None,
) -> Record:
    now = reviewed or visits.load(visit)
    if token and now.finish == "record":
        raise RecordNotMade(
            M("The visit {visit} hands no token over, so its record is signed with none.", visit=now.id),
            unchanged=M("Nothing was changed."),
            hint=M("Finish it without --token."),
        )
    now = await _signed_off(visits, now, operator)
    material = gather(visits.home, visits.profiles, (now.bureau.authority,))
    content = build(now, visits.store, visits.profiles, made=datetime.now().astimezone(), language=language)
    operator.progress(Progress(M("Making the record {name}", name=content.name), 0, 4))
    rendered = await asyncio.to_thread(render, content)
    if not content.devices and not token:
        return await _kept(visits, now, content, rendered, rendered.pdf, None, out, operator)
    context = _context(visits, now, modules)
    async with context.tokens(operator) as tokens:
        held = await (tokens.find(token) if token else context.token(tokens))
        wanted = next((device.sha256 for device in content.devices if device.sha256), "")
        certificate = await context.certificate(tokens, held, wanted)

        async def signing(session: Session) -> Path:
            operator.progress(
                Progress(M("Signing the record with the token {token}", token=session.token.name), 1, 4)
            )
            signer = await asyncio.to_thread(context.signer, session, certificate)
            return await asyncio.to_thread(
                sign_record, content, rendered, signer, _folder(visits, now), material
            )

        signed = await tokens.log_in(held, signing)
    operator.progress(Progress(M("Verifying the record {name}", name=content.name), 2, 4))
    judged = await asyncio.to_thread(_judged, signed, material, visits.store)
    return await _kept(visits, now, content, rendered, signed.read_bytes(), judged, out, operator)


def sign_record(
    content: RecordContent, rendered: Rendered, signer: RawSigner, folder: Path, material: TrustMaterial
) -> Path:
    """Sign the rendered record for the receiving officer; the file in `folder`.

    The giving party's field is made with it, empty, so that a later signature there breaks nothing.

    :raises WrongCertificate: the key is not the one handed over.
    """
    known = [device.sha256 for device in content.devices]
    if known and not any(known):
        raise WrongCertificate(
            M("No step of the visit has settled which certificate the record hands over."),
            unchanged=M("Nothing was signed; the visit is signed off, its record is still to be made."),
            hint=M("Amend the visit and run its certificate step, then finish again."),
        )
    if known and sha256(signer.certificate) not in known:
        raise WrongCertificate(
            M("The certificate on this token is not the one that the record hands over."),
            unchanged=M("Nothing was signed; the visit is signed off, its record is still to be made."),
            hint=M("Plug in the token that was handed over, then finish again."),
        )
    make_private_folder(folder)
    plain, signed = folder / f"{content.name}-unsigned.pdf", folder / f"{content.name}.pdf"
    plain.write_bytes(rendered.pdf)
    try:
        sign_for(
            "receiver",
            content,
            rendered.places,
            plain,
            signed,
            signer,
            anchors=material.anchors,
            crls=material.crls,
            purposes=material.purposes,
        )
    finally:
        plain.unlink(missing_ok=True)
    return signed


async def _signed_off(visits: Visits, visit: Visit, operator: Operator) -> Visit:
    """The visit, signed off by the officer."""
    if visit.state == "recorded":
        raise RecordNotMade(
            M("The visit {visit} has its record already.", visit=visit.id),
            unchanged=M("Nothing was changed."),
            hint=M("Export it with `fieldkit record export`, or amend the visit to make another."),
        )
    if visit.state == "signed":
        return visit
    must_be_ready(visit)
    officer, title = str(visit.roles.get("officer-name", "")), str(visit.roles.get("officer-title", ""))
    if visit.finish == "record":
        plan = _closing(visit)
    else:
        known = visit.bureau.officer
        officer = officer or await operator.ask(
            Question("officer_name", M("Full name of the receiving officer"), default=known.name)
        )
        title = title or await operator.ask(
            Question("officer_title", M("Title of the receiving officer"), default=known.title.vi)
        )
        plan = _acceptance(visit, officer)
    if not await operator.consent(plan):
        raise errors.NotConsented(
            M("The visit was not signed off: not agreed to.")
            if visit.finish == "handover"
            else M("The form was not closed: not agreed to."),
            unchanged=M("Nothing was signed off.")
            if visit.finish == "handover"
            else M("Nothing was changed."),
        )
    return visits.sign_off(visit.id, officer, title, visit)


def _closing(visit: Visit) -> Plan:
    """What finishing does to a form that is only recorded."""
    return Plan(
        title=M("Close the form and make its record"),
        steps=(
            M("{form}, {bureau}: the answers were read through, "
              "{done} of {total} required items are settled.",
              form=str(visit.checklist.form or visit.checklist.title), bureau=str(visit.bureau.name),
              done=visit.done, total=visit.total),
            M("That the form is closed is written to the journal."),
            M("The filled-in form is made as PDF. It hands nothing over, so no token signs it."),
        ),
        keeps=M("After that nothing changes but by an amendment with its reason."),
    )  # fmt: skip


def _acceptance(visit: Visit, officer: str) -> Plan:
    """What finishing does where the officer accepts the visit."""
    return Plan(
        title=M("{officer} accepts the visit and signs its record", officer=officer),
        steps=(
            M("The officer has read the answers: {done} of {total} required items are settled.",
              done=visit.done, total=visit.total),
            M("The sign-off is written to the journal."),
            M("The record is made as PDF, signed with the token handed over, and verified.")
            if hands_over(visit)
            else M("The record is made as PDF. No token is handed over, so it is not signed by one."),
        ),
        keeps=M("After the sign-off nothing changes but by an amendment with its reason."),
    )  # fmt: skip


def _context(visits: Visits, visit: Visit, modules: tuple[str, ...]) -> Context:
    return Context(
        home=visits.home,
        store=visits.store,
        profiles=visits.profiles,
        visit=visit.id,
        item=Item("record", "note", visit.checklist.title),  # the record answers no item
        bureau=visit.bureau,
        folder=_folder(visits, visit),
        answers=visit.answers,
        roles=visit.roles,
        evidence=visit.proofs(),
        modules=modules,
    )


def _folder(visits: Visits, visit: Visit) -> Path:
    return visits.home.visit(visit.id)


def _judged(signed: Path, material: TrustMaterial, store: Store) -> VerifiedRecord:
    """What was just signed has to hold; what cannot be looked up here stays not checked.

    :raises RecordNotVerified: it does not hold.
    """
    policy = Policy(purposes=material.purposes)
    judged = verify(signed, trust=material.anchors, crls=material.crls, policy=policy, store=store)
    if judged.verdict == "fail":
        failed = [check for check in judged.checks if check.severity == "fail" and check.required]
        raise RecordNotVerified(
            M("The record that was made does not verify, so it was not kept."),
            unchanged=M("The visit is signed off; its record is still to be made."),
            hint=M("Finish again; if it stays so, send the report of `fieldkit doctor` to head office."),
            detail="\n".join(f"{check.id}: {check.message} {check.detail}".strip() for check in failed),
        )
    return judged


async def _kept(
    visits: Visits,
    visit: Visit,
    content: RecordContent,
    rendered: Rendered,
    pdf: bytes,
    judged: VerifiedRecord | None,
    out: Path | None,
    operator: Operator,
) -> Record:
    """Keep the record in the store first, then write its files; told as findings on the way."""
    store = visits.store
    kept = store.attach(pdf, f"{content.name}.pdf", finishing=True)
    data = store.attach(rendered.json, f"{content.name}.json", finishing=True)
    visits.recorded(
        visit.id,
        {
            "name": content.name,
            "pdf": kept.sha256,
            "json": data.sha256,
            "signed": judged is not None,
            "replaces": content.replaces,
            "signoff": content.visit.signoff_head,
        },
        kept.sha256,
    )
    operator.progress(Progress(M("Writing the files of {name}", name=content.name), 3, 4))
    folder = out or _folder(visits, visit)
    originals: dict[str, bytes] = {"pdf": pdf, "json": rendered.json}
    paths = {kind: folder / f"{content.name}.{kind}" for kind in FORMATS}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, format in FORMATS.items():
            if kind not in originals:
                originals[kind] = await asyncio.to_thread(format.write, content)
            with document.written(paths[kind], overwrite=True) as file:
                file.write(originals[kind])
    except (OSError, OutputNotWritten) as error:
        raise RecordNotWritten(
            M(
                "The record is made and kept; its files cannot be written to {folder}.",
                folder=str(folder),
            ),
            unchanged=M("The visit is finished; nothing has to be done again."),
            hint=M("Free some space or choose another folder, then use `fieldkit record export`."),
            detail=str(error),
        ) from None
    operator.progress(Progress(M("The record is kept: {name}", name=content.name), 4, 4))
    checks = judged.checks if judged is not None else ()
    for check in checks:
        operator.show_finding(check)
    return Record(
        visit=visit.id,
        name=content.name,
        pdf=paths["pdf"],
        json=paths["json"],
        tables=(paths["xlsx"], paths["csv"]),
        sha256=kept.sha256,
        signed=judged is not None,
        verdict=judged.verdict if judged is not None else "indeterminate",
        checks=checks,
    )
