"""What of a store is not as it was stored, for whoever shows what is left: never without a word of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from fieldkit.text import M, Message

Kind = Literal["entries", "order", "head", "key", "attachment", "format", "disk"]


class Damage(msgspec.Struct, frozen=True):
    """One thing that is lost, or cannot be believed.

    kind: "entries" are lost, `first` to `last`; "order": lines that do not belong where they are, with
    nothing lost by it; "head": the journal is not the one that was closed; "key": the device key;
    "attachment": the file of that `sha256`; "format": entries of a newer fieldkit; "disk": it does not give
    all of a segment.
    accepted: a person knew of it and repaired the store; it is said for ever, and no longer an error.
    """

    kind: Kind
    message: Message
    first: int = 0
    last: int = -1
    sha256: str = ""
    accepted: bool = False

    def shape(self) -> dict[str, object]:
        """Its JSON shape; the keys are part of the command line's contract."""
        return {
            "kind": self.kind,
            "message": str(self.message),
            "first": self.first,
            "last": self.last,
            "sha256": self.sha256,
            "accepted": self.accepted,
        }


LOST = ("entries", "head", "attachment", "disk")


def advice(damage: Sequence[Damage]) -> list[Message]:
    """What a person can do about damage; nothing about what was accepted."""
    kinds = {loss.kind for loss in damage if not loss.accepted}
    messages = []
    if kinds & set(LOST):
        messages.append(
            M(
                "Answers may be missing from what is shown. `fieldkit store verify` says more, "
                "`fieldkit store export` takes out all that can be read, "
                "`fieldkit store repair` goes on without what is lost."
            )
        )
    elif "order" in kinds:
        messages.append(
            M(
                "Nothing is missing from what is shown. "
                "`fieldkit store repair` passes over what does not belong there, and asks."
            )
        )
    if "key" in kinds:
        messages.append(
            M("Bring device.key back from a copy; `fieldkit store export` takes out all that can be read.")
        )
    if "format" in kinds:
        messages.append(M("Take the newer fieldkit to see all of it."))
    return messages
