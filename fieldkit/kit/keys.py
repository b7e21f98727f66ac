"""Whose kits this home takes: the keys it knows, in HOME/kit-keys, one file each, named by the device.

Beside each, when the newest kit of it was made that was taken: an older one, rightly signed, would bring back
what was replaced since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fieldkit.access import make_private_folder
from fieldkit.finding import Severity
from fieldkit.home import Home
from fieldkit.journal.device import name_of
from fieldkit.kit import install
from fieldkit.kit.errors import KitKeyUnknown
from fieldkit.kit.stick import write_synced
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from fieldkit.kit.manifest import Manifest

FOLDER = "kit-keys"


def known(home: Home) -> frozenset[str]:
    """The public keys (hexadecimal) whose kits were agreed to."""
    lines = [path.read_text("ascii", "replace").strip() for path in (home.path / FOLDER).glob("*.pub")]
    return frozenset(line for line in lines if install.HEX64.fullmatch(line))


def remember(home: Home, key: str, made: str = "") -> None:
    """Take kits of this key from now on, and none made before this one without a word."""
    folder = home.path / FOLDER
    make_private_folder(folder)
    write_synced(folder / f"{name_of(bytes.fromhex(key))}.pub", key.encode() + b"\n")
    if made > newest(home, key):
        write_synced(folder / f"{name_of(bytes.fromhex(key))}.made", made.encode() + b"\n")


def newest(home: Home, key: str) -> str:
    """When the newest kit of this key was made that this home took; "" where it took none."""
    try:
        return (
            (home.path / FOLDER / f"{name_of(bytes.fromhex(key))}.made").read_text("ascii", "replace").strip()
        )
    except FileNotFoundError:
        return ""


def older(home: Home, manifest: Manifest) -> Message | None:
    """That this home took a newer kit of the same key, in words; None where it did not."""
    before = newest(home, manifest.key)
    if manifest.made >= before:
        return None
    return M(
        "The kit is of {made}, this home took one of {newest}: it may bring back what was replaced since.",
        made=manifest.made[:10] or manifest.version,
        newest=before[:10],
    )


def judge(home: Home, key: str, named: str = "") -> tuple[Severity, Message]:
    """Whether a kit's key is one to believe. named: the fingerprint that a person was told by another way.

    Only then, or where the home knows the key already, is the answer "pass"; the first kit a home sees
    is "not-checked"; a key that is not among those known, or not the one named, is "fail".
    """
    if named:
        if install.same_fingerprint(named, key):
            return "pass", M("The kit is signed by the key whose fingerprint was given.")
        return "fail", M("The kit is signed by another key than the one whose fingerprint was given.")
    trusted = known(home)
    if key in trusted:
        return "pass", M("The kit is signed by a key that this home knows.")
    if trusted:
        return "fail", M("The kit is signed by a key that this home does not know.")
    return "not-checked", M("This home knows no key of a kit yet: compare the fingerprint with head office.")


def refusal(message: Message, key: str) -> KitKeyUnknown:
    """The error for a key that is not to be believed."""
    return KitKeyUnknown(
        message,
        unchanged=M("Nothing was taken from the kit."),
        hint=M(
            "Ask head office for the fingerprint by another way; if it is this one: kit load --fingerprint"
        ),
        detail=install.fingerprint(key),
    )
