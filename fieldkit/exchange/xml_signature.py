"""The XML signature of an exchange package: enveloped, over all of it, made by a token's key (XML-DSig).

One form only is made and believed: one reference to the whole document, exclusive canonical form, SHA-2. What
a stranger's signature asks for beyond that is refused, so that nothing unsigned can pass for signed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from fieldkit.exchange import safe_xml
from fieldkit.exchange.errors import PackageUnfit
from fieldkit.finding import Finding
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from fieldkit.signature.raw_signer import RawSigner
    from fieldkit.validation.judgement import Policy

DSIG = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DSIG}enveloped-signature"
CANONICAL = (C14N, "http://www.w3.org/TR/xml-exc-c14n#")  # public edXML programs write the second
DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
METHODS = {
    f"{MORE}{family}-{digest}": (family, digest)
    for family in ("rsa", "ecdsa")
    for digest in ("sha256", "sha384", "sha512")
}


class XmlElement(Protocol):
    """What is used here of lxml's elements."""

    tag: object
    text: str | None
    tail: str | None

    def __iter__(self) -> Iterator[XmlElement]: ...
    def get(self, name: str) -> str | None: ...
    def iter(self, tag: str | None = None) -> Iterator[XmlElement]: ...
    def findall(self, tag: str) -> list[XmlElement]: ...
    def getparent(self) -> XmlElement | None: ...
    def getprevious(self) -> XmlElement | None: ...
    def getroottree(self) -> object: ...
    def remove(self, child: XmlElement) -> None: ...


class _Parts(msgspec.Struct, frozen=True):
    """A signature taken apart."""

    method: tuple[str, str]
    digest: str
    wanted: bytes
    value: bytes
    certificates: tuple[bytes, ...]


