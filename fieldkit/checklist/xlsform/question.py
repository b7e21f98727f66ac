"""What the column `type` of a row says, in all the spellings that XLSForm has had.

question_type("select one from colours or_other")    QuestionType("choice", list="colours", other=True)
"""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

from fieldkit.checklist.kinds import KINDS, Kind, Metadata
from fieldkit.text import Words

Standing = Literal["asked", "begin", "end", "left", "external", "setting"]


class QuestionType(msgspec.Struct, frozen=True):
    """A type taken apart.

    standing: a question, the begin or end of a group, a row without a question (left out), a file of choices,
    or a setting. kind: of its item; None where it is none. list: what it is chosen from, or looped over.
    source: where that list is. other: the choice "other" is offered besides. metadata: which.
    """

    kind: Kind | None = None
    standing: Standing = "asked"
    list: str = ""
    source: Literal["choices", "external", "file"] = "choices"
    other: bool = False
    loop: bool = False
    metadata: Metadata | None = None
    constraint: str = ""
    hint: Words | None = None
    drawn: bool = False


_KINDS: dict[str, Kind] = {question: name for name, kind in KINDS.items() for question in kind.questions}
_KINDS |= {
    "date time": "datetime",
    "picture": "image",
    "select all that apply": "choices",
}
_METADATA: dict[str, Metadata] = {name: name for name in get_args(Metadata)}
_METADATA |= {
    "start time": "start",
    "end time": "end",
    "device id": "deviceid",
    "imei": "deviceid",
    "uri:deviceid": "deviceid",
    "uri:username": "username",
}
_LEFT = frozenset(
    (
        "audit", "email", "phonenumber", "simserial", "subscriberid", "sim id", "subscriber id",
        "get phone number", "uri:email", "uri:phonenumber", "uri:simserial", "uri:subscriberid",
        "start-geopoint", "background-audio", "background-geopoint",
    )
)  # fmt: skip
_DRAWN: dict[str, Kind] = {"geotrace": "text", "geoshape": "text"}
"""What is drawn on a map elsewhere, and taken as what can be entered here."""
_NUMBERS = Words("Chỉ nhập chữ số.", "Enter numbers only.")
_READY: dict[str, tuple[Kind, str, Words | None]] = {
    "phone number": ("text", r"regex(., '^\d*$')", _NUMBERS),
    "percentage": ("integer", "0 <= . and . <= 100", None),
    "number of days in last month": ("integer", "0 <= . and . <= 31", Words("Nhập 0–31.", "Enter 0–31.")),
    "number of days in last six months": (
        "integer",
        "0 <= . and . <= 183",
        Words("Nhập 0–183.", "Enter 0–183."),
    ),
    "number of days in last year": ("integer", "0 <= . and . <= 365", Words("Nhập 0–365.", "Enter 0–365.")),
}
"""Types that bring a condition of their own."""
_SETTINGS = {"set form title": "form_title", "set form id": "form_id"}

_BEGIN = re.compile(
    r"begin[ _](?P<type>group|repeat|lgroup|looped group|loop)(?: (?:over )?(?P<list>\S+))?", re.I
)
_END = re.compile(r"end[ _](?P<type>group|repeat|lgroup|looped group|loop)", re.I)
_SELECT = re.compile(
    r"(?:add )?(?P<how>select[ _]one[ _]external|select[ _]one[ _]from[ _]file"
    r"|select[ _]multiple[ _]from[ _]file|select[ _]one|select1|select[ _]multiple"
    r"|select[ _]all[ _]that[ _]apply|rank)"
    r"(?: prompt)?(?: from| using)? (?P<list>\S+)(?: (?P<other>or specify other|or_other|or other))?",
    re.I,
)
_PROMPT = re.compile(r"(?:add|q|get) (?P<type>.+?)(?: prompt)?")


def question_type(written: str) -> QuestionType | None:
    """What a type says; None where nobody knows it."""
    text = " ".join(written.split())
    if match := _BEGIN.fullmatch(text):
        type = match["type"].lower()
        loop = type == "loop"
        if loop is not bool(match["list"]):
            return None
        return QuestionType(
            "group" if type in ("group", "loop") else "repeat", "begin", match["list"] or "", loop=loop
        )
    if match := _END.fullmatch(text):
        type = match["type"].lower()
        return QuestionType("group" if type in ("group", "loop") else "repeat", "end", loop=type == "loop")
    if match := _SELECT.fullmatch(text):
        return _select(match)
    return _plain(text.lower())


def _select(match: re.Match[str]) -> QuestionType:
    how = match["how"].lower().replace("_", " ")
    kind: Kind = "rank" if how == "rank" else "choices" if "multiple" in how or "all" in how else "choice"
    source = "external" if "external" in how else "file" if "file" in how else "choices"
    return QuestionType(kind, list=match["list"], source=source, other=bool(match["other"]))  # type: ignore[arg-type]


def _plain(text: str) -> QuestionType | None:
    spaced = text.replace("_", " ")
    if spaced in _SETTINGS:
        return QuestionType(standing="setting", list=_SETTINGS[spaced])
    if text in ("csv-external", "xml-external"):
        return QuestionType(standing="external", list=text)
    if spaced in _LEFT:
        return QuestionType(standing="left")
    if spaced in _READY:
        kind, constraint, hint = _READY[spaced]
        return QuestionType(kind, constraint=constraint, hint=hint)
    prompt = _PROMPT.fullmatch(spaced)
    for type in (spaced, *([prompt["type"]] if prompt else ())):
        if type in _METADATA:
            return QuestionType("metadata", metadata=_METADATA[type])
        if type in _KINDS:
            return QuestionType(_KINDS[type])
        if type in _DRAWN:
            return QuestionType(_DRAWN[type], drawn=True)
        if type == "osm" or type.startswith("osm "):
            return QuestionType("file", drawn=True)
        if type in _LEFT:
            return QuestionType(standing="left")
    return None
