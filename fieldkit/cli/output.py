"""What commands print alike: values as JSON has them, checks and requests as lines for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding, Overall
from fieldkit.text import M, Message, Said, Words
from fieldkit.text_output import SYMBOLS

if TYPE_CHECKING:
    from fieldkit.validation.online import Online
    from fieldkit.visit.model import UnreadableVisit

Data = dict[str, object]
"""A JSON object, as `Reply.result` takes it: paths, and structs that are exactly their fields, included."""

VERDICTS: dict[Overall, Said] = {
    "pass": M("VALID"),
    "fail": M("NOT VALID"),
    "indeterminate": M("NOT SETTLED"),
}


def data(value: msgspec.Struct, *hide: str) -> Data:
    """The fields of `value` but for those to `hide`, and so on inwards; texts in the language in force."""
    return fields(value, *(name for name in value.__struct_fields__ if name not in hide))


def fields(value: object, *names: str) -> Data:
    """The same of the fields, or properties, with these names."""
    return {name: _plain(getattr(value, name)) for name in names}


def _plain(value: object) -> object:
    match value:
        case Message() | Words():
            return str(value)
        case msgspec.Struct():
            return data(value)
        case list() | tuple():
            return [_plain(member) for member in value]
        case dict():
            return {key: _plain(member) for key, member in value.items()}
    return value


def check_lines(checks: Sequence[Finding], *, hints: bool = True) -> list[str | Said]:
    """Checks as lines for a person: a sign, the words, the technical text; then what would settle it."""
    lines: list[str | Said] = []
    for check in checks:
        detail = f"  [{check.detail}]" if check.detail else ""
        lines.append(f"  {SYMBOLS[check.severity]} {check.message}{detail}")
        if hints and check.hint is not None and check.severity != "pass":
            lines.append(f"      → {check.hint}")
    return lines


def request_lines(online: Online) -> list[str | Said]:
    """Every request that was made, for whoever has to find out why one fails."""
    return [
        M(
            "Asked: {url}: {outcome}, {size} bytes, {milliseconds} ms",
            url=answer.url,
            outcome=answer.outcome,
            size=answer.size,
            milliseconds=answer.milliseconds,
        )
        for answer in online.asked
    ]


def unreadable_lines(unreadable: UnreadableVisit) -> list[str]:
    """A visit that cannot be read: which one, what is wrong with it, what to do."""
    return error_lines(unreadable.error, "! ", "    ")


def error_lines(error: FieldkitError, first: str, rest: str) -> list[str]:
    """An error amid what was found: its first sentence after `first`, each further one after `rest`."""
    message, *more = error.lines()
    return [first + message, *(rest + line for line in more)]
