"""Compare a certificate with what was asked of the authority: subject, issuer, serial number, dates, key.

What the dossier does not say is not compared. Names are compared as people mean them: composed, without
regard to case and spacing, and with either of the two ways of placing a tone (hoà, hòa), which is said.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from fieldkit.certificate import name
from fieldkit.certificate.password import TONES
from fieldkit.certificate.usage import key_usage, kind_of
from fieldkit.finding import Finding
from fieldkit.text import M, Message, nfc

if TYPE_CHECKING:
    from cryptography import x509


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
    "not-before": Line(
        M("The first day is as in the dossier: {found}."),
        M("The first day differs. Dossier: {wanted}. Certificate: {found}."),
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
    "usage": Line(
        M("The key usage is as in the dossier: {found}."),
        M("The key usage differs. Dossier: {wanted}. Certificate: {found}."),
    ),
}


def compare(certificate: x509.Certificate, dossier: Mapping[str, Any] | msgspec.Struct) -> list[Finding]:
    """A check for everything the dossier says.

    dossier: `subject` (short names to values), `email`, `issuer` (common name), `certificate_serial`
    (hexadecimal), `not_before`, `not_after` (the day), `key` ("rsa:2048"), `key_usage` (names). Members that
    are empty or not there are not compared.
    """
    wishes = msgspec.structs.asdict(dossier) if isinstance(dossier, msgspec.Struct) else dossier
    checks = [*_subject(certificate, wishes), *_number(certificate, wishes), *_dates(certificate, wishes)]
    if wishes.get("email"):
        checks.append(_email(certificate, str(wishes["email"])))
    if wishes.get("key"):
        wanted, there = str(wishes["key"]), kind_of(certificate)
        checks.append(_outcome("key", wanted == there, wanted, there))
    if wishes.get("key_usage"):
        asked, allowed = [str(usage) for usage in wishes["key_usage"]], key_usage(certificate) or ()
        checks.append(_outcome("usage", set(asked) <= set(allowed), ", ".join(asked), ", ".join(allowed)))
    return checks


def alike(wanted: str, actual: str) -> bool:
    """Whether two names are one: composed, spacing and case aside, either way of placing a tone."""
    return _folded(wanted) == _folded(actual)


def _subject(certificate: x509.Certificate, dossier: Mapping[str, Any]) -> Iterator[Finding]:
    there = name.attributes(certificate.subject)
    for short, wanted in dict(dossier.get("subject") or {}).items():
        if not str(wanted).strip():
            continue
        values = there.get(short, ())
        best = next((value for value in values if alike(str(wanted), value)), " + ".join(values))
        yield _same(short, str(wanted), best, id=f"subject-{short.lower()}")
    if dossier.get("issuer"):
        issuer = name.common_name(certificate.issuer)
        yield _same("issuer", str(dossier["issuer"]), issuer)


def _number(certificate: x509.Certificate, dossier: Mapping[str, Any]) -> Iterator[Finding]:
    wanted = str(dossier.get("certificate_serial") or "").strip()
    if not wanted:
        return
    plain = wanted.lower().removeprefix("0x").replace(":", "").replace(" ", "").replace("-", "")
    serial = certificate.serial_number
    decimal = plain.isascii() and plain.isdigit() and int(plain) == serial
    try:
        good = int(plain, 16) == serial or decimal
    except ValueError:
        good = False
    yield _outcome("serial", good, wanted, f"{serial:x}")


def _dates(certificate: x509.Certificate, dossier: Mapping[str, Any]) -> Iterator[Finding]:
    """The first and the last day, as they are in this time zone or in UTC."""
    for member, moment in (
        ("not_before", certificate.not_valid_before_utc),
        ("not_after", certificate.not_valid_after_utc),
    ):
        wanted = dossier.get(member)
        if not wanted:
            continue
        asked = _day(wanted)
        days = {moment.date(), moment.astimezone().date()}
        day = moment.astimezone().date().isoformat()
        yield _outcome(member.replace("_", "-"), asked in days, str(wanted), day)


def _day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


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


def _same(line: str, wanted: str, found: str, id: str = "") -> Finding:
    """Equal names pass; equal but for the way they are written pass and say so."""
    asked = nfc(wanted.strip())
    if alike(asked, found) and asked != found:
        message = M(
            "Written differently, and the same. Dossier: {wanted}. Certificate: {found}.",
            wanted=asked,
            found=found,
        )
        return Finding(f"dossier-{id or line}", "pass", message, found)
    return _outcome(line, asked == found, asked, found, id)


def _outcome(line: str, good: bool, wanted: str, found: str, id: str = "") -> Finding:
    said = LINES.get(line, LINES["other"])
    message = said.same if good else said.differs
    values = {"attribute": line, "wanted": name.visible(wanted), "found": found or "–"}
    used = {key: value for key, value in values.items() if f"{{{key}}}" in message.text}
    detail = found if good else f"{wanted} ≠ {found or '–'}"
    return Finding(f"dossier-{id or line}", "pass" if good else "fail", Message(message.text, used), detail)


def _folded(text: str) -> str:
    """`text` for comparison: each word's letters, then its tones."""
    words = []
    for word in nfc(text).casefold().split():
        parts = unicodedata.normalize("NFD", word)
        letters = "".join(part for part in parts if part not in TONES)
        words.append(letters + "".join(part for part in parts if part in TONES))
    return " ".join(words)
