"""What imports that were broken off left on a token: completed, removed if agreed to, or named."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from fieldkit.certificate.errors import KeyNotFound
from fieldkit.errors import FieldkitError
from fieldkit.text import M, Message, visible
from fieldkit.token import errors
from fieldkit.token.intents import Intent, Intents
from fieldkit.token.model import StoredCertificate, Token
from fieldkit.token.proof import prove
from fieldkit.token.session import Session, key_id, public_key


class ImportReport(msgspec.Struct, frozen=True):
    """What an import left on the token.

    id: CKA_ID of key and certificate. chain: authorities' certificates that were written; the others
    were there. resumed: leftovers of an earlier, interrupted run were settled first.
    """

    id: str
    label: str
    sha256: str
    chain: tuple[str, ...]
    mechanism: str
    resumed: bool = False


class SettledImports(msgspec.Struct, frozen=True):
    """What became of earlier imports. completed: proved, each with its mechanism. count: those settled."""

    completed: tuple[tuple[Intent, str], ...]
    count: int

    def __bool__(self) -> bool:
        return self.count > 0

    def report(self, key_id: str, sha256: str, label: str) -> ImportReport | None:
        """The report of the import of this certificate, if it was one that is whole now."""
        for intent, mechanism in self.completed:
            if (intent.key_id, intent.certificates[0]) == (key_id, sha256):
                return ImportReport(key_id, label, sha256, intent.certificates[1:], mechanism, True)
        return None


def leftovers(token: Token, intents: Intents) -> list[Intent]:
    """The imports onto this token that were broken off: what they left is removed only if a person agrees."""
    return [intent for intent in intents.open(token.key) if intent.certificates]


def removal(intent: Intent) -> Message:
    """What happens to an import that was broken off, as a step of the next one's plan."""
    return M(
        "An earlier import was broken off: {label}, key {id}. "
        "What it left is removed first, unless a certificate is there that the key proves.",
        label=intent.label or "?",
        id=intent.key_id,
    )


def settle(
    session: Session, intents: Intents, agreed: Sequence[Intent] = (), brought: Sequence[bytes] = ()
) -> SettledImports:
    """Complete or clean up what earlier, interrupted imports left on this token; false if there was nothing.

    A key that proves a certificate on the token stays, whoever wrote the two; what is missing of its chain
    is written if it is among `brought`. All else is removed if the person `agreed` to that, and stays if not.
    """
    completed: list[tuple[Intent, str]] = []
    count = 0
    for intent in leftovers(session.token, intents):
        present = session.certificates()
        proofs = {
            certificate.sha256: mechanism
            for certificate in present
            if (mechanism := _proof(session, certificate, intent))
        }
        if not proofs and (written := _written(session, intent)):
            if intent not in agreed:
                continue
            kept = _relied_on(present, intent)
            removed = session.destroy([handle for handle in written if handle not in kept])
            if removed.left:
                raise _incomplete(session, removed.left, "")
        elif intent.certificates[0] in proofs:
            there = {certificate.sha256 for certificate in present}
            for der in brought:
                if sha256_of(der) in intent.certificates and sha256_of(der) not in there:
                    session.create_certificate(der, key_id(public_key(der)), common_name(der), authority=True)
            completed.append((intent, proofs[intent.certificates[0]]))
        intents.settle(intent)
        count += 1
    return SettledImports(tuple(completed), count)


def _proof(session: Session, stored: StoredCertificate, intent: Intent) -> str:
    """The mechanism by which the key of `intent` proves a certificate that is there; "" if it does not."""
    of_the_key = not intent.joined and _key_id(stored.der) == intent.key_id
    if stored.id != intent.key_id and stored.sha256 != intent.certificates[0] and not of_the_key:
        return ""
    try:  # another program may have filed the certificate otherwise
        return prove(session, msgspec.structs.replace(stored, id=intent.key_id))
    except (errors.ProofFailed, KeyNotFound, errors.KeyUnsupportedByToken):
        return ""


def _written(session: Session, intent: Intent) -> list[int]:
    """What of `intent` is on the token now; nothing of it was there before."""
    keys = () if intent.joined else session.list_keys()
    own = [key.handle for key in keys if key.id == intent.key_id and _called(key.label, intent)]
    return own + [
        certificate.handle
        for certificate in session.certificates()
        if certificate.sha256 in intent.certificates
    ]


def _relied_on(present: Sequence[StoredCertificate], intent: Intent) -> set[int]:
    """What an import wrote of authorities' certificates that others' certificates on the token rely on."""
    own = {stored.handle: stored for stored in present if stored.sha256 in intent.certificates}
    authorities = {
        handle: names
        for handle, stored in own.items()
        if stored.sha256 != intent.certificates[0] and (names := _names(stored.der))
    }
    issuers = {names[1] for stored in present if stored.handle not in own and (names := _names(stored.der))}
    relied_on: set[int] = set()
    while more := {handle for handle, (subject, _) in authorities.items() if subject in issuers} - relied_on:
        relied_on |= more
        issuers |= {authorities[handle][1] for handle in more}
    return relied_on


def _names(certificate: bytes) -> tuple[bytes, bytes] | None:
    """Subject and issuer of a certificate (DER); None of one that cannot be read."""
    from cryptography import x509

    try:
        parsed = x509.load_der_x509_certificate(certificate)
        return parsed.subject.public_bytes(), parsed.issuer.public_bytes()
    except ValueError:
        return None


def _key_id(certificate: bytes) -> str:
    """The CKA_ID that an import gives the key of a certificate; "" of one that cannot be read."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return key_id(public_key(certificate))
    except (ValueError, UnsupportedAlgorithm):
        return ""


def _called(label: str, intent: Intent) -> bool:
    """The label is the import's own, as far as it is known, or none: some tokens keep none."""
    return label in ("", visible(intent.label)) or not intent.label


def _incomplete(session: Session, left: Sequence[int], cause: str) -> errors.ImportIncomplete:
    names = []
    try:
        names += [
            f"{certificate.label} ({certificate.id})"
            for certificate in session.certificates()
            if certificate.handle in left
        ]
        names += [f"{key.label} ({key.id})" for key in session.list_keys() if key.handle in left]
    except FieldkitError:
        pass
    return errors.ImportIncomplete(
        M("The token did not let everything be removed: {left}.", left=", ".join(names) or str(len(left))),
        unchanged=M("What is named is still on the token and is not to be used."),
        hint=M("Remove it with the driver's own program, or initialise the token."),
        cause=cause,
        left=names,
    )


def roll_back(session: Session, intent: Intent, intents: Intents, error: FieldkitError) -> None:
    """Remove what an import wrote; where that cannot be done now, the intent stays for the next run."""
    try:
        removed = session.destroy(_written(session, intent))
    except FieldkitError:
        raise errors.ImportIncomplete(
            M("The import stopped half way: {problem}", problem=_message(error)),
            unchanged=M(
                "What was written is still on the token; its key and certificate are not to be used."
            ),
            hint=M("Plug the token in and repeat the import: what is left is removed first."),
            detail=error.detail,
            cause=error.code,
            left=[intent.key_id],
        ) from error
    if removed.left:
        raise _incomplete(session, removed.left, error.code) from error
    intents.settle(intent)


def _message(error: FieldkitError) -> Message | str:
    return error.message if isinstance(error.message, Message) else str(error)


def common_name(certificate: bytes) -> str:
    """The common name of a certificate's subject, as the label of an authority's certificate."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    subject = x509.load_der_x509_certificate(certificate).subject
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME):
        if name_attributes := subject.get_attributes_for_oid(kind):
            return str(name_attributes[0].value)
    return "CA"


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
