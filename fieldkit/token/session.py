"""A session with one token: what is on it, signatures, writing. Opened by `Agents.session`, kept short."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from fieldkit.certificate.errors import CertificateAmbiguous
from fieldkit.errors import FieldkitError
from fieldkit.secret import Secret
from fieldkit.text import M, nfc, visible
from fieldkit.token import errors, faults, protocol
from fieldkit.token.model import StoredCertificate, StoredKey, Token
from fieldkit.token.process import Agent, ModuleCallFailed

if TYPE_CHECKING:
    from fieldkit.token.attempts import TokenIdentity
    from fieldkit.token.guard import PinAttempt

Value = TypeVar("Value")
Stored = TypeVar("Stored", StoredCertificate, StoredKey)


class SessionOwner(Protocol):
    """What a session asks of the `Agents` that opened it."""

    def pulled(self, token: Token) -> bool:
        """Whether `token` is gone."""

    def attempt(
        self, token: Token, *, so: bool, confirmed_last_try: bool, identity: TokenIdentity | None = None
    ) -> AbstractContextManager[PinAttempt]:
        """Have `token` for one PIN."""

    def refusal(self, attempt: PinAttempt, fault: ModuleCallFailed, *, so: bool) -> FieldkitError:
        """What it means that a PIN was refused."""


class Session:
    """Open until `close`, or the end of its `with` block; logged in if it was given a PIN."""

    def __init__(
        self,
        owner: SessionOwner,
        agent: Agent,
        token: Token,
        number: int,
        *,
        logged_in: bool,
        identity: TokenIdentity | None = None,
        confirmed_last_try: bool = False,
    ) -> None:
        self.token = token
        self.logged_in = logged_in
        self._owner = owner
        self._agent = agent
        self._number = number
        self._generation = agent.generation
        self._closed = False
        self._identity = identity
        self._confirmed = confirmed_last_try
        self._each_time: set[str] = set()  # keys that want the PIN for every signature

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Log out and close; never raises, whatever became of the token."""
        if self._closed:
            return
        self._closed = True
        if self._agent.running and self._generation == self._agent.generation:
            with contextlib.suppress(FieldkitError, ModuleCallFailed):
                self._agent.call(protocol.Close(self._number), type(None))

    def certificates(self) -> list[StoredCertificate]:
        """Every certificate on the token, its own and authorities'."""
        return [
            _clean(certificate)
            for certificate in self._call(protocol.Certificates(self._number), list[StoredCertificate])
        ]

    def list_keys(self) -> list[StoredKey]:
        """Every private and public key that can be seen; private ones need a login on most tokens."""
        return [_clean(key) for key in self._call(protocol.Keys(self._number), list[StoredKey])]

    def certificate(self, spec: str = "") -> StoredCertificate:
        """The certificate that `spec` names: CKA_ID, label or SHA-256; without it, the only one with a key.

        :raises CertificateNotFound: none does. :raises CertificateAmbiguous: several do.
        """
        return choose(self.certificates(), spec, self.token)

    def sign(self, key_id: str, mechanism: str, data: bytes) -> bytes:
        """Sign `data` with the key of this CKA_ID. An ECDSA signature is DER-encoded, as CMS needs it.

        :raises PinIncorrect, PinLocked, PinFinalTry: the key wants the PIN again each time, and that attempt
        was refused, or not made.
        """
        request = protocol.Sign(self._number, key_id, mechanism, data)
        if key_id not in self._each_time:
            try:
                return self._ask(request, bytes)
            except ModuleCallFailed as fault:
                if fault.name != protocol.UNCOUNTED:
                    raise self._meaning(fault) from None
        with self._owner.attempt(
            self.token, so=False, confirmed_last_try=self._confirmed, identity=self._identity
        ) as attempt:
            attempt.begin(accepted=self.token.flags)
            self._each_time.discard(key_id)  # after a failure the PIN is not there any more
            try:
                signature = self._ask(msgspec.structs.replace(request, counted=True), bytes)
            except ModuleCallFailed as fault:
                if fault.name in faults.UNSUPPORTED:  # as it was begun, before the PIN
                    attempt.not_judged()
                raise self._owner.refusal(attempt, fault, so=False) from None
            self._each_time.add(key_id)
            attempt.accepted()
        return signature

    def signer(self, certificate: StoredCertificate, chain: Sequence[bytes] = ()) -> Signer:
        """A signer with this certificate's key, for as long as the session is open."""
        return Signer(self, certificate, tuple(chain))

    def create_key(
        self, key: Secret, key_id: str, label: str, subject: bytes = b""
    ) -> protocol.WrittenObjects:
        """Write a private key (PKCS#8) that can never leave again.

        :raises KeyImportRefused: the token takes no private keys from outside.
        """
        try:
            return self._ask(
                protocol.CreateKey(self._number, key_id, nfc(label), subject), protocol.WrittenObjects, (key,)
            )
        except ModuleCallFailed as fault:
            if fault.name in faults.IMPORT_REFUSED:
                raise faults.import_refused(self.token, fault.name) from None
            raise self._meaning(fault) from None

    def create_certificate(
        self, der: bytes, key_id: str, label: str, *, authority: bool = False
    ) -> protocol.WrittenObjects:
        """Write a certificate."""
        return self._call(
            protocol.CreateCertificate(self._number, key_id, nfc(label), der, authority),
            protocol.WrittenObjects,
        )

    def generate_key(self, kind: protocol.KeyKind, key_id: str, label: str) -> protocol.WrittenObjects:
        """Make a key pair on the token; the answer holds the public key."""
        return self._call(
            protocol.GenerateKey(self._number, key_id, nfc(label), kind), protocol.WrittenObjects
        )

    def destroy(self, handles: Sequence[int]) -> protocol.RemovedObjects:
        """Remove objects by handle; what could not be removed is in the answer."""
        return self._call(protocol.Destroy(self._number, tuple(handles)), protocol.RemovedObjects)

    def remove(self, spec: str, *, key_stays: bool = False) -> protocol.RemovedObjects:
        """Remove the certificates with this CKA_ID, or the one with this SHA-256, and their key pair.

        A key that another certificate needs, such as a renewed one, stays, and so does one that only shares
        the identifier. key_stays: no key is removed, whatever became of the other certificates since.
        """
        certificates = self.certificates()
        chosen = [certificate for certificate in certificates if spec in (certificate.id, certificate.sha256)]
        others = [certificate for certificate in certificates if certificate not in chosen]
        keys = [] if key_stays else self.list_keys()
        ids = {certificate.id for certificate in chosen} or {spec}
        handles = [certificate.handle for certificate in chosen]
        handles += [key.handle for id in ids for key in keys_of(id, keys, chosen, others)]
        if not handles:
            raise self._nothing_removed(spec, needed=any(key.id == spec for key in keys))
        return self.destroy(handles)

    def _nothing_removed(self, spec: str, *, needed: bool) -> errors.CertificateNotFound:
        unchanged = M("Nothing was changed on the token.")
        if not needed:
            return errors.CertificateNotFound(
                M("Nothing on the token {token} has the identifier {id}.", token=self.token.name, id=spec),
                unchanged=unchanged,
            )
        return errors.CertificateNotFound(
            M(
                "A certificate on the token {token} needs the key {id}, which is not removed without it.",
                token=self.token.name,
                id=spec,
            ),
            unchanged=unchanged,
            hint=M("Name the certificate to remove both; `fieldkit certificate list` shows what is there."),
        )

    def init_pin(self, pin: Secret) -> None:
        """Set the user PIN; the session is the security officer's.

        :raises PinPolicy: the token does not accept it.
        """
        try:
            self._ask(protocol.InitPin(self._number), type(None), entered(pin))
        except ModuleCallFailed as fault:
            raise self._new_pin_refused(fault) from None

    def set_pin(self, old: Secret, new: Secret) -> None:
        """Change the PIN of whoever is logged in; without a login, on tokens with a PUK, `old` is that.

        :raises PinPolicy: the token does not accept the new one.
        :raises ModuleCallFailed: the token judged `old` and refused it, or cannot do this.
        """
        try:
            self._ask(protocol.SetPin(self._number), type(None), (*entered(old), *entered(new)))
        except ModuleCallFailed as fault:
            if fault.name in faults.JUDGED or fault.name == "CKR_FUNCTION_NOT_SUPPORTED":
                raise
            raise self._new_pin_refused(fault) from None

    def _new_pin_refused(self, fault: ModuleCallFailed) -> FieldkitError:
        if fault.name not in faults.NEW_PIN:
            return self._meaning(fault)
        return errors.PinPolicyViolated(
            M("The token {token} does not accept the new PIN.", token=self.token.name),
            unchanged=M("The PIN is what it was."),
            hint=M("Choose another PIN."),
            detail=fault.name,
        )

    def _call(self, request: protocol.Request, answer: type[Value], secrets: Sequence[Secret] = ()) -> Value:
        try:
            return self._ask(request, answer, secrets)
        except ModuleCallFailed as fault:
            raise self._meaning(fault) from None

    def _ask(self, request: protocol.Request, answer: type[Value], secrets: Sequence[Secret] = ()) -> Value:
        if self._closed or not self._agent.running or self._generation != self._agent.generation:
            raise faults.removed(self.token)
        return self._agent.call(request, answer, secrets)

    def _meaning(self, fault: ModuleCallFailed) -> FieldkitError:
        """The error for `fault`; a vague one is looked into: the token may have been pulled out."""
        gone = fault.name in faults.VAGUE and self._owner.pulled(self.token)
        return faults.meaning(fault, self.token, present=not gone)


