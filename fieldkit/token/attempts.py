"""How often a wrong PIN was given to a token: one count for this account on this machine, outside every home.

Tokens' own flags are hints: some never change them. The count is raised, and on disk, before a PIN is sent
and cleared when the token accepts it, so that a crash in between errs on the safe side. Whoever sends a PIN
holds the token's count meanwhile: two logins to one token exclude each other.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.home import private, state
from fieldkit.journal.files import OS, keep
from fieldkit.text import M, Message
from fieldkit.token import errors

if TYPE_CHECKING:
    from tinydb import TinyDB

    from fieldkit.token.model import Token

FOLDER = "pin-attempts"
SIZE = 1024  # bytes of each file, written over in place: a full disk has room for it
SPARES = 4  # files kept for tokens that are first seen on a full disk
WAIT = 60.0  # seconds to wait while somebody else enters a PIN for the same token
POLL = 0.05
READINGS = 3  # a reader may see half of what is being written; damage is what stays
UNKNOWN = 1000  # failures of a count that could not be read
TABLE = "pin_attempts"  # where release 0.1 kept counts, in the journal
NOWHERE = Path()  # an account without a folder of its own counts nothing
EARLIER = "earlier"  # what was taken over of that, by store


class Damaged(Exception):
    """A count's file is not as it was written."""


class Identity(msgspec.Struct, frozen=True):
    """By what a token is known to the count.

    shared: names the file. Failures in it add up, since one token may go by other names in another module.
    own: whose failures an accepted PIN clears. certain: it has a serial number. earlier: its key in
    release 0.1.
    """

    shared: str
    own: str
    certain: bool
    earlier: str


class Count(msgspec.Struct, frozen=True):
    """Failures in a row, of the PIN and of the SO PIN (or PUK). trouble: why they are not known or kept."""

    pin: int = 0
    so: int = 0
    trouble: Message | str = ""

    def of(self, *, so: bool) -> int | None:
        """The failures of one of the two; None if they are not known."""
        return None if self.trouble else self.so if so else self.pin


class Failures(msgspec.Struct, array_like=True):
    """What is counted for one `Identity.own`. merged: counts of release 0.1 that are in it."""

    own: str
    pin: int = 0
    so: int = 0
    merged: list[str] = []

    def of(self, *, so: bool) -> int:
        return self.so if so else self.pin

    def put(self, count: int, *, so: bool) -> None:
        if so:
            self.so = count
        else:
            self.pin = count


class _Record(msgspec.Struct):
    key: str
    failures: list[Failures]


def identify(token: Token) -> Identity:
    """By what `token` is counted: its serial number however it is spelled, else maker, model and label."""
    kind = [each.strip().casefold() for each in (token.manufacturer, token.model)]
    plain = "".join(filter(str.isalnum, token.raw_serial.decode("latin-1").casefold())).lstrip("0")
    if set(plain) <= {"f"}:  # none, or what an empty memory holds
        label = token.raw_label.hex()
        return Identity(_digest("kind", *kind), _digest(*kind, label), False, token.serial or token.uri)
    return Identity(_digest("serial", plain), _digest(*kind, plain), True, token.serial)


def recorded(db: TinyDB) -> dict[str, int]:
    """The counts that release 0.1 kept in a store."""
    rows = db.table(TABLE).all()
    return {str(each["key"]): int(each["count"]) for each in rows if each.get("count")}


