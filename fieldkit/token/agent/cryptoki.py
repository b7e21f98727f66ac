"""The part of PKCS#11 that python-pkcs11 lacks or decodes too strictly, called through ctypes.

For the agent process only. Information about slots and tokens as raw bytes, logins and PIN changes
whose PIN lives in memory that can be overwritten, and C_InitToken. Everything else is python-pkcs11's.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable
from ctypes import POINTER, Array, byref, c_ubyte, c_ulong, c_void_p
from typing import Protocol

PACKED = {"_pack_": 1} if sys.platform == "win32" else {}  # PKCS#11 v2.40 §2.1: 1-byte packing on Windows

FUNCTIONS = (  # the first of CK_FUNCTION_LIST, in its order
    *("C_Initialize", "C_Finalize", "C_GetInfo", "C_GetFunctionList", "C_GetSlotList", "C_GetSlotInfo"),
    *("C_GetTokenInfo", "C_GetMechanismList", "C_GetMechanismInfo", "C_InitToken", "C_InitPIN", "C_SetPIN"),
    *("C_OpenSession", "C_CloseSession", "C_CloseAllSessions", "C_GetSessionInfo", "C_GetOperationState"),
    *("C_SetOperationState", "C_Login", "C_Logout"),
)

CODES = {
    0x00: "CKR_OK",
    0x02: "CKR_HOST_MEMORY",
    0x03: "CKR_SLOT_ID_INVALID",
    0x05: "CKR_GENERAL_ERROR",
    0x06: "CKR_FUNCTION_FAILED",
    0x07: "CKR_ARGUMENTS_BAD",
    0x30: "CKR_DEVICE_ERROR",
    0x31: "CKR_DEVICE_MEMORY",
    0x32: "CKR_DEVICE_REMOVED",
    0x50: "CKR_FUNCTION_CANCELED",
    0x54: "CKR_FUNCTION_NOT_SUPPORTED",
    0xA0: "CKR_PIN_INCORRECT",
    0xA1: "CKR_PIN_INVALID",
    0xA2: "CKR_PIN_LEN_RANGE",
    0xA3: "CKR_PIN_EXPIRED",
    0xA4: "CKR_PIN_LOCKED",
    0xB0: "CKR_SESSION_CLOSED",
    0xB3: "CKR_SESSION_HANDLE_INVALID",
    0xB5: "CKR_SESSION_READ_ONLY",
    0xB6: "CKR_SESSION_EXISTS",
    0xB7: "CKR_SESSION_READ_ONLY_EXISTS",
    0xB8: "CKR_SESSION_READ_WRITE_SO_EXISTS",
    0xE0: "CKR_TOKEN_NOT_PRESENT",
    0xE1: "CKR_TOKEN_NOT_RECOGNIZED",
    0xE2: "CKR_TOKEN_WRITE_PROTECTED",
    0x100: "CKR_USER_ALREADY_LOGGED_IN",
    0x101: "CKR_USER_NOT_LOGGED_IN",
    0x102: "CKR_USER_PIN_NOT_INITIALIZED",
    0x103: "CKR_USER_TYPE_INVALID",
    0x104: "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
    0x150: "CKR_BUFFER_TOO_SMALL",
    0x190: "CKR_CRYPTOKI_NOT_INITIALIZED",
}
CKU_SO, CKU_USER, CKU_CONTEXT_SPECIFIC = 0, 1, 2
UNAVAILABLE = c_ulong(-1).value
UNKNOWN_SIZE = -1


class Rejected(Exception):
    """The module answered a call with anything but CKR_OK; `name` is the CKR_… it gave."""

    def __init__(self, rv: int, function: str) -> None:
        super().__init__(function)
        self.name = CODES.get(rv, f"0x{rv:08X}")
        self.function = function


class _Version(ctypes.Structure):
    locals().update(PACKED)
    _fields_ = [("major", c_ubyte), ("minor", c_ubyte)]


class _SlotInfo(ctypes.Structure):
    locals().update(PACKED)
    _fields_ = [
        ("description", c_ubyte * 64),
        ("manufacturer", c_ubyte * 32),
        ("flags", c_ulong),
        ("hardware", _Version),
        ("firmware", _Version),
    ]


class _TokenInfo(ctypes.Structure):
    locals().update(PACKED)
    _fields_ = [
        ("label", c_ubyte * 32),
        ("manufacturer", c_ubyte * 32),
        ("model", c_ubyte * 16),
        ("serial", c_ubyte * 16),
        ("flags", c_ulong),
        ("max_sessions", c_ulong),
        ("sessions", c_ulong),
        ("max_rw_sessions", c_ulong),
        ("rw_sessions", c_ulong),
        ("pin_max", c_ulong),
        ("pin_min", c_ulong),
        ("total_public", c_ulong),
        ("free_public", c_ulong),
        ("total_private", c_ulong),
        ("free_private", c_ulong),
        ("hardware", _Version),
        ("firmware", _Version),
        ("time", c_ubyte * 16),
    ]


class _FunctionList(ctypes.Structure):
    locals().update(PACKED)
    _fields_ = [("version", _Version), *((name, c_void_p) for name in FUNCTIONS)]


class InfoPointer(Protocol):
    """Where a module writes information about a slot or a token."""

    contents: ctypes.Structure


InfoCall = Callable[[int, InfoPointer], int]


def text(field: Array[c_ubyte]) -> bytes:
    """The bytes of a blank-padded (or, wrongly, zero-padded) field."""
    return bytes(field).split(b"\0", 1)[0].rstrip(b" ")


def size(value: int) -> int:
    """A size the module gave, or `UNKNOWN_SIZE` for CK_UNAVAILABLE_INFORMATION in either width."""
    return UNKNOWN_SIZE if value in (UNAVAILABLE, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF) else value


class Cryptoki:
    """A loaded module's own functions. `python-pkcs11` has initialised it before any of them is called."""

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        table = POINTER(_FunctionList)()
        rv = self._library.C_GetFunctionList(byref(table))
        if rv or not table:
            raise Rejected(rv or 6, "C_GetFunctionList")
        again = POINTER(_FunctionList)()
        self._library.C_GetFunctionList(byref(again))
        self._table_is_new = ctypes.addressof(table.contents) != (
            ctypes.addressof(again.contents) if again else 0
        )
        self._table = table.contents
        self._tolerant: list[object] = []
        self._replaced: dict[str, int] = {}  # the module's own functions, where its table has ours

    def follow(self, library: object) -> None:
        """Use the table that python-pkcs11 uses, where each asking gives another (p11-kit's modules do that).

        Its lib object begins with that table's address, and shows it to nobody.
        """
        if self._table_is_new:
            address = c_void_p.from_address(id(library) + object.__basicsize__).value
            self._table = _FunctionList.from_address(address or 0)

    def slots(self) -> list[int]:
        """The slots that hold a token now."""
        count = c_ulong()
        for _ in range(5):  # a token may come between the two calls
            self._call("C_GetSlotList", c_ubyte(1), None, byref(count))
            if not count.value:
                return []
            slots = (c_ulong * count.value)()
            rv = self._try("C_GetSlotList", c_ubyte(1), slots, byref(count))
            if rv == 0:
                return list(slots[: count.value])
            if rv != 0x150:
                raise Rejected(rv, "C_GetSlotList")
        return []

    def slot_info(self, slot: int) -> _SlotInfo:
        info = _SlotInfo()
        self._call("C_GetSlotInfo", c_ulong(slot), byref(info))
        return info

    def token_info(self, slot: int) -> _TokenInfo:
        info = _TokenInfo()
        self._call("C_GetTokenInfo", c_ulong(slot), byref(info))
        return info

    def mechanisms(self, slot: int) -> list[int]:
        count = c_ulong()
        self._call("C_GetMechanismList", c_ulong(slot), None, byref(count))
        if not count.value:
            return []
        array = (c_ulong * count.value)()
        self._call("C_GetMechanismList", c_ulong(slot), array, byref(count))
        return list(array[: count.value])

    def init_token(self, slot: int, so_pin: bytearray | None, label: bytes) -> None:
        """Erase the token. label: UTF-8, at most 32 bytes; padded here, and never zero-terminated."""
        padded = (c_ubyte * 32).from_buffer_copy(label[:32].ljust(32))
        self._call("C_InitToken", c_ulong(slot), *_pin(so_pin), padded)

    def login(self, session: int, user: int, pin: bytearray | None) -> None:
        """Log in; `pin` None leaves the PIN to the token's own keypad."""
        self._call("C_Login", c_ulong(session), c_ulong(user), *_pin(pin))

    def logout(self, session: int) -> None:
        self._call("C_Logout", c_ulong(session))

    def init_pin(self, session: int, pin: bytearray | None) -> None:
        self._call("C_InitPIN", c_ulong(session), *_pin(pin))

    def set_pin(self, session: int, old: bytearray | None, new: bytearray | None) -> None:
        self._call("C_SetPIN", c_ulong(session), *_pin(old), *_pin(new))

    def tolerate_text(self) -> None:
        """Let python-pkcs11 see only UTF-8 in slot and token information.

        It decodes labels strictly and so cannot open a token whose label is in an old code page. The
        module's table gets functions that put "?" for what is not UTF-8; nobody else is in this process.
        """
        if self._tolerant:
            return
        for name, kind, fields in (
            ("C_GetSlotInfo", _SlotInfo, ("description", "manufacturer")),
            ("C_GetTokenInfo", _TokenInfo, ("label", "manufacturer", "model")),
        ):
            prototype = ctypes.CFUNCTYPE(c_ulong, c_ulong, POINTER(kind))
            self._replaced[name] = getattr(self._table, name)
            original = prototype(self._replaced[name])
            wrapped = prototype(_tolerating(original, fields))
            _writable(ctypes.addressof(self._table) + getattr(_FunctionList, name).offset)
            setattr(self._table, name, ctypes.cast(wrapped, c_void_p).value)
            self._tolerant += [original, wrapped]

    def _try(self, name: str, *arguments: object) -> int:
        address = self._replaced.get(name) or getattr(self._table, name)
        if not address:
            raise Rejected(0x54, name)
        return int(ctypes.CFUNCTYPE(c_ulong)(address)(*arguments))

    def _call(self, name: str, *arguments: object) -> None:
        rv = self._try(name, *arguments)
        if rv:
            raise Rejected(rv, name)


