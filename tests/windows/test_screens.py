"""The screens in a console of Windows: a visit begun and answered in Vietnamese, the language, the end."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.terminal import Terminal
from tests.windows.bed import WINE, Windows
from tests.windows.conftest import OnWindows

ANSWER = "Đã hướng dẫn ký số tại Hà Nội"
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


def test_a_visit_is_begun_and_answered_in_vietnamese_by_keys(
    windows: Windows, program: Path, fieldkit: OnWindows, folder: Path
) -> None:
    lists = folder / "home/checklists"
    lists.mkdir(parents=True)
    (lists / "aaa.yaml").write_text(CHECKLIST, encoding="utf-8")
    assert fieldkit("setup", "--who", "Nguyễn Văn Mẫu", "--language", "vi").status == 0
    environment = windows.environment(FIELDKIT_HOME=windows.spelt(folder / "home"), TERM="xterm-256color")
    del environment["FIELDKIT_LANG"]
    command = (WINE, windows.spelt(program))
    with Terminal(command, environment=environment) as terminal:
        terminal.wait_for("Chưa có chuyến triển khai nào", seconds=90)
        terminal.press("F2")
        terminal.wait_for("There is no visit yet")
        terminal.press("F2")
        terminal.wait_for("Chưa có chuyến triển khai nào")
        terminal.press("n")
        terminal.wait_for("cơ quan thường trú nào?", "MAU-01")
        terminal.press("Enter")
        terminal.wait_for("danh mục kiểm tra nào?", "Danh mục mẫu")
        terminal.press("Enter")
        terminal.wait_for("Việc đã làm", "0/2")
        terminal.type(ANSWER)
        terminal.wait_for(ANSWER)
        terminal.press("Enter")
        terminal.wait_for("1/2")
        terminal.press("C-q")
        terminal.wait_for("ended with 0")
    (visit,) = fieldkit("visit", "list", "--json").result
    shown = fieldkit("visit", "show", visit["visit"], "--json").out
    assert ANSWER in shown
