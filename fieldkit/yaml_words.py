"""What PyYAML complains of, in words of an author and where the mistake begins.

Its own words are English, about its parser, and now and then empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fieldkit.text import M, Message

if TYPE_CHECKING:
    from yaml import MarkedYAMLError

TOO_DEEP = M("The file is nested too deeply.")
REFERENCE = M("Write the value out again: references (*name) are not used here.")
CONTROL = M("The text holds a control character.")
# What PyYAML and libyaml say, by a part of it that they share, and what that means to an author.
_REASONS: tuple[tuple[str, Message], ...] = (
    (
        "mapping values are not allowed",
        M("A value with `: ` in it has to stand in quotes, or the line is indented wrongly."),
    ),
    ("could not find expected ':'", M("`: ` is missing after the key, or the line is indented wrongly.")),
    ("end of stream", M("What is opened here is not closed: a quote or a bracket.")),
    ("expected ',' or", M("What is opened here is not closed: a quote or a bracket.")),
    ("expected key", M("The line is not indented like those it belongs to.")),
    ("expected '-' indicator", M("The line is not indented like those it belongs to.")),
    ("expected <block end>", M("The line is not indented like those it belongs to.")),
    ("node content", M("A value is missing here, or a quote or a bracket before it is not closed.")),
    ("undefined alias", REFERENCE),
    (
        "unknown escape",
        M("After \\ in double quotes only some letters may follow. Single quotes take a text as it is."),
    ),
    ("control characters", CONTROL),
    ("special characters", CONTROL),
    ("another document", M("A second document begins here (---); a file has one.")),
    ("nesting depth", TOO_DEEP),
)


def complaint(text: str, reason: MarkedYAMLError) -> tuple[int, int, Message]:
    """Line, column and words for a `yaml.MarkedYAMLError` about `text`."""
    message = in_words(reason.problem or reason.context or "")
    mark = reason.problem_mark or reason.context_mark
    if message.text.startswith("What is opened"):
        mark = reason.context_mark or mark
    if mark is None:
        return 1, 1, message
    if "cannot start any token" in (reason.problem or ""):
        sign = "".join(text.splitlines()[mark.line : mark.line + 1])[mark.column :][:1]
        message = M("A value that begins with `{sign}` has to stand in quotes.", sign=sign)
        if sign == "\t":
            message = M("A tab is here; indent with spaces.")
    return mark.line + 1, mark.column + 1, message


def in_words(complaint: str) -> Message:
    """What PyYAML complains of, for an author."""
    for part, message in _REASONS:
        if part in complaint:
            return message
    return M("This is not YAML: {reason}.", reason=complaint) if complaint else M("This is not YAML.")


def place(text: str, position: object) -> tuple[int, int]:
    """Line and column, from 1, of a position in `text`."""
    before = text[: position if isinstance(position, int) else 0]
    return before.count("\n") + 1, len(before) - before.rfind("\n")
