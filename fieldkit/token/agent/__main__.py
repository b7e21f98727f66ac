"""The agent: the process that loads one PKCS#11 module and does what the client asks over two pipes.

`python -m fieldkit.token.agent`, started by `fieldkit.token.process` and by nobody else. A module may
crash, hang or print in here; nothing of that reaches the client but the end of a pipe.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import sys
import threading
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

import msgspec

from fieldkit.secret import keep_memory_private
from fieldkit.token import protocol
from fieldkit.token.agent.cryptoki import CKU_SO, CKU_USER, Cryptoki, Rejected, size, text
from fieldkit.token.model import StoredCertificate, StoredKey, numbered

if TYPE_CHECKING:
    from fieldkit.token.agent.objects import TokenObject, TokenSession

GRACE = 2.0  # seconds a call may still take once the client has gone
CRASH = "exception: "  # how an error begins that ctypes makes on Windows of a crash in a module
CRASHED = 3


class TokenNotInSlot(Exception):
    """No slot holds the token that was asked for."""


class Unloadable(Exception):
    """The module cannot be loaded; the text is the system's own."""


class UncountedAttempt(Exception):
    """A signature needs the PIN again, and nobody has counted that attempt."""


class _Open:
    """A session: python-pkcs11's, its slot, and the PIN while some key wants it for every signature."""

    def __init__(self, session: TokenSession, slot: int, mechanisms: tuple[str, ...]) -> None:
        self.session = session
        self.slot = slot
        self.mechanisms = mechanisms
        self.logged_in = False
        self.pin = bytearray()
        self.keys: dict[str, TokenObject] = {}


