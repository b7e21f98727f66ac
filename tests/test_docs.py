"""What the documentation lists is what there is: every command, every error code, nothing that is gone."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import click

import fieldkit
from fieldkit.cli.frame import root
from fieldkit.errors import FieldkitError

DOCS = Path(__file__).parent.parent / "docs"
NOT_IMPORTED = ("fieldkit.locale", "fieldkit.token.agent", "fieldkit.__main__")
ROW = re.compile(r"^\| `([a-z0-9 -]+?)(?: [A-Z\[].*)?` \|", re.MULTILINE)


def _codes() -> set[str]:
    """The code of every error there is."""
    for module in pkgutil.walk_packages(fieldkit.__path__, "fieldkit."):
        if not module.name.startswith(NOT_IMPORTED):
            importlib.import_module(module.name)
    return {error.code for error in _below(FieldkitError)}


def _below(kind: type[FieldkitError]) -> Iterator[type[FieldkitError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _below(below)


def commands() -> set[str]:
    whole = root()
    context = click.Context(whole)
    names = set()
    for noun in whole.list_commands(context):
        command = whole.get_command(context, noun)
        if isinstance(command, click.Group):
            names |= {f"{noun} {verb}" for verb in command.list_commands(context)}
        else:
            names.add(noun)
    return names


def _listed(heading: str) -> set[str]:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    part = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return set(ROW.findall(part))


def test_every_error_code_is_documented_and_no_other() -> None:
    assert _listed("Error codes") == _codes()


def test_every_command_is_documented_and_no_other() -> None:
    assert _listed("Commands") == commands()


def test_readme_names_files_that_are_there() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"\]\(((?!http)[^)]+)\)", readme):
        assert (DOCS.parent / name).exists(), name


def _architecture() -> str:
    return (DOCS / "architecture.md").read_text(encoding="utf-8")


def test_the_architecture_names_every_room_and_every_file_beside_them_once() -> None:
    package = DOCS.parent / "fieldkit"
    rooms = {f"fieldkit/{path.parent.name}/" for path in package.glob("*/__init__.py")}
    files = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    rows = re.findall(r"^\| (`.+?`) \|", _architecture().split("## Rooms", 1)[1], re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(name for name in listed if name.endswith("/")) == sorted(rooms)
    assert sorted(Path(name).name for name in listed if name.endswith(".py")) == sorted(files)


def test_what_the_architecture_says_how_to_add_is_where_it_says() -> None:
    root = DOCS.parent
    text = " ".join(_architecture().split())
    for name in re.findall(r"`((?:fieldkit|tests|docs|checklists|profiles)/[\w./-]*)`", text):
        assert (root / name.partition("NAME")[0]).exists(), name
    placed = re.findall(
        r"`([A-Za-z_]+)`(?: of `[A-Za-z_]+`)? in (?:a file of )?`((?:fieldkit|tests)/[\w./-]+)`", text
    )
    assert len(placed) > 8
    for name, place in placed:
        path = root / place
        sources = path.rglob("*.py") if path.is_dir() else [path]
        assert any(re.search(rf"\b{name}\b", source.read_text()) for source in sources), (name, place)
