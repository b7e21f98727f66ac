"""The manifest of a kit: what is in it, for which machines, whose key signed it. The bytes are signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from fieldkit.kit import install
from fieldkit.kit.errors import KitMissing, KitUnreadable, stick_gone
from fieldkit.text import M, Message, visible

Moment = Annotated[
    str, msgspec.Meta(pattern=r"\A([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?\Z")
]
Word = Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z._+-]{0,64}\Z")]


class File(msgspec.Struct, frozen=True):
    """A file of the kit: its path in it, with `/`."""

    path: str
    size: int
    sha256: str


class Target(msgspec.Struct, frozen=True):
    """A Python ("3.11") on a platform ("linux-x86_64"), and the wheels that make fieldkit run there."""

    python: str
    platform: str
    wheels: tuple[str, ...]


class DriverFiles(msgspec.Struct, frozen=True):
    """A token's driver packages. system: "debian-12", "windows", "macos"; architecture: in its words."""

    profile: str
    system: Word
    architecture: Word
    files: tuple[str, ...]


class Manifest(msgspec.Struct, frozen=True):
    """All that a kit says of itself.

    version: of fieldkit. key: raw Ed25519 public key of the device that signed it, hexadecimal.
    pip: the wheel that installs the others. bureaus: whose dossiers are in it. made: when, in UTC; release
    0.1 did not say.
    """

    kind: str
    format: int
    version: str
    key: str
    pip: str
    targets: tuple[Target, ...]
    drivers: tuple[DriverFiles, ...]
    bureaus: tuple[Word, ...]
    files: tuple[File, ...]
    made: Moment = ""

    @property
    def fingerprint(self) -> str:
        """The key's name for people."""
        return install.fingerprint(self.key)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def file(self, path: str) -> File | None:
        return next((file for file in self.files if file.path == path), None)


class ReadManifest(msgspec.Struct, frozen=True):
    """A manifest as it was read. data: its bytes. genuine: the holder of its key signed them."""

    manifest: Manifest
    data: bytes
    genuine: bool

    @property
    def sha256(self) -> str:
        import hashlib

        return hashlib.sha256(self.data).hexdigest()

    @property
    def listed(self) -> list[install.ListedFile]:
        return [install.ListedFile(file.path, file.size, file.sha256) for file in self.manifest.files]


def encode(manifest: Manifest) -> bytes:
    """The bytes of a manifest: the same for the same manifest, everywhere."""
    plain = msgspec.to_builtins(manifest)
    return msgspec.json.format(msgspec.json.encode(plain, order="sorted"), indent=1) + b"\n"


def read_manifest(folder: Path) -> ReadManifest:
    """The manifest of the kit in `folder`, and whether its signature is right.

    :raises KitMissing: there is none. :raises KitUnreadable: it is not one.
    """
    from fieldkit.journal.device import verify

    data = _bytes(folder, install.MANIFEST, install.LARGEST)
    signature = _bytes(folder, install.SIGNATURE, 64)
    try:
        whole, _ = install.parse(data)
        manifest = msgspec.convert(whole, Manifest)
    except install.BadManifest as error:
        raise unreadable(error) from None
    except msgspec.ValidationError as error:
        raise unreadable(install.BadManifest("shape", str(error)[:200])) from None
    key = bytes.fromhex(manifest.key)
    genuine = verify(key, signature, data) and install.genuine(
        key, data, signature
    )  # as the installer judges
    return ReadManifest(manifest, data, genuine)


def _bytes(folder: Path, name: str, most: int) -> bytes:
    path = folder / name
    try:
        if path.is_symlink() or not path.is_file():
            raise KitMissing(
                M("There is no finished kit in {folder}: {name} is missing.", folder=str(folder), name=name),
                hint=M("Name the kit's folder; where building was broken off, build it again to go on."),
            )
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise stick_gone(folder, error) from None
    if len(data) > most:
        raise unreadable(install.BadManifest("shape", name))
    return data


REASONS: dict[str, Message] = {
    "shape": M("The kit's manifest is damaged, or no manifest at all."),
    "format": M("The kit's manifest is of a form that this release does not know: {detail}."),
    "path": M("The kit's manifest names a path that no kit may hold: {detail}"),
    "twice": M("The kit's manifest names a file twice: {detail}"),
}


def unreadable(error: install.BadManifest) -> KitUnreadable:
    """A manifest that is not one, in words."""
    message = REASONS[error.what]
    return KitUnreadable(
        Message(message.text, {"detail": error.detail}),
        unchanged=M("Nothing was taken from the kit."),
        hint=M("Get the kit from head office again."),
        detail=visible(error.detail),
    )
