"""Two themes for terminals with 256 colours or more: quiet, with contrast; state never hangs on a colour."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="fieldkit-dark",
    primary="#005f87",
    secondary="#5fafd7",
    accent="#ffd75f",
    warning="#ffaf5f",
    error="#ff5f5f",
    success="#87d787",
    foreground="#e4e4e4",
    background="#1c1c1c",
    surface="#303030",
    panel="#3a3a3a",
    dark=True,
)
LIGHT = Theme(
    name="fieldkit-light",
    primary="#005f87",
    secondary="#005f87",
    accent="#870000",
    warning="#875f00",
    error="#af0000",
    success="#005f00",
    foreground="#1c1c1c",
    background="#ffffff",
    surface="#e4e4e4",
    panel="#d0d0d0",
    dark=False,
)
THEMES = (DARK, LIGHT)
