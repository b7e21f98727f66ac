"""The visits in a store: start one, answer it, run its procedures, sign it off, amend it.

Every method that changes something returns only when the journal has it on disk.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import importlib
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from fieldkit.checklist import answers, load
from fieldkit.checklist.model import Checklist, Item
from fieldkit.errors import FieldkitError
from fieldkit.home import Home
from fieldkit.journal.entry import Draft, Entry
from fieldkit.journal.store import Store
from fieldkit.operator import Operator
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence, to_value
from fieldkit.profile.model import Bureau, Profiles
from fieldkit.text import M, nfc
from fieldkit.visit import errors
from fieldkit.visit.fold import fold
from fieldkit.visit.model import Visit


class Visits:
    """All visits of one store, and the only way to change them.

    who: the technician's name as it stands in every entry; the login name unless given.
    """

    def __init__(self, store: Store, home: Home, who: str = "") -> None:
        self.store = store
        self.home = home
        self.who = nfc(who) or _login()
        self._checklists: dict[str, Checklist] = {}

    @functools.cached_property
    def profiles(self) -> Profiles:
        """The profiles in force, read when first needed: showing visits does not need them."""
        from fieldkit.profile.load import load

        return load(self.home)

    # --- reading

    def list(self) -> list[Visit]:
        """Every visit, the one touched last first."""
        by_visit: dict[str, list[Entry]] = {}
        for entry in self.store.entries():
            if entry.visit:
                by_visit.setdefault(entry.visit, []).append(entry)
        found = [fold(entries, self._checklist) for entries in by_visit.values()]
        return sorted((visit for visit in found if visit), key=lambda visit: visit.last, reverse=True)

    def load(self, visit: str) -> Visit:
        """The visit of that id, or of the only id that begins so.

        :raises VisitNotFound: none does, or several do.
        """
        found = fold(self.store.entries(visit=visit), self._checklist)
        if found is not None:
            return found
        known = {entry.visit for entry in self.store.entries() if entry.kind == "start"}
        matching = [name for name in known if name.startswith(visit)] if visit else []
        if len(matching) == 1:
            return self.load(matching[0])
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
        """Begin a visit: the checklist is pinned as it is now, and the bureau with its dossier too."""
        chosen = self.bureau(bureau)
        path = load.find(str(checklist), self.home)
        text = path.read_bytes()
        parsed = load.parse(text.decode("utf-8", "replace"), str(path))
        pinned = self.store.attach(text, path.name)
        self._checklists[pinned.sha256] = parsed
        visit = f"{chosen.code}-{datetime.now():%Y%m%d}-{secrets.token_hex(2)}"
        self._append(
            Draft(
                kind="start",
                visit=visit,
                blob=pinned.sha256,
                value={
                    "bureau": msgspec.to_builtins(chosen),
                    "checklist": parsed.id,
                    "version": parsed.version,
                },
            )
        )
        return self.load(visit)

    def answer(self, visit: str, item: str, value: Any) -> Visit:
        """Answer an item; None takes the answer back. Durable when it returns.

        :raises AnswerInvalid: the value does not fit the item or breaks its constraint.
        """
        now = self._changeable(visit)
        wanted = self._item(now, item)
        if wanted.kind in ("procedure", "note"):
            raise errors.ItemNotFound(
                M("{item} is not answered by a person.", item=item), unchanged=M("Nothing was saved.")
            )
        if value is not None:
            value = answers.check_answer(wanted, value, now.answers)
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
        return self.load(now.id)

    def attach(self, visit: str, item: str, path: Path) -> Visit:
        """Answer a file item with the file at `path`, which is copied into the store."""
        now = self._changeable(visit)
        self._item(now, item)
        attachment = self.store.attach(path, nfc(path.name))
        return self.answer(
            now.id, item, {"sha256": attachment.sha256, "size": attachment.size, "name": attachment.name}
        )

    def note(self, visit: str, text: str) -> Visit:
        """Add a note; notes may be added at any time."""
        now = self.load(visit)
        self._append(Draft(kind="note", visit=now.id, value=nfc(text)))
        return self.load(now.id)

    async def run(self, visit: str, item: str, operator: Operator, modules: tuple[str, ...] = ()) -> Evidence:
        """Run the procedure of `item`; keep and return its evidence. A failed attempt is kept as such."""
        now = self._changeable(visit)
        wanted = self._item(now, item)
        procedure = _procedure(wanted)
        folder = self.home.visit(now.id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        context = Context(
            home=self.home,
            store=self.store,
            profiles=self.profiles,
            visit=now.id,
            item=wanted,
            bureau=now.bureau,
            folder=folder,
            answers=now.answers,
            evidence=now.evidence,
            modules=modules,
        )
        before = now.answered.get(item)
        try:
            evidence: Evidence = await procedure.run(context, operator)
        except FieldkitError as error:
            with contextlib.suppress(FieldkitError):  # the first error is the one to tell
                value = {"code": error.code, "message": str(error.message)}
                self._append(Draft(kind="attempt", visit=now.id, item=item, value=value))
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

    def sign_off(self, visit: str, officer: str, officer_title: str) -> Visit:
        """The receiving officer accepts the visit as it stands.

        :raises VisitNotReady: required items are open.
        """
        now = self._changeable(visit)
        if now.problems:
            raise errors.VisitNotReady(
                M("{count} item(s) still keep the visit from being finished.", count=len(now.problems)),
                unchanged=M("Nothing was signed off."),
                hint=M("Settle them first; `fieldkit visit show` lists them."),
                detail="\n".join(f"{problem.item}: {problem.message}" for problem in now.problems),
            )
        head = self.store.head()
        self._append(
            Draft(
                kind="signoff",
                visit=now.id,
                value={
                    "officer": nfc(officer),
                    "officer_title": nfc(officer_title),
                    "technician": self.who,
                    "head": f"{head.device}:{head.seq}:{head.hash}",
                },
            )
        )
        return self.load(now.id)

    def amend(self, visit: str, reason: str) -> Visit:
        """Open a signed visit again; the next record names the one it replaces."""
        now = self.load(visit)
        if now.signoff is None:
            raise errors.VisitNotReady(
                M("Visit {visit} was not signed off, so it can be changed as it is.", visit=now.id),
                unchanged=M("Nothing was changed."),
            )
        self._append(Draft(kind="amend", visit=now.id, value={"reason": nfc(reason)}))
        return self.load(now.id)

    def recorded(self, visit: str, value: dict[str, Any], blob: str) -> Visit:
        """Keep that a record was made; `value` has the members of `RecordMade` but for `wall`."""
        self._append(Draft(kind="record", visit=visit, value=value, blob=blob))
        return self.load(visit)

    # --- where the person was

    def remember(self, visit: str, item: str) -> None:
        """Keep where in the visit the person is, to land there again. Not evidence; may be lost."""
        if self.store.read_only is None:
            from tinydb import where

            self.store.db.table("places").upsert({"visit": visit, "item": item}, where("visit") == visit)

    def place(self, visit: str) -> str:
        """The item the person was at last, or ""."""
        from tinydb import where

        found = self.store.db.table("places").get(where("visit") == visit)
        return str(found["item"]) if isinstance(found, dict) else ""

    # --- within

    def _append(self, draft: Draft) -> Entry:
        return self.store.append(msgspec.structs.replace(draft, who=self.who))

    def _checklist(self, sha256: str) -> Checklist:
        if sha256 not in self._checklists:
            text = self.store.attachment(sha256).decode("utf-8", "replace")
            self._checklists[sha256] = load.parse(text, f"{sha256[:12]}.yaml")
        return self._checklists[sha256]

    def _changeable(self, visit: str) -> Visit:
        now = self.load(visit)
        if now.signoff is not None:
            raise errors.VisitClosed(
                M("Visit {visit} was signed off by {officer}.", visit=now.id, officer=now.signoff.officer),
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
        if item not in visit.relevant:
            raise errors.ItemOff(
                M("{item} does not apply, by the answers given so far.", item=item),
                unchanged=M("Nothing was saved."),
            )
        return wanted


def _procedure(item: Item) -> Any:
    name = item.procedure
    if item.kind != "procedure" or not name.isidentifier():
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