class Signer:
    """Signs with one key of an open session. Has what a document signer needs to know, and no more."""

    def __init__(self, session: Session, certificate: StoredCertificate, chain: tuple[bytes, ...]) -> None:
        self._session = session
        self._key = certificate.id
        self.certificate = certificate.der
        self.chain = chain

    def sign(self, data: bytes, mechanism: str) -> bytes:
        """The signature of `data`; mechanism: "SHA256_RSA_PKCS", "ECDSA_SHA256", …"""
        return self._session.sign(self._key, mechanism, data)


def choose(certificates: Sequence[StoredCertificate], spec: str, token: Token) -> StoredCertificate:
    """The one of `certificates` that `spec` means; see `Session.certificate`."""
    wanted = nfc(spec.strip())
    plain = wanted.replace(":", "").lower()
    if wanted:
        fits = [
            certificate
            for certificate in certificates
            if plain in (certificate.id, certificate.sha256) or nfc(certificate.label) == wanted
        ]
    else:
        fits = [certificate for certificate in certificates if certificate.has_private_key]
        if not fits:
            fits = list(certificates) if len(certificates) == 1 else []
    if len(fits) == 1:
        return fits[0]
    if not fits:
        raise errors.CertificateNotFound(
            M("The token {token} has no certificate {spec}.", token=token.name, spec=spec)
            if wanted
            else M("The token {token} has no certificate with a key.", token=token.name),
            unchanged=M("Nothing was changed on the token."),
            hint=M("List what is on it: `fieldkit certificate list`."),
        )
    raise CertificateAmbiguous(
        M("The token {token} has more than one certificate that fits.", token=token.name),
        hint=M("Name one with --certificate: its CKA_ID, label or SHA-256."),
        candidates=[fit.id for fit in fits],
    )


