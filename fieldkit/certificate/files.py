"""Read any certificate file by what is in it, never by its name: PKCS#12, PEM, DER, PKCS#7, PKCS#8, CSR, CRL.

Whatever the bytes are, the answer is `Contents` or an error of this room. Only the format is checked here.
"""

from __future__ import annotations

import base64
import binascii
import re
import stat
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.certificate import asn1, errors, pkcs12
from fieldkit.certificate.boundary import Password, parsed, unreadable
from fieldkit.certificate.contents import Contents, Kind, PrivateKey, private_key
from fieldkit.secret import Secret
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from cryptography import x509

LARGEST = 8 * 1024 * 1024  # a national authority's revocation list has some megabytes
LARGEST_LOCKED = 1024 * 1024
MOST_PARTS = 1000
PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----(.*?)-----END \1-----", re.DOTALL)
BASE64 = re.compile(rb"[A-Za-z0-9+/\s]{100,}={0,2}\s*")
"""At least a hundred characters: shorter text that happens to be base64 is no certificate."""
OTHERS: tuple[tuple[bytes, Message], ...] = (
    (b"%PDF", M("This is a PDF document, not a certificate file.")),
    (b"PK\x03\x04", M("This is a ZIP archive (or an Office document); take the certificate file out of it.")),
    (b"Rar!", M("This is a RAR archive; take the certificate file out of it.")),
    (b"7z\xbc\xaf", M("This is a 7-Zip archive; take the certificate file out of it.")),
    (b"\xfe\xed\xfe\xed", M("This is a Java key store; export the key from it as PKCS#12.")),
    (b"\xce\xce\xce\xce", M("This is a Java key store; export the key from it as PKCS#12.")),
    (b"-----BEGIN OPENSSH PRIVATE KEY", M("This is a key for SSH; it does not belong to a certificate.")),
    (b"PuTTY-User-Key-File", M("This is a key for SSH; it does not belong to a certificate.")),
    (b"\x89PNG", M("This is a picture, not a certificate file.")),
    (b"\xff\xd8\xff", M("This is a picture, not a certificate file.")),
    (b"MZ", M("This is a Windows program, not a certificate file.")),
)
CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
REQUESTS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
KEYS = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY")
LISTS = ("X509 CRL",)
MESSAGES = ("PKCS7", "CMS", "PKCS #7 SIGNED DATA")


