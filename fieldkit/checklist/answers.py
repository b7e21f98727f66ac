"""Answers against a checklist: what fits an item, what is in force, what still keeps a visit open.

An item that is not in force has no answer: what was once entered there does not count. An answer has a key:
the id of its item, in a repeat that of its row before it ("devices/2/serial"). A row is there while its own
key ("devices/2") has a value; rows stand in the order of these values, which are numbers as text.

    known = Answers(form, {"devices/1": "1", "devices/1/serial": "A-77"}, now)
    known.relevant()                            ["devices/1/serial", …]
    known.change("devices/1/serial", "A-78")    only what depends on it is settled anew
"""

from __future__ import annotations

import datetime
import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal, localcontext
from typing import Any

import msgspec

from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.checklist.evaluation import evaluate
from fieldkit.checklist.kinds import KINDS, Choice, Item, Metadata, Value
from fieldkit.checklist.layout import ItemPlace
from fieldkit.checklist.model import BUREAU, BUREAU_LIST, Checklist, item_id
from fieldkit.checklist.template import filled, parts
from fieldkit.checklist.value import Nodes, Term, number, plain, stored, truth
from fieldkit.text import M, Said, Words

MOST_ROWS = 10_000
"""How many rows a repeat may have."""
LONGEST_PLACE = 2000
"""How many digits the place of a row among the others may have."""
_PLACE = re.compile(rf"\d{{1,20}}(\.\d{{1,{LONGEST_PLACE}}})?")


class AnswerProblem(msgspec.Struct, frozen=True):
    """What keeps a visit from being finished: the key of an item and the reason."""

    item: str
    message: Said


class FormLine(msgspec.Struct, frozen=True):
    """A line of the form as it stands: an item in force, or the heading of a group or of a row.

    key: of the answer, the row, or the id of the group ("@" before that of a section). depth: how far inside,
    from 0 for a section. row: its number from 1, where it is the heading of one.
    """

    key: str
    item: Item
    depth: int
    row: int = 0

    @property
    def heading(self) -> bool:
        """Whether it only stands above others."""
        return KINDS[self.item.kind].holds

    @property
    def title(self) -> Said:
        """What stands there: the item's label, with its number for a row."""
        return (
            M("{label} {number}", label=str(self.item.label), number=self.row)
            if self.row
            else self.item.label
        )


