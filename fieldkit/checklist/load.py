"""Checklists from YAML: found by name, read, and checked so far that answering one can meet no surprise."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from fieldkit.checklist.errors import AnswerInvalid, ChecklistInvalid, ChecklistNotFound, ExpressionInvalid
from fieldkit.checklist.expression import parse as parse_expression
from fieldkit.checklist.expression import references
from fieldkit.checklist.kinds import KINDS, ROLES, Item
from fieldkit.checklist.meaning import check
from fieldkit.checklist.model import Checklist
from fieldkit.checklist.order import circle, ordered
from fieldkit.home import Home, shipped, yaml_files
from fieldkit.text import M, Message, Said
from fieldkit.yaml_model import read, text_of

_CHECKLIST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ITEM_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CHOICE_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./+-]{0,63}")
_ACCEPT = re.compile(r"[a-z0-9]{1,8}")
_NUMBER = re.compile(r"[^\W_][^\W_-]*(-[^\W_]+)*")
LONGEST_NUMBER = 16
_NOT_OF_ALL = sorted(frozenset[str]().union(*(kind.takes for kind in KINDS.values())))

MOST_SHOWN = 12

Place = tuple[str | int, ...]


def find(name_or_path: str, home: Home) -> Path:
    """The file of a checklist: a path as it is, a name in the home and then among the shipped ones.

    :raises ChecklistNotFound: there is none.
    """
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path or "\\" in name_or_path:
        path = Path(name_or_path).expanduser()
        if path.is_file():
            return path
    for path in files(home):
        if path.is_file() and path.stem == name_or_path.removesuffix(".yaml"):
            return path
    raise ChecklistNotFound(
        M("There is no checklist {name}.", name=name_or_path),
        hint=M("Known here: {names}.", names=", ".join(names(home))),
    )


def names(home: Home) -> list[str]:
    """The names of the checklists in the home and of those shipped."""
    return sorted(path.stem for path in files(home))


def files(home: Home) -> list[Path]:
    """The checklists in the home and those shipped; of a name, the home's."""
    return yaml_files(home.checklists, shipped("checklists"))


def load(path: Path, procedures: Collection[str] | None = None) -> Checklist:
    """The checklist in the file at `path`. procedures: the names of those there are, to be held against.

    :raises Unreadable: it is not there. :raises ChecklistInvalid: it is wrong, with every reason.
    """
    return parse(text_of(path, ChecklistInvalid), str(path), procedures)


def parse(text: str, name: str, procedures: Collection[str] | None = None) -> Checklist:
    """The checklist in `text`; `name` is the file's, for problems. procedures: as for `load`.

    :raises ChecklistInvalid: with every reason.
    """
    document = read(text, name, Checklist, ChecklistInvalid)
    problems = [
        document.problem(place, said, offset) for place, said, offset in wrong(document.value, procedures)
    ]
    if problems:
        problems.sort(key=lambda problem: (problem.line, problem.column))
        raise ChecklistInvalid(problems)
    return document.value


def doubts(checklist: Checklist) -> Iterator[Message]:
    """What is not wrong, and hardly meant."""
    tested = any(item.procedure == "test_signature" for item in checklist.items())
    if tested and not checklist.with_role("test-document"):
        for item in checklist.items():
            if item.role is None and item.kind == "file" and "pdf" in item.accept:
                yield M(
                    "`{id}` takes a PDF that `test_signature` does not sign: "
                    "`role: test-document` would say so.",
                    id=item.id,
                )


Wrong = Iterator[tuple[Place, Said, int]]


def wrong(checklist: Checklist, procedures: Collection[str] | None = None) -> Wrong:
    """What is wrong with the meaning of a checklist: where, what, and how far into the text there."""
    sections: set[str] = set()
    items: set[str] = set()
    if not _CHECKLIST_ID.fullmatch(checklist.id):
        yield ("id",), _bad_name(checklist.id), 0
    if checklist.finish == "handover" and checklist.paper == "form":
        yield ("paper",), M("A handover is printed on the paper `handover`, which has its signatures."), 0
    if checklist.number and not (
        len(checklist.number) <= LONGEST_NUMBER and _NUMBER.fullmatch(checklist.number)
    ):
        yield ("number",), M("`{value}` ends no paper's number; PKS would.", value=checklist.number), 0
    if not checklist.sections:
        yield ("sections",), M("A checklist needs at least one section."), 0
    for s, section in enumerate(checklist.sections):
        if not _ITEM_ID.fullmatch(section.id):
            yield ("sections", s, "id"), _bad_id(section.id), 0
        if section.id in sections:
            yield ("sections", s, "id"), M("The section `{id}` is here twice.", id=section.id), 0
        sections.add(section.id)
        for i, item in enumerate(section.items):
            place: Place = ("sections", s, "items", i)
            if not _ITEM_ID.fullmatch(item.id):
                yield (*place, "id"), _bad_id(item.id), 0
            if item.id in items:
                yield (*place, "id"), M("The item `{id}` is here twice.", id=item.id), 0
            items.add(item.id)
            if item.procedure and procedures is not None and item.procedure not in procedures:
                yield (*place, "procedure"), _no_procedure(item.procedure, procedures), 0
            for below, text in _item(item):
                yield (*place, *below), text, 0
    yield from _conditions(checklist)


