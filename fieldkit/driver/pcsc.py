"""Readers and cards as PC/SC sees them: through the system's own library, with no card touched.

Only states are asked for (reader names, card present, ATR); nothing connects to a card.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from typing import Literal

import msgspec

Trouble = Literal["", "no-library", "no-service", "refused", "failed"]

ContextHandle = ctypes.c_long | ctypes.c_uint32 | ctypes.c_void_p

_SCOPE_SYSTEM = 2
_PRESENT = 0x0020
_NO_SERVICE = (0x8010001D, 0x8010001E)
_NO_READERS = 0x8010002E
_ACCESS_DENIED = (0x80100027, 0x8010006A)  # SCARD_E_NO_ACCESS, SCARD_W_SECURITY_VIOLATION
_MULTI = b"\0"


class Reader(msgspec.Struct, frozen=True):
    """A reader, and the ATR of the card in it in hexadecimal upper case ("" without a card)."""

    name: str
    atr: str = ""
    present: bool = False


class Readers(msgspec.Struct, frozen=True):
    """What PC/SC answered. trouble: why it could not, "" if it could; code: its own number for it."""

    readers: tuple[Reader, ...] = ()
    trouble: Trouble = ""
    code: str = ""


def readers() -> Readers:
    """Every reader and what is in it, as of now."""
    library = _library()
    if library is None:
        return Readers(trouble="no-library")
    word = ctypes.c_long if sys.platform.startswith("linux") else ctypes.c_uint32
    handle: ContextHandle = word() if os.name != "nt" else ctypes.c_void_p()
    status = _code(library.SCardEstablishContext(_SCOPE_SYSTEM, None, None, ctypes.byref(handle)))
    if status:
        return _trouble(status)
    try:
        return _list(library, handle)
    finally:
        library.SCardReleaseContext(handle)


def _list(library: ctypes.CDLL, handle: ContextHandle) -> Readers:
    size = _word()(0)
    call = library.SCardListReadersA if os.name == "nt" else library.SCardListReaders
    status = _code(call(handle, None, None, ctypes.byref(size)))
    if status == _NO_READERS or (not status and size.value <= 1):
        return Readers()
    names = ctypes.create_string_buffer(max(size.value, 1))
    status = status or _code(call(handle, None, names, ctypes.byref(size)))
    if status:
        return Readers() if status == _NO_READERS else _trouble(status)
    listed = [name for name in names.raw[: size.value].split(_MULTI) if name]
    states = (_state_type() * len(listed))()
    for state, name in zip(states, listed, strict=True):
        state.reader = name
    ask = library.SCardGetStatusChangeA if os.name == "nt" else library.SCardGetStatusChange
    status = _code(ask(handle, 0, states, len(listed)))
    if status:
        return _trouble(status)
    return Readers(tuple(_reader(name, state) for name, state in zip(listed, states, strict=True)))


def _reader(name: bytes, state: ctypes.Structure) -> Reader:
    atr = bytes(state.atr[: min(state.length, len(state.atr))]).hex().upper()
    return Reader(name.decode("utf-8", "replace"), atr, bool(state.event & _PRESENT))


def _trouble(status: int) -> Readers:
    if status in _NO_SERVICE:
        return Readers(trouble="no-service", code=hex(status))
    if status in _ACCESS_DENIED:
        return Readers(trouble="refused", code=hex(status))
    if status == _NO_READERS:
        return Readers()
    return Readers(trouble="failed", code=hex(status))


def _library() -> ctypes.CDLL | None:
    names = {
        "win32": ("winscard.dll",),
        "darwin": ("/System/Library/Frameworks/PCSC.framework/PCSC",),
    }.get(sys.platform, ("libpcsclite.so.1",))
    for name in names:
        try:
            if sys.platform == "win32":
                return ctypes.WinDLL(name)
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _word() -> type[ctypes.c_ulong | ctypes.c_uint32]:
    """DWORD: an unsigned long on Linux, 32 bits elsewhere."""
    return ctypes.c_ulong if sys.platform.startswith("linux") else ctypes.c_uint32


def _code(status: int) -> int:
    return status & 0xFFFFFFFF


def _state_type() -> type[ctypes.Structure]:
    """SCARD_READERSTATE, whose widths and packing each system chose for itself."""
    word = _word()

    class State(ctypes.Structure):
        if sys.platform == "darwin":
            _pack_ = 1
        _fields_ = (
            ("reader", ctypes.c_char_p),
            ("user_data", ctypes.c_void_p),
            ("current", word),
            ("event", word),
            ("length", word),
            ("atr", ctypes.c_ubyte * (36 if os.name == "nt" else 33)),
        )

    return State
