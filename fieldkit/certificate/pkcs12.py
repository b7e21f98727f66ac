"""PKCS#12 files, whatever program wrote them: any encryption, any encoding, any number of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fieldkit.certificate import asn1, errors, openssl
from fieldkit.certificate.boundary import ParserFailed, ParserUnable, Password, guarded, unreadable
from fieldkit.certificate.contents import Contents, PrivateKey, private_key, unique
from fieldkit.text import M

MOST_ROUNDS = 10_000_000  # some seconds of work; the most that is in use is about a million
MOST_MEMORY = 256 * 1024**2  # of scrypt; the most that is in use is half of it
DATA = bytes.fromhex("2a864886f70d010701")
KEY_BAG = bytes.fromhex("2a864886f70d010c0a0101")
RC_CIPHERS = tuple(bytes.fromhex(f"060a2a864886f70d010c01{end}") for end in ("01", "02", "05", "06"))
"""The encryptions of PKCS#12 with RC4 and RC2 (RFC 7292, appendix C), as they stand in a file."""
SHROUDED_KEY_BAG = bytes.fromhex("2a864886f70d010c0a0102")


ReadPem = Callable[[bytes, Password, str], Contents]


def read(data: bytes, password: Password, name: str, read_pem: ReadPem) -> Contents:
    """Keys and certificates in a PKCS#12 file. An empty password, and none at all, are tried by themselves.

    read_pem: reads what the program `openssl` makes of a file that the library cannot open.

    :raises PasswordNeeded, PasswordIncorrect: another one is needed. :raises FileUnreadable: it is damaged.
    """
    bearable(data, name)
    try:
        boxes = list(_boxes(data))
    except (ValueError, IndexError) as error:  # malformed, or a part without the parts it should have
        raise unreadable(name, M("It is a PKCS#12 file, but it is damaged."), str(error)) from None
    unable = ""
    needed: errors.PasswordNeeded | None = None
    wrong: list[bytes | None] = []
    try:
        for form in _forms(password):
            try:
                return guarded(lambda form=form: _opened(data, form, boxes))  # type: ignore[misc]
            except ParserUnable as error:
                unable = str(error)
                if (contents := _by_program(data, form, name, read_pem)) is not None:
                    return contents
            except ParserFailed:
                wrong.append(form)
    except errors.PasswordNeeded as error:
        needed = error
    for form in wrong:  # last, since it is most likely the password: the program starts for each
        if (contents := _by_program(data, form, name, read_pem)) is not None:
            return contents
    if needed is not None:
        raise needed
    if not openssl.available() and (unable or _lacks_cipher(data)):
        raise errors.OpenSslMissing(
            M("The file {name} uses an old encryption that only the program openssl reads.", name=name),
            unchanged=M("Nothing was changed."),
            hint=M("Install openssl, or ask for the file with a current encryption (AES-256)."),
            detail=unable,
        )
    raise password.incorrect()


def _lacks_cipher(data: bytes) -> bool:
    """Whether the library, as it was built, knows no cipher of the file's: it calls that a wrong password."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.decrepit.ciphers.algorithms import RC2
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    if not any(cipher in data for cipher in RC_CIPHERS):
        return False
    try:
        Cipher(RC2(bytes(16)), modes.CBC(bytes(8))).encryptor()
    except UnsupportedAlgorithm:
        return True
    return False


def bearable(data: bytes, name: str) -> None:
    """:raises FileUnreadable: opening it would take minutes, or all memory, and no honest file does; or it
    is damaged, so that nobody can tell.
    """
    try:
        needed = asn1.work(data)
    except asn1.MalformedAsn1 as error:
        raise unreadable(name, M("It is cut off or damaged."), str(error)) from None
    if needed.rounds > MOST_ROUNDS or needed.memory > MOST_MEMORY:
        raise unreadable(name, M("It asks for more work to open it than any honest file does."))


def _forms(password: Password) -> Iterator[bytes | None]:
    """What to try: no password before one is asked for, and after one that is at hand; each costs work."""
    if password.at_hand:
        yield from password.forms()
    yield None
    yield b""
    if not password.at_hand:
        yield from password.forms()


def _opened(data: bytes, form: bytes | None, boxes: list[tuple[bytes, bytes]]) -> Contents:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    try:
        loaded = pkcs12.load_pkcs12(data, form)
    except ValueError:  # an encoding that is BER and not DER may be refused
        if (strict := asn1.definite(data)) == data:
            raise
        loaded = pkcs12.load_pkcs12(strict, form)
    pkcs12_certificates = [
        pkcs12_certificate
        for pkcs12_certificate in (loaded.cert, *loaded.additional_certs)
        if pkcs12_certificate is not None
    ]
    names = {
        at: _text(certificate.friendly_name)
        for at, certificate in enumerate(pkcs12_certificates)
        if certificate.friendly_name
    }
    keys = [private_key(loaded.key, names.get(0, ""))] if loaded.key is not None else []
    if len(boxes) > 1:  # the library gives one key only
        keys += [_unboxed(kind, value, form) for kind, value in boxes]
    return Contents(
        "pkcs12",
        keys=unique(keys),
        certificates=tuple(
            dict.fromkeys(
                pkcs12_certificate.certificate.public_bytes(Encoding.DER)
                for pkcs12_certificate in pkcs12_certificates
            )
        ),
        names=names,
    )


def _unboxed(kind: bytes, value: bytes, form: bytes | None) -> PrivateKey:
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    return private_key(load_der_private_key(value, form if kind == SHROUDED_KEY_BAG else None))


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The key bags that lie open in the file: whether they are encrypted, and their PKCS#8."""
    content = asn1.first(data).children()[1].children()
    if content[0].content != DATA:  # signed by a public key instead of a password: nothing is listed
        return
    safe = asn1.first(asn1.octets(content[1].children()[0]))
    for part in safe.children():
        kind, *rest = part.children()
        if kind.content != DATA or not rest:
            continue
        for bag in asn1.first(asn1.octets(rest[0].children()[0])).children():
            label, value = bag.children()[:2]
            if label.content in (KEY_BAG, SHROUDED_KEY_BAG):
                yield label.content, asn1.definite(value.content)


def _by_program(data: bytes, form: bytes | None, name: str, read_pem: ReadPem) -> Contents | None:
    """The same by `openssl`, where the library could not."""
    if form is None:
        return None
    pem = openssl.pkcs12(data, form)
    if not pem or b"-----BEGIN" not in pem:
        return None
    contents = read_pem(pem, Password(None, name), name)
    return Contents("pkcs12", contents.keys, contents.certificates)


def _text(name: bytes) -> str:
    from fieldkit.certificate.name import visible
    from fieldkit.text import nfc

    return visible(nfc(name.decode("utf-8", "replace")))
