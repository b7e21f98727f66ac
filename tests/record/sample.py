"""A record of an invented bureau, without a store behind it."""

from __future__ import annotations

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fieldkit.certificate import name as names
from fieldkit.journal.device import name_of
from fieldkit.journal.entry import Head
from fieldkit.journal.signed_head import statement as head_statement
from fieldkit.record.content import (
    HandedOverToken,
    JournalHead,
    Party,
    RecordContent,
    RecordRow,
    RecordSection,
    Renderer,
    VisitFacts,
    sha256,
    statement,
)
from fieldkit.record.render import layout_hash, typst_version
from fieldkit.text import Words, nfc


def sample(name: str, remark: str) -> RecordContent:
    """A short one, with these words of people's in every place that takes them."""
    name, remark = nfc(name), nfc(remark)
    said = Words(name, remark)
    content = RecordContent(
        name="sample-record",
        number="sample/BBBG",
        title=Words("Biên bản bàn giao", "Handover record"),
        language="both",
        sample=True,
        draft=False,
        made="2026-11-24T15:30:05+07:00",
        place=remark,
        basis=(said,),
        giver=Party(said, name, said, said, remark, remark, remark, remark),
        receiver=Party(said, name, said),
        devices=(),
        tests=(),
        parts=(RecordSection(said, (RecordRow("i", said, said, name, "2026-11-24T15:20:05+07:00"),)),),
        notes=(remark,),
        visit=VisitFacts("v", "MAU-01", "handover", "1.0", "0" * 64, "2026-11-24T14:30:05+07:00"),
        journal=head(57, "9f" * 32),
        renderer=Renderer("0.1.0", typst_version(), layout_hash()),
    )
    return sealed(content)


def handing_over(certificate: bytes) -> RecordContent:
    """A short record that hands over this certificate."""
    held = x509.load_der_x509_certificate(certificate)
    word = Words("một", "one")
    device = HandedOverToken(
        subscriber="Nguyễn Thị Mẫu",
        subject=names.text(held.subject),
        issuer=names.text(held.issuer),
        certificate_serial=f"{held.serial_number:x}",
        not_before=held.not_valid_before_utc.isoformat(),
        not_after=held.not_valid_after_utc.isoformat(),
        sha256=sha256(certificate),
        key="rsa:2048",
        model="SoftHSM v2",
        manufacturer="",
        token_serial="7b8b",
        token_label="MAU-01",
        holder=word,
        email="",
        pin=word,
    )
    return sealed(msgspec.structs.replace(sample("Nguyễn Thị Mẫu", "ghi chú"), devices=(device,)))


DEVICE = Ed25519PrivateKey.from_private_bytes(bytes(32))


def sealed(content: RecordContent, key: Ed25519PrivateKey = DEVICE) -> RecordContent:
    """The content, signed by the device that has `key`."""
    return msgspec.structs.replace(content, signature=key.sign(statement(content)).hex())


def head(seq: int, hash: str, key: Ed25519PrivateKey = DEVICE) -> JournalHead:
    """A head as the device that has `key` signs it."""
    public = key.public_key().public_bytes_raw()
    signed = key.sign(head_statement(Head(name_of(public), seq, hash)))
    return JournalHead(name_of(public), seq, hash, public.hex(), signed.hex())
