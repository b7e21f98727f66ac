"""The sample letter is a real one-page letter, says what it is, and prints what it was given."""

from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldkit.sample import documents


def text(path: Path) -> str:
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True)
    return done.stdout


def pages(path: Path) -> int:
    from pyhanko.pdf_utils.reader import PdfFileReader

    with path.open("rb") as file:
        return int(PdfFileReader(file).root["/Pages"]["/Count"])


def test_it_has_the_parts_of_an_official_letter_on_one_page(tmp_path: Path) -> None:
    path = tmp_path / "letter.pdf"
    documents.letter(
        path, signer_title="Trưởng cơ quan thường trú", signer_name="Nguyễn Thị Mẫu", on=date(2026, 1, 5)
    )
    printed = text(path)
    for part in (
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "Độc lập - Tự do - Hạnh phúc",
        "Số: 07/CV-MẪU",
        "ngày 05 tháng 01 năm 2026",
        "Kính gửi:",
        "TRƯỞNG CƠ QUAN THƯỜNG TRÚ",
        "Nguyễn Thị Mẫu",
        "Nơi nhận:",
        "MẪU – SAMPLE",
    ):
        assert part in printed, part
    assert pages(path) == 1


def test_the_same_words_on_the_same_day_are_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("a.pdf", "b.pdf"):
        documents.letter(tmp_path / name, signer_title="T", signer_name="N", on=date(2026, 11, 24))
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]


def test_every_vietnamese_letter_is_in_the_fonts_that_are_embedded(tmp_path: Path) -> None:
    letters = "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵ"
    path = tmp_path / "letter.pdf"
    documents.letter(path, signer_title="T", signer_name="N", body=[" ".join(letters + letters.upper())])
    printed = text(path)
    assert all(letter in printed for letter in letters + letters.upper())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(min_size=1, max_size=60), title=st.text(max_size=120))
def test_nothing_that_is_given_becomes_markup(tmp_path: Path, name: str, title: str) -> None:
    path = tmp_path / "letter.pdf"
    documents.letter(path, signer_title=title, signer_name=name)
    assert path.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", ['#pagebreak() "x" $y$ *z*', "\\u{41}", "<a> @b [c] #import"])
def test_typst_code_is_printed_and_not_run(tmp_path: Path, name: str) -> None:
    path = tmp_path / "letter.pdf"
    documents.letter(path, signer_title="T", signer_name=name)
    assert name.split()[0] in text(path)
