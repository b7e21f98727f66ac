"""Texts that show answers: labels, hints and messages with `${item}` in them."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from fieldkit.checklist.errors import ExpressionInvalid
from fieldkit.checklist.evaluation import evaluate
from fieldkit.checklist.expression import Node, Reference
from fieldkit.checklist.value import Scope, stored
from fieldkit.text import M

_ITEM = re.compile(r"\$\{\s*([^\s{}]+)\s*\}")
_OUTPUT = re.compile(r"<output\b", re.IGNORECASE)


@functools.lru_cache(maxsize=4096)
def parts(text: str) -> tuple[str | Node, ...]:
    """A text in parts: what stands as it is, as a lone `$` or `{` does, and what is shown of the answers.

    :raises ExpressionInvalid: with the place in `text`.
    """
    output = _OUTPUT.search(text)
    if output is not None:
        raise ExpressionInvalid(
            M("An answer is shown in a text with ${item}, not with <output>."), output.start()
        )
    read: list[str | Node] = []
    position = 0
    for match in _ITEM.finditer(text):
        if match.start() > position:
            read.append(text[position : match.start()])
        read.append(Reference(match[1], match.start()))
        position = match.end()
    if position < len(text):
        read.append(text[position:])
    return tuple(read)


def filled(parts: Sequence[str | Node], scope: Scope) -> str:
    """The text with the answers in it; one that is missing leaves nothing."""
    return "".join(part if isinstance(part, str) else stored(evaluate(part, scope)) for part in parts)
