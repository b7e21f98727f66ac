"""RFC 7512 `pkcs11:` URIs: making one that names a token and no other, and matching one."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote_to_bytes

import msgspec

from fieldkit.errors import Misused
from fieldkit.text import M
from fieldkit.token.model import Token

SAFE = "-._~:[]@!$'()*+,=&"  # RFC 7512 §2.3 pk11-res-avail, and unreserved
NAMES = ("token", "serial", "model", "manufacturer", "slot-id")
OBJECTS = ("object", "id", "type")


class TokenUri(msgspec.Struct, frozen=True):
    """What a URI asks for: path attributes as bytes, and the module it names, if it does."""

    path: Mapping[str, bytes]
    module: str = ""

    def matches(self, token: Token) -> bool:
        """Every attribute that the URI gives is the token's."""
        has: Mapping[str, bytes] = {
            "token": token.raw_label,
            "serial": token.raw_serial,
            "model": token.model.encode(),
            "manufacturer": token.manufacturer.encode(),
            "slot-id": str(token.slot).encode(),
        }
        if any(has.get(name) != value for name, value in self.path.items()):
            return False
        return not self.module or self.module in token.modules


def make(*, label: bytes, serial: bytes, model: bytes, manufacturer: bytes, slot: int | None = None) -> str:
    """The URI of a token; `slot` only for one that has no serial number or label to go by."""
    attributes = {"token": label, "serial": serial, "model": model, "manufacturer": manufacturer}
    parts = [f"{name}={quote(value, safe=SAFE)}" for name, value in attributes.items() if value]
    if slot is not None:
        parts.append(f"slot-id={slot}")
    return "pkcs11:" + ";".join(parts)


def parse(uri: str) -> TokenUri | None:
    """The pattern that `uri` is, or None if it is not a `pkcs11:` URI that can be read.

    :raises Misused: it names what tokens are not chosen by here; it would choose another than was meant.
    """
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "pkcs11":
        return None
    path, _, query = rest.partition("?")
    attributes: dict[str, bytes] = {}
    for part in filter(None, path.split(";")):
        name, equals, value = part.partition("=")
        if not equals or name in attributes:
            return None
        if name not in NAMES:
            raise _unknown(name)
        attributes[name] = unquote_to_bytes(value)
    module = ""
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name != "module-path":
            raise _unknown(name)
        module = unquote_to_bytes(value).decode("utf-8", "replace")
    return TokenUri(attributes, module)


def _unknown(name: str) -> Misused:
    """The attribute is told by its name alone: its value may be a PIN (RFC 7512 §2.4)."""
    if name in OBJECTS:
        hint = M("It names a key or a certificate; name the certificate with --certificate.")
    elif name in ("pin-value", "pin-source"):
        hint = M(
            "A PIN never stands in a URI: other programs may have read it. Change it, and use --pin-file."
        )
    else:
        hint = M("Name the token by {names}.", names=", ".join((*NAMES, "module-path")))
    return Misused(
        M("The attribute {name} of the token's URI chooses no token here.", name=name[:40]),
        unchanged=M("Nothing was changed."),
        hint=hint,
    )
