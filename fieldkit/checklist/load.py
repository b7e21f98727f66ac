"""Checklists from YAML: found by name, read, and checked so far that answering one can meet no surprise."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from fieldkit.checklist.errors import AnswerInvalid, ChecklistInvalid, ChecklistNotFound, ExpressionInvalid
from fieldkit.checklist.expression import parse as parse_expression
from fieldkit.checklist.kinds import KINDS, ROLES, Choice, Item
from fieldkit.checklist.layout import Layout
from fieldkit.checklist.meaning import check
from fieldkit.checklist.model import BUREAU, BUREAU_LIST, Checklist
from fieldkit.checklist.order import circle, ordered
from fieldkit.checklist.value import Type
from fieldkit.home import Home, shipped, yaml_files
from fieldkit.text import M, Message, Said, Words
from fieldkit.yaml_model import read_yaml, text_of

_CHECKLIST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
LONGEST_VALUE = 200
_ITEM_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_CHOICE_VALUE = re.compile(rf"[^\s,;]{{1,{LONGEST_VALUE}}}")
_ONLY_VALUE = re.compile(rf"\S([^\n\t]{{0,{LONGEST_VALUE - 2}}}\S)?")
_LIST_NAME = re.compile(r"[^\s'\"${}]{1,100}")
_NAMED = re.compile(r"\$\{\s*([^}]*?)\s*\}")
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
    document = read_yaml(text, name, Checklist, ChecklistInvalid)
    problems = [
        document.problem(place, message, offset)
        for place, message, offset in wrong(document.value, procedures)
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
    parted = {item.list for item in checklist.layout.items.values() if item.list and KINDS[item.kind].several}
    for name, choices in checklist.lists.items():
        if not _LIST_NAME.fullmatch(name):
            yield ("lists", name), M("`{name}` is no name for a list: no blanks, no quotes.", name=name), 0
        if name == BUREAU_LIST:
            yield ("lists", name), M("`{name}` is what fieldkit knows of the bureau.", name=name), 0
        if not choices:
            yield ("lists", name), M("The list `{list}` holds nothing.", list=name), 0
        for below, text in _choices(choices, name in parted):
            yield ("lists", name, *below), text, 0
    for s, section in enumerate(checklist.sections):
        if not _ITEM_ID.fullmatch(section.id):
            yield ("sections", s, "id"), _bad_id(section.id), 0
        if section.id in sections:
            yield ("sections", s, "id"), M("The section `{id}` is here twice.", id=section.id), 0
        sections.add(section.id)
    for place, item, inside in _placed(checklist):
        if not _ITEM_ID.fullmatch(item.id):
            yield (*place, "id"), _bad_id(item.id), 0
        if item.id in items:
            yield (*place, "id"), M("The item `{id}` is here twice.", id=item.id), 0
        items.add(item.id)
        if item.procedure and procedures is not None and item.procedure not in procedures:
            yield (*place, "procedure"), _no_procedure(item.procedure, procedures), 0
        if inside and item.kind == "procedure":
            yield (*place, "kind"), M("A step that fieldkit runs is in no row of a repeat."), 0
        for below, text in _item(item, checklist):
            yield (*place, *below), text, 0
        for key in TEXTS:
            if message := _unfilled(getattr(item, key), checklist):
                yield (*place, key), message, 0
    yield from _expressions(checklist)


def _placed(checklist: Checklist) -> Iterator[tuple[Place, Item, bool]]:
    """Every item, groups too, with where it stands and whether it is in a repeat."""

    def below(items: Sequence[Item], place: Place, inside: bool) -> Iterator[tuple[Place, Item, bool]]:
        for i, item in enumerate(items):
            here: Place = (*place, i)
            yield here, item, inside
            yield from below(item.items, (*here, "items"), inside or item.kind == "repeat")

    for s, section in enumerate(checklist.sections):
        yield from below(section.items, ("sections", s, "items"), False)


RULES: dict[str, Type | None] = {
    "relevant": "truth",
    "required": "truth",
    "read_only": "truth",
    "constraint": "truth",
    "choice_filter": "truth",
    "count": "number",
    "calculate": None,
    "prefill": None,
}
"""The keys of an item that hold expressions, with what each comes to; whatever it likes for None."""


def _expressions(checklist: Checklist) -> Wrong:
    """What is wrong with the expressions, and whether anything depends on itself."""
    layout = checklist.layout
    places: dict[str, Place] = {}
    mistakes: list[tuple[Place, Said, int]] = []
    calculated: dict[str, Type] = {}
    for s, section in enumerate(checklist.sections):
        places[f"@{section.id}"] = ("sections", s)
    for place, item, _ in _placed(checklist):
        places.setdefault(item.id, place)
    try:
        turns = list(layout.order)
    except ExpressionInvalid:
        turns = list(layout.places)
    for id in turns:  # what a calculation comes to is known before what looks at it is checked
        item, place = layout.places[id].item, places[id]
        names = _Names(checklist, id, calculated)
        for key, wanted in RULES.items():
            text = getattr(item, key)
            if not isinstance(text, str) or not text:
                continue
            columns = names.columns_of(item) if key == "choice_filter" else None
            this = item if key in ("constraint", "calculate") else None
            try:
                type = check(parse_expression(text), names, this, wanted, columns)
            except ExpressionInvalid as error:
                mistakes.append(((*place, key), error.message, error.at))
            else:
                if key == "calculate":
                    calculated[id] = type
    yield from mistakes
    if not mistakes:
        yield from _circles(layout, places)


def _circles(layout: Layout, places: Mapping[str, Place]) -> Wrong:
    for group in ordered(layout.needs):
        first = min(group, key=lambda id: layout.places[id].position)
        if len(group) == 1 and first not in layout.needs[first]:
            continue
        item = layout.places[first].item
        id = first.removeprefix("@")
        way = _shown([id.removeprefix("@") for id in circle(first, layout.needs, group)])
        if any(layout.places[member].item.calculate for member in group):
            message = M("What `{id}` comes to depends on itself: {circle}.", id=id, circle=way)
        else:
            message = M("Whether `{id}` is asked depends on itself: {circle}.", id=id, circle=way)
        key = next((key for key in ("relevant", "calculate", "count") if getattr(item, key)), "")
        yield (*places[first], *([key] if key else ())), message, 0


class _Names:
    """What the expressions of an item may name. calculated: what the expressions before it come to."""

    def __init__(self, checklist: Checklist, seen_from: str, calculated: Mapping[str, Type]) -> None:
        self._checklist = checklist
        self._calculated = calculated
        self._places = checklist.layout.places
        self._inside = self._places[seen_from].repeats if seen_from in self._places else ()

    def item(self, name: str) -> Item | None:
        place = self._places.get(name)
        if place is None or KINDS[place.item.kind].holds:
            return None
        choices = self._checklist.choices(place.item)
        return msgspec.structs.replace(place.item, choices=choices) if place.item.list else place.item

    def type(self, name: str) -> Type | None:
        item = self._places[name].item
        return self._calculated.get(name, "text") if item.kind == "calculate" else KINDS[item.kind].type

    def group(self, name: str) -> bool:
        place = self._places.get(name) or self._places.get(f"@{name}")
        return place is not None and KINDS[place.item.kind].holds

    def repeated(self, name: str) -> bool:
        repeats = self._places[name].repeats
        return repeats != self._inside[: len(repeats)]

    def ids(self) -> Collection[str]:
        return self._checklist.layout.items

    def columns(self, list: str) -> Collection[str] | None:
        if list == BUREAU_LIST:
            return BUREAU
        choices = self._checklist.lists.get(list)
        return None if choices is None else _columns(choices)

    def columns_of(self, item: Item) -> Collection[str]:
        return _columns(self._checklist.choices(item))


def _columns(choices: Sequence[Choice]) -> set[str]:
    return {"name", "label"}.union(*(choice.columns for choice in choices))


def _shown(way: Sequence[str]) -> str:
    """The items of a circle; of a long one its two ends."""
    return " → ".join(way if len(way) <= MOST_SHOWN else (*way[:4], "…", *way[-4:]))


def _bad_name(id: str) -> Message:
    return M("`{id}` is not a name for a checklist: letters, digits and _ . - only.", id=id)


def _bad_id(id: str) -> Message:
    return M("`{id}` is not an id: letters, digits and _ . - only, a letter first.", id=id)


def _item(item: Item, checklist: Checklist) -> Iterator[tuple[Place, Said]]:
    """What of an item does not go together with its kind."""
    kind = KINDS[item.kind]
    if incomplete := kind.incomplete(item):
        yield ("kind",), incomplete
    for key in _NOT_OF_ALL:
        if key not in kind.takes and getattr(item, "options" if key == "with" else key):
            yield (key,), _unfit(key, item)
    yield from ((("choices", *place), text) for place, text in _choices(item.choices, kind.several))
    if item.list and item.list not in checklist.lists:
        yield ("list",), M("The checklist has no list `{list}`.", list=item.list)
    if item.list and item.choices:
        yield ("list",), M("An item has choices of its own or a list, not both.")
    if item.procedure and "procedure" in kind.takes and not item.procedure.isidentifier():
        yield ("procedure",), _bad_id(item.procedure)
    for a, ending in enumerate(item.accept):
        if not _ACCEPT.fullmatch(ending):
            yield ("accept", a), M("`{ending}` is not a file name's ending, such as pdf.", ending=ending)
    if item.role is not None and item.kind not in ROLES[item.role][1]:
        yield ("role",), M("An item of kind `{kind}` cannot be the `{role}`.", kind=item.kind, role=item.role)
    if item.default and item.prefill:
        yield ("prefill",), M("An item begins with a `default` or a `prefill`, not both.")
    if item.default and "default" in kind.takes and item.kind != "calculate":
        try:
            kind.normal(msgspec.structs.replace(item, choices=checklist.choices(item)), item.default)
        except AnswerInvalid as error:
            yield ("default",), error.message
    if item.constraint_message is not None and not item.constraint:
        yield ("constraint_message",), M("`constraint_message` needs a `constraint`.")
    if item.save_to and checklist.entity is None:
        yield ("save_to",), M("`save_to` needs the checklist's `entity`, whose property it is.")


def _choices(choices: Sequence[Choice], parted: bool) -> Iterator[tuple[Place, Said]]:
    """What is wrong with them. parted: whether several make an answer, with blanks between."""
    known: dict[str, list[dict[str, str]]] = {}
    for c, choice in enumerate(choices):
        if not (_CHOICE_VALUE if parted else _ONLY_VALUE).fullmatch(choice.value):
            pattern = (
                M("`{value}` is not a choice's value: up to {count} signs, no blanks among them.",
                  value=choice.value, count=LONGEST_VALUE)
                if parted
                else M("`{value}` is not a choice's value: one line of up to {count} signs.",
                       value=choice.value, count=LONGEST_VALUE)
            )  # fmt: skip
            yield (c, "value"), pattern
        before = known.setdefault(choice.value, [])
        if choice.columns in before or (before and not choice.columns):
            yield (c, "value"), M("The choice `{value}` is here twice.", value=choice.value)
        before.append(choice.columns)


TEXTS = ("label", "hint", "guidance", "required_message", "constraint_message")
"""The keys of an item whose texts may show answers of others."""


def _unfilled(words: Words | None, checklist: Checklist) -> Message | None:
    """The first item that a text names and that is not there."""
    for text in dict.fromkeys(msgspec.structs.astuple(words)) if words is not None else ():
        for match in _NAMED.finditer(text) if "${" in text else ():
            place = checklist.layout.places.get(match[1])
            if place is None or KINDS[place.item.kind].holds:
                return M("The checklist has no item `{id}`.", id=match[1])
    return None


def _no_procedure(name: str, procedures: Collection[str]) -> Message:
    from difflib import get_close_matches

    near = get_close_matches(name, procedures, 1)
    if near:
        return M("There is no procedure `{name}`; is `{near}` meant?", name=name, near=near[0])
    known = ", ".join(sorted(procedures))
    return M("There is no procedure `{name}`. Known: {known}.", name=name, known=known)


def _unfit(key: str, item: Item) -> Message:
    return M("An item of kind `{kind}` takes no `{key}`.", key=key, kind=item.kind)
