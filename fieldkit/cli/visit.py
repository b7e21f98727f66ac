"""`fieldkit visit`: start, list, show, answer, attach, run, finish and amend visits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fieldkit.cli import completion
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.options import FILE
from fieldkit.cli.output import Data, data, fields, unreadable_lines
from fieldkit.errors import Misused
from fieldkit.finding import Finding
from fieldkit.text import M, Said
from fieldkit.text_output import STATUSES, SYMBOLS
from fieldkit.visit.answer_file import read_answers
from fieldkit.visit.model import CHANGED, STATES, UnreadableVisit, Visit
from fieldkit.visit.summary import VisitSummary, summary_of

if TYPE_CHECKING:
    from fieldkit.visit.visits import Visits

visit = noun("visit", M("Start a visit, answer its checklist, finish it."))
person = option(
    "--who", default="", help=M("The technician's name; the one of `fieldkit setup` unless given.")
)


def data_of(visit: Visit) -> Data:
    """A visit as JSON; its keys are part of the command line's contract."""
    return {
        "visit": visit.id,
        "bureau": visit.bureau.code,
        "checklist": visit.checklist.id,
        "version": visit.checklist.version,
        **fields(visit, "state", "started", "who", "relevant", "done", "total", "outdated"),
        "answers": visit.answers | visit.set_aside,
        "evidence": {item: data(evidence, "findings", "files") for item, evidence in visit.evidence.items()},
        "problems": [data(problem) for problem in visit.problems],
        "records": [fields(record, "name", "pdf") for record in visit.records],
        "notes": [*visit.notes, *visit.later_notes],
        "attempts": [
            {"item": item, "when": attempt.wall, **fields(attempt, "code", "message")}
            for item, attempts in visit.attempts.items()
            for attempt in attempts
        ],
    }


def _listed(visit: Visit | VisitSummary) -> Data:
    return data_of(visit) if isinstance(visit, Visit) else fields(visit, "id")


def _unreadable(visit: UnreadableVisit) -> Data:
    """A visit that cannot be read, with the members that the others have, and why."""
    texts = dict.fromkeys(("bureau", "checklist", "version", "started", "who"), "")
    lists: Data = {name: [] for name in ("relevant", "problems", "records", "notes", "outdated", "attempts")}
    empty: Data = {"answers": {}, "evidence": {}, "done": 0, "total": 0}
    return {
        "visit": visit.id,
        "state": "unreadable",
        **texts,
        **lists,
        **empty,
        "error": visit.error.as_dict(),
    }


def heading(visit: Visit | VisitSummary) -> str:
    """A visit in one line."""
    short = visit if isinstance(visit, VisitSummary) else summary_of(visit)
    state = STATES[short.finish][short.state]
    return f"{short.id}  {short.bureau_name}  {short.title}  {short.done}/{short.total}  {state}"


def _lines(visit: Visit) -> list[str]:
    lines = [heading(visit)]
    for line in visit.shown:
        indent = "  " * line.depth
        if line.heading:
            lines.append(f"{indent}{line.title}  [{line.key.removeprefix('@')}]")
        elif line.item.answered_by != "nobody" or line.key in visit.answers:
            evidence = visit.evidence.get(line.key)
            status = visit.status(line.key)
            words = str(evidence.summary if evidence else visit.known.words(line.key))
            state = f"[{line.key}: {STATUSES[status]}]"
            lines.append(
                f"{indent}{SYMBOLS[status]} {visit.known.label(line.key)}  {state}  {words}".rstrip()
            )
    for name, attempts in visit.attempts.items():
        for attempt in attempts:
            if attempt is attempts[-1] or attempt.code == CHANGED:
                lines.append(f"{SYMBOLS['warning']} {name}: {attempt.message} ({attempt.wall[:16]})")
    if visit.notes:
        lines.append(str(M("Notes, which go into the record:")))
        lines += [f"  {note}" for note in visit.notes]
    if visit.later or visit.later_notes:
        lines.append(str(M("After the sign-off, in no record unless the visit is amended:")))
        lines += [f"  {text}" for text in (*visit.later, *visit.later_notes)]
    return lines + [f"! {problem.item}: {problem.message}" for problem in visit.problems]


