"""XLSForm workbooks for the tests, written as a spreadsheet program would, and checklists made at random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
from hypothesis import strategies as st

from fieldkit.checklist.kinds import KINDS, Choice, Item, Kind, Steps
from fieldkit.checklist.model import Checklist, Entity, Section
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


ASKED: tuple[Kind, ...] = (
    "yesno", "text", "choice", "choices", "rank", "acknowledge", "number", "integer", "range", "date", "time",
    "datetime", "place", "barcode", "file", "image", "audio", "video", "signature", "note", "calculate",
    "metadata", "procedure",
)  # fmt: skip
CONSTRAINTS: dict[Kind, str] = {
    "choices": "count-selected(.) < 3",
    "number": ". <= 10.5",
    "integer": ". <= 10",
    "date": ". <= today()",
    "text": 'string-length(.) < 9 and . != "it\'s"',
}
DEFAULTS: dict[Kind, Sequence[str]] = {
    "number": ["7", "3,5", "-0.25"],
    "date": ["2026-11-24", "24/11/2026"],
    "text": ["a - b", "f(x)", "x"],
    "time": ["8:30"],
    "place": ["-21.5 105.8"],
}


@st.composite
def choices(draw: st.DrawFn, columns: bool) -> tuple[Choice, ...]:
    picked = draw(st.lists(values, min_size=1, max_size=4, unique=True))
    more = st.dictionaries(st.sampled_from(["State", "zone"]), values, max_size=2) if columns else st.just({})
    return tuple(Choice(value, draw(words), draw(more)) for value in picked)


@st.composite
def items(draw: st.DrawFn, id: str, known: Sequence[Item], lists: dict[str, tuple[Choice, ...]]) -> Item:
    kind = draw(st.sampled_from(ASKED))
    takes = KINDS[kind].takes
    asked = [each for each in known if each.kind not in ("note", "procedure", "calculate", "metadata")]
    more: dict[str, Any] = {"hint": draw(st.none() | words), "guidance": draw(st.none() | words)}
    if "required" in takes:
        more["required"] = draw(st.booleans())
        more["required_message"] = draw(st.none() | words) if "required_message" in takes else None
    if "read_only" in takes and kind != "procedure":
        more["read_only"] = draw(st.booleans())
    for key in ("relevant", "required", "read_only"):
        if asked and (key == "relevant" or (key in more and kind != "procedure")) and draw(st.booleans()):
            more[key] = _condition(draw(st.sampled_from(asked)), lists)
    if "constraint" in takes and draw(st.booleans()):
        more["constraint"] = CONSTRAINTS.get(kind, "true()")
        more["constraint_message"] = draw(st.none() | words)
    if "choices" in takes:
        name = draw(st.sampled_from(["", *lists]))
        more |= {"list": name} if name else {"choices": draw(choices(columns=draw(st.booleans())))}
        more["choice_filter"] = draw(st.sampled_from(["", "true()"]))
        more["default"] = (
            "" if name or kind == "rank" else draw(st.sampled_from(["", more["choices"][0].value]))
        )
    if kind in DEFAULTS:
        more["default"] = draw(st.sampled_from(["", *DEFAULTS[kind]]))
        if not more["default"] and draw(st.booleans()):
            more["prefill"] = {"date": "today()", "text": "concat('a', 'b')", "number": "1 + 1"}.get(kind, "")
    if "calculate" in takes and kind != "calculate":
        more["calculate"] = draw(st.sampled_from(["", "", "'x'"]))
    if kind == "text":
        more["multiline"] = draw(st.booleans())
    if "accept" in takes:
        more["accept"] = tuple(draw(st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), max_size=3)))
    if kind == "range":
        more["range"] = Steps("0", "10", "2.5")
    if kind == "calculate":
        more |= draw(st.sampled_from([{"calculate": "1 + 1"}, {"default": "x"}]))
    if kind == "metadata":
        more["metadata"] = draw(st.sampled_from(["start", "end", "today", "username", "deviceid"]))
    more["media"] = tuple(
        draw(st.lists(st.sampled_from(["a.png", "b.png", "c.png", "d.mp3", "e.txt"]), unique=True))
    )
    more["appearance"] = draw(st.sampled_from(["", "minimal", "w1 columns-2"]))
    role = {"text": "officer-name", "file": "test-document", "choice": "condition"}.get(kind)
    if role is not None and draw(st.booleans()):
        more["role"] = role
    if kind == "procedure":
        more |= {"procedure": draw(ids.filter(str.isidentifier)), "options": draw(options)}
    return Item(id, kind, draw(words), **more)


@st.composite
def trees(
    draw: st.DrawFn, names: list[str], known: list[Item], lists: dict[str, tuple[Choice, ...]], depth: int = 0
) -> tuple[Item, ...]:
    """Items of these names, some of them in groups and repeats. known: those outside all repeats so far."""
    made: list[Item] = []
    while names:
        name, *names = names
        if not names or depth == 3 or draw(st.integers(0, 3)):
            made.append(
                draw(items(name, known, lists).filter(lambda item: not depth or item.kind != "procedure"))
            )
            known.append(made[-1])
            continue
        inside = draw(st.integers(1, len(names)))
        relevant = _condition(known[0], lists) if known and draw(st.booleans()) else ""
        kind = draw(st.sampled_from(["group", "repeat"]))
        around = known if kind == "group" else list(known)
        below = draw(trees(names[:inside], around, lists, depth + 1))
        names = names[inside:]
        count = draw(st.sampled_from(["", "2 + 1"])) if kind == "repeat" else ""
        made.append(Item(name, kind, draw(words), items=below, count=count, relevant=relevant))
    return tuple(made)


def _condition(item: Item, lists: dict[str, tuple[Choice, ...]]) -> str:
    offered = item.choices or lists.get(item.list, ())
    match item.kind:
        case "choice":
            return f"${{{item.id}}} = '{offered[0].value}'"
        case "choices" | "rank":
            return f"selected(${{{item.id}}}, '{offered[-1].value}')"
        case "number" | "integer" | "range":
            return f"${{{item.id}}} + 1 > 2.5"
        case "date":
            return f"${{{item.id}}} < today() - 30"
    return f"${{{item.id}}} != ''" if item.kind in ("text", "barcode", "file", "yesno") else "1 = 1"


@st.composite
def checklists(draw: st.DrawFn) -> Checklist:
    names = draw(st.lists(ids, min_size=1, max_size=9, unique=True))
    listed = st.sampled_from(["shared", "towns", names[0]])
    lists = draw(st.dictionaries(listed, choices(columns=True), max_size=2))
    known: list[Item] = []
    sections: list[Section] = []
    for id in draw(st.lists(ids, min_size=1, max_size=3, unique=True)):
        count = draw(st.integers(0, len(names)))
        asked = [each for each in known if each.kind not in ("note", "procedure", "calculate", "metadata")]
        relevant = _condition(draw(st.sampled_from(asked)), lists) if asked and draw(st.booleans()) else ""
        below = draw(trees(names[:count], known, lists))
        sections.append(Section(id, draw(words), below, relevant))
        names = names[count:]
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
        lists,
        draw(st.sampled_from([None, Entity("devices", "a", "b", "true()", "false()")])),
    )
