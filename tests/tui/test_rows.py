"""Rows of a repeat on the screen: added, filled in, opened, taken out, by keys alone."""

from __future__ import annotations

from pathlib import Path

from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.visit.visits import Visits
from tests.tui.conftest import Person, Play
from tests.tui.test_visit import stored

DELIVERY = """
id: delivery
version: "1"
title: {vi: Giao, en: Delivery}
sections:
- id: what
  title: {vi: Gì, en: What}
  items:
  - id: devices
    kind: repeat
    label: {vi: Thiết bị, en: Devices}
    items:
    - {id: serial, kind: barcode, required: true, label: {vi: Số, en: Serial}}
    - {id: price, kind: integer, label: {vi: Giá, en: Price}}
  - {id: total, kind: integer, calculate: "sum(${price})", label: {vi: Tổng, en: Total}}
"""


def begun(home: Home, tmp_path: Path) -> str:
    checklist = tmp_path / "delivery.yaml"
    checklist.write_text(DELIVERY, encoding="utf-8")
    with Store.open(home.store) as store:
        return Visits(store, home, "Technician").start("MAU-01", checklist).id


def test_rows_are_added_filled_in_by_a_scanner_and_taken_out(play: Play, home: Home, tmp_path: Path) -> None:
    visit = begun(home, tmp_path)

    async def story(person: Person) -> None:
        await person.see("Devices", "0 row(s)", "Enter adds a row")
        await person.press("enter")
        await person.see("A row was added", "1 row(s)", "▕ Serial")
        await person.type("A-77")
        await person.press("tab")  # as a scanner ends what it types
        await person.see("Saved: Serial", "▕ Price")
        await person.type("12")
        await person.press("enter")
        await person.see("Saved: Price", "1 · A-77 · 12")
        await person.press("home", "enter")
        await person.see("2 row(s)", "▕ Serial")
        await person.type("B-2")
        await person.press("enter")
        await person.see("Saved: Serial")
        await person.press("escape", "home")
        await person.see("Serial", "A-77", "B-2", "Enter adds a row")
        await person.press("down", "enter")
        await person.see("1 · A-77 · 12", "▕ Serial")  # the first is opened, the second is closed
        await person.press("up", "f7")
        await person.see("Take row 1 out?", "The journal keeps the 2 answer(s) in it")
        await person.press("down", "enter")
        await person.see("The row was taken out", "1 · B-2")

    play(story, visit=visit)
    finished = stored(home, visit)
    assert finished.known.rows("devices") == ["devices/2"]
    assert finished.answers == {"devices/2": "2", "devices/2/serial": "B-2", "total": "0"}
