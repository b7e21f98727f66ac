"""A record beside the one that the journal keeps, and words that look like others, never pass for it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from fieldkit.record.build import build
from fieldkit.record.content import RecordContent, decode, encode, statement
from fieldkit.record.handover import hand_over
from fieldkit.record.render import render
from fieldkit.record.verify import verify
from fieldkit.text import Words
from fieldkit.visit.visits import Visits
from tests.pki import Pki, SoftwareSigner
from tests.record import forging
from tests.record.conftest import ANSWERS, People
from tests.record.sample import sample, sealed
from tests.record.test_forgeries import forged
from tests.record.test_form import surveyed

EARLIER = "2026-11-01T08:00:00+07:00"


def resealed(content: RecordContent, visits: Visits) -> RecordContent:
    """The content as the device signs it: whoever has the laptop can have it do that."""
    return msgspec.structs.replace(content, signature=visits.store.sign(statement(content)).hex())


def test_a_second_form_with_the_number_of_the_one_that_the_journal_keeps_is_refused(
    visits: Visits, people: People, tmp_path: Path
) -> None:
    made = asyncio.run(hand_over(visits, surveyed(visits), people))
    content = decode(made.json.read_bytes())
    other = resealed(msgspec.structs.replace(content, made=EARLIER), visits)
    second = tmp_path / "second.pdf"
    second.write_bytes(render(other).pdf)
    judged = verify(second, trust=(), store=visits.store)
    told = {check.id: check.severity for check in judged.checks}
    assert (told["content"], told["journal"], judged.verdict) == ("pass", "fail", "fail")
    assert verify(made.pdf, trust=(), store=visits.store).verdict == "pass"


def test_a_record_put_back_into_the_first_form_is_not_the_one_that_the_journal_keeps(
    visits: Visits, visit: str, officer: SoftwareSigner, pki: Pki, tmp_path: Path
) -> None:
    signed_off = visits.sign_off(visit, ANSWERS["officer_name"], ANSWERS["officer_title"])
    content = build(signed_off, visits.store, visits.profiles, made=datetime.now().astimezone())
    kept = visits.store.attach(encode(content), "record.json")
    visits.recorded(
        visit, {"name": content.name, "pdf": "", "json": kept.sha256, "signed": True}, kept.sha256
    )
    first = forging.EDITS["the first form, as it was"](content, officer)
    forged(msgspec.structs.replace(first, made=EARLIER), officer, tmp_path)
    judged = verify(tmp_path / "out.pdf", trust=pki.anchors, crls=pki.crls(), store=visits.store)
    assert judged.verdict == "fail", judged.checks
    (tmp_path / "out.pdf").unlink()
    forged(content, officer, tmp_path)
    same = verify(tmp_path / "out.pdf", trust=pki.anchors, crls=pki.crls(), store=visits.store)
    assert same.verdict == "pass", same.checks


NUMBER = ("number", "25", Words("25", "25"))
DAY = ("date", "2026-11-02", Words("02/11/2026", "2026-11-02"))


@pytest.mark.parametrize(
    ("kind", "value", "answer", "agrees"),
    [
        (*NUMBER, True),
        (*DAY, True),
        ("number", "n/a", Words("n/a", "n/a"), True),
        ("number", "2500", Words("25", "25"), False),
        ("number", "2500", Words("25", "2500"), False),
        ("number", "25.004", Words("25.00", "25.004"), False),
        ("date", "2026-02-11", Words("02/11/2026", "2026-02-11"), False),
        ("", "2500", Words("25", "25"), False),
        ("text", "2500", Words("25", "25"), False),
    ],
)
def test_a_value_for_tables_that_is_not_the_answer_on_the_paper_is_refused(
    tmp_path: Path, kind: str, value: str, answer: Words, agrees: bool
) -> None:
    content = sample("Nguyễn Thị Mẫu", "ghi chú")
    (part,) = content.parts
    row = msgspec.structs.replace(part.rows[0], kind=kind, value=value, answer=answer)
    told = msgspec.structs.replace(content, parts=(msgspec.structs.replace(part, rows=(row,)),))
    paper = tmp_path / "record.pdf"
    paper.write_bytes(render(sealed(told)).pdf)
    failed = [check.id for check in verify(paper, trust=()).checks if check.severity == "fail"]
    assert failed == ([] if agrees else ["values"])
