"""The part of XLSForm that fieldkit knows: sheets, columns in their spellings, types of question.

    sheet     columns
    survey    type name label hint required relevant constraint constraint_message default appearance
              fk::kind fk::procedure fk::with fk::accept fk::required fk::role
    choices   list_name name label
    settings  form_title form_id version default_language, fk::title fk::form
              fk::finish fk::paper fk::number

Texts for people (label, hint, constraint_message, fk::title, fk::form) take `::Vietnamese (vi)` and
`::English (en)` after their name. Whatever else holds a value is refused with its cell.
"""

from __future__ import annotations

import re

from fieldkit.i18n import LANGUAGES
from fieldkit.text import Words

HEADINGS = {code: f"{LANGUAGES[code].english} ({code})" for code in Words.__struct_fields__}
"""What follows the `::` of a text's column, by the languages that forms hold texts in."""

SHEETS = ("survey", "choices", "settings")
REFUSED_SHEETS = ("external_choices", "entities", "osm")  # they change what is asked

SURVEY = (
    "type",
    "name",
    "label",
    "hint",
    "required",
    "relevant",
    "constraint",
    "constraint_message",
    "default",
    "appearance",
    "fk::kind",
    "fk::procedure",
    "fk::with",
    "fk::accept",
    "fk::required",
    "fk::role",
)
CHOICES = ("list_name", "name", "label")
SETTINGS = (
    "form_title",
    "form_id",
    "version",
    "default_language",
    "fk::title",
    "fk::form",
    "fk::finish",
    "fk::paper",
    "fk::number",
)
SPOKEN = ("label", "hint", "constraint_message", "fk::title", "fk::form")

LEFT_SETTINGS = ("style", "submission_url", "auto_send", "auto_delete", "public_key")
LEFT_TYPES = (
    "start",
    "end",
    "today",
    "deviceid",
    "username",
    "phonenumber",
    "email",
    "start-geopoint",
    "audit",
)
LEFT_LOOKS = re.compile(
    r"minimal|compact|quick|quickcompact|columns(-\d+|-pack)?|columns-pack|horizontal|horizontal-compact|likert|"
    r"list|list-nolabel|label|field-list|table-list|w\d{1,2}|no-calendar|spinner|numbers|thousands-sep|new|new-front"
)

PICTURE = ("jpg", "jpeg", "png", "webp", "heic")

_SAME = {
    "relevance": "relevant",
    "constraint_msg": "constraint_message",
    "jr:constraintmsg": "constraint_message",
    "caption": "label",
    "list name": "list_name",
    "id_string": "form_id",
    "title": "form_title",
}
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


def column(heading: str) -> tuple[str, str | None]:
    """A heading's column and what follows it: "Label :: English (en)" is ("label", "English (en)")."""
    parts = [part.strip() for part in re.split(r"\s*::?\s*", heading.strip())]
    if parts[0].lower() == "jr" and len(parts) > 1:
        parts[:2] = [":".join(parts[:2])]
    if parts[0].lower() == "fk" and len(parts) > 1:
        parts[:2] = ["::".join(parts[:2])]
    name = re.sub(r"\s+", " ", parts[0].lower())
    name = _SAME.get(name) or _SAME.get(name.replace(" ", "_")) or name.replace(" ", "_")
    return name, "::".join(parts[1:]) or None


def language(written: str) -> str | None:
    """The code of "Vietnamese (vi)", "vi", "Tiếng Việt", "English"…; None where it is another."""
    match = _LANGUAGE.fullmatch(written.strip())
    if match is None:
        return None
    name, code = match["name"].lower(), (match["code"] or "").lower()
    named, coded = _CODES.get(name), _CODES.get(code)
    if code:
        return coded if named in (coded, None) else None
    return named
