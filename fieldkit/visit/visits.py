"""The visits in a store: start one, answer it, run its procedures, sign it off, amend it.

Every method that changes something returns only when the journal has it on disk.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import importlib
import itertools
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from fieldkit.access import make_private_folder
from fieldkit.checklist import load
from fieldkit.checklist.answers import MOST_ROWS
from fieldkit.checklist.errors import ChecklistInvalid
from fieldkit.checklist.kinds import KINDS, Item, Value
from fieldkit.checklist.model import Checklist
from fieldkit.errors import FieldkitError, unexpected
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.journal.entry import Draft, Entry
from fieldkit.journal.errors import StoreReadOnly
from fieldkit.journal.store import Store
from fieldkit.operator import Operator
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence, to_value
from fieldkit.profile.model import Bureau, Profiles
from fieldkit.settings import full_name, load_or_default
from fieldkit.text import M, Message, Said, Words, nfc
from fieldkit.visit import checklist_cache, errors, summary
from fieldkit.visit.answer_file import accept_all
from fieldkit.visit.fold import fold
from fieldkit.visit.model import CHANGED, UnreadableVisit, Visit
from fieldkit.visit.pin import pin
from fieldkit.visit.summary import SummaryList, VisitSummary, summary_of
from fieldkit.yaml_model import Plain


class VisitList(msgspec.Struct, frozen=True):
    """Every visit of a store, the one touched last first; and those that cannot be read, by their ids."""

    visits: list[Visit]
    unreadable: list[UnreadableVisit]

    @property
    def signed_off(self) -> set[tuple[str, str]]:
        """The bureau's code and the checklist of every visit that was signed off."""
        signed = (visit for visit in self.visits if visit.state in ("signed", "recorded"))
        return {(visit.bureau.code, visit.checklist.id) for visit in signed}


