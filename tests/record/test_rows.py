"""Rows of a repeat on paper: a table of their own, in order, and all that its store can prove."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fieldkit.record.content import decode
from fieldkit.record.handover import hand_over
from fieldkit.record.verify import verify
from fieldkit.visit.answer_file import read_answers
from fieldkit.visit.visits import Visits
from tests.record.conftest import People
from tests.record.test_form import text_of

DELIVERY = """
id: delivery
version: "1"
title: {vi: Phiếu giao thiết bị, en: Delivery note}
finish: record
paper: form
sections:
- id: goods
  title: {vi: Hàng giao, en: What is delivered}
  items:
  - {id: note, kind: text, label: {vi: Số vận đơn, en: Waybill}}
  - id: devices
    kind: repeat
    label: {vi: Thiết bị, en: Devices}
    items:
    - {id: serial, kind: barcode, required: true, label: {vi: Số hiệu, en: Serial}}
    - {id: price, kind: integer, label: {vi: Đơn giá, en: Price}}
    - id: faults
      kind: repeat
      label: {vi: Hư hỏng, en: Faults}
      items: [{id: fault, kind: text, label: {vi: Mô tả, en: Description}}]
  - {id: total, kind: integer, calculate: "sum(${price})", label: {vi: Tổng cộng, en: Total}}
"""


def test_rows_are_printed_as_a_table_between_what_is_before_and_after(
    visits: Visits, people: People, tmp_path: Path
) -> None:
    checklist, file = tmp_path / "delivery.yaml", tmp_path / "answers.yaml"
    checklist.write_text(DELIVERY, encoding="utf-8")
    rows = "".join(f"- {{serial: AB-{n:04}, price: {n}}}\n" for n in range(1, 301))
    file.write_text(f"note: VD-1\ndevices:\n- {{serial: X-1, faults: [{{fault: vỡ nắp}}]}}\n{rows}")
    visit = visits.start("MAU-01", checklist).id
    visits.answer_all(visit, read_answers(file))
    made = asyncio.run(hand_over(visits, visit, people))
    content = decode(made.json.read_bytes())
    assert [part.title.vi for part in content.parts] == [
        "Hàng giao", "Thiết bị", "Thiết bị 1 · Hư hỏng", "Hàng giao",
    ]  # fmt: skip
    assert content.parts[3].rows[0].answer.vi == "45150"
    printed = text_of(made.pdf)
    assert "STT Số hiệu" in printed
    assert "300 AB-0299 299" in printed
    verified = verify(made.pdf, trust=(), store=visits.store)
    assert verified.verdict == "pass", [check for check in verified.checks if check.severity != "pass"]
