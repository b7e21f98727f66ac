"""The language in force, and the gettext catalogs. Vietnamese unless somebody says otherwise."""

from __future__ import annotations

import functools
import gettext
import os
from pathlib import Path

LANGUAGES = ("vi", "en")
CATALOGS = Path(__file__).parent / "locale"

_language = "vi"


def language() -> str:
    """The language in force: "vi" or "en"."""
    return _language


def use(name: str | None = None) -> str:
    """Put `name` in force, or FIELDKIT_LANG, or Vietnamese; return what is in force now.

    A locale's name will do ("en_GB.UTF-8"); an unknown one means Vietnamese.
    """
    global _language
    wanted = (name or os.environ.get("FIELDKIT_LANG") or "vi").lower()[:2]
    _language = wanted if wanted in LANGUAGES else "vi"
    return _language


@functools.cache
def _catalog(name: str) -> gettext.NullTranslations:
    return gettext.translation("fieldkit", CATALOGS, [name], fallback=True)


def translate(text: str, name: str) -> str:
    """`text` (English, the catalogs' id) in the language `name`."""
    if not text or name == "en":  # the ids are the English
        return text
    return _catalog(name).gettext(text)