class Visits:
    """All visits of one store, and the only way to change them.

    who: the technician's name as it stands in every entry; the one that was set for good unless given. Where
    there is none it is the login name, and `named` is false: records then say that it is no name.
    """

    def __init__(self, store: Store, home: Home, who: str = "") -> None:
        self.store = store
        self.home = home
        known = nfc(who) or load_or_default(home).who
        self.named = bool(known)
        self.who = known or _login()
        self._checklists: dict[str, Checklist] = {}
        self._whole: set[str] = set()
        self._changing = threading.RLock()  # what is compared is still so when the entry is written

    @functools.cached_property
    def profiles(self) -> Profiles:
        """The profiles in force, read when first needed: showing visits does not need them."""
        from fieldkit.profile.load import load

        return load(self.home)

    def introduce(self, who: str) -> None:
        """From now on it is this person who works.

        :raises NameUnfit: it is no name.
        """
        self.who, self.named = full_name(who), True

    # --- reading

    def list(self) -> list[Visit]:
        """Every visit that can be read, the one touched last first; `overview` has the others too."""
        return self.overview().visits

    def overview(self) -> VisitList:
        """Every visit, and for each that cannot be read what is wrong with it; one harms no other."""
        by_visit: dict[str, list[Entry]] = {}
        for entry in self.store.entries():
            if entry.visit:
                by_visit.setdefault(entry.visit, []).append(entry)
        readable: list[Visit] = []
        unreadable: list[UnreadableVisit] = []
        for id, entries in sorted(by_visit.items(), key=lambda visit: visit[1][-1].hlc, reverse=True):
            try:
                readable.append(self._fold(id, entries))
            except FieldkitError as error:
                unreadable.append(UnreadableVisit(id, error, entries[-1].wall))
        return VisitList(readable, unreadable)

    def summaries(self) -> SummaryList:
        """Every visit as a list shows it: read from its entries only where these are not as they were."""
        if self.store.damage():
            overview = self.overview()
            return SummaryList([summary_of(visit) for visit in overview.visits], overview.unreadable)
        folder = self.home.path / "cache"
        kept = summary.read(folder)
        now: dict[str, tuple[str, VisitSummary]] = {}
        unreadable: list[UnreadableVisit] = []
        for last in self.store.last_entries():
            before = kept.get(last.visit)
            if before is not None and before[0] == last.hash and self._is_whole(before[1].form):
                now[last.visit] = before
                continue
            try:
                now[last.visit] = last.hash, summary_of(self.load(last.visit))
            except FieldkitError as error:
                unreadable.append(UnreadableVisit(last.visit, error, last.wall))
        if now != kept and self.store.read_only is None:
            summary.keep(folder, now)
        visits = sorted((made for _, made in now.values()), key=lambda visit: visit.order, reverse=True)
        return SummaryList(visits, unreadable)

    def _is_whole(self, form: str) -> bool:
        """Whether a checklist that visits keep is there as it was; each is read once only."""
        if form not in self._whole:
            try:
                self.store.attachment(form)
            except FieldkitError:
                return False
            self._whole.add(form)
        return True

    def load(self, visit: str, upto: str = "") -> Visit:
        """The visit of that id, or of the only id that begins so.

        upto: the head ("device:seq:hash") that a sign-off accepted: the visit as it was signed off then,
        whatever was added since.

        :raises VisitNotFound: none does, or several do. :raises VisitUnreadable: its entries add up to none.
        """
        entries = list(self.store.entries(visit=visit))
        if entries:
            return self._fold(visit, _signed(entries, upto) if upto else entries)
        known = {entry.visit for entry in self.store.entries() if entry.visit}
        matching = [name for name in known if name.startswith(visit)] if visit else []
        if len(matching) == 1:
            return self.load(matching[0], upto)
        raise errors.VisitNotFound(
            M("There is no visit {visit} in this store.", visit=visit),
            hint=M("`fieldkit visit list` shows those there are."),
        )

    def bureau(self, code: str) -> Bureau:
        """The bureau of the plan with that code.

        :raises BureauNotFound: the plan has none.
        """
        for bureau in self.profiles.plan.bureaus:
            if bureau.code.casefold() == code.casefold():
                return bureau
        raise errors.BureauNotFound(
            M("The plan has no bureau {code}.", code=code),
            hint=M("`fieldkit plan show` lists the bureaus of the plan."),
        )

    # --- changing

    def start(self, bureau: str, checklist: str | Path) -> Visit:
        """Begin a visit: checklist, bureau with its dossier, and what its record rests on are pinned now."""
        chosen = self.bureau(bureau)
        path = load.find(str(checklist), self.home)
        text = path.read_bytes()
        parsed = load.parse(text.decode("utf-8", "replace"), str(path))
        now = datetime.now()
        with self._changing:
            pinned = self.store.attach(text, path.name)
            self._checklists[pinned.sha256] = parsed
            visit = self._unused(f"{chosen.code}-{now:%Y%m%d}")
            self._append(
                Draft(
                    kind="start",
                    visit=visit,
                    blob=pinned.sha256,
                    value={
                        "bureau": msgspec.to_builtins(chosen),
                        "checklist": parsed.id,
                        "version": parsed.version,
                        **msgspec.to_builtins(pin(self.profiles, chosen, parsed.id, now.date())),
                        **({} if self.named else {"login": True}),
                    },
                )
            )
            return self.load(visit)

    def answer(self, visit: str, item: str, value: object) -> Visit:
        """Answer an item; None takes the answer back. Durable when it returns.

        :raises AnswerInvalid: the value does not fit the item or breaks its constraint.
        """
        with self._changing:
            now = self._answerable(visit, item)
            if value is not None:
                value = self._checked(now, item, value)
            return self._answered(now, item, value)

    def attach(self, visit: str, item: str, path: Path) -> Visit:
        """Answer a file item with the file at `path`, which is copied into the store if it fits."""
        with self._changing:
            now = self._answerable(visit, item)
            name = nfc(path.name)
            if path.is_file():  # what the item would refuse is not kept either
                unkept = {"sha256": "0" * 64, "size": path.stat().st_size, "name": name}
                self._checked(now, item, unkept)
            kept = self.store.attach(path, name)
            value = {"sha256": kept.sha256, "size": kept.size, "name": kept.name}
            return self._answered(now, item, self._checked(now, item, value))

    def add_row(self, visit: str, repeat: str, after: str = "") -> tuple[Visit, str]:
        """Add a row to a repeat, by its key ("devices"), at its end or after a row; the new row's key too.

        :raises RowsFixed: an expression says how many there are, or there are as many as can be.
        """
        with self._changing:
            now = self._rows_of(visit, repeat)
            rows = now.known.rows(repeat)
            if len(rows) >= MOST_ROWS:
                raise errors.RowsFixed(
                    M("{item} has {count} rows; there can be no more.", item=repeat, count=len(rows)),
                    unchanged=M("Nothing was saved."),
                )
            row = f"{repeat}/{_unused_row(now, repeat)}"
            place = now.known.place(repeat, rows.index(after) + 1 if after in rows else len(rows))
            return self._answered(now, row, place), row

    def remove_row(self, visit: str, row: str) -> Visit:
        """Take a row out of its repeat; what was answered in it does not count any more."""
        with self._changing:
            return self._answered(self._row(visit, row), row, None)

    def move_row(self, visit: str, row: str, position: int) -> Visit:
        """Put a row at a position among the others, counted from 0."""
        with self._changing:
            now = self._row(visit, row)
            return self._answered(now, row, now.known.place(row.rpartition("/")[0], position, but=row))

    def answer_all(self, visit: str, answers: Mapping[str, Plain]) -> tuple[Visit, Sequence[str]]:
        """Answer many items, by key, rows of a repeat as a list; the keys of what was not so before, too.

        All are checked before the first is saved. Files are not among them.

        :raises AnswersRefused: with every answer that cannot be saved; none was. :raises FieldkitError: the
        disk failed among them; it says how many are saved.
        """
        with self._changing:
            now = self._changeable(visit)
            known = now.known.at(self.store.now())
            new = accept_all(known, answers, functools.partial(_unused_row, now))
            for saved, (key, value) in enumerate(new):
                try:
                    self._save_answer(now, key, value)
                except FieldkitError as error:
                    error.unchanged = M(
                        "{saved} of {count} answers of the file are saved, the others are not. "
                        "The same command goes on there.",
                        saved=saved,
                        count=len(new),
                    )
                    raise
            return self.load(now.id), [key for key, _ in new]

    def note(self, visit: str, text: str) -> Visit:
        """Add a note; notes may be added at any time."""
        with self._changing:
            now = self.load(visit)
            self._append(Draft(kind="note", visit=now.id, value=nfc(text)))
            return self.load(now.id)

    async def run(self, visit: str, item: str, operator: Operator, modules: tuple[str, ...] = ()) -> Evidence:
        """Run the procedure of `item`; keep and return its evidence.

        A run that leaves none is kept as an attempt, however it ended; and what it had done to a token by
        then is kept when it is done, and said when the step is run again.
        """
        now = self._changeable(visit)
        wanted = self._item(now, item)
        procedure = _procedure(wanted)
        if self.store.read_only is not None:
            raise StoreReadOnly(
                M("The step was not run: what it does could not be kept. {reason}",
                  reason=self.store.read_only),
                unchanged=M("Nothing was changed."),
                hint=M("`fieldkit store verify` says more. Reading and exporting still work."),
            )  # fmt: skip
        folder = self.home.visit(now.id)
        make_private_folder(folder)
        before = now.answered.get(item)
        for attempt in now.attempts.get(item, ()):
            if attempt.code == CHANGED:
                operator.show_finding(_left_behind(attempt.message))
        trace = _Trace(self._append, now.id, item)
        context = Context(
            home=self.home,
            store=self.store,
            profiles=self.profiles,
            visit=now.id,
            item=wanted,
            bureau=now.bureau,
            folder=folder,
            answers=now.answers,
            roles=now.roles,
            evidence=now.proofs(before=item),
            modules=modules,
            changed=trace.changed,
        )
        try:
            evidence: Evidence = await procedure.run(context, operator)
        except BaseException as error:
            trace.ended(error)
            raise
        self._append(
            Draft(
                kind="evidence",
                visit=now.id,
                item=item,
                value=to_value(evidence),
                base=before.entry if before else "",
            )
        )
        return evidence

    def sign_off(self, visit: str, officer: str, officer_title: str, reviewed: Visit | None = None) -> Visit:
        """The receiving officer accepts the visit as it was `reviewed`; as it stands unless given.

        :raises VisitNotReady: required items are open. :raises VisitChanged: it is no more as reviewed.
        """
        with self._changing:
            now = self._changeable(visit)
            if reviewed is not None and reviewed.head != now.head:
                raise errors.VisitChanged(
                    M("The visit {visit} was changed after it was read.", visit=now.id),
                    unchanged=M("Nothing was signed off."),
                    hint=M("Read it again as it is now, then finish it."),
                )
            must_be_ready(now)
            known = self.named or not (now.login or now.who == _login())
            head = self.store.head()
            self._append(
                Draft(
                    kind="signoff",
                    visit=now.id,
                    value={
                        "officer": nfc(officer),
                        "officer_title": nfc(officer_title),
                        "technician": self.who if self.named else now.who,
                        "head": f"{head.device}:{head.seq}:{head.hash}",
                        "day": now.day.isoformat(),
                        **({} if known else {"login": True}),
                    },
                )
            )
            return self.load(now.id)

    def amend(self, visit: str, reason: str) -> Visit:
        """Open a signed visit again; the next record names the one it replaces."""
        with self._changing:
            now = self.load(visit)
            if now.signoff is None:
                raise errors.VisitNotReady(
                    M("Visit {visit} was not signed off, so it can be changed as it is.", visit=now.id),
                    unchanged=M("Nothing was changed."),
                )
            self._append(Draft(kind="amend", visit=now.id, value={"reason": nfc(reason)}))
            return self.load(now.id)

    def recorded(self, visit: str, value: dict[str, object], blob: str) -> Visit:
        """Keep that a record was made; `value` has the members of `RecordMade` but for `wall`.

        :raises VisitChanged: the sign-off that it was made from is no more in force.
        """
        with self._changing:
            signoff = self.load(visit).signoff
            made_from = value.get("signoff", "")
            if made_from and (signoff is None or signoff.head != made_from):
                raise errors.VisitChanged(
                    M("The visit {visit} was opened again while its record was made.", visit=visit),
                    unchanged=M("The record was not kept."),
                    hint=M("Have it signed off as it is now, then finish it again."),
                )
            self._append(Draft(kind="record", visit=visit, value=value, blob=blob))
            return self.load(visit)

    # --- where the person was

    def remember(self, visit: str, item: str) -> None:
        """Keep where in the visit the person is, to land there again. Not evidence; may be lost."""
        if self.store.read_only is None:
            from tinydb import where

            with contextlib.suppress(FieldkitError):  # a full disk: what was saved before is saved
                self.store.db.table("places").upsert({"visit": visit, "item": item}, where("visit") == visit)

    def place(self, visit: str) -> str:
        """The item the person was at last, or ""."""
        from tinydb import where

        document = self.store.db.table("places").get(where("visit") == visit)
        return str(document["item"]) if isinstance(document, dict) else ""

    # --- within

    def _append(self, draft: Draft) -> Entry:
        with self._changing:
            return self.store.append(msgspec.structs.replace(draft, who=self.who))

    def _fold(self, visit: str, entries: Sequence[Entry]) -> Visit:
        """The visit that its entries tell.

        :raises VisitUnreadable: they tell none. :raises FieldkitError: what they name is damaged.
        """
        try:
            folded = fold(entries, self._checklist)
        except ChecklistInvalid as error:  # the checklist is in the store, so nobody can mend it
            raise _unreadable(visit, error.message, detail=error.detail) from error
        except FieldkitError as error:
            raise _unreadable(visit, error.message, error.hint, error.detail) from error
        except Exception as error:  # entries of other makers: any value may stand where another belongs
            raise _unreadable(visit, detail=f"{type(error).__name__}: {error}"[:200]) from error
        if folded is None:
            reason = M("its first entry, which names bureau and checklist, is lost")
            raise _unreadable(visit, reason)
        return folded

    def _unused(self, beginning: str) -> str:
        """An id that no visit in the store has."""
        while True:
            visit = f"{beginning}-{secrets.token_hex(3)}"
            if next(self.store.entries(visit=visit), None) is None:
                return visit

    def _rows_of(self, visit: str, repeat: str) -> Visit:
        """The visit, whose repeat of that key a person may add rows to and take them from."""
        now = self._changeable(visit)
        item = self._item(now, repeat)
        if item.kind != "repeat" or repeat not in {line.key for line in now.lines if not line.row}:
            raise errors.ItemNotFound(
                M("{item} has no rows.", item=repeat),
                unchanged=M("Nothing was saved."),
                hint=M("`fieldkit visit show` lists the items."),
            )
        if now.known.counted(repeat):
            raise errors.RowsFixed(
                M("How many rows {item} has follows from other answers.", item=repeat),
                unchanged=M("Nothing was saved."),
            )
        return now

    def _row(self, visit: str, row: str) -> Visit:
        now = self._rows_of(visit, row.rpartition("/")[0])
        if row not in now.known.rows(row.rpartition("/")[0]):
            raise errors.ItemNotFound(
                M("There is no row {row}.", row=row),
                unchanged=M("Nothing was saved."),
                hint=M("`fieldkit visit show` lists the items."),
            )
        return now

    def _answerable(self, visit: str, item: str) -> Visit:
        """The visit, whose item a person may answer now."""
        now = self._changeable(visit)
        wanted = self._item(now, item)
        if wanted.answered_by != "person":
            raise errors.ItemNotFound(
                M("{item} is not answered by a person.", item=item), unchanged=M("Nothing was saved.")
            )
        return now

    def _checked(self, now: Visit, item: str, value: Any) -> Value:
        return now.known.at(self.store.now()).accept(item, value)

    def _answered(self, now: Visit, item: str, value: Any) -> Visit:
        self._save_answer(now, item, value)
        return self.load(now.id)

    def _save_answer(self, now: Visit, item: str, value: Any) -> None:
        before = now.answered.get(item)
        self._append(
            Draft(
                kind="answer",
                visit=now.id,
                item=item,
                value=value,
                base=before.entry if before else "",
                blob=value["sha256"] if isinstance(value, dict) else "",
            )
        )

    def _checklist(self, sha256: str) -> Checklist:
        if sha256 not in self._checklists:
            text = self.store.attachment(sha256)
            large, folder = len(text) > checklist_cache.LARGE, self.home.path / "cache"
            checklist = checklist_cache.cached(self.store, folder, sha256) if large else None
            if checklist is None:
                checklist = load.parse(text.decode("utf-8", "replace"), f"{sha256[:12]}.yaml")
                if large:
                    checklist_cache.keep(self.store, folder, sha256, checklist)
            self._checklists[sha256] = checklist
        return self._checklists[sha256]

    def _changeable(self, visit: str) -> Visit:
        now = self.load(visit)
        if now.signoff is not None:
            raise errors.VisitClosed(
                M("Visit {visit} was signed off by {officer}.", visit=now.id, officer=now.signoff.by),
                unchanged=M("Nothing was changed."),
                hint=M("To change it, amend it with a reason: `fieldkit visit amend`."),
            )
        return now

    def _item(self, visit: Visit, item: str) -> Item:
        try:
            wanted = visit.checklist.item(item)
        except KeyError:
            raise errors.ItemNotFound(
                M("The checklist has no item {item}.", item=item),
                unchanged=M("Nothing was saved."),
                hint=M("`fieldkit visit show` lists the items."),
            ) from None
        if not KINDS[wanted.kind].holds and item not in visit.relevant:
            raise errors.ItemOff(
                M("{item} does not apply, by the answers given so far.", item=item),
                unchanged=M("Nothing was saved."),
            )
        return wanted


