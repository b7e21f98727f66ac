"""`fieldkit visit`: start, list, show, answer, attach, run, finish and amend visits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from fieldkit.checklist.kinds import KINDS
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.finding import Finding
from fieldkit.text import M, Said
from fieldkit.text_output import SYMBOLS
from fieldkit.visit.model import CHANGED, STATES, Status, UnreadableVisit, Visit

if TYPE_CHECKING:
    from fieldkit.visit.visits import Visits

visit = noun("visit", M("Start a visit, answer its checklist, finish it."))

SIGNS: dict[Status, str] = {
    "done": SYMBOLS["pass"],
    "todo": "·",
    "failed": SYMBOLS["fail"],
    "not-checked": SYMBOLS["not-checked"],
    "off": "-",
}
STATUSES: dict[Status, Said] = {
    "done": M("done"),
    "todo": M("to do"),
    "failed": M("failed"),
    "not-checked": M("not checked"),
    "off": M("does not apply"),
}


def shape(found: Visit) -> dict[str, Any]:
    """The JSON shape of a visit; its keys are part of the command line's contract."""
    return {
        "visit": found.id,
        "bureau": found.bureau.code,
        "checklist": found.checklist.id,
        "version": found.checklist.version,
        "state": found.state,
        "started": found.started,
        "who": found.who,
        "answers": found.answers | found.set_aside,
        "evidence": {
            item: {"verdict": evidence.verdict, "summary": str(evidence.summary), "facts": evidence.facts}
            for item, evidence in found.evidence.items()
        },
        "relevant": list(found.relevant),
        "problems": [{"item": problem.item, "message": str(problem.message)} for problem in found.problems],
        "done": found.done,
        "total": found.total,
        "records": [{"name": record.name, "pdf": record.pdf} for record in found.records],
        "notes": [*found.notes, *found.later_notes],
        "outdated": list(found.outdated),
        "attempts": [
            {"item": item, "code": attempt.code, "message": str(attempt.message), "when": attempt.wall}
            for item, made in found.attempts.items()
            for attempt in made
        ],
    }


def _unreadable_shape(unreadable: UnreadableVisit) -> dict[str, Any]:
    """A visit that cannot be read, with the members that the others have, and why."""
    return {
        "visit": unreadable.id,
        "bureau": "",
        "checklist": "",
        "version": "",
        "state": "unreadable",
        "started": "",
        "who": "",
        "answers": {},
        "evidence": {},
        "relevant": [],
        "problems": [],
        "done": 0,
        "total": 0,
        "records": [],
        "notes": [],
        "outdated": [],
        "attempts": [],
        "error": unreadable.error.as_dict(),
    }


def unreadable_lines(unreadable: UnreadableVisit) -> list[str]:
    """A visit that cannot be read: which one, what is wrong, what to do."""
    first, *rest = unreadable.error.lines()
    return [f"! {first}", *(f"    {line}" for line in rest)]


def heading(found: Visit) -> str:
    """A visit in one line."""
    state = STATES[found.finish][found.state]
    return f"{found.id}  {found.bureau.name}  {found.checklist.title}  {found.done}/{found.total}  {state}"


def _show(found: Visit) -> list[str]:
    lines = [heading(found)]
    for section in found.checklist.sections:
        lines.append(f"{section.title}  [{section.id}]")
        for item in section.items:
            status = found.status(item.id)
            if status == "off" or item.answered_by == "nobody":
                continue
            evidence = found.evidence.get(item.id)
            answer = KINDS[item.kind].words(item, found.answers.get(item.id))
            said = str(evidence.summary if evidence else answer)
            lines.append(f"  {SIGNS[status]} {item.label}  [{item.id}: {STATUSES[status]}]  {said}".rstrip())
    for name, made in found.attempts.items():
        for attempt in (each for each in made if each is made[-1] or each.code == CHANGED):
            lines.append(f"{SYMBOLS['warning']} {name}: {attempt.message} ({attempt.wall[:16]})")
    if found.notes:
        lines.append(str(M("Notes, which go into the record:")))
        lines += [f"  {note}" for note in found.notes]
    if found.later or found.later_notes:
        lines.append(str(M("After the sign-off, in no record unless the visit is amended:")))
        lines += [f"  {said}" for said in (*found.later, *found.later_notes)]
    lines += [f"! {problem.item}: {problem.message}" for problem in found.problems]
    return lines


def _introduce(call: Call, visits: Visits, who: str) -> None:
    """Have it known who works: as named, as set up, or asked once. Where nobody can be, the login is said."""
    from fieldkit import settings
    from fieldkit.cli.setup import WHO

    if who:
        visits.introduce(who)
    elif not visits.named:
        kept, console = settings.load(call.home), call.console()
        typed = asyncio.run(console.ask(WHO)) if console.attended else ""
        if typed:
            visits.introduce(typed)
            settings.save(call.home, msgspec.structs.replace(kept, who=visits.who))
            return
        console.say(
            Finding(
                "name-not-set",
                "warning",
                M("Nobody's name is set: the record names the login {login}, and says so.", login=visits.who),
                hint=M("Set it once: `fieldkit setup --who NAME`."),
            )
        )


