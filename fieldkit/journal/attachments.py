"""Attachments: files kept once, under their SHA-256; written aside, synced, renamed; verified when read."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import msgspec

from fieldkit.journal.errors import AttachmentDamaged, AttachmentMissing, StoreFull
from fieldkit.journal.files import FileSystem
from fieldkit.journal.log import NO_SPACE
from fieldkit.text import M, nfc


class Attachment(msgspec.Struct, frozen=True):
    """A kept file: its hash (hexadecimal), its size in bytes, and the name it came with."""

    sha256: str
    size: int
    name: str


class Attachments:
    """The files in one folder, `ab/abcdef…` each."""

    def __init__(self, folder: Path, files: FileSystem) -> None:
        self._folder = folder
        self._files = files

    def path(self, sha256: str) -> Path:
        """Where the attachment is, or would be."""
        return self._folder / sha256[:2] / sha256

    def put(self, data: bytes, name: str) -> Attachment:
        """Keep `data`; durable when it returns. The same bytes twice are kept once."""
        sha256 = hashlib.sha256(data).hexdigest()
        attachment = Attachment(sha256, len(data), nfc(name))
        target = self.path(sha256)
        if target.is_file() and self._is(target, sha256):
            return attachment
        aside = target.with_name(f".{sha256[:12]}-{secrets.token_hex(4)}.part")
        try:
            self._files.folder(target.parent)
            self._files.create(aside, data)
            self._files.replace(aside, target)
            self._files.sync_folder(target.parent)
            self._files.sync_folder(self._folder)
        except OSError as error:
            self._files.remove(aside)
            if error.errno in NO_SPACE:
                raise StoreFull(
                    M("The file {name} could not be kept: the disk is full.", name=name),
                    unchanged=M("What was saved before is still there."),
                    hint=M("Free some space, then attach it again."),
                ) from error
            raise
        return attachment

    def get(self, sha256: str) -> bytes:
        """The bytes of an attachment, verified.

        :raises AttachmentMissing: it is not there. :raises AttachmentDamaged: it is not what was stored.
        """
        path = self.path(sha256)
        try:
            data = self._files.read(path)
        except FileNotFoundError:
            raise AttachmentMissing(
                M("An attached file is missing from the store ({name}…).", name=sha256[:12]),
                hint=M("Attach the file again, or bring the store's folder back from a copy."),
            ) from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise AttachmentDamaged(
                M("An attached file changed on the disk ({name}…).", name=sha256[:12]),
                unchanged=M("It is left as it is."),
                hint=M("Attach the file again; `fieldkit store verify` lists every damaged one."),
            )
        return data

    def _is(self, path: Path, sha256: str) -> bool:
        return hashlib.sha256(self._files.read(path)).hexdigest() == sha256