class _Trace:
    """What a run of a procedure leaves in the journal besides evidence: the changes it made, and its end."""

    def __init__(self, append: Callable[[Draft], Entry], visit: str, item: str) -> None:
        self._append = append
        self._visit = visit
        self._item = item
        self._unsaved: list[dict[str, object]] = []

    def changed(self, done: Message, *, erased: str = "") -> None:
        self._keep(CHANGED, done, erased)

    def ended(self, error: BaseException) -> None:
        """The run ended without evidence: for good reasons, stopped, or by a fault of its own."""
        unsaved, self._unsaved = self._unsaved, []
        for value in unsaved:
            self._save(value)
        if isinstance(error, FieldkitError):
            self._keep(error.code, error.message)
        elif isinstance(error, Exception):
            fault = unexpected(error)
            self._keep(fault.code, fault.message)
        else:
            self._keep("stopped", M("The step was stopped before its end."))

    def _keep(self, code: str, message: Said, erased: str = "") -> None:
        if isinstance(message, Words):
            message = M("{said}", said=str(message))
        value = {"code": code, "message": msgspec.to_builtins(message)}
        self._save(value | {"erased": erased} if erased else value)

    def _save(self, value: dict[str, object]) -> None:
        try:
            self._append(Draft(kind="attempt", visit=self._visit, item=self._item, value=value))
        except (
            FieldkitError
        ):  # the work goes on, and the first error is the one to tell; tried again at the end
            self._unsaved.append(value)


