"""Attachments: files kept once, under their SHA-256; written aside, synced, renamed; verified when read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from fieldkit.errors import NO_SPACE
from fieldkit.journal.damage import Damage
from fieldkit.journal.entry import Entry
from fieldkit.journal.errors import AttachmentDamaged, AttachmentMissing, StoreFull, StoreUnavailable
from fieldkit.journal.files import FileSystem, write_whole
from fieldkit.text import M, nfc

FOLDER = "attachments"
CHUNK = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Attachment(msgspec.Struct, frozen=True):
    """A kept file: its hash (hexadecimal), its size in bytes, and the name it came with."""

    sha256: str
    size: int
    name: str


class Attachments:
    """The files of one store, `attachments/ab/abcdef…` each."""

    def __init__(self, store: Path, files: FileSystem) -> None:
        self.folder = store / FOLDER
        self._files = files

    def path(self, sha256: str) -> Path:
        """Where the attachment is, or would be."""
        if not _SHA256.fullmatch(sha256):
            raise AttachmentMissing(M("{name} is not the hash of an attached file.", name=sha256[:64]))
        return self.folder / sha256[:2] / sha256

    def add_file(self, source: Path | bytes, name: str) -> Attachment:
        """Keep a file, or bytes; durable when it returns. The same bytes twice are kept once.

        :raises AttachmentMissing: the file cannot be read. :raises StoreFull: there is no space.
        :raises StoreUnavailable: the store's disk refuses.
        """
        digest, size = hashlib.sha256(), 0
        for chunk in _chunks(source):
            digest.update(chunk)
            size += len(chunk)
        sha256 = digest.hexdigest()
        self._keep(source, sha256, name)
        return Attachment(sha256, size, nfc(name))

    def get(self, sha256: str) -> bytes:
        """The bytes of an attachment, verified.

        :raises AttachmentMissing: it is not there. :raises AttachmentDamaged: it is not what was stored.
        """
        path = self.path(sha256)
        try:
            data = self._files.read_file(path)
        except FileNotFoundError:
            raise AttachmentMissing(
                M("An attached file is missing from the store ({name}…).", name=sha256[:12]),
                hint=M("Attach the file again, or bring the store's folder back from a copy."),
            ) from None
        except OSError as error:
            raise _unavailable(error) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise AttachmentDamaged(
                M("An attached file changed on the disk ({name}…).", name=sha256[:12]),
                unchanged=M("It is left as it is."),
                hint=M("Attach the file again; `fieldkit store verify` lists every damaged one."),
            )
        return data

    def damage(self, entries: Iterable[Entry]) -> list[Damage]:
        """What is not there, or not of its size, of the files that entries name; `get` reads it all."""
        wanted: dict[str, int] = {}
        for entry in entries:
            for sha256, size in attached(entry):
                wanted[sha256] = max(size, wanted.get(sha256, -1))
        return [damage for sha256, size in wanted.items() if (damage := self._missed(sha256, size))]

    def _missed(self, sha256: str, size: int) -> Damage | None:
        try:
            held = self._files.status(self.path(sha256)).size
        except (OSError, AttachmentMissing):
            message = M("An attached file is missing from the store ({name}…).", name=sha256[:12])
        else:
            if size in (held, -1):
                return None
            message = M("An attached file changed on the disk ({name}…).", name=sha256[:12])
        return Damage("attachment", message, sha256=sha256)

    def held(self) -> Iterator[str]:
        """The hashes under which files are kept, sorted; whether the files are right is not looked at."""
        for path, foreign in self._walk():
            if not foreign:
                yield path.name

    def foreign(self) -> list[Path]:
        """What else is in the folder."""
        return [path for path, foreign in self._walk() if foreign]

    def _walk(self) -> Iterator[tuple[Path, bool]]:
        try:
            names = self._files.names(self.folder)
        except FileNotFoundError:
            return
        for name in names:
            try:
                within = self._files.names(self.folder / name)
            except NotADirectoryError:
                yield self.folder / name, True
                continue
            for file_name in within:
                path = self.folder / name / file_name
                yield (
                    path,
                    not (_SHA256.fullmatch(file_name) and file_name.startswith(name) and len(name) == 2),
                )

    def _holds(self, sha256: str) -> bool:
        try:
            return hashlib.sha256(self._files.read_file(self.path(sha256))).hexdigest() == sha256
        except OSError:
            return False

    def _keep(self, source: Path | bytes, sha256: str, name: str) -> None:
        target = self.path(sha256)
        try:
            self._files.folder(self.folder)
            self._files.folder(target.parent)
            if not self._holds(sha256):
                write_whole(self._files, target, _verified(source, sha256))
            self._files.sync_folder(target.parent)  # its name may be there and not yet durable
            self._files.sync_folder(self.folder)
            self._files.sync_folder(self.folder.parent)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise StoreFull(
                    M("The file {name} could not be kept: the disk is full.", name=name),
                    unchanged=M("What was saved before is still there."),
                    hint=M("Free some space, then attach it again."),
                ) from error
            raise _unavailable(error) from error


def attached(entry: Entry) -> Iterator[tuple[str, int]]:
    """The attachments an entry names, with their sizes (-1: not said): its blob, and such in its value."""
    if entry.blob:
        yield entry.blob, -1
    yield from _within(entry.value)


def _within(value: object) -> Iterator[tuple[str, int]]:
    if isinstance(value, dict):
        if {"sha256", "size", "name"} <= value.keys():
            size = value["size"]
            yield str(value["sha256"]), size if isinstance(size, int) else -1
        for member in value.values():
            yield from _within(member)
    elif isinstance(value, list):
        for member in value:
            yield from _within(member)


def _chunks(source: Path | bytes) -> Iterator[bytes]:
    if not isinstance(source, Path):
        yield source
        return
    try:
        with source.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise AttachmentMissing(
            M("The file {path} cannot be read: {reason}.", path=str(source), reason=error.strerror or ""),
            unchanged=M("Nothing was saved."),
            hint=M("Check the path and try again."),
        ) from None


def _verified(source: Path | bytes, sha256: str) -> Iterator[bytes]:
    """The chunks once more; the file may have changed since it was hashed."""
    digest = hashlib.sha256()
    for chunk in _chunks(source):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha256:
        raise AttachmentDamaged(
            M("The file changed while it was read."),
            unchanged=M("Nothing was saved."),
            hint=M("Attach it again when nothing else writes to it."),
        )


def _unavailable(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        M("The disk of the store refused: {reason}.", reason=error.strerror or ""),
        unchanged=M("What was saved before is still there."),
        hint=M("Close fieldkit and open it again; if it stays so, copy the folder to another disk."),
    )
