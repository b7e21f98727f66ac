"""A form that is only recorded: closed without a token, printed as a form, verified by its journal."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from fieldkit.access import make_private_folder
from fieldkit.checklist.errors import ChecklistInvalid
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.record.build import build, from_journal
from fieldkit.record.content import FORM_SCHEMA, decode, encode
from fieldkit.record.errors import RecordNotMade, RecordNotRendered, RecordUnreadable
from fieldkit.record.handover import hand_over
from fieldkit.record.render import render
from fieldkit.record.verify import verify
from fieldkit.text import Words
from fieldkit.visit.visits import Visits
from tests.conftest import Run
from tests.record.conftest import ANSWERS, People

SURVEY = {
    "survey_date": "2026-11-02",
    "contact_name": "Lê Thị Đầu Mối",
    "contact_title": "Chánh Văn phòng",
    "staff": "25",
    "leaders": "3",
    "clerks": "2",
    "in_paper": "10",
    "in_electronic": "200",
    "in_both": "5",
    "out_paper": "10",
    "out_electronic": "0",
    "out_both": "0",
    "dms_used": "no",
    "axis": "none",
    "computers": "6",
    "operating_systems": "windows10 windows11",
    "admin_rights": "yes",
    "networks": "internet",
    "proxy": "no",
    "has_certificates": "no",
    "persons_wanted": "3",
    "agency_wanted": "1",
    "obstacles": "Đường truyền chậm.",
}


def surveyed(visits: Visits, checklist: str | Path = "survey") -> str:
    """A survey whose required items are all answered; its id."""
    visit = visits.start("MAU-01", checklist).id
    for item, value in SURVEY.items():
        visits.answer(visit, item, value)
    assert visits.load(visit).state == "ready", visits.load(visit).problems
    return visit


def text_of(pdf: Path) -> str:
    done = subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True, timeout=30)
    return " ".join(done.stdout.split())


def test_a_survey_is_finished_by_one_command(fieldkit: Run, home: Home) -> None:
    with Store.open(home.store) as store:
        visit = surveyed(Visits(store, home, who="Trần Kỹ Thuật"))
    finished = fieldkit("visit", "finish", visit, "--yes", "--json")
    assert finished.status == 0, finished.out
    record = Path(finished.result["record"])
    told = finished.err.casefold()
    assert "token handed over" not in told
    assert "officer" not in told
    printed = text_of(record)
    assert "PHIẾU KHẢO SÁT" in printed
    assert f"{visit}/PKS" in printed
    assert "Lê Thị Đầu Mối" in printed
    assert "Chánh Văn phòng" in printed
    for strange in ("BBBG", "BÊN GIAO", "BÊN NHẬN", "Bên giao", "Bên nhận", "Ký số", "Biên bản", "token"):
        assert strange not in printed, strange
    assert fieldkit("record", "verify", record, "--json").status == 0


def test_a_form_passes_by_its_journal_and_stays_undecided_without_it(
    visits: Visits, people: People, tmp_path: Path
) -> None:
    made = asyncio.run(hand_over(visits, surveyed(visits), people))
    assert not made.signed
    content = decode(made.json.read_bytes())
    assert (content.schema, content.paper, content.devices) == (FORM_SCHEMA, "form", ())
    here = verify(made.pdf, trust=(), store=visits.store)
    assert here.verdict == "pass", here.checks
    elsewhere = verify(made.pdf, trust=())
    assert elsewhere.verdict == "indeterminate", elsewhere.checks
    named = verify(made.pdf, trust=(), devices=(visits.store.public_key.hex(),))
    assert named.verdict == "pass", named.checks
    changed = tmp_path / "changed.pdf"
    changed.write_bytes(made.pdf.read_bytes() + b"% more\n")
    assert verify(changed, trust=(), store=visits.store).verdict == "fail"


def test_a_survey_recorded_before_forms_said_how_they_print_still_says_the_same(visits: Visits) -> None:
    visit = surveyed(visits)
    now = visits.sign_off(visit, "Lê Thị Đầu Mối", "")
    said = from_journal(now, "handover")
    assert said["number"] == f"{visit}/BBBG"
    assert said["receiver"].title == now.bureau.officer.title
    assert said["devices"] == ()


def test_a_form_has_no_place_for_a_token(visits: Visits, people: People) -> None:
    visit = surveyed(visits)
    with pytest.raises(RecordNotMade):
        asyncio.run(hand_over(visits, visit, people, token="MAU-01"))
    assert visits.load(visit).signoff is None


def test_the_data_of_a_handover_does_not_say_that_it_is_another_paper(visits: Visits, visit: str) -> None:
    now = visits.sign_off(visit, ANSWERS["officer_name"], ANSWERS["officer_title"])
    content = build(now, visits.store, visits.profiles, made=_now())
    assert content.schema == "fieldkit.record/2"
    data = msgspec.json.decode(encode(content))
    assert "paper" not in data
    with pytest.raises(RecordUnreadable):
        decode(msgspec.json.encode(data | {"paper": "form"}, order="sorted"))


def test_a_checklist_that_says_nothing_hands_over_if_a_step_settles_on_a_token(
    visits: Visits, home: Home
) -> None:
    make_private_folder(home.checklists)
    for name, procedure, finish in (("old", "token_setup", "handover"), ("plain", "preflight", "record")):
        text = SMALL.replace("NAME", name).replace("PROCEDURE", procedure)
        (home.checklists / f"{name}.yaml").write_text(text, encoding="utf-8")
        started = visits.start("MAU-01", name)
        assert (started.finish, started.paper) == (finish, {"record": "form"}.get(finish, finish))


def test_officer_and_document_are_who_says_so_whatever_the_items_are_called(
    visits: Visits, home: Home
) -> None:
    make_private_folder(home.checklists)
    (home.checklists / "other.yaml").write_text(OTHER, encoding="utf-8")
    visit = visits.start("MAU-01", "other").id
    visits.answer(visit, "nguoi_nhan", "Lê Văn Nhận")
    visits.answer(visit, "chuc_vu", "Phó Trưởng cơ quan")
    visits.answer(visit, "officer_name", "ai đó khác")
    document = home.path / "van-ban.pdf"
    document.write_bytes(b"%PDF-1.7")
    visits.attach(visit, "van_ban", document)
    now = visits.load(visit)
    assert now.roles["officer-name"] == "Lê Văn Nhận"
    assert now.roles["test-document"]["name"] == "van-ban.pdf"
    content = build(now, visits.store, visits.profiles, made=_now(), draft=True)
    assert (content.receiver.person, content.receiver.title.vi) == ("Lê Văn Nhận", "Phó Trưởng cơ quan")


@pytest.mark.parametrize("empty", ["{vi: '', en: Survey}", "{vi: Khảo sát, en: ' '}"])
@pytest.mark.parametrize("member", ["title", "form"])
def test_a_form_without_a_title_is_refused_before_anything_is_asked(
    visits: Visits, home: Home, member: str, empty: str
) -> None:
    make_private_folder(home.checklists)
    text = SMALL.replace("NAME", "plain").replace("PROCEDURE", "preflight")
    names = {"title": "{vi: v, en: e}"} | {member: empty}
    head = "\n".join(f"{key}: {words}" for key, words in names.items())
    text = text.replace("title: {vi: v, en: e}", head, 1)
    (home.checklists / "plain.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ChecklistInvalid, match=r"plain\.yaml:\d+"):
        visits.start("MAU-01", "plain")


def test_a_record_whose_title_is_empty_is_told_as_one_that_cannot_be_laid_out(visits: Visits) -> None:
    now = visits.load(surveyed(visits))
    content = build(now, visits.store, visits.profiles, made=_now(), draft=True)
    assert render(content).pdf.startswith(b"%PDF")
    with pytest.raises(RecordNotRendered):
        render(msgspec.structs.replace(content, title=Words("", "")))


def _now() -> datetime:
    return datetime.now().astimezone()


SMALL = """
id: NAME
version: "1"
title: {vi: v, en: e}
sections:
  - id: s
    title: {vi: v, en: e}
    items:
      - {id: step, kind: procedure, procedure: PROCEDURE, label: {vi: v, en: e}}
"""
OTHER = """
id: other
version: "1"
title: {vi: v, en: e}
finish: handover
sections:
  - id: s
    title: {vi: v, en: e}
    items:
      - {id: nguoi_nhan, kind: text, role: officer-name, label: {vi: v, en: e}}
      - {id: chuc_vu, kind: text, role: officer-title, label: {vi: v, en: e}}
      - {id: officer_name, kind: text, label: {vi: v, en: e}}
      - {id: van_ban, kind: file, accept: [pdf], role: test-document, label: {vi: v, en: e}}
"""
