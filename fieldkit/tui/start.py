"""Opens the screens: judges the line, tells Textual, and only then imports it."""

from __future__ import annotations

import gc
import os
import sys

from fieldkit import i18n
from fieldkit.home import Home
from fieldkit.settings import load_or_default
from fieldkit.text import M
from fieldkit.tui.terminal.link import Colours, judge


def run(
    home: Home,
    *,
    lang: str | None = None,
    modules: tuple[str, ...] = (),
    visit: str = "",
    colours: Colours | None = None,
    light: bool = False,
    mouse: bool = False,
) -> int:
    """Run the screens over `home` until the person leaves; return the exit status.

    visit: the visit to open at once. colours, light, mouse: options that win over what the terminal says.
    """
    i18n.use(lang)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        for line in (
            M("The screens need a terminal."),
            M("Run a command instead, for example `fieldkit visit list`."),
        ):
            sys.stderr.write(f"{line}\n")
        return 2
    chosen = load_or_default(home)
    link = judge(
        os.environ,
        colours=colours or chosen.colours or None,
        light=light or chosen.theme == "light",
        mouse=mouse,
    )
    settings = link.settings()
    for name in [name for name in os.environ if name.startswith("TEXTUAL") and name not in settings]:
        del os.environ[name]  # some have Textual write down every key that is pressed, PINs among them
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    # Nothing made while importing is garbage: not looking for any saves a tenth of the time.
    gc.disable()
    from fieldkit.tui.app import FieldkitApp

    gc.freeze()
    gc.enable()
    app = FieldkitApp(home, link=link, modules=modules, visit=visit)
    outcome = app.run(mouse=link.mouse)
    return outcome if outcome is not None else app.return_code or 0
