"""Changing a token: initialise, PINs, and the import of a key with its certificates as a transaction.

An import checks first, writes, proves the key by a signature, and removes what it wrote if anything fails.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from fieldkit.certificate.errors import KeyNotFound
from fieldkit.errors import FieldkitError
from fieldkit.operator import Progress
from fieldkit.secret import Secret
from fieldkit.text import M, Message, nfc, visible
from fieldkit.token import errors, faults, guard, protocol
from fieldkit.token.agents import Agents
from fieldkit.token.intents import Intent, Intents, MemoryIntents
from fieldkit.token.model import StoredCertificate, StoredKey, Token
from fieldkit.token.policy import PinRules, demand
from fieldkit.token.process import ModuleCallFailed
from fieldkit.token.session import Session, key_id, public_key

if TYPE_CHECKING:
    from fieldkit.certificate.identity import Identity

LABEL_BYTES = 32
OBJECT_OVERHEAD = 512  # bytes a token needs besides an object's own, generously
PROOF = b"fieldkit: proof that this key is on this token\n"
STEPS = 5

Told = Callable[[Progress], None]
Value = TypeVar("Value")


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


def initialise(
    agents: Agents,
    token: Token,
    label: str,
    so_pin: Secret,
    pin: Secret,
    *,
    rules: PinRules | None = None,
    confirmed_last_try: bool = False,
    erased: Callable[[], None] = lambda: None,
) -> Token:
    """Erase `token`, give it a label and a user PIN. One that is in use already wants its present SO PIN.

    erased: called as soon as what was on it is gone.

    :raises PinPolicy: the PINs do not meet the rules; nothing was changed.
    :raises PinIncorrect: the SO PIN is not the token's; nothing was changed.
    """
    rules = rules or PinRules()
    now = agents.again(token)
    name = nfc(label.strip())
    if not name or len(name.encode()) > LABEL_BYTES:
        raise errors.PinPolicyViolated(
            M("The label must have 1 to {most} bytes.", most=LABEL_BYTES),
            unchanged=M("Nothing was changed on the token."),
        )
    demand(rules.check(now), pin)
    if not now.initialized:
        demand(rules.so_check(now), so_pin)
    with agents.attempt(now, so=True, confirmed_last_try=confirmed_last_try) as attempt:
        attempt.begin(blank=True)  # some have an SO PIN before they have anything else
        made = _erased(agents, attempt.token, name, so_pin)
        attempt.erased()
    erased()
    _first_pin(agents, now, made, so_pin, pin)
    fresh = agents.fresh(made.serial, now.module)
    agents.pin_was_set(fresh)
    return agents.again(fresh)


def _erased(agents: Agents, now: Token, label: str, so_pin: Secret) -> protocol.SlotToken:
    """C_InitToken: the token as it is then, empty."""
    agent = agents.agent(now)
    request = protocol.InitToken(
        slot=now.slot,
        serial=now.raw_serial,
        old_label=now.raw_label,
        initialized=now.initialized,
        label=label.encode(),
    )
    try:
        return agent.call(request, protocol.SlotToken, (so_pin,) if so_pin else ())
    except ModuleCallFailed as fault:
        agent.restart()
        if fault.name == "CKR_PIN_LOCKED":
            raise guard.locked(now, so=True) from None
        if fault.name in faults.WRONG_PIN:
            raise guard.incorrect(agents.again(now), so=True) from None
        raise faults.meaning(fault, now) from None


def change_pin(
    agents: Agents,
    token: Token,
    old: Secret,
    new: Secret,
    *,
    so: bool = False,
    rules: PinRules | None = None,
    confirmed_last_try: bool = False,
) -> Token:
    """Change the user PIN (or the SO PIN) of `token`; what it is like afterwards is returned."""
    rules = rules or PinRules()
    demand(rules.so_check(token) if so else rules.check(token), new)
    if new and new == old:
        raise errors.PinPolicyViolated(
            M("The new PIN is the old one."),
            unchanged=M("Nothing was changed on the token."),
            hint=M("Choose another PIN."),
        )
    try:
        session = agents.session(token, old, so=so, confirmed_last_try=confirmed_last_try)
    except errors.PinChangeNeeded:
        session = agents.session(token)  # C_SetPIN needs no login, and this token allows none before it
    with session, agents.attempt(token, so=so, confirmed_last_try=confirmed_last_try) as attempt:
        attempt.begin()  # the old PIN is judged again, and on some tokens typed again
        try:
            session.set_pin(old, new)
        except ModuleCallFailed as fault:
            if fault.name in faults.JUDGED:
                raise guard.incorrect(agents.again(token), so=so) from None
            raise faults.meaning(fault, token) from None
        except errors.PinPolicyViolated:
            attempt.not_judged()
            raise
        attempt.accepted()
    return agents.again(token)


def unblock(
    agents: Agents,
    token: Token,
    code: Secret,
    new: Secret,
    *,
    rules: PinRules | None = None,
    confirmed_last_try: bool = False,
) -> Token:
    """Set a new user PIN with `code`, the SO PIN or on some tokens the PUK; the old one may be locked.

    :raises PinIncorrect, PinLocked: the code is not the token's, or is locked itself.
    """
    demand((rules or PinRules()).check(token), new)
    if token.unblock != "puk" or not _by_puk(agents, token, code, new, confirmed_last_try):
        with agents.session(token, code, so=True, confirmed_last_try=confirmed_last_try) as session:
            session.init_pin(new)
    agents.pin_was_set(token)
    return agents.again(token)


def _by_puk(agents: Agents, token: Token, puk: Secret, new: Secret, confirmed: bool) -> bool:
    """C_SetPIN without a login, by which modules take a PUK; False, if this one cannot: nothing was tried."""
    with agents.attempt(token, so=True, confirmed_last_try=confirmed) as attempt:
        now = attempt.token
        if not puk and not now.protected_path:
            raise errors.PinNeeded(M("No PUK was entered."), unchanged=guard.NOTHING_CHANGED)
        attempt.begin()
        try:
            with agents.session(now) as session:
                session.set_pin(puk, new)
        except ModuleCallFailed as fault:
            if fault.name == "CKR_FUNCTION_NOT_SUPPORTED":
                attempt.not_judged()
                return False
            if fault.name == "CKR_PIN_LOCKED":
                raise guard.locked(now, so=True) from None
            raise guard.incorrect(agents.again(now), so=True) from None
        except errors.PinPolicyViolated:
            attempt.not_judged()
            raise
        attempt.accepted()
    return True


def import_identity(
    session: Session,
    identity: Identity,
    label: str,
    *,
    intents: Intents | None = None,
    agreed: Sequence[Intent] = (),
    progress: Told | None = None,
) -> ImportReport:
    """Put a key, its certificate and its chain onto the token, and prove the key by a signature.

    agreed: imports that were broken off, of which the person agreed that what they left is removed.

    :raises ForeignCertificate, DuplicateKey, TokenFull: found before anything was written.
    :raises KeyImportRefused: the token takes no private keys; nothing is left on it.
    :raises ImportIncomplete: it failed, and what is named could not be removed.
    """
    intents = intents or MemoryIntents()
    tell = progress or (lambda _: None)
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
    if done := settled.report(ours, _sha256(identity.certificate), label):
        tell(Progress(M("The key is on the token and proved"), STEPS, STEPS))
        return done
    present = session.certificates()
    _no_duplicate(session, present, spki)
    there = {each.sha256 for each in present}
    chain = [der for der in dict.fromkeys(identity.chain) if _sha256(der) not in there]
    _space(session.token, [identity.certificate, *chain], len(identity.key))
    digests = tuple(_sha256(der) for der in (identity.certificate, *chain))
    intent = Intent(session.token.key, ours, digests, label=nfc(label))
    intents.begin(intent)
    try:
        tell(Progress(M("Writing the key"), 1, STEPS))
        written = session.create_key(identity.key, ours, label, _subject(identity.certificate))
        tell(Progress(M("Writing the certificate"), 2, STEPS))
        session.create_certificate(identity.certificate, ours, label)
        tell(Progress(M("Writing the authorities' certificates"), 3, STEPS))
        for der in chain:
            session.create_certificate(der, key_id(public_key(der)), _name(der), authority=True)
        tell(Progress(M("Proving the key by a signature"), 4, STEPS))
        _kept(session, written.handles)
        mechanism = prove(
            session, StoredCertificate(ours, label, identity.certificate, True, intent.certificates[0])
        )
    except FieldkitError as error:
        _roll_back(session, intent, intents, error)
        raise
    intents.settle(intent)
    tell(Progress(M("The key is on the token and proved"), STEPS, STEPS))
    return ImportReport(
        ours, label, intent.certificates[0], intent.certificates[1:], mechanism, bool(settled)
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
    there = {each.sha256 for each in present}
    digest = _sha256(certificate)
    if done := settled.report(key.id, digest, label):
        return done
    if digest in there:
        raise _duplicate(session.token)
    chain = [der for der in dict.fromkeys(chain) if _sha256(der) not in there]
    _space(session.token, [certificate, *chain], 0)
    digests = tuple(map(_sha256, (certificate, *chain)))
    intent = Intent(session.token.key, key.id, digests, joined=True, label=nfc(label))
    intents.begin(intent)
    try:
        session.create_certificate(certificate, key.id, label)
        for der in chain:
            session.create_certificate(der, key_id(public_key(der)), _name(der), authority=True)
        mechanism = prove(session, StoredCertificate(key.id, label, certificate, True, digest))
    except FieldkitError as error:
        _roll_back(session, intent, intents, error)
        raise
    intents.settle(intent)
    for request in intents.open(session.token.key):
        if request.key_id == key.id and not request.certificates:
            intents.settle(request)
    return ImportReport(key.id, label, digest, intent.certificates[1:], mechanism, bool(settled))


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
    digest = _sha256(certificate)
    for each in session.certificates():
        if each.sha256 == digest and each.has_private_key:
            return ImportReport(each.id, each.label, digest, (), prove(session, each), True)
    return None


def prove(session: Session, certificate: StoredCertificate) -> str:
    """Have the token sign something new, and verify it with the certificate; the mechanism that was used.

    :raises ProofFailed: the signature does not verify: the key is not the certificate's.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    public = x509.load_der_x509_certificate(certificate.der).public_key()
    challenge = PROOF + secrets.token_bytes(32)
    try:
        if isinstance(public, rsa.RSAPublicKey):
            mechanism = "SHA256_RSA_PKCS"
            signature = session.sign(certificate.id, mechanism, challenge)
            public.verify(signature, challenge, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(public, ec.EllipticCurvePublicKey):
            mechanism = "ECDSA_SHA384" if public.curve.key_size > 256 else "ECDSA_SHA256"
            digest = hashes.SHA384() if public.curve.key_size > 256 else hashes.SHA256()
            public.verify(session.sign(certificate.id, mechanism, challenge), challenge, ec.ECDSA(digest))
        else:
            raise errors.KeyUnsupportedByToken(
                M(
                    "The token {token} cannot work with this kind of key or signature.",
                    token=session.token.name,
                )
            )
    except (InvalidSignature, ValueError):
        raise errors.ProofFailed(
            M(
                "A signature by the token {token} does not verify with the certificate.",
                token=session.token.name,
            ),
            hint=M(
                "The key on the token is not this certificate's. Do not hand the token over; ask head office."
            ),
        ) from None
    return mechanism


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
        proofs = {each.sha256: mechanism for each in present if (mechanism := _proof(session, each, intent))}
        if not proofs and (written := _written(session, intent)):
            if intent not in agreed:
                continue
            removed = session.destroy(written)
            if removed.left:
                raise _incomplete(session, removed.left, "")
        elif intent.certificates[0] in proofs:
            there = {each.sha256 for each in present}
            for der in brought:
                if _sha256(der) in intent.certificates and _sha256(der) not in there:
                    session.create_certificate(der, key_id(public_key(der)), _name(der), authority=True)
            completed.append((intent, proofs[intent.certificates[0]]))
        intents.settle(intent)
        count += 1
    return SettledImports(tuple(completed), count)


def _proof(session: Session, stored: StoredCertificate, intent: Intent) -> str:
    """The mechanism by which the key of `intent` proves a certificate that is there; "" if it does not."""
    if stored.id != intent.key_id and stored.sha256 != intent.certificates[0]:
        return ""
    try:
        return prove(session, stored)
    except (errors.ProofFailed, KeyNotFound, errors.KeyUnsupportedByToken):
        return ""


def matching_key(keys: Sequence[StoredKey], spki: bytes) -> StoredKey | None:
    """The private key that `spki` is the public half of, by itself or through the public key beside it."""
    ids = {key.id for key in keys if key.public == spki and key.id}
    return next(
        (key for key in keys if key.private and (key.public == spki or key.id in ids)),
        next((key for key in keys if key.public == spki and not any(each.private for each in keys)), None),
    )


def _first_pin(agents: Agents, before: Token, made: protocol.SlotToken, so_pin: Secret, pin: Secret) -> None:
    """Set the user PIN right after C_InitToken, in the same process and slot."""
    agent = agents.agent(before)
    given = (so_pin,) if so_pin else ()
    try:
        number = agent.call(protocol.OpenSession(slot=made.slot, serial=made.serial, label=made.label), int)
        agent.call(protocol.Login(number, so=True), type(None), given)
        agent.call(protocol.InitPin(number), type(None), (pin,) if pin else ())
        agent.call(protocol.Close(number), type(None))
    except ModuleCallFailed as fault:
        agent.restart()
        raise errors.PinPolicyViolated(
            M("The token was initialised, but it refused the user PIN."),
            unchanged=M("The token is empty and has its SO PIN, but no user PIN."),
            hint=M("Choose another PIN and set it with `fieldkit token unblock`."),
            detail=fault.name,
        ) from None


def _no_duplicate(session: Session, present: Sequence[StoredCertificate], spki: bytes) -> None:
    ours = key_id(spki)
    keys = session.list_keys()
    # some tokens keep no public key beside a private one, which then is known by its CKA_ID alone
    if (
        matching_key(keys, spki)
        or any(key.id == ours for key in keys)
        or any(each.id == ours or public_key(each.der) == spki for each in present)
    ):
        raise _duplicate(session.token)


def _duplicate(token: Token) -> errors.DuplicateKey:
    return errors.DuplicateKey(
        M("This key, or its certificate, is on the token {token} already.", token=token.name),
        unchanged=M("Nothing was changed on the token."),
        hint=M("List what is on it with `fieldkit certificate list`; remove it first to write it anew."),
    )


def _space(token: Token, certificates: Sequence[bytes], key: int) -> None:
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


def _kept(session: Session, handles: Sequence[int]) -> None:
    """The key that was written can never leave the token: what it says of itself, not what was asked for."""
    for key in session.list_keys():
        if key.private and key.handle in handles and not key.kept:
            raise errors.ProofFailed(
                M("The token {token} would let the key be read out again.", token=session.token.name),
                unchanged=M("Nothing was left on the token."),
                hint=M("Do not use this token for this key; make the key on the token instead."),
            )


def _written(session: Session, intent: Intent) -> list[int]:
    """What of `intent` is on the token now; nothing of it was there before."""
    keys = () if intent.joined else session.list_keys()
    found = [key.handle for key in keys if key.id == intent.key_id and _called(key.label, intent)]
    return found + [each.handle for each in session.certificates() if each.sha256 in intent.certificates]


def _called(label: str, intent: Intent) -> bool:
    """The label is the import's own, as far as it is known, or none: some tokens keep none."""
    return label in ("", visible(intent.label)) or not intent.label


def _roll_back(session: Session, intent: Intent, intents: Intents, error: FieldkitError) -> None:
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


def _incomplete(session: Session, left: Sequence[int], cause: str) -> errors.ImportIncomplete:
    names = []
    try:
        names += [f"{each.label} ({each.id})" for each in session.certificates() if each.handle in left]
        names += [f"{each.label} ({each.id})" for each in session.list_keys() if each.handle in left]
    except FieldkitError:
        pass
    return errors.ImportIncomplete(
        M("The token did not let everything be removed: {left}.", left=", ".join(names) or str(len(left))),
        unchanged=M("What is named is still on the token and is not to be used."),
        hint=M("Remove it with the driver's own program, or initialise the token."),
        cause=cause,
        left=names,
    )


def _public_of(key: Secret) -> bytes:
    from cryptography.hazmat.primitives import serialization

    loaded: Any = serialization.load_der_private_key(
        key.reveal_bytes(), None, unsafe_skip_rsa_key_validation=True
    )
    return bytes(
        loaded.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _subject(certificate: bytes) -> bytes:
    from cryptography import x509

    return x509.load_der_x509_certificate(certificate).subject.public_bytes()


def _name(certificate: bytes) -> str:
    """The common name of a certificate's subject, as the label of an authority's certificate."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    subject = x509.load_der_x509_certificate(certificate).subject
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME):
        if found := subject.get_attributes_for_oid(kind):
            return str(found[0].value)
    return "CA"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