def _conditions(checklist: Checklist) -> Wrong:
    """What is wrong with the expressions, and whether any relevance depends on itself."""
    items = {item.id: item for item in checklist.items()}
    needs: dict[str, set[str]] = {}
    places: dict[str, Place] = {}
    for s, section in enumerate(checklist.sections):
        at: Place = ("sections", s, "relevant")
        shared: set[str] = set()
        yield from _condition(section.relevant, items, None, at, shared)
        for i, item in enumerate(section.items):
            place: Place = ("sections", s, "items", i)
            own = needs.setdefault(item.id, set(shared))
            yield from _condition(item.relevant, items, None, (*place, "relevant"), own)
            yield from _condition(item.constraint, items, item, (*place, "constraint"), set())
            places[item.id] = (*place, "relevant") if item.relevant else at
    position = {id: number for number, id in enumerate(needs)}
    for group in ordered(needs):
        first = min(group, key=position.__getitem__)
        if len(group) == 1 and first not in needs[first]:
            continue
        way = circle(first, needs, group)
        message = M("Whether `{id}` is asked depends on itself: {circle}.", id=first, circle=_shown(way))
        yield places[first], message, 0


def _shown(way: Sequence[str]) -> str:
    """The items of a circle; of a long one its two ends."""
    return " → ".join(way if len(way) <= MOST_SHOWN else (*way[:4], "…", *way[-4:]))


def _condition(
    text: str, items: Mapping[str, Item], this: Item | None, place: Place, needs: set[str]
) -> Wrong:
    if not text:
        return
    try:
        tree = parse_expression(text)
        needs |= {reference.name for reference in references(tree)}
        check(tree, items, this)
    except ExpressionInvalid as error:
        yield place, error.message, error.at


def _bad_name(id: str) -> Message:
    return M("`{id}` is not a name for a checklist: letters, digits and _ . - only.", id=id)


def _bad_id(id: str) -> Message:
    return M("`{id}` is not an id: small letters, digits and _ only, a letter first.", id=id)


def _item(item: Item) -> Iterator[tuple[Place, Said]]:
    """What of an item does not go together with its kind."""
    kind = KINDS[item.kind]
    if incomplete := kind.incomplete(item):
        yield ("kind",), incomplete
    for key in _NOT_OF_ALL:
        if key not in kind.takes and getattr(item, "options" if key == "with" else key):
            yield (key,), _unfit(key, item)
    values: set[str] = set()
    for c, choice in enumerate(item.choices):
        if not _CHOICE_VALUE.fullmatch(choice.value):
            message = M(
                "`{value}` is not a choice's value: letters, digits and _ . / + - only.", value=choice.value
            )
            yield ("choices", c, "value"), message
        if choice.value in values:
            yield ("choices", c, "value"), M("The choice `{value}` is here twice.", value=choice.value)
        values.add(choice.value)
    if item.procedure and "procedure" in kind.takes and not item.procedure.isidentifier():
        yield ("procedure",), _bad_id(item.procedure)
    for a, ending in enumerate(item.accept):
        if not _ACCEPT.fullmatch(ending):
            yield ("accept", a), M("`{ending}` is not a file name's ending, such as pdf.", ending=ending)
    if item.role is not None and item.kind not in ROLES[item.role][1]:
        yield ("role",), M("An item of kind `{kind}` cannot be the `{role}`.", kind=item.kind, role=item.role)
    if item.default and "default" in kind.takes:
        try:
            kind.normal(item, item.default)
        except AnswerInvalid as error:
            yield ("default",), error.message
    if item.constraint_message is not None and not item.constraint:
        yield ("constraint_message",), M("`constraint_message` needs a `constraint`.")


def _no_procedure(name: str, procedures: Collection[str]) -> Message:
    from difflib import get_close_matches

    near = get_close_matches(name, procedures, 1)
    if near:
        return M("There is no procedure `{name}`; is `{near}` meant?", name=name, near=near[0])
    known = ", ".join(sorted(procedures))
    return M("There is no procedure `{name}`. Known: {known}.", name=name, known=known)


def _unfit(key: str, item: Item) -> Message:
    return M("An item of kind `{kind}` takes no `{key}`.", key=key, kind=item.kind)
