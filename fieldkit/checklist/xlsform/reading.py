"""The rows of an XLSForm into a checklist: all that a row says is taken over, or refused with its cell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from fieldkit.checklist.errors import FormInvalid, FormProblem
from fieldkit.checklist.kinds import KINDS, ROLES, YES_NO, Choice, Item
from fieldkit.checklist.load import Place, wrong
from fieldkit.checklist.model import Checklist, Finish, Paper, Section
from fieldkit.checklist.xlsform.choices import ListedChoice, lists
from fieldkit.checklist.xlsform.columns import (
    HEADINGS,
    LEFT_LOOKS,
    LEFT_SETTINGS,
    LEFT_TYPES,
    PICTURE,
    REFUSED_SHEETS,
    SETTINGS,
    SHEETS,
    SURVEY,
    column,
    language,
)
from fieldkit.checklist.xlsform.table import Table
from fieldkit.checklist.xlsform.workbook import SheetRow, Worksheet, read
from fieldkit.text import M, Message, Words

WHOLE = ". = int(.)"
WHOLE_SAID = Words(vi="Nhập một số nguyên.", en="Enter a whole number.")
CONFIRMED = Choice("OK", Words(vi="Đã xác nhận", en="Confirmed"))

_SELECT = re.compile(
    r"(?P<how>select[_ ]one|select1|select[_ ]multiple)\s+(?P<list>\S+)(?P<more>\s.*)?", re.I
)
_KINDS = {question: name for name, kind in KINDS.items() for question in kind.questions}
_BEGIN, _END = "begin group", "end group"
_GROUP_TAKES = ("type", "name", "label", "relevant", "appearance")
_SMART = str.maketrans("‘’“”", "''\"\"")  # Excel and Word put them in the place of straight quotes
_DJ = str.maketrans("đĐ", "dD")  # no letter with a mark, so no normal form parts them
_QUESTIONS = ("name", "label", "relevant", "constraint", "constraint_message", "required", "default")


class WorkbookForm(msgspec.Struct, frozen=True):
    """What a workbook gave: the checklist, and what of it has no meaning in fieldkit, each with its cell."""

    checklist: Checklist
    left_out: tuple[FormProblem, ...]


def read_form(path: Path, procedures: Collection[str] | None = None) -> WorkbookForm:
    """The checklist in the XLSForm at `path`. procedures: the names of those there are, to be held against.

    :raises FormUnreadable: no workbook. :raises FormInvalid: with every cell that is not understood.
    """
    reader = _Reader(path, read(path, SHEETS, REFUSED_SHEETS))
    return reader.form(procedures)


class _Reader:
    """Reads the three sheets, goes on after a problem, and remembers where each part came from."""

    def __init__(self, path: Path, sheets: Mapping[str, Worksheet]) -> None:
        self._path = path
        self._sheets = sheets
        self._problems: list[FormProblem] = []
        self._left: list[FormProblem] = []
        self._places: dict[Place, FormProblem] = {}
        self._default: str | None = None
        self._lists: dict[str, list[ListedChoice]] = {}
        self._asked: set[str] = set()
        self._sections: list[Section] = []
        self._items: list[Item] = []
        self._open: tuple[Table, SheetRow, Section] | None = None

    def form(self, procedures: Collection[str] | None) -> WorkbookForm:
        head = self._settings()
        if sheet := self._sheets.get("choices"):
            self._lists = lists(sheet, self._default, self._problems)
        self._survey(head["title"])
        self._stop()
        for name, rows in self._lists.items():
            if name not in self._asked:
                nowhere = M("The list `{list}` is asked nowhere.", list=name)
                self._left.append(msgspec.structs.replace(rows[0].value, message=nowhere))
        checklist = Checklist(sections=tuple(self._sections), **head)
        for place, text, offset in wrong(checklist, procedures):
            message = text if isinstance(text, Message) else M("{problem}", problem=str(text))
            self._problems.append(self._placed(place, message, offset))
        self._stop()
        return WorkbookForm(checklist, tuple(self._left))

    def _stop(self) -> None:
        if self._problems:
            order = {name: position for position, name in enumerate(SHEETS)}
            self._problems.sort(
                key=lambda problem: (order.get(problem.sheet.lower(), 9), problem.row, problem.column)
            )
            raise FormInvalid(self._problems)

    def _placed(self, place: Place, message: Message, offset: int) -> FormProblem:
        while place and place not in self._places:
            place = place[:-1]
        if offset:
            message = M("{problem} (after {count} characters)", problem=message, count=offset)
        at = self._places.get(place) or FormProblem(str(self._path), "survey", 1, 1, message)
        return msgspec.structs.replace(at, message=message)

    # settings

    def _settings(self) -> dict[str, Any]:
        stem = self._path.stem
        head: dict[str, Any] = {"id": _name(stem), "version": "1", "title": Words.same(stem)}
        sheet = self._sheets.get("settings")
        if sheet is None or not sheet.rows:
            return head
        row = sheet.rows[0]
        for at, heading in sheet.headings.items():
            written = row.cells.get(at, "").strip()
            if column(heading)[0] == "default_language" and written.lower() not in ("", "default"):
                self._default = language(written)
                if self._default is None:
                    message = M(
                        "`{language}` is none of the languages of forms: {known}.",
                        language=written,
                        known=", ".join(HEADINGS.values()),
                    )
                    self._problems.append(sheet.problem(row.number, at, message))
        table = Table(sheet, (*SETTINGS, *LEFT_SETTINGS), self._default, self._problems)
        rows = list(table.rows())
        for extra in rows[1:]:
            table.wrong(extra.number, min(extra.cells), M("The sheet settings has one row of values."))
        for name, at in table.filled(row, LEFT_SETTINGS):
            self._left.append(
                sheet.problem(row.number, at, M("`{column}` has no meaning here.", column=name))
            )
        for key, name in (("id", "form_id"), ("version", "version")):
            if table.word(row, name):
                head[key] = table.word(row, name)
            self._mark((key,), table, row, name)
        plain, spoken = table.text(row, "form_title"), table.words(row, "fk::title")
        if "${" in plain:
            table.wrong(
                row.number, table.at("form_title"), M("A text does not show the answer of an item: ${…}.")
            )
        if plain or spoken:
            shown = spoken or Words.same(plain)
            head["title"] = msgspec.structs.replace(shown, vi=plain or shown.vi)
        if plain and table.speaks("fk::title", "vi") and spoken and spoken.vi != plain:
            message = M("The title is here twice, and not the same; leave `fk::title` in Vietnamese out.")
            table.wrong(row.number, table.at("form_title"), message)
        form = table.words(row, "fk::form")
        head |= {"form": form} if form else {}
        for key, known in (("finish", get_args(Finish)), ("paper", get_args(Paper))):
            head |= {key: self._one_of(table, row, f"fk::{key}", known)}
            self._mark((key,), table, row, f"fk::{key}")
        self._mark(("number",), table, row, "fk::number")
        return head | {"number": table.word(row, "fk::number")}

    def _one_of(self, table: Table, row: SheetRow, name: str, known: Collection[str]) -> str | None:
        """What stands there, one of `known`; None for nothing, and after a problem."""
        written = table.word(row, name)
        if not written or written in known:
            return written or None
        message = M("`{value}` is not one of: {known}.", value=written, known=", ".join(known))
        table.wrong(row.number, table.at(name), message)
        return None

    def _mark(self, place: Place, table: Table, row: SheetRow, name: str) -> None:
        self._places[place] = table.place(row, name)

    # survey

    def _survey(self, title: Words) -> None:
        sheet = self._sheets.get("survey")
        if sheet is None:
            message = M("The workbook has no sheet `survey`: it is no XLSForm.")
            self._problems.append(FormProblem(str(self._path), "survey", 1, 1, message))
            return
        table = Table(sheet, SURVEY, self._default, self._problems)
        table.want("type", "name", "label")
        for row in table.rows():
            kind = re.sub(r"[\s_]+", " ", table.word(row, "type").lower())
            if not kind:
                table.wrong(row.number, table.at("type"), M("The `{column}` is missing.", column="type"))
            elif kind == _BEGIN:
                self._begin(table, row)
            elif kind == _END:
                self._end(table, row)
            elif table.word(row, "type").lower() in LEFT_TYPES:
                message = M("`{type}` is not asked: the journal knows it.", type=table.word(row, "type"))
                self._left.append(sheet.problem(row.number, table.at("type"), message))
            else:
                if self._open is None:
                    self._loose(table, row, title)
                self._question(table, row)
        if self._open is not None and self._open[2].id:
            _, row, section = self._open
            message = M("The group `{name}` is not ended.", name=section.id)
            table.wrong(row.number, table.at("type"), message)
        self._close()

    def _loose(self, table: Table, row: SheetRow, title: Words) -> None:
        """A section for questions outside every group; it has no name so far."""
        self._open = (table, row, Section("", title, ()))

    def _begin(self, table: Table, row: SheetRow) -> None:
        if self._open is not None and self._open[2].id:
            message = M("A group in a group: a checklist has sections, and none in another.")
            table.wrong(row.number, table.at("type"), message)
        self._close()
        for name, at in table.filled(row, [heading for heading in SURVEY if heading not in _GROUP_TAKES]):
            table.wrong(row.number, at, M("A group takes no `{column}`.", column=name))
        label = self._named(table, row)
        self._looks(table, row, text=False)
        section = Section(
            table.word(row, "name") or "?",
            label or Words.same("?"),
            (),
            relevant=self._condition(table, row, "relevant"),
        )
        place: Place = ("sections", len(self._sections))
        self._mark(place, table, row, "type")
        self._mark((*place, "id"), table, row, "name")
        self._mark((*place, "relevant"), table, row, "relevant")
        self._open = (table, row, section)

    def _end(self, table: Table, row: SheetRow) -> None:
        for name, at in table.filled(row, [heading for heading in SURVEY if heading not in ("type", "name")]):
            table.wrong(row.number, at, M("The end of a group takes no `{column}`.", column=name))
        named = table.word(row, "name")
        if self._open is None or not self._open[2].id:
            table.wrong(row.number, table.at("type"), M("No group is open here."))
        elif named and named != self._open[2].id:
            message = M("The group `{name}` is open here.", name=self._open[2].id)
            table.wrong(row.number, table.at("name"), message)
        self._close()

    def _close(self) -> None:
        if self._open is None:
            return
        table, row, section = self._open
        if not section.id:
            taken = {section.id for section in self._sections}
            number = next(n for n in range(1, 9999) if f"part_{n}" not in taken)
            section = msgspec.structs.replace(section, id=f"part_{number}")
            self._mark(("sections", len(self._sections)), table, row, "type")
        self._sections.append(msgspec.structs.replace(section, items=tuple(self._items)))
        self._items = []
        self._open = None

    def _named(self, table: Table, row: SheetRow) -> Words | None:
        """The label of a row that needs a name and a label."""
        if not table.word(row, "name"):
            table.wrong(row.number, table.at("name"), M("The `{column}` is missing.", column="name"))
        label = table.words(row, "label")
        if label is None and table.has("label"):
            table.wrong(row.number, table.at("label"), M("The `{column}` is missing.", column="label"))
        return label

    def _question(self, table: Table, row: SheetRow) -> None:
        place: Place = ("sections", len(self._sections), "items", len(self._items))
        self._mark(place, table, row, "type")
        self._mark((*place, "id"), table, row, "name")
        for name in _QUESTIONS:
            self._mark((*place, name), table, row, name)
        written = table.word(row, "type")
        more = self._answered(table, row, written, place)
        label = self._named(table, row)
        if more is None or label is None:
            return
        required = self._yes(table, row, "required")
        if more["kind"] == "procedure":
            if required:
                message = M("A procedure is required by `fk::required`; no other program could answer it.")
                table.wrong(row.number, table.at("required"), message)
            required = self._yes(table, row, "fk::required")
        elif list(table.filled(row, ("fk::required",))):
            table.wrong(row.number, table.at("fk::required"), M("`fk::required` is for procedures."))
        item: dict[str, Any] = {
            "id": table.word(row, "name"),
            "label": label,
            "hint": table.words(row, "hint"),
            "required": required,
            "relevant": self._condition(table, row, "relevant"),
            "constraint": self._condition(table, row, "constraint"),
            "constraint_message": table.words(row, "constraint_message"),
            "default": table.text(row, "default"),
            "multiline": self._looks(table, row, text=more["kind"] == "text"),
        }
        self._items.append(Item(**(item | _whole(written, item) | more)))

    def _answered(self, table: Table, row: SheetRow, written: str, place: Place) -> dict[str, Any] | None:
        """What a row's type makes of its item; None after a problem."""
        select = _SELECT.fullmatch(written)
        kind: str | None = "select" if select else _KINDS.get(written.lower())
        if kind is None:
            message = M("The type `{type}` is not known to fieldkit.", type=written)
            table.wrong(row.number, table.at("type"), message)
            return None
        procedure, own = table.word(row, "fk::procedure"), table.word(row, "fk::kind")
        if own and not (select and own == "yesno"):
            message = M("`fk::kind` is {known}, on a question of type select_one.", known="yesno")
            table.wrong(row.number, table.at("fk::kind"), message)
            return None
        more: dict[str, Any] = {"kind": kind}
        if accept := table.word(row, "fk::accept"):
            self._mark((*place, "accept"), table, row, "fk::accept")
            more["accept"] = tuple(accept.split())
        elif written.lower() in ("image", "photo"):
            more["accept"] = PICTURE
        if procedure:
            self._mark((*place, "procedure"), table, row, "fk::procedure")
            more["procedure"] = procedure
            if kind == "note":
                more["kind"] = "procedure"
        if role := self._one_of(table, row, "fk::role", ROLES):
            self._mark((*place, "role"), table, row, "fk::role")
            more["role"] = role
        if options := table.text(row, "fk::with"):
            self._mark((*place, "with"), table, row, "fk::with")
            try:
                more["options"] = msgspec.json.decode(options, type=dict[str, str | int | bool])
            except (msgspec.MsgspecError, RecursionError):
                message = M(
                    '`fk::with` is a JSON object of texts, numbers and true or false: {"key": "value"}.'
                )
                table.wrong(row.number, table.at("fk::with"), message)
                return None
        if written.lower() in ("acknowledge", "trigger"):
            more["choices"] = (CONFIRMED,)
        return self._selected(table, row, select, own, place, more) if select else more

    def _selected(
        self, table: Table, row: SheetRow, select: re.Match[str], own: str, place: Place, more: dict[str, Any]
    ) -> dict[str, Any] | None:
        if (select["more"] or "").strip():
            message = M("The type `{type}` is not known to fieldkit.", type=select[0])
            table.wrong(row.number, table.at("type"), message)
            return None
        rows = self._lists.get(select["list"])
        self._asked.add(select["list"])
        if rows is None:
            message = M("The sheet choices has no list `{list}`.", list=select["list"])
            table.wrong(row.number, table.at("type"), message)
            return None
        several = "multiple" in select["how"].lower()
        choices = tuple(listed.choice for listed in rows)
        if own:
            if several or choices != YES_NO:
                known = ", ".join(
                    f"{choice.value} ({', '.join(msgspec.structs.astuple(choice.label))})"
                    for choice in YES_NO
                )
                table.wrong(
                    row.number,
                    table.at("type"),
                    M("A list for `fk::kind` yesno has just these values and words: {known}.", known=known),
                )
                return None
            return more | {"kind": own}
        for c, listed in enumerate(rows):
            self._places[(*place, "choices", c, "value")] = listed.value
            self._places[(*place, "choices", c, "label")] = listed.label
        return more | {"kind": "choices" if several else "choice", "choices": choices}

    def _condition(self, table: Table, row: SheetRow, name: str) -> str:
        return table.text(row, name).translate(_SMART)

    def _yes(self, table: Table, row: SheetRow, name: str) -> bool:
        written = table.word(row, name).lower()
        if written in ("yes", "true", "true()", "1"):
            return True
        if written not in ("", "no", "false", "false()", "0"):
            message = M("`{column}` is yes or no here; a condition belongs in `relevant`.", column=name)
            table.wrong(row.number, table.at(name), message)
        return False

    def _looks(self, table: Table, row: SheetRow, text: bool) -> bool:
        """Whether a text takes several lines; what only says how a question is drawn is left out."""
        several = False
        for word in table.word(row, "appearance").split():
            if text and word == "multiline":
                several = True
            elif LEFT_LOOKS.fullmatch(word):
                message = M("The appearance `{appearance}` has no meaning here.", appearance=word)
                self._left.append(table.sheet.problem(row.number, table.at("appearance"), message))
            else:
                message = M("The appearance `{appearance}` is not known to fieldkit.", appearance=word)
                table.wrong(row.number, table.at("appearance"), message)
        return several


def _name(stem: str) -> str:
    """A checklist's name from that of a file: "Khảo sát đợt 2" is khao-sat-dot-2."""
    plain = unicodedata.normalize("NFKD", stem.translate(_DJ)).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.]+", "-", plain).strip("-._")[:64] or "form"


def _whole(written: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """The constraint that makes a number a whole one, joined with the row's own."""
    if written.lower() not in ("integer", "int"):
        return {}
    own = item["constraint"]
    return {
        "constraint": f"({own}) and {WHOLE}" if own.strip() else WHOLE,
        "constraint_message": item["constraint_message"] or WHOLE_SAID,
    }
