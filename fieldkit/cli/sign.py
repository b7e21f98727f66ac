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
from fieldkit.operator import Plan, SecretRequest
from fieldkit.text import M, Message, Said

if TYPE_CHECKING:
    from fieldkit.procedure.material import Material
    from fieldkit.profile.model import Profiles
    from fieldkit.profile.rules import RuleSet
    from fieldkit.secret import Secret
    from fieldkit.signature.batch import Job, Look, Outcome
    from fieldkit.signature.place import Place
    from fieldkit.signature.preflight import Preflight
    from fieldkit.signature.sign import Level
    from fieldkit.token.model import Token

LEVELS = ("b-b", "b-t", "b-lt", "b-lta")
STAMPS = ("person", "agency", "attachment", "copy", "none")
NOT_SIGNED = M("Nothing was signed.")


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
    found = _pdfs(sources)
    if preview:
        return _preview(call, found, _look(rules, None, **given))
    if not token or out is None:
        raise errors.Misused(
            M("The option {option} is missing.", option="--out" if token else "--token"), unchanged=NOT_SIGNED
        )
    get_ready()
    jobs = _jobs(found, out, several=len(found) > 1 or any(source.is_dir() for source in sources))
    jobs, password = _preflight(call, jobs, **given)
    if all(job.problem is not None for job in jobs):
        return _reply([Outcome(job, error=job.problem) for job in jobs])
    known = material(call, profiles)
    tsa = given["tsa"] or (None if level == "b-b" else _tsa(profiles))
    from fieldkit.cli.token import agents, ask_pin, last_try
    from fieldkit.signature.trust import chain_of

    with agents(call) as running:
        held = running.find(token)
        with running.session(held) as session:  # its certificate first: no PIN goes to a wrong token
            chosen = session.certificate(certificate)
            issuers = [each.der for each in session.certificates() if each.der != chosen.der]
        look = _look(rules, chosen.der, **given)
        _fit_to_sign(chosen.der, known, rules if given["insist"] else None)
        overwrite = _replace(call, jobs, given["replace"])
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
                reason=given["reason"],
                anchors=known.anchors,
                crls=known.crls,
                password=password,
                overwrite=overwrite,
                insist=rules.insist if given["insist"] and rules is not None else (),
            )
    _show_signed(call, done, look, password)
    return _reply(done)


def material(call: Call, profiles: Profiles) -> Material:
    """Anchors, issuing authorities and revocation lists of all profiles, as far as they are here."""
    from fieldkit.procedure.material import gather

    return gather(call.home, profiles, profiles.authorities)


def _pdfs(sources: Sequence[Path]) -> list[Path]:
    """The documents: those named, and in place of a folder those in it by name.

    :raises Missing: a folder holds none.
    """
    found: list[Path] = []
    for source in sources:
        if not source.is_dir():
            found.append(source)
            continue
        inside = sorted(
            each
            for each in source.iterdir()
            if each.suffix.lower() == ".pdf" and not each.name.startswith(".")
        )
        if not inside:
            raise errors.Missing(
                M("There is no PDF in the folder {folder}.", folder=str(source)), unchanged=NOT_SIGNED
            )
        found += inside
    return found


def _jobs(sources: Sequence[Path], out: Path, *, several: bool) -> list[Job]:
    """Each source with its output: `out` itself for one, files of the same names in `out` for several."""
    from fieldkit.signature.batch import Job

    if not several and not out.is_dir():
        return [Job(sources[0], out)]
    if len({source.name for source in sources}) < len(sources):
        raise errors.Misused(
            M("Two of the files have the same name."),
            unchanged=NOT_SIGNED,
            hint=M("Sign them in two runs, into two folders."),
        )
    out.mkdir(parents=True, exist_ok=True)
    return [Job(source, out / source.name) for source in sources]


def _preflight(call: Call, jobs: Sequence[Job], **given: Any) -> tuple[list[Job], Secret | None]:
    """The jobs with what keeps each from being signed, told before a PIN is asked for; and the password."""
    from fieldkit.signature.errors import DocumentEncrypted
    from fieldkit.signature.preflight import preflight

    kind = given["stamp"]

    def look(job: Job, password: Secret | None) -> Preflight:
        return preflight(job.source, password=password, field=given["field"], kind=kind)

    looked = [look(job, None) for job in jobs]
    locked = [at for at, each in enumerate(looked) if isinstance(each.problem, DocumentEncrypted)]
    password = _password(call, jobs[locked[0]].source) if locked else None
    for at in locked if password is not None else ():
        looked[at] = look(jobs[at], password)
    rewrites = [at for at, each in enumerate(looked) if each.verdict == "rewrite"]
    agreed = bool(rewrites) and _rewrite(call, [jobs[at].source for at in rewrites], given["rewrite"])
    made = []
    for at, (job, found) in enumerate(zip(jobs, looked, strict=True)):
        rewrite = agreed and at in rewrites
        made.append(msgspec.structs.replace(job, rewrite=rewrite, problem=None if rewrite else found.problem))
        if not call.json:
            for finding in found.findings:
                if finding.severity == "warning":
                    call.console().say(finding)
    return made, password


