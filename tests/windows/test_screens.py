"""The screens in a console of Windows: a visit answered in Vietnamese, the language, the window, the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.windows.bed import Windows
from tests.windows.conftest import OnWindows
from tests.windows.console import Console

TYPED = "Đã hướng dẫn ký số tại Hà Nội"
PASTED = "Ổ khóa gãy; dùng token dự phòng ở Huế"
CHECKLIST = """\
id: aaa
version: "1"
title: {vi: Danh mục mẫu, en: A sample list}
finish: record
sections:
  - id: only
    title: {vi: Phần duy nhất, en: The only part}
    items:
      - {id: work, kind: text, required: true, label: {vi: Việc đã làm, en: Work done}}
      - {id: rest, kind: text, required: true, label: {vi: Việc còn lại, en: What is left}}
"""


@pytest.fixture
def opened(windows: Windows, program: Path, fieldkit: OnWindows, folder: Path) -> Callable[[], Console]:
    """Opens the screens of a home with one checklist, whose person speaks Vietnamese."""
    lists = folder / "home/checklists"
    lists.mkdir(parents=True)
    (lists / "aaa.yaml").write_text(CHECKLIST, encoding="utf-8")
    assert fieldkit("setup", "--who", "Nguyễn Văn Mẫu", "--language", "vi").status == 0
    home = windows.spelt(folder / "home")
    return lambda: Console(windows, program, FIELDKIT_HOME=home, FIELDKIT_LANG="")


def begin(console: Console) -> None:
    console.wait_for("Chưa có chuyến triển khai nào")
    console.press("n")
    console.wait_for("cơ quan thường trú nào?", "MAU-01")
    console.press("Enter")
    console.wait_for("danh mục kiểm tra nào?", "Danh mục mẫu")
    console.press("Home", "Enter")
    console.wait_for("Việc đã làm", "0/2")


def test_a_visit_is_answered_in_vietnamese_typed_and_pasted_in_a_window_of_any_size(
    opened: Callable[[], Console], fieldkit: OnWindows
) -> None:
    with opened() as console:
        console.wait_for("Chưa có chuyến triển khai nào")
        console.press("F2")
        console.wait_for("There is no visit yet")
        console.press("F2")
        begin(console)
        console.press("Enter")
        console.wait_for("Enter Lưu")
        console.type(TYPED)
        console.wait_for(TYPED)
        console.press("Enter")
        console.wait_for("1/2")
        console.resize(100, 30)
        console.press("Enter")
        console.paste(PASTED)
        console.wait_for(PASTED, "Việc còn lại", "1/2")
        console.press("Enter")
        console.wait_for("2/2")
        console.press("C-c")
        console.press("C-q")
        assert console.process.wait(60) == 0
    (visit,) = fieldkit("visit", "list", "--json").result
    answers = fieldkit("visit", "show", visit["visit"], "--json").result["answers"]
    assert answers == {"work": TYPED, "rest": PASTED}


def test_what_was_saved_is_there_after_the_window_was_closed_and_nothing_runs_on(
    opened: Callable[[], Console], fieldkit: OnWindows
) -> None:
    with opened() as console:
        begin(console)
        console.press("Enter")
        console.wait_for("Enter Lưu")
        console.type(TYPED)
        console.wait_for(TYPED)
        console.press("Enter")
        console.wait_for("1/2")
        console.press("Enter")
        console.wait_for("Enter Lưu")
        console.type("nửa câu")
        console.wait_for("nửa câu")
        console.close()
        console.process.wait(60)
    (visit,) = fieldkit("visit", "list", "--json").result
    shown = fieldkit("visit", "show", visit["visit"], "--json")
    assert shown.result["answers"] == {"work": TYPED}
    assert (
        fieldkit("visit", "note", visit["visit"], "Ghi chú", "--json").status == 0
    )  # nobody writes any more
