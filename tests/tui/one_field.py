"""An app with one field, in its own process: prints what the field holds when it is left with Enter."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fieldkit.tui.terminal.link import judge

for name, value in judge(os.environ).settings().items():
    os.environ.setdefault(name, value)

from textual.widget import Widget  # noqa: E402

from fieldkit import i18n  # noqa: E402
from fieldkit.home import Home  # noqa: E402
from fieldkit.tui.actions import bindings  # noqa: E402
from fieldkit.tui.app import FieldkitApp  # noqa: E402
from fieldkit.tui.screens.frame import FieldkitScreen  # noqa: E402
from fieldkit.tui.widgets.text_field import TextField  # noqa: E402


class FieldRoom(FieldkitScreen[None]):
    BINDINGS = bindings("ask")
    scopes = ("ask",)
    AUTO_FOCUS = "TextField"

    def body(self) -> Iterator[Widget]:
        yield TextField(rows=int(sys.argv[1]) if len(sys.argv) > 1 else 1)

    def _begin(self) -> None:
        super()._begin()
        self.status("ready")

    answers = 0

    def action_submit(self) -> None:
        self.answers += 1
        self.status(f"value {self.answers}: {self.query_one(TextField).value!a}")


class FieldApp(FieldkitApp):
    def get_default_screen(self) -> FieldRoom:
        return FieldRoom()


if __name__ == "__main__":
    i18n.use("en")
    raise SystemExit(FieldApp(Home(Path(tempfile.mkdtemp()))).run(mouse=False))
