"""One table feeds bindings, key bar, help, palette and the documentation's list, in both languages."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import fieldkit.tui.screens
from fieldkit import i18n
from fieldkit.text_output import STATUSES
from fieldkit.tui.actions import ACTIONS, bindings, key_name, listing
from fieldkit.tui.app import FieldkitApp
from fieldkit.tui.screens.frame import FieldkitScreen
from fieldkit.visit.model import STATES
from tests.tui.conftest import Person, Play


def screens() -> list[type[FieldkitScreen[object]]]:
    """Every screen there is."""
    for module in pkgutil.iter_modules(fieldkit.tui.screens.__path__):
        importlib.import_module(f"fieldkit.tui.screens.{module.name}")
    leaves, todo = [], [FieldkitScreen]
    while todo:
        screen = todo.pop()
        todo += screen.__subclasses__()
        if screen.__module__.startswith("fieldkit.") and not screen.__subclasses__():
            leaves.append(screen)
    return leaves  # type: ignore[return-value]


def bound(screen: type[FieldkitScreen[object]]) -> set[str]:
    """The actions that a screen's keys are bound to."""
    own = [base for base in screen.mro() if base.__module__.startswith("fieldkit.")]
    theirs = [binding for base in own for binding in base.__dict__.get("BINDINGS", ())]
    return {binding.action.partition("(")[0] for binding in theirs}


@pytest.mark.parametrize("screen", screens(), ids=lambda screen: screen.__name__)
def test_every_bound_action_is_done_by_its_screen(screen: type[FieldkitScreen[object]]) -> None:
    assert all(hasattr(screen, f"action_{action}") for action in bound(screen))


def test_every_action_is_bound_somewhere() -> None:
    everywhere = bound(FieldkitApp).union(*map(bound, screens()))  # type: ignore[arg-type]
    assert {action.id for action in ACTIONS} <= everywhere


def test_ids_are_unique_and_no_scope_has_a_key_twice() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    for scope in {action.scope for action in ACTIONS}:
        keys = [key for action in ACTIONS if action.scope == scope for key in action.keys]
        assert len(keys) == len(set(keys)), scope


def test_the_documentations_list_is_the_table_in_the_language_in_force() -> None:
    english = listing()
    i18n.use("vi")
    vietnamese = listing()
    assert len(english) == len(vietnamese) == len(ACTIONS)
    assert [row[1] for row in english] == [row[1] for row in vietnamese]
    assert all(one[3] != other[3] for one, other in zip(english, vietnamese, strict=True))


def test_keys_are_named_as_people_write_them() -> None:
    assert [key_name(key) for key in ("ctrl+p", "f1", "escape", "pagedown", "n", "ctrl+down")] == [
        "Ctrl+P", "F1", "Esc", "PgDn", "N", "Ctrl+↓",
    ]  # fmt: skip


def test_bindings_carry_the_tables_keys() -> None:
    keys = {binding.key for binding in bindings("app")}  # type: ignore[union-attr]
    assert "f1" in keys
    assert "ctrl+q" in keys


def test_help_and_palette_show_what_can_be_done_here_and_the_palette_does_it(play: Play) -> None:
    async def story(person: Person) -> None:
        await person.see("There is no visit yet.")
        await person.press("f1")
        await person.see("Start a visit: choose bureau, then checklist.", "Ctrl+Q")
        await person.press("escape", "ctrl+p")
        await person.see("Commands", "New visit: Start a visit")
        await person.type("change")
        await person.press("enter")
        await person.see("Chưa có chuyến triển khai nào")

    play(story)


def test_the_key_bar_fits_eighty_columns_in_both_languages_and_keeps_help_and_esc(
    play: Play, visit: str
) -> None:
    async def story(person: Person) -> None:
        for _ in range(2):
            shown = (await person.see("F1")).splitlines()[-1]
            assert len(shown) <= 80
            assert "Esc" in shown
            await person.press("f2")

    play(story, visit=visit)


def test_states_have_words_of_their_own_in_both_languages() -> None:
    for words in (*STATES.values(), STATUSES):
        for language in i18n.LANGUAGES:
            rendered = [message.render(language) for message in words.values()]
            assert len(set(rendered)) == len(rendered)
