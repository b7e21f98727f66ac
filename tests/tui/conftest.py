"""The screens in this process, driven by keys: a home with a checklist of every kind of item, a person."""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from fieldkit import i18n, settings
from fieldkit.access import make_private_folder
from fieldkit.home import Home
from fieldkit.settings import Settings
from fieldkit.tui.app import FieldkitApp

CHECKLIST = """
id: everything
version: "1"
title: {vi: Mọi loại mục, en: Every kind of item}
sections:
  - id: answers
    title: {vi: Trả lời, en: Answers}
    items:
      - {id: intro, kind: note, label: {vi: Đọc trước, en: Read this first}}
      - {id: present, kind: yesno, required: true, label: {vi: Có mặt?, en: Is somebody there?}}
      - {id: name, kind: text, required: true, label: {vi: Họ tên, en: Name}}
      - {id: remarks, kind: text, multiline: true, label: {vi: Nhận xét, en: Remarks}}
      - id: delivery
        kind: choice
        required: true
        label: {vi: Cách nhận, en: Delivery}
        choices:
          - {value: post, label: {vi: Bưu điện, en: By post}}
          - {value: hand, label: {vi: Trực tiếp, en: By hand}}
      - id: parts
        kind: choices
        label: {vi: Phụ kiện, en: Parts}
        choices:
          - {value: box, label: {vi: Hộp, en: Box}}
          - {value: cap, label: {vi: Nắp, en: Cap}}
          - {value: guide, label: {vi: Hướng dẫn, en: Guide}}
      - id: count
        kind: number
        required: true
        constraint: ". > 0"
        constraint_message: {vi: Phải lớn hơn 0., en: It has to be more than 0.}
        label: {vi: Số người, en: How many people}
      - {id: day, kind: date, required: true, label: {vi: Ngày, en: Day}}
      - {id: photo, kind: file, label: {vi: Ảnh, en: Photo}}
      - {id: why, kind: text, relevant: "${present} = 'no'", label: {vi: Vì sao?, en: Why not?}}
  - id: work
    title: {vi: Việc làm, en: Work}
    items:
      - {id: look, kind: procedure, procedure: preflight, label: {vi: Kiểm tra máy, en: Look at the machine}}
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a checklist of its own."""
    made = Home(tmp_path / "home")
    make_private_folder(made.checklists)
    (made.checklists / "everything.yaml").write_text(CHECKLIST, encoding="utf-8")
    settings.save(made, Settings(who="Trần Kỹ Thuật"))
    return made


class Person:
    """Somebody at the keyboard of the app, who waits until the screen says what they wait for."""

    def __init__(self, app: FieldkitApp, pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        await self.pilot.press(*("space" if letter == " " else letter for letter in text))

    async def paste(self, text: str) -> None:
        self.app.post_message(events.Paste(text))
        await self.pilot.pause()

    async def see(self, *texts: str, seconds: float = 15) -> str:
        """The screen, once it shows all of `texts`."""
        deadline = time.monotonic() + seconds
        while True:
            await self.pilot.pause()
            shown = screen_text(self.app)
            if all(text in shown for text in texts):
                return shown
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {texts!r}, saw:\n{shown}")
            await asyncio.sleep(0.02)

    async def gone(self, text: str, seconds: float = 15) -> str:
        """The screen, once it no longer shows `text`."""
        deadline = time.monotonic() + seconds
        while True:
            await self.pilot.pause()
            shown = screen_text(self.app)
            if text not in shown:
                return shown
            assert time.monotonic() < deadline, shown
            await asyncio.sleep(0.02)


Story = Callable[[Person], Awaitable[None]]
Play = Callable[..., FieldkitApp]


@pytest.fixture
def play(home: Home) -> Play:
    """Run a story: `play(story, size=(80, 24), language="en", app=FieldkitApp)`."""

    def run(
        story: Story,
        *,
        size: tuple[int, int] = (80, 24),
        language: str = "en",
        visit: str = "",
        at: Home | None = None,
    ) -> FieldkitApp:
        i18n.use(language)
        app = FieldkitApp(at or home, visit=visit)

        async def told() -> None:
            async with app.run_test(size=size) as pilot:
                await story(Person(app, pilot))
                await app.desk.close()

        asyncio.run(told())
        return app

    return run


@pytest.fixture
def visit(home: Home) -> str:
    """A visit that was started and not gone on with."""
    from fieldkit.journal.store import Store
    from fieldkit.visit.visits import Visits

    with Store.open(home.store) as store:
        return Visits(store, home, "Technician").start("MAU-01", home.checklists / "everything.yaml").id


def screen_text(app: FieldkitApp) -> str:
    """What the screen shows, line by line, read from the picture the app makes of itself."""
    picture = app.export_screenshot(simplify=True)
    lines: dict[int, dict[float, str]] = {}
    for x, line, text in re.findall(
        r'<text [^>]*?x="([\d.]+)"[^>]*?clip-path="url\(#[^)]*?-line-(\d+)\)"[^>]*>(.*?)</text>', picture
    ):
        lines.setdefault(int(line), {})[float(x)] = html.unescape(text).replace("\u00a0", " ")
    shown = []
    for number in range(app.size.height):
        row = ""
        for x, text in sorted(lines.get(number, {}).items()):
            row = row.ljust(round(x / 12.2)) + text
        shown.append(row.rstrip())
    return "\n".join(shown)