def _pin(pin: bytearray | None) -> tuple[Array[c_ubyte] | None, c_ulong]:
    """A PIN as pointer and length, without a copy; an empty one is never given to a token."""
    if pin is None:
        return None, c_ulong(0)
    if not pin:
        raise Rejected(0xA1, "empty PIN")
    return (c_ubyte * len(pin)).from_buffer(pin), c_ulong(len(pin))


def _tolerating(original: InfoCall, fields: tuple[str, ...]) -> InfoCall:
    def ask(number: int, info: InfoPointer) -> int:
        rv = original(number, info)
        if rv == 0:
            for name in fields:
                field = getattr(info.contents, name)
                clean = bytes(field).decode("utf-8", "replace").replace("\ufffd", "?").encode()
                ctypes.memmove(field, clean[: len(field)].ljust(len(field)), len(field))
        return rv

    return ask


def _writable(address: int) -> None:
    """Make the page at `address` writable: some modules keep their table in read-only memory."""
    if sys.platform == "win32":
        old = c_ulong()
        ctypes.windll.kernel32.VirtualProtect(c_void_p(address), 8, 0x40, byref(old))
        return
    page = address & ~(mmap.PAGESIZE - 1)
    ctypes.CDLL(None).mprotect(c_void_p(page), mmap.PAGESIZE * 2, 0x3)
