"""RFC 7512 `pkcs11:` URIs: making one that names a token and no other, and matching one."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote_to_bytes

import msgspec

from fieldkit.token.model import Token

SAFE = "-._~:[]@!$'()*+,=&"  # RFC 7512 §2.3 pk11-res-avail, and unreserved
NAMES = ("token", "serial", "model", "manufacturer")


class Pattern(msgspec.Struct, frozen=True):
    """What a URI asks for: path attributes as bytes, and the module it names, if it does."""

    path: Mapping[str, bytes]
    module: str = ""

    def matches(self, token: Token) -> bool:
        """Every attribute that the URI gives is the token's."""
        has = {
            "token": token.raw_label,
            "serial": token.raw_serial,
            "model": token.model.encode(),
            "manufacturer": token.manufacturer.encode(),
            "slot-id": str(token.slot).encode(),
        }
        if any(has.get(name, value) != value for name, value in self.path.items()):
            return False
        return not self.module or self.module in token.modules


def make(*, label: bytes, serial: bytes, model: bytes, manufacturer: bytes, slot: int | None = None) -> str:
    """The URI of a token; `slot` only for one that has no serial number or label to go by."""
    given = {"token": label, "serial": serial, "model": model, "manufacturer": manufacturer}
    parts = [f"{name}={quote(value, safe=SAFE)}" for name, value in given.items() if value]
    if slot is not None:
        parts.append(f"slot-id={slot}")
    return "pkcs11:" + ";".join(parts)


def parse(uri: str) -> Pattern | None:
    """The pattern that `uri` is, or None if it is not a `pkcs11:` URI that can be read."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "pkcs11":
        return None
    path, _, query = rest.partition("?")
    attributes: dict[str, bytes] = {}
    for part in filter(None, path.split(";")):
        name, equals, value = part.partition("=")
        if not equals or name in attributes:
            return None
        attributes[name] = unquote_to_bytes(value)
    module = ""
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name == "module-path":
            module = unquote_to_bytes(value).decode("utf-8", "replace")
    return Pattern(attributes, module)