def _introduce(call: Call, visits: Visits, who: str) -> None:
    """Have it known who works: as named, as set up, or asked once. Where nobody can be, the login is said."""
    from fieldkit import settings

    if who:
        visits.introduce(who)
    elif not visits.named:
        settings.load(call.home)  # settings that cannot be read are said before anybody is asked
        console = call.console()
        typed = asyncio.run(console.ask(settings.WHO)) if console.attended else ""
        if typed:
            visits.introduce(typed)
            settings.save_name(call.home, visits.who)
            return
        console.show_finding(
            Finding(
                "name-not-set",
                "warning",
                M("Nobody's name is set: the record names the login {login}, and says so.", login=visits.who),
                hint=M("Set it once: `fieldkit setup --who NAME`."),
            )
        )


def _saved(visit: Visit, item: str) -> Reply:
    """An answer that is on the disk now."""
    result = {"visit": visit.id, "item": item, "value": visit.answers.get(item)}
    return Reply(result, M("Saved: {item}.", item=item))


@visit.verb("start", M("Begin a visit at a bureau."))
@option(
    "--bureau", required=True, shell_complete=completion.bureaus, help=M("The bureau's code in the plan.")
)
@option(
    "--checklist",
    default="handover",
    shell_complete=completion.checklists,
    help=M("A checklist's name, or a file."),
)
@person
def start(call: Call, bureau: str, checklist: str, who: str) -> Reply:
    with call.visits() as visits:
        _introduce(call, visits, who)
        begun = visits.start(bureau, checklist)
        return Reply({"visit": begun.id}, heading(begun))


@visit.verb("list", M("The visits in this store."))
def list_(call: Call) -> Reply:
    with call.visits() as visits:
        overview = visits.overview() if call.json else visits.summaries()
        lines: list[str | Said] = [*map(heading, overview.visits)]
        for unreadable in overview.unreadable:
            lines += unreadable_lines(unreadable)
        if not lines and not visits.store.damage():  # what damage hides is not what never was
            lines.append(M("There is no visit yet. `fieldkit visit start --bureau CODE` begins one."))
        return Reply(
            [*map(_listed, overview.visits), *map(_unreadable, overview.unreadable)],
            lines,
            good=not overview.unreadable,
        )


@visit.verb("show", M("One visit: its items, answers and what is still open."))
@click.argument("name", metavar="VISIT", shell_complete=completion.visits)
def show(call: Call, name: str) -> Reply:
    with call.visits() as visits:
        now = visits.load(name)
        return Reply(data_of(now), _lines(now), damage=visits.store.damage(now.id))


@visit.verb("answer", M("Answer one item, or all that a file has; exits 0 only when it is on disk."))
@click.argument("name", metavar="VISIT", shell_complete=completion.visits)
@click.argument("item", default="", shell_complete=completion.items)
@click.argument("value", default="")
@option("--from", "file", type=FILE, help=M("A YAML or JSON file of answers by item, rows as a list."))
def answer(call: Call, name: str, item: str, value: str, file: Path | None) -> Reply:
    if bool(item) == (file is not None):
        raise Misused(
            M("Name an item and its answer, or a file with --from."), unchanged=M("Nothing was saved.")
        )
    with call.visits() as visits:
        if file is None:
            return _saved(visits.answer(name, item, value), item)
        now, keys = visits.answer_all(name, read_answers(file))
        return Reply({"visit": now.id, "saved": keys}, M("Saved: {count} answer(s).", count=len(keys)))


answer.ignore_unknown_options = True  # a number below zero is an answer, not an option


