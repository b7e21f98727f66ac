"""The line and the terminal, judged once before Textual is imported, and what Textual is told about them.

It imports neither Textual nor Rich: their settings are read from the environment at import.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Literal

import msgspec

Colours = Literal["none", "16", "256", "truecolor"]

DRIVER = "fieldkit.tui.terminal.driver:FieldDriver"
BARE_TERMINALS = ("linux", "vt100", "vt102", "vt220", "cons25", "ansi", "dumb")


class TerminalLink(msgspec.Struct, frozen=True):
    """How the person's screen is reached, and what it can show.

    remote: over SSH, so every byte counts. ascii_signs: its font or character set lacks ✓ and ✗.
    mouse, animations: off unless asked for. windows: Textual's own driver must be used.
    """

    remote: bool = False
    windows: bool = False
    colours: Colours = "256"
    light: bool = False
    ascii_signs: bool = False
    mouse: bool = False
    animations: bool = False

    @property
    def theme(self) -> str:
        """The theme: the terminal's own 16 colours where it has no more, else ours."""
        shade = "light" if self.light else "dark"
        return f"ansi-{shade}" if self.colours in ("none", "16") else f"fieldkit-{shade}"

    def settings(self) -> dict[str, str]:
        """What to put into the environment before Textual is imported."""
        settings = {
            "TEXTUAL_ANIMATIONS": "full" if self.animations else "none",
            "TEXTUAL_SMOOTH_SCROLL": "0",
            # Flags 8 and 16 of the kitty protocol lose what an input method commits on some terminals.
            "TEXTUAL_DISABLE_KITTY_KEY": "1",
            "TEXTUAL_FPS": "15" if self.remote else "30",
            "TEXTUAL_COLOR_SYSTEM": {"none": "standard", "16": "standard"}.get(self.colours, self.colours),
            # One of Textual's own, so that colours are right before our themes are registered.
            "TEXTUAL_THEME": self.theme if self.theme.startswith("ansi-") else "textual-dark",
        }
        if not self.windows:
            settings["TEXTUAL_DRIVER"] = DRIVER
        return settings


def judge(
    environment: Mapping[str, str],
    *,
    platform: str = sys.platform,
    colours: Colours | None = None,
    light: bool = False,
    mouse: bool = False,
) -> TerminalLink:
    """The link that `environment` tells of; options given by the person win over what it says."""
    terminal = environment.get("TERM", "")
    remote = any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT", "MOSH_IP"))
    windows = platform == "win32"
    return TerminalLink(
        remote=remote,
        windows=windows,
        colours=colours or _colours(environment, terminal, remote=remote, windows=windows),
        light=light,
        ascii_signs=terminal in BARE_TERMINALS or not _unicode(environment, windows=windows),
        mouse=mouse,
    )


def _colours(environment: Mapping[str, str], terminal: str, *, remote: bool, windows: bool) -> Colours:
    if "NO_COLOR" in environment or terminal == "dumb":
        return "none"
    if windows:
        return "truecolor"
    rich = environment.get("COLORTERM", "") in ("truecolor", "24bit") or terminal.endswith("-direct")
    if rich and not remote:  # 24-bit colours cost 25 % more bytes than an index, and nothing here needs them
        return "truecolor"
    if rich or "256color" in terminal or terminal in ("xterm-kitty", "alacritty", "foot", "xterm-ghostty"):
        return "256"
    return "16"


def _unicode(environment: Mapping[str, str], *, windows: bool) -> bool:
    if windows:
        return True
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or "C.UTF-8"
    return "utf" in locale.lower()
