"""The one table of what keys do. Bindings, key bar, help, palette and documentation are read from it.

It holds messages, not words, so a change of language changes them all at once. It does nothing itself:
a screen has a method `action_<id>` for each action of its scopes.
"""

# ruff: noqa: E501 (one action, one line)
from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING, Literal

import msgspec

from fieldkit.i18n import LANGUAGES
from fieldkit.text import M, Message, Said, Words

if TYPE_CHECKING:
    from textual.binding import BindingType

Scope = Literal[
    "app",
    "screen",
    "home",
    "visit",
    "answer",
    "pick",
    "ask",
    "consent",
    "finish",
    "stamp",
    "read",
    "run",
    "tell",
]


class Action(msgspec.Struct, frozen=True):
    """Something a key does.

    keys: in Textual's names, the first is the one shown. label: a word or two for the key bar.
    about: a sentence for help and palette. bar: whether the key bar has room for it.
    """

    id: str
    scope: Scope
    keys: tuple[str, ...]
    label: Said
    about: Message
    bar: bool = True


ACTIONS: tuple[Action, ...] = (
    Action("open_visit", "home", ("enter",), M("Open"), M("Open the visit under the cursor.")),
    Action("new_visit", "home", ("n", "N", "f4"), M("New visit"), M("Start a visit: choose bureau, then checklist.")),
    Action("reload", "home", ("f5",), M("Reload"), M("Read the visits from the store again."), bar=False),
    Action("work", "visit", ("enter",), M("Do it"), M("Answer the item under the cursor, or run its procedure.")),
    Action("next_open", "visit", ("f3",), M("Next open"), M("Go to the next item that still wants something.")),
    Action("to_answer", "visit", ("tab",), M("Other side"), M("Go to the answer of the item under the cursor."), bar=False),
    Action("note", "visit", ("f6",), M("Note"), M("Add a note to the visit.")),
    Action("take_back", "visit", ("f7",), M("Take back"), M("Take the answer back; the journal keeps that it was given."), bar=False),
    Action("add_row", "visit", ("insert", "plus"), M("Add a row"), M("Add a row to the list under the cursor, after the row that it is on."), bar=False),
    Action("again", "visit", ("r", "R"), M("Run again"), M("Run a procedure again that is settled already."), bar=False),
    Action("finish", "visit", ("f9",), M("Finish"), M("Sign-off or closing, record, export, bundle.")),
    Action("save", "answer", ("enter",), M("Save"), M("Save the answer and go to the next item.")),
    Action("end_entry", "answer", ("tab",), M("To the list"), M("Back to the list; what a scanner typed is saved."), bar=False),
    Action("to_list", "answer", ("escape", "shift+tab"), M("To the list"), M("Back to the list; what was typed stays as a draft.")),
    Action("stop", "run", ("escape",), M("Stop"), M("Stop what is running, after asking.")),
    Action("choose", "pick", ("enter",), M("Choose"), M("Take the line under the cursor.")),
    Action("submit", "ask", ("enter",), M("Done"), M("Take what was entered.")),
    Action("next_field", "ask", ("tab", "down"), M("Next field"), M("Go to the next field."), bar=False),
    Action("previous_field", "ask", ("shift+tab", "up"), M("Field before"), M("Go to the field before."), bar=False),
    Action("decide", "consent", ("enter",), M("Decide"), M("Agree or refuse, as the cursor or the typed word says.")),
    Action("close", "tell", ("enter",), M("Understood"), M("Go back to where it happened.")),
    Action("do_step", "finish", ("enter",), M("Do it"), M("Do the step under the cursor.")),
    Action("accept", "stamp", ("enter",), M("Place it"), M("Sign with the stamp where it is.")),
    Action("nudge", "stamp", ("left", "right", "up", "down"), M("Move"), M("Move the stamp by a millimetre; with Shift by ten.")),
    Action("larger", "stamp", ("plus", "equals_sign"), M("Larger"), M("Make the stamp larger."), bar=False),
    Action("smaller", "stamp", ("minus",), M("Smaller"), M("Make the stamp smaller."), bar=False),
    Action("zoom", "stamp", ("z", "Z"), M("Nearer"), M("Show the stamp nearer, then the whole page again.")),
    Action("page", "stamp", ("pagedown", "pageup"), M("Page"), M("Put the stamp on the page after or before.")),
    Action("reset", "stamp", ("home", "0"), M("Put back"), M("Put the stamp back where the rules place it.")),
    Action("page_down", "read", ("ctrl+down", "pagedown"), M("Further"), M("Scroll the text down.")),
    Action("page_up", "read", ("ctrl+up", "pageup"), M("Back up"), M("Scroll the text up."), bar=False),
    Action("back", "screen", ("escape",), M("Back"), M("Leave this screen; nothing is lost.")),
    Action("help", "app", ("f1",), M("Help"), M("Show what the keys do here.")),
    Action("language", "app", ("f2",), Words.same("/".join(sorted(language.name for language in LANGUAGES.values()))), M("Change the language.")),
    Action("history", "app", ("f8",), M("What happened"), M("Show what was said and done in this session, and where the logs are."), bar=False),
    Action("palette", "app", ("ctrl+p",), M("Commands"), M("Choose from everything that can be done here."), bar=False),
    Action("repaint", "app", ("ctrl+l",), M("Repaint"), M("Draw the screen again."), bar=False),
    Action("leave", "app", ("ctrl+q",), M("Quit"), M("Leave fieldkit; what was saved is safe.")),
)  # fmt: skip

SCOPES: dict[str, Scope] = {action.id: action.scope for action in ACTIONS}

_KEY_NAMES = {
    "enter": "Enter",
    "escape": "Esc",
    "tab": "Tab",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
}


def actions(scopes: Iterable[Scope]) -> Iterator[Action]:
    """The actions of `scopes`, in the order of the scopes and of the table."""
    for scope in scopes:
        yield from (action for action in ACTIONS if action.scope == scope)


def bindings(*scopes: Scope, but: Container[str] = ()) -> list[BindingType]:
    """Textual's bindings for `scopes`, but for those actions whose keys mean different things to a screen.

    They have priority, so that the app runs them in the order the keys came; fields get their own
    keys before that (`fieldkit.tui.app`).
    """
    from textual.binding import Binding

    return [
        Binding(",".join(action.keys), action.id, str(action.id), show=False, priority=True)
        for action in actions(scopes)
        if action.id not in but
    ]


def key_name(key: str) -> str:
    """A key as people write it: "Ctrl+P", "F1", "Esc"."""
    *modifiers, last = key.split("+")
    short = len(last) == 1 or last[1:].isdigit()
    named = _KEY_NAMES.get(last) or (last.upper() if short else last.capitalize())
    return "+".join([modifier.capitalize() for modifier in modifiers] + [named])


def keys_shown(action: Action) -> str:
    """The keys of an action as people write them, each once."""
    return ", ".join(dict.fromkeys(key_name(key) for key in action.keys))


def listing() -> list[tuple[str, str, str, str]]:
    """The table as documentation has it: scope, keys, label, what it does."""
    return [(action.scope, keys_shown(action), str(action.label), str(action.about)) for action in ACTIONS]
