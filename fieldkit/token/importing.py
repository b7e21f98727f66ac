"""Putting a key with its certificates onto a token as a transaction: checked, written, proved, or undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from fieldkit.certificate.errors import KeyNotFound
from fieldkit.errors import FieldkitError
from fieldkit.operator import Progress
from fieldkit.secret import Secret
from fieldkit.text import M, nfc
from fieldkit.token import errors
from fieldkit.token.intents import Intent, Intents, MemoryIntents
from fieldkit.token.model import StoredCertificate, StoredKey, Token
from fieldkit.token.proof import prove
from fieldkit.token.session import Session, key_id, public_key
from fieldkit.token.settling import ImportReport, common_name, roll_back, settle, sha256_of

if TYPE_CHECKING:
    from fieldkit.certificate.identity import Identity

OBJECT_OVERHEAD = 512  # bytes a token needs besides an object's own, generously
STEPS = 5
Tell = Callable[[Progress], None]
Value = TypeVar("Value")


def _nobody(progress: Progress) -> None:
    """Nobody is told how far it is."""


def import_identity(
    session: Session,
    identity: Identity,
    label: str,
    *,
    intents: Intents | None = None,
    agreed: Sequence[Intent] = (),
    progress: Tell | None = None,
) -> ImportReport:
    """Put a key, its certificate and its chain onto the token, and prove the key by a signature.

    agreed: imports that were broken off, of which the person agreed that what they left is removed.

    :raises ForeignCertificate, DuplicateKey, TokenFull: found before anything was written.
    :raises KeyImportRefused: the token takes no private keys; nothing is left on it.
    :raises ImportIncomplete: it failed, and what is named could not be removed.
    """
    intents = intents or MemoryIntents()
    tell = progress or _nobody
    tell(Progress(M("Looking at what is on the token"), 0, STEPS))
    settled = settle(session, intents, agreed, (identity.certificate, *identity.chain))
    spki = public_key(identity.certificate)
    if _public_of(identity.key) != spki:
        raise errors.ForeignCertificate(
            M("The certificate belongs to another key than the one in the file."),
            unchanged=M("Nothing was changed on the token."),
            hint=M("Find the certificate that was issued for this key, or the key of this certificate."),
        )
    ours = key_id(spki)
    if done := settled.report(ours, sha256_of(identity.certificate), label):
        tell(Progress(M("The key is on the token and proved"), STEPS, STEPS))
        return done
    present = session.certificates()
    _no_duplicate(session, present, spki)
    chain = _missing(identity.chain, present)
    _require_space(session.token, [identity.certificate, *chain], len(identity.key))
    return _write(
        session, intents, ours, label, identity.certificate, chain, identity.key, tell, resumed=bool(settled)
    )


def import_certificate(
    session: Session,
    certificate: bytes,
    label: str,
    chain: Sequence[bytes] = (),
    *,
    intents: Intents | None = None,
    agreed: Sequence[Intent] = (),
) -> ImportReport:
    """Join a certificate to the key on the token that it belongs to, found by its public key.

    agreed: as for `import_identity`.

    :raises KeyNotFound: no key on the token is the certificate's. :raises DuplicateKey: it is there already.
    """
    intents = intents or MemoryIntents()
    settled = settle(session, intents, agreed, (certificate, *chain))
    spki = public_key(certificate)
    key = matching_key(session.list_keys(), spki)
    if key is None:
        raise KeyNotFound(
            M("The certificate belongs to no key on the token {token}.", token=session.token.name),
            unchanged=M("Nothing was changed on the token."),
            hint=M("Plug in the token on which the key was made."),
        )
    present = session.certificates()
    digest = sha256_of(certificate)
    if done := settled.report(key.id, digest, label):
        return done
    if any(stored.sha256 == digest for stored in present):
        raise _duplicate(session.token)
    missing = _missing(chain, present)
    _require_space(session.token, [certificate, *missing], 0)
    report = _write(session, intents, key.id, label, certificate, missing, resumed=bool(settled))
    for request in intents.open(session.token.key):
        if request.key_id == key.id and not request.certificates:
            intents.settle(request)
    return report


def _write(
    session: Session,
    intents: Intents,
    id: str,
    label: str,
    certificate: bytes,
    chain: Sequence[bytes],
    key: Secret | None = None,
    tell: Tell = _nobody,
    *,
    resumed: bool,
) -> ImportReport:
    """Write the key, if it is not there, its certificate and its chain, and prove it; or undo that."""
    digests = tuple(map(sha256_of, (certificate, *chain)))
    intent = Intent(session.token.key, id, digests, joined=key is None, label=nfc(label))
    intents.begin(intent)
    try:
        if key is not None:
            tell(Progress(M("Writing the key"), 1, STEPS))
            _require_kept(session, session.create_key(key, id, label, _subject(certificate)).handles)
        tell(Progress(M("Writing the certificate"), 2, STEPS))
        session.create_certificate(certificate, id, label)
        tell(Progress(M("Writing the authorities' certificates"), 3, STEPS))
        for der in chain:
            session.create_certificate(der, key_id(public_key(der)), common_name(der), authority=True)
        tell(Progress(M("Proving the key by a signature"), 4, STEPS))
        mechanism = prove(session, StoredCertificate(id, label, certificate, True, digests[0]))
    except FieldkitError as error:
        roll_back(session, intent, intents, error)
        raise
    intents.settle(intent)
    tell(Progress(M("The key is on the token and proved"), STEPS, STEPS))
    return ImportReport(id, label, digests[0], digests[1:], mechanism, resumed)


def requested(
    session: Session,
    intents: Intents,
    make: Callable[[str, Callable[[str], None]], Value],
    *,
    owner: str = "",
) -> Value:
    """What `make` gives: it makes a key and a certificate request, with a key left by an interrupted one.

    make: is given the CKA_ID of a key to use ("" for a new one), and what to call with a new key's CKA_ID
    before it is made. owner: the step of a visit that asks. A step's key is its own until a certificate is
    joined to it: what is kept of the request comes after the request, and may never come.
    """
    serial = session.token.key
    key = _pending_key(session, intents, owner)
    made = make(key, lambda key_id: intents.begin(Intent(serial, key_id, owner=owner)))
    if not owner:
        for intent in intents.open(serial):
            if not intent.certificates and not intent.owner:
                intents.settle(intent)
    return made


def _pending_key(session: Session, intents: Intents, owner: str) -> str:
    """CKA_ID of the key that an earlier request of the same step, or an interrupted one, left; else ""."""
    there = {key.id for key in session.list_keys() if key.private}
    for intent in intents.open(session.token.key):
        if intent.certificates or intent.owner != owner:
            continue
        if intent.key_id in there:
            return intent.key_id
        intents.settle(intent)
    return ""


def there_already(session: Session, certificate: bytes) -> ImportReport | None:
    """The report of an import that an earlier run finished, if key and certificate are there; proved anew."""
    digest = sha256_of(certificate)
    for stored in session.certificates():
        if stored.sha256 == digest and stored.has_private_key:
            return ImportReport(stored.id, stored.label, digest, (), prove(session, stored), True)
    return None


def matching_key(keys: Sequence[StoredKey], spki: bytes) -> StoredKey | None:
    """The private key that `spki` is the public half of, by itself or through the public key beside it."""
    ids = {key.id for key in keys if key.public == spki and key.id}
    return next(
        (key for key in keys if key.private and (key.public == spki or key.id in ids)),
        next((key for key in keys if key.public == spki and not any(other.private for other in keys)), None),
    )


def _no_duplicate(session: Session, present: Sequence[StoredCertificate], spki: bytes) -> None:
    ours = key_id(spki)
    keys = session.list_keys()
    # some tokens keep no public key beside a private one, which then is known by its CKA_ID alone
    if (
        matching_key(keys, spki)
        or any(key.id == ours for key in keys)
        or any(certificate.id == ours or public_key(certificate.der) == spki for certificate in present)
    ):
        raise _duplicate(session.token)


def _missing(chain: Sequence[bytes], present: Sequence[StoredCertificate]) -> list[bytes]:
    """The certificates of `chain` that are not on the token, each once."""
    there = {stored.sha256 for stored in present}
    return [der for der in dict.fromkeys(chain) if sha256_of(der) not in there]


def _duplicate(token: Token) -> errors.DuplicateKey:
    return errors.DuplicateKey(
        M("This key, or its certificate, is on the token {token} already.", token=token.name),
        unchanged=M("Nothing was changed on the token."),
        hint=M("List what is on it with `fieldkit certificate list`; remove it first to write it anew."),
    )


def _require_space(token: Token, certificates: Sequence[bytes], key: int) -> None:
    needed = sum(len(der) + OBJECT_OVERHEAD for der in certificates) + 2 * key
    if 0 <= token.free_memory < needed:
        raise errors.TokenFull(
            M(
                "The token {token} has {free} bytes left; {needed} are needed.",
                token=token.name,
                free=token.free_memory,
                needed=needed,
            ),
            unchanged=M("Nothing was changed on the token."),
            hint=M("Remove a certificate that is no longer needed (`fieldkit certificate list`)."),
        )


def _require_kept(session: Session, handles: Sequence[int]) -> None:
    """The key that was written can never leave the token: what it says of itself, not what was asked for."""
    for key in session.list_keys():
        if key.private and key.handle in handles and not key.kept:
            raise errors.ProofFailed(
                M("The token {token} would let the key be read out again.", token=session.token.name),
                unchanged=M("Nothing was left on the token."),
                hint=M("Do not use this token for this key; make the key on the token instead."),
            )


def _public_of(key: Secret) -> bytes:
    from cryptography.hazmat.primitives import serialization

    loaded = serialization.load_der_private_key(key.reveal_bytes(), None, unsafe_skip_rsa_key_validation=True)
    return loaded.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _subject(certificate: bytes) -> bytes:
    from cryptography import x509

    return x509.load_der_x509_certificate(certificate).subject.public_bytes()
