"""`fieldkit sign`: sign PDFs with a token, one or a folder with one PIN; show where the stamp goes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from fieldkit import errors
from fieldkit.cli.frame import Call, Reply, option, verb
from fieldkit.cli.sign_preview import show_draft, show_signed, show_stamps
from fieldkit.profile.rules import StampKind
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.action.sign_documents import StampWish
    from fieldkit.cli.console import Console
    from fieldkit.secret import Secret
    from fieldkit.signature.batch import SigningJob, SigningOutcome, StampSpec
    from fieldkit.signature.sign import Level
    from fieldkit.stamp.place import Place

NOT_SIGNED = M("Nothing was signed.")
LEVELS = ("b-b", "b-t", "b-lt", "b-lta")
STAMPS = (*get_args(StampKind), "none")


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
    from fieldkit.action import sign_documents as action
    from fieldkit.action.trust_material import gather
    from fieldkit.cli.token import access
    from fieldkit.record.countersign import options as record_options
    from fieldkit.signature.batch import SigningOutcome
    from fieldkit.signature.ready import get_ready

    profiles = call.profiles()
    rules = action.rule_set(profiles, given["rules"])
    wish = _stamp_wish(given)
    paths = action.documents(sources)
    if preview:
        return show_stamps(call, paths, action.stamp_of(rules, wish, None))
    if not token or out is None:
        raise errors.Misused(
            M("The option {option} is missing.", option="--out" if token else "--token"),
            unchanged=action.NOT_SIGNED,
        )
    get_ready()
    console = call.console()
    several = len(paths) > 1 or any(source.is_dir() for source in sources)

    async def work() -> tuple[list[SigningOutcome], StampSpec | None, Secret | None]:
        jobs, password = await action.examine(
            console,
            action.jobs_for(paths, out, several=several),
            kind=wish.kind,
            field=given["field"],
            rewrite=given["rewrite"],
        )
        if all(job.problem is not None for job in jobs):
            return [SigningOutcome(job, error=job.problem) for job in jobs], None, None
        material = gather(call.home, profiles, profiles.trusted)
        options = action.SigningOptions(
            certificate=certificate,
            level=level,
            tsa=given["tsa"],
            field=given["field"],
            reason=given["reason"],
            stamp=wish,
            rules=rules,
            insist=given["insist"],
            overwrite=given["replace"] or await _may_replace(call, console, jobs),
            password=password,
            consented=not console.attended,  # a script that gives the PIN has agreed by giving it
        )

        def as_record(holder: bytes) -> dict[str, Any]:
            return record_options(paths, given["field"], holder, material) if given["field"] else {}

        def show(look: StampSpec | None) -> None:
            ready = [job for job in jobs if job.problem is None]
            if look is not None and ready and not call.json:
                show_draft(ready[0], look, password)

        async with access(call) as tokens:
            with _stop_on_interrupt(len(jobs)) as stopped:
                outcomes, look = await action.sign_documents(
                    tokens,
                    token,
                    jobs,
                    options,
                    material,
                    record_options=as_record,
                    shown=show,
                    stopped=lambda: bool(stopped),
                )
        return outcomes, look, password

    outcomes, look, password = asyncio.run(work())
    show_signed(call, outcomes, look, password)
    return _reply(outcomes)


def _stamp_wish(given: Mapping[str, Any]) -> StampWish:
    from fieldkit.action.sign_documents import StampWish

    return StampWish(
        kind=given["stamp"],
        name=given["name"],
        title=given["title"],
        number=given["number"],
        copy_form=given["copy_form"],
        image=given["image"],
        place=_place(given["at"]) if given["at"] else None,
        with_seal=given["with_seal"],
        seal_mm=given["seal_mm"] or 0,
    )


async def _may_replace(call: Call, console: Console, jobs: Sequence[SigningJob]) -> bool:
    """Whether outputs that are there already may be replaced, asked of a person who is there."""
    from fieldkit.action.sign_documents import replacement_plan

    plan = replacement_plan(jobs)
    return plan is not None and not call.yes and console.attended and await console.consent(plan)


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


def _reply(done: Sequence[SigningOutcome]) -> Reply:
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
                if check.severity == "fail" or check.id in ("rewritten", "stamp-place")
            ]
        elif each.error is not None:
            lines.append(
                M("Not signed: {name}. {reason}", name=str(each.job.source), reason=words(each.error))
            )
    shapes = [_shape(signing_outcome) for signing_outcome in done]
    return Reply(
        shapes[0] if len(shapes) == 1 else shapes,
        lines,
        good=all(signing_outcome.signed for signing_outcome in done),
    )


def _shape(signing_outcome: SigningOutcome) -> dict[str, Any]:
    from fieldkit.validation.judgement import check_shape

    if signing_outcome.signed is None:
        return {
            "source": str(signing_outcome.job.source),
            "error": signing_outcome.error.as_dict() if signing_outcome.error else None,
        }
    return {
        "source": str(signing_outcome.job.source),
        "out": signing_outcome.signed.out,
        "field": signing_outcome.signed.field,
        "level": signing_outcome.signed.level,
        "sha256": signing_outcome.signed.sha256,
        "checks": [check_shape(check) for check in signing_outcome.signed.checks],
    }
