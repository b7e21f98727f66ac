"""A record says what the journal says, on paper and as data, and the same content is the same file."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import unicodedata
from datetime import date, datetime
from pathlib import Path

import msgspec
import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fieldkit import i18n
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.record import tables
from fieldkit.record.build import build
from fieldkit.record.content import Language, RecordContent, RecordRow, decode, encode
from fieldkit.record.errors import RecordNotRendered, RecordTooLarge, RecordUnreadable
from fieldkit.record.export import export, file_name
from fieldkit.record.render import ATTACHMENT, PRINTABLE, printable, render, render_apart
from fieldkit.text import Words
from fieldkit.visit.visits import Visits
from tests.journal.conftest import segment
from tests.record.conftest import ANSWERS

MADE = datetime.fromisoformat("2026-11-24T09:05:07+07:00")


@pytest.fixture
def content(visits: Visits, visit: str) -> RecordContent:
    signed = visits.sign_off(visit, ANSWERS["officer_name"], ANSWERS["officer_title"])
    return build(signed, visits.store, visits.profiles, made=MADE)


def text_of(pdf: bytes, tmp_path: Path) -> str:
    """What pdftotext reads, spaces and breaks as one space each, and no marks for possible breaks."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    path = tmp_path / "record.pdf"
    path.write_bytes(pdf)
    done = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True)
    return " ".join(done.stdout.decode().replace("\u200b", "").split())


def test_it_holds_parties_device_tests_and_the_journals_head(content: RecordContent, visits: Visits) -> None:
    assert (content.sample, content.draft) == (True, False)
    assert content.receiver.person == "Nguyễn Thị Mẫu"
    assert content.giver.person == "Trần Kỹ Thuật"
    (device,) = content.devices
    assert (device.token_serial, device.pin.en) == ("7b8b6f2a33c4d5e6", "Set by the receiving officer")
    assert device.condition is not None
    assert device.condition.vi == "Mới, nguyên vẹn"
    assert [test.verdict for test in content.tests] == ["pass"]
    head = visits.store.head()
    assert (content.journal.device, content.journal.seq, content.journal.hash) == (
        head.device,
        head.seq,
        head.hash,
    )
    rows = {row.item: row for part in content.parts for row in part.rows}
    assert rows["exchange_practised"].answer.vi == "Không áp dụng"
    assert rows["training_date"].answer.vi == "02/11/2026"
    assert rows["accessories"].answer.en == "Box, strap; User guide"
    assert rows["preflight"].notes[0].severity == "warning"


def test_what_a_procedure_found_is_kept_in_both_languages(content: RecordContent) -> None:
    rows = {row.item: row for part in content.parts for row in part.rows}
    assert rows["test_signature"].answer.en == "Documents signed: 1."


def test_the_data_comes_back_as_it_was(content: RecordContent) -> None:
    data = encode(content)
    assert decode(data) == content
    assert (
        data
        == json.dumps(json.loads(data), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    )
    assert json.loads(data)["schema"] == "fieldkit.record/2"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data + b" ",
        lambda data: data.replace(b":", b": ", 1),
        lambda data: data.replace(b"fieldkit.record/2", b"fieldkit.record/9"),
        lambda data: data.replace(b"fieldkit.record/2", b"fieldkit.record/1"),
        lambda data: data.replace(b'"sample":true', b'"sample":1.0'),
        lambda data: data[:-10],
        lambda data: b"[" * 100_000,
        lambda data: b"\xff" + data,
    ],
)
def test_data_that_fieldkit_did_not_write_is_refused(content: RecordContent, spoil: object) -> None:
    with pytest.raises(RecordUnreadable):
        decode(spoil(encode(content)))  # type: ignore[operator]


@pytest.mark.parametrize("language", ["vi", "en", "both"])
def test_the_same_content_is_the_same_file_whatever_the_screens_speak(
    content: RecordContent, language: Language
) -> None:
    content = msgspec.structs.replace(content, language=language)
    i18n.use("vi")
    first = render(content)
    i18n.use("en")
    assert render(content) == first
    assert set(first.places) == {"giver", "receiver"}


