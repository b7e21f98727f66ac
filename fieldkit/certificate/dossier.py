"""Compare a certificate with what was asked of the authority: subject, issuer, serial number, dates, key.

What the dossier does not say is not compared. Names are compared as people mean them: composed, without
regard to case and spacing, and with either of the two ways of placing a tone (hoà, hòa), which is said.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from fieldkit.certificate import name
from fieldkit.certificate.password import TONES
from fieldkit.certificate.usage import kind_of
from fieldkit.finding import Finding
from fieldkit.text import M, Message, nfc

if TYPE_CHECKING:
    from cryptography import x509

    from fieldkit.profile.model import Dossier


class Line(msgspec.Struct, frozen=True):
    """The two sentences about one line of the dossier."""

    same: Message
    differs: Message


LINES: Mapping[str, Line] = {
    "CN": Line(
        M("The name is as in the dossier: {found}."),
        M("The name differs. Dossier: {wanted}. Certificate: {found}."),
    ),
    "O": Line(
        M("The organisation is as in the dossier: {found}."),
        M("The organisation differs. Dossier: {wanted}. Certificate: {found}."),
    ),
    "OU": Line(
        M("The unit is as in the dossier: {found}."),
        M("The unit differs. Dossier: {wanted}. Certificate: {found}."),
    ),
    "other": Line(
        M("The subject's {attribute} is as in the dossier: {found}."),
        M("The subject's {attribute} differs. Dossier: {wanted}. Certificate: {found}."),
    ),
    "issuer": Line(
        M("The issuer is as in the dossier: {found}."),
        M("The issuer differs. Dossier: {wanted}. Certificate: {found}."),
    ),
    "serial": Line(
        M("The serial number is as in the dossier: {found}."),
        M("The serial number differs. Dossier: {wanted}. Certificate: {found}."),
    ),
    "not-after": Line(
        M("The last day is as in the dossier: {found}."),
        M("The last day differs. Dossier: {wanted}. Certificate: {found}."),
    ),
    "email": Line(
        M("The e-mail address is as in the dossier: {found}."),
        M("The e-mail address differs. Dossier: {wanted}. Certificate: {found}."),
    ),
    "key": Line(
        M("The kind of key is as in the dossier: {found}."),
        M("The kind of key differs. Dossier: {wanted}. Certificate: {found}."),
    ),
}


def compare(certificate: x509.Certificate, dossier: Dossier) -> list[Finding]:
    """A check for everything the dossier says; what is empty in it is not compared."""
    checks = list(_subject(certificate, dossier))
    if wanted := dossier.certificate_serial.strip():
        checks.append(_number(certificate, wanted))
    if dossier.not_after is not None:
        checks.append(_last_day(certificate, dossier.not_after))
    if dossier.email:
        checks.append(_email(certificate, dossier.email))
    if dossier.key:
        kind = kind_of(certificate)
        checks.append(_outcome("key", dossier.key == kind, dossier.key, kind))
    return checks


def alike(wanted: str, actual: str) -> bool:
    """Whether two names are one: composed, spacing and case aside, either way of placing a tone."""
    return _folded(wanted) == _folded(actual)


def _subject(certificate: x509.Certificate, dossier: Dossier) -> Iterator[Finding]:
    there = name.attributes(certificate.subject)
    for short, wanted in dossier.subject.items():
        if not wanted.strip():
            continue
        values = there.get(short, ())
        best = next((value for value in values if alike(wanted, value)), " + ".join(values))
        yield _same(short, wanted, best, id=f"subject-{short.lower()}")
    if dossier.issuer:
        yield _same("issuer", dossier.issuer, name.common_name(certificate.issuer))


def _number(certificate: x509.Certificate, wanted: str) -> Finding:
    plain = wanted.lower().removeprefix("0x").replace(":", "").replace(" ", "").replace("-", "")
    serial = certificate.serial_number
    decimal = plain.isascii() and plain.isdigit() and int(plain) == serial
    try:
        good = int(plain, 16) == serial or decimal
    except ValueError:
        good = False
    return _outcome("serial", good, wanted, f"{serial:x}")


def _last_day(certificate: x509.Certificate, wanted: date) -> Finding:
    """The last day, as it is in this time zone or in UTC."""
    end = certificate.not_valid_after_utc
    day = end.astimezone().date()
    return _outcome("not-after", wanted in (day, end.date()), wanted.isoformat(), day.isoformat())


def _email(certificate: x509.Certificate, wanted: str) -> Finding:
    from cryptography import x509

    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = [str(address) for address in others.get_values_for_type(x509.RFC822Name)]
    except (x509.ExtensionNotFound, ValueError):
        addresses = []
    addresses += name.attributes(certificate.subject).get("E", ())
    good = wanted.strip().casefold() in (address.casefold() for address in addresses)
    return _outcome("email", good, wanted, name.visible(", ".join(addresses)))


def _same(line: str, wanted: str, certified: str, id: str = "") -> Finding:
    """Equal names pass; equal but for the way they are written pass and say so."""
    asked = nfc(wanted.strip())
    if alike(asked, certified) and asked != certified:
        message = M(
            "Written differently, and the same. Dossier: {wanted}. Certificate: {found}.",
            wanted=asked,
            found=certified,
        )
        return Finding(f"dossier-{id or line}", "pass", message, certified)
    return _outcome(line, asked == certified, asked, certified, id)


def _outcome(line: str, good: bool, wanted: str, certified: str, id: str = "") -> Finding:
    texts = LINES.get(line, LINES["other"])
    message = texts.same if good else texts.differs
    values = {"attribute": line, "wanted": name.visible(wanted), "found": certified or "–"}
    used = {key: value for key, value in values.items() if f"{{{key}}}" in message.text}
    detail = certified if good else f"{wanted} ≠ {certified or '–'}"
    return Finding(f"dossier-{id or line}", "pass" if good else "fail", Message(message.text, used), detail)


def _folded(text: str) -> str:
    """`text` for comparison: each word's letters, then its tones."""
    words = []
    for word in nfc(text).casefold().split():
        parts = unicodedata.normalize("NFD", word)
        letters = "".join(part for part in parts if part not in TONES)
        words.append(letters + "".join(part for part in parts if part in TONES))
    return " ".join(words)
