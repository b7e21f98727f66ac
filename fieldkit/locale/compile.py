"""Compile the gettext catalogs: run by the build, and by hand after a translation was changed.

The build also makes what shells and `man` read, from the commands.

python fieldkit/locale/compile.py
"""

from __future__ import annotations

import os
import sys
import tempfile
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


def write_shell_files(folder: Path) -> dict[str, str]:
    """Write the scripts for completion and the manual pages; give where each belongs below a prefix."""
    sys.path.insert(0, str(HERE.parents[1]))
    from fieldkit import i18n
    from fieldkit.cli.completion import script
    from fieldkit.cli.manual import page

    texts = {
        "share/bash-completion/completions/fieldkit": script("bash"),
        "share/zsh/site-functions/_fieldkit": script("zsh"),
        "share/fish/vendor_completions.d/fieldkit.fish": script("fish"),
    }
    for code in i18n.LANGUAGES:
        i18n.use(code)
        translated = "" if code == i18n.SOURCE else f"{code}/"
        texts[f"share/man/{translated}man1/fieldkit.1"] = page()
    places = {}
    for number, (place, text) in enumerate(texts.items()):
        path = folder / str(number)
        path.write_text(text, encoding="utf-8", newline="\n")
        places[str(path)] = place
    return places


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand, where only Babel is needed
    pass
else:

    class CatalogsHook(BuildHookInterface):  # type: ignore[type-arg]
        """Hatch calls this before it packs a wheel or makes an editable install."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            compile_catalogs()
            if self.target_name == "wheel" and version != "editable":
                self.folder = tempfile.TemporaryDirectory()
                build_data["shared_data"] = write_shell_files(Path(self.folder.name))

        def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
            if build_data.get("shared_data"):
                self.folder.cleanup()


if __name__ == "__main__":
    compile_catalogs()
