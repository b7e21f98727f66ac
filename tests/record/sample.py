"""A record of an invented bureau, without a store behind it."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fieldkit.journal.device import name_of
from fieldkit.journal.entry import Head
from fieldkit.journal.mark import statement
from fieldkit.record.content import JournalHead, Part, Party, RecordContent, Renderer, Row, VisitFacts
from fieldkit.record.render import look, typst_version
from fieldkit.text import Words, nfc


def sample(name: str, remark: str) -> RecordContent:
    """A short one, with these words of people's in every place that takes them."""
    name, remark = nfc(name), nfc(remark)
    said = Words(name, remark)
    return RecordContent(
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
        parts=(Part(said, (Row("i", said, said, name, "2026-11-24T15:20:05+07:00"),)),),
        notes=(remark,),
        visit=VisitFacts("v", "MAU-01", "handover", "1.0", "0" * 64, "2026-11-24T14:30:05+07:00"),
        journal=_head(57, "9f" * 32),
        renderer=Renderer("0.1.0", typst_version(), look()),
    )


def _head(seq: int, hash: str) -> JournalHead:
    """A head as a device signs it."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public = key.public_key().public_bytes_raw()
    signed = key.sign(statement(Head(name_of(public), seq, hash)))
    return JournalHead(name_of(public), seq, hash, public.hex(), signed.hex())