def test_it_is_tagged_pdf_a_with_the_data_attached(content: RecordContent, tmp_path: Path) -> None:
    rendered = render(content)
    path = tmp_path / "record.pdf"
    path.write_bytes(rendered.pdf)
    assert b"pdfaid:part>3<" in rendered.pdf
    assert b"pdfaid:conformance>A<" in rendered.pdf
    assert b"pdfuaid:part>1<" in rendered.pdf
    for program in ("pdfdetach", "pdfinfo", "qpdf"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    out = tmp_path / "out.json"
    subprocess.run(["pdfdetach", "-savefile", ATTACHMENT, "-o", str(out), str(path)], check=True)
    assert out.read_bytes() == encode(content)
    said = subprocess.run(["pdfinfo", str(path)], capture_output=True, text=True, check=True).stdout
    assert "Tagged:          yes" in said
    assert "595.276 x 841.89 pts (A4)" in said
    subprocess.run(["qpdf", "--check", str(path)], check=True, capture_output=True)


def test_the_paper_says_what_it_has_to(content: RecordContent, tmp_path: Path) -> None:
    text = text_of(render(content).pdf, tmp_path)
    for said in (
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "Độc lập - Tự do - Hạnh phúc",
        "BIÊN BẢN",
        "Căn cứ Nghị định số 30/2020/NĐ-CP",
        "09 giờ 05 phút, ngày 24 tháng 11 năm 2026",
        datetime.fromisoformat(content.visit.signed_off).astimezone(MADE.tzinfo).strftime("%d/%m/%Y %H:%M"),
        "TRUNG TÂM TIN HỌC",
        "ĐẠI DIỆN BÊN NHẬN",
        "Nguyễn Thị Mẫu",
        "7b8b6f2a33c4d5e6",
        content.devices[0].sha256,
        content.tests[0].sha256,
        content.journal.hash,
        str(content.journal.seq),
        "MẪU: cơ quan, người và chứng thư số đều là giả định",
        "[U+4E2D]",
        "#set page(fill: red)",
    ):
        assert said in text, said


def test_a_draft_and_an_amendment_say_so(content: RecordContent, tmp_path: Path) -> None:
    changed = msgspec.structs.replace(
        content, draft=True, replaces="MAU-01-x-record", reason="đếm sót một người"
    )
    text = text_of(render(changed).pdf, tmp_path)
    assert "Biên bản này thay thế biên bản MAU-01-x-record" in text
    assert "đếm sót một người" in text


def test_a_real_bureaus_record_is_not_marked_as_a_sample(content: RecordContent, tmp_path: Path) -> None:
    text = text_of(render(msgspec.structs.replace(content, sample=False)).pdf, tmp_path)
    assert "giả định" not in text


anything = st.text(max_size=120) | st.sampled_from(
    [
        "#panic()",
        "*",
        "$",
        "\\",
        "`" * 3,
        "[",
        "]]",
        "<x>",
        "@a",
        "//",
        "/*",
        "=",
        "\u200d",
        "\ufeff",
        "a" * 500,
        "\n\n",
        "\u0301",
    ]
)


@example(name="µ", remark="ŉ")
@given(name=anything, remark=anything)
@settings(max_examples=25, deadline=None)
def test_whatever_people_type_is_printed_and_never_run(name: str, remark: str) -> None:
    from tests.record.sample import sample

    content = sample(name, remark)
    rendered = render(content)
    assert decode(rendered.json) == content
    assert set(rendered.places) == {"giver", "receiver"}


LETTERS = [
    chr(code)
    for code in (*range(0x41, 0x600), *range(0x1D00, 0x2000), *range(0x2C60, 0x2C80), *range(0xA640, 0xA800))
    if unicodedata.category(chr(code))[0] == "L"
]
"""Of the Latin, Vietnamese, Greek and Cyrillic scripts."""


@given(st.text(st.sampled_from(LETTERS), min_size=1, max_size=60))
@example(" ".join(LETTERS))
@settings(max_examples=20, deadline=None)
def test_a_record_is_laid_out_with_every_letter_of_our_scripts_in_every_place(words: str) -> None:
    from tests.record.sample import sample

    content = sample(words, "tên " + words)
    content = msgspec.structs.replace(content, title=Words("Biên bản " + words, words))
    for language in ("vi", "en"):
        render(msgspec.structs.replace(content, language=language))


@pytest.mark.parametrize("name", ["Xưởng đo µ", "ŉ"])
def test_a_letter_whose_capital_the_fonts_lack_stays_as_it_was_typed(name: str, tmp_path: Path) -> None:
    from tests.record.sample import sample

    content = sample(name, "ghi chú")
    rendered = render(content)
    assert decode(rendered.json) == content
    head = text_of(rendered.pdf, tmp_path).partition("BIÊN BẢN")[0]
    assert "".join(letter if letter in "µŉ" else letter.upper() for letter in name) in head


@pytest.mark.parametrize("title", ["Biên bản ", "Biên bản"])
def test_a_title_without_words_of_its_own_is_laid_out(title: str) -> None:
    from tests.record.sample import sample

    render(msgspec.structs.replace(sample("a", "b"), title=Words(title, title)))


@given(st.text())
def test_printable_text_has_nothing_the_fonts_lack(text: str) -> None:
    shown = printable(text).replace("\u200b", "")  # where a long run may be broken
    assert PRINTABLE.search(shown) is None
    assert max(map(len, printable(text).replace("\u200b", " ").split()), default=0) <= 28


def test_a_draft_from_a_damaged_journal_says_that_something_is_lost(
    home: Home, visits: Visits, visit: str, tmp_path: Path
) -> None:
    """An answer whose entry cannot be read is not passed over as if it had never been given."""
    visits.store.close()
    journal = segment(home.store)
    lines = journal.read_bytes().splitlines(keepends=True)
    lost = next(at for at, line in enumerate(lines) if b'"item":"trainees"' in line)
    lines[lost] = lines[lost][:60] + bytes([lines[lost][60] ^ 1]) + lines[lost][61:]
    journal.write_bytes(b"".join(lines))
    with Store.open(home.store) as store:
        export(Visits(store, home), visit, "pdf", tmp_path / "draft.pdf")
        export(Visits(store, home), visit, "json", tmp_path / "draft.json")
        export(Visits(store, home), visit, "csv", tmp_path / "draft.csv")
    content = decode((tmp_path / "draft.json").read_bytes())
    assert content.lost
    text = text_of((tmp_path / "draft.pdf").read_bytes(), tmp_path)
    assert "KHÔNG ĐẦY ĐỦ: một phần dữ liệu của chuyến triển khai bị mất hoặc hỏng" in text
    assert content.lost[0].vi in text


def test_a_draft_after_an_amendment_is_not_called_as_the_signed_record(visits: Visits, visit: str) -> None:
    assert file_name(visits.load(visit)) == f"{visit}-record-draft"
    visits.sign_off(visit, ANSWERS["officer_name"], ANSWERS["officer_title"])
    kept = {"name": f"{visit}-record", "pdf": "0" * 64, "json": "0" * 64, "signed": True, "replaces": ""}
    visits.recorded(visit, kept, "0" * 64)
    assert file_name(visits.load(visit)) == f"{visit}-record"
    visits.amend(visit, "đếm sót một người")
    assert file_name(visits.load(visit)) == f"{visit}-record-2-draft"


def test_every_reason_since_the_last_record_stands_on_the_next(visits: Visits, visit: str) -> None:
    visits.sign_off(visit, ANSWERS["officer_name"], ANSWERS["officer_title"])
    kept = {"name": f"{visit}-record", "pdf": "0" * 64, "json": "0" * 64, "signed": True, "replaces": ""}
    visits.recorded(visit, kept, "0" * 64)
    visits.amend(visit, "đếm sót một người")
    visits.sign_off(visit, ANSWERS["officer_name"], ANSWERS["officer_title"])
    again = visits.amend(visit, "sai tên")
    content = build(again, visits.store, visits.profiles, made=MADE)
    assert content.reason == "đếm sót một người; sai tên"


def test_a_record_that_is_far_too_large_is_refused_before_it_is_laid_out(content: RecordContent) -> None:
    (part, *_) = content.parts
    rows = tuple(msgspec.structs.replace(part.rows[0], item=f"x{number}") for number in range(4_001))
    many = msgspec.structs.replace(content, parts=(msgspec.structs.replace(part, rows=rows),))
    long = msgspec.structs.replace(content, place="x" * 50_001)
    notes = msgspec.structs.replace(content, notes=("x",) * 100_001)
    for large in (many, long, notes):
        with pytest.raises(RecordTooLarge):
            render(large)
        with pytest.raises(RecordTooLarge):
            decode(encode(large))
    with pytest.raises(RecordUnreadable):
        decode(b" " * (2 * 1024 * 1024 + 1))


def test_a_record_of_the_largest_size_is_laid_out(content: RecordContent) -> None:
    (part, *_) = content.parts
    rows = tuple(msgspec.structs.replace(part.rows[0], item=f"x{number}") for number in range(4_000))
    large = msgspec.structs.replace(content, parts=(msgspec.structs.replace(part, rows=rows),))
    assert render_apart(encode(large), large).pdf.startswith(b"%PDF")


@pytest.mark.parametrize("made", ["0001-01-01T00:00:00+14:00", "yesterday", "9999-12-31T23:59:59-14:00"])
def test_data_that_cannot_be_laid_out_is_refused_in_words(content: RecordContent, made: str) -> None:
    odd = msgspec.structs.replace(content, made=made)
    with pytest.raises(RecordNotRendered) as caught:
        render(odd)
    assert caught.value.code == "record-not-rendered"
    with pytest.raises(RecordNotRendered):
        render_apart(encode(odd), odd)


def test_data_that_takes_too_long_to_lay_out_is_given_up(
    content: RecordContent, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fieldkit.record import render as module

    monkeypatch.setattr(module, "PATIENCE", 0.01)
    with pytest.raises(RecordNotRendered) as caught:
        render_apart(encode(content), content)
    assert "came to no end" in caught.value.detail


FORMULAS = ("=1+1", "+84 900", "-1", "@SUM(A1)", "\t=1", " =1", "|calc", "%0A")


def _with_formulas(content: RecordContent) -> RecordContent:
    (part, *rest) = content.parts
    rows = tuple(
        msgspec.structs.replace(part.rows[0], item=f"x{number}", who=formula)
        for number, formula in enumerate(FORMULAS)
    )
    return msgspec.structs.replace(content, parts=(msgspec.structs.replace(part, rows=rows), *rest))


def test_the_workbook_holds_text_and_no_formula(content: RecordContent) -> None:
    made = tables.to_xlsx(_with_formulas(content))
    book = openpyxl.load_workbook(io.BytesIO(made))
    assert book.sheetnames == ["Biên bản", "Nội dung đã thực hiện", "Kết quả ký thử", "Phát hiện"]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n", "d"}
    values = [cell.value for cell in cells]
    assert {"Nguyễn Thị Mẫu", "Số hiệu chứng thư số", content.journal.hash, *FORMULAS[:4]} <= set(values)
    assert made == tables.to_xlsx(_with_formulas(content))


def test_the_csv_is_what_excel_reads_and_never_runs(content: RecordContent) -> None:
    made = tables.to_csv(_with_formulas(content))
    assert made.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(made.decode("utf-8-sig"), newline=""))
    assert head[:3] == ["Biên bản", "Chuyến triển khai", "Cơ quan thường trú"]
    assert all(len(row) == len(head) for row in rows)
    assert [row[8] for row in rows[: len(FORMULAS)]] == ["'" + formula for formula in FORMULAS]


def test_the_workbook_has_numbers_and_days_as_such(content: RecordContent) -> None:
    book = openpyxl.load_workbook(io.BytesIO(tables.to_xlsx(content)))
    rows = {row[1].value: row[3] for row in book["Nội dung đã thực hiện"].iter_rows(min_row=2)}
    assert (rows["trainees"].value, rows["trainees"].data_type) == (3, "n")
    assert (rows["training_date"].value, rows["training_date"].is_date) == (datetime(2026, 11, 2), True)
    assert rows["officer_name"].data_type == "s"


@pytest.mark.parametrize(
    ("kind", "value", "typed"),
    [
        ("number", "3", 3.0),
        ("number", "-12.5", -12.5),
        ("number", "1000000000000000.1", None),
        ("number", "123456789012345678", None),
        ("number", "1E999", None),
        ("number", "NaN", None),
        ("number", "three", None),
        ("date", "2026-11-02", date(2026, 11, 2)),
        ("date", "1900-02-28", None),
        ("date", "02/11/2026", None),
        ("text", "3", None),
        ("", "", None),
    ],
)
def test_only_what_a_workbook_keeps_exactly_is_a_number_or_a_day(
    kind: str, value: str, typed: float | date | None
) -> None:
    word = Words(value, value)
    assert tables.typed_value(RecordRow("i", word, word, "", "", kind=kind, value=value)) == typed


@pytest.mark.parametrize(
    "text",
    [
        "0912345678",
        "1E5",
        "1e-5",
        "12.50",
        "1,5",
        "02/11/2026",
        "2026-11-02",
        "12:30",
        "50%",
        "9PM",
        "1234567890123456",
    ],
)
def test_no_spreadsheet_makes_something_else_of_a_cell(text: str) -> None:
    """Excel and LibreOffice take such a cell for a number or a date; after a tab they leave it alone."""
    assert tables.as_it_is(text) == "\t" + text


@pytest.mark.parametrize("text", ["", "0", "3", "57", "MAU-01", "1 hộp", "e5", "2026-11-24T09:05:07+07:00"])
def test_a_cell_that_stays_as_it_is_gets_nothing_before_it(text: str) -> None:
    assert tables.as_it_is(text) == text


def test_tables_in_english_have_english_words(content: RecordContent) -> None:
    english = msgspec.structs.replace(content, language="en")
    assert "Deployment technician" in [value for _, value in tables.facts(english)]
    assert tables.tests(english)[0][2] == "passed"
