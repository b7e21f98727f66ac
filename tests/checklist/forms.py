"""XLSForm workbooks for the tests, written as a spreadsheet program would, and checklists made at random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
from hypothesis import strategies as st

from fieldkit.checklist.kinds import Choice, Item
from fieldkit.checklist.model import Checklist, Section
from fieldkit.text import Words

Rows = Sequence[Sequence[Any]]

SURVEY: Rows = (
    ("type", "name", "label::Vietnamese (vi)", "label::English (en)"),
    ("text", "who", "Ai?", "Who?"),
)
CHOICES: Rows = (
    ("list_name", "name", "label::Vietnamese (vi)", "label::English (en)"),
    ("colour", "red", "Đỏ", "Red"),
    ("colour", "blue", "Xanh", "Blue"),
)


def workbook(
    path: Path, survey: Rows = SURVEY, choices: Rows = (), settings: Rows = (), **others: Rows
) -> Path:
    """A workbook with these sheets, each a list of rows from the first; None is an empty cell."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in {"survey": survey, "choices": choices, "settings": settings, **others}.items():
        if rows:
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(list(row))
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    return path


def question(*columns: tuple[str, Any], type: str = "text") -> Rows:
    """A survey with one question, `q`, and these columns besides."""
    head = ("type", "name", "label", *(name for name, _ in columns))
    return (head, (type, "q", "Q", *(value for _, value in columns)))


# Checklists at random: whatever a checklist can be, within what a form can hold.

_signs = st.characters(exclude_categories=("Cs", "Cc", "Cn"), include_characters="\n\t")
texts = (
    st.text(_signs, min_size=1, max_size=30)
    | st.sampled_from(
        ["=1+1", "_x0041_", "@SUM(A1)", "1", "TRUE", "no", "2026-11-24", "  blanks  ", "a\nb", "Lễ 😀"]
    )
).filter(lambda text: text.strip() and "${" not in text)
words = st.builds(Words, vi=texts, en=texts).map(lambda each: Words(_nfc(each.vi), _nfc(each.en)))
ids = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)
values = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,6}", fullmatch=True)
options = st.dictionaries(
    ids, texts.map(lambda text: _nfc(text)) | st.booleans() | st.integers(-(10**9), 10**9), max_size=2
)


def _nfc(text: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", text)


@st.composite
def items(draw: st.DrawFn, id: str, known: Sequence[Item]) -> Item:
    kind = draw(
        st.sampled_from(["yesno", "text", "choice", "choices", "number", "date", "file", "note", "procedure"])
    )
    asked = [each for each in known if each.kind not in ("note", "procedure")]
    more: dict[str, Any] = {"hint": draw(st.none() | words)}
    if kind != "note":
        more["required"] = draw(st.booleans())
    if asked and draw(st.booleans()):
        more["relevant"] = _condition(draw(st.sampled_from(asked)))
    if kind not in ("note", "procedure") and draw(st.booleans()):
        more["constraint"] = {
            "choices": "count-selected(.) < 3",
            "number": ". <= 10.5",
            "date": ". <= today()",
        }.get(kind, 'string-length(.) < 9 and . != "it\'s"' if kind == "text" else ". != ''")
        more["constraint_message"] = draw(st.none() | words)
    if kind in ("choice", "choices"):
        picked = draw(st.lists(values, min_size=1, max_size=4, unique=True))
        more["choices"] = tuple(Choice(value, draw(words)) for value in picked)
        more["default"] = draw(st.sampled_from(["", picked[0]]))
    if kind == "number":
        more["default"] = draw(st.sampled_from(["", "7", "3,5", "-0.25"]))
    if kind == "date":
        more["default"] = draw(st.sampled_from(["", "2026-11-24", "24/11/2026"]))
    if kind == "text":
        more["multiline"] = draw(st.booleans())
    if kind == "file":
        more["accept"] = tuple(draw(st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), max_size=3)))
    role = {"text": "officer-name", "file": "test-document", "choice": "condition"}.get(kind)
    if role is not None and draw(st.booleans()):
        more["role"] = role
    if kind == "procedure":
        more |= {"procedure": draw(ids.filter(str.isidentifier)), "options": draw(options)}
    return Item(id, kind, draw(words), **more)  # type: ignore[arg-type]


def _condition(item: Item) -> str:
    match item.kind:
        case "choice":
            return f"${{{item.id}}} = '{item.choices[0].value}'"
        case "choices":
            return f"selected(${{{item.id}}}, '{item.choices[-1].value}')"
        case "number":
            return f"${{{item.id}}} + 1 > 2.5"
        case "date":
            return f"${{{item.id}}} < today() - 30"
    return f"${{{item.id}}} != ''"


@st.composite
def checklists(draw: st.DrawFn) -> Checklist:
    names = draw(st.lists(ids, min_size=1, max_size=8, unique=True))
    made: list[Item] = []
    for name in names:
        made.append(draw(items(name, made)))
    sections: list[Section] = []
    for id in draw(st.lists(ids, min_size=1, max_size=3, unique=True)):
        count = draw(st.integers(0, len(made)))
        asked = [
            each for section in sections for each in section.items if each.kind not in ("note", "procedure")
        ]
        relevant = _condition(draw(st.sampled_from(asked))) if asked and draw(st.booleans()) else ""
        sections.append(Section(id, draw(words), tuple(made[:count]), relevant))
        made = made[count:]
    form = draw(st.none() | words)
    name = draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,12}", fullmatch=True))
    finish, paper = draw(
        st.sampled_from([(None, None), ("handover", None), ("handover", "handover"), ("record", "form")])
    )
    return Checklist(
        name,
        draw(texts.map(str.strip).map(_nfc)),
        draw(words),
        tuple(sections),
        form,
        finish,
        paper,
        draw(st.sampled_from(["", "PKS", "HS-2"])),
    )
