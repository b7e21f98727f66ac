"""The terminal the screens would be drawn on: its size, letters, colours, and what stands between."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping

from fieldkit.doctor.probe import Probe, Subject
from fieldkit.finding import Finding
from fieldkit.text import M

COLUMNS, LINES = 80, 24


def size(subject: Subject) -> Iterable[Finding]:
    measured = _size()
    if measured is None:
        yield Finding(
            "terminal-size",
            "not-checked",
            M("There is no terminal: the output goes elsewhere."),
            hint=M("Run `fieldkit doctor` in the terminal the screens will be used in."),
        )
    elif measured == (0, 0):
        yield Finding(
            "terminal-size",
            "not-checked",
            M("The terminal does not say how large it is."),
            hint=M("Run `stty rows 24 cols 80`, or start fieldkit in another terminal."),
        )
    elif measured[0] < COLUMNS or measured[1] < LINES:
        yield Finding(
            "terminal-size",
            "warning",
            M(
                "The terminal has {columns}x{lines} characters; the screens need {wide}x{high}.",
                columns=measured[0],
                lines=measured[1],
                wide=COLUMNS,
                high=LINES,
            ),
            hint=M("Enlarge the window or choose a smaller font; `fieldkit visit run` works at any size."),
        )
    else:
        yield Finding(
            "terminal-size",
            "pass",
            M("The terminal has {columns}x{lines} characters.", columns=measured[0], lines=measured[1]),
        )


def letters(subject: Subject) -> Iterable[Finding]:
    encoding = (getattr(sys.__stdout__, "encoding", None) or "").lower().replace("_", "-")
    if encoding in ("utf-8", "utf8", "cp65001"):
        yield Finding("terminal-letters", "pass", M("Vietnamese letters can be shown (UTF-8)."))
    else:
        yield Finding(
            "terminal-letters",
            "warning",
            M(
                "Vietnamese letters cannot all be shown: the encoding is {encoding}.",
                encoding=encoding or "?",
            ),
            hint=M("Set LANG=C.UTF-8 (on Windows: chcp 65001), then start fieldkit again."),
        )


def colours(subject: Subject) -> Iterable[Finding]:
    count = colour_count(subject.environment)
    if subject.environment.get("TERM") == "dumb":
        yield Finding(
            "terminal-colours",
            "warning",
            M("This terminal is a dumb one: it cannot show screens."),
            hint=M("Use `fieldkit visit run`, or set TERM to what the terminal is (xterm-256color)."),
        )
    elif count == 0:
        yield Finding("terminal-colours", "info", M("Colours are off; every state is said in words as well."))
    else:
        yield Finding("terminal-colours", "pass", M("The terminal has {count} colours.", count=count))


def link(subject: Subject) -> Iterable[Finding]:
    environment = subject.environment
    ways = [
        name
        for name, key in (("tmux", "TMUX"), ("screen", "STY"), ("SSH", "SSH_CONNECTION"))
        if environment.get(key)
    ]
    if not ways:
        yield Finding("terminal-link", "pass", M("The terminal is on this machine itself."))
    elif "SSH" in ways:
        yield Finding(
            "terminal-link",
            "info",
            M(
                "The terminal comes through {ways}: animations, blinking and the mouse are off.",
                ways=", ".join(ways),
            ),
            hint=M("Readers may be refused to remote sessions; see the finding on the reader service."),
        )
    else:
        yield Finding("terminal-link", "info", M("The terminal comes through {ways}.", ways=", ".join(ways)))


def windows_console(subject: Subject) -> Iterable[Finding]:
    """The old console of Windows draws slowly and lacks keys; Windows Terminal tells of itself."""
    if sys.platform != "win32" or subject.environment.get("WT_SESSION"):
        return
    yield Finding(
        "terminal-console",
        "info",
        M("This is Windows' old console."),
        hint=M("Windows Terminal shows the screens better; install it from the Microsoft Store."),
    )


def colour_count(environment: Mapping[str, str]) -> int:
    """How many colours the variables promise; 0 where they are turned off."""
    term = environment.get("TERM", "")
    if environment.get("NO_COLOR") or term == "dumb":
        return 0
    if environment.get("COLORTERM", "") in ("truecolor", "24bit") or environment.get("WT_SESSION"):
        return 2**24
    return 256 if "256" in term else 16


def _size() -> tuple[int, int] | None:
    for number in (1, 2, 0):
        try:
            return tuple(os.get_terminal_size(number))  # type: ignore[return-value]
        except OSError:
            continue
    return None


PROBES = (
    Probe("terminal-size", size),
    Probe("terminal-letters", letters),
    Probe("terminal-colours", colours),
    Probe("terminal-link", link),
    Probe("terminal-console", windows_console),
)
