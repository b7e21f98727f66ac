"""Certificate requests (PKCS#10) for keys that are on a token: built here, signed there.

The token is known only as something that makes keys and signs; nothing here opens one.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import msgspec

from fieldkit.certificate import errors
from fieldkit.certificate.boundary import parsed
from fieldkit.certificate.name import common_name
from fieldkit.errors import FieldkitError
from fieldkit.text import M

if TYPE_CHECKING:
    from asn1crypto.keys import PublicKeyInfo
    from cryptography import x509

Sign = Callable[[bytes, str], bytes]
MAILBOX = re.compile("[!-?A-~]{1,64}")
RequestedKind = Literal["rsa:2048", "rsa:3072", "ec:p256", "ec:p384"]
KEY_KINDS: tuple[RequestedKind, ...] = get_args(RequestedKind)
MECHANISMS = {
    "sha256_rsa": "SHA256_RSA_PKCS",
    "sha256_ecdsa": "ECDSA_SHA256",
    "sha384_ecdsa": "ECDSA_SHA384",
}


class HeldKey(Protocol):
    """A key that is on the token."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def public(self) -> bytes: ...


class MadeKey(Protocol):
    """A key pair that was made on the token."""

    @property
    def handles(self) -> tuple[int, ...]: ...
    @property
    def public(self) -> bytes: ...


class DestroyedKey(Protocol):
    """Objects that were to be removed; left: those that could not be."""

    @property
    def left(self) -> tuple[int, ...]: ...


class KeyHolder(Protocol):
    """What a session with a token does for a request."""

    def list_keys(self) -> Sequence[HeldKey]: ...
    def generate_key(self, kind: RequestedKind, key_id: str, label: str) -> MadeKey: ...
    def sign(self, key_id: str, mechanism: str, data: bytes) -> bytes: ...
    def destroy(self, handles: Sequence[int]) -> DestroyedKey: ...


class CertificateRequest(msgspec.Struct, frozen=True):
    """A request that was written. id: CKA_ID of its key. sha256: of the request (DER)."""

    id: str
    key: str
    label: str
    sha256: str


def make(
    holder: KeyHolder,
    subject: x509.Name,
    out: Path,
    *,
    kind: RequestedKind = "rsa:2048",
    key_id: str = "",
    label: str = "",
    email: str = "",
    begin: Callable[[str], None] | None = None,
) -> CertificateRequest:
    """Make a key on the token (or use the one with `key_id`) and write the request for it to `out` (PEM).

    begin: told the CKA_ID of a new key before it is made, to be found should this run be broken off.
    Whatever fails, a key that was made for it is removed again.
    :raises KeyNotFound: the token has no key with `key_id`. :raises KeyLeftBehind: it could not be removed.
    """
    label = label or common_name(subject)
    handles: tuple[int, ...] = ()
    if key_id:
        key = _existing(holder, key_id)
        public, kind_of_key = key.public, key.kind
    else:
        key_id = secrets.token_hex(20)
        if begin is not None:
            begin(key_id)
        written = holder.generate_key(kind, key_id, label)
        public, kind_of_key, handles = written.public, kind, written.handles
    try:
        der = build(
            subject, public, lambda data, mechanism: holder.sign(key_id, mechanism, data), email=email
        )
        with out.open("xb") as file:
            file.write(pem(der))
    except BaseException as error:
        if handles:
            _clean(holder, handles, key_id, error)
        raise
    return CertificateRequest(key_id, kind_of_key, label, hashlib.sha256(der).hexdigest())


def kind_asked(key: str) -> RequestedKind:
    """The kind of key that a dossier asks for ("" for the usual one).

    :raises RequestInvalid: no request is made for such a key.
    """
    for kind in KEY_KINDS:
        if kind == (key or KEY_KINDS[0]):
            return kind
    raise errors.RequestInvalid(
        M("No request can be made for a key of the kind {key}.", key=key),
        unchanged=M("Nothing was changed on the token."),
        hint=M("Have head office correct the dossier. Known: {known}.", known=", ".join(KEY_KINDS)),
    )


