"""How often a wrong PIN was given to a token: one count for this account on this machine, outside every home.

It lies where the system's list of accounts says, so that no other environment starts from zero.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.access import make_private_folder
from fieldkit.home import account_folders
from fieldkit.journal.errors import StoreDamaged, StoreUnavailable
from fieldkit.journal.files import OS, write_whole
from fieldkit.text import M, Message
from fieldkit.token import errors
from fieldkit.token.model import plain_serial

if TYPE_CHECKING:
    from fieldkit.journal.store import Store
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
EVERY = ""  # stands for every token among what a store had counted, where that cannot be read
READ_WRITE = os.O_RDWR | getattr(os, "O_BINARY", 0)
SOME = 4  # certificates by which a token is known again


class Damaged(Exception):
    """A count's file is not as it was written."""


class TokenIdentity(msgspec.Struct, frozen=True):
    """By what a token is known to the count.

    shared: names the file. Failures in it add up, since one token may go by other names in another module.
    own: what it is called. certain: it has a serial number. earlier: its key in release 0.1. certificates:
    digests of its own certificates.
    """

    shared: str
    own: str
    certain: bool
    earlier: str
    certificates: tuple[str, ...] = ()

    def may_hold(self, certificates: Sequence[bytes]) -> bool:
        """Whether a token with these certificates can be this one."""
        return not self.certificates or not set(self.certificates).isdisjoint(map(_short, certificates))


class FailureCount(msgspec.Struct, frozen=True):
    """Failures in a row, of the PIN and of the SO PIN (or PUK). trouble: why they are not known or kept."""

    pin: int = 0
    so: int = 0
    trouble: Message | str = ""

    def of(self, *, so: bool) -> int | None:
        """The failures of one of the two; None if they are not known."""
        return None if self.trouble else self.so if so else self.pin


class Failures(msgspec.Struct, array_like=True):
    """What is counted for one `TokenIdentity`. merged: counts of release 0.1 that are in it."""

    own: str
    pin: int = 0
    so: int = 0
    merged: list[str] = []
    certificates: list[str] = []

    def of(self, *, so: bool) -> int:
        return self.so if so else self.pin

    def set_count(self, count: int, *, so: bool) -> None:
        if so:
            self.so = count
        else:
            self.pin = count

    def same(self, identity: TokenIdentity) -> bool | None:
        """Whether this is the count of that very token; None if nobody can tell.

        Serial numbers are not always unique: what no other token has is a certificate of its own.
        """
        if self.certificates and identity.certificates:
            return not set(self.certificates).isdisjoint(identity.certificates)
        alike = not self.certificates and not identity.certificates and self.own == identity.own
        return True if alike and identity.certain else None


class _Record(msgspec.Struct):
    key: str
    failures: list[Failures]


def identify(token: Token, certificates: Sequence[bytes] = ()) -> TokenIdentity:
    """By what `token` is counted: its serial number however it is spelled, else maker, model and label.

    certificates: those that are on it.
    """
    kind = [name.strip().casefold() for name in (token.manufacturer, token.model)]
    label = token.raw_label.hex()
    own = tuple(sorted(_short(certificate) for certificate in certificates if _of_a_holder(certificate)))
    plain = plain_serial(token.raw_serial)
    if not token.numbered:
        earlier = token.serial or token.uri
        return TokenIdentity(_digest("kind", *kind), _digest(*kind, label), False, earlier, own[:SOME])
    return TokenIdentity(
        _digest("serial", plain), _digest(*kind, plain, label), True, token.serial, own[:SOME]
    )


def recorded(store: Store) -> dict[str, int]:
    """The counts that release 0.1 kept in a store.

    :raises StoreDamaged: some of them may be lost.
    """
    if damage := store.damage():
        raise StoreDamaged(damage[0].message)
    rows = store.db.table(TABLE).all()
    return {str(row["key"]): int(row["count"]) for row in rows if row.get("count")}