def load(path: Path) -> bytes:
    """The bytes of a file that may be a certificate file.

    :raises FileNotThere: it is not there or cannot be read. :raises FileUnreadable: it is too large.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise errors.FileUnreadable(
                M("{path} is not a file.", path=str(path)), hint=M("Give the certificate file itself.")
            )
        if about.st_size > LARGEST:
            raise too_large(path.name, LARGEST)
        with path.open("rb") as file:
            return file.read(LARGEST + 1)[:LARGEST]
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        raise errors.FileNotThere(
            M("The file cannot be read: {path}.", path=str(path)),
            unchanged=M("Nothing was changed."),
            hint=M("Check the path, and your right to read the file."),
            detail=getattr(error, "strerror", None) or type(error).__name__,
        ) from None


def wants_password(data: bytes) -> bool:
    """Whether the file can be opened only with a password. False too for what is no certificate file."""
    try:
        read_contents(data, None).wipe()
    except errors.PasswordNeeded:
        return True
    except (errors.FileUnreadable, errors.OpenSslMissing):
        return False
    return False


def read_contents(data: bytes, password: Secret | Callable[[], Secret] | None, *, name: str = "") -> Contents:
    """Everything in a certificate file.

    password: asked for at most once, and only if the file needs one. name: for messages only.
    :raises FileUnreadable: it is not one, or damaged. :raises PasswordNeeded: it is encrypted and none was
        given. :raises PasswordIncorrect: it does not open the file.
    """
    asked = Password(password, name)
    if len(data) > LARGEST:
        raise too_large(name, LARGEST)
    return _by_content(_as_bytes(data), asked, name, depth=0)


def pem(certificate: bytes) -> bytes:
    """A certificate (DER) as PEM."""
    lines = textwrap.fill(base64.b64encode(certificate).decode(), 64)
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode()


def _by_content(data: bytes, password: Password, name: str, depth: int) -> Contents:
    for magic, message in OTHERS:
        if data.startswith(magic):
            raise unreadable(name, message)
    if data[:1] == b"\x30":
        return _binary(data, password, name)
    if PEM.search(data):
        return _pem(data, password, name)
    if b"-----BEGIN " in data:
        raise unreadable(name, M("It is cut off, or its lines were changed."))
    if depth == 0 and BASE64.fullmatch(data):
        decoded = _base64(data)
        if decoded is not None and decoded[:1] == b"\x30":
            return _by_content(decoded, password, name, depth + 1)
    raise unreadable(name, M("Nothing in it is a certificate, a key, a request or a revocation list."))


def _binary(data: bytes, password: Password, name: str) -> Contents:
    """A DER (or BER) file."""
    whole = _trimmed(data, name)
    kind = asn1.kind(whole)
    if kind == "pkcs12":
        return pkcs12.read_pkcs12(_modest(whole, name), password, name, _pem)
    if kind == "pkcs7":
        return Contents("pkcs7", certificates=_message(whole, name))
    if kind in ("key", "encrypted-key"):
        return Contents("key", keys=(_key(_modest(whole, name), password, name),))
    if kind == "certificate-like":
        return _signed_thing(whole, name)
    raise unreadable(name, M("Nothing in it is a certificate, a key, a request or a revocation list."))


def _pem(data: bytes, password: Password, name: str) -> Contents:
    """Every part between BEGIN and END lines, in whatever order, whatever stands between them."""
    contents = Contents("pem")
    for number, part in enumerate(PEM.finditer(data), 1):
        if number > MOST_PARTS:
            raise unreadable(name, M("It has more parts than any certificate file."))
        contents += _part(part[1].decode(), part[2], part[0], password, name)
    if not (contents.keys or contents.certificates or contents.requests or contents.revocation_lists):
        raise unreadable(name, M("Nothing in it is a certificate, a key, a request or a revocation list."))
    return contents


def _part(label: str, body: bytes, block: bytes, password: Password, name: str) -> Contents:
    if label in KEYS and b"Proc-Type:" in body:  # the encryption of RFC 1421, still written by OpenSSL
        return Contents("pem", keys=(_old_key(block, password, name),))
    known = (*CERTIFICATES, *REQUESTS, *KEYS, *LISTS, *MESSAGES, "PKCS12")
    if label not in known:
        return Contents("pem", ignored=(label,))
    der = _base64(body)
    if der is None:
        raise unreadable(name, M("A part of it is damaged: {label}.", label=label))
    if label in MESSAGES:
        return Contents("pem", certificates=_message(der, name))
    if label in CERTIFICATES:
        return Contents("pem", certificates=(_certificate(_start(der), name),))
    if label in REQUESTS:
        return Contents("pem", requests=(_request(der, name),))
    if label in LISTS:
        return Contents("pem", revocation_lists=(_list(der, name),))
    if label == "PKCS12":
        return pkcs12.read_pkcs12(_modest(der, name), password, name, _pem)
    return Contents("pem", keys=(_key(_modest(der, name), password, name),))


def _signed_thing(der: bytes, name: str) -> Contents:
    """A certificate, a request or a revocation list: all three have the same outer shape."""
    forms: tuple[tuple[Kind, str, Callable[[bytes, str], bytes]], ...] = (
        ("certificate", "certificates", _certificate),
        ("request", "requests", _request),
        ("revocation-list", "revocation_lists", _list),
    )
    for kind, field, parse in forms:
        try:
            part = parse(der, name)
        except errors.FileUnreadable:
            continue
        return msgspec.structs.replace(Contents(kind), **{field: (part,)})
    raise unreadable(name, M("It looks like a certificate, but it is damaged."))


def _certificate(der: bytes, name: str) -> bytes:
    certificate(der, name)
    return der


def certificate(der: bytes, name: str = "") -> x509.Certificate:
    """A certificate every part of which can be read.

    :raises FileUnreadable: it is damaged, or says what cannot be (a year that is none).
    """
    from cryptography import x509

    def parse() -> x509.Certificate:
        loaded = x509.load_der_x509_certificate(der)
        dates = ("not_valid_before_utc", "not_valid_after_utc")
        _looked_at(loaded, der, "subject", "issuer", *dates, "serial_number", "extensions")
        return loaded

    return parsed(parse, name, M("A certificate in it is damaged."))


def _request(der: bytes, name: str) -> bytes:
    from cryptography import x509

    def parse() -> bytes:
        return _looked_at(x509.load_der_x509_csr(der), der, "subject", "extensions")

    return parsed(parse, name, M("A certificate request in it is damaged."))


def _list(der: bytes, name: str) -> bytes:
    from cryptography import x509

    def parse() -> bytes:
        return _looked_at(x509.load_der_x509_crl(der), der, "issuer", "last_update_utc", "next_update_utc")

    return parsed(parse, name, M("A revocation list in it is damaged."))


def _looked_at(loaded: object, der: bytes, *parts: str) -> bytes:
    """`der`, once every part was parsed: that happens when it is looked at, and a damaged one shows here."""
    for part in parts:
        getattr(loaded, part)
    return der


def _message(der: bytes, name: str) -> tuple[bytes, ...]:
    """The certificates in a PKCS#7 message."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    def parse() -> tuple[bytes, ...]:
        try:
            certificates = pkcs7.load_der_pkcs7_certificates(asn1.definite(der))
        except UnsupportedAlgorithm:
            raise unreadable(
                name, M("It is an encrypted message (PKCS#7), not a collection of certificates.")
            ) from None
        return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)

    message = M("It is a collection of certificates (PKCS#7), but it is damaged.")
    return tuple(_certificate(certificate, name) for certificate in parsed(parse, name, message))


