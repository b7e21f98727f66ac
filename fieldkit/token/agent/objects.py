"""Objects on a token, written and read with python-pkcs11 inside the agent: keys, certificates, signatures.

Every template is packed once before python-pkcs11 sees it: a value that does not fit would crash the process.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import pkcs11
from asn1crypto.core import OctetString
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.attributes import AttributeMapper, handle_bytes, handle_ulong
from pkcs11.constants import DEFAULT
from pkcs11.exceptions import PKCS11Error
from pkcs11.util.ec import decode_ec_public_key, encode_ecdsa_signature
from pkcs11.util.x509 import decode_x509_certificate

from fieldkit.token.model import StoredCertificate, StoredKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurve,
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

BATCH = 64
CURVES = {  # CKA_EC_PARAMS: the curve's object identifier (RFC 5480 §2.1.1.1), in DER
    "p256": bytes.fromhex("06082a8648ce3d030107"),
    "p384": bytes.fromhex("06052b81040022"),
    "p521": bytes.fromhex("06052b81040023"),
}
DIGEST_INFO = {  # RFC 8017 §9.2, note 1: what stands before the digest in a PKCS #1 v1.5 signature
    "SHA1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "SHA256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "SHA384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "SHA512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
NO_ATTRIBUTE = (pkcs11.AttributeTypeInvalid, pkcs11.AttributeSensitive, pkcs11.FunctionFailed)

# The attributes read of each kind of object.
OF_CERTIFICATE = (Attribute.ID, Attribute.LABEL, Attribute.VALUE)
OF_KEY = (
    Attribute.ID,
    Attribute.LABEL,
    Attribute.KEY_TYPE,
    Attribute.MODULUS,
    Attribute.PUBLIC_EXPONENT,
    Attribute.EC_PARAMS,
    Attribute.EC_POINT,
    Attribute.SENSITIVE,
    Attribute.EXTRACTABLE,
)


Template = Mapping[Attribute, object]


class TokenObject(Protocol):
    """An object as python-pkcs11 gives it, where its own types say too little."""

    @property
    def handle(self) -> int: ...
    def __getitem__(self, attribute: Attribute) -> object: ...
    def get_attributes(self, attributes: Iterable[Attribute]) -> Mapping[Attribute, object]: ...
    def destroy(self) -> None: ...


class KeyMaker(Protocol):
    """A session or a curve, which make key pairs: the public key, and the private one."""

    def generate_keypair(self, *kind: object, **options: object) -> tuple[TokenObject, TokenObject]: ...


class TokenSession(KeyMaker, Protocol):
    """A session as python-pkcs11 gives it."""

    @property
    def handle(self) -> int: ...
    def get_objects(self, template: Template, *, batch_size: int) -> Iterable[TokenObject]: ...
    def create_object(self, template: Template) -> TokenObject: ...
    def create_domain_parameters(self, kind: KeyType, template: Template, *, local: bool) -> KeyMaker: ...
    def close(self) -> None: ...


class AttributeUnfit(Exception):
    """A template holds a value that its attribute cannot take; says which attribute, never the value."""


class NotForSigning(Exception):
    """The key's attributes say that it may not sign."""


class LenientMapper(AttributeMapper):
    """Reads what tokens really give: labels in any code page, vendor key types; knows the category."""

    def __init__(self) -> None:
        super().__init__()
        pack_ulong, unpack_ulong = handle_ulong
        for attribute in (Attribute.KEY_TYPE, Attribute.CERTIFICATE_TYPE, Attribute.KEY_GEN_MECHANISM):
            self.register_handler(attribute, lambda value: pack_ulong(int(value)), unpack_ulong)
        self.register_handler(Attribute.CERTIFICATE_CATEGORY, pack_ulong, unpack_ulong)
        self.register_handler(Attribute.START_DATE, *handle_bytes)
        self.register_handler(Attribute.END_DATE, *handle_bytes)
        self.register_handler(
            Attribute.LABEL,
            lambda value: value.encode() if isinstance(value, str) else bytes(value),
            lambda raw: raw.split(b"\0", 1)[0].decode("utf-8", "replace"),
        )

    def checked(self, template: Template) -> dict[Attribute, object]:
        """`template` itself, once each of its values is known to pack."""
        for attribute, value in template.items():
            wanted = bytes if self.attribute_types.get(attribute) is handle_bytes else object
            if not isinstance(value, wanted):
                raise AttributeUnfit(attribute.name)
            try:
                packed = self.pack_attribute(attribute, value)
            except Exception:
                raise AttributeUnfit(attribute.name) from None
            if type(packed) is not bytes:
                raise AttributeUnfit(attribute.name)
        return dict(template)