class Attempts:
    """The counts of this account's tokens on this machine.

    folder: where they are; the account's own unless given. Root also minds those of whoever became root.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder, *others = (
            [folder] if folder else [account_folder or NOWHERE for account_folder in account_folders(FOLDER)]
        )
        self._besides = [Attempts(other) for other in others]
        self._earlier: dict[str, Mapping[str, int]] | None = None

    def adopt(self, source: str, counts: Callable[[], Mapping[str, int]]) -> None:
        """Take over, once, what release 0.1 counted in the store `source`.

        A store that cannot be read now is asked again the next time, and may have counted anything.
        """
        name = _digest(source)[:16]
        known = self._known_earlier()
        if name in known:
            return
        try:
            self._earlier = {**known, name: dict(counts())}
        except (StoreDamaged, StoreUnavailable, OSError, LookupError, TypeError, ValueError):
            self._earlier = {**known, name: {EVERY: UNKNOWN}}
            return
        if self._folder == NOWHERE:
            return
        with contextlib.suppress(OSError):
            self._make_folder()
            write_whole(OS, self._folder / EARLIER, [msgspec.json.encode(self._earlier)])
            _hand_over(self._folder / EARLIER)

    def count(self, identity: TokenIdentity) -> FailureCount:
        """What is counted for a token now, and whether more can be."""
        counts = [self._count(identity), *(beside.count(identity) for beside in self._besides)]
        trouble = next((count.trouble for count in counts if count.trouble), "")
        return FailureCount(sum(count.pin for count in counts), sum(count.so for count in counts), trouble)

    def _count(self, identity: TokenIdentity) -> FailureCount:
        try:
            for _ in range(READINGS):
                descriptor = self._open(identity)
                try:
                    failures = self._read(descriptor, identity)
                    return FailureCount(
                        sum(failure.pin for failure in failures), sum(failure.so for failure in failures)
                    )
                except Damaged:
                    time.sleep(POLL)
                finally:
                    os.close(descriptor)
        except OSError as error:
            return FailureCount(trouble=reason_of(error))
        return FailureCount(trouble=DAMAGED)

    @contextlib.contextmanager
    def held(self, identity: TokenIdentity) -> Iterator[HeldCount]:
        """The count of one token, for this process and thread alone until the end of the block.

        :raises PinInUse: somebody else enters a PIN for it, and does not come to an end.
        """
        descriptor: int | None = None
        usable = True
        failures: list[Failures] = []
        trouble: Message | str = ""
        with contextlib.ExitStack() as besides:
            try:
                try:
                    descriptor = self._open(identity)
                    self._lock(descriptor, identity)
                    failures = self._read(descriptor, identity)
                except Damaged:
                    failures = [_failures(identity, UNKNOWN)]
                    trouble = DAMAGED
                except OSError as error:
                    usable, trouble = False, reason_of(error)
                others = [besides.enter_context(beside.held(identity)) for beside in self._besides]
                yield HeldCount(self, identity, descriptor if usable else None, failures, trouble, others)
            finally:
                if descriptor is not None:
                    os.close(descriptor)  # which ends the lock

    def _lock(self, descriptor: int, identity: TokenIdentity) -> None:
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

    def _read(self, descriptor: int, identity: TokenIdentity) -> list[Failures]:
        """The failures in a file, with what release 0.1 had counted for this token.

        :raises Damaged: it is not as it was written.
        """
        data = OS.read_at(descriptor, 0, SIZE + 1)
        body, checksum = data[: SIZE - 64].rstrip(b" "), data[SIZE - 64 :]
        if hashlib.sha256(body).hexdigest().encode() != checksum:  # nor is it, where the size is another
            raise Damaged
        try:
            record = msgspec.json.decode(body, type=_Record)
        except msgspec.DecodeError:
            raise Damaged from None
        if record.key != identity.shared:
            raise Damaged
        merged = {name for failure in record.failures for name in failure.merged}
        for name, counts in self._known_earlier().items():
            any_token = counts.get(EVERY, 0)
            pin = counts.get(identity.earlier, any_token)
            so = counts.get(identity.earlier + ":so", any_token)
            if (pin or so) and name not in merged:
                own = own_of(record.failures, identity)
                own.pin, own.so = max(own.pin, pin), max(own.so, so)
                own.merged.append(name)
        return record.failures

    def write(self, descriptor: int, identity: TokenIdentity, failures: list[Failures]) -> None:
        """Put the failures into their file; on disk when it returns.

        :raises OSError: it may not be.
        """
        counting = [failure for failure in failures if failure.pin or failure.so or failure.merged]
        OS.write_at(descriptor, 0, _encoded(identity, counting))
        OS.truncate(descriptor, SIZE)  # it may have been longer, which is damage
        OS.sync(descriptor)

    def _known_earlier(self) -> Mapping[str, Mapping[str, int]]:
        """What was adopted, by store."""
        if self._folder == NOWHERE:
            return {}
        if self._earlier is None:
            content = b""
            try:
                content = (self._folder / EARLIER).read_bytes()
                self._earlier = msgspec.json.decode(content, type=dict[str, Mapping[str, int]])
            except FileNotFoundError:
                self._earlier = {}
            except (OSError, msgspec.DecodeError):  # whichever stores it had, they may have counted anything
                self._earlier = {_digest("damaged", content.hex())[:16]: {EVERY: UNKNOWN}}
        return self._earlier

    def _open(self, identity: TokenIdentity) -> int:
        """The file of a token, to read and write; made where there is none."""
        if self._folder == NOWHERE:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        path = self._folder / identity.shared
        flags = READ_WRITE | getattr(os, "O_NOFOLLOW", 0)
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            self._make(path, identity)
            return os.open(path, flags)

    def _make(self, path: Path, identity: TokenIdentity) -> None:
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
                write_whole(OS, path, [content])
            except OSError:
                spare = next(iter(sorted(self._folder.glob("spare-*"))), None)
                if spare is None:
                    raise
                descriptor = os.open(spare, READ_WRITE)
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
                        write_whole(OS, spare, [os.urandom(SIZE)])
                        _hand_over(spare)
        finally:
            os.close(guard)

    def _make_folder(self) -> None:
        missing = [path for path in (self._folder, *self._folder.parents) if not path.is_dir()]
        if missing:
            make_private_folder(self._folder)
            for path in reversed(missing):
                _hand_over(path)


class HeldCount:
    """One token's count while nobody else may use it. trouble: why it is not known, or cannot be kept."""

    def __init__(
        self,
        attempts: Attempts,
        identity: TokenIdentity,
        descriptor: int | None,
        failures: list[Failures],
        trouble: Message | str,
        besides: Sequence[HeldCount] = (),
    ) -> None:
        self.trouble: Message | str = trouble
        for beside in besides:
            self.trouble = self.trouble or beside.trouble
        self._besides = besides
        self._attempts = attempts
        self._identity = identity
        self._descriptor = descriptor
        self._failures = failures

    def failures(self, *, so: bool) -> int | None:
        """The failures so far; None if they are not known."""
        if self.trouble:
            return None
        counts = [failure.of(so=so) for failure in self._failures]
        return sum(counts) + sum(beside.failures(so=so) or 0 for beside in self._besides)

    def add(self, *, so: bool) -> None:
        """Count one more; on disk when it returns.

        :raises OSError: it may not be.
        """
        own = own_of(self._failures, self._identity)
        own.set_count(own.of(so=so) + 1, so=so)
        self._save()

    def take_back(self, *, so: bool) -> None:
        """The token never judged what was counted last."""
        self._take_back(so=so)
        with contextlib.suppress(OSError):  # it stays counted, which is the safe side
            self._save()

    def clear(self, *, so: bool, counted: bool = False, everywhere: bool = False) -> None:
        """The token took the PIN: what was counted of that very token is over.

        counted: and so is what was counted last, whichever token it is. everywhere: also what was counted
        of its serial number, unless a certificate shows another token.
        """
        if counted:
            self._take_back(so=so)
        for failure in self._failures:
            if failure.same(self._identity) or (
                everywhere and self._identity.certain and failure.same(self._identity) is None
            ):
                failure.set_count(0, so=so)
        with contextlib.suppress(OSError):
            self._save()
        for other in self._besides:
            other.clear(so=so, everywhere=everywhere)

    def _take_back(self, *, so: bool) -> None:
        own = own_of(self._failures, self._identity)
        own.set_count(max(0, own.of(so=so) - 1), so=so)

    def _save(self) -> None:
        if self._descriptor is not None:
            self._attempts.write(self._descriptor, self._identity, self._failures)