class Attempts:
    """The counts of this account's tokens on this machine.

    folder: where they are; the account's own unless given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        own = state()
        self._folder = folder or (own / FOLDER if own is not None else NOWHERE)
        self._earlier: dict[str, Mapping[str, int]] | None = None

    def adopt(self, source: str, counts: Callable[[], Mapping[str, int]]) -> None:
        """Take over, once, what release 0.1 counted in the store `source`.

        A store that cannot be read now is asked again the next time.
        """
        name = _digest(source)[:16]
        if name in self._known_earlier():
            return
        self._earlier = {**self._known_earlier(), name: dict(counts())}
        if self._folder == NOWHERE:
            return
        with contextlib.suppress(OSError):
            self._make_folder()
            keep(OS, self._folder / EARLIER, [msgspec.json.encode(self._earlier)])
            _hand_over(self._folder / EARLIER)

    def count(self, identity: Identity) -> Count:
        """What is counted for a token now, and whether more can be."""
        try:
            for _ in range(READINGS):
                descriptor = self._open(identity)
                try:
                    failures = self._read(descriptor, identity)
                    return Count(sum(each.pin for each in failures), sum(each.so for each in failures))
                except Damaged:
                    time.sleep(POLL)
                finally:
                    os.close(descriptor)
        except OSError as error:
            return Count(trouble=_reason(error))
        return Count(trouble=DAMAGED)

    @contextlib.contextmanager
    def held(self, identity: Identity) -> Iterator[Held]:
        """The count of one token, for this process and thread alone until the end of the block.

        :raises PinInUse: somebody else enters a PIN for it, and does not come to an end.
        """
        descriptor, usable = -1, True
        failures: list[Failures] = []
        trouble: Message | str = ""
        try:
            try:
                descriptor = self._open(identity)
                self._lock(descriptor, identity)
                failures = self._read(descriptor, identity)
            except Damaged:
                failures = [Failures(identity.own, UNKNOWN, UNKNOWN)]
                trouble = DAMAGED
            except OSError as error:
                usable, trouble = False, _reason(error)
            yield Held(self, identity, descriptor if usable else -1, failures, trouble)
        finally:
            if descriptor >= 0:
                os.close(descriptor)  # which ends the lock

    def _lock(self, descriptor: int, identity: Identity) -> None:
        """Wait for the lock on a token's file; if that was replaced meanwhile, on the one in its place."""
        end = time.monotonic() + WAIT
        while True:
            os.lseek(descriptor, SIZE, os.SEEK_SET)  # Windows locks bytes, and nobody may read those
            if not OS.lock(descriptor):
                if time.monotonic() > end:
                    raise errors.PinInUse(
                        M("Another fieldkit is entering a PIN for this token."),
                        unchanged=M("The PIN was not sent to the token."),
                        hint=M("Wait until it has ended, then try again."),
                    )
                time.sleep(POLL)
                continue
            path = self._folder / identity.shared
            if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
                return
            fresh = self._open(identity)  # it was removed meanwhile
            os.dup2(fresh, descriptor, inheritable=False)
            os.close(fresh)

    def _read(self, descriptor: int, identity: Identity) -> list[Failures]:
        """The failures in a file, with what release 0.1 had counted for this token.

        :raises Damaged: it is not as it was written.
        """
        data = OS.read_at(descriptor, 0, SIZE + 1)
        body, checksum = data[: SIZE - 64].rstrip(b" "), data[SIZE - 64 :]
        if len(data) != SIZE or hashlib.sha256(body).hexdigest().encode() != checksum:
            raise Damaged
        try:
            found = msgspec.json.decode(body, type=_Record)
        except msgspec.DecodeError:
            raise Damaged from None
        if found.key != identity.shared:
            raise Damaged
        own = next((each for each in found.failures if each.own == identity.own), None)
        if own is None:
            own = Failures(identity.own)
            found.failures.append(own)
        for name, counts in self._known_earlier().items():
            if name not in own.merged:
                own.pin = max(own.pin, counts.get(identity.earlier, 0))
                own.so = max(own.so, counts.get(identity.earlier + ":so", 0))
        return found.failures

    def write(self, descriptor: int, identity: Identity, failures: list[Failures]) -> None:
        """Put the failures into their file; on disk when it returns.

        :raises OSError: it may not be.
        """
        for each in failures:
            if each.own == identity.own:
                each.merged = [
                    name
                    for name, counts in self._known_earlier().items()
                    if {identity.earlier, identity.earlier + ":so"} & counts.keys()
                ]
        OS.write_at(
            descriptor,
            0,
            _encoded(identity, [each for each in failures if each.pin or each.so or each.merged]),
        )
        OS.sync(descriptor)

    def _known_earlier(self) -> Mapping[str, Mapping[str, int]]:
        """What was adopted, by store."""
        if self._folder == NOWHERE:
            return {}
        if self._earlier is None:
            self._earlier = {}
            with contextlib.suppress(OSError, msgspec.DecodeError):
                content = (self._folder / EARLIER).read_bytes()
                self._earlier = msgspec.json.decode(content, type=dict[str, Mapping[str, int]])
        return self._earlier

    def _open(self, identity: Identity) -> int:
        """The file of a token, to read and write; made where there is none."""
        if self._folder == NOWHERE:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        path = self._folder / identity.shared
        flags = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            self._make(path, identity)
            return os.open(path, flags)

    def _make(self, path: Path, identity: Identity) -> None:
        """A file with nothing counted, whole or not at all; on a full disk a spare one becomes it."""
        self._make_folder()
        guard = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            end = time.monotonic() + WAIT
            while not OS.lock(guard):
                if time.monotonic() > end:
                    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                time.sleep(POLL)
            if path.exists():
                return
            content = _encoded(identity, [])
            try:
                keep(OS, path, [content])
            except OSError:
                spare = next(iter(sorted(self._folder.glob("spare-*"))), None)
                if spare is None:
                    raise
                descriptor = os.open(spare, os.O_RDWR | getattr(os, "O_BINARY", 0))
                try:
                    OS.write_at(descriptor, 0, content)
                    OS.sync(descriptor)
                finally:
                    os.close(descriptor)
                spare.replace(path)
                OS.sync_folder(self._folder)
            _hand_over(path)
            with contextlib.suppress(OSError):
                for number in range(SPARES):
                    spare = self._folder / f"spare-{number}"
                    if not spare.exists():
                        keep(OS, spare, [os.urandom(SIZE)])
                        _hand_over(spare)
        finally:
            os.close(guard)

    def _make_folder(self) -> None:
        missing = [each for each in (self._folder, *self._folder.parents) if not each.is_dir()]
        if missing:
            private(self._folder)
            for each in reversed(missing):
                _hand_over(each)


