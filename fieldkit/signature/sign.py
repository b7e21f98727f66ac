"""Sign a PDF by PAdES with a key that only signs: everything that can be checked is, before the key is used.

pyHanko is loaded by the functions that need it, not by importing this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec

from fieldkit.certificate import usage
from fieldkit.certificate.errors import CertificateExpired, CertificateNotYetValid, CertificateUsage
from fieldkit.certificate.strength import weakness
from fieldkit.errors import Refused
from fieldkit.finding import Finding
from fieldkit.operator import Progress
from fieldkit.pdf import boundary, document
from fieldkit.pdf.errors import DocumentLocked, SigningFailed, TimestampFailed
from fieldkit.signature import permission
from fieldkit.signature.raw_signer import RawSigner
from fieldkit.stamp.place import Place as Place
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from asn1crypto.x509 import Certificate
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.fields import SigFieldSpec
    from pyhanko.sign.timestamps import TimeStamper

    from fieldkit.secret import Secret
    from fieldkit.signature.signer import TokenSigner
    from fieldkit.stamp.stamp import Stamp
    from fieldkit.validation.trust import Trust

Level = Literal["b-b", "b-t", "b-lt", "b-lta"]
ANYTHING = ("certificate-expired", "certificate-not-yet-valid", "certificate-usage")
"""What a person may insist on signing in spite of, where no rule set says less."""
LEVELS: tuple[Level, ...] = ("b-b", "b-t", "b-lt", "b-lta")
IN_MEMORY = 8 * 1024 * 1024  # bytes; a larger document goes from file to file


class Reserved(msgspec.Struct, frozen=True):
    """An empty field made together with this signature, for one that follows (person, then seal)."""

    field: str
    place: Place | None = None


class Drawing(msgspec.Struct, frozen=True):
    """A stamp drawn when the field is known: in its place, or where the stamp goes in a new one (None)."""

    kind: str
    draw: Callable[[Place | None], Stamp]


class SignedDocument(msgspec.Struct, frozen=True):
    """What was written. sha256: of the whole file. checks: what was looked at on the way."""

    out: str
    field: str
    level: str
    sha256: str
    checks: tuple[Finding, ...] = ()


def sign(
    source: Path,
    out: Path,
    signer: RawSigner,
    *,
    level: Level = "b-b",
    stamp: Stamp | Drawing | None = None,
    field: str = "",
    reserve: Sequence[Reserved] = (),
    tsa: str | None = None,
    reason: str = "",
    anchors: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    password: Secret | None = None,
    overwrite: bool = False,
    insist: bool | Sequence[str] = False,
    network: bool = True,
    purposes: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
) -> SignedDocument:
    """Sign `source` into `out`, which appears complete or not at all.

    field: an existing empty one, or the name of a new one; chosen when "". stamp: drawn by a function
    where it depends on the field, which is given to it (None: the field shows nothing yet). reserve:
    empty fields to make with it. tsa: the timestamp authority's address, needed above B-B. anchors,
    crls: DER or PEM, needed above B-T. overwrite: `out` may be there already, even be `source`.
    insist: sign with a certificate that is expired, not yet valid or not meant for signatures (True, or
    the codes of those that the rules allow); never with a revoked one, or one with a weak key. purposes:
    see `certificate.usage.may_sign`.

    :raises Refused: the certificate may not sign, or the document may not be signed.
    :raises KeyUnsupported: the certificate is too weak.
    """
    from fieldkit.validation.trust import trust

    tell = progress or (lambda _: None)
    tell(Progress(M("Checking the certificate"), 0, 3))
    if level != "b-b" and not tsa:
        raise TimestampFailed(
            M("The level {level} needs a timestamp authority, and none is configured.", level=level.upper()),
            unchanged=boundary.UNCHANGED,
            hint=M("Give its address with --tsa, or sign at level B-B."),
        )
    believed = trust(
        anchors, (signer.certificate, *signer.chain), crls, network=network and level in ("b-lt", "b-lta")
    )
    checks = may_sign(signer.certificate, believed, insist=insist, purposes=purposes)
    with boundary.signing(source.name):
        from fieldkit.signature.signer import HttpTimeStamper, TokenSigner

        token = TokenSigner(signer)
        stamper = HttpTimeStamper(tsa) if tsa and level != "b-b" else None
    # in this order: that the source stayed as it was is settled before the output gets its name
    with document.written(out, overwrite=overwrite) as made, document.opened(source) as file:
        tell(Progress(M("Signing {name}", name=source.name), 1, 3))
        with boundary.signing(source.name):
            name, signed_before = _sign(
                file,
                made,
                source.name,
                token,
                stamper,
                believed,
                level,
                stamp,
                field,
                reserve,
                reason,
                password,
            )
        tell(Progress(M("Reading the signed file again"), 2, 3))
        checks += _reopened(made, name, source.name, password, file if signed_before else None)
        digest = document.sha256(made)
    tell(Progress(M("Signed: {name}", name=out.name), 3, 3))
    return SignedDocument(str(out), name, level, digest, tuple(checks))


def may_sign(
    holder: bytes, believed: Trust, *, insist: bool | Sequence[str] = False, purposes: Sequence[str] = ()
) -> list[Finding]:
    """Whether the certificate `holder` (DER) may sign now, before any key is used.

    :raises CertificateExpired, CertificateNotYetValid, CertificateUsage, CertificateRevoked: it may not.
    :raises KeyUnsupported: it is too weak.
    """
    from fieldkit.certificate.errors import KeyUnsupported
    from fieldkit.validation.trust import certificates

    (certificate,) = certificates((holder,))
    if weak := weakness(holder):
        raise KeyUnsupported(
            M("The certificate is too weak for signatures of today: {weakness}.", weakness=weak),
            unchanged=boundary.UNCHANGED,
            hint=M("Ask the authority for a certificate with an RSA key of 2048 bits or a P-256 key."),
        )
    now = datetime.now(UTC)
    checks = [
        Finding("certificate-dates", "pass", M("The certificate is valid today."), _period(certificate)),
        Finding(
            "certificate-usage", "pass", M("The certificate is meant for signatures."), _usage(certificate)
        ),
    ]
    fault = _unfit(certificate, now, purposes)
    if fault is not None:
        allowed = ANYTHING if insist is True else insist or ()
        if fault.code not in allowed:
            raise fault
        at = 1 if isinstance(fault, CertificateUsage) else 0
        problem = fault.message
        assert isinstance(problem, Message)
        checks[at] = Finding(checks[at].id, "fail", M("{problem} You insisted.", problem=problem))
    checks.append(_revocation(certificate, believed, now))
    return checks


def _unfit(certificate: Certificate, now: datetime, purposes: Sequence[str]) -> Refused | None:
    """Why dates or usage forbid a signature, or None."""
    if now > certificate.not_valid_after:
        return CertificateExpired(
            M("The certificate expired on {day}.", day=_day(certificate.not_valid_after)),
            unchanged=boundary.UNCHANGED,
            hint=M("Ask the authority to renew it."),
        )
    if now < certificate.not_valid_before:
        return CertificateNotYetValid(
            M("The certificate is valid only from {day}.", day=_day(certificate.not_valid_before)),
            unchanged=boundary.UNCHANGED,
            hint=M("Look at this machine's clock, or wait for that day."),
        )
    if not usage.may_sign(certificate.dump(), purposes):
        return CertificateUsage(
            M("The certificate was not issued for signing documents."),
            unchanged=boundary.UNCHANGED,
            hint=M("Use another certificate; this one's usage is: {usage}.", usage=_usage(certificate)),
        )
    return None


def _revocation(certificate: Certificate, believed: Trust, now: datetime) -> Finding:
    from pyhanko_certvalidator.errors import RevokedError

    if not believed.crls:
        return Finding(
            "certificate-revocation",
            "not-checked",
            M("Whether the certificate is revoked was not looked up: no revocation list was given."),
        )
    if not believed.anchors:
        return Finding(
            "certificate-revocation",
            "not-checked",
            M("Whether the certificate is revoked is not known: without a trust anchor no list is believed."),
        )
    offline = msgspec.structs.replace(believed, network=False)
    fault = offline.path_fault(certificate, now, "require")
    if isinstance(fault, RevokedError):
        raise boundary.revoked(fault)
    if fault is None:
        return Finding(
            "certificate-revocation", "pass", M("The revocation lists do not name the certificate.")
        )
    return Finding(
        "certificate-revocation",
        "not-checked",
        M("The revocation lists given do not settle whether the certificate is revoked."),
        boundary.kind_of(fault),
    )


def _sign(
    file: BinaryIO,
    made: BinaryIO,
    title: str,
    token: TokenSigner,
    stamper: TimeStamper | None,
    believed: Trust,
    level: Level,
    stamp: Stamp | Drawing | None,
    field: str,
    reserve: Sequence[Reserved],
    reason: str,
    password: Secret | None,
) -> tuple[str, bool]:
    """Write the signed document into `made`; the name of the field, and whether it was signed before."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields, signers

    from fieldkit.pdf.form import leave_out_nothings, nothing

    size = file.seek(0, 2)
    file.seek(0)
    source = BytesIO(file.read()) if size <= IN_MEMORY else file
    # as patient as viewers are; what comes of it is read again before it is given out
    writer = IncrementalPdfFileWriter(source, strict=False)
    if writer.prev.encrypted:
        boundary.unlock(writer.encrypt, title, password)
    signature_state = permission.standing(writer.prev, title)
    reserved = [reserved_field.field for reserved_field in reserve]
    kind = stamp.kind if stamp is not None else ""
    name = permission.choose(signature_state, field, kind, reserved, title)
    existing = signature_state.field(name)
    if stamp is not None and existing is not None and existing.place is None:
        raise permission.invisible(name, title)
    if isinstance(stamp, Drawing):
        stamp = stamp.draw(existing.place if existing is not None else None)
    spec = None
    if existing is None:
        spec = _field_spec(name, stamp.place if stamp else None)
    places = [stamp.place if stamp else None, *(reserved_field.place for reserved_field in reserve)]
    leave_out_nothings(writer, {place.page if place else 0 for place in places})
    for reserved_field in reserve:
        if signature_state.field(reserved_field.field) is None:
            new = _field_spec(reserved_field.field, reserved_field.place, shown=False)
            fields.append_signature_field(writer, new)
    long_term = level in ("b-lt", "b-lta")
    meta = signers.PdfSignatureMetadata(
        field_name=name,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
        reason=reason or None,
        embed_validation_info=long_term,
        use_pades_lta=level == "b-lta",
        validation_context=believed.context(None if believed.network else datetime.now(UTC), "require")
        if long_term
        else None,
        signer_key_usage=set(),  # looked at by `may_sign`, where the person may insist
    )
    pdf_signer = signers.PdfSigner(
        meta,
        token,
        timestamper=stamper,
        stamp_style=stamp.style() if stamp else nothing(),
        new_field_spec=spec,
    )
    pdf_signer.sign_pdf(writer, bytes_reserved=token.room(timestamped=stamper is not None), output=made)
    return name, signature_state.signatures > 0