def sign(data: bytes, signer: RawSigner) -> bytes:
    """The package `data` with a signature at the end of its header.

    :raises PackageUnfit: it has no header, or a signature already.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from lxml import etree

    root = _parsed(data)
    header = next(root.iter("{*}edXMLHeader"), None)
    if header is None or next(root.iter(f"{{{DSIG}}}Signature"), None) is not None:
        raise PackageUnfit(
            M("The package cannot be signed: it has no header, or a signature already."),
            unchanged=M("Nothing was signed."),
        )
    key = _public_key(signer.certificate)
    elliptic = isinstance(key, EllipticCurvePublicKey)
    digest = hashlib.sha256(_canonical(root.getroottree())).digest()
    signature = etree.SubElement(header, f"{{{DSIG}}}Signature", nsmap={"ds": DSIG})
    info = _child(signature, "SignedInfo")
    _child(info, "CanonicalizationMethod", Algorithm=C14N)
    _child(info, "SignatureMethod", Algorithm=f"{MORE}{'ecdsa' if elliptic else 'rsa'}-sha256")
    reference = _child(info, "Reference", URI="")
    transforms = _child(reference, "Transforms")
    _child(transforms, "Transform", Algorithm=ENVELOPED)
    _child(transforms, "Transform", Algorithm=C14N)
    _child(reference, "DigestMethod", Algorithm="http://www.w3.org/2001/04/xmlenc#sha256")
    _child(reference, "DigestValue").text = base64.b64encode(digest).decode()
    value = signer.sign(_canonical(info), "ECDSA_SHA256" if elliptic else "SHA256_RSA_PKCS")
    if isinstance(key, EllipticCurvePublicKey):
        value = _flat(value, key)
    _child(signature, "SignatureValue").text = base64.b64encode(value).decode()
    held = _child(_child(signature, "KeyInfo"), "X509Data")
    for certificate in (signer.certificate, *signer.chain):
        _child(held, "X509Certificate").text = base64.b64encode(certificate).decode()
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8")) + b"\n"


def verify(
    data: bytes,
    *,
    trust: Sequence[bytes],
    crls: Sequence[bytes] = (),
    policy: Policy,
    required: bool | None,
    at: datetime | None = None,
    sender: Callable[[bytes], Finding] | None = None,
) -> list[Finding]:
    """What is to be said of the package's own signature.

    required: there has to be one; None: without one the verdict stays open; False: there need be none.
    sender: whether the signer (DER) is who the package says it is from.
    """
    root = _parsed(data)
    signatures = list(root.iter(f"{{{DSIG}}}Signature"))
    if not signatures:
        return [
            Finding(
                "package-signature",
                "fail" if required else "not-checked",
                M("The package itself is not signed: who sent it, to whom and with what is not protected."),
                required=required is not False,
                hint=M("Ask the sender for a signed package, or agree to unsigned ones (--accept-unsigned)."),
            )
        ]
    parent = signatures[0].getparent()
    if len(signatures) > 1 or parent is None or not str(parent.tag).endswith("}edXMLHeader"):
        return [_failed(M("The package holds more than one signature, or one in a strange place."))]
    try:
        parts = _taken_apart(signatures[0])
    except _Strange as error:
        return [
            Finding(
                "package-signature",
                "fail",
                M("The package's signature is not of the one form that is believed here."),
                str(error),
            )
        ]
    info = _canonical(_only(signatures[0], "SignedInfo"))
    if not _holds(parts, info):
        return [_failed(M("The package's signature does not fit the certificate inside it."))]
    _take_out(signatures[0], parent)
    if hashlib.new(parts.digest, _canonical(root.getroottree())).digest() != parts.wanted:
        return [_failed(M("The package was changed after it was signed."))]
    good = Finding(
        "package-signature",
        "pass",
        M("The package is unchanged since it was signed."),
        "-".join(parts.method),
    )
    bound = [sender(parts.certificates[0])] if sender is not None else []
    return [good, *bound, *_certificate(parts.certificates, trust, crls, policy, at)]


class _Strange(Exception):
    """A signature that asks for something else than the one form."""


def _failed(message: Message) -> Finding:
    return Finding(
        "package-signature", "fail", message, hint=M("Do not use it. Ask the sender for it again.")
    )


def _certificate(
    embedded: Sequence[bytes],
    anchors: Sequence[bytes],
    crls: Sequence[bytes],
    policy: Policy,
    at: datetime | None,
) -> list[Finding]:
    """The claims on the certificate that signed the package, as for a document's."""
    from datetime import UTC, datetime

    from fieldkit.validation import signature_checks
    from fieldkit.validation.signature_checks import JudgedMoment
    from fieldkit.validation.trust import certificates, trust

    now = at or datetime.now(UTC)
    (certificate,) = certificates(embedded[:1])
    believed = trust(anchors, embedded[1:], crls)
    path = signature_checks.path(certificate, believed, now)
    revocation = (
        signature_checks.revocation(certificate, believed, now)
        if path.severity == "pass"
        else signature_checks.no_path_no_revocation()
    )
    required = policy.revocation or revocation.severity == "fail"
    findings = [
        signature_checks.dates(certificate, JudgedMoment(now, now)),
        signature_checks.key(certificate),
        signature_checks.usage(certificate, policy),
        path,
        msgspec.structs.replace(revocation, required=required),
    ]
    return [msgspec.structs.replace(finding, id=f"package-{finding.id}") for finding in findings]


def _parsed(data: bytes) -> XmlElement:
    """The root, for canonical XML; what `safe_xml` refuses never comes here."""
    from lxml import etree

    safe_xml.parse(data)  # no document type, bounded in depth, number and size: so `huge_tree` is safe
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=True
    )
    try:
        root: XmlElement = etree.fromstring(data, parser)
        return root
    except etree.XMLSyntaxError as error:
        raise PackageUnfit(
            M("The package is not well-formed XML."),
            unchanged=M("Nothing of the package was used."),
            hint=M("Ask the sender for it again."),
            detail=str(error),
        ) from None


def _canonical(element: object) -> bytes:
    """The canonical form of an element, or of a whole tree with what stands outside its root."""
    from lxml import etree

    return bytes(etree.tostring(element, method="c14n", exclusive=True, with_comments=False))


def _child(parent: XmlElement, name: str, **attributes: str) -> XmlElement:
    from lxml import etree

    child: XmlElement = etree.SubElement(parent, _name(name), attributes)
    return child


