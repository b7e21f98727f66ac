"""`fieldkit sign`: sign PDFs with a token, one or a folder with one PIN; show where the stamp goes."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from fieldkit import errors
from fieldkit.cli.frame import Call, Reply, option, verb
from fieldkit.cli.sign_documents import NOT_SIGNED, jobs_for, looked_at, may_replace, pdfs
from fieldkit.cli.sign_preview import show_draft, show_signed, show_stamps
from fieldkit.operator import Plan
from fieldkit.text import M, Message, Said

if TYPE_CHECKING:
    from fieldkit.procedure.material import Material
    from fieldkit.profile.model import Profiles
    from fieldkit.profile.rules import RuleSet
    from fieldkit.secret import Secret
    from fieldkit.signature.batch import Job, Look, Outcome
    from fieldkit.signature.sign import Level
    from fieldkit.stamp.place import Place
    from fieldkit.token.model import Token

LEVELS = ("b-b", "b-t", "b-lt", "b-lta")
STAMPS = ("person", "agency", "attachment", "copy", "none")


@verb(
    "sign",
    M("Sign PDFs with a token; the sources stay as they are."),
    secrets=("pin", "password"),
    modules=True,
)
@click.argument("sources", metavar="IN.pdf...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--token", default="", said=M("The token: its URI, label or serial number."))
@option("--certificate", default="", said=M("Which certificate on it: CKA_ID, label or SHA-256."))
@option(
    "--out", type=click.Path(path_type=Path), said=M("The signed file; a folder where several are signed.")
)
@option("--level", type=click.Choice(LEVELS), default="b-b", said=M("The PAdES level."))
@option("--stamp", type=click.Choice(STAMPS), default="none", said=M("What the signature shows."))
@option("--tsa", default="", said=M("The address of the timestamp authority; the profile's unless given."))
@option("--field", default="", said=M("The signature field; a new one unless given."))
@option("--with-seal", is_flag=True, said=M("Make the empty field for the agency's seal as well."))
@option("--reason", default="", said=M("The reason that stands in the signature."))
@option("--image", type=click.Path(path_type=Path), said=M("The picture of the signature or seal, a PNG."))
@option("--name", default="", said=M("The signer's name as it stands on the page."))
@option("--title", default="", said=M("The signer's title as it stands on the page."))
@option("--number", default="", said=M("The document's number and sign, for an attachment."))
@option("--copy-form", default="", said=M("The form of the copy, for a copy: SAO Y, SAO LỤC, TRÍCH SAO."))
@option("--seal-mm", type=click.IntRange(10, 80), said=M("The seal's actual size in millimetres."))
@option("--rules", default="", said=M("The rule set for the stamp; the one in force today unless given."))
@option("--at", default="", said=M("Where the stamp goes: PAGE,LEFT,BOTTOM,RIGHT,TOP; points, pages from 1."))
@option("--preview", is_flag=True, said=M("Show the page with its stamp, and sign nothing."))
@option("--rewrite", is_flag=True, said=M("Agree to have a file rewritten that can be signed only then."))
@option("--replace", is_flag=True, said=M("Replace the output if it is there."))
@option("--insist", is_flag=True, said=M("Sign although the certificate's dates or usage forbid it."))
def sign(
    call: Call,
    sources: tuple[Path, ...],
    token: str,
    certificate: str,
    out: Path | None,
    level: Level,
    preview: bool,
    **given: Any,
) -> Reply:
    from fieldkit.signature.batch import Outcome, sign_each
    from fieldkit.signature.ready import get_ready

    profiles = call.profiles()
    rules = _rules(profiles, given.pop("rules"))
    found = pdfs(sources)
    if preview:
        return show_stamps(call, found, _look(rules, None, **given))
    if not token or out is None:
        raise errors.Misused(
            M("The option {option} is missing.", option="--out" if token else "--token"), unchanged=NOT_SIGNED
        )
    get_ready()
    jobs = jobs_for(found, out, several=len(found) > 1 or any(source.is_dir() for source in sources))
    jobs, password = looked_at(call, jobs, **given)
    if all(job.problem is not None for job in jobs):
        return _reply([Outcome(job, error=job.problem) for job in jobs])
    known = material(call, profiles)
    tsa = given["tsa"] or (None if level == "b-b" else _tsa(profiles))
    from fieldkit.cli.token import agents, ask_pin, last_try
    from fieldkit.validation.trust import chain_of

    with agents(call) as running:
        held = running.find(token)
        with running.session(held) as session:  # its certificate first: no PIN goes to a wrong token
            chosen = session.certificate(certificate)
            issuers = [each.der for each in session.certificates() if each.der != chosen.der]
        look = _look(rules, chosen.der, **given)
        stated = {"reason": given["reason"]}
        if given["field"]:
            from fieldkit.record.countersign import options

            as_record = options(found, given["field"], chosen.der, known)
            stated |= as_record
            look = None if as_record else look
        _fit_to_sign(chosen.der, known, rules if given["insist"] else None)
        overwrite = may_replace(call, jobs, given["replace"])
        _consent(call, held, jobs, look, password)
        confirmed = last_try(call, held)
        with (
            ask_pin(call, held) as pin,
            running.session(held, pin, confirmed_last_try=confirmed) as session,
            _stop_on_interrupt(len(jobs)) as stopped,
        ):
            signer = session.signer(
                session.certificate(chosen.sha256),
                chain_of(chosen.der, (*issuers, *known.others, *known.anchors)),
            )
            done = sign_each(
                jobs,
                signer,
                look=look,
                progress=None if len(jobs) == 1 else call.console().progress,
                stopped=lambda: bool(stopped),
                level=level,
                tsa=tsa,
                field=given["field"],
                anchors=known.anchors,
                crls=known.crls,
                purposes=known.purposes,
                password=password,
                overwrite=overwrite,
                insist=rules.insist if given["insist"] and rules is not None else (),
                **stated,
            )
    show_signed(call, done, look, password)
    return _reply(done)


def material(call: Call, profiles: Profiles) -> Material:
    """Anchors, issuing authorities and revocation lists of all profiles in force, as far as they are here."""
    from fieldkit.procedure.material import gather

    return gather(call.home, profiles, profiles.trusted)


def _rules(profiles: Profiles, wanted: str) -> RuleSet | None:
    """The rule set named, or the one in force today."""
    if not wanted:
        return profiles.rules_at(datetime.date.today())
    if wanted not in profiles.rules:
        raise errors.Misused(
            M(
                "There is no rule set {name}. There are: {names}.",
                name=wanted,
                names=", ".join(profiles.rules),
            ),
            unchanged=NOT_SIGNED,
        )
    return profiles.rules[wanted]


def _look(rules: RuleSet | None, certificate: bytes | None, stamp: str, **given: Any) -> Look | None:
    """How the stamp is drawn, by the rule set. certificate: its holder is the signer unless one is named."""
    from fieldkit.signature.batch import Look
    from fieldkit.validation.trust import certificates

    if stamp == "none":
        return None
    rule = rules.stamp(stamp) if rules is not None else None
    if rule is None:
        raise errors.Missing(
            M("No rules for this stamp are in force today."),
            unchanged=NOT_SIGNED,
            hint=M("Sign without a stamp, or add a rule set to the profiles."),
        )
    assert rules is not None
    seal = rules.stamp("agency") if given["with_seal"] and stamp == "person" else None
    if given["seal_mm"]:
        rule = msgspec.structs.replace(rule, size_mm=given["seal_mm"]) if stamp == "agency" else rule
        seal = msgspec.structs.replace(seal, size_mm=given["seal_mm"]) if seal is not None else None
    name = given["name"]
    if not name and certificate is not None:
        (held,) = certificates((certificate,))
        name = str(held.subject.native.get("common_name", ""))
    return Look(
        rule,
        name=name,
        title=given["title"],
        number=given["number"],
        copy_form=given["copy_form"],
        image=given["image"],
        place=_place(given["at"]) if given["at"] else None,
        seal=seal,
    )


def _place(text: str) -> Place:
    from fieldkit.stamp.place import Place

    try:
        page, left, bottom, right, top = (int(part) for part in text.split(","))
    except ValueError:
        raise errors.Misused(
            M("--at needs five whole numbers: PAGE,LEFT,BOTTOM,RIGHT,TOP."), unchanged=NOT_SIGNED
        ) from None
    if page < 1:
        raise errors.Misused(M("--at counts pages from 1."), unchanged=NOT_SIGNED)
    if right <= left or top <= bottom:
        raise errors.Misused(
            M("--at has its numbers in another order: LEFT is less than RIGHT, and BOTTOM less than TOP."),
            unchanged=NOT_SIGNED,
            hint=M("They are measured from the page's lower left corner: PAGE,LEFT,BOTTOM,RIGHT,TOP."),
        )
    return Place(page - 1, (left, bottom, right, top))


def _fit_to_sign(certificate: bytes, known: Material, insisted: RuleSet | None) -> None:
    """Refuse a certificate that may not sign before the PIN is asked for. insisted: the rules that let it.

    :raises Refused: it is expired, not yet valid, revoked, or not meant for signatures.
    """
    from fieldkit.signature.sign import may_sign
    from fieldkit.validation.trust import trust

    believed = trust(known.anchors, (certificate, *known.others), known.crls)
    may_sign(
        certificate, believed, insist=insisted.insist if insisted is not None else (), purposes=known.purposes
    )


def _tsa(profiles: Profiles) -> str | None:
    """The first timestamp authority that a profile names."""
    return next((each.url for one in profiles.authorities.values() for each in one.tsa if each.url), None)


def _consent(
    call: Call, found: Token, jobs: Sequence[Job], look: Look | None, password: Secret | None
) -> None:
    """Ask a person who is there; a script that gives the PIN has agreed by giving it."""
    console = call.console()
    if not console.attended:
        return
    ready = [job for job in jobs if job.problem is None]
    if look is not None and ready and not call.json:
        show_draft(ready[0], look, password)
    plan = Plan(
        title=M("Sign {count} document(s) with the token {token}", count=len(ready), token=found.name),
        steps=tuple(_step(job) for job in jobs),
        keeps=M("The documents themselves are not changed."),
    )
    if not asyncio.run(console.consent(plan)):
        raise errors.NotConsented(
            M("Nothing was signed: not agreed to."), unchanged=M("Nothing was changed.")
        )


def _step(job: Job) -> Message:
    from fieldkit.pdf.boundary import words

    if job.problem is None:
        return M("{source} → {out}", source=str(job.source), out=str(job.out))
    return M("{source} cannot be signed: {reason}", source=str(job.source), reason=words(job.problem))


@contextlib.contextmanager
def _stop_on_interrupt(count: int) -> Iterator[list[int]]:
    """While many are signed, Ctrl-C lets the one at hand be finished; a second one breaks off."""
    stopped: list[int] = []
    if count == 1:
        yield stopped
        return

    def interrupted(number: int, frame: Any) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(number)
        sys.stderr.write(str(M("Stopping after this document; once more to break off.")) + "\n")

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _reply(done: Sequence[Outcome]) -> Reply:
    from fieldkit.pdf.boundary import words

    if len(done) == 1 and done[0].error is not None:
        raise done[0].error
    lines: list[str | Said] = []
    for each in done:
        if each.signed is not None:
            lines.append(M("Signed: {name}", name=each.signed.out))
            lines += [
                f"    {check.message}"
                for check in each.signed.checks
                if check.verdict == "fail" or check.id in ("rewritten", "stamp-place")
            ]
        elif each.error is not None:
            lines.append(
                M("Not signed: {name}. {reason}", name=str(each.job.source), reason=words(each.error))
            )
    shapes = [_shape(each) for each in done]
    return Reply(shapes[0] if len(shapes) == 1 else shapes, lines, good=all(each.signed for each in done))


def _shape(each: Outcome) -> dict[str, Any]:
    from fieldkit.validation.judgement import check_shape

    if each.signed is None:
        return {"source": str(each.job.source), "error": each.error.as_dict() if each.error else None}
    return {
        "source": str(each.job.source),
        "out": each.signed.out,
        "field": each.signed.field,
        "level": each.signed.level,
        "sha256": each.signed.sha256,
        "checks": [check_shape(check) for check in each.signed.checks],
    }
