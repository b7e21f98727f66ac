"""The line is judged from the environment alone, before Textual is there."""

from __future__ import annotations

import subprocess
import sys

from fieldkit.tui.terminal.link import DRIVER, judge


def test_over_ssh_nothing_moves_and_colours_are_an_index() -> None:
    link = judge(
        {"SSH_CONNECTION": "x", "TERM": "xterm-256color", "COLORTERM": "truecolor"}, platform="linux"
    )
    settings = link.settings()
    assert link.remote
    assert settings["TEXTUAL_COLOR_SYSTEM"] == "256"
    assert settings["TEXTUAL_ANIMATIONS"] == "none"
    assert settings["TEXTUAL_SMOOTH_SCROLL"] == "0"
    assert settings["TEXTUAL_DISABLE_KITTY_KEY"] == "1"
    assert settings["TEXTUAL_DRIVER"] == DRIVER
    assert not link.mouse


def test_sixteen_colours_get_the_terminals_own() -> None:
    for terminal in ("linux", "xterm", "screen", ""):
        link = judge({"TERM": terminal}, platform="linux")
        assert link.colours == "16"
        assert link.theme == "ansi-dark"


def test_no_color_means_none_however_rich_the_terminal() -> None:
    link = judge({"NO_COLOR": "", "TERM": "xterm-256color", "COLORTERM": "truecolor"}, platform="linux")
    assert link.colours == "none"
    assert link.settings()["TEXTUAL_THEME"] == "ansi-dark"


def test_a_console_font_without_signs_gets_ascii_ones() -> None:
    assert judge({"TERM": "linux", "LANG": "vi_VN.UTF-8"}, platform="linux").ascii_signs
    assert judge({"TERM": "xterm", "LC_ALL": "C"}, platform="linux").ascii_signs
    assert not judge({"TERM": "xterm-256color", "LANG": "vi_VN.UTF-8"}, platform="linux").ascii_signs


def test_windows_keeps_textuals_driver() -> None:
    link = judge({}, platform="win32")
    assert "TEXTUAL_DRIVER" not in link.settings()
    assert link.colours == "truecolor"


def test_options_win() -> None:
    link = judge({"TERM": "xterm-256color"}, platform="linux", colours="16", light=True, mouse=True)
    assert (link.theme, link.mouse) == ("ansi-light", True)


def test_it_is_decided_before_textual_or_rich_is_imported() -> None:
    code = "import sys, fieldkit.tui.terminal.link, fieldkit.tui.start\n"
    code += "print('textual' in sys.modules, 'rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
