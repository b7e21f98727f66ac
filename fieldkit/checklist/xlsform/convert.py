"""XLSForm in and out: a workbook made into a checklist's file, a checklist made into a workbook.

    convert ─> reading ─> choices ─> table ─> workbook      (in; what is known: columns)
            └> writing                                      (out)

Only whole files appear under their names, and none is replaced unless that is asked for.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from fieldkit.checklist.errors import FileExists
from fieldkit.checklist.load import parse
from fieldkit.checklist.model import Checklist
from fieldkit.checklist.xlsform.reading import WorkbookForm, read_form
from fieldkit.checklist.xlsform.writing import write
from fieldkit.text import M

__all__ = ["WorkbookForm", "export_form", "import_form", "read_form", "save"]


def import_form(form: Path, target: Path, replace: bool = False) -> Checklist:
    """The checklist in the XLSForm at `form`, written to `target` as YAML.

    :raises FormUnreadable: no workbook. :raises FormInvalid: with every cell that is not understood.
    :raises FileExists: `target` is there, and `replace` was not asked for.
    """
    _free(target, replace)
    return save(read_form(form), form.name, target, replace)


def save(form: WorkbookForm, name: str, target: Path, replace: bool = False) -> Checklist:
    """Write what was read from the form called `name` to `target`; the checklist as it reads there.

    :raises FileExists: `target` is there, and `replace` was not asked for.
    """
    text = f"# {' '.join(name.split())}\n{_yaml_text(form.checklist)}"
    made = parse(text, str(target))
    _put(target, replace, lambda part: part.write_text(text, encoding="utf-8", newline="\n"))
    return made


def export_form(checklist: Checklist, target: Path, replace: bool = False) -> None:
    """Write `checklist` as an XLSForm workbook to `target`.

    :raises FormImpossible: it says what a form cannot hold. :raises FileExists: as above.
    """
    _put(target, replace, lambda part: write(checklist, part))


def _free(target: Path, replace: bool) -> None:
    if not replace and os.path.lexists(target):
        raise FileExists(
            M("The file {path} is there already.", path=str(target)),
            unchanged=M("It was not touched."),
            hint=M("Give another name by --out, or --replace to replace it."),
        )


def _put(target: Path, replace: bool, fill: Callable[[Path], object]) -> None:
    """A whole file at `target`, or none."""
    _free(target, replace)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        part = Path(folder) / target.name
        fill(part)
        os.replace(part, target)


MANY_CHOICES = 500


def _yaml_text(checklist: Checklist) -> str:
    """The YAML that a person goes on with, its sections last; reading it gives the same checklist."""
    import yaml

    shape = msgspec.to_builtins(checklist)
    shape["sections"] = shape.pop("sections")
    many = sum(map(len, checklist.lists.values())) > MANY_CHOICES  # the quick one does not indent its lists
    written = _dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper) if many else yaml.SafeDumper)
    return str(yaml.dump(_plain(shape), Dumper=written, allow_unicode=True, sort_keys=False, width=100))


def _plain(shape: object) -> object:
    """The same without what stands for nothing: no hint, no title of a paper form."""
    if isinstance(shape, dict):
        return {key: _plain(value) for key, value in shape.items() if value is not None}
    if isinstance(shape, list | tuple):
        return [_plain(part) for part in shape]
    return shape


def _dumper(base: Any) -> Any:
    class Written(base):  # type: ignore[misc]
        """Lists are indented under their key, and nothing is written by reference."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: object) -> bool:
            return True

    return Written
