"""`fieldkit sign`: sign PDFs with a token, one or a folder with one PIN; show where the stamp goes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, get_args

import click

from fieldkit import errors
from fieldkit.cli import completion, options
from fieldkit.cli.frame import Call, Reply, option, verb
from fieldkit.cli.options import FILE
from fieldkit.cli.output import Data, data
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


class SignOptions(TypedDict):
    """How to sign, and what the signature shows, as the options say it."""

    tsa: str
    field: str
    with_seal: bool
    reason: str
    image: Path | None
    name: str
    title: str
    number: str
    copy_form: str
    seal_mm: int | None
    rules: str
    at: str
    stamp: StampKind | Literal["none"]
    rewrite: bool
    replace: bool
    insist: bool


@verb(
    "sign",
    M("Sign PDFs with a token; the sources stay as they are."),
    secrets=("pin", "password"),
    modules=True,
)
@click.argument("sources", metavar="IN.pdf...", nargs=-1, required=True, type=FILE)
@option(
    "--token",
    default="",
    shell_complete=completion.tokens,
    help=M("The token: its URI, label or serial number."),
)
@options.certificate
@option("--out", type=FILE, help=M("The signed file; a folder where several are signed."))
@option("--level", type=click.Choice(LEVELS), default="b-b", help=M("The PAdES level."))
@option("--stamp", type=click.Choice(STAMPS), default="none", help=M("What the signature shows."))
@option("--tsa", default="", help=M("The address of the timestamp authority; the profile's unless given."))
@option("--field", default="", help=M("The signature field; a new one unless given."))
@option("--with-seal", is_flag=True, help=M("Make the empty field for the agency's seal as well."))
@option("--reason", default="", help=M("The reason that stands in the signature."))
@option("--image", type=FILE, help=M("The picture of the signature or seal, a PNG."))
@option("--name", default="", help=M("The signer's name as it stands on the page."))
@option("--title", default="", help=M("The signer's title as it stands on the page."))
@option("--number", default="", help=M("The document's number and sign, for an attachment."))
@option("--copy-form", default="", help=M("The form of the copy, for a copy: SAO Y, SAO LỤC, TRÍCH SAO."))
@option("--seal-mm", type=click.IntRange(10, 80), help=M("The seal's actual size in millimetres."))
@option("--rules", default="", help=M("The rule set for the stamp; the one in force today unless given."))
@option("--at", default="", help=M("Where the stamp goes: PAGE,LEFT,BOTTOM,RIGHT,TOP; points, pages from 1."))
@option("--preview", is_flag=True, help=M("Show the page with its stamp, and sign nothing."))
@option("--rewrite", is_flag=True, help=M("Agree to have a file rewritten that can be signed only then."))
@options.replace
@option("--insist", is_flag=True, help=M("Sign although the certificate's dates or usage forbid it."))
def sign(
    call: Call,
    sources: tuple[Path, ...],
    token: str,
    certificate: str,
    out: Path | None,
    level: Level,
    preview: bool,
    **chosen: Unpack[SignOptions],
) -> Reply:
    from fieldkit.action import sign_documents as action
    from fieldkit.record.countersign import options as record_options
    from fieldkit.signature.batch import SigningOutcome
    from fieldkit.signature.ready import get_ready

    rules = action.rule_set(call.profiles(), chosen["rules"])
    wish = _stamp_wish(chosen)
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
            field=chosen["field"],
            rewrite=chosen["rewrite"],
        )
        if all(job.problem is not None for job in jobs):
            return [SigningOutcome(job, error=job.problem) for job in jobs], None, None
        material = call.trusted()
        signing = action.SigningOptions(
            certificate=certificate,
            level=level,
            tsa=chosen["tsa"],
            field=chosen["field"],
            reason=chosen["reason"],
            stamp=wish,
            rules=rules,
            insist=chosen["insist"],
            overwrite=chosen["replace"] or await _may_replace(call, console, jobs),
            password=password,
            consented=not console.attended,  # a script that gives the PIN has agreed by giving it
        )

        def as_record(holder: bytes) -> dict[str, Any]:
            return record_options(paths, chosen["field"], holder, material) if chosen["field"] else {}

        def show(stamp: StampSpec | None) -> None:
            ready = [job for job in jobs if job.problem is None]
            if stamp is not None and ready and not call.json:
                show_draft(ready[0], stamp, password)

        async with call.tokens() as tokens:
            with _stop_on_interrupt(len(jobs)) as stopped:
                outcomes, stamp = await action.sign_documents(
                    tokens,
                    token,
                    jobs,
                    signing,
                    material,
                    record_options=as_record,
                    shown=show,
                    stopped=lambda: bool(stopped),
                )
        return outcomes, stamp, password

    outcomes, stamp, password = asyncio.run(work())
    show_signed(call, outcomes, stamp, password)
    return _reply(outcomes)


def _stamp_wish(options: SignOptions) -> StampWish:
    from fieldkit.action.sign_documents import StampWish

    return StampWish(
        kind=options["stamp"],
        name=options["name"],
        title=options["title"],
        number=options["number"],
        copy_form=options["copy_form"],
        image=options["image"],
        place=_place(options["at"]) if options["at"] else None,
        with_seal=options["with_seal"],
        seal_mm=options["seal_mm"] or 0,
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

    def interrupted(number: int, frame: FrameType | None) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(number)
        sys.stderr.write(str(M("Stopping after this document; once more to break off.")) + "\n")

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _reply(outcomes: Sequence[SigningOutcome]) -> Reply:
    from fieldkit.pdf.boundary import words

    if len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    lines: list[str | Said] = []
    for outcome in outcomes:
        if outcome.signed is not None:
            lines.append(M("Signed: {name}", name=outcome.signed.out))
            lines += [
                f"    {check.message}"
                for check in outcome.signed.checks
                if check.severity == "fail" or check.id in ("rewritten", "stamp-place")
            ]
        elif outcome.error is not None:
            lines.append(
                M("Not signed: {name}. {reason}", name=str(outcome.job.source), reason=words(outcome.error))
            )
    results = [_result(outcome) for outcome in outcomes]
    return Reply(
        results[0] if len(results) == 1 else results,
        lines,
        good=all(outcome.signed for outcome in outcomes),
    )


def _result(outcome: SigningOutcome) -> Data:
    from fieldkit.validation.judgement import check_shape

    source: Data = {"source": outcome.job.source}
    if outcome.signed is None:
        return source | {"error": outcome.error.as_dict() if outcome.error else None}
    checks = [check_shape(check) for check in outcome.signed.checks]
    return source | data(outcome.signed, "checks") | {"checks": checks}
