"""A certificate as the steps that settle it judge it, and what of it evidence keeps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from fieldkit.certificate import inspect
from fieldkit.certificate.inspect import Description
from fieldkit.driver.detect import explain
from fieldkit.finding import Finding
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import token_facts
from fieldkit.text import M
from fieldkit.token.model import Token

PROVED = Finding("key-proved", "pass", M("A signature by the token verifies with the certificate."))


def described(
    context: Context, certificate: bytes, chain: Iterable[bytes] = (), *, has_private_key: bool = False
) -> Description:
    """A certificate (DER) judged now, by the bureau's authority and dossier. chain: what came with it."""
    material = context.material()
    return inspect.describe(
        certificate,
        at=datetime.now(UTC),
        anchors=material.anchors,
        chain=(*chain, *material.others),
        crls=material.crls,
        has_private_key=has_private_key,
        dossier=context.bureau.dossier,
        purposes=material.purposes,
    )


def facts(token: Token, key_id: str, description: Description) -> dict[str, object]:
    """The token and the certificate on it, for later steps and the record. key_id: CKA_ID, hexadecimal."""
    return {
        **token_facts(token),
        "key_id": key_id,
        "subject": description.subject,
        "issuer": description.issuer,
        "serial_number": description.serial_number,
        "not_before": description.not_before,
        "not_after": description.not_after,
        "sha256": description.sha256,
        "key": description.key,
    }


def kind(context: Context) -> Finding | None:
    """By which profile the bureau's token is treated, and how well that is known."""
    profile = context.token_profile
    if profile is None:
        return None
    message = M(
        "Token profile {profile} ({known}); its PIN rules ({rules}).",
        profile=profile.id,
        known=explain(profile.known),
        rules=explain(profile.pin_policy.known),
    )
    return Finding("token-profile", "info", message)
