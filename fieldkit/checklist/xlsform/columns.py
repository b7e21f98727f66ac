"""The part of XLSForm that fieldkit knows: sheets and columns in their spellings, and the languages of texts.

Texts for people take `::Vietnamese (vi)` and `::English (en)`, or another language, after their name.
"""

from __future__ import annotations

import re

import msgspec

from fieldkit.i18n import LANGUAGES
from fieldkit.text import Words

HEADINGS = {code: f"{LANGUAGES[code].english} ({code})" for code in Words.__struct_fields__}
"""What follows the `::` of a text's column, by the languages that every text has."""

SHEETS = ("survey", "choices", "settings", "external_choices", "entities", "osm")

SURVEY = (
    "type",
    "name",
    "label",
    "hint",
    "guidance_hint",
    "required",
    "required_message",
    "read_only",
    "relevant",
    "constraint",
    "constraint_message",
    "calculation",
    "default",
    "choice_filter",
    "repeat_count",
    "parameters",
    "appearance",
    "image",
    "big-image",
    "audio",
    "video",
    "save_to",
    "fk::kind",
    "fk::procedure",
    "fk::with",
    "fk::accept",
    "fk::required",
    "fk::role",
    "fk::media",
)
READ = (*SURVEY, "disabled", "trigger", "bind::type")
"""The columns of `survey` that are read: those that are written, and what others write besides."""
CHOICES = ("list_name", "name", "label")
SETTINGS = (
    "form_title",
    "form_id",
    "version",
    "default_language",
    "allow_choice_duplicates",
    "fk::title",
    "fk::form",
    "fk::finish",
    "fk::paper",
    "fk::number",
    "fk::lists",
    "fk::own",
)
ENTITIES = ("list_name", "label", "entity_id", "create_if", "update_if")
MEDIA = ("image", "big-image", "audio", "video")
SPOKEN = (
    "label",
    "hint",
    "guidance_hint",
    "required_message",
    "constraint_message",
    *MEDIA,
    "fk::title",
    "fk::form",
)

_BOUND = {
    "relevant": "relevant",
    "required": "required",
    "readonly": "read_only",
    "constraint": "constraint",
    "calculate": "calculation",
    "jr:constraintmsg": "constraint_message",
    "jr:requiredmsg": "required_message",
    "entities:saveto": "save_to",
}
SAME = {
    "survey": {
        "relevance": "relevant",
        "readonly": "read_only",
        "constraint_msg": "constraint_message",
        "constraining_message": "constraint_message",
        "jr:constraintmsg": "constraint_message",
        "requiredmsg": "required_message",
        "jr:requiredmsg": "required_message",
        "calculate": "calculation",
        "count": "repeat_count",
        "jr:count": "repeat_count",
        "caption": "label",
        "command": "type",
        "tag": "name",
        "value": "name",
        **{f"bind::{key}": name for key, name in _BOUND.items()},
        **{f"media::{name}": name for name in MEDIA},
        **{f"{group}::appearance": "appearance" for group in ("control", "body")},
        **{f"{group}::jr:count": "repeat_count" for group in ("control", "body")},
    },
    "choices": {"value": "name", "caption": "label", **{f"media::{name}": name for name in MEDIA}},
    "settings": {
        "id_string": "form_id",
        "title": "form_title",
        "set_form_title": "form_title",
        "set_form_id": "form_id",
    },
    "entities": {"dataset": "list_name"},
}
"""By sheet, other spellings of its columns."""
SAME["external_choices"] = SAME["choices"]

_CODES = {
    spelling: code
    for code in HEADINGS
    for spelling in (
        code,
        LANGUAGES[code].name.lower(),
        LANGUAGES[code].english.lower(),
        *LANGUAGES[code].spellings,
    )
}
_LANGUAGE = re.compile(r"(?P<name>[^()]*?)\s*(?:\((?P<code>[A-Za-z-]+)\))?")
_GROUPS = ("bind", "control", "body", "media", "instance", "fk")


class Heading(msgspec.Struct, frozen=True):
    """A heading taken apart: its column, and what follows it: "Label :: English (en)"."""

    name: str
    tail: str = ""


def heading(text: str, sheet: str = "survey") -> Heading:
    """The column that `text` heads in that sheet."""
    if "::" in text:
        parts = [part.strip() for part in text.split("::")]
    else:
        parts = [part.strip() for part in re.sub(r"\bjr\s*:\s*", "jr\0", text, flags=re.I).split(":")]
        parts = [part.replace("\0", ":") for part in parts]
    head = parts.pop(0)
    if head.lower() in _GROUPS and parts:
        head = f"{head}::{parts.pop(0)}"
    name = re.sub(r"\s+", "_", head.strip().lower())
    return Heading(SAME.get(sheet, {}).get(name, name), "::".join(parts))


def language(written: str) -> str | None:
    """The code of "Vietnamese (vi)", "vi", "Tiếng Việt", "English"…, of another language its code or name.

    None where the name is that of one language and the code that of another.
    """
    match = _LANGUAGE.fullmatch(written.strip())
    if match is None:
        return written.strip().lower() or None
    name, code = match["name"].lower(), (match["code"] or "").lower()
    named, coded = _CODES.get(name), _CODES.get(code)
    if not code:
        return named or name or None
    if named is not None and coded not in (named, None):
        return None
    return coded or named or code
