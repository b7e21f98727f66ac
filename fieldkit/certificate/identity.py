"""A key with its certificate and chain, out of what a file holds, or the reason why it must not be used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from fieldkit.certificate import errors
from fieldkit.certificate.boundary import ParserFailed, ParserUnable, guarded
from fieldkit.certificate.contents import Contents, PrivateKey, public_key
from fieldkit.certificate.name import common_name
from fieldkit.certificate.path import ordered
from fieldkit.certificate.strength import weakness
from fieldkit.certificate.usage import is_authority, may_sign
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.secret import Secret
from fieldkit.text import M, nfc

if TYPE_CHECKING:
    from cryptography import x509

UNCHANGED = M("Nothing was changed.")
FIT = ("rsa:", "ec:p256", "ec:p384", "ec:p521")


class Identity(msgspec.Struct, frozen=True):
    """A private key and the certificate for it.

    key: PKCS#8 (DER), to be wiped by whoever uses it. chain: the authorities' certificates of the file, the
    issuer first. name: what the file, or the certificate, calls it.
    """

    key: Secret
    certificate: bytes
    chain: tuple[bytes, ...] = ()
    name: str = ""


def identity(
    contents: Contents, *, at: datetime | None = None, pick: str = "", purposes: Collection[str] = ()
) -> Identity:
    """The identity in `contents`: key and certificate matched by the public key, and usable at `at`.

    at: None leaves dates unchecked. pick: which one is meant where there are several: SHA-256, serial number
    (hexadecimal) or common name. The keys of the others are wiped. purposes: see `usage.may_sign`.
    :raises KeyWithoutCertificate, CertificateWithoutKey, KeyMismatch: there is no pair.
    :raises CertificateExpired, CertificateNotYetValid, CertificateUsage, KeyUnsupported: it must not be used.
    """
    from cryptography import x509

    held = [x509.load_der_x509_certificate(der) for der in contents.certificates]
    pairs = _pairs(contents, held)
    if pick:
        pairs = [pair for pair in pairs if named(held[pair[1]], pick)]
    if not pairs:
        raise _no_pair(contents, pick)
    if len({key.public for key, _ in pairs}) > 1:
        raise errors.CertificateAmbiguous(
            M("The file holds {count} keys with certificates.", count=len({key.public for key, _ in pairs})),
            unchanged=UNCHANGED,
            hint=M("Say which one with --certificate: SHA-256, serial number or name."),
            candidates=[_candidate(held[at_]) for _, at_ in pairs],
        )
    key, chosen = _newest(pairs, held, at)
    usable(held[chosen], at, purposes)
    if not key.kind.startswith(FIT):
        raise errors.KeyUnsupported(
            M("Keys of the kind {kind} cannot be put on a token.", kind=key.kind),
            unchanged=UNCHANGED,
            hint=M("Ask the authority for a certificate with an RSA or elliptic-curve key."),
        )
    for other in contents.keys:
        if other is not key:
            other.pkcs8.wipe()
    rest = [der for at_, der in enumerate(contents.certificates) if at_ != chosen]
    return Identity(
        key=key.pkcs8,
        certificate=contents.certificates[chosen],
        chain=ordered(contents.certificates[chosen], rest),
        name=contents.names.get(chosen) or common_name(held[chosen].subject),
    )


def joined(
    contents: Contents, *, at: datetime | None = None, pick: str = "", purposes: Collection[str] = ()
) -> Identity:
    """A certificate alone, for a key that is on a token already; the identity's key is empty.

    :raises CertificateExpired, CertificateNotYetValid, CertificateUsage, KeyUnsupported: it must not be used.
    """
    from cryptography import x509

    chosen = leaf(contents, pick)
    loaded = x509.load_der_x509_certificate(chosen)
    usable(loaded, at, purposes)
    rest = [der for der in contents.certificates if der != chosen]
    return Identity(Secret(b""), chosen, ordered(chosen, rest), common_name(loaded.subject))


def leaf(contents: Contents, pick: str = "") -> bytes:
    """The certificate that a file is about: the one that is picked, or has a key, or is no authority's.

    :raises NotInFile, KeyWithoutCertificate: there is none. :raises CertificateAmbiguous: several.
    """
    from cryptography import x509

    held = {der: x509.load_der_x509_certificate(der) for der in contents.certificates}
    fits = [der for der, certificate in held.items() if not pick or named(certificate, pick)]
    if not fits:
        raise _no_pair(contents, pick, alone=True)
    keys = {key.public for key in contents.keys}
    with_key = [der for der in fits if public_half(held[der]) in keys]
    persons = [der for der in fits if not is_authority(held[der])]
    chosen = with_key or persons or fits
    if len(chosen) > 1 and len({public_half(held[der]) for der in chosen}) == 1:  # one key, renewed
        chosen = [max(chosen, key=lambda der: held[der].not_valid_before_utc)]
    if len(chosen) > 1 and not persons:  # authorities only: the one that issued none of the others
        subjects = {held[der].issuer for der in chosen if held[der].issuer != held[der].subject}
        chosen = [der for der in chosen if held[der].subject not in subjects] or chosen
    if len(chosen) > 1:
        raise errors.CertificateAmbiguous(
            M("The file holds {count} certificates that could be meant.", count=len(chosen)),
            unchanged=UNCHANGED,
            hint=M("Say which one with --certificate: SHA-256, serial number or name."),
            candidates=[_candidate(held[der]) for der in chosen],
        )
    return chosen[0]


def matching(contents: Contents, certificate: bytes) -> tuple[Finding, ...]:
    """Whether the private key of the file is the certificate's; nothing where the file has no key."""
    from cryptography import x509

    if not contents.keys:
        return ()
    half = public_half(x509.load_der_x509_certificate(certificate))
    if half in {key.public for key in contents.keys}:
        return (Finding("key-match", "pass", M("The private key in the file is the certificate's.")),)
    return (Finding("key-match", "fail", M("The private key and the certificate do not belong together.")),)


