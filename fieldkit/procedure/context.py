"""What a procedure works with: the visit's answers so far, the profiles, folders and attachments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from fieldkit.checklist.model import Item
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.procedure.evidence import Evidence
from fieldkit.procedure.material import Material, gather
from fieldkit.profile.model import Bureau, Profiles


class Context(msgspec.Struct, frozen=True):
    """The surroundings of one run of one procedure.

    visit, item: whose evidence is made. bureau, profiles: for whom and with what.
    answers: item id to value. evidence: item id to the latest evidence of other procedures.
    folder: the visit's working files. modules: PKCS#11 modules named besides the profiles'.
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
