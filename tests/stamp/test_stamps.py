"""Stamps: drawn by the rules, placed by the signer's title and name, and valid under every judge."""

from __future__ import annotations

import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import pytest

from fieldkit.home import Home
from fieldkit.pdf.page import PageSheet
from fieldkit.profile import load as profiles
from fieldkit.profile.rules import RuleSet, StampPlace, StampRule, StampText
from fieldkit.signature import batch, sign
from fieldkit.stamp import place, placement, stamp
from fieldkit.stamp.errors import StampUnfit
from fieldkit.validation import quorum
from fieldkit.yaml_model import load
from tests import papers
from tests.conftest import REPOSITORY
from tests.pki import Pki, SoftwareSigner

NAME, TITLE = "Nguyễn Thị Mẫu", "Trưởng cơ quan thường trú"


@pytest.fixture(params=["tt01-2019", "nd30-2020"])
def rules(request: pytest.FixtureRequest) -> RuleSet:
    found = load(REPOSITORY / "profiles" / "rules" / f"{request.param}.yaml", RuleSet)
    assert isinstance(found, RuleSet)
    return found


def test_person_and_seal_are_placed_by_the_rules_and_both_signatures_hold(
    rules: RuleSet, pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    person_rule, seal_rule = rules.stamp("person"), rules.stamp("agency")
    assert person_rule is not None
    assert seal_rule is not None
    pages = place.pages(letter)
    assert pages is not None
    spots = place.locate(pages, name=NAME, title=TITLE, seal_mm=seal_rule.size_mm)
    person, sealed = tmp_path / "person.pdf", tmp_path / "sealed.pdf"

    sign.sign(
        letter,
        person,
        rsa_signer,
        field="Person",
        stamp=stamp.draw(person_rule, spots.person),
        reserve=[sign.Reserved("Agency", spots.agency)],
    )
    sign.sign(person, sealed, pki.signer("MẪU"), field="Agency", stamp=stamp.draw(seal_rule, spots.agency))

    assert spots.found
    left, bottom, right, top = spots.person.box
    seal_left, seal_bottom, seal_right, seal_top = spots.agency.box
    assert abs((seal_right - left) - (right - left) / 3) <= 2
    assert abs((seal_right - seal_left) - 36 * place.POINTS_PER_MM) <= 1
    assert abs((seal_bottom + seal_top) - (bottom + top)) <= 3
    assert quorum.judge(sealed, pki.anchors, pki.crls()).verdict == "pass"
    assert b"M" in subprocess.run(["pdftotext", sealed, "-"], capture_output=True, check=True).stdout


def test_a_second_person_and_a_seal_may_be_added_where_no_field_was_ready_for_them(
    rules: RuleSet, pki: Pki, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, tmp_path: Path
) -> None:
    import typst

    person_rule, seal_rule = rules.stamp("person"), rules.stamp("agency")
    assert person_rule is not None
    assert seal_rule is not None
    signers = "".join(
        f"align(center)[*{title}* #v(40mm) *{name}*],"
        for title, name in (("BÊN GIAO", "Trần Văn Thử"), ("BÊN NHẬN", NAME))
    )
    letter, first, second, third = (tmp_path / f"{number}.pdf" for number in range(4))
    letter.write_bytes(
        typst.compile(f'#set page(paper: "a4")\n#lorem(90)\n#grid(columns: 2 * (1fr,), {signers})'.encode())
    )
    pages = place.pages(letter)
    one = place.locate(pages, name="Trần Văn Thử", title="Bên giao")
    other = place.locate(pages, name=NAME, title="Bên nhận", seal_mm=seal_rule.size_mm)

    sign.sign(letter, first, rsa_signer, field="One", stamp=stamp.draw(person_rule, one.person))
    sign.sign(first, second, ec_signer, field="Other", stamp=stamp.draw(person_rule, other.person))
    seal = stamp.draw(seal_rule, other.agency)
    sign.sign(second, third, pki.signer("MẪU"), field="Agency", stamp=seal)

    judged = quorum.judge(third, pki.anchors, pki.crls())
    assert judged.verdict == "pass", judged.checks


def test_an_attachment_shows_number_and_time_at_the_top_right_without_an_image(
    rules: RuleSet, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    rule = rules.stamp("attachment")
    assert rule is not None
    spot, _ = placement.for_rule(rule, place.pages(letter) or ())
    at = datetime(2026, 11, 24, 3, 3, 19, tzinfo=UTC)
    out = tmp_path / "out.pdf"
    sign.sign(letter, out, rsa_signer, stamp=stamp.draw(rule, spot, number="07/BB-ĐƯỢC", at=at))

    found = place.pages(out)

    assert found is not None
    words = {word.text: word for word in found[0].words}
    assert words["2026-11-24T10:03:19+07:00"].left > found[0].width / 2
    assert words["07/BB-ĐƯỢC"].top < 60


def test_a_name_that_is_not_on_the_page_is_said_and_the_stamp_stays_on_the_page(letter: Path) -> None:
    pages = place.pages(letter)
    assert pages is not None
    spots = place.locate(pages, name="Người Khác")
    assert not spots.found
    for spot in (spots.person, spots.agency):
        assert spot.box[0] >= 0
        assert spot.box[2] <= pages[0].width + 1


def test_text_that_does_not_fit_is_refused_and_never_cut_off(rules: RuleSet) -> None:
    rule = rules.stamp("attachment")
    assert rule is not None
    with pytest.raises(StampUnfit):
        stamp.draw(rule, place.Place(0, (0, 0, 60, 12)), number="07/BB-ĐƯỢC " * 30)


def test_markup_in_what_was_typed_is_shown_and_not_run(rules: RuleSet) -> None:
    rule = rules.stamp("attachment")
    assert rule is not None
    spot = place.Place(0, (0, 0, 300, 60))
    assert stamp.draw(rule, spot, number='#read("/etc/passwd") $x$ *a* %s \\').form.startswith(b"%PDF")


@pytest.mark.parametrize(
    ("day", "named"),
    [
        ("2019-03-09", None),
        ("2019-03-10", "tt01-2019"),
        ("2019-06-20", "tt01-2019"),
        ("2020-03-04", "tt01-2019"),
        ("2020-03-05", "nd30-2020"),
        ("2026-11-24", "nd30-2020"),
    ],
)
def test_the_rules_are_those_of_the_day(day: str, named: str | None, home: Home) -> None:
    found = profiles.load(home).rules_at(date.fromisoformat(day))
    assert (found.id if found else None) == named


def test_a_copy_says_its_form_who_copied_and_when(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    rules = load(REPOSITORY / "profiles" / "rules" / "nd30-2020.yaml", RuleSet)
    assert isinstance(rules, RuleSet)
    rule = rules.stamp("copy")
    assert rule is not None
    out = tmp_path / "copy.pdf"
    look = batch.StampSpec(
        rule, name="Cơ quan mẫu", copy_form="SAO Y", at=datetime(2026, 1, 2, 17, 0, 5, tzinfo=UTC)
    )

    batch.sign_one(batch.SigningJob(letter, out), rsa_signer, look=look)

    shown = [word.text for word in place.pages(out)[0].words]
    at = shown.index("SAO")
    assert shown[at : at + 6] == ["SAO", "Y", "Cơ", "quan", "mẫu", "2026-01-03T00:00:05+07:00"]
    assert quorum.judge(out, pki.anchors, pki.crls()).verdict == "pass"


def words(*lines: str) -> tuple[place.PageWord, ...]:
    """Lines of words, each line 20 points below the one before."""
    return tuple(
        place.PageWord(text, 100 + 60 * column, 100 + 20 * row, 150 + 60 * column, 112 + 20 * row)
        for row, line in enumerate(lines)
        for column, text in enumerate(line.split())
    )


@pytest.mark.parametrize(
    ("lines", "name", "title", "row"),
    [
        (("TRƯỞNG CƠ QUAN", "", "", "Nguyễn Thị Mẫu"), NAME, "Trưởng cơ quan", 3),
        (("KT. TRƯỞNG CƠ QUAN", "PHÓ TRƯỞNG", "", "(Nguyễn Thị Mẫu),"), NAME, "Phó Trưởng", 3),
        (("TRƯỞNG CƠ QUAN", "", "Nguyễn Thị Mẫu"), "Nguyễn Thị Mẫu (MẪU)", "Trưởng cơ quan", 2),
        (("Nguyễn Thị Mẫu", "TRƯỞNG CƠ QUAN", "", "TS. Nguyễn Thị Mẫu"), NAME, "Trưởng cơ quan", 3),
    ],
)
def test_the_signature_is_centred_over_the_last_name_and_under_the_title(
    lines: tuple[str, ...], name: str, title: str, row: int
) -> None:
    page = place.Page(PageSheet(), words(*lines))

    spots = place.locate([page], name=name, title=title)

    left, top, right, bottom = page.sheet.seen(spots.person.box)
    named = [word for word in page.words if word.top == 100 + 20 * row and "TS" not in word.text]
    assert spots.found
    assert (left + right) / 2 == pytest.approx((named[0].left + named[-1].right) / 2, abs=1)
    assert bottom <= named[0].top + 1
    assert top >= 110


def test_a_name_in_decomposed_letters_is_the_same_name() -> None:
    import unicodedata

    page = place.Page(PageSheet(), words("TRƯỞNG CƠ QUAN", "", NAME))
    assert place.locate([page], name=unicodedata.normalize("NFD", NAME)).found


def test_without_a_stamp_a_field_that_has_room_shows_nothing(
    rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    letter.write_bytes(papers.fields(letter.read_bytes(), "Room", box=(60, 60, 300, 160)))
    signed = tmp_path / "signed.pdf"
    sign.sign(letter, signed, rsa_signer, field="Room")
    before, after = (
        subprocess.run(["pdftoppm", "-r", "40", path], capture_output=True, check=True).stdout
        for path in (letter, signed)
    )
    assert before == after


def test_every_place_and_every_text_that_a_rule_may_name_is_there() -> None:
    assert set(placement.PLACEMENTS) == set(get_args(StampPlace))
    parts = get_args(StampText)
    rule = StampRule("copy", "none", "top-right-first-page", "black", content=parts)
    assert len(stamp.text_lines(rule, number="1", name="a", copy_form="b")) == len(parts)
