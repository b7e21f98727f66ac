"""What can go wrong with a kit, by what a person can do about it."""

from __future__ import annotations

from pathlib import Path

from fieldkit.errors import Failed, Missing, Misused, Refused
from fieldkit.text import M


class KitMissing(Missing, code="kit-missing"):
    """There is no kit in the folder: nothing there, or one that was not finished."""


class KitUnreadable(Failed, code="kit-unreadable"):
    """The kit's manifest is not one, or names what no kit may hold."""


class KitUnsound(Failed, code="kit-unsound"):
    """The kit's signature is wrong, or a file of it is missing, changed or not its own."""


class KitKeyUnknown(Refused, code="kit-key-unknown"):
    """The kit is signed by a key that this home does not know, or another than was named."""


class KitOlder(Refused, code="kit-older"):
    """The kit is older than one of the same key that this home took before."""


class KitBusy(Refused, code="kit-busy"):
    """Another fieldkit is taking files from a kit into this home."""


class KitForeign(Refused, code="kit-other-version"):
    """The kit is for another release of fieldkit."""


class KitLacks(Missing, code="kit-lacks"):
    """The kit is sound, but does not have what is wanted from it."""


class FolderTaken(Refused, code="kit-folder-taken"):
    """The folder for the kit holds files that are no kit's."""


class StickFull(Missing, code="kit-no-space"):
    """The stick has not enough room."""


class StickGone(Missing, code="kit-target-gone"):
    """The stick went away, or failed, while it was written or read."""


class NameUnfit(Misused, code="kit-name-unfit"):
    """A file's name cannot be kept on a FAT stick."""


class ChoiceUnknown(Misused, code="kit-choice-unknown"):
    """A Python, platform, bureau or driver that there is not was asked for."""


class WheelsUnavailable(Missing, code="kit-wheels"):
    """The wheels for one of the targets cannot be had."""


class SourceDamaged(Failed, code="kit-source-damaged"):
    """A file that was to go into the kit is not what it should be."""


def stick_gone(folder: Path, error: OSError) -> StickGone:
    """The folder's medium does not answer any more."""
    return StickGone(
        M("{folder} cannot be read or written: {reason}.", folder=str(folder), reason=error.strerror or "?"),
        hint=M("Plug the stick in again and repeat; what is there already is kept."),
        detail=str(error),
    )