def _take_out(signature: XmlElement, parent: XmlElement) -> None:
    """Remove the signature and nothing else: the text after it belongs to its parent."""
    before = signature.getprevious()
    tail = signature.tail or ""
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    signature.tail = None
    parent.remove(signature)


def _taken_apart(signature: XmlElement) -> _Parts:
    """The parts of a signature of the one form.

    :raises _Strange: it is of another.
    """
    if strange := _unsigned(signature):
        raise _Strange(strange)
    info = _only(signature, "SignedInfo")
    if _only(info, "CanonicalizationMethod").get("Algorithm") != C14N:
        raise _Strange("CanonicalizationMethod")
    method = METHODS.get(str(_only(info, "SignatureMethod").get("Algorithm")))
    reference = _only(info, "Reference")
    chosen = [str(transform.get("Algorithm")) for transform in _only(reference, "Transforms")]
    digest = DIGESTS.get(str(_only(reference, "DigestMethod").get("Algorithm")))
    if method is None or digest is None:
        raise _Strange("SignatureMethod or DigestMethod")
    if reference.get("URI") != "" or len(chosen) != 2 or chosen[0] != ENVELOPED or chosen[1] not in CANONICAL:
        raise _Strange("Reference")
    held = [
        _bytes(element)
        for element in _only(_only(signature, "KeyInfo"), "X509Data").iter(_name("X509Certificate"))
    ]
    if not held:
        raise _Strange("X509Certificate")
    return _Parts(
        method,
        digest,
        _bytes(_only(reference, "DigestValue")),
        _bytes(_only(signature, "SignatureValue")),
        tuple(held),
    )


def _unsigned(signature: XmlElement) -> str:
    """What stands in a signature beside its own parts, where nothing is signed: a place to hide a message."""
    own = {_name(child) for child in ("SignedInfo", "SignatureValue", "KeyInfo")}
    inside = (child.tag for child in signature if child.tag not in own)
    within = (child.tag for child in signature.iter() if not str(child.tag).startswith(f"{{{DSIG}}}"))
    return ", ".join(str(child) for child in (*inside, *within))[:200]


def _only(parent: XmlElement, name: str) -> XmlElement:
    children = parent.findall(_name(name))
    if len(children) != 1:
        raise _Strange(f"{name}: {len(children)} times")
    return children[0]


def _name(name: str) -> str:
    return f"{{{DSIG}}}{name}"


def _bytes(element: XmlElement) -> bytes:
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise _Strange("base64") from None


def _public_key(certificate: bytes) -> RSAPublicKey | EllipticCurvePublicKey:
    """The certificate's key.

    :raises _Strange: it is no certificate, or of another family.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except ValueError:
        raise _Strange("X509Certificate") from None
    if isinstance(key, RSAPublicKey | EllipticCurvePublicKey):
        return key
    raise _Strange("key")


def _holds(parts: _Parts, info: bytes) -> bool:
    """Whether the key of the certificate made the signature's value."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    digest = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[
        parts.method[1]
    ]
    try:
        key = _public_key(parts.certificates[0])
        if parts.method[0] != ("rsa" if isinstance(key, RSAPublicKey) else "ecdsa"):
            return False
        if isinstance(key, RSAPublicKey):
            key.verify(parts.value, info, padding.PKCS1v15(), digest)
            return True
        half = (key.curve.key_size + 7) // 8
        if len(parts.value) != 2 * half:
            return False
        numbers = (int.from_bytes(parts.value[:half]), int.from_bytes(parts.value[half:]))
        key.verify(encode_dss_signature(*numbers), info, ec.ECDSA(digest))
    except (InvalidSignature, _Strange, ValueError):
        return False
    return True


def _flat(value: bytes, key: EllipticCurvePublicKey) -> bytes:
    """An ECDSA signature as XML-DSig writes it: two numbers of the curve's length, not DER."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    half = (key.curve.key_size + 7) // 8
    return b"".join(number.to_bytes(half) for number in decode_dss_signature(value))
