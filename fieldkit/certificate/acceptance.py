"""Whether a certificate that was described may go onto a token, or be handed over on one."""

from __future__ import annotations

from fieldkit.certificate.errors import CertificateRevoked, DossierMismatch
from fieldkit.certificate.identity import UNCHANGED
from fieldkit.certificate.inspect import Description
from fieldkit.text import M


def admit(description: Description, who: str) -> None:
    """Let a certificate pass that is not revoked and is the one that was asked for.

    :raises CertificateRevoked, DossierMismatch: it is not.
    """
    failed = {finding.id: finding for finding in description.findings if finding.severity == "fail"}
    if "revocation" in failed:
        raise CertificateRevoked(
            M("The certificate of {who} was revoked; it is not put on a token.", who=who),
            unchanged=UNCHANGED,
            hint=M("Ask the authority for a new certificate."),
            detail=failed["revocation"].detail,
        )
    differing = [finding for id, finding in failed.items() if id.startswith("dossier-")]
    if differing:
        raise DossierMismatch(
            M("The certificate of {who} is not the one that the dossier asks for.", who=who),
            unchanged=UNCHANGED,
            hint=M("Ask head office which is right, the dossier or the certificate."),
            detail="; ".join(str(finding.message) for finding in differing),
        )