def _unused_row(visit: Visit, repeat: str) -> int:
    """The first number that no row of a repeat ever had."""
    inside = (key for key in visit.answered if key.startswith(f"{repeat}/"))
    return max((int(key.split("/")[repeat.count("/") + 1]) for key in inside), default=0) + 1


def must_be_ready(visit: Visit) -> None:
    """Nothing, if the officer can sign the visit off.

    :raises VisitNotReady: required items are open.
    """
    if visit.problems:
        raise errors.VisitNotReady(
            M("{count} item(s) still keep the visit from being finished.", count=len(visit.problems)),
            unchanged=M("Nothing was signed off."),
            hint=M("Settle them first; `fieldkit visit show` lists them."),
            detail="\n".join(f"{problem.item}: {problem.message}" for problem in visit.problems),
        )


def _signed(entries: Sequence[Entry], head: str) -> list[Entry]:
    """The entries up to `head`, and the sign-off that accepted it."""
    last = int(head.split(":")[1]) if head.count(":") == 2 and head.split(":")[1].isdigit() else 0
    kept = [entry for entry in entries if entry.seq <= last]
    accepted = (e for e in entries if e.kind == "signoff" and e.seq > last and e.value.get("head") == head)
    return [*kept, *itertools.islice(accepted, 1)]


