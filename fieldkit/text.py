"""Text as people read it: messages in two languages, kept as data until they are shown.

A `Message` carries its English text (the gettext id) and its parameters, so that evidence written
in one language is read in the other. `Words` is the same for text that comes from a YAML file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Union

import msgspec

from fieldkit import i18n

Parameter = Union[str, int, "Message"]
DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)( \d\d:\d\d)?")
MARK = re.compile(r"\{\{|\}\}|\{(\w+)\}")
# What draws nothing of its own, or steers what draws the rest: controls, surrogates, line separators, marks
# of direction and of joining, fillers, variation selectors, tags.
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sentence for a person: `str()` gives it in the language in force.

    text: English, and the id in the catalogs; `{name}` marks a parameter.
    params: what stands in for the marks: text, a number, another message, or a day ("2026-11-24", also
    with an hour), which is written in the language's own order. Never a secret. Text comes from anywhere
    (labels, names, files), so it is shown in one line with `visible`; our own pattern may have several.
    """

    text: str
    params: Mapping[str, Parameter] = {}

    def __str__(self) -> str:
        return self.render(i18n.language())

    def render(self, language: str) -> str:
        """The sentence in `language`; English where no catalog of its has it."""
        pattern = visible(i18n.translate(self.text, language), keep="\n")
        if not self.params:
            return pattern
        shown = {key: _shown(key, value, language) for key, value in self.params.items()}
        try:
            return MARK.sub(lambda mark: shown[mark[1]] if mark[1] else mark[0][0], pattern)
        except KeyError:  # a journal from another release
            return pattern


class Words(msgspec.Struct, frozen=True):
    """A text by language, from a checklist or a profile: each field has a language's code for its name.

    One that is in force without a field here, or without a text, is read in its fallback.
    """

    vi: str
    en: str

    @classmethod
    def same(cls, text: str) -> Words:
        """What reads the same in every language."""
        return cls(text, text)

    @classmethod
    def joined(cls, separator: str, parts: Iterable[Words]) -> Words:
        """Several one after the other, in each language."""
        listed = list(parts)
        return cls(*(separator.join(part._in(code) for part in listed) for code in cls.__struct_fields__))

    def __str__(self) -> str:
        return self.render(i18n.language())

    def render(self, language: str) -> str:
        """The text in `language`, or in the one that is read in its place."""
        return visible(self._in(language), keep="\n")

    def _in(self, language: str) -> str:
        text: str = getattr(self, language, "")
        fallback = i18n.LANGUAGES[language].fallback if language in i18n.LANGUAGES else i18n.DEFAULT
        return self._in(fallback) if fallback and not text else text


Said = Message | Words


def M(text: str, /, **params: Parameter) -> Message:
    """Mark `text` for translation and keep it, untranslated, with its parameters."""
    return Message(text, params)


def visible(text: str, *, keep: str = "") -> str:
    """`text` with all that does not show, or steers the terminal, written out: `\\x1b`, `\\u202e`.

    keep: of them those that stay, such as a newline between lines of our own.
    """
    return UNSEEN.sub(lambda unseen: unseen[0] if unseen[0] in keep else _notation(unseen), text)


def _notation(unseen: re.Match[str]) -> str:
    return unseen[0].encode("unicode_escape").decode()


def _shown(key: str, value: Parameter, language: str) -> str:
    if isinstance(value, Message):
        return value.render(language)
    if key == "reason" and isinstance(value, str):  # the operating system's answer, see `fieldkit.reasons`
        return visible(i18n.translate(value, language))
    text = str(value)
    return visible(
        day_first(text) if language in i18n.LANGUAGES and i18n.LANGUAGES[language].day_first else text
    )


def day_first(text: str) -> str:
    """An ISO day, also with an hour, as day/month/year; another text as it is."""
    day = DAY.fullmatch(text)
    return f"{day[3]}/{day[2]}/{day[1]}{day[4] or ''}" if day else text


def nfc(text: str) -> str:
    """`text` composed (NFC), as it is stored and compared everywhere."""
    return unicodedata.normalize("NFC", text)