mapper = LenientMapper()


def search(session: TokenSession, template: Template) -> list[TokenObject]:
    """Every object that matches; always read to the end, since an open search blocks the session."""
    return list(session.get_objects(mapper.checked(template), batch_size=BATCH))


def attributes(stored: TokenObject, wanted: Iterable[Attribute]) -> dict[Attribute, object]:
    """Those of the wanted attributes that the object has; one by one where the token dislikes bulk."""
    keys_ = tuple(wanted)
    try:
        return dict(stored.get_attributes(keys_))
    except PKCS11Error:
        readable = {}
        for key in keys_:
            with contextlib.suppress(*NO_ATTRIBUTE):
                readable[key] = stored[key]
        return readable


def octets(has: Template, attribute: Attribute) -> bytes:
    """A byte string among an object's attributes; empty where it has none."""
    value = has.get(attribute)
    return value if isinstance(value, bytes) else b""


def label_of(has: Template) -> str:
    """The label among an object's attributes; empty where it has none."""
    label = has.get(Attribute.LABEL)
    return label if isinstance(label, str) else ""


def certificates(session: TokenSession) -> list[StoredCertificate]:
    """Every certificate that has a value, each once."""
    owned = {
        _id(stored)
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
        for stored in search(session, {Attribute.CLASS: kind})
    }
    listed = []
    for stored in search(session, {Attribute.CLASS: ObjectClass.CERTIFICATE}):
        has = attributes(stored, OF_CERTIFICATE)
        der = octets(has, Attribute.VALUE)
        if not der:
            continue
        key_id = octets(has, Attribute.ID)
        listed.append(
            StoredCertificate(
                id=key_id.hex(),
                label=label_of(has),
                der=der,
                has_private_key=bool(key_id) and key_id in owned,
                sha256=hashlib.sha256(der).hexdigest(),
                handle=stored.handle,
            )
        )
    return listed


def stored_keys(session: TokenSession) -> list[StoredKey]:
    """Every private and public key that can be seen now; private ones need a login first."""
    return [
        _stored_key(stored, kind is ObjectClass.PRIVATE_KEY)
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
        for stored in search(session, {Attribute.CLASS: kind})
    ]


def wants_pin_each_time(session: TokenSession) -> bool:
    """Some key on the token wants the PIN again for every signature."""
    try:
        return bool(
            search(
                session,
                {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ALWAYS_AUTHENTICATE: True},
            )
        )
    except PKCS11Error:
        return False


def private_key(session: TokenSession, key_id: bytes) -> TokenObject | None:
    """The private key with this CKA_ID, or None."""
    keys = search(session, {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key_id})
    return next(iter(keys), None)


def sign(
    key: TokenObject, mechanism: str, data: bytes, offered: Iterable[str], pin: str | None = None
) -> bytes:
    """Sign `data`; where the token cannot hash by itself it gets the digest. ECDSA comes back DER-encoded."""
    if not hasattr(key, "sign"):
        raise NotForSigning
    chosen, payload = _prepare(mechanism, data, frozenset(offered))
    signature = bytes(key.sign(payload, mechanism=Mechanism[chosen], pin=pin))
    return encode_ecdsa_signature(signature) if mechanism.startswith("ECDSA") else signature


