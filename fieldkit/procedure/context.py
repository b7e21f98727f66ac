"""What a procedure works with: the visit's answers so far, the profiles, folders and attachments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from fieldkit.checklist.model import Item
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.procedure.evidence import Evidence
from fieldkit.procedure.material import Material, gather
from fieldkit.profile.model import Bureau, Profiles
from fieldkit.text import Message


class Changes(Protocol):
    """Takes what a step did to a token the moment it is done; may be called from any thread."""

    def __call__(self, done: Message, *, erased: str = "") -> None: ...


def _of_no_step(done: Message, *, erased: str = "") -> None:
    """Where no step of a visit runs, nobody has to be told what one left behind."""


class Context(msgspec.Struct, frozen=True):
    """The surroundings of one run of one procedure.

    visit, item: whose evidence is made. bureau, profiles: for whom and with what.
    answers: item id to value, of the items in force. evidence: item id to the latest evidence that counts,
    of the items before this one: what failed, and what is about another token, is not among it.
    folder: the visit's working files. modules: PKCS#11 modules named besides the profiles'.
    changed: called as `context.changed(M("…"))` as soon as something on a token is no longer as it was; it is
    on disk when that returns, so that a step that is stopped or killed afterwards leaves its trace, and is
    said when the step is run again. erased: the serial number of a token that was initialised: what the
    visit knew of it counts no more. Evidence that the step leaves in the end takes the place of both.
    """

    home: Home
    store: Store
    profiles: Profiles
    visit: str
    item: Item
    bureau: Bureau
    folder: Path
    answers: Mapping[str, Any]
    evidence: Mapping[str, Evidence]
    modules: tuple[str, ...] = ()
    changed: Changes = _of_no_step

    def fact(self, item: str, name: str, default: Any = None) -> Any:
        """The fact `name` that the procedure of `item` left, or `default`."""
        found = self.evidence.get(item)
        return found.facts.get(name, default) if found is not None else default

    def material(self) -> Material:
        """What the bureau's certificate is judged by, as far as it is here."""
        return gather(self.home, self.profiles, (self.bureau.authority,))

    def attach(self, source: Path | bytes, name: str) -> dict[str, Any]:
        """Keep a file with the visit for good; return its reference for `Evidence.files`."""
        attachment = self.store.attach(source, name)
        return {"sha256": attachment.sha256, "size": attachment.size, "name": attachment.name}
