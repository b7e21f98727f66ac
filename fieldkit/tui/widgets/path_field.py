"""A text field for a path: Tab completes it from what is on the disk."""

from __future__ import annotations

import os

from textual import events

from fieldkit.text import nfc
from fieldkit.tui.widgets.text_field import TextField

SHOWN = 40


class PathField(TextField):
    """Tab completes as far as it is certain; `candidates` then has what it could go on with."""

    def __init__(self, value: str = "", *, id: str | None = None) -> None:
        super().__init__(value, id=id)
        self.candidates: list[str] = []

    def take_key(self, event: events.Key) -> bool:
        if event.key != "tab":
            return super().take_key(event)
        completed, self.candidates = complete(self.value)
        if completed != self.value:
            self.value = completed
            return True
        if self.candidates:
            self.post_message(self.Changed(self))
        return bool(self.candidates)


def complete(typed: str) -> tuple[str, list[str]]:
    """`typed` as far as the disk decides it, and the names it could go on with (at most a few)."""
    folder, start = os.path.split(os.path.expanduser(typed))
    try:
        with os.scandir(folder or ".") as entries:
            names = sorted(
                entry.name + ("/" if entry.is_dir() else "")
                for entry in entries
                if nfc(entry.name).startswith(start) and (start or not entry.name.startswith("."))
            )
    except OSError:
        return typed, []
    if not names:
        return typed, []
    common = os.path.commonprefix([nfc(name) for name in names])  # noqa: RUF071 (names, not paths)
    if common == start and len(names) == 1:
        return typed, []
    if common == start:
        return typed, names[:SHOWN]
    unchanged = typed[: len(typed) - len(os.path.split(typed)[1])]
    return unchanged + common, [] if len(names) == 1 else names[:SHOWN]
