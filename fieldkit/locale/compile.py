"""Compile the gettext catalogs: run by the build, and by hand after a translation was changed.

python fieldkit/locale/compile.py
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

HERE = Path(__file__).parent


def compile_catalogs() -> list[Path]:
    """Write the .mo beside each .po; return what was written."""
    written = []
    for source in sorted(HERE.glob("*/LC_MESSAGES/*.po")):
        with source.open("rb") as file:
            catalog = read_po(file, locale=source.parent.parent.name)
        target = source.with_suffix(".mo")
        fresh = target.with_suffix(".new")
        with fresh.open("wb") as file:
            write_mo(file, catalog)
        os.replace(fresh, target)  # somebody may be reading the old one
        written.append(target)
    return written


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand, where only Babel is needed
    pass
else:

    class CatalogsHook(BuildHookInterface):  # type: ignore[type-arg]
        """Hatch calls this before it packs a wheel or makes an editable install."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            compile_catalogs()


if __name__ == "__main__":
    compile_catalogs()
