"""The patterns of regex(): held against a whole text in time linear in its length, whatever the pattern.

They are read as Python's `re` reads them and mean the same; what no automaton can do (looking around,
references back, possessive groups, flags) is refused when the checklist is read. The automaton is
Thompson's: all ways through the pattern are followed at once, so none is ever gone back to.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from re import _parser  # type: ignore[attr-defined]  # what re itself reads patterns with
from typing import Any

from fieldkit.text import M, Message

MOST_STATES = 1000
MOST_KNOWN = 20_000

Takes = Callable[[str], bool]
Context = tuple[bool, bool, bool, bool, bool]
"""Of a place in a text: at its start, at its end, before its last line break; a word before it, after it."""

_CATEGORIES: dict[str, Takes] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_NOT_DIGIT": lambda sign: not sign.isdecimal(),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda sign: not sign.isspace(),
    "CATEGORY_WORD": lambda sign: _is_word(sign),
    "CATEGORY_NOT_WORD": lambda sign: not _is_word(sign),
}
_PLACES: dict[str, Callable[[Context], bool]] = {
    "AT_BEGINNING": lambda at: at[0],
    "AT_BEGINNING_STRING": lambda at: at[0],
    "AT_END": lambda at: at[1] or at[2],
    "AT_END_STRING": lambda at: at[1],
    "AT_BOUNDARY": lambda at: at[3] != at[4],
    "AT_NON_BOUNDARY": lambda at: at[3] == at[4],
}


class PatternInvalid(ValueError):
    """A pattern cannot be used; `message` says why."""

    def __init__(self, message: Message) -> None:
        super().__init__(str(message))
        self.message = message


class Pattern:
    """A pattern, ready to be held against texts.

    :raises PatternInvalid: it is none, is too large, or uses what is not known here.
    """

    def __init__(self, pattern: str) -> None:
        self._takes: dict[int, Takes] = {}
        self._ways: list[tuple[int, ...]] = []
        self._places: dict[int, Callable[[Context], bool]] = {}
        self._sequences = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what a later Python will read otherwise
                parts = _parser.parse(pattern)
            if parts.state.flags & ~re.UNICODE:
                raise PatternInvalid(_lacking("(?…)"))
            accept = self._state()
            self._start = self._sequence(parts, accept)
        except (re.error, OverflowError, RecursionError) as error:
            reason = M("This is not a regular expression: {reason}.", reason=str(error))
            raise PatternInvalid(reason) from None
        self._accept = 1 << accept
        self._closures: dict[tuple[int, Context], int] = {}
        self._accepting: dict[str, int] = {}
        self._known: dict[tuple[int, str, Context], int] = {}
        self._eights: dict[tuple[int, int, Context], int] = {}

    def matches(self, text: str) -> bool:
        """Whether the pattern fits the whole of `text`."""
        states = self._closure(self._start, _context(text, 0))
        for number, sign in enumerate(text):
            if not states:
                return False
            states = self._step(states, sign, _context(text, number + 1))
        return bool(states & self._accept)

    # --- following all ways at once: a set of states is an integer with a bit for each

    def _step(self, states: int, sign: str, after: Context) -> int:
        key = (states & self._taking(sign), sign, after)
        known = self._known.get(key)
        if known is None:
            known = 0
            for number, eight in enumerate(key[0].to_bytes(MOST_STATES // 8 + 1, "little")):
                if eight:
                    known |= self._following(number, eight, after)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = known
        return known

    def _following(self, number: int, eight: int, after: Context) -> int:
        """Where those of eight states lead that `eight` has; the first of them is number * 8."""
        key = (number, eight, after)
        known = self._eights.get(key)
        if known is None:
            known = 0
            for bit in range(8):
                if eight >> bit & 1:
                    known |= self._closure(self._ways[number * 8 + bit][0], after)
            if len(self._eights) >= MOST_KNOWN:
                self._eights.clear()
            self._eights[key] = known
        return known

    def _taking(self, sign: str) -> int:
        """The states that take a character."""
        known = self._accepting.get(sign)
        if known is None:
            known = sum(1 << state for state, takes in self._takes.items() if takes(sign))
            if len(self._accepting) >= MOST_KNOWN:
                self._accepting.clear()
            self._accepting[sign] = known
        return known

    def _closure(self, state: int, at: Context) -> int:
        """The states that take a character, or accept, and are reached from `state` without one."""
        known = self._closures.get((state, at))
        if known is None:
            known = 0
            seen, waiting = {state}, [state]
            while waiting:
                here = waiting.pop()
                if here in self._takes or not self._ways[here]:
                    known |= 1 << here
                elif here not in self._places or self._places[here](at):
                    fresh = [way for way in self._ways[here] if way not in seen]
                    seen.update(fresh)
                    waiting += fresh
            self._closures[state, at] = known
        return known

    # --- from the parts of a pattern to states, the last part first

    def _state(self, *ways: int) -> int:
        if len(self._ways) >= MOST_STATES:
            raise _too_large()
        self._ways.append(ways)
        return len(self._ways) - 1

    def _sequence(self, parts: Iterable[Any], following: int) -> int:
        self._sequences += 1
        if self._sequences > 20 * MOST_STATES:
            raise _too_large()
        for kind, argument in reversed(list(parts)):
            following = self._part(str(kind), argument, following)
        return following

    def _part(self, kind: str, argument: Any, following: int) -> int:
        match kind:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                state = self._state(following)
                self._takes[state] = _one(kind, argument)
                return state
            case "AT" if str(argument) in _PLACES:
                state = self._state(following)
                self._places[state] = _PLACES[str(argument)]
                return state
            case "BRANCH":
                return self._state(*(self._sequence(branch, following) for branch in argument[1]))
            case "SUBPATTERN" if not (argument[1] or argument[2]):
                return self._sequence(argument[3], following)
            case "MAX_REPEAT" | "MIN_REPEAT":
                fewest, most, body = argument
                return self._repeat(fewest, most, body, following)
        raise PatternInvalid(_lacking(_SHOWN.get(kind, kind)))

    def _repeat(self, fewest: int, most: int, body: Sequence[Any], following: int) -> int:
        if most is _parser.MAXREPEAT:
            loop = self._state(following)
            self._ways[loop] = (self._sequence(body, loop), following)
            following = loop
        else:
            end = following
            for _ in range(most - fewest):
                following = self._state(self._sequence(body, following), end)
        for _ in range(fewest):
            following = self._sequence(body, following)
        return following


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> Pattern:
    """The pattern; kept for the next text.

    :raises PatternInvalid: it cannot be used.
    """
    return Pattern(pattern)


_SHOWN = {
    "ASSERT": "(?=…)",
    "ASSERT_NOT": "(?!…)",
    "GROUPREF": "\\1",
    "GROUPREF_EXISTS": "(?(1)…)",
    "SUBPATTERN": "(?i:…)",
    "ATOMIC_GROUP": "(?>…)",
    "POSSESSIVE_REPEAT": "a*+",
}


def _too_large() -> PatternInvalid:
    return PatternInvalid(M("The pattern is too large: what it repeats counts as often as it may occur."))


def _lacking(what: str) -> Message:
    return M(
        "The pattern uses {what}, which is not known here: it could keep an answer waiting for hours.",
        what=what,
    )


def _one(kind: str, argument: Any) -> Takes:
    """Whether one character is taken by a part."""
    match kind:
        case "LITERAL":
            return chr(argument).__eq__
        case "NOT_LITERAL":
            return chr(argument).__ne__
        case "ANY":
            return "\n".__ne__
    negated = str(argument[0][0]) == "NEGATE"
    tests = [_member(str(name), value) for name, value in argument[negated:]]
    return lambda sign: any(test(sign) for test in tests) is not negated


def _member(kind: str, value: Any) -> Takes:
    if kind == "RANGE":
        first, last = map(chr, value)
        return lambda sign: first <= sign <= last
    return _CATEGORIES[str(value)] if kind == "CATEGORY" else _one(kind, value)


def _context(text: str, at: int) -> Context:
    """What is around the place before the character number `at`."""
    left = len(text) - at
    return (
        at == 0,
        left == 0,
        left == 1 and text[at] == "\n",
        at > 0 and _is_word(text[at - 1]),
        left > 0 and _is_word(text[at]),
    )


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"
