"""`fieldkit checklist` and `fieldkit plan` on the command line: both languages, JSON, exit statuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldkit.checklist.load import load
from fieldkit.home import Home, shipped
from fieldkit.journal.store import Store
from fieldkit.visit.visits import Visits
from tests.checklist.forms import question, workbook
from tests.checklist.test_load import GOOD, item
from tests.conftest import Run


def test_check_names_every_mistake_of_every_file(fieldkit: Run, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    bad = item("kind: procedure", "procedure: preflihgt").replace("'yes'", "'yse'")
    (tmp_path / "bad.yaml").write_text(bad)
    ran = fieldkit("checklist", "check", "good.yaml", "bad.yaml", "gone.yaml", "--json")
    assert ran.status == 1
    good, wrong, gone = ran.result
    assert (good["ok"], good["problems"]) == (True, [])
    assert [(each["line"], each["column"]) for each in wrong["problems"]] == [(14, 27), (21, 20)]
    assert "`preflight` meant?" in wrong["problems"][1]["message"]
    assert not gone["ok"]
    said = fieldkit("--lang", "vi", "checklist", "check", "good.yaml", "bad.yaml")
    assert said.status == 1
    assert "good.yaml: hợp lệ" in said.out
    assert "bad.yaml:14:27: " in said.out
    assert "Traceback" not in said.out + said.err


SIGNED = """\
id: signed
version: "1"
title: {vi: Ký thử, en: Test signatures}
sections:
  - id: signing
    title: {vi: Ký thử, en: Test signatures}
    items:
      - {id: paper, kind: file, accept: [pdf], ROLE label: {vi: Văn bản, en: Document}}
      - {id: signed, kind: procedure, procedure: test_signature, label: {vi: Ký thử, en: Signed}}
