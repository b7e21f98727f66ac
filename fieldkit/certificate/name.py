"""Distinguished names as people write them (RFC 4514), and by the short names of their attributes."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fieldkit.certificate.errors import SubjectInvalid
from fieldkit.text import M, nfc

if TYPE_CHECKING:
    from cryptography import x509

# In the order that a subject has in a certificate, the widest first.
OIDS: Mapping[str, str] = {
    "C": "2.5.4.6",
    "DC": "0.9.2342.19200300.100.1.25",
    "ST": "2.5.4.8",
    "L": "2.5.4.7",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "organizationIdentifier": "2.5.4.97",
    "OU": "2.5.4.11",
    "T": "2.5.4.12",
    "SN": "2.5.4.4",
    "GN": "2.5.4.42",
    "CN": "2.5.4.3",
    "serialNumber": "2.5.4.5",
    "UID": "0.9.2342.19200300.100.1.1",
    "E": "1.2.840.113549.1.9.1",
}
COMMON_NAME = "2.5.4.3"
LONGEST_COMMON_NAME = 64
STAND_IN: Mapping[str, str] = {COMMON_NAME: "1.3.6.1.4.1.0.64"}  # while a name is parsed: it has no limit
MEANT: Mapping[str, str] = {stand_in: oid for oid, stand_in in STAND_IN.items()}
SHORT: Mapping[str, str] = {oid: short for short, oid in OIDS.items()}
SPOKEN: Mapping[str, str] = {  # other spellings, as programs and people have them
    "EMAILADDRESS": "E",
    "EMAIL": "E",
    "S": "ST",
    "TITLE": "T",
    "G": "GN",
    "GIVENNAME": "GN",
    "SURNAME": "SN",
    "2.5.4.97": "organizationIdentifier",
}


def text(name: x509.Name) -> str:
    """`name` as RFC 4514 writes it, the narrowest attribute first; nothing in it can steer a terminal."""
    from cryptography.x509 import ObjectIdentifier

    return visible(name.rfc4514_string({ObjectIdentifier(oid): short for oid, short in SHORT.items()}))


def attributes(name: x509.Name) -> dict[str, tuple[str, ...]]:
    """The values of each attribute by its short name (its OID where it has none), composed (NFC)."""
    by_name: dict[str, list[str]] = {}
    for attribute in name:
        value = attribute.value
        shown = value if isinstance(value, str) else "#" + value.hex()
        oid = attribute.oid.dotted_string
        by_name.setdefault(SHORT.get(oid, oid), []).append(nfc(visible(shown)))
    return {short: tuple(values) for short, values in by_name.items()}


def common_name(name: x509.Name) -> str:
    """What a person calls it: the common name, else the unit, else the organisation, else all of it."""
    known = attributes(name)
    return next((known[short][0] for short in ("CN", "OU", "O") if short in known), text(name))


def build(wanted: Mapping[str, str]) -> x509.Name:
    """The name with these attributes, by short names, in the order a certificate has them.

    :raises SubjectInvalid: an attribute is not known, or its value does not fit it.
    """
    from cryptography import x509

    values = {_short(key): nfc(value.strip()) for key, value in wanted.items() if value.strip()}
    try:
        return x509.Name([_attribute(oid, values[short]) for short, oid in OIDS.items() if short in values])
    except (ValueError, TypeError) as error:
        raise _invalid(", ".join(f"{key}={value}" for key, value in values.items()), str(error)) from None


def parse(written: str) -> x509.Name:
    """The name that `written` (RFC 4514: "CN=…,O=…,C=VN") means; spaces round commas are let pass.

    :raises SubjectInvalid: it is not one.
    """
    from cryptography import x509

    wanted = nfc(written.strip())
    known = {key: x509.ObjectIdentifier(STAND_IN.get(oid, oid)) for key, oid in OIDS.items()}
    spelled = re.sub(
        r"(^|(?<!\\)\s*[,+])\s*([A-Za-z][A-Za-z0-9-]*|[0-9.]+)\s*=\s*",
        lambda match: f"{match[1].strip()}{_short(match[2])}=",
        wanted,
    )
    try:
        read = x509.Name.from_rfc4514_string(spelled, known)
        name = x509.Name(
            [
                x509.RelativeDistinguishedName(
                    [
                        _attribute(
                            MEANT.get(oid := name_attribute.oid.dotted_string, oid), name_attribute.value
                        )
                        for name_attribute in part
                    ]
                )
                for part in read.rdns
            ]
        )
    except (ValueError, TypeError, UnicodeError) as error:
        raise _invalid(written, str(error)) from None
    if not len(list(name)):
        raise _invalid(written, "")
    return name


def _attribute(oid: str, value: Any) -> x509.NameAttribute[Any]:
    """An attribute; a common name may have 64 letters (X.520), where cryptography counts bytes.

    In Vietnamese that is a third fewer letters than an agency's name may have.
    """
    from cryptography import x509

    if oid != COMMON_NAME:
        return x509.NameAttribute(x509.ObjectIdentifier(oid), value)
    if not 1 <= len(value) <= LONGEST_COMMON_NAME:
        raise ValueError(f"CN has {len(value)} letters, and may have 1 to {LONGEST_COMMON_NAME}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return x509.NameAttribute(x509.ObjectIdentifier(oid), value, _validate=False)


def visible(text: str) -> str:
    """`text` with control and direction characters escaped as in RFC 4514: a backslash, hexadecimal."""
    return "".join(
        "".join(f"\\{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else character
        for character in text
    )


def _short(spelling: str) -> str:
    """The short name that `spelling` means, whatever its case."""
    bare = spelling.strip()
    upper = bare.upper()
    by_case = {short.upper(): short for short in OIDS}
    return SPOKEN.get(upper) or by_case.get(upper) or SHORT.get(bare) or bare


def _invalid(written: str, detail: str) -> SubjectInvalid:
    return SubjectInvalid(
        M("This is not a subject that a certificate can have: {subject}.", subject=visible(written)),
        unchanged=M("Nothing was changed."),
        hint=M("Write it like this: CN=Nguyễn Thị Mẫu,OU=Cơ quan thường trú,O=Cơ quan,C=VN"),
        detail=detail.splitlines()[0] if detail else "",
    )