def _field_spec(name: str, place: Place | None, *, shown: bool = True) -> SigFieldSpec:
    """The new field `name` at `place`. shown: whether it has an appearance before it is signed."""
    from pyhanko.sign.fields import SigFieldSpec

    page, box = (place.page, place.box) if place else (0, None)
    return SigFieldSpec(name, on_page=page, box=box, empty_field_appearance=shown)


def _reopened(
    made: BinaryIO, field: str, name: str, password: Secret | None, source: BinaryIO | None
) -> list[Finding]:
    """The field is in the file that was written, filled: some damaged inputs lose it without a word.

    source: the document as it was, where it was signed before; every signature that held there still does.
    """
    from pyhanko.sign import fields

    from fieldkit.pdf.reader import patient

    def read_pdf(file: BinaryIO) -> PdfFileReader:
        file.seek(0)
        reader = patient(file)
        if reader.encrypted:
            reader.decrypt(password.reveal() if password else "")
        return reader

    with boundary.reading(name):
        reader = read_pdf(made)
        filled = [field_name for field_name, _, _ in fields.enumerate_sig_fields(reader, filled_status=True)]
        broken = permission.broken(reader, read_pdf(source)) if source is not None else ""
    if field not in filled:
        raise SigningFailed(
            M("The signature cannot be found in the file that was written; it was discarded."),
            unchanged=boundary.UNCHANGED,
            hint=M("The file is damaged in a way that hides it. Save it again as PDF, then try again."),
        )
    if broken:
        raise DocumentLocked(
            M("Signing {name} would break the signature in its field {field}.", name=name, field=broken),
            unchanged=boundary.UNCHANGED,
            hint=M("Ask its signer for a copy that still allows signatures."),
        )
    checks = [Finding("reopened", "pass", M("The file was read again and holds the signature."), field)]
    if source is not None:
        checks.append(
            Finding("earlier-signatures", "pass", M("The signatures that were there before still hold."))
        )
    return checks


def _period(certificate: Certificate) -> str:
    return f"{_day(certificate.not_valid_before)} – {_day(certificate.not_valid_after)}"


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


def _usage(certificate: Certificate) -> str:
    held = certificate.key_usage_value
    named = sorted(held.native) if held is not None else ["unrestricted"]
    extended = usage.extended_key_usage(certificate.dump())
    return ", ".join(filter(None, (*named, extended)))
