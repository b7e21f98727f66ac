"""Bring the gettext catalogs in step with the code: new messages added, gone ones dropped, then compiled.

    python fieldkit/locale/refresh.py

English is the messages' own text and has no catalog. A new language begins as an empty folder of its code.
"""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

HERE = Path(__file__).parent
PACKAGE = HERE.parent
KEYWORDS = {"M": None}
HEADER = "# Translations of fieldkit."


def messages() -> list[str]:
    """Every message marked with `M("…")` in the code, sorted."""
    entries = extract_from_dir(str(PACKAGE), [("**.py", "python")], keywords=KEYWORDS)
    return sorted({entry[2] for entry in entries if isinstance(entry[2], str) and entry[2]})


def languages() -> list[str]:
    """The languages that have a catalog."""
    return sorted(path.parents[1].name for path in HERE.glob("*/LC_MESSAGES/fieldkit.po"))


def catalog(language: str) -> Path:
    """Where the catalog of `language` is."""
    return HERE / language / "LC_MESSAGES" / "fieldkit.po"


def refresh(language: str, ids: list[str]) -> list[str]:
    """Rewrite the catalog of `language` with just `ids`; return those without a translation."""
    path = catalog(language)
    old = read_po(path.open("rb"), locale=language) if path.exists() else Catalog(locale=language)
    new = Catalog(locale=language, header_comment=HEADER, fuzzy=False)
    missing = []
    for text in ids:
        known = old.get(text)
        string = str(known.string) if known else ""
        if not string:
            missing.append(text)
        new.add(text, string)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, new, width=110, omit_header=False, sort_output=True)
    return missing


def main() -> int:
    """Refresh the catalogs; 1 when something is not translated."""
    ids = messages()
    missing = [(language, text) for language in languages() for text in refresh(language, ids)]
    for language, text in missing:
        sys.stderr.write(f"{language}: {text!r} has no translation\n")
    sys.path.insert(0, str(PACKAGE.parent))
    from fieldkit.locale.compile import compile_catalogs

    compile_catalogs()
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
