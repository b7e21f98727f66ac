"""What can go wrong with a kit, by what a person can do about it."""

from __future__ import annotations

from pathlib import Path

from fieldkit.errors import Failed, Missing, Misused, Refused
from fieldkit.text import M


class KitMissing(Missing):
    """There is no kit in the folder: nothing there, or one that was not finished."""

    code = "kit-missing"


class KitUnreadable(Failed):
    """The kit's manifest is not one, or names what no kit may hold."""

    code = "kit-unreadable"


class KitUnsound(Failed):
    """The kit's signature is wrong, or a file of it is missing, changed or not its own."""

    code = "kit-unsound"


class KitKeyUnknown(Refused):
    """The kit is signed by a key that this home does not know, or another than was named."""

    code = "kit-key-unknown"


class KitOlder(Refused):
    """The kit is older than one of the same key that this home took before."""

    code = "kit-older"


class KitBusy(Refused):
    """Another fieldkit is taking files from a kit into this home."""

    code = "kit-busy"


class KitForeign(Refused):
    """The kit is for another release of fieldkit."""

    code = "kit-other-version"


class KitLacks(Missing):
    """The kit is sound, but does not have what is wanted from it."""

    code = "kit-lacks"


class FolderTaken(Refused):
    """The folder for the kit holds files that are no kit's."""

    code = "kit-folder-taken"


class StickFull(Missing):
    """The stick has not enough room."""

    code = "kit-no-space"


class StickGone(Missing):
    """The stick went away, or failed, while it was written or read."""

    code = "kit-target-gone"


class NameUnfit(Misused):
    """A file's name cannot be kept on a FAT stick."""

    code = "kit-name-unfit"


class ChoiceUnknown(Misused):
    """A Python, platform, bureau or driver that there is not was asked for."""

    code = "kit-choice-unknown"


class WheelsUnavailable(Missing):
    """The wheels for one of the targets cannot be had."""

    code = "kit-wheels"


class SourceDamaged(Failed):
    """A file that was to go into the kit is not what it should be."""

    code = "kit-source-damaged"


def stick_gone(folder: Path, error: OSError) -> StickGone:
    """The folder's medium does not answer any more."""
    return StickGone(
        M("{folder} cannot be read or written: {reason}.", folder=str(folder), reason=error.strerror or "?"),
        hint=M("Plug the stick in again and repeat; what is there already is kept."),
        detail=str(error),
    )