def usable(certificate: x509.Certificate, at: datetime | None, purposes: Collection[str] = ()) -> None:
    """Whether signatures may be made with a certificate at `at`. purposes: see `usage.may_sign`.

    :raises CertificateExpired, CertificateNotYetValid, CertificateUsage, KeyUnsupported: they may not.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    der = certificate.public_bytes(Encoding.DER)
    who = common_name(certificate.subject)
    if at is not None and at.astimezone(UTC) > certificate.not_valid_after_utc:
        raise errors.CertificateExpired(
            M(
                "The certificate of {who} expired on {day}.",
                who=who,
                day=day(certificate.not_valid_after_utc, at),
            ),
            unchanged=UNCHANGED,
            hint=M("Ask the authority to renew it. If the date is wrong, set this machine's clock."),
        )
    if at is not None and at.astimezone(UTC) < certificate.not_valid_before_utc:
        raise errors.CertificateNotYetValid(
            M(
                "The certificate of {who} is valid only from {day} on.",
                who=who,
                day=day(certificate.not_valid_before_utc, at),
            ),
            unchanged=UNCHANGED,
            hint=M("Check this machine's clock first; else wait until that day."),
        )
    if weak := weakness(der):
        raise errors.KeyUnsupported(
            M(
                "The certificate of {who} is too weak for signatures of today: {weakness}.",
                who=who,
                weakness=weak,
            ),
            unchanged=UNCHANGED,
            hint=M("Ask the authority for a certificate with an RSA key of 2048 bits or a P-256 key."),
        )
    if not may_sign(der, purposes):
        raise errors.CertificateUsage(
            M("The certificate of {who} was not issued for signatures.", who=who),
            unchanged=UNCHANGED,
            hint=M("Ask the authority which certificate is meant for signing documents."),
        )


def named(certificate: x509.Certificate, pick: str) -> bool:
    """Whether `pick` names this certificate: by SHA-256, serial number (hexadecimal) or common name."""
    from cryptography.hazmat.primitives.hashes import SHA256

    wanted = nfc(pick.strip())
    plain = wanted.replace(":", "").replace(" ", "").lower()
    digest = certificate.fingerprint(SHA256()).hex()
    serial = f"{certificate.serial_number:x}"
    by_number = bool(plain) and (plain == digest or plain.lstrip("0") == serial)
    return by_number or wanted.casefold() == common_name(certificate.subject).casefold()


def day(moment: datetime, at: datetime | None = None) -> str:
    """The local day of a moment; with the hour where that decides, since it is the day of `at`."""
    local = moment.astimezone()
    if at is not None and local.date() == at.astimezone().date():
        return local.strftime("%Y-%m-%d %H:%M")
    return local.date().isoformat()


def _pairs(contents: Contents, held: Sequence[x509.Certificate]) -> list[tuple[PrivateKey, int]]:
    """Every key with every certificate that has its public half."""
    halves: dict[bytes, list[int]] = {}
    for at, certificate in enumerate(held):
        halves.setdefault(public_half(certificate), []).append(at)
    return [(key, at) for key in contents.keys for at in halves.get(key.public, ())]


def public_half(certificate: x509.Certificate) -> bytes:
    """The public key of a certificate; empty, and so nobody's, where nothing here reads it."""
    try:
        return guarded(lambda: public_key(certificate))
    except (ParserFailed, ParserUnable):
        return b""


