"""Comparing in expressions: as XPath has it, with numbers that are decimals, days and times of day."""

from __future__ import annotations

import datetime
import operator
from collections.abc import Callable, Iterator, Sequence
from decimal import Context, Decimal
from typing import Any

from fieldkit.checklist.value import DIGITS, Nodes, Term, number, text, time_of_day, truth

_COMPARED = Context(prec=DIGITS - 3, traps=[])
_TEXTS = (str, tuple, type(None))
_CLOCKS = (str, datetime.time)
_STORED = ("true", "false")
"""As what a calculated condition is kept, and asked for."""
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compare(sign: str, left: Term, right: Term) -> bool:
    """Whether a comparison holds; of several nodes for any of them."""
    if isinstance(left, Nodes) and isinstance(right, Nodes):
        return _compare_nodes(sign, left, right)
    if isinstance(left, Nodes) and not isinstance(right, bool):
        return any(compare(sign, term, right) for term in left.terms)
    if isinstance(right, Nodes) and not isinstance(left, bool):
        return any(compare(sign, left, term) for term in right.terms)
    if sign in ("=", "!="):
        return _equal(left, right) is (sign == "=")
    one, other = _sizes(left, right)
    return one is not None and other is not None and COMPARISONS[sign](one, other)


def _equal(left: Term, right: Term) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        if left in _STORED or right in _STORED:
            return text(left) == text(right)
        return truth(left) is truth(right)
    if isinstance(left, _TEXTS) and isinstance(right, _TEXTS):
        return text(left) == text(right)
    one, other = _sizes(left, right)
    return one is not None and other is not None and one == other


def _sizes(left: Term, right: Term) -> tuple[Decimal | None, Decimal | None]:
    """Both as numbers that can be compared; a text may be a time of day beside another, or beside a text."""
    one, other = _size(left), _size(right)
    if (one is None or other is None) and isinstance(left, _CLOCKS) and isinstance(right, _CLOCKS):
        return _clock_size(left), _clock_size(right)
    return one, other


def _size(value: Term) -> Decimal | None:
    """A number that can be compared: of one without an end the last digits are not true."""
    size = number(value)
    return None if size is None or size.is_nan() else _COMPARED.plus(size)


def _clock_size(value: Term) -> Decimal | None:
    """That of a time of day, or of a text that is one and no number."""
    if isinstance(value, str) and _size(value) is not None:
        return None
    return _size(time_of_day(value)) if isinstance(value, _CLOCKS) else None


def _compare_nodes(sign: str, left: Nodes, right: Nodes) -> bool:
    """Whether it holds for some pair of them, in one go over each side."""
    if sign in ("=", "!="):
        holds = _share if sign == "=" else _differ
        return any(holds(ours, theirs) for ours, theirs in _keys(left, right))
    least, most = (min, max) if sign.startswith("<") else (max, min)
    for size in (_size, _clock_size):
        ones, others = (
            [known for known in map(size, nodes.terms) if known is not None] for nodes in (left, right)
        )
        if ones and others and COMPARISONS[sign](least(ones), most(others)):
            return True
    return False


def _keys(left: Nodes, right: Nodes) -> Iterator[tuple[set[Any], set[Any]]]:
    """Pairs of sets by which terms are equal: texts as such, others by their size; None equals nothing."""
    texts, others = _parted(left)
    their_texts, their_others = _parted(right)
    yield {text(term) for term in texts}, {text(term) for term in their_texts}
    for clocks in (False, True):
        mine = {_size(term) for term in others if isinstance(term, datetime.time) is clocks}
        theirs = {_size(term) for term in their_others if isinstance(term, datetime.time) is clocks}

        def sizes(terms: Sequence[Term], clocks: bool = clocks) -> set[Decimal | None]:
            return {(_clock_size(term) if clocks else None) or _size(term) for term in terms}

        if mine:
            yield mine, sizes(right.terms)
        if theirs:
            yield sizes(texts), theirs


def _parted(nodes: Nodes) -> tuple[list[Term], list[Term]]:
    """Those that are texts, and the others."""
    texts: list[Term] = [term for term in nodes.terms if isinstance(term, _TEXTS)]
    return texts, [term for term in nodes.terms if not isinstance(term, _TEXTS)]


def _share(ours: set[Any], theirs: set[Any]) -> bool:
    return bool((ours & theirs) - {None})


def _differ(ours: set[Any], theirs: set[Any]) -> bool:
    both = ours | theirs
    return bool(ours and theirs) and (len(both) > 1 or None in both)
