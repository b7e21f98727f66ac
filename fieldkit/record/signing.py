"""How a party signs a record, and what that adds to the file, made again to compare with.

Signing writes the same bytes each time but for the signature itself, identifiers and moments. So everything a
signature brought with it, its picture too, is known beforehand, and whatever else was appended is not ours.
"""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.record import appearance
from fieldkit.record.content import RecordContent
from fieldkit.signature.raw_signer import RawSigner
from fieldkit.signature.sign import Drawing, Reserved, sign
from fieldkit.stamp.place import Place
from fieldkit.stamp.stamp import Stamp

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

RECEIVER = "Receiver"
GIVER = "Giver"
FIELDS: dict[str, str] = {"receiver": RECEIVER, "giver": GIVER}
"""Party to the name of its signature field, in the order in which they sign."""

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
ANY_SERIAL = 1
NOBODY = "fieldkit"
SLOWEST = 5  # seconds between the moment in the picture and the one in the signature


class Revision(msgspec.Struct, frozen=True):
    """A signature and the revision that came with it.

    start, end: where it stands in the file. at: when it was made, as it says. certificate: DER.
    """

    field: str
    start: int
    end: int
    at: datetime
    certificate: bytes


def sign_for(
    party: str,
    content: RecordContent,
    places: dict[str, Place],
    source: Path,
    out: Path,
    signer: RawSigner,
    *,
    anchors: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    purposes: Sequence[str] = (),
    shown: bytes = b"",
    at: datetime | None = None,
    insist: bool = False,
) -> None:
    """Sign `source` into `out` in the field of `party`, with the record's own picture in it.

    The receiver signs first and makes the giver's field, empty, so that a signature there breaks nothing.
    shown, at: the certificate (DER) and moment in the picture, those of this signature unless given.
    """
    reserve = (Reserved(GIVER, places["giver"]),) if party == "receiver" else ()
    sign(
        source,
        out,
        signer,
        field=FIELDS[party],
        stamp=drawing(content, places[party], shown or signer.certificate, at),
        reserve=reserve,
        reason=content.number,
        anchors=anchors,
        crls=crls,
        purposes=purposes,
        overwrite=True,
        insist=insist,
    )


def drawing(content: RecordContent, place: Place, certificate: bytes, at: datetime | None = None) -> Drawing:
    """The record's own picture of a signature with `certificate` (DER), drawn when it is made."""

    def draw(_: Place | None) -> Stamp:
        return appearance.draw(content, place, certificate, at or datetime.now().astimezone())

    return Drawing("person", draw)


def difference(
    data: bytes, revision: Revision, party: str, content: RecordContent, places: dict[str, Place]
) -> str:
    """Where `revision` of the file `data` is not what signing for `party` writes, or ""."""
    written = _normal(data[: revision.end], revision.start)
    difference = 0
    for seconds in range(SLOWEST):
        at = revision.at - timedelta(seconds=seconds)
        expected = _normal(_signed_again(data, revision, party, content, places, at), revision.start)
        if written == expected:
            return ""
        difference = difference or _first_difference(written, expected)
        if difference <= _widget(expected, party):  # before anything that depends on the moment
            break
    return f"object {difference}"


def _widget(appended: bytes, party: str) -> int:
    """The number of the object that is the field of `party`; its picture comes after it."""
    at = appended.index(b"/T (" + FIELDS[party].encode() + b")")
    return _object_at(appended, at)


def _signed_again(
    data: bytes,
    revision: Revision,
    party: str,
    content: RecordContent,
    places: dict[str, Place],
    at: datetime,
) -> bytes:
    """The file as it was before `revision`, signed by a key of no account."""
    with tempfile.TemporaryDirectory(prefix="fieldkit-record-") as folder:
        before, after = Path(folder, "before.pdf"), Path(folder, "after.pdf")
        before.write_bytes(data[: revision.start])
        sign_for(
            party,
            content,
            places,
            before,
            after,
            StandInSigner(revision.certificate),
            shown=revision.certificate,
            at=at,
            insist=True,
        )
        return after.read_bytes()