def _left_behind(done: Message) -> Finding:
    return Finding(
        CHANGED,
        "warning",
        M("An earlier run of this step did not come to its end. By then: {done}", done=done),
        hint=M("The token is as that run left it, with the PIN that was set then."),
    )


def _unreadable(
    visit: str, reason: Said | None = None, hint: Said | None = None, detail: str = ""
) -> errors.VisitUnreadable:
    reason = reason or M("an entry holds what this release cannot read")
    if isinstance(reason, Words):
        reason = M("{said}", said=str(reason))
    return errors.VisitUnreadable(
        M("The visit {visit} cannot be read: {reason}", visit=visit, reason=reason),
        unchanged=M("Its entries stay in the store as they are, and the other visits are as they were."),
        hint=hint or M("Export the store (`fieldkit store export`) and send it to head office."),
        detail=detail,
        visit=visit,
    )


def _procedure(item: Item) -> Any:
    name = item.procedure
    if item.answered_by != "procedure" or not name.isidentifier():
        raise errors.ItemNotFound(M("{item} is answered by a person.", item=item.id))
    try:
        return importlib.import_module(f"fieldkit.procedure.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"fieldkit.procedure.{name}":
            raise
        raise errors.ProcedureUnknown(
            M("This release has no procedure {name}.", name=name),
            hint=M("Take the checklist of this release, or a newer fieldkit."),
        ) from None


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
