"""A command pays only for what it uses: heavy libraries are not loaded before something needs them."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "textual",
    "pyhanko",
    "cryptography",
    "typst",
    "pkcs11",
    "aiohttp",
    "pyrage",
    "zstandard",
    "lxml",
    "openpyxl",
)


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["fieldkit", "fieldkit.__main__", "fieldkit.cli.frame", "fieldkit.operator"]
)
def test_the_frame_loads_nothing_heavy(module: str) -> None:
    assert not _loaded_by(f"import {module}") & set(HEAVY)


def test_reading_visits_loads_nothing_heavy() -> None:
    assert not _loaded_by("import fieldkit.visit.visits") & set(HEAVY)


def test_the_screens_load_only_textual_of_the_heavy_ones() -> None:
    assert _loaded_by("import fieldkit.tui.app") & set(HEAVY) <= {"textual"}


def test_only_the_agent_loads_pkcs11() -> None:
    assert "pkcs11" not in _loaded_by("import fieldkit.token.agents, fieldkit.token.importing")
