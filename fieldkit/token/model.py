"""What fieldkit knows of a token and the objects on it: plain values, as listed and passed between rooms."""

from __future__ import annotations

from typing import Literal

import msgspec

from fieldkit.text import Message

PinState = Literal["ok", "low", "final", "locked", "unset", "unknown", "default"]
Unblock = Literal["so-pin", "puk", "authority", "unknown"]


def numbered(serial: bytes) -> bool:
    """Whether it is a serial number, and not what an empty memory holds."""
    return not set(plain_serial(serial)) <= {"f"}


def plain_serial(serial: bytes) -> str:
    """A serial number without what only its spelling adds."""
    return "".join(filter(str.isalnum, serial.decode("latin-1").casefold())).lstrip("0")


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as one listing saw it; its flags are a snapshot.

    uri: RFC 7512, names this token and no other. module: the path it was reached by; modules: every
    module that shows it. slot: where it was, a hint only. pin_state: from the token's flags and from
    the attempts counted here: "default" means that a delivery PIN is still in place.
    protected_path: the PIN is typed on the device. raw_label, raw_serial: the bytes as the module
    gave them, which need not be UTF-8. free_memory: bytes for public objects, -1 if it does not
    say. flags: those of CK_TOKEN_INFO. unblock: what opens a locked PIN of this kind of token. uncounted:
    why wrong PINs cannot be counted here; its state is then as if one attempt were left.
    """

    uri: str
    label: str
    serial: str
    model: str
    manufacturer: str
    module: str
    modules: tuple[str, ...]
    slot: int
    initialized: bool
    login_required: bool
    pin_state: PinState
    so_pin_state: PinState = "unknown"
    protected_path: bool = False
    write_protected: bool = False
    pin_min: int = 0
    pin_max: int = 0
    free_memory: int = -1
    firmware: str = ""
    mechanisms: tuple[str, ...] = ()
    raw_label: bytes = b""
    raw_serial: bytes = b""
    flags: int = 0
    unblock: Unblock = "unknown"
    uncounted: Message | str = ""

    @property
    def numbered(self) -> bool:
        return numbered(self.raw_serial)

    @property
    def key(self) -> str:
        """By what something is kept about it: its serial number, or without one how and where it is seen."""
        return self.serial if self.numbered else self.uri

    @property
    def name(self) -> str:
        """What a person calls it: its label, else its serial number, else its slot."""
        return self.label or self.serial or f"#{self.slot}"


class StoredCertificate(msgspec.Struct, frozen=True):
    """A certificate on a token. id: CKA_ID in hexadecimal. handle: valid in the session that listed it."""

    id: str
    label: str
    der: bytes
    has_private_key: bool
    sha256: str
    handle: int = 0


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A private or public key on a token.

    kind: "rsa:2048", "ec:p256", … or "" where the token does not say. public: its SubjectPublicKeyInfo
    (DER), empty where the token keeps none. kept: sensitive and not extractable, as a token's key should be.
    """

    handle: int
    id: str
    label: str
    private: bool
    kind: str
    public: bytes
    kept: bool = True