@visit.verb("start", M("Begin a visit at a bureau."))
@option("--bureau", required=True, said=M("The bureau's code in the plan."))
@option("--checklist", default="handover", said=M("A checklist's name, or a file."))
@option("--who", default="", said=M("The technician's name; the one of `fieldkit setup` unless given."))
def start(call: Call, bureau: str, checklist: str, who: str) -> Reply:
    with call.visits() as visits:
        _introduce(call, visits, who)
        found = visits.start(bureau, checklist)
        return Reply({"visit": found.id}, heading(found))


@visit.verb("list", M("The visits in this store."))
def list_(call: Call) -> Reply:
    with call.visits() as visits:
        overview = visits.overview()
        lines: list[str | Said] = [heading(each) for each in overview.visits]
        for unreadable in overview.unreadable:
            lines += unreadable_lines(unreadable)
        if not lines and not visits.store.damage():  # what damage hides is not what never was
            lines.append(M("There is no visit yet. `fieldkit visit start --bureau CODE` begins one."))
        return Reply(
            [*map(shape, overview.visits), *map(_unreadable_shape, overview.unreadable)],
            lines,
            good=not overview.unreadable,
        )


@visit.verb("show", M("One visit: its items, answers and what is still open."))
@click.argument("name", metavar="VISIT")
def show(call: Call, name: str) -> Reply:
    with call.visits() as visits:
        found = visits.load(name)
        return Reply(shape(found), _show(found), damage=visits.store.damage(found.id))


@visit.verb("answer", M("Answer one item; exits 0 only when the answer is on disk."))
@click.argument("name", metavar="VISIT")
@click.argument("item")
@click.argument("value")
def answer(call: Call, name: str, item: str, value: str) -> Reply:
    with call.visits() as visits:
        found = visits.answer(name, item, value)
        return Reply(
            {"visit": found.id, "item": item, "value": found.answers.get(item)},
            M("Saved: {item}.", item=item),
        )


answer.ignore_unknown_options = True  # a number below zero is an answer, not an option


@visit.verb("attach", M("Answer a file item with a file."))
@click.argument("name", metavar="VISIT")
@click.argument("item")
@click.argument("file", type=click.Path(path_type=Path))
def attach(call: Call, name: str, item: str, file: Path) -> Reply:
    with call.visits() as visits:
        found = visits.attach(name, item, file)
        return Reply(
            {"visit": found.id, "item": item, "value": found.answers.get(item)},
            M("Saved: {item}.", item=item),
        )


@visit.verb("note", M("Add a note to a visit."))
@click.argument("name", metavar="VISIT")
@click.argument("text")
def note(call: Call, name: str, text: str) -> Reply:
    with call.visits() as visits:
        found = visits.note(name, text)
        return Reply({"visit": found.id}, M("Saved."))


@visit.verb(
    "run",
    M("The guided steps as plain prompts: all that is open, or one section or item."),
    secrets=("pin", "new-pin", "so-pin", "password"),
    modules=True,
)
@click.argument("name", metavar="VISIT")
@click.argument("step", default="")
def run(call: Call, name: str, step: str) -> Reply:
    from fieldkit.visit.guide import guide

    with call.visits() as visits:
        found = asyncio.run(guide(visits, name, call.console(), step=step, modules=call.modules))
        good = not any(found.status(item) == "failed" for item in found.relevant)
        return Reply(shape(found), _show(found), good=good)


@visit.verb(
    "finish",
    M("Have the officer sign off, make the record and sign it with the token, if one is handed over."),
    secrets=("pin",),
    modules=True,
)
@click.argument("name", metavar="VISIT")
@click.option("--token", default="")
@option("--out", type=click.Path(path_type=Path), said=M("The folder the record is written to."))
@option("--who", default="", said=M("The technician's name; the one of `fieldkit setup` unless given."))
def finish(call: Call, name: str, token: str, out: Path | None, who: str) -> Reply:
    from fieldkit.record.handover import hand_over

    with call.visits() as visits:
        _introduce(call, visits, who)
        made = asyncio.run(
            hand_over(visits, name, call.console(), token=token, out=out, modules=call.modules)
        )
        return Reply(
            {"visit": made.visit, "record": str(made.pdf), "json": str(made.json), "checks": made.checks},
            made.told,
            good=made.verdict == "pass" or not made.signed,
        )


@visit.verb("amend", M("Open a signed visit again; the next record names the one it replaces."))
@click.argument("name", metavar="VISIT")
@option("--reason", required=True, said=M("Why; it stands in the next record."))
def amend(call: Call, name: str, reason: str) -> Reply:
    with call.visits() as visits:
        found = visits.amend(name, reason)
        return Reply(shape(found), heading(found))