def _newest(
    pairs: Sequence[tuple[PrivateKey, int]], held: Sequence[x509.Certificate], at: datetime | None
) -> tuple[PrivateKey, int]:
    """Of several certificates for one key (it was renewed): the one in force, else the latest."""

    def rank(pair: tuple[PrivateKey, int]) -> tuple[bool, datetime]:
        one = held[pair[1]]
        moment = at.astimezone(UTC) if at else one.not_valid_before_utc
        return one.not_valid_before_utc <= moment <= one.not_valid_after_utc, one.not_valid_before_utc

    return max(pairs, key=rank)


def _no_pair(contents: Contents, pick: str, *, alone: bool = False) -> FieldkitError:
    """Why nothing fits. alone: a certificate was looked for, with a key or without."""
    if pick and contents.certificates and (alone or not contents.keys):
        return errors.NotInFile(
            M("No certificate in the file is called {name}.", name=pick),
            unchanged=UNCHANGED,
            hint=M("Look at what it holds with `fieldkit certificate inspect`."),
        )
    if pick and contents.keys and contents.certificates:
        return errors.KeyWithoutCertificate(
            M("No certificate with a key in the file is called {name}.", name=pick),
            unchanged=UNCHANGED,
            hint=M("Look at what it holds with `fieldkit certificate inspect`."),
        )
    if contents.keys and contents.certificates:
        return errors.KeyMismatch(
            M("The private key and the certificate do not belong together."),
            unchanged=UNCHANGED,
            hint=M("Find the certificate that was issued for this key, or the key of this certificate."),
        )
    if contents.keys:
        return errors.KeyWithoutCertificate(
            M("There is a private key and no certificate for it."),
            unchanged=UNCHANGED,
            hint=M("Get the certificate from the authority, and give both files."),
        )
    if contents.certificates:
        return errors.CertificateWithoutKey(
            M("There is a certificate and no private key for it."),
            unchanged=UNCHANGED,
            hint=M(
                "Give the file with the key beside it; "
                "or plug in the token on which the key was made: the certificate is joined to it there."
            ),
        )
    message = (
        M("The file holds a certificate request: the authority answers it with a certificate.")
        if contents.requests
        else M("The file holds a revocation list, and neither a key nor a certificate.")
    )
    return errors.CertificateWithoutKey(message, unchanged=UNCHANGED, hint=M("Give a certificate file."))


def _candidate(certificate: x509.Certificate) -> dict[str, str]:
    from cryptography.hazmat.primitives.hashes import SHA256

    return {
        "subject": common_name(certificate.subject),
        "serial_number": f"{certificate.serial_number:x}",
        "sha256": certificate.fingerprint(SHA256()).hex(),
    }