def keys_of(
    id: str,
    keys: Sequence[StoredKey],
    chosen: Sequence[StoredCertificate],
    others: Sequence[StoredCertificate],
) -> list[StoredKey]:
    """The keys with this CKA_ID that are the `chosen` certificates', or nobody's, and not the `others`'.

    Two key pairs may have the same CKA_ID. Where a private key does not show whose it is, none is chosen.
    """
    named = [key for key in keys if key.id == id]
    publics = {key.public for key in named if key.public}
    unclear = len(publics) > 1 and any(not key.public for key in named)
    if not id or unclear or any(other.id == id for other in others):
        return []
    needed = {_public_key(other.der) for other in others}
    own = {_public_key(certificate.der) for certificate in chosen} - {None}

    def fits(public: bytes) -> bool:
        return public not in needed and (not own or public in own)

    if not publics:
        by_name = {key_id(public) for public in needed if public}
        return [] if id in by_name else named
    return [key for key in named if fits(key.public or next(iter(publics)))]


def needed_by_others(certificate: StoredCertificate, others: Sequence[StoredCertificate]) -> bool:
    """Whether the key of `certificate` is another certificate's too, by its CKA_ID or its public key."""
    public = _public_key(certificate.der)
    return any(
        other.sha256 != certificate.sha256
        and (other.id == certificate.id != "" or _public_key(other.der) == public is not None)
        for other in others
    )


def public_key(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _public_key(certificate: bytes) -> bytes | None:
    """The same, or None of a certificate that cannot be read: its CKA_ID alone says whose it is."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return public_key(certificate)
    except (ValueError, UnsupportedAlgorithm):
        return None


def key_id(spki: bytes) -> str:
    """The CKA_ID for a public key: SHA-1 of its bits (RFC 5280 §4.2.1.2), as most programs set it."""
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from cryptography.x509 import SubjectKeyIdentifier

    key: Any = load_der_public_key(spki)
    return SubjectKeyIdentifier.from_public_key(key).digest.hex()


def _clean(stored: Stored) -> Stored:
    """`stored` with a label that does nothing to a terminal."""
    return msgspec.structs.replace(stored, label=visible(stored.label))


def entered(pin: Secret) -> tuple[Secret, ...]:
    """The PIN as secrets for a call; none where it is typed on the device."""
    return (pin,) if pin else ()