class Worker:
    """Does the calls, one after the other, in one thread."""

    def __init__(self) -> None:
        self._library: Any = None
        self._native: Cryptoki | None = None
        self._sessions: dict[int, _Open] = {}
        self._last = 0
        self._calls: dict[type, Callable[[Any, list[bytearray]], object]] = {
            protocol.Load: self._load,
            protocol.List: self._list,
            protocol.OpenSession: self._open,
            protocol.Login: self._login,
            protocol.Close: self._close,
            protocol.InitToken: self._init_token,
            protocol.InitPin: self._init_pin,
            protocol.SetPin: self._set_pin,
            protocol.Certificates: self._certificates,
            protocol.Keys: self._keys,
            protocol.Sign: self._sign,
            protocol.CreateKey: self._create_key,
            protocol.CreateCertificate: self._create_certificate,
            protocol.GenerateKey: self._generate_key,
            protocol.Destroy: self._destroy,
        }

    def answer(
        self, request: protocol.Request, secrets: list[bytearray]
    ) -> protocol.CallAnswer | protocol.CallFault:
        """Do one call. Secrets are overwritten before it returns."""
        try:
            value = self._calls[type(request)](request, secrets)
            return protocol.CallAnswer(msgspec.Raw(msgspec.json.encode(value)))
        except Exception as error:
            if isinstance(error, OSError) and str(error).startswith(CRASH):
                note(str(error))
                os._exit(CRASHED)  # what a module left behind that crashed is not gone on with
            return fault(error)
        finally:
            for secret in secrets:
                secret[:] = bytes(len(secret))

    def _load(self, request: protocol.Load, _: list[bytearray]) -> protocol.ModuleInfo:
        import pkcs11

        try:
            self._native = Cryptoki(request.path)
            self._library = pkcs11.lib(request.path)
            self._native.follow(self._library)
        except (OSError, AttributeError) as error:
            raise Unloadable(str(error)) from None
        except UnicodeDecodeError:
            raise Unloadable("C_GetInfo is not UTF-8") from None
        major, minor = self._library.library_version
        return protocol.ModuleInfo(
            self._library.manufacturer_id, self._library.library_description, f"{major}.{minor}"
        )

    @property
    def native(self) -> Cryptoki:
        if self._native is None:
            raise Unloadable("not loaded")
        return self._native

    def _list(self, request: protocol.List, _: list[bytearray]) -> list[protocol.SlotToken]:
        slot_tokens = []
        for slot in self.native.slots():
            try:
                slot_tokens.append(self._describe(slot, request.mechanisms))
            except Rejected as error:
                # Pulled out since, or a card this module cannot read: the others still count.
                note(f"slot {slot}: {error.function} {error.name}")
        return slot_tokens

    def _describe(self, slot: int, mechanisms: bool) -> protocol.SlotToken:
        info = self.native.token_info(slot)
        for raw in (info.label, info.manufacturer, info.model, self.native.slot_info(slot).description):
            try:
                bytes(raw).decode()
            except UnicodeDecodeError:
                self.native.tolerate_text()
        return protocol.SlotToken(
            slot=slot,
            label=text(info.label),
            manufacturer=text(info.manufacturer),
            model=text(info.model),
            serial=text(info.serial),
            flags=info.flags,
            pin_min=max(0, size(info.pin_min)),
            pin_max=max(0, size(info.pin_max)),
            free_memory=size(info.free_public),
            firmware=f"{info.firmware.major}.{info.firmware.minor}",
            mechanisms=self._mechanisms(slot) if mechanisms else (),
        )

    def _mechanisms(self, slot: int) -> tuple[str, ...]:
        from pkcs11 import Mechanism

        try:
            numbers = self.native.mechanisms(slot)
        except Rejected:
            return ()
        known = {int(mechanism): mechanism.name for mechanism in Mechanism}
        return tuple(sorted({known[number] for number in numbers if number in known}))

    def _find(self, slot: int, serial: bytes, label: bytes, initialized: bool) -> int:
        """The slot of a token now: readers are renumbered when one is plugged in.

        A token without a name or number of its own must be where it was.
        """
        here = self.native.slots()
        for candidate in sorted(here, key=lambda candidate: candidate != slot):
            if candidate != slot and not (initialized and numbered(serial)):
                continue
            with contextlib.suppress(Rejected):
                info = self.native.token_info(candidate)
                if (text(info.serial), text(info.label)) == (serial, label):
                    return candidate
        raise TokenNotInSlot

    def _open(self, request: protocol.OpenSession, _: list[bytearray]) -> int:
        slot = self._find(request.slot, request.serial, request.label, request.initialized)
        return self._open_slot(slot, request.write)

    def _open_slot(self, slot: int, write: bool) -> int:
        from fieldkit.token.agent.objects import mapper

        self._describe(slot, False)
        token = next(there for there in self._library.get_slots() if there.slot_id == slot).get_token()
        session = token.open(rw=write, attribute_mapper=mapper)
        self._last += 1
        self._sessions[self._last] = _Open(session, slot, self._mechanisms(slot))
        return self._last

    def _login(self, request: protocol.Login, secrets: list[bytearray]) -> None:
        opened = self._session(request.session)
        pin = secrets[0] if secrets else None
        user = CKU_SO if request.so else CKU_USER
        try:
            self.native.login(opened.session.handle, user, pin)
        except Rejected as error:
            if error.name != "CKR_USER_ALREADY_LOGGED_IN":
                raise
            self.native.logout(opened.session.handle)  # of an earlier session: this PIN was not judged
            self.native.login(opened.session.handle, user, pin)
        opened.logged_in = True
        if pin is not None and not request.so:
            from fieldkit.token.agent.objects import wants_pin_each_time

            if wants_pin_each_time(opened.session):
                opened.pin = bytearray(pin)

    def _close(self, request: protocol.Close, _: list[bytearray]) -> None:
        opened = self._sessions.pop(request.session, None)
        if opened is None:
            return
        opened.pin[:] = bytes(len(opened.pin))
        if opened.logged_in:
            with contextlib.suppress(Rejected):
                self.native.logout(opened.session.handle)
        from pkcs11.exceptions import PKCS11Error

        with contextlib.suppress(PKCS11Error):  # the token may be gone, and its sessions with it
            opened.session.close()

    def _init_token(self, request: protocol.InitToken, secrets: list[bytearray]) -> protocol.SlotToken:
        slot = self._find(request.slot, request.serial, request.old_label, request.initialized)
        self.native.init_token(slot, secrets[0] if secrets else None, request.label)
        return self._describe(slot, False)

    def _init_pin(self, request: protocol.InitPin, secrets: list[bytearray]) -> None:
        opened = self._session(request.session)
        self.native.init_pin(opened.session.handle, secrets[0] if secrets else None)

    def _set_pin(self, request: protocol.SetPin, secrets: list[bytearray]) -> None:
        opened = self._session(request.session)
        old, new = (secrets[0], secrets[1]) if len(secrets) == 2 else (None, None)
        self.native.set_pin(opened.session.handle, old, new)

    def _certificates(self, request: protocol.Certificates, _: list[bytearray]) -> list[StoredCertificate]:
        from fieldkit.token.agent.objects import certificates

        return certificates(self._session(request.session).session)

    def _keys(self, request: protocol.Keys, _: list[bytearray]) -> list[StoredKey]:
        from fieldkit.token.agent.objects import stored_keys

        return stored_keys(self._session(request.session).session)

    def _sign(self, request: protocol.Sign, _: list[bytearray]) -> bytes:
        from fieldkit.token.agent import objects

        opened = self._session(request.session)
        key = opened.keys.get(request.id)
        if key is None:
            key = objects.private_key(opened.session, bytes.fromhex(request.id))
            if key is None:
                raise LookupError
            opened.keys[request.id] = key
        pin = opened.pin.decode() if opened.pin and _each_time(key) else None
        if pin is not None and not request.counted:
            raise UncountedAttempt
        try:
            return objects.sign(key, request.mechanism, request.data, opened.mechanisms, pin)
        except BaseException:  # whatever the token calls it, it may have judged the PIN: never sent again
            if pin is not None:
                opened.pin[:] = bytes(len(opened.pin))
                opened.pin.clear()
            raise

    def _create_key(self, request: protocol.CreateKey, secrets: list[bytearray]) -> protocol.WrittenObjects:
        from fieldkit.token.agent.objects import create_key

        handles, public = create_key(
            self._session(request.session).session,
            bytes.fromhex(request.id),
            request.label,
            bytes(secrets[0]),
            request.subject,
        )
        return protocol.WrittenObjects(tuple(handles), public)

    def _create_certificate(
        self, request: protocol.CreateCertificate, _: list[bytearray]
    ) -> protocol.WrittenObjects:
        from fieldkit.token.agent.objects import create_certificate

        handle = create_certificate(
            self._session(request.session).session,
            bytes.fromhex(request.id),
            request.label,
            request.der,
            request.authority,
        )
        return protocol.WrittenObjects((handle,))

    def _generate_key(self, request: protocol.GenerateKey, _: list[bytearray]) -> protocol.WrittenObjects:
        from fieldkit.token.agent.objects import generate_key

        handles, public = generate_key(
            self._session(request.session).session, bytes.fromhex(request.id), request.label, request.kind
        )
        return protocol.WrittenObjects(tuple(handles), public)

    def _destroy(self, request: protocol.Destroy, _: list[bytearray]) -> protocol.RemovedObjects:
        from pkcs11 import Attribute, ObjectClass
        from pkcs11.exceptions import PKCS11Error

        from fieldkit.token.agent.objects import search

        opened = self._session(request.session)
        wanted, gone = set(request.handles), []
        for kind in (ObjectClass.CERTIFICATE, ObjectClass.PUBLIC_KEY, ObjectClass.PRIVATE_KEY):
            for stored in search(opened.session, {Attribute.CLASS: kind}):
                if stored.handle in wanted:
                    handle = stored.handle
                    try:
                        stored.destroy()
                    except PKCS11Error as error:
                        note(f"object {handle}: {ckr(error)}")
                        continue
                    wanted.discard(handle)
                    gone.append(handle)
        opened.keys.clear()
        return protocol.RemovedObjects(tuple(gone), tuple(sorted(wanted)))

    def _session(self, number: int) -> _Open:
        try:
            return self._sessions[number]
        except KeyError:
            raise Rejected(0xB3, "session") from None


