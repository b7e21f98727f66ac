"""A kind of item is whole: a row of the table, an editor on the screen, a line in the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from fieldkit.checklist.kinds import KINDS, Choice, Item, Kind, Steps
from fieldkit.checklist.model import Checklist, Section
from fieldkit.checklist.xlsform.convert import export_form, read_form
from fieldkit.text import Words
from fieldkit.tui.widgets.item_pane import EDITORS, ItemPane
from tests.conftest import REPOSITORY


def test_every_kind_has_its_row_in_each_table() -> None:
    assert set(get_args(Kind)) == set(KINDS) == set(EDITORS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_person_answers_has_a_widget_and_nothing_else_has(kind: Kind) -> None:
    asked = KINDS[kind].answered_by == "person"
    assert bool(EDITORS[kind].widget) == asked
    if asked:
        assert EDITORS[kind].widget in {widget.id for widget in ItemPane().compose()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_in_the_documentation(kind: Kind) -> None:
    assert f"`{kind}`" in (REPOSITORY / "docs" / "forms.md").read_text("utf-8")


def item(kind: Kind) -> Item:
    """An item of that kind, with all that it needs."""
    takes = KINDS[kind].takes
    return Item(
        "asked",
        kind,
        Words("Hỏi", "Asked"),
        choices=(Choice("a", Words("Một", "One")),) if "choices" in takes else (),
        procedure="test_signature" if "procedure" in takes else "",
        range=Steps("1", "9", "2") if "range" in takes else None,
        metadata="start" if "metadata" in takes else None,
        items=(Item("inner", "text", Words("Trong", "Inner")),) if KINDS[kind].holds else (),
        calculate="1 + 1" if kind == "calculate" else "",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_goes_through_an_xlsform_and_back(kind: Kind, tmp_path: Path) -> None:
    form = Checklist(
        "form", "1", Words("Phiếu", "Form"), (Section("all", Words("Cả", "All"), (item(kind),)),)
    )
    export_form(form, tmp_path / "form.xlsx")
    assert read_form(tmp_path / "form.xlsx").checklist == form
