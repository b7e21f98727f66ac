"""What signing a record appends is known to the byte; whatever else was appended is found, and where."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from fieldkit.certificate.errors import CertificateRevoked
from fieldkit.errors import FieldkitError
from fieldkit.record import pdf
from fieldkit.record.content import RecordContent
from fieldkit.record.render import Rendered, render
from fieldkit.record.signing import Revision, difference, sign_for
from fieldkit.signature.sign import sign
from tests.pki import Pki, SoftwareSigner
from tests.record.sample import handing_over

DRAWN = datetime.fromisoformat("2026-11-24T16:00:00+07:00")
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def content(officer: SoftwareSigner) -> RecordContent:
    return handing_over(officer.certificate)


@pytest.fixture(scope="module")
def rendered(content: RecordContent) -> Rendered:
    return render(content)


class Signing:
    """Signs the record for its parties, and compares what that appended with what it should be."""

    def __init__(self, folder: Path, content: RecordContent, rendered: Rendered) -> None:
        self._folder = folder
        self.content, self.rendered = content, rendered

    def signed(self, data: bytes, party: str, signer: SoftwareSigner, at: datetime | None = DRAWN) -> bytes:
        source, out = self._folder / "source.pdf", self._folder / "out.pdf"
        source.write_bytes(data)
        sign_for(party, self.content, self.rendered.places, source, out, signer, at=at)
        return out.read_bytes()

    def difference(self, data: bytes, party: str, revision: Revision) -> str:
        return difference(data, revision, party, self.content, self.rendered.places)


@pytest.fixture(scope="module")
def signing(content: RecordContent, rendered: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Signing:
    return Signing(tmp_path_factory.mktemp("signing"), content, rendered)


@pytest.fixture(scope="module")
def received(signing: Signing, officer: SoftwareSigner) -> bytes:
    """The record, signed for the receiver."""
    return signing.signed(signing.rendered.pdf, "receiver", officer)


@pytest.fixture(scope="module")
def given_too(signing: Signing, received: bytes, pki: Pki) -> bytes:
    """The record, signed for both."""
    return signing.signed(received, "giver", pki.signer("Somebody Else"))


def revisions(data: bytes, at: datetime = DRAWN) -> list[Revision]:
    """The revisions of `data`, as if they had been signed then."""
    return [msgspec.structs.replace(revision, at=at) for revision in pdf.read(data, "record.pdf").revisions]


def test_what_both_parties_append_is_known(signing: Signing, given_too: bytes) -> None:
    receiver, giver = revisions(given_too)
    assert signing.difference(given_too, "receiver", receiver) == ""
    assert signing.difference(given_too, "giver", giver) == ""


@pytest.mark.parametrize(
    "curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name
)
def test_what_an_elliptic_key_appends_is_known(signing: Signing, pki: Pki, curve: ec.EllipticCurve) -> None:
    data = signing.signed(signing.rendered.pdf, "receiver", pki.signer(key=ec.generate_private_key(curve)))
    assert signing.difference(data, "receiver", *revisions(data)) == ""


def test_the_picture_shows_the_moment_of_signing_unless_another_is_given(
    signing: Signing, officer: SoftwareSigner
) -> None:
    data = signing.signed(signing.rendered.pdf, "receiver", officer, None)
    assert signing.difference(data, "receiver", *pdf.read(data, "record.pdf").revisions) == ""


def test_a_signature_follows_its_picture_within_seconds(signing: Signing, received: bytes) -> None:
    for seconds in (0, 4):
        assert signing.difference(received, "receiver", *revisions(received, DRAWN + seconds * SECOND)) == ""
    for seconds in (-1, 5):
        assert signing.difference(received, "receiver", *revisions(received, DRAWN + seconds * SECOND))


def _objects(data: bytes, start: int) -> list[tuple[int, int]]:
    """Number and place of each object appended at `start`."""
    return [(int(match[1]), start + match.start()) for match in re.finditer(rb"(\d+) 0 obj\b", data[start:])]


def test_the_object_that_differs_is_named(signing: Signing, received: bytes) -> None:
    (revision,) = revisions(received)
    first, *_, picture = _objects(received, revision.start)
    for number, place in (first, picture):
        end = received.index(b"endobj", place)
        changed = received[: end - 1] + b"%" + received[end:]
        assert signing.difference(changed, "receiver", revision) == f"object {number}", number
    last, _ = picture
    cut = msgspec.structs.replace(revision, end=revision.end - 30)
    assert signing.difference(received, "receiver", cut) == f"object {last}"
    longer = received + b"% more\n"
    more = msgspec.structs.replace(revision, end=len(longer))
    assert signing.difference(longer, "receiver", more) == f"object {last}"


def test_anything_but_the_records_own_picture_differs(
    signing: Signing, received: bytes, officer: SoftwareSigner, tmp_path: Path
) -> None:
    (revision,) = revisions(received)
    other = msgspec.structs.replace(revision, certificate=Pki().signer("Somebody Else").certificate)
    assert signing.difference(received, "receiver", other)
    plain, out = tmp_path / "plain.pdf", tmp_path / "out.pdf"
    plain.write_bytes(received)
    sign(plain, out, officer, field="Giver")
    data = out.read_bytes()
    _, giver = revisions(data)
    assert re.fullmatch(r"object [1-9]\d*", signing.difference(data, "giver", giver))


def _old_copy(data: bytes, start: int) -> bytes:
    """An object that was appended is looked for where it stood before."""
    number, place = next(
        (n, at) for n, at in _objects(data, start) if re.search(rb"\n%d 0 obj\b" % n, data[:start])
    )
    before = re.search(rb"\n%d 0 obj\b" % number, data)
    assert before is not None
    return data.replace(b"%010d 00000 n" % place, b"%010d 00000 n" % (before.start() + 1))


def _nowhere(data: bytes, start: int) -> bytes:
    _, place = _objects(data, start)[0]
    return data.replace(b"%010d 00000 n" % place, b"%010d 00000 n" % (place + 1))


def _exchanged(data: bytes, start: int) -> bytes:
    """An object is looked for where another stands."""
    (_, one), (_, other), *_ = _objects(data, start)
    return data.replace(b"%010d 00000 n" % one, b"%010d 00000 n" % other)


def _table(place: Callable[[bytes], int]) -> Callable[[bytes, int], bytes]:
    def change(data: bytes, _: int) -> bytes:
        at = data.rindex(b"startxref\n") + len(b"startxref\n")
        end = data.index(b"\n", at)
        return data[:at] + str(place(data)).encode().rjust(end - at, b"0") + data[end:]

    return change


def _length(data: bytes, start: int) -> bytes:
    """The description says that it is one byte longer than it is."""
    match = re.search(rb"/Length (\d+)\n/Type /Metadata", data[start:])
    assert match is not None
    at = start + match.start(1)
    return data[:at] + str(int(match[1]) + 1).encode() + data[start + match.end(1) :]


def _description(data: bytes, start: int) -> bytes:
    at = data.index(b"<x:xmpmeta", start)
    return data[:at] + data[at:].replace(b"fieldkit", b"fieldKit", 1)


def _identifier(data: bytes, start: int) -> bytes:
    at = data.rindex(b"/ID [ <") + 7
    return data[:at] + (b"0" if data[at : at + 1] != b"0" else b"1") + data[at + 1 :]


@pytest.mark.parametrize(
    "change",
    [
        _old_copy,
        _nowhere,
        _exchanged,
        _table(lambda data: data.rindex(b"\nxref\n")),
        _table(lambda data: data.index(b"\nxref\n") + 1),
        _length,
        _description,
        _identifier,
    ],
)
def test_tables_and_descriptions_lead_where_signing_makes_them_lead(
    signing: Signing, received: bytes, change: Callable[[bytes, int], bytes]
) -> None:
    (revision,) = revisions(received)
    changed = change(received, revision.start)
    assert changed != received
    assert len(changed) == len(received)
    assert signing.difference(changed, "receiver", revision)


def test_a_signature_says_which_record_it_is_for(signing: Signing, received: bytes) -> None:
    assert signing.content.number.encode() in received[len(signing.rendered.pdf) :]


def test_who_may_not_sign_does_not_sign_a_record(
    signing: Signing, officer: SoftwareSigner, pki: Pki, tmp_path: Path
) -> None:
    source, out = tmp_path / "source.pdf", tmp_path / "out.pdf"
    source.write_bytes(signing.rendered.pdf)
    record = ("receiver", signing.content, signing.rendered.places, source, out)
    with pytest.raises(CertificateRevoked):
        sign_for(*record, officer, anchors=pki.anchors, crls=pki.crls(officer))
    expired = pki.signer(end=datetime.fromisoformat("2026-11-25T00:00:00+00:00"))
    meant = pki.signer(purposes=[ec.EllipticCurveOID.SECP256R1])
    for signer in (expired, meant):
        with pytest.raises(FieldkitError):
            sign_for(*record, signer)
        assert not out.exists()
    sign_for(*record, expired, insist=True)
    assert out.read_bytes() != source.read_bytes()
    sign_for(*record, meant, purposes=[ec.EllipticCurveOID.SECP256R1.dotted_string])
    assert pdf.read(out.read_bytes(), "out.pdf").revisions[0].certificate == meant.certificate