def _key(der: bytes, password: Password, name: str) -> PrivateKey:
    """A private key: PKCS#8, encrypted or not, PKCS#1 or SEC 1."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    pkcs12.bearable(der, name)
    message = M("The private key in it is damaged, or of a kind that is not supported.")
    if asn1.kind(der) != "encrypted-key":
        return parsed(lambda: private_key(load_der_private_key(der, None)), name, message)
    return password.opened(lambda form: private_key(load_der_private_key(der, form)), message)


def _old_key(block: bytes, password: Password, name: str) -> PrivateKey:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    message = M("The private key in it is damaged, or of a kind that is not supported.")
    return password.opened(lambda form: private_key(load_pem_private_key(block, form)), message)


def _as_bytes(data: bytes) -> bytes:
    """`data` without what editors put before it; UTF-16 as ASCII."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # what Notepad calls Unicode
        return data.decode("utf-16", "replace").encode("ascii", "replace")
    return data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n\t ") if data[:1] != b"\x30" else data


def _trimmed(data: bytes, name: str) -> bytes:
    """The element that the file is; line ends and zeroes behind it are let pass, nothing else."""
    try:
        end = asn1.first(data).end
    except asn1.MalformedAsn1 as error:
        raise unreadable(name, M("It is cut off or damaged."), str(error)) from None
    if data[end:].strip(b"\0\r\n\t "):
        raise unreadable(name, M("There is something behind its end that does not belong to it."))
    return data[:end]


def _start(der: bytes) -> bytes:
    """The first element: OpenSSL's trusted certificates have more behind it."""
    try:
        return der[: asn1.first(der).end]
    except asn1.MalformedAsn1:
        return der


def _modest(data: bytes, name: str) -> bytes:
    if len(data) > LARGEST_LOCKED:
        raise too_large(name, LARGEST_LOCKED)
    return data


def _base64(body: bytes) -> bytes | None:
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def too_large(name: str, most: int) -> errors.FileUnreadable:
    return errors.FileUnreadable(
        M("The file {name} is too large for a certificate file.", name=name),
        hint=M("Certificate files have at most {most} KiB.", most=most // 1024),
    )