DAMAGED = M("the file of the count is damaged")
LOST = M("what was counted before cannot be read")


def own_of(failures: list[Failures], identity: TokenIdentity) -> Failures:
    """What is counted under exactly this identity; begun where nothing is."""
    fresh = _failures(identity)
    for failure in failures:
        if (failure.own, failure.certificates) == (fresh.own, fresh.certificates):
            return failure
    failures.append(fresh)
    return fresh


def _failures(identity: TokenIdentity, count: int = 0) -> Failures:
    return Failures(identity.own, count, count, certificates=list(identity.certificates))


def _short(certificate: bytes) -> str:
    return hashlib.sha256(certificate).hexdigest()[:16]


def _of_a_holder(certificate: bytes) -> bool:
    """It is a holder's, who has one token; an authority's, or one that cannot be read, is on many."""
    from cryptography import x509

    try:
        parsed = x509.load_der_x509_certificate(certificate)
        return not parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return parsed.issuer != parsed.subject
    except ValueError:
        return False


def _encoded(identity: TokenIdentity, failures: list[Failures]) -> bytes:
    body = msgspec.json.encode(_Record(identity.shared, failures))
    if len(body) > SIZE - 64:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return body.ljust(SIZE - 64) + hashlib.sha256(body).hexdigest().encode()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def reason_of(error: OSError) -> str:
    """What the system says, or what the error is called."""
    return error.strerror or type(error).__name__


def _hand_over(path: Path) -> None:
    """What root makes in somebody's folder belongs to whom the folder belongs to."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        above = path.parent.stat()
        if above.st_uid != 0:
            os.chown(path, above.st_uid, above.st_gid, follow_symlinks=False)
