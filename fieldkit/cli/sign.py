"""`fieldkit sign`: sign PDFs with a token, one or many with one PIN."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fieldkit import errors
from fieldkit.cli.frame import Call, Reply, option, verb
from fieldkit.operator import Plan
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.procedure.material import Material
    from fieldkit.profile.model import Profiles
    from fieldkit.signature.batch import Job, Look, Outcome
    from fieldkit.signature.place import Place
    from fieldkit.signature.sign import Level
    from fieldkit.token.model import Token

LEVELS = ("b-b", "b-t", "b-lt", "b-lta")
STAMPS = ("person", "agency", "attachment", "none")


@verb("sign", M("Sign PDFs with a token; the sources stay as they are."), secrets=("pin",), modules=True)
@click.argument("sources", metavar="IN.pdf...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--token", required=True, said=M("The token: its URI, label or serial number."))
@option("--certificate", default="", said=M("Which certificate on it: CKA_ID, label or SHA-256."))
@option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    said=M("The signed file; a folder where several are signed."),
)
@option("--level", type=click.Choice(LEVELS), default="b-b", said=M("The PAdES level."))
@option("--stamp", type=click.Choice(STAMPS), default="none", said=M("What the signature shows."))
@option("--tsa", default="", said=M("The address of the timestamp authority; the profile's unless given."))
@option("--field", default="", said=M("The signature field; a new one unless given."))
@option("--reason", default="", said=M("The reason that stands in the signature."))
@option("--image", type=click.Path(path_type=Path), said=M("The picture of the signature or seal, a PNG."))
@option("--name", default="", said=M("The signer's name as it stands on the page."))
@option("--title", default="", said=M("The signer's title as it stands on the page."))
@option("--number", default="", said=M("The document's number and sign, for an attachment."))
@option("--at", default="", said=M("Where the stamp goes: PAGE,LEFT,BOTTOM,RIGHT,TOP; points, pages from 1."))
@option("--replace", is_flag=True, said=M("Replace the output if it is there."))
@option("--insist", is_flag=True, said=M("Sign although the certificate's dates or usage forbid it."))
def sign(
    call: Call, sources: tuple[Path, ...], token: str, certificate: str, out: Path, level: Level, **given: Any
) -> Reply:
    from fieldkit.cli.token import agents, ask_pin, last_try
    from fieldkit.signature.batch import sign_each
    from fieldkit.signature.preflight import preflight
    from fieldkit.signature.trust import chain_of

    profiles = call.profiles()
    jobs = _jobs(sources, out)
    looked = [preflight(source) for source in sources]
    if len(jobs) == 1 and looked[0].problem is not None:
        raise looked[0].problem
    known = material(call, profiles)
    tsa = given["tsa"] or (None if level == "b-b" else _tsa(profiles))
    with agents(call) as running:
        found = running.find(token)
        with running.session(found) as session:  # its certificate first: no PIN goes to a wrong token
            chosen = session.certificate(certificate)
            issuers = [each.der for each in session.certificates() if each.der != chosen.der]
        look = _look(profiles, chosen.der, **given)
        _consent(call, found, jobs)
        confirmed = last_try(call, found)
        with (
            ask_pin(call, found) as pin,
            running.session(found, pin, confirmed_last_try=confirmed) as session,
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
                level=level,
                tsa=tsa,
                field=given["field"],
                reason=given["reason"],
                anchors=known.anchors,
                crls=known.crls,
                overwrite=given["replace"],
                insist=given["insist"],
            )
    return _reply(done)


def material(call: Call, profiles: Profiles) -> Material:
    """Anchors, issuing authorities and revocation lists of all profiles, as far as they are here."""
    from fieldkit.procedure.material import gather

    return gather(call.home, profiles, profiles.authorities)


def _jobs(sources: Sequence[Path], out: Path) -> list[Job]:
    """Each source with its output: `out` itself for one, files of the same names in `out` for several."""
    from fieldkit.signature.batch import Job

    if len(sources) == 1 and not out.is_dir():
        return [Job(sources[0], out)]
    if len({source.name for source in sources}) < len(sources):
        raise errors.Misused(
            M("Two of the files have the same name."),
            unchanged=M("Nothing was signed."),
            hint=M("Sign them in two runs, into two folders."),
        )
    out.mkdir(parents=True, exist_ok=True)
    return [Job(source, out / source.name) for source in sources]


def _look(profiles: Profiles, certificate: bytes, stamp: str, **given: Any) -> Look | None:
    """How the stamp is drawn, by the rules in force today."""
    from fieldkit.signature.batch import Look
    from fieldkit.signature.trust import certificates

    if stamp == "none":
        return None
    rules = profiles.rules_at(datetime.date.today())
    rule = rules.stamp(stamp) if rules is not None else None
    if rule is None:
        raise errors.Missing(
            M("No rules for this stamp are in force today."),
            unchanged=M("Nothing was signed."),
            hint=M("Sign without a stamp, or add a rule set to the profiles."),
        )
    (held,) = certificates((certificate,))
    name = given["name"] or str(held.subject.native.get("common_name", ""))
    return Look(
        rule,
        name=name,
        title=given["title"],
        number=given["number"],
        image=given["image"],
        place=_place(given["at"]) if given["at"] else None,
    )


def _place(text: str) -> Place:
    from fieldkit.signature.place import Place

    try:
        page, left, bottom, right, top = (int(part) for part in text.split(","))
    except ValueError:
        page = left = bottom = right = top = 0
    if page < 1 or right <= left or top <= bottom:
        raise errors.Misused(
            M("--at needs five whole numbers: PAGE,LEFT,BOTTOM,RIGHT,TOP."),
            unchanged=M("Nothing was signed."),
        )
    return Place(page - 1, (left, bottom, right, top))


def _tsa(profiles: Profiles) -> str | None:
    """The first timestamp authority that a profile names."""
    return next((each.url for one in profiles.authorities.values() for each in one.tsa if each.url), None)


def _consent(call: Call, found: Token, jobs: Sequence[Job]) -> None:
    """Ask a person who is there; a script that gives the PIN has agreed by giving it."""
    console = call.console()
    if not console.attended:
        return
    plan = Plan(
        title=M("Sign {count} document(s) with the token {token}", count=len(jobs), token=found.name),
        steps=tuple(M("{source} → {out}", source=str(job.source), out=str(job.out)) for job in jobs),
        keeps=M("The documents themselves are not changed."),
    )
    if not asyncio.run(console.consent(plan)):
        raise errors.NotConsented(
            M("Nothing was signed: not agreed to."), unchanged=M("Nothing was changed.")
        )


def _reply(done: Sequence[Outcome]) -> Reply:
    if len(done) == 1 and done[0].error is not None:
        raise done[0].error
    lines: list[str | Said] = []
    for each in done:
        if each.signed is not None:
            lines.append(M("Signed: {name}", name=each.signed.out))
        elif each.error is not None:
            lines.append(M("Not signed: {name}. {reason}", name=str(each.job.source), reason=str(each.error)))
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
