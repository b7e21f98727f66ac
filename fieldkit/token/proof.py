"""A key proved by a signature: the token signs something new, and the certificate verifies it."""

from __future__ import annotations

import secrets

from fieldkit.text import M
from fieldkit.token import errors
from fieldkit.token.model import StoredCertificate
from fieldkit.token.session import Session

PROOF = b"fieldkit: proof that this key is on this token\n"


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