# what differs each time: the signature and where its bytes are, moments, the second identifier
_MOMENT = rb"D\\072\d{14}(?:Z|[+-]\d\d\\047\d\d(?:\\047)?)"
_VARIABLE: tuple[tuple[re.Pattern[bytes], bytes], ...] = (
    (re.compile(rb"/Contents <[0-9A-F]*>"), b"/Contents"),
    (re.compile(rb"/ByteRange \[\d+ \d+ \d+ \d+\] *"), b"/ByteRange"),
    (re.compile(rb"/(M|ModDate) \(" + _MOMENT + rb"\)"), rb"/\1"),
    (re.compile(rb' xmp:ModifyDate="[0-9T:+-]{19,25}Z?"'), b""),
    (re.compile(rb"/ID \[ (<[0-9a-f]*>) <[0-9a-f]{32}> \]"), rb"/ID \1"),
)
_OBJECT = re.compile(rb"(\d{1,10}) 0 obj\b")
_ENTRY = re.compile(rb"(\d{10}) 00000 n ")
_START = re.compile(rb"startxref\n(\d{1,20})\n")
_METADATA = re.compile(
    rb"/Length (\d{1,10})\n/Type /Metadata\n/Subtype /XML\n>>\nstream\n(.*?)\nendstream\n", re.S
)


def _normal(data: bytes, start: int) -> bytes:
    """What was appended at `start` without what differs each time; offsets become what they lead to."""

    def entry(match: re.Match[bytes]) -> bytes:
        target = _OBJECT.match(data, int(match[1])) if int(match[1]) >= start else None
        return b"at " + target[1] if target else match[0]

    def table(match: re.Match[bytes]) -> bytes:
        at = int(match[1])
        return b"startxref" if at >= start and data.startswith(b"xref\n", at) else match[0]

    def metadata(match: re.Match[bytes]) -> bytes:
        return b"/XML " + match[2] if int(match[1]) == len(match[2]) else match[0]

    appended = _ENTRY.sub(entry, data[start:])
    appended = _START.sub(table, appended)
    appended = _METADATA.sub(metadata, appended)
    for pattern, replacement in _VARIABLE:
        appended = pattern.sub(replacement, appended)
    return appended


def _first_difference(written: bytes, expected: bytes) -> int:
    """The number of the object in which the two begin to differ."""
    at = next(
        (at for at, (one, other) in enumerate(zip(written, expected, strict=False)) if one != other),
        min(len(written), len(expected)),
    )
    return _object_at(expected, at)


def _object_at(appended: bytes, at: int) -> int:
    """The number of the object that begins at or before `at`."""
    return int(next((match[1] for match in reversed(list(_OBJECT.finditer(appended, 0, at)))), 0))


class StandInSigner:
    """A signer of the kind of key in `certificate` (DER): made on the spot, its own certificate says nothing.

    An elliptic key asks for other extensions of PDF than RSA does, and they stand in the file.
    """

    chain: tuple[bytes, ...] = ()

    def __init__(self, certificate: bytes) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        public = x509.load_der_x509_certificate(certificate).public_key()
        curve = public.curve.name if isinstance(public, ec.EllipticCurvePublicKey) else ""
        self._key, self.certificate = _stand_in(curve)

    def sign(self, data: bytes, mechanism: str) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


@functools.cache
def _stand_in(curve: str) -> tuple[EllipticCurvePrivateKey | RSAPrivateKey, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    curves = {supported.name: supported for supported in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())}
    key = (
        ec.generate_private_key(curves.get(curve, ec.SECP256R1()))
        if curve
        else rsa.generate_private_key(65537, 2048)
    )
    nobody = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NOBODY)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(nobody)
        .issuer_name(nobody)
        .public_key(key.public_key())
        .serial_number(ANY_SERIAL)
        .not_valid_before(LONG_AGO)
        .not_valid_after(LONG_AGO)
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(Encoding.DER)
