"""Which keys and digests still carry a signature: one table for signing, verifying, checking and importing.

After ETSI TS 119 312 (cryptographic suites). A key of a kind that is not in the table is weak, too.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from fieldkit.certificate.contents import CURVES as NAMES

if TYPE_CHECKING:
    from datetime import datetime

    from asn1crypto.algos import SignedDigestAlgorithm
    from asn1crypto.keys import PublicKeyInfo
    from asn1crypto.x509 import Certificate
    from pyhanko_certvalidator.policy_decl import AlgorithmUsageConstraint, AlgorithmUsagePolicy

LEAST_RSA = 2048
CURVES = ("p256", "p384", "p521", "brainpoolp256r1", "brainpoolp384r1", "brainpoolp512r1")
TWISTED = ("ed25519", "ed448")
WEAK_DIGESTS = ("md2", "md5", "sha1")


def kind(key: PublicKeyInfo) -> str:
    """The kind of a public key: "rsa:2048", "ec:p256"; "ec:explicit" where its curve has no name."""
    family = str(key.algorithm)
    if family == "ec":
        form, curve = key.curve
        name = str(curve) if form == "named" else "explicit"
        return f"ec:{NAMES.get(name, name)}"
    if family in ("rsa", "rsassa_pss", "dsa"):
        return f"{'dsa' if family == 'dsa' else 'rsa'}:{key.bit_size}"
    return family


def sound(kind: str) -> bool:
    """Whether a key of this kind is strong enough."""
    family, _, size = kind.partition(":")
    if family == "rsa":
        return int(size) >= LEAST_RSA
    return (family == "ec" and size.lower() in CURVES) or family in TWISTED


def weakness(certificate: bytes) -> str:
    """What of a certificate (DER) is too weak: its kind of key, or the digest it was signed over; or ""."""
    from asn1crypto import x509

    try:
        loaded: Certificate = x509.Certificate.load(certificate, strict=True)
        held = kind(loaded.public_key)
    except (ValueError, TypeError, KeyError):
        return "unknown"
    if not sound(held):
        return held
    # by their bytes: names that cannot be compared as RFC 4518 has it are in certificates too
    if loaded.issuer.dump() == loaded.subject.dump():  # nobody relies on what a root says of itself
        return ""
    digest = _digest(loaded["signature_algorithm"])
    return digest if digest in WEAK_DIGESTS else ""


def _digest(algorithm: SignedDigestAlgorithm) -> str:
    try:
        return str(algorithm.hash_algo)
    except ValueError:  # it has none of its own (EdDSA), or is unknown, so that nothing verifies with it
        return ""


@functools.cache
def policy() -> AlgorithmUsagePolicy:
    """The table as pyHanko asks for it, for every signature on a path and in a document."""
    from pyhanko_certvalidator.policy_decl import AlgorithmUsageConstraint, DisallowWeakAlgorithmsPolicy

    class Table(DisallowWeakAlgorithmsPolicy):  # type: ignore[misc, unused-ignore]
        def signature_algorithm_allowed(
            self,
            algo: SignedDigestAlgorithm,
            moment: datetime | None,
            public_key: PublicKeyInfo | None,
        ) -> AlgorithmUsageConstraint:
            if public_key is not None and not sound(held := kind(public_key)):
                return AlgorithmUsageConstraint(False, failure_reason=f"{held} is too weak")
            return super().signature_algorithm_allowed(algo, moment, public_key)

    return Table(frozenset(WEAK_DIGESTS), rsa_key_size_threshold=LEAST_RSA)  # type: ignore[no-untyped-call]