@visit.verb("add-row", M("Add a row to a repeat; prints its key, which its answers begin with."))
@click.argument("name", metavar="VISIT", shell_complete=completion.visits)
@click.argument("repeat", shell_complete=completion.steps)
@option("--after", default="", help=M("The row before it; the last one unless given."))
def add_row(call: Call, name: str, repeat: str, after: str) -> Reply:
    with call.visits() as visits:
        now, row = visits.add_row(name, repeat, after)
        return Reply({"visit": now.id, "row": row}, M("Saved: {item}.", item=row))


@visit.verb("remove-row", M("Take a row out of a repeat; what was answered in it does not count any more."))
@click.argument("name", metavar="VISIT", shell_complete=completion.visits)
@click.argument("row", shell_complete=completion.steps)
def remove_row(call: Call, name: str, row: str) -> Reply:
    with call.visits() as visits:
        now = visits.remove_row(name, row)
        return Reply({"visit": now.id, "row": row}, M("Taken out: {item}.", item=row))


@visit.verb("move-row", M("Put a row of a repeat at another position, counted from 1."))
@click.argument("name", metavar="VISIT", shell_complete=completion.visits)
@click.argument("row", shell_complete=completion.steps)
@click.argument("position", type=click.IntRange(1))
def move_row(call: Call, name: str, row: str, position: int) -> Reply:
    with call.visits() as visits:
        now = visits.move_row(name, row, position - 1)
        return Reply({"visit": now.id, "row": row}, M("Saved: {item}.", item=row))


@visit.verb("attach", M("Answer a file item with a file."))
@click.argument("name", metavar="VISIT", shell_complete=completion.visits)
@click.argument("item", shell_complete=completion.items)
@click.argument("file", type=FILE)
def attach(call: Call, name: str, item: str, file: Path) -> Reply:
    with call.visits() as visits:
        return _saved(visits.attach(name, item, file), item)


@visit.verb("note", M("Add a note to a visit."))
@click.argument("name", metavar="VISIT", shell_complete=completion.visits)
@click.argument("text")
def note(call: Call, name: str, text: str) -> Reply:
    with call.visits() as visits:
        return Reply({"visit": visits.note(name, text).id}, M("Saved."))


@visit.verb(
    "run",
    M("The guided steps as plain prompts: all that is open, or one section or item."),
    secrets=("pin", "new-pin", "so-pin", "password"),
    modules=True,
)
@click.argument("name", metavar="VISIT", shell_complete=completion.visits)
@click.argument("step", default="", shell_complete=completion.steps)
def run(call: Call, name: str, step: str) -> Reply:
    from fieldkit.visit.guide import guide

    with call.visits() as visits:
        after = asyncio.run(guide(visits, name, call.console(), step=step, modules=call.modules))
        good = not any(after.status(item) == "failed" for item in after.relevant)
        return Reply(data_of(after), _lines(after), good=good)


@visit.verb(
    "finish",
    M("Have the officer sign off, make the record and sign it with the token, if one is handed over."),
    secrets=("pin",),
    modules=True,
)
@click.argument("name", metavar="VISIT", shell_complete=completion.visits)
@click.option("--token", default="", shell_complete=completion.tokens)
@option("--out", type=FILE, help=M("The folder the record is written to."))
@person
def finish(call: Call, name: str, token: str, out: Path | None, who: str) -> Reply:
    from fieldkit.record.handover import hand_over

    with call.visits() as visits:
        _introduce(call, visits, who)
        made = asyncio.run(
            hand_over(visits, name, call.console(), token=token, out=out, modules=call.modules)
        )
        return Reply(
            {"visit": made.visit, "record": str(made.pdf), "json": str(made.json), "checks": made.checks},
            made.summary,
            good=made.verdict == "pass" or not made.signed,
        )


@visit.verb("amend", M("Open a signed visit again; the next record names the one it replaces."))
@click.argument("name", metavar="VISIT", shell_complete=completion.visits)
@option("--reason", required=True, help=M("Why; it stands in the next record."))
def amend(call: Call, name: str, reason: str) -> Reply:
    with call.visits() as visits:
        opened = visits.amend(name, reason)
        return Reply(data_of(opened), heading(opened))