class Held:
    """One token's count while nobody else may use it. trouble: why it is not known, or cannot be kept."""

    def __init__(
        self,
        attempts: Attempts,
        identity: Identity,
        descriptor: int,
        failures: list[Failures],
        trouble: Message | str,
    ) -> None:
        self.trouble = trouble
        self._attempts = attempts
        self._identity = identity
        self._descriptor = descriptor
        self._failures = failures

    def failures(self, *, so: bool) -> int | None:
        """The failures so far; None if they are not known."""
        return None if self.trouble else sum(each.of(so=so) for each in self._failures)

    def add(self, *, so: bool) -> None:
        """Count one more; on disk when it returns.

        :raises OSError: it may not be.
        """
        self._own.put(self._own.of(so=so) + 1, so=so)
        self._save()

    def take_back(self, *, so: bool) -> None:
        """The token never judged what was counted last."""
        self._own.put(max(0, self._own.of(so=so) - 1), so=so)
        with contextlib.suppress(OSError):  # it stays counted, which is the safe side
            self._save()

    def clear(self, *, so: bool, everywhere: bool = False) -> None:
        """The token took the PIN. everywhere: also what was counted of its serial number by other names."""
        for each in self._failures if everywhere and self._identity.certain else [self._own]:
            each.put(0, so=so)
        with contextlib.suppress(OSError):
            self._save()

    @property
    def _own(self) -> Failures:
        own = next((each for each in self._failures if each.own == self._identity.own), None)
        if own is None:
            own = Failures(self._identity.own)
            self._failures.append(own)
        return own

    def _save(self) -> None:
        if self._descriptor >= 0:
            self._attempts.write(self._descriptor, self._identity, self._failures)


DAMAGED = M("the file of the count is damaged")


def _encoded(identity: Identity, failures: list[Failures]) -> bytes:
    body = msgspec.json.encode(_Record(identity.shared, failures))
    if len(body) > SIZE - 64:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return body.ljust(SIZE - 64) + hashlib.sha256(body).hexdigest().encode()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _hand_over(path: Path) -> None:
    """What root makes in somebody's folder belongs to whom the folder belongs to."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        above = path.parent.stat()
        if above.st_uid != 0:
            os.chown(path, above.st_uid, above.st_gid)
