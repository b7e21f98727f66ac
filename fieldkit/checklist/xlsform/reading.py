"""The sheets of an XLSForm into a checklist: what they say is taken over, said to be left out, or refused.

Every mistake is told at once, with its cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from fieldkit.checklist.errors import FormInvalid, FormProblem
from fieldkit.checklist.load import Place, wrong
from fieldkit.checklist.model import Checklist, Entity, Finish, Paper
from fieldkit.checklist.xlsform.choices import ChoiceList, lists
from fieldkit.checklist.xlsform.columns import ENTITIES, READ, SETTINGS, SHEETS, heading, language
from fieldkit.checklist.xlsform.items import Items
from fieldkit.checklist.xlsform.table import Notes, Table
from fieldkit.checklist.xlsform.tree import NAMED, Survey
from fieldkit.checklist.xlsform.workbook import SheetRow, Worksheet, read_worksheets
from fieldkit.text import M, Message, Words

_DJ = str.maketrans("đĐ", "dD")  # no letter with a mark, so no normal form parts them
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class WorkbookForm(msgspec.Struct, frozen=True):
    """What a workbook gave: the checklist, and what of it has no meaning in fieldkit, each with its cell."""

    checklist: Checklist
    left_out: tuple[FormProblem, ...]


def read_form(path: Path, procedures: Collection[str] | None = None) -> WorkbookForm:
    """The checklist in the XLSForm at `path`. procedures: the names of those there are, to be held against.

    :raises FormUnreadable: no workbook. :raises FormInvalid: with every cell that is not understood.
    """
    sheets, problems = read_worksheets(path, SHEETS)
    return _Reader(path, sheets, problems).form(procedures)


class _Reader:
    """Reads the sheets, goes on after a problem, and remembers where each part came from."""

    def __init__(self, path: Path, sheets: Mapping[str, Worksheet], problems: list[FormProblem]) -> None:
        self._path = path
        self._sheets = sheets
        self._notes = Notes(problems)
        self._places: dict[Place, FormProblem] = {}
        self._default: str | None = None
        self._stand_ins: set[str] = set()
        self._standing: list[tuple[str, bool, FormProblem]] = []

    def form(self, procedures: Collection[str] | None) -> WorkbookForm:
        head = self._settings()
        by_name, external = self._lists("choices", head.pop("twice")), self._lists("external_choices", True)
        for name, shared, at in self._standing:
            if name in by_name:
                by_name[name].shared = shared
            else:
                message = M("The sheet choices has no list `{list}`.", list=name)
                self._notes.wrong(msgspec.structs.replace(at, message=message))
        sheet = self._sheets.get("survey")
        if sheet is None:
            message = M("The workbook has no sheet `survey`: it is no XLSForm.")
            self._notes.wrong(FormProblem(str(self._path), "survey", 1, 1, message))
            raise self._invalid()
        table = Table(sheet, READ, self._notes, self._default, of="survey")
        if not table.want("type", "name"):
            raise self._invalid()
        survey = Survey(table)
        for key, name in (("title", "form_title"), ("id", "form_id")):
            if written := survey.settings.get(name):
                head[key] = Words.same(written) if key == "title" else _name(written)
        items = Items(self._path, survey, by_name, external, self._notes, self._places, self._default)
        sections = items.sections(head["title"])
        self._stand_ins = items.stand_ins
        entity = self._entity()
        if (osm := self._sheets.get("osm")) and osm.rows:
            self._notes.leave(osm.problem(1, 1, M("The sheet `{name}` has no meaning here.", name="osm")))
        checklist = Checklist(sections=sections, lists=items.lists, entity=entity, **head)
        for place, text, offset in wrong(checklist, procedures):
            if not self._follows(checklist, place):
                message = text if isinstance(text, Message) else M("{problem}", problem=str(text))
                self._notes.wrong(self._placed(place, message, offset))
        if self._notes.problems:
            raise self._invalid()
        return WorkbookForm(checklist, tuple(sorted(self._notes.left, key=_position)))

    def _invalid(self) -> FormInvalid:
        return FormInvalid(sorted(self._notes.problems, key=_position))

    def _follows(self, checklist: Checklist, place: Place) -> bool:
        """Whether a mistake is about an item that is not there, or is none, for another mistake told."""
        if place == ("sections",):
            return bool(self._notes.problems)
        value: Any = checklist
        for step in place:
            try:
                if isinstance(step, int) or isinstance(value, dict):
                    value = value[step]
                else:
                    value = getattr(value, step)
            except (AttributeError, IndexError, KeyError):
                return False
        texts = msgspec.structs.astuple(value) if isinstance(value, Words) else (value,)
        return any(
            match[1] in self._stand_ins
            for text in texts
            if isinstance(text, str)
            for match in NAMED.finditer(text)
        )

    def _placed(self, place: Place, message: Message, offset: int) -> FormProblem:
        while place and place not in self._places:
            place = place[:-1]
        if offset:
            message = M("{problem} (after {count} characters)", problem=message, count=offset)
        at = self._places.get(place) or FormProblem(str(self._path), "survey", 1, 1, message)
        return msgspec.structs.replace(at, message=message)

    def _lists(self, name: str, twice: bool) -> dict[str, ChoiceList]:
        sheet = self._sheets.get(name)
        return lists(sheet, self._default, self._notes, twice=twice) if sheet else {}

    def _settings(self) -> dict[str, Any]:
        stem = self._path.stem
        head: dict[str, Any] = {"id": _name(stem), "version": "1", "title": Words.same(stem), "twice": False}
        sheet = self._sheets.get("settings")
        if sheet is None or not sheet.rows:
            return head
        row = sheet.rows[0]
        for at, text in sheet.headings.items():
            written = row.cells.get(at, "").strip()
            if heading(text, "settings").name == "default_language" and written.lower() != "default":
                self._default = language(written) if written else None
        table = Table(sheet, SETTINGS, self._notes, self._default)
        rows = list(table.rows())
        for extra in rows[1:]:
            self._notes.leave(
                sheet.problem(extra.number, min(extra.cells), M("The sheet settings has one row of values."))
            )
        head["twice"] = table.word(row, "allow_choice_duplicates").lower() in ("yes", "true", "true()")
        if written := table.word(row, "form_id"):
            head["id"] = written if _NAME.fullmatch(written) else _name(written)
            if head["id"] != written:
                message = M(
                    "`{value}` is no name of a checklist: it is called `{id}`.", value=written, id=head["id"]
                )
                table.leave(row, "form_id", message)
        if table.word(row, "version"):
            head["version"] = table.word(row, "version")
        for key, name in (("id", "form_id"), ("version", "version"), ("number", "fk::number")):
            self._places[(key,)] = table.place(row, name)
        for column, shared in (("fk::lists", True), ("fk::own", False)):
            place = table.place(row, column)
            self._standing += [(name, shared, place) for name in table.word(row, column).split()]
        self._titles(table, row, head)
        form = table.words(row, "fk::form")
        head |= {"form": form} if form else {}
        for key, known in (("finish", get_args(Finish)), ("paper", get_args(Paper))):
            head |= {key: one_of(table, row, f"fk::{key}", known)}
            self._places[(key,)] = table.place(row, f"fk::{key}")
        return head | {"number": table.word(row, "fk::number")}

    def _titles(self, table: Table, row: SheetRow, head: dict[str, Any]) -> None:
        plain, spoken = table.text(row, "form_title"), table.words(row, "fk::title")
        if "${" in plain:
            table.wrong(row, "form_title", M("A title does not show the answer of an item: ${…}."))
        if plain or spoken:
            shown = spoken or Words.same(plain)
            head["title"] = msgspec.structs.replace(shown, vi=plain or shown.vi)
        if plain and table.speaks("fk::title", "vi") and spoken and spoken.vi != plain:
            message = M("The title is here twice, and not the same; leave `fk::title` in Vietnamese out.")
            table.wrong(row, "form_title", message)

    def _entity(self) -> Entity | None:
        sheet = self._sheets.get("entities")
        if sheet is None or not sheet.rows:
            return None
        table = Table(sheet, ENTITIES, self._notes, self._default)
        rows = list(table.rows())
        for row in rows[1:]:
            table.wrong(row, "list_name", M("A checklist has one entity."))
        row = rows[0]
        if not table.word(row, "list_name"):
            table.wrong(row, "list_name", M("The `{column}` is missing.", column="list_name"))
        label = table.words(row, "label")
        self._places[("entity",)] = table.place(row, "list_name")
        for key, name in (
            ("label", "label"),
            ("id", "entity_id"),
            ("create_if", "create_if"),
            ("update_if", "update_if"),
        ):
            self._places["entity", key] = table.place(row, name)
        return Entity(
            table.word(row, "list_name"),
            label.vi if label else "",
            table.word(row, "entity_id"),
            table.word(row, "create_if"),
            table.word(row, "update_if"),
        )


def one_of(table: Table, row: SheetRow, name: str, known: Collection[str]) -> str | None:
    """What stands there, one of `known`; None for nothing, and after a problem."""
    written = table.word(row, name)
    if not written or written in known:
        return written or None
    table.wrong(row, name, M("`{value}` is not one of: {known}.", value=written, known=", ".join(known)))
    return None


def _position(problem: FormProblem) -> tuple[int, int, int]:
    name = problem.sheet.strip().lower()
    return SHEETS.index(name) if name in SHEETS else len(SHEETS), problem.row, problem.column


def _name(stem: str) -> str:
    """A checklist's name from that of a file: "Khảo sát đợt 2" is Khao-sat-dot-2."""
    plain = unicodedata.normalize("NFKD", stem.translate(_DJ)).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.]+", "-", plain).strip("-._")[:64] or "form"