"""


def test_check_warns_of_a_document_that_no_test_signature_signs(fieldkit: Run, tmp_path: Path) -> None:
    (tmp_path / "without.yaml").write_text(SIGNED.replace("ROLE", ""))
    (tmp_path / "with.yaml").write_text(SIGNED.replace("ROLE", "role: test-document,"))
    ran = fieldkit("checklist", "check", "without.yaml", "with.yaml", "--json")
    assert ran.status == 0
    without, with_role = ran.result
    assert (without["ok"], with_role["ok"]) == (True, True)
    (warning,) = without["warnings"]
    assert "`paper`" in warning
    assert "role: test-document" in warning
    assert with_role["warnings"] == []
    shown = fieldkit("--lang", "vi", "checklist", "check", "without.yaml").out
    assert "hợp lệ" in shown
    assert "`paper` nhận tệp PDF" in shown


def test_check_takes_what_is_shipped_by_name_and_profiles_too(fieldkit: Run) -> None:
    names = [path.stem for path in shipped("checklists").glob("*.yaml")]
    token = shipped("profiles") / "tokens" / "softhsm2.yaml"
    ran = fieldkit("checklist", "check", *names, token, "--json")
    assert (ran.status, all(checked["ok"] for checked in ran.result)) == (0, True)
    assert not any(checked["warnings"] for checked in ran.result)


def test_check_without_a_file_is_wrong_use(fieldkit: Run) -> None:
    assert fieldkit("checklist", "check", "--json").status == 2


def test_list_shows_the_good_ones_when_one_is_broken(fieldkit: Run, home: Home) -> None:
    home.checklists.mkdir(parents=True)
    (home.checklists / "mine.yaml").write_text("id: [\n")
    ran = fieldkit("checklist", "list", "--json")
    assert ran.status == 0
    found = {each["checklist"]: each for each in ran.result}
    assert found["survey"]["items"] > 20
    assert "mine.yaml:2:1" in found["mine"]["problem"]
    said = fieldkit("--lang", "vi", "checklist", "list").out
    assert "Khảo sát văn bản đi, đến và sử dụng chứng thư số" in said
    assert "mine.yaml:2:1" in said


def test_a_form_goes_out_and_comes_back(fieldkit: Run, tmp_path: Path) -> None:
    out = fieldkit("checklist", "export", "survey", "--json").result
    assert out["out"] == "survey.xlsx"
    back = fieldkit("checklist", "import", "survey.xlsx", "--json").result
    assert (back["checklist"], back["items"], back["left_out"]) == ("survey", out["items"], [])
    assert load(tmp_path / "survey.yaml") == load(shipped("checklists") / "survey.yaml")
    again = fieldkit("checklist", "import", "survey.xlsx", "--json")
    assert (again.status, again.error["code"]) == (3, "file-exists")
    assert fieldkit("checklist", "export", "survey", "--replace").status == 0


def test_an_import_that_is_refused_names_the_cell_in_both_languages(fieldkit: Run, tmp_path: Path) -> None:
    workbook(tmp_path / "form.xlsx", question(("relevant", "${gone} = 1"), ("trigger", "1")))
    ran = fieldkit("checklist", "import", "form.xlsx", "--json")
    assert (ran.status, ran.error["code"]) == (2, "form-invalid")
    places = [(problem["sheet"], problem["row"], problem["column"]) for problem in ran.error["problems"]]
    assert places == [("survey", 2, "D"), ("survey", 2, "E")]
    assert not (tmp_path / "form.yaml").exists()
    assert "survey" in fieldkit("--lang", "vi", "checklist", "import", "form.xlsx").err
    gone = fieldkit("checklist", "import", "gone.xlsx", "--json")
    assert (gone.status, gone.error["code"]) == (4, "form-unreadable")


def test_a_form_is_checked_before_it_is_imported(fieldkit: Run, tmp_path: Path) -> None:
    workbook(tmp_path / "form.xlsx", question(("required", "maybe")))
    ran = fieldkit("checklist", "check", "form.xlsx", "--json")
    assert ran.status == 1
    ((problem,),) = [each["problems"] for each in ran.result]
    assert (problem["file"], problem["sheet"], problem["row"], problem["column"]) == (
        "form.xlsx",
        "survey",
        2,
        "D",
    )
    assert list(tmp_path.glob("*.yaml")) == []


def test_what_an_import_leaves_out_is_said(fieldkit: Run, tmp_path: Path) -> None:
    workbook(
        tmp_path / "form.xlsx", (("type", "name", "label"), ("audit", "audit", None), ("text", "q", "Q"))
    )
    ran = fieldkit("checklist", "import", "form.xlsx", "--out", "made.yaml")
    assert "sheet survey, row 2, column A" in ran.out
    assert "made.yaml" in ran.out
    assert fieldkit("visit", "start", "--bureau", "MAU-01", "--checklist", "made.yaml", "--json").result[
        "visit"
    ]


def test_the_plan_is_shown_in_both_languages(fieldkit: Run) -> None:
    shown = fieldkit("plan", "show", "--json").result
    assert {phase["id"] for phase in shown["phases"]} == {"A", "B", "C", "D"}
    tasks = [task for phase in shown["phases"] for task in phase["tasks"]]
    assert all(task["starts"] <= task["ends"] for task in tasks)
    assert {bureau["bureau"] for bureau in shown["bureaus"]} >= {"MAU-01", "MAU-08"}
    assert shown["sample"]
    assert "Khảo sát khu vực phía Bắc" in fieldkit("--lang", "vi", "plan", "show").out
    assert "Survey in the north" in fieldkit("plan", "show").out


@pytest.mark.parametrize(
    ("day", "standings"),
    [
        ("2026-01-01", {}),
        ("2026-06-20", {"A1": "now", "B1": "soon"}),
        ("2026-07-31", {"A1": "now", "B1": "now"}),
        ("2026-08-01", {"A1": "late", "B1": "late", "C1": "now"}),
    ],
)
def test_what_is_due_depends_on_the_day(fieldkit: Run, day: str, standings: dict[str, str]) -> None:
    ran = fieldkit("plan", "due", "--at", day, "--json")
    found = {each["task"]: each["standing"] for each in ran.result}
    assert standings.items() <= found.items()
    assert bool(found) is bool(standings)


def test_a_task_that_is_late_names_the_bureaus_it_waits_for_in_the_language_in_force(fieldkit: Run) -> None:
    assert "quá hạn: A1" in fieldkit("--lang", "vi", "plan", "due", "--at", "2026-08-01").out
    english = fieldkit("plan", "due", "--at", "2026-08-01").out
    assert "late: A1" in english
    assert "MAU-01" in english
    assert "Nothing is due." in fieldkit("plan", "due", "--at", "2026-01-01").out
    later = fieldkit("plan", "due", "--at", "2026-01-01", "--all", "--json").result
    assert {each["standing"] for each in later} == {"later"}


def test_a_bureau_whose_visit_was_signed_off_is_waited_for_no_more(fieldkit: Run, home: Home) -> None:
    home.checklists.mkdir(parents=True)
    (home.checklists / "survey.yaml").write_text(GOOD.replace("id: short", "id: survey"))
    with Store.open(home.store) as store:
        visits = Visits(store, home)
        visits.start("MAU-02", "survey")
        done = visits.start("MAU-01", "survey")
        visits.sign_off(done.id, "Nguyễn Mẫu", "Trưởng CQTT")
    due = {each["task"]: each for each in fieldkit("plan", "due", "--at", "2026-07-15", "--json").result}
    assert (due["B1"]["waiting"], due["B1"]["done"]) == (["MAU-02"], ["MAU-01"])


def test_a_day_is_written_as_in_an_answer(fieldkit: Run) -> None:
    first, other = (fieldkit("plan", "due", "--at", day, "--json") for day in ("01/08/2026", "2026-08-01"))
    assert first.result == other.result != []


@pytest.mark.parametrize("day", ["tomorrow", "2026-W48-2", "2026-02-30"])
def test_a_day_that_is_none_is_refused(fieldkit: Run, day: str) -> None:
    ran = fieldkit("plan", "due", "--at", day, "--json")
    assert (ran.status, ran.error["code"]) == (2, "day-invalid")
