"""Text as people read it: messages in two languages, kept as data until they are shown.

A `Message` carries its English text (the gettext id) and its parameters, so that evidence written
in one language is read in the other. `Words` is the same for text that comes from a YAML file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Union

import msgspec

from fieldkit import i18n

Parameter = Union[str, int, "Message"]
DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)( \d\d:\d\d)?")


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sentence for a person: `str()` gives it in the language in force.

    text: English, and the id in the catalogs; `{name}` marks a parameter.
    params: what stands in for the marks: text, a number, another message, or a day ("2026-11-24", also
    with an hour), which is written in the language's own order. Never a secret.
    """

    text: str
    params: Mapping[str, Parameter] = {}

    def __str__(self) -> str:
        return self.render(i18n.language())

    def render(self, language: str) -> str:
        """The sentence in `language` ("vi" or "en"); English where a catalog lacks it."""
        pattern = i18n.translate(self.text, language)
        if not self.params:
            return pattern
        try:
            return pattern.format_map(
                {key: _shown(key, value, language) for key, value in self.params.items()}
            )
        except (KeyError, IndexError, ValueError):  # a journal from another release
            return pattern


class Words(msgspec.Struct, frozen=True):
    """A text given in both languages by a checklist or a profile."""

    vi: str
    en: str

    def __str__(self) -> str:
        return self.render(i18n.language())

    def render(self, language: str) -> str:
        """The text in `language` ("vi" or "en")."""
        return self.en if language == "en" else self.vi


Said = Message | Words


def M(text: str, /, **params: Parameter) -> Message:
    """Mark `text` for translation and keep it, untranslated, with its parameters."""
    return Message(text, params)


def _shown(key: str, value: Parameter, language: str) -> str | int:
    if isinstance(value, Message):
        return value.render(language)
    if key == "reason" and isinstance(value, str):  # the operating system's answer, see `fieldkit.reasons`
        return i18n.translate(value, language)
    if language == "vi" and isinstance(value, str) and (day := DAY.fullmatch(value)):
        return f"{day[3]}/{day[2]}/{day[1]}{day[4] or ''}"
    return value


def nfc(text: str) -> str:
    """`text` composed (NFC), as it is stored and compared everywhere."""
    return unicodedata.normalize("NFC", text)
