"""A checklist into the sheets of an XLSForm, fieldkit's own things in fk:: columns.

Other programs may fill in the form; they take no notice of the fk:: columns.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from fieldkit.checklist.errors import FormImpossible
from fieldkit.checklist.kinds import FILMS, KINDS, PICTURES, SOUNDS, YES_NO, Choice, Item
from fieldkit.checklist.model import Checklist, Entity, Section
from fieldkit.checklist.xlsform.columns import (
    CHOICES,
    ENTITIES,
    HEADINGS,
    MEDIA,
    SETTINGS,
    SPOKEN,
    SURVEY,
    heading,
)
from fieldkit.checklist.xlsform.parameters import CONSTANT, dynamic
from fieldkit.checklist.xlsform.workbook import LONGEST, MOST_ROWS
from fieldkit.i18n import DEFAULT
from fieldkit.text import M, Message, Words

Cells = dict[str, str]
Sheets = dict[str, list[Cells]]


def _headings(names: Sequence[str]) -> tuple[str, ...]:
    spoken = ([f"{name}::{language}" for language in HEADINGS.values()] for name in names)
    return tuple(
        heading
        for name, languages in zip(names, spoken, strict=True)
        for heading in (languages if name in SPOKEN else [name])
        if heading != f"fk::title::{HEADINGS[DEFAULT]}"  # that is `form_title`
    )


COLUMNS = {
    "survey": _headings(SURVEY),
    "choices": _headings(CHOICES),
    "settings": _headings(SETTINGS),
    "entities": ENTITIES,
}
_ALWAYS = {
    "survey": _headings(
        ("type", "name", "label", "hint", "required", "relevant", "constraint", "constraint_message",
         "default", "appearance")
    ),
    "choices": _headings(("list_name", "name", "label")),
    "settings": _headings(("form_title", "form_id", "version", "default_language", "fk::title")),
    "entities": ENTITIES,
}  # fmt: skip
"""The columns that are there though nothing is in them."""


def sheets(checklist: Checklist) -> Sheets:
    """The rows of each sheet, by the headings of `columns`.

    :raises FormImpossible: a text of it fits into no cell, or would be read as something else.
    """
    names = _ListNames(checklist)
    made: Sheets = {"survey": [], "choices": [], "settings": [_settings(checklist, names)], "entities": []}
    for section in checklist.sections:
        made["survey"] += _section(section, names)
    if any(item.kind == "yesno" for item in checklist.items()):
        made["choices"] += _list(names.yes_no, YES_NO)
    for item in checklist.items():
        made["choices"] += _list(names.of(item), item.choices)
    for name, choices in checklist.lists.items():
        made["choices"] += _list(name, choices)
    if checklist.entity is not None:
        made["entities"].append(_entity(checklist.entity))
    _fits(made)
    return made


def columns(sheet: str, rows: Sequence[Cells]) -> list[str]:
    """The headings of a sheet with these rows: those that are always there, and those that hold something."""
    used = dict.fromkeys(name for cells in rows for name, text in cells.items() if text)
    known = [name for name in COLUMNS[sheet] if name in used or name in _ALWAYS[sheet]]
    return [*known, *(name for name in used if name not in known)]


def write(checklist: Checklist, target: Path) -> None:
    """Write the form of `checklist` as a workbook at `target`, every cell as text."""
    import xlsxwriter

    rows = sheets(checklist)
    made = io.BytesIO()  # the file is written by one call, whose failure is the system's own words
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        book.set_properties({"title": checklist.title.vi, "comments": f"{checklist.id} {checklist.version}"})
        head = book.add_format({"bold": True, "bg_color": "#DDDDDD", "num_format": "@"})
        text = book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"})
        for name, in_sheet in rows.items():
            if name == "entities" and not in_sheet:
                continue
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 2 if name == "survey" else 0)
            for at, title in enumerate(columns(name, in_sheet)):
                wide = 44 if "label" in title or "hint" in title else 18
                sheet.set_column(at, at, wide, text)
                sheet.write_string(0, at, title, head)
                for number, cells in enumerate(in_sheet, start=1):
                    if cells.get(title):
                        sheet.write_string(number, at, cells[title], text)
    target.write_bytes(made.getvalue())


class _ListNames:
    """What the lists are called: those of single items by their ids, as far as no list is called so."""

    def __init__(self, checklist: Checklist) -> None:
        self._lists = checklist.lists
        names = {*checklist.lists, *(item.id for item in checklist.items())}
        self.yes_no = next(name for n in range(len(names) + 1) if (name := "yes_no" + "_" * n) not in names)
        self._own: dict[str, str] = {}
        taken = {*checklist.lists, self.yes_no}
        for item in checklist.items():
            if item.choices:
                name = item.id
                while name in taken:
                    name += "_"
                taken.add(name)
                self._own[item.id] = name

    def of(self, item: Item) -> str:
        """The name of the list that an item is answered from; "" for none."""
        return self.yes_no if item.kind == "yesno" else item.list or self._own.get(item.id, "")


def _settings(checklist: Checklist, names: _ListNames) -> Cells:
    lists = [*checklist.lists.values(), *(item.choices for item in checklist.items())]
    twice = any(len({choice.value for choice in choices}) < len(choices) for choices in lists)
    own = [names.of(item) for item in checklist.items() if any(choice.columns for choice in item.choices)]
    cells = {
        "form_title": checklist.title.vi,
        "form_id": checklist.id,
        "version": checklist.version,
        "default_language": HEADINGS[DEFAULT],
        "allow_choice_duplicates": "yes" if twice else "",
        "fk::lists": " ".join(checklist.lists),
        "fk::own": " ".join(own),
        "fk::finish": checklist.finish or "",
        "fk::paper": checklist.paper or "",
        "fk::number": checklist.number,
    }
    title = _words("fk::title", checklist.title)
    del title[f"fk::title::{HEADINGS[DEFAULT]}"]
    return cells | title | _words("fk::form", checklist.form)


def _entity(entity: Entity) -> Cells:
    return {
        "list_name": entity.list,
        "label": entity.label,
        "entity_id": entity.id,
        "create_if": entity.create_if,
        "update_if": entity.update_if,
    }


def _section(section: Section, names: _ListNames) -> Iterator[Cells]:
    yield {"type": "begin_group", "name": section.id, "relevant": section.relevant} | _words(
        "label", section.title
    )
    for item in section.items:
        yield from _rows(item, names)
    yield {"type": "end_group", "name": section.id}


def _rows(item: Item, names: _ListNames) -> Iterator[Cells]:
    yield _item(item, names)
    if KINDS[item.kind].holds:
        for inner in item.items:
            yield from _rows(inner, names)
        yield {"type": KINDS[item.kind].question.replace("begin", "end"), "name": item.id}


def _item(item: Item, names: _ListNames) -> Cells:
    look = [item.appearance]
    look += ["multiline"] if item.multiline else ["signature"] if item.kind == "signature" else []
    cells = {
        "type": _type(item, names),
        "name": item.id,
        "relevant": item.relevant,
        "read_only": _yes(item.read_only),
        "constraint": item.constraint,
        "calculation": item.calculate,
        "default": _default(item),
        "choice_filter": item.choice_filter,
        "repeat_count": item.count,
        "appearance": " ".join(word for word in look if word),
        "save_to": item.save_to,
        "fk::kind": item.kind if item.kind == "yesno" else "",
        "fk::procedure": item.procedure,
        "fk::accept": " ".join(item.accept),
        "fk::role": item.role or "",
    }
    cells["fk::required" if item.answered_by == "procedure" else "required"] = _yes(item.required)
    if item.range is not None:
        cells["parameters"] = f"start={item.range.start} end={item.range.end} step={item.range.step}"
    if item.options:
        cells["fk::with"] = msgspec.json.encode(item.options).decode()
    return (
        cells
        | _media(item.media)
        | _words("label", item.label)
        | _words("hint", item.hint)
        | _words("guidance_hint", item.guidance)
        | _words("required_message", item.required_message)
        | _words("constraint_message", item.constraint_message)
    )


def _type(item: Item, names: _ListNames) -> str:
    if item.kind == "metadata":
        return item.metadata or ""
    if item.kind == "calculate" and not item.calculate:
        return "hidden"
    of = names.of(item)
    return f"{KINDS[item.kind].question} {of}" if of else KINDS[item.kind].question


def _yes(rule: bool | str) -> str:
    return rule if isinstance(rule, str) else "yes" if rule else ""


def _default(item: Item) -> str:
    """What stands in `default`, so that it is a text, or an expression, for who reads it."""
    if item.prefill:
        if dynamic(item.prefill, item.kind) and not CONSTANT.fullmatch(item.prefill):
            return item.prefill
        problem = M(
            "`{id}`: the prefill would be read as a text: {start}", id=item.id, start=item.prefill[:60]
        )
        raise _impossible("survey", "default", problem)
    if not dynamic(item.default, item.kind) and not CONSTANT.fullmatch(item.default):
        return item.default
    quote = "'" if "'" not in item.default else '"'
    if quote in item.default:
        problem = M("`{id}`: the default would be read as an expression: {start}", id=item.id,
                    start=item.default[:60])  # fmt: skip
        raise _impossible("survey", "default", problem)
    return f"concat({quote}{item.default}{quote})"


def _media(names: Sequence[str]) -> Cells:
    by_column: dict[str, str] = {}
    for name in names:
        ending = name.rpartition(".")[2].lower()
        wanted = ("image", "big-image") if ending in PICTURES else ("video",) if ending in FILMS else ()
        wanted = wanted or (("audio",) if ending in SOUNDS else ())
        free = [column for column in wanted if column not in by_column]
        if free:
            by_column[free[0]] = name
    cells = {f"{column}::{title}": name for column, name in by_column.items() for title in HEADINGS.values()}
    if tuple(by_column[column] for column in MEDIA if column in by_column) != tuple(names):
        cells["fk::media"] = "\n".join(names)
    return cells


def _words(name: str, words: Words | None) -> Cells:
    return {f"{name}::{title}": getattr(words, code) for code, title in HEADINGS.items()} if words else {}


def _list(name: str, choices: Sequence[Choice]) -> Iterator[Cells]:
    for choice in choices:
        _free(choice.columns)
        yield {"list_name": name, "name": choice.value} | choice.columns | _words("label", choice.label)


def _free(columns_of_choice: Mapping[str, str]) -> None:
    """Nothing, if these names are those of columns that mean nothing else."""
    for name in columns_of_choice:
        if (
            heading(name, "choices").name in (*CHOICES, *MEDIA)
            or name != name.strip()
            or name.startswith("fk:")
        ):
            raise _impossible("choices", name, M("The column has a meaning of its own in a form."))


def _fits(made: Sheets) -> None:
    for name, rows in made.items():
        if len(rows) >= MOST_ROWS:
            raise FormImpossible(
                M("The checklist has too many lines for a form: {count}.", count=len(rows)),
                unchanged=M("No form was written."),
            )
        for cells in rows:
            for title, text in cells.items():
                if len(text) > LONGEST:
                    message = M("A text is longer than a cell holds: {start}…", start=text[:60])
                    raise _impossible(name, title, message)
                if title == "form_title" and "${" in text:
                    message = M(
                        "A text with ${{ would be read as an answer in a form: {start}", start=text[:60]
                    )
                    raise _impossible(name, title, message)


def _impossible(sheet: str, column: str, problem: Message) -> FormImpossible:
    return FormImpossible(
        M("{sheet}, {column}: {problem}", sheet=sheet, column=column, problem=problem),
        unchanged=M("No form was written."),
        hint=M("Shorten or reword it in the checklist."),
    )
