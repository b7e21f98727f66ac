"""The languages there are, the one in force, and the gettext catalogs."""

from __future__ import annotations

import functools
import gettext
import os
from pathlib import Path
from typing import NamedTuple


class Language(NamedTuple):
    """A language people read fieldkit in.

    name: what it calls itself. english: what English calls it. spellings: what else it is called in the
    headings of XLSForms, in small letters. fallback: the code of the language that is read where it lacks a
    text. day_first: dates are written day/month/year.
    """

    name: str
    english: str
    spellings: tuple[str, ...] = ()
    fallback: str = ""
    day_first: bool = False


LANGUAGES = {
    "vi": Language("Tiếng Việt", "Vietnamese", ("vi-vn", "vie", "tieng viet", "việt"), day_first=True),
    "en": Language("English", "English", ("en-us", "en-gb", "eng", "tiếng anh", "tieng anh", "anh")),
}
"""By code (ISO 639-1), in the order of F2. Each but that of the messages has a catalog."""
DEFAULT = "vi"
SOURCE = "en"
"""The language the messages are written in: they are their own translation."""
CATALOGS = Path(__file__).parent / "locale"

_language = DEFAULT


def language() -> str:
    """The code of the language in force."""
    return _language


def use(name: str | None = None) -> str:
    """Put `name` in force, or FIELDKIT_LANG, or Vietnamese; return what is in force now.

    A locale's name will do ("en_GB.UTF-8"); an unknown one means Vietnamese.
    """
    global _language
    wanted = (name or os.environ.get("FIELDKIT_LANG") or DEFAULT).lower()[:2]
    _language = wanted if wanted in LANGUAGES else DEFAULT
    return _language


def following() -> str:
    """The code of the language after the one in force, around to the first."""
    codes = list(LANGUAGES)
    return codes[(codes.index(_language) + 1) % len(codes)]


@functools.cache
def _catalog(code: str, folder: Path) -> gettext.NullTranslations:
    return gettext.translation("fieldkit", folder, [code], fallback=True)


def translate(text: str, code: str) -> str:
    """`text`, a message, in the language `code`, or in the one that is read in its place."""
    if not text or code == SOURCE:
        return text
    translated = _catalog(code, CATALOGS).gettext(text)
    fallback = LANGUAGES[code].fallback if code in LANGUAGES else ""
    return translate(text, fallback) if fallback and translated == text else translated