def fault(error: Exception) -> protocol.CallFault:
    """What the client is told of an error: a name, and never a value that was passed."""
    if isinstance(error, Rejected):
        return protocol.CallFault(error.name, error.function)
    if isinstance(error, TokenNotInSlot):
        return protocol.CallFault("CKR_TOKEN_NOT_PRESENT")
    if isinstance(error, UncountedAttempt):
        return protocol.CallFault(protocol.UNCOUNTED)
    if isinstance(error, Unloadable):
        return protocol.CallFault("unloadable", str(error))
    if isinstance(error, LookupError):
        return protocol.CallFault("no-such-key")
    from pkcs11.exceptions import PKCS11Error

    from fieldkit.token.agent.objects import NotForSigning

    if isinstance(error, NotForSigning):
        return protocol.CallFault("CKR_KEY_FUNCTION_NOT_PERMITTED")

    if isinstance(error, PKCS11Error):
        return protocol.CallFault(ckr(error))
    return protocol.CallFault("fault", type(error).__name__)


def ckr(error: Exception) -> str:
    """The CKR_… name of a python-pkcs11 exception; it carries no number."""
    if error.args and (number := re.search(r"0x[0-9a-fA-F]+", str(error.args[0]))):
        return number.group()
    words = re.findall(r"[A-Z]{2,}(?=[A-Z][a-z]|$)|[A-Z][a-z0-9]*", type(error).__name__)
    return "CKR_" + "_".join(words).upper()


def note(line: str) -> None:
    """A line for the log, which is this process's standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _each_time(key: TokenObject) -> bool:
    from pkcs11 import Attribute

    from fieldkit.token.agent.objects import attributes

    return bool(attributes(key, (Attribute.ALWAYS_AUTHENTICATE,)).get(Attribute.ALWAYS_AUTHENTICATE))


def _private_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The client's two pipes under new numbers; what a module prints then goes to the log."""
    requests, replies = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(requests, os.O_BINARY)
        msvcrt.setmode(replies, os.O_BINARY)
    return os.fdopen(requests, "rb", buffering=0), os.fdopen(replies, "wb", buffering=0)


def main() -> None:
    """Read requests until the client closes the pipe; the worker answers them."""
    requests, replies = _private_pipes()
    keep_memory_private()
    waiting: queue.SimpleQueue[tuple[protocol.Request, list[bytearray]] | None] = queue.SimpleQueue()

    def work() -> None:
        worker = Worker()
        while (item := waiting.get()) is not None:
            try:
                protocol.write(replies, worker.answer(*item))
            except OSError:
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := protocol.read_request(requests)) is not None:
            waiting.put(item)
    finally:
        waiting.put(None)
        thread.join(GRACE)
        os._exit(0)  # never unload a module: its destructors crash, and so does use after it


if __name__ == "__main__":
    main()