class Answers:
    """The answers of one visit as expressions see them at a time, and what they put in force.

    facts: what is known of the filling in itself, for items of kind "metadata". bureau: what is known of the
    bureau, by the names of `BUREAU`, for instance('bureau'). seed: what chance is drawn from.
    """

    def __init__(
        self,
        checklist: Checklist,
        answers: Mapping[str, Any],
        now: datetime.datetime,
        facts: Mapping[Metadata, str] | None = None,
        bureau: Mapping[str, str] | None = None,
        seed: str = "",
    ) -> None:
        self.checklist = checklist
        self.now = now
        self.seed = seed
        self._layout = checklist.layout
        self._answers = dict(answers)
        self._facts = facts or {}
        self._bureau = bureau or {}
        self._off: set[str] = set()
        self._calculated: dict[str, Any] = {}
        self._terms: dict[str, Term] = {}
        self._rows: dict[str, list[str]] = {}
        self._present: set[str] = set()
        self._broken: dict[str, Said] | None = None
        self._added: dict[str, list[str]] = {}
        for key in self._answers:
            if key.count("/") % 2:
                self._added.setdefault(key.rpartition("/")[0], []).append(key)
        for id in self._layout.order:
            for key in self._keys(id):
                self._settle(id, key)

    def at(self, now: datetime.datetime) -> Answers:
        """The same answers at another time, to be changed at will."""
        return Answers(self.checklist, self._answers, now, self._facts, self._bureau, self.seed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answers) and (self.checklist, self._answers) == (
            other.checklist,
            other._answers,
        )

    __hash__ = None  # type: ignore[assignment]  # it changes

    # --- what there is

    def relevant(self) -> list[str]:
        """The keys of the items in force, in order."""
        return [line.key for line in self.lines() if not line.heading]

    def lines(self) -> Iterator[FormLine]:
        """What the form is now: the items in force, with the headings of sections, groups and rows."""
        for section in self._layout.sections:
            if section.id not in self._off:
                yield FormLine(section.id, section, 0)
                yield from self._below(section, "", 1)

    def _below(self, group: Item, prefix: str, depth: int) -> Iterator[FormLine]:
        for item in group.items:
            key = prefix + item.id
            if key in self._off:
                continue
            yield FormLine(key, item, depth)
            if item.kind == "repeat":
                for number, row in enumerate(self._rows.get(key, ()), start=1):
                    yield FormLine(row, item, depth + 1, number)
                    yield from self._below(item, f"{row}/", depth + 2)
            elif item.items:
                yield from self._below(item, prefix, depth + 1)

    def rows(self, repeat: str) -> Sequence[str]:
        """The keys of the rows of a repeat, by its key, in order."""
        return self._rows.get(repeat, ())

    def asked(self, key: str) -> bool:
        """Whether there is such an item, group or row, and it is in force."""
        id = item_id(key)
        if id not in self._layout.items:
            return False
        *around, _ = key.split("/") if not _is_row(key) else key.split("/")[:-1]
        in_place = tuple(around[::2]) == self._layout.places[id].repeats
        return in_place and self._there(key) and key not in self._off

    def is_repeat(self, id: str) -> bool:
        """Whether what is called so has rows."""
        return id in self._layout.items and self._layout.items[id].kind == "repeat"

    def place(self, repeat: str, position: int, but: str = "") -> str:
        """The value of a row's key that puts it at a position of a repeat, from 0; `but` is not counted."""
        rows = [row for row in self.rows(repeat) if row != but]
        position = min(max(position, 0), len(rows))
        with localcontext() as context:
            context.prec = LONGEST_PLACE
            low = _order(self._answers[rows[position - 1]]) if position else Decimal(0)
            high = _order(self._answers[rows[position]]) if position < len(rows) else None
            step = Decimal(1)
            while True:  # the shortest number between both
                place = low.quantize(step, ROUND_FLOOR) + step
                if high is None or place < high:
                    return plain(place)
                step = step.scaleb(-1)

    def counted(self, repeat: str) -> bool:
        """Whether an expression says how many rows a repeat has."""
        return bool(self.checklist.item(repeat).count)

    def answer(self, key: str) -> Any:
        """What counts as the answer: given by a person or calculated; None where there is none."""
        if key in self._off:
            return None
        return self._calculated[key] if key in self._calculated else self._answers.get(key)

    def answers(self) -> dict[str, Any]:
        """All that counts, by key, in order."""
        lines = ((line.key, self.answer(line.key)) for line in self.lines())
        return {key: answer for key, answer in lines if answer is not None}

    def words(self, key: str) -> Words:
        """What counts as the answer, as people read it."""
        item = self.checklist.item(key)
        if item.list:
            item = msgspec.structs.replace(item, choices=self.checklist.choices(item))
        return KINDS[item.kind].words(item, self.answer(key))

    def text(self, key: str, words: Words) -> Words:
        """A text of an item, its label or hint, with the answers that it shows in it."""
        if "${" not in words.vi + words.en:
            return words
        scope = _Scope(self, key)
        return Words(*(filled(parts(text), scope) for text in (words.vi, words.en)))

    def label(self, key: str) -> Words:
        """What an item is called, with the answers that its label shows."""
        return self.text(key, self.checklist.item(key).label)

    def choices(self, key: str) -> tuple[Choice, ...]:
        """What an item may be answered with, as its filter has it now."""
        item = self.checklist.item(key)
        offered = self.checklist.choices(item)
        tree = self._layout.tree(item.id, "choice_filter")
        if tree is None:
            return offered
        return tuple(choice for choice in offered if truth(evaluate(tree, _Scope(self, key, choice=choice))))

    def required(self, key: str) -> bool:
        """Whether an answer is wanted now."""
        return self._holds(key, "required", bool(self.checklist.item(key).required))

    def read_only(self, key: str) -> bool:
        """Whether it cannot be answered by a person now."""
        return self._holds(key, "read_only", bool(self.checklist.item(key).read_only))

    def prefill(self, key: str) -> str:
        """What its editor begins with, "" for nothing: it counts once a person confirms it."""
        item = self.checklist.item(key)
        tree = self._layout.tree(item.id, "prefill")
        return item.default if tree is None else stored(evaluate(tree, _Scope(self, key)))

    def _holds(self, key: str, rule: str, otherwise: bool) -> bool:
        tree = self._layout.tree(item_id(key), rule)
        return otherwise if tree is None else truth(evaluate(tree, _Scope(self, key)))

    # --- what may be answered

    def accept(self, key: str, value: Any) -> Value:
        """`value` in the form it is stored in, and its effects.

        :raises AnswerInvalid: it does not fit the item, or breaks its constraint; all is as before then.
        """
        item = self.checklist.item(key)
        if item.answered_by != "person" and not (item.kind == "repeat" and _is_row(key)):
            raise _refused(M("This item is not answered by a person."))
        if _is_row(key):
            return _row_place(value)
        if self.read_only(key):
            raise _refused(M("This item cannot be answered now."))
        if item.list or item.choice_filter:
            item = msgspec.structs.replace(item, choices=self.choices(key))
        normal = KINDS[item.kind].normal(item, value)
        before = self._answers.get(key)
        self.change(key, normal)
        broken = self._breaks(key, normal)
        if broken is not None:
            self.change(key, before)
            raise _refused(broken)
        return normal

    def change(self, key: str, answer: Any) -> set[str]:
        """Take the answer for that of `key`, None to take it back; the keys of all that was settled anew.

        Only what depends on it is looked at, whatever the size of the form.
        """
        if answer is None:
            self._answers.pop(key, None)
        else:
            self._answers[key] = answer
        id = item_id(key)
        if _is_row(key):
            repeat = key.rpartition("/")[0]
            rows = self._added.setdefault(repeat, [])
            if answer is None and key in rows:
                rows.remove(key)
            elif answer is not None and key not in rows:
                rows.append(key)
            return self._spread(id, repeat, settle=True)
        return self._spread(id, key, settle=False)

    def _spread(self, id: str, key: str, *, settle: bool) -> set[str]:
        """Settle `key` and what depends on it, in the order in which they look at each other."""
        order = self._layout.order
        waiting: list[tuple[int, str, str]] = []
        queued: set[tuple[str, str]] = set()
        touched = {key}
        new_rows: set[str] = set()

        def put(id: str, prefix: str) -> None:
            if (id, prefix) not in queued:
                queued.add((id, prefix))
                heapq.heappush(waiting, (order[id], id, prefix))

        def dependents(id: str, key: str) -> None:
            inside = self._layout.places[id].repeats
            for other in self._layout.dependents.get(id, ()):
                put(other, _common(key, inside, self._layout.places[other].repeats))

        def settled(id: str, key: str) -> None:
            rows = tuple(self._rows.get(key, ()))
            if not self._settle(id, key):
                return
            touched.add(key)
            dependents(id, key)
            now = self._rows.get(key, ())
            for row in set(now).difference(rows):
                new_rows.add(row)
                for member in self._layout.inside(id):
                    put(member, row)
            for row in set(rows).difference(now):
                for member in self._layout.inside(id):
                    dependents(member, f"{row}/{member}")

        if settle:
            settled(id, key)
        else:
            dependents(id, key)
        while waiting:
            _, id, prefix = heapq.heappop(waiting)
            queued.discard((id, prefix))
            for key in list(self._keys(id, prefix)):
                settled(id, key)
                if prefix in new_rows:
                    touched.add(key)
        if self._broken is not None:
            self._recheck(touched)
        return touched

    # --- what keeps it open

    def problems(self, verdicts: Mapping[str, str]) -> list[AnswerProblem]:
        """What keeps the visit open, in the order of the items.

        verdicts: the outcome of each procedure's item that was run: "pass", "fail", "not-checked", or
        "outdated" where it was about a token that is no more the visit's.
        """
        broken = self.broken()
        reasons = (
            (
                line.key,
                self._unproven(line.key, line.item, verdicts.get(line.key))
                if line.item.answered_by == "procedure"
                else broken.get(line.key),
            )
            for line in self.lines()
            if not line.heading
        )
        return [AnswerProblem(key, reason) for key, reason in reasons if reason is not None]

    def broken(self) -> Mapping[str, Said]:
        """What is wrong with answers, or lacks one, by key, in no order; procedures left aside."""
        if self._broken is None:
            self._broken = {}
            self._recheck(line.key for line in self.lines() if not line.heading)
        return self._broken

    def _recheck(self, keys: Any) -> None:
        assert self._broken is not None
        checked: set[str] = set()
        for key in keys:
            id = item_id(key)
            inside = self._layout.places[id].repeats
            others = (
                other_key
                for other in self._layout.checked_with.get(id, ())
                for other_key in self._keys(other, _common(key, inside, self._layout.places[other].repeats))
            )
            for changed in (key, *others):
                if changed not in checked and not _is_row(changed):
                    checked.add(changed)
                    self._check(changed)

    def _check(self, key: str) -> None:
        assert self._broken is not None
        reason = None if key in self._off or not self._there(key) else self._wrong(key)
        if reason is None:
            self._broken.pop(key, None)
        else:
            self._broken[key] = reason

    def _wrong(self, key: str) -> Said | None:
        item = self.checklist.item(key)
        if item.answered_by == "procedure" or KINDS[item.kind].holds:
            return None
        answer = self.answer(key)
        if answer is None or answer == "" or (answer == [] and item.required):
            if item.answered_by == "person" and self.required(key):
                return self._message(key, item.required_message) or M("An answer is required.")
            return None
        return self._breaks(key, answer)

    def _breaks(self, key: str, answer: Value) -> Said | None:
        """Why `answer` breaks the item's constraint or is filtered out, or None."""
        item = self.checklist.item(key)
        if item.choice_filter:
            offered = {choice.value for choice in self.choices(key)}
            if any(value not in offered for value in (answer if isinstance(answer, list) else [answer])):
                return M("What was chosen is not offered any more. Choose again.")
        tree = self._layout.tree(item.id, "constraint")
        if tree is None:
            return None
        this = KINDS[item.kind].term(answer)
        if truth(evaluate(tree, _Scope(self, key, this))):
            return None
        return self._message(key, item.constraint_message) or M(
            "The answer does not fit: {constraint}", constraint=item.constraint
        )

    def _message(self, key: str, words: Words | None) -> Words | None:
        return None if words is None else self.text(key, words)

    def _unproven(self, key: str, item: Item, verdict: str | None) -> Said | None:
        if verdict == "fail":
            return M("This step failed. Mend what it found and run it again.")
        if verdict == "outdated" and self.required(key):
            return M(
                "This step was done with another token, or before the token was initialised anew. "
                "Run it again."
            )
        if verdict is None and self.required(key):
            return M("This step has not been run.")
        return None

    # --- settling

    def _keys(self, id: str, prefix: str = "") -> Iterator[str]:
        """The keys of an item in every row it is in; prefix: only below that row."""
        if prefix and prefix not in self._present:
            return
        place = self._layout.places[id]
        rows = [prefix]
        for repeat in place.repeats[len(prefix.split("/")) // 2 if prefix else 0 :]:
            rows = [row for at in rows for row in self._rows.get(f"{at}/{repeat}" if at else repeat, ())]
        for row in rows:
            yield f"{row}/{id}" if row else id

    def _there(self, key: str) -> bool:
        """Whether the row it is in is still there."""
        row = key.rpartition("/")[0]
        return not row or row in self._present

    def _settle(self, id: str, key: str) -> bool:
        """Find out whether it is in force, and what it comes to; whether that is not as it was."""
        place = self._layout.places[id]
        before = key in self._off, self._calculated.get(key), tuple(self._rows.get(key, ()))
        if self._in_force(place, key):
            self._off.discard(key)
            self._fill(place.item, key)
        else:
            self._off.add(key)
            self._calculated.pop(key, None)
            self._rows.pop(key, None)
        after = key in self._off, self._calculated.get(key), tuple(self._rows.get(key, ()))
        if after[2] != before[2]:
            self._forget(before[2], after[2])
        return after != before

    def _in_force(self, place: ItemPlace, key: str) -> bool:
        if place.group:
            around = self._layout.places[place.group]
            row = key.rpartition("/")[0]
            group = place.group if not row else (
                row.rpartition("/")[0] if around.item.kind == "repeat" else f"{row}/{place.group}"
            )  # fmt: skip
            if group in self._off:
                return False
        tree = self._layout.tree(place.item.id, "relevant")
        return tree is None or truth(evaluate(tree, _Scope(self, key)))

    def _fill(self, item: Item, key: str) -> None:
        if item.kind == "repeat":
            self._rows[key] = self._listed(item, key)
        elif item.metadata is not None:
            self._calculated[key] = self._facts.get(item.metadata)
        elif item.calculate:
            tree = self._layout.tree(item.id, "calculate")
            assert tree is not None
            self._terms[key] = evaluate(tree, _Scope(self, key))
            self._calculated[key] = _as_kind(item, stored(self._terms[key]))
        elif item.kind == "calculate" or item.read_only is True:
            self._calculated[key] = _as_kind(item, self.prefill(key)) or None

    def _listed(self, item: Item, key: str) -> list[str]:
        """The keys of the rows of a repeat: as many as its `count` says, or those that were added."""
        tree = self._layout.tree(item.id, "count")
        if tree is None:
            added = self._added.get(key, ())
            return sorted(added, key=lambda row: (_order(self._answers[row]), _row_number(row)))
        count = number(evaluate(tree, _Scope(self, key)))
        wanted = 0 if count is None or not count.is_finite() else min(max(int(count), 0), MOST_ROWS)
        return [f"{key}/{row}" for row in range(1, wanted + 1)]

    def _forget(self, before: Sequence[str], after: Sequence[str]) -> None:
        """What was settled in rows that are no more there."""
        self._present.update(after)
        gone = set(before).difference(after)
        if not gone:
            return
        depth = 2 * _depth(next(iter(gone)))

        def inside(key: str) -> bool:
            return "/".join(key.split("/", depth)[:depth]) in gone

        for kept in (self._calculated, self._terms, self._rows, self._broken or {}):
            for key in [key for key in kept if inside(key)]:
                del kept[key]
        self._off = {key for key in self._off if not inside(key)}
        self._present = {key for key in self._present if not inside(key)}

    # --- what expressions see

    def term(self, key: str) -> Term:
        """The value of an answer in expressions; that of no answer where it is not in force."""
        if key in self._calculated and key in self._terms and self.checklist.item(key).kind == "calculate":
            return self._terms[key]  # a condition is not the text "false"
        return KINDS[self.checklist.item(key).kind].term(self.answer(key))

    @property
    def bureau(self) -> Mapping[str, str]:
        """What is known of the bureau that the form is about."""
        return {name: self._bureau.get(name, "") for name in BUREAU}

    def repeats(self, key: str) -> Sequence[str]:
        """The ids of the repeats that an answer is in, the outermost first."""
        return self._layout.places[item_id(key)].repeats

    def around(self, id: str, key: str) -> str:
        """The row that an item of that id and `key` are both in; "" for none."""
        return _common(key, self.repeats(key), self._layout.places[id].repeats)

    def look(self, name: str, key: str) -> Term:
        """What `${name}` is, seen from `key`: an answer, or those of all rows it is in and `key` is not."""
        layout = self._layout
        id = layout.named(name, item_id(key))
        place = layout.places[id]
        prefix = self.around(id, key)
        if KINDS[place.item.kind].holds:
            groups = [group for group in self._keys(id, prefix) if group not in self._off]
            rows = [row for group in groups for row in self._rows.get(group, ())]
            members = (
                rows if place.item.kind == "repeat" else [group for group in groups if group not in self._off]
            )
            return Nodes(tuple("" for _ in members))
        if len(place.repeats) == _depth(prefix):
            return self.term(f"{prefix}/{id}" if prefix else id)
        return Nodes(tuple(self.term(below) for below in self._keys(id, prefix)))


class _Scope:
    """What an expression of the item with a key looks at."""

    def __init__(self, known: Answers, key: str, this: Term = None, choice: Choice | None = None) -> None:
        self._known = known
        self._key = key
        self._this = this
        self._choice = choice
        self.now = known.now
        self.seed = f"{known.seed} {key}"

    def value(self, name: str) -> Term:
        if not name:
            return self._this if self._this is not None else self._known.term(self._key)
        return self._known.look(name, self._key)

    def position(self, of: str = "..") -> int:
        inside = [*self._known.repeats(self._key)]
        repeat = self._known.checklist.layout.named(of, item_id(self._key))
        if repeat not in inside:
            return 1
        row = "/".join(self._key.split("/")[: 2 * inside.index(repeat) + 2])
        rows = self._known.rows(row.rpartition("/")[0])
        return rows.index(row) + 1 if row in rows else 1

    def row(self, name: str, *at: tuple[str, int]) -> Term:
        prefix = self._known.around(at[0][0], self._key) if at else ""
        for repeat, wanted in at:
            rows = self._known.rows(f"{prefix}/{repeat}" if prefix else repeat)
            if not 1 <= wanted <= len(rows):
                return None
            prefix = rows[wanted - 1]
        return self._known.term(f"{prefix}/{name}")

    def label(self, name: str, value: str) -> str:
        choices = self._known.checklist.choices(self._known.checklist.item(name))
        return next((choice.label.vi for choice in choices if choice.value == value), "")

    def listed(self, list: str) -> Sequence[Mapping[str, str]]:
        if list == BUREAU_LIST:
            return [self._known.bureau]
        return self._known.checklist.tables.get(list, ())

    def column(self, name: str) -> Term:
        return None if self._choice is None else self._choice.row.get(name, "")


def _as_kind(item: Item, value: str) -> Any:
    """What a calculation came to, as an answer of the item's kind; as it is where it is none."""
    if not value or item.kind == "calculate":
        return value
    try:
        return KINDS[item.kind].normal(item, value)
    except AnswerInvalid:
        return value


def _refused(message: Said) -> AnswerInvalid:
    return AnswerInvalid(message, unchanged=M("The answer was not saved."))


def _is_row(key: str) -> bool:
    return "/" in key and key.rpartition("/")[2].isdigit()


def _row_number(key: str) -> int:
    return int(key.rpartition("/")[2])


def _row_place(value: Any) -> str:
    """Where a row stands among the others: a number as text."""
    if not isinstance(value, str) or not _PLACE.fullmatch(value):
        raise _refused(M("A number is expected as the place of a row."))
    return value


def _order(value: Any) -> Decimal:
    return Decimal(value) if isinstance(value, str) and _PLACE.fullmatch(value) else Decimal(0)


def _depth(prefix: str) -> int:
    """In how many rows, one in another, it is."""
    return (prefix.count("/") + 1) // 2 if prefix else 0


def _common(key: str, inside: Sequence[str], other: Sequence[str]) -> str:
    """The row that `key` and an item in the repeats `other` are both in; "" for none."""
    same = 0
    for one, two in zip(inside, other, strict=False):
        if one != two:
            break
        same += 1
    return "/".join(key.split("/")[: 2 * same])
