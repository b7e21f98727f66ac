"""The handing-over party's signature on a record that the receiving officer has signed.

It shows the record's own picture, which is no stamp by any rule set.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from fieldkit.action.sign_documents import held_certificate, signer_of
from fieldkit.action.token_access import TokenAccess
from fieldkit.action.trust_material import TrustMaterial
from fieldkit.errors import FieldkitError, NotConsented
from fieldkit.finding import Finding
from fieldkit.operator import Plan
from fieldkit.pdf import document
from fieldkit.pdf.errors import OutputUnfit
from fieldkit.record import pdf
from fieldkit.record.content import RecordContent, encode, sha256
from fieldkit.record.errors import RecordNotMade, RecordNotVerified, WrongCertificate
from fieldkit.record.render import ATTACHMENT, render_apart
from fieldkit.record.signing import FIELDS, GIVER, drawing, sign_for
from fieldkit.record.verify import VerifiedRecord, verify
from fieldkit.signature.raw_signer import RawSigner
from fieldkit.stamp.place import Place
from fieldkit.text import M
from fieldkit.validation.judgement import Policy

NOT_SIGNED = M("Nothing was signed.")


class SignableRecord(msgspec.Struct, frozen=True):
    """A record that may be signed for the handing-over party. places: of the signatures, by party."""

    path: Path
    content: RecordContent
    places: dict[str, Place]


def options(
    sources: Sequence[Path], field: str, certificate: bytes, material: TrustMaterial
) -> dict[str, Any]:
    """What `fieldkit sign` is to be told so that it signs a record's field as a record has it.

    Nothing for other documents and other fields.

    :raises RecordNotMade: it is the receiver's, or there are several documents: each has its own picture.
    """
    if field not in FIELDS.values() or not any(map(_is_record, sources)):
        return {}
    if field != GIVER or len(sources) > 1:
        raise RecordNotMade(
            M("A handover record is signed for the handing-over party only, one at a time."),
            unchanged=NOT_SIGNED,
            hint=M("Sign each with `fieldkit record sign`."),
        )
    checked = ready(sources[0], certificate, material)
    content = checked.content
    stamp = drawing(content, checked.places["giver"], certificate)
    return {"stamp": stamp, "reason": content.number}


def _is_record(path: Path) -> bool:
    try:
        paper = pdf.read(document.read_bytes(path), path.name)
    except FieldkitError:
        return False  # whatever is wrong with it is said by whoever signs it
    return any(name == ATTACHMENT for name, _ in paper.attached)


def ready(path: Path, certificate: bytes, material: TrustMaterial) -> SignableRecord:
    """Whether the record at `path` may be signed with `certificate` (DER): asked before any PIN.

    :raises RecordNotVerified: it does not hold as it is. :raises RecordNotMade: the party signed it already.
    :raises WrongCertificate: the certificate is the one handed over.
    """
    judged = _judged(path, material)
    content = judged.content
    if content is not None and content.paper == "form":
        raise RecordNotMade(
            M(
                "The form {number} hands nothing over, so it has no place for a signature.",
                number=content.number,
            ),
            unchanged=NOT_SIGNED,
        )
    failed = [check for check in judged.checks if check.severity == "fail" and check.required]
    if failed or content is None:
        raise RecordNotVerified(
            M("The record does not hold as it is, so nobody should sign it."),
            unchanged=NOT_SIGNED,
            hint=M("`fieldkit record verify` says what is wrong with it."),
            detail=_lines(failed),
        )
    if any(signature.field == GIVER for signature in judged.judgement.signatures):
        raise RecordNotMade(
            M("The record is signed for the handing-over party already."), unchanged=NOT_SIGNED
        )
    if not judged.judgement.signatures:
        raise RecordNotMade(
            M("The receiving officer has not signed the record yet, and signs first."), unchanged=NOT_SIGNED
        )
    if sha256(certificate) in {device.sha256 for device in content.devices}:
        raise WrongCertificate(
            M("The certificate is the one that the record hands over; it signs for the receiving party."),
            unchanged=NOT_SIGNED,
            hint=M("Use the certificate of whoever hands over."),
        )
    return SignableRecord(path, content, render_apart(encode(content), content).places)


async def sign_for_giver(
    tokens: TokenAccess,
    path: Path,
    out: Path,
    *,
    token: str,
    certificate: str = "",
    material: TrustMaterial,
    overwrite: bool = False,
) -> tuple[str, VerifiedRecord]:
    """Have the token sign the record at `path` for the handing-over party; its name, and how it was judged.

    :raises OutputUnfit: `out` is there already. :raises NotConsented: nothing was signed.
    """
    if out.exists() and not overwrite:
        raise OutputUnfit(
            M("There is already a file {name}.", name=out.name),
            unchanged=NOT_SIGNED,
            hint=M("Choose another name, or agree to have it replaced."),
        )
    held = await held_certificate(tokens, token, certificate)
    checked = await asyncio.to_thread(ready, path, held.certificate.der, material)
    plan = Plan(
        title=M("Sign the record {number} for the handing-over party", number=checked.content.number),
        steps=(
            M(
                "The token {token} signs with the certificate {label}.",
                token=held.token.name,
                label=held.certificate.label,
            ),
            M("The signed record is written to {path}; it is verified first.", path=str(out)),
        ),
    )
    if not await tokens.operator.consent(plan):
        raise NotConsented(M("The record was not signed: not agreed to."), unchanged=NOT_SIGNED)
    async with signer_of(tokens, held, material) as signer:
        judged = await asyncio.to_thread(countersign, checked, out, signer, material, overwrite=overwrite)
    return checked.content.name, judged


def countersign(
    record: SignableRecord, out: Path, signer: RawSigner, material: TrustMaterial, *, overwrite: bool = False
) -> VerifiedRecord:
    """Sign it into `out`, which is written only if the record holds then.

    :raises RecordNotVerified: it does not. :raises OutputUnfit: `out` is there already.
    """
    with tempfile.TemporaryDirectory(prefix="fieldkit-record-") as name:
        signed = Path(name) / record.path.name
        sign_for(
            "giver",
            record.content,
            record.places,
            record.path,
            signed,
            signer,
            anchors=material.anchors,
            crls=material.crls,
            purposes=material.purposes,
        )
        judged = _judged(signed, material)
        failed = [check for check in judged.checks if check.severity == "fail" and check.required]
        if failed:
            raise RecordNotVerified(
                M("The record that was signed does not verify, so it was not kept."),
                unchanged=M("No file was changed."),
                hint=M("Send the report of `fieldkit doctor` to head office."),
                detail=_lines(failed),
            )
        with document.written(out, overwrite=overwrite) as file:
            file.write(signed.read_bytes())
    return judged


def _lines(failed: Sequence[Finding]) -> str:
    return "\n".join(f"{check.id}: {check.message} {check.detail}".strip() for check in failed)


def _judged(path: Path, material: TrustMaterial) -> VerifiedRecord:
    policy = Policy(purposes=material.purposes)
    return verify(path, trust=material.anchors, crls=material.crls, policy=policy)