def check_email(email: str) -> None:
    """:raises RequestInvalid: the e-mail address is none that a certificate can hold."""
    if not email:
        return
    with contextlib.suppress(UnicodeError):
        local, _, domain = email.rpartition("@")
        if MAILBOX.fullmatch(local) and domain.encode("idna"):
            return
    raise errors.RequestInvalid(
        M("{email} is no e-mail address that a certificate can hold.", email=email),
        unchanged=M("No request was written."),
        hint=M("Give it as name@domain, the name without accents and spaces."),
    )


def build(subject: x509.Name, public: bytes, sign: Sign, *, email: str = "") -> bytes:
    """A request (DER) for a public key (SubjectPublicKeyInfo), asking for signatures that bind.

    sign: signs data with a mechanism ("SHA256_RSA_PKCS", "ECDSA_SHA256", …), as a token's session does.
    email: a further name to be in the certificate. :raises RequestInvalid: it is none.
    """
    from asn1crypto import csr, keys, x509

    check_email(email)
    loaded = keys.PublicKeyInfo.load(public)
    algorithm = _algorithm(loaded)
    wanted: list[dict[str, object]] = [
        {
            "extn_id": "key_usage",
            "critical": True,
            "extn_value": x509.KeyUsage({"digital_signature", "non_repudiation"}),
        }
    ]
    if email:
        names = x509.GeneralNames([x509.GeneralName("rfc822_name", email)])
        wanted.append({"extn_id": "subject_alt_name", "critical": False, "extn_value": names})
    info = csr.CertificationRequestInfo(
        {
            "version": "v1",
            "subject": x509.Name.load(subject.public_bytes()),
            "subject_pk_info": loaded,
            "attributes": [{"type": "extension_request", "values": [wanted]}],
        }
    )
    request = csr.CertificationRequest(
        {
            "certification_request_info": info,
            "signature_algorithm": {"algorithm": algorithm},
            "signature": sign(info.dump(), MECHANISMS[algorithm]),
        }
    )
    der = bytes(request.dump())
    check(der)
    return der


def check(der: bytes) -> None:
    """:raises RequestFailed: the request's signature does not verify with the key in it."""
    from cryptography import x509

    message = M("The certificate request could not be read again.")
    if not parsed(lambda: x509.load_der_x509_csr(der).is_signature_valid, "", message):
        raise errors.RequestFailed(
            M("The signature of the certificate request does not verify with its key."),
            unchanged=M("No request was written."),
            hint=M("Do not use this token for this key; ask head office."),
        )


def pem(der: bytes) -> bytes:
    """A request as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM)


def _algorithm(public: PublicKeyInfo) -> str:
    if public.algorithm == "rsa":
        return "sha256_rsa"
    return "sha384_ecdsa" if public.bit_size > 256 else "sha256_ecdsa"


def _existing(holder: KeyHolder, key_id: str) -> HeldKey:
    """The key on the token with this CKA_ID."""
    wanted = key_id.replace(":", "").lower()
    for key in holder.list_keys():
        if key.id == wanted and key.public:
            return key
    raise errors.KeyNotFound(
        M("The token has no key with the identifier {id}.", id=key_id),
        unchanged=M("Nothing was changed."),
        hint=M("Leave out --key-id to make a new key."),
    )


def _clean(holder: KeyHolder, handles: tuple[int, ...], key_id: str, error: BaseException) -> None:
    try:
        left = holder.destroy(handles).left
    except FieldkitError:
        left = handles
    if left:
        raise errors.KeyLeftBehind(
            M("The request failed, and the new key could not be removed from the token."),
            unchanged=M("No request was written. The key {id} is still on the token.", id=key_id),
            hint=M("Use it with --key-id, or remove it with `fieldkit certificate remove`."),
            detail=str(error),
            cause=getattr(error, "code", ""),
            left=[key_id],
        ) from error
