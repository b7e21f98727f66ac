"""The stamp before signing: what is shown is what is signed; it moves by millimetres, never off the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fieldkit.pdf import raster
from fieldkit.pdf.errors import DocumentUnfit
from fieldkit.pdf.page import PageSheet
from fieldkit.profile.rules import StampRule
from fieldkit.secret import Secret
from fieldkit.signature import batch, preview
from fieldkit.signature.preview import StampDraft
from fieldkit.stamp import place
from fieldkit.stamp.place import Page, Place
from fieldkit.tui.terminal import cells
from tests import papers
from tests.pki import SoftwareSigner

PERSON = StampRule("person", "handwritten", "between-title-and-name", "blue")
LOOK = batch.StampSpec(PERSON, name=papers.NAME, title=papers.TITLE)
sides = some.integers(20, 3000)
sheets = some.builds(
    lambda left, bottom, width, height, turn, unit: PageSheet(
        left, bottom, left + width, bottom + height, turn, unit
    ),
    some.integers(-500, 500),
    some.integers(-500, 500),
    sides,
    sides,
    some.sampled_from((0, 90, 180, 270)),
    some.sampled_from((1, 0.5, 2, 10)),
)
moves = some.lists(
    some.one_of(
        some.tuples(some.just("nudge"), some.integers(-400, 400), some.integers(-400, 400)),
        some.tuples(some.just("resize"), some.integers(1, 400), some.just(0)),
        some.tuples(some.just("page"), some.integers(-3, 3), some.just(0)),
        some.tuples(some.just("reset"), some.just(0), some.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(sheet=sheets, box=some.tuples(*(some.integers(0, 1000),) * 4))
def test_a_box_as_seen_is_found_again_from_how_it_is_stored(sheet: PageSheet, box: tuple[int, ...]) -> None:
    left, right = sorted((box[0] * sheet.width / 1000, box[1] * sheet.width / 1000))
    top, bottom = sorted((box[2] * sheet.height / 1000, box[3] * sheet.height / 1000))
    seen = sheet.seen(sheet.stored(left, top, right, bottom))
    assert all(abs(a - b) <= 1.01 for a, b in zip(seen, (left, top, right, bottom), strict=True))


@settings(max_examples=150, deadline=None)
@given(papers_=some.lists(sheets, min_size=1, max_size=4), moved=moves)
def test_wherever_it_is_moved_the_stamp_stays_on_a_page(
    papers_: list[PageSheet], moved: list[tuple[str, int, int]]
) -> None:
    pages = tuple(Page(sheet) for sheet in papers_)
    start = place.on_page(pages[0], 0, 10, 10, 100, 60)
    at = StampDraft(pages, start, start)
    for what, one, two in moved:
        at = {
            "nudge": lambda a=one, b=two, d=at: d.nudge(a, b),
            "resize": lambda a=one, d=at: d.resize(a),
            "page": lambda a=one, d=at: d.turn_page(a),
            "reset": lambda d=at: d.reset(),
        }[what]()
        sheet = pages[at.place.page].sheet
        left, bottom, right, top = at.place.box
        assert sheet.left - 1 <= left <= right <= sheet.right + 1
        assert sheet.bottom - 1 <= bottom <= top <= sheet.top + 1
        assert (at.place.turn, at.place.unit) == (sheet.turn, sheet.unit)


def test_a_nudge_is_millimetres_on_paper_whatever_way_the_page_is_turned(tmp_path: Path) -> None:
    for turn in (0, 90, 180, 270):
        path = tmp_path / f"{turn}.pdf"
        path.write_bytes(papers.letter_on("210mm", "297mm", turn=turn))
        before = preview.draft(path, LOOK)
        after = before.nudge(-10, -20)
        assert before.found
        assert after.box[0] - before.box[0] == pytest.approx(-10 * 72 / 25.4, abs=1)
        assert after.box[1] - before.box[1] == pytest.approx(-20 * 72 / 25.4, abs=1)
        assert after.reset() == before


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_what_was_shown_before_is_what_the_signed_page_looks_like(
    turn: int, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(papers.letter_on("210mm", "297mm", turn=turn))
    shown = preview.draft(source, LOOK).nudge(-15, -25)
    before = preview.Easel(source, LOOK).pixels(shown, 420, 594)

    batch.sign_one(
        batch.SigningJob(source, out),
        rsa_signer,
        look=batch.StampSpec(PERSON, name=papers.NAME, title=papers.TITLE, place=shown.place),
    )

    after = preview.signed(out, shown.place, 420, 594)
    assert (before.width, before.height) == (after.width, after.height)
    spot, blue = _blue(after)
    same, drawn = _blue(before)
    assert blue > 150
    assert drawn == pytest.approx(blue, rel=0.15)
    assert all(abs(a - b) <= 2 for a, b in zip(spot, same, strict=True))


@pytest.mark.parametrize("turn", [0, 270])
def test_near_is_a_part_of_the_page_around_the_stamp(turn: int, tmp_path: Path) -> None:
    path = tmp_path / "in.pdf"
    path.write_bytes(papers.letter_on("210mm", "297mm", turn=turn))
    shown = preview.draft(path, LOOK)
    easel = preview.Easel(path, LOOK)

    far, near = easel.pixels(shown, 120, 160), easel.pixels(shown, 120, 160, zoom=4)

    assert (near.width, near.height) == (120, 160)
    assert _blue(near)[1] > 6 * _blue(far)[1]


def test_the_pages_of_an_encrypted_document_are_drawn_with_its_password_and_not_without(
    tmp_path: Path,
) -> None:
    path = tmp_path / "locked.pdf"
    path.write_bytes(
        papers.built(
            tmp_path, papers.letter_on("210mm", "297mm"), "--encrypt", "mat-khau", "owner", "256", "--"
        )
    )
    with pytest.raises(DocumentUnfit):
        raster.page(path, 0, 60, 80)
    shown = preview.draft(path, LOOK, password=Secret("mat-khau"))
    drawn = preview.Easel(path, LOOK, password=Secret("mat-khau")).pixels(shown, 60, 80)
    assert shown.found
    assert set(drawn.rgb) != {255}


def test_cells_are_two_pixels_each_and_equal_neighbours_are_sent_once() -> None:
    red, white = (255, 0, 0), (255, 255, 255)
    picture = raster.Pixels(3, 3, bytes((*red, *red, *white) * 3))

    rows = cells.rows(picture)
    coloured, indexed, plain = (cells.lines(picture, each) for each in ("truecolor", "256", "none"))

    assert rows == [[(red, red), (red, red), (white, white)], [(red, white), (red, white), (white, white)]]
    assert coloured[0] == "\x1b[38;2;255;0;0;48;2;255;0;0m▀▀\x1b[38;2;255;255;255;48;2;255;255;255m▀\x1b[0m"
    assert indexed[0] == "\x1b[38;5;196;48;5;196m▀▀\x1b[38;5;231;48;5;231m▀\x1b[0m"
    assert "\x1b" not in plain[0]
    assert plain[0].strip()


def test_the_place_by_option_is_the_place_that_was_shown(tmp_path: Path) -> None:
    path = tmp_path / "in.pdf"
    path.write_bytes(papers.letter_on("210mm", "297mm"))
    shown = preview.draft(path, LOOK).nudge(3, 4)
    page, *box = (int(part) for part in shown.option.split(","))
    assert Place(page - 1, tuple(box)) == shown.place


def _blue(picture: raster.Pixels) -> tuple[tuple[int, int, int, int], int]:
    """The box around what is blue, and how many pixels that is."""
    found = [
        (at % picture.width, at // picture.width)
        for at in range(picture.width * picture.height)
        if picture.rgb[3 * at + 2] > picture.rgb[3 * at] + 30
    ]
    across, down = [x for x, _ in found], [y for _, y in found]
    return (min(across), min(down), max(across), max(down)), len(found)
