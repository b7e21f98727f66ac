"""What small cells say: parameters, defaults that are expressions, search() in an appearance."""

from __future__ import annotations

import re

import msgspec

_NAME = r"[^\W\d][\w.-]*(?::[^\W\d][\w.-]*)?"
_TOKENS = re.compile(
    rf"""-?\d{{4}}-\d\d-\d\d(?:T[\d:.+Z-]+)? | \d\d:\d\d:\d\d\S* | -?\d*\.?\d+
    | (?P<sum>[*+-]|[ ]mod[ ]|[ ]div[ ]) | (?P<union>\|) | '[^']*' | "[^"]*"
    | (?P<item>\$\{{(?:last-saved\#)?{_NAME}\}}) | (?P<call>{_NAME}\() | (?P<part>{_NAME}\[) | {_NAME} | .
    """,
    re.VERBOSE | re.DOTALL,
)
_PAIR = re.compile(r"([\w-]+)\s*=\s*('[^']*'|\"[^\"]*\"|[^\s;,]+)")
_SEARCH = re.compile(r"search\s*\((.*)\)", re.DOTALL)
_ARGUMENT = re.compile(r"""\s*((?:'[^']*'|"[^"]*"|\((?:[^()]|\([^()]*\))*\)|[^,'"()])+)\s*(?:,|$)""")
_MATCHES = {
    "matches": "{column} = {value}",
    "contains": "contains({column}, {value})",
    "startswith": "starts-with({column}, {value})",
    "endswith": "ends-with({column}, {value})",
}
CONSTANT = re.compile(r"concat\(('[^']*'|\"[^\"]*\")\)")
"""A text that is a text, though it looks like an expression."""


def dynamic(default: str, kind: str) -> bool:
    """Whether a default is an expression: it adds, calls a function, or names an item (pyxform's rule)."""
    for token in _TOKENS.finditer(default):
        if token["sum"] == "-" and kind in ("date", "datetime", "place"):
            return False
        if token.lastgroup is not None:
            return True
    return False


def parameters(text: str) -> dict[str, str] | None:
    """The cell `parameters`: "start=1 end=10"; None where it is nothing of the kind."""
    pairs = {match[1].lower(): match[2].strip("'\"") for match in _PAIR.finditer(text)}
    return pairs if not _PAIR.sub("", text).strip(" ;,\t\n") else None


class Search(msgspec.Struct, frozen=True):
    """search() in an appearance: a list in a file, and the filter it means."""

    file: str
    choice_filter: str


def search(appearance: str) -> tuple[Search | None, str]:
    """The search() of an appearance, and what it says besides.

    :raises ValueError: it is none that is understood.
    """
    match = _SEARCH.search(appearance)
    if match is None:
        return None, appearance
    arguments = [argument.strip() for argument in _ARGUMENT.findall(match[1])]
    literals = [_unquoted(argument) for argument in arguments]
    if not literals or not literals[0] or len(arguments) not in (1, 4, 6):
        raise ValueError
    conditions = []
    if len(arguments) > 1:
        if literals[1] not in _MATCHES or not literals[2]:
            raise ValueError
        conditions.append(_MATCHES[literals[1]].format(column=literals[2], value=arguments[3]))
    if len(arguments) > 4:
        if not literals[4]:
            raise ValueError
        conditions.append(f"{literals[4]} = {arguments[5]}")
    rest = (appearance[: match.start()] + appearance[match.end() :]).strip()
    return Search(literals[0], " and ".join(conditions)), rest


def _unquoted(argument: str) -> str:
    return (
        argument[1:-1] if len(argument) > 1 and argument[0] == argument[-1] and argument[0] in "'\"" else ""
    )