def create_key(
    session: TokenSession, key_id: bytes, label: str, pkcs8: bytes, subject: bytes
) -> tuple[list[int], bytes]:
    """Write a private key, never to leave again, and its public key; handles and SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    # What read the file has checked the key, and the proof by a signature does so again.
    key = load_der_private_key(pkcs8, None, unsafe_skip_rsa_key_validation=True)
    if isinstance(key, rsa.RSAPrivateKey):
        public, private = _rsa(key)
    elif isinstance(key, ec.EllipticCurvePrivateKey) and _curve(key.curve) in CURVES:
        public, private = _ec(key)
    else:
        raise pkcs11.KeySizeRange
    shared = {Attribute.TOKEN: True, Attribute.ID: key_id, Attribute.LABEL: label}
    owner = {Attribute.SUBJECT: subject} if subject else {}
    stored = session.create_object(
        mapper.checked(
            {Attribute.CLASS: ObjectClass.PRIVATE_KEY, **PRIVATE_RULES, **shared, **owner, **private}
        )
    )
    made = [stored.handle]
    try:
        made.append(
            session.create_object(
                mapper.checked(
                    {
                        Attribute.CLASS: ObjectClass.PUBLIC_KEY,
                        Attribute.PRIVATE: False,
                        Attribute.VERIFY: True,
                        **shared,
                        **public,
                    }
                )
            ).handle
        )
    except PKCS11Error:
        pass  # some tokens make it themselves, or keep none; the certificate holds it anyway
    return made, _spki(key.public_key())


SECRECY = {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
PRIVATE_RULES = SECRECY | {Attribute.SIGN: True, Attribute.DECRYPT: False, Attribute.UNWRAP: False}
UNSAID = (  # what python-pkcs11 would say of a key that is made: some modules take no "false" here
    Attribute.ENCRYPT,
    Attribute.DECRYPT,
    Attribute.WRAP,
    Attribute.UNWRAP,
    Attribute.DERIVE,
)


def create_certificate(session: TokenSession, key_id: bytes, label: str, der: bytes, authority: bool) -> int:
    """Write a certificate; its category too, where the token takes one."""
    template = decode_x509_certificate(der) | {  # subject, issuer and number as they stand in it
        Attribute.TOKEN: True,
        Attribute.PRIVATE: False,
        Attribute.ID: key_id,
        Attribute.LABEL: label,
        Attribute.VALUE: der,
    }
    category = {Attribute.CERTIFICATE_CATEGORY: 2 if authority else 1}
    try:
        return int(session.create_object(mapper.checked(template | category)).handle)
    except (pkcs11.AttributeTypeInvalid, pkcs11.AttributeValueInvalid, pkcs11.TemplateInconsistent):
        return int(session.create_object(mapper.checked(template)).handle)


def generate_key(session: TokenSession, key_id: bytes, label: str, kind: str) -> tuple[list[int], bytes]:
    """Make a key pair on the token; handles and SubjectPublicKeyInfo."""
    family, _, variant = kind.partition(":")
    usage = pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY
    public = mapper.checked({Attribute.PRIVATE: False}) | dict.fromkeys(UNSAID, DEFAULT)
    private = mapper.checked({**SECRECY, Attribute.TOKEN: True}) | dict.fromkeys(UNSAID, DEFAULT)
    if family == "rsa":
        public_key, key = session.generate_keypair(
            KeyType.RSA,
            int(variant),
            id=key_id,
            label=label,
            store=True,
            capabilities=usage,
            public_template=public,
            private_template=private,
        )
    else:
        domain = session.create_domain_parameters(
            KeyType.EC, mapper.checked({Attribute.EC_PARAMS: CURVES[variant]}), local=True
        )
        public_key, key = domain.generate_keypair(
            id=key_id,
            label=label,
            store=True,
            capabilities=usage,
            public_template=public,
            private_template=private,
        )
    return [key.handle, public_key.handle], _stored_key(public_key, False).public


def _id(stored: TokenObject) -> bytes:
    return octets(attributes(stored, (Attribute.ID,)), Attribute.ID)


def _stored_key(stored: TokenObject, private: bool) -> StoredKey:
    has = attributes(stored, OF_KEY)
    kind, public = _public(has)
    return StoredKey(
        handle=stored.handle,
        id=octets(has, Attribute.ID).hex(),
        label=label_of(has),
        private=private,
        kind=kind,
        public=public,
        kept=bool(has.get(Attribute.SENSITIVE, True)) and not has.get(Attribute.EXTRACTABLE, False),
    )


def _prepare(mechanism: str, data: bytes, offered: frozenset[str]) -> tuple[str, bytes]:
    """The mechanism to call and what to give it, by what the token offers."""
    if mechanism in offered or not offered or mechanism in ("RSA_PKCS", "ECDSA"):
        return mechanism, data
    for name, prefix in DIGEST_INFO.items():
        if mechanism in (f"{name}_RSA_PKCS", f"ECDSA_{name}"):
            digest = hashlib.new(name.lower(), data, usedforsecurity=False).digest()
            return ("ECDSA", digest) if mechanism.startswith("ECDSA") else ("RSA_PKCS", prefix + digest)
    return mechanism, data


def _bytes(number: int, length: int = 0) -> bytes:
    return number.to_bytes(length or max(1, (number.bit_length() + 7) // 8), "big")


def _rsa(key: RSAPrivateKey) -> tuple[Template, Template]:
    """Public and private attributes of an RSA key."""
    numbers = key.private_numbers()
    public = {
        Attribute.KEY_TYPE: KeyType.RSA,
        Attribute.MODULUS: _bytes(numbers.public_numbers.n),
        Attribute.PUBLIC_EXPONENT: _bytes(numbers.public_numbers.e),
    }
    return public, public | {
        Attribute.PRIVATE_EXPONENT: _bytes(numbers.d),
        Attribute.PRIME_1: _bytes(numbers.p),
        Attribute.PRIME_2: _bytes(numbers.q),
        Attribute.EXPONENT_1: _bytes(numbers.dmp1),
        Attribute.EXPONENT_2: _bytes(numbers.dmq1),
        Attribute.COEFFICIENT: _bytes(numbers.iqmp),
    }


def _ec(key: EllipticCurvePrivateKey) -> tuple[Template, Template]:
    """Public and private attributes of an EC key."""
    public = decode_ec_public_key(_spki(key.public_key()))
    del public[Attribute.CLASS]
    scalar = _bytes(key.private_numbers().private_value, (key.curve.key_size + 7) // 8)
    shared = {name: public[name] for name in (Attribute.KEY_TYPE, Attribute.EC_PARAMS)}
    return public, shared | {Attribute.VALUE: scalar}


def _curve(curve: EllipticCurve) -> str:
    return {"secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}.get(curve.name, curve.name)


def _public(has: Template) -> tuple[str, bytes]:
    """What kind of key has these attributes, and its SubjectPublicKeyInfo where they tell it."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        if modulus := int.from_bytes(octets(has, Attribute.MODULUS), "big"):
            exponent = int.from_bytes(octets(has, Attribute.PUBLIC_EXPONENT) or b"\1\0\1", "big")
            public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
            return f"rsa:{modulus.bit_length()}", _spki(public)
        parameters = octets(has, Attribute.EC_PARAMS)
        name = next((name for name, oid in CURVES.items() if oid == parameters), "")
        if name:
            curves: dict[str, EllipticCurve] = {
                "p256": ec.SECP256R1(),
                "p384": ec.SECP384R1(),
                "p521": ec.SECP521R1(),
            }
            point = _point(octets(has, Attribute.EC_POINT))
            if not point:
                return f"ec:{name}", b""
            return f"ec:{name}", _spki(ec.EllipticCurvePublicKey.from_encoded_point(curves[name], point))
    except ValueError:
        pass  # what the token gives is no key; it is listed without one
    return "", b""


def _spki(key: RSAPublicKey | EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _point(raw: bytes) -> bytes:
    """CKA_EC_POINT as the bare point: PKCS#11 wants an OCTET STRING round it, some tokens give none."""
    try:
        return bytes(OctetString.load(raw, strict=True))
    except ValueError:
        return raw