def _password(call: Call, source: Path) -> Secret | None:
    """The password of an encrypted document, from the person or the file given; None if nobody gives one."""
    from fieldkit.cli.console import SecretMissing

    title = M("Password of the document {name}", name=source.name)
    try:
        return asyncio.run(call.console().secret(SecretRequest(role="password", title=title)))
    except SecretMissing:
        return None


def _rewrite(call: Call, sources: Sequence[Path], agreed: bool) -> bool:
    """Whether the person agrees that qpdf rewrites copies of these, which can be signed only then."""
    console = call.console()
    if not agreed and not call.yes and not console.attended:
        return False
    plan = Plan(
        title=M("Rewrite {count} document(s) with qpdf, which can be signed only then", count=len(sources)),
        steps=tuple(
            M("A copy of {name} is written anew, then signed", name=source.name) for source in sources
        ),
        keeps=M("What the pages show stays the same, and the documents themselves are not changed."),
    )
    if agreed:
        from fieldkit.cli.console import Console

        console = Console(yes=True, secret_files={})
    return asyncio.run(console.consent(plan))


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
    from fieldkit.signature.trust import certificates

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
    from fieldkit.signature.place import Place

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
    from fieldkit.signature.trust import trust

    believed = trust(known.anchors, (certificate, *known.others), known.crls)
    may_sign(certificate, believed, insist=insisted.insist if insisted is not None else ())


def _tsa(profiles: Profiles) -> str | None:
    """The first timestamp authority that a profile names."""
    return next((each.url for one in profiles.authorities.values() for each in one.tsa if each.url), None)


def _replace(call: Call, jobs: Sequence[Job], agreed: bool) -> bool:
    """Whether outputs that are there already may be replaced: said by option, or asked of who is there."""
    there = [job.out for job in jobs if job.out.exists() and job.problem is None]
    if agreed or not there or call.yes or not call.console().attended:
        return agreed
    plan = Plan(
        title=M("Replace {count} file(s) that are there already", count=len(there)),
        steps=tuple(M("{name} is replaced by the signed document", name=str(path)) for path in there),
    )
    return asyncio.run(call.console().consent(plan))


def _consent(
    call: Call, found: Token, jobs: Sequence[Job], look: Look | None, password: Secret | None
) -> None:
    """Ask a person who is there; a script that gives the PIN has agreed by giving it."""
    console = call.console()
    if not console.attended:
        return
    ready = [job for job in jobs if job.problem is None]
    if look is not None and ready and not call.json:
        with contextlib.suppress(errors.Missing):  # without pdftoppm there is no picture of it
            _show_draft(ready[0], look, password)
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
    from fieldkit.signature.boundary import words

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


def _preview(call: Call, sources: Sequence[Path], look: Look | None) -> Reply:
    """Show each document's page with its stamp, and where that is; nothing is signed."""
    from fieldkit.cli import show
    from fieldkit.signature import preview

    if look is None:
        raise errors.Misused(
            M("There is no stamp to show."), unchanged=NOT_SIGNED, hint=M("Say which with --stamp.")
        )
    shapes, lines = [], []
    for source in sources:
        password = None
        if _encrypted(source):
            password = _password(call, source)
        draft = preview.draft(source, look, password=password)
        if not call.json:
            easel = preview.Easel(source, look, password=password)
            show.show(lambda width, height, e=easel, d=draft: e.pixels(d, width, height))  # type: ignore[misc]
        lines += [draft.words(), M("The same by option: --at {place}", place=draft.option)]
        if not draft.found:
            lines.append(M("The name {name} was not found on any page.", name=look.name))
        shapes.append(
            {
                "source": str(source),
                "page": draft.place.page + 1,
                "pages": len(draft.pages),
                "box": list(draft.place.box),
                "at": draft.option,
                "found": draft.found,
            }
        )
    return Reply(shapes[0] if len(shapes) == 1 else shapes, lines)


def _encrypted(source: Path) -> bool:
    from fieldkit.signature.errors import DocumentEncrypted
    from fieldkit.signature.preflight import preflight

    return isinstance(preflight(source).problem, DocumentEncrypted)


def _show_draft(job: Job, look: Look, password: Secret | None) -> None:
    from fieldkit.cli import show
    from fieldkit.signature import preview

    draft = preview.draft(job.source, look, password=password)
    easel = preview.Easel(job.source, look, password=password)
    show.show(lambda width, height: easel.pixels(draft, width, height), sys.stderr, pictures=False)
    sys.stderr.write(f"{draft.words()}\n")


def _show_signed(call: Call, done: Sequence[Outcome], look: Look | None, password: Secret | None) -> None:
    """The signed page, as viewers will show it, for a person who saw it before."""
    from fieldkit.cli import show
    from fieldkit.signature import permission, preview

    signed = next((each.signed for each in done if each.signed is not None), None)
    if look is None or signed is None or call.json or not call.console().attended:
        return
    with contextlib.suppress(errors.FieldkitError):  # it is signed; a picture of it is a comfort
        path = Path(signed.out)
        place = permission.place_of(path, signed.field, password)
        if place is not None:
            show.show(
                lambda width, height: preview.signed(path, place, width, height, password=password),
                sys.stderr,
                pictures=False,
            )


def _reply(done: Sequence[Outcome]) -> Reply:
    from fieldkit.signature.boundary import words

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
    from fieldkit.signature.judgement import check_shape

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
