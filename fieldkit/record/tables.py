"""The record as tables: an XLSX workbook, a CSV, and its JSON. Text stays text: nothing is ever a formula.

A workbook has numbers and dates as such. A CSV has no types, so spreadsheets guess: what they would take for
a number or a date and write otherwise begins with a tab there, which keeps it as it is and does not show.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation

from fieldkit.record.content import RecordContent, RecordRow, encode
from fieldkit.record.labels import LABELS, label, shown
from fieldkit.text import Words

LONGEST_CELL = 32_767  # characters, the limit of the XLSX form
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")

COLUMNS = ("section", "item-id", "item", "answer", "outcome", "who", "when", "files")
ANSWER = COLUMNS.index("answer")
FIRST_DAY = date(1900, 3, 1)  # before it a workbook counts days wrongly
MOST_DIGITS = 15  # of a number that a workbook keeps
GUESSED = re.compile(r"[\d.,/:\s]*\d[\d.,/:\s-]*(?:e[+-]?\d+)?%?(?:\s*[ap]m)?", re.IGNORECASE)
"""What a spreadsheet takes for a number, a date or a time when it opens a CSV."""
PLAIN = re.compile(r"0|[1-9]\d{0,14}")
"""Whole numbers that stay the same when it does."""


def to_json(content: RecordContent) -> bytes:
    """The canonical JSON, as it is attached to the PDF."""
    return encode(content)


def to_csv(content: RecordContent) -> bytes:
    """One line an item, UTF-8 with the mark that Excel needs, and no cell that a spreadsheet would run."""
    language = content.language
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    names = ("record", "visit", "bureau", *COLUMNS)
    writer.writerow([inert(label(name, language)) for name in names])
    for row in rows(content):
        start = (content.name, content.visit.id, content.visit.bureau)
        writer.writerow([as_it_is(cell) for cell in (*start, *row)])
    return "\ufeff".encode() + out.getvalue().encode()


def to_xlsx(content: RecordContent) -> bytes:
    """A workbook of facts, checklist, test signatures and findings. The same record, the same bytes."""
    import xlsxwriter

    language = content.language
    out = io.BytesIO()
    settings = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    book = xlsxwriter.Workbook(out, settings)
    book.set_properties(
        {
            "title": f"{shown(content.title, language)} {content.number}",
            "created": datetime.fromisoformat(content.made).astimezone(UTC).replace(tzinfo=None),
        }
    )
    head = book.add_format({"bold": True, "bg_color": "#EDEDED", "border": 1, "text_wrap": True})
    top = {"text_wrap": True, "valign": "top", "border": 1}
    text = book.add_format({**top, "num_format": "@"})
    number_form = book.add_format({**top, "align": "left"})
    day_form = book.add_format({**top, "align": "left", "num_format": "dd/mm/yyyy"})
    typed = [row for part in content.parts for row in part.rows]
    sheets: tuple[tuple[str, Sequence[str], Sequence[Sequence[str]], Sequence[int]], ...] = (
        ("record", ("fact", "value"), facts(content), (36, 90)),
        ("checklist", COLUMNS, rows(content), (24, 18, 44, 44, 14, 20, 26, 40)),
        ("tests", ("document", "level", "outcome", "file-sha256"), tests(content), (36, 10, 18, 70)),
        ("findings", ("item-id", "outcome", "finding", "detail"), findings(content), (20, 16, 70, 60)),
    )
    for name, columns, lines, widths in sheets:
        if name == "tests" and content.paper == "form" and not lines:
            continue
        sheet = book.add_worksheet(_sheet_name(LABELS[name], language))
        sheet.freeze_panes(1, 0)
        sheet.set_landscape()
        sheet.set_paper(9)
        for at, (column, width) in enumerate(zip(columns, widths, strict=True)):
            sheet.set_column(at, at, width)
            sheet.write_string(0, at, label(column, language), head)
        for number, line in enumerate(lines, 1):
            for at, cell in enumerate(line):
                value = typed_value(typed[number - 1]) if (name, at) == ("checklist", ANSWER) else None
                if isinstance(value, date):
                    sheet.write_datetime(number, at, datetime.combine(value, time()), day_form)
                elif value is not None:
                    sheet.write_number(number, at, value, number_form)
                else:
                    sheet.write_string(number, at, cell[:LONGEST_CELL], text)
    book.close()
    return out.getvalue()


def facts(content: RecordContent) -> list[tuple[str, str]]:
    """The record's facts, a name and a value a line."""
    language = content.language

    def line(name: str, value: str | Words | None) -> tuple[str, str]:
        text = "" if value is None else value if isinstance(value, str) else shown(value, language)
        return label(name, language), text

    lines = [line("record", content.name), line("number", content.number)]
    if content.sample:
        lines.append(line("sample", LABELS["sample-line"]))
    if content.draft:
        lines.append(line("draft", LABELS["yes"]))
    lines += [line("lost", words) for words in content.lost]
    if content.replaces:
        lines += [line("replaces", content.replaces), line("reason", content.reason)]
    lines += [line("basis", basi) for basi in content.basis]
    lines += [line("today", content.made), line("place", content.place)]
    sides = ("giver", "receiver") if content.paper == "handover" else ("filled-in-by", "answered-by")
    for side, party in zip(sides, (content.giver, content.receiver), strict=True):
        lines += [
            line(side, party.agency),
            line("person", party.person),
            line("office", party.title),
            line("address", party.address),
            line("phone", party.phone),
            line("email", party.email),
            line("code", party.code),
        ]
    for device in content.devices:
        lines += [
            line("subscriber", device.subscriber),
            line("holder", device.holder),
            line("email", device.email),
            line("model", ", ".join(filter(None, (device.manufacturer, device.model)))),
            line("token-serial", device.token_serial),
            line("token-label", device.token_label),
            line("subject", device.subject),
            line("issuer", device.issuer),
            line("certificate-serial", device.certificate_serial),
            line("validity", " – ".join(filter(None, (device.not_before, device.not_after)))),
            line("key", device.key),
            line("certificate-sha256", device.sha256),
            line("pin", device.pin),
            line("condition", device.condition),
        ]
    lines += [line("notes", note) for note in content.notes]
    visit, journal = content.visit, content.journal
    lines += [
        line("visit", visit.id),
        line("bureau", visit.bureau),
        line("checklist-version", f"{visit.checklist} {visit.version}"),
        line("signed-off", visit.signed_off),
        line("signoff-head", visit.signoff_head),
        line("journal-device", journal.device),
        line("journal-seq", str(journal.seq)),
        line("journal-hash", journal.hash),
        line("renderer", f"fieldkit {content.renderer.fieldkit}, Typst {content.renderer.typst}"),
    ]
    return [fact for fact in lines if fact[1]]


def rows(content: RecordContent) -> list[tuple[str, ...]]:
    """The checklist, an item a line, in the order of `COLUMNS`."""
    language = content.language
    return [
        (
            shown(part.title, language),
            row.item,
            shown(row.label, language),
            shown(row.answer, language),
            label(row.outcome, language) if row.outcome else "",
            row.who,
            row.when,
            "\n".join(row.files),
        )
        for part in content.parts
        for row in part.rows
    ]


def tests(content: RecordContent) -> list[tuple[str, ...]]:
    """The documents signed as a test."""
    return [
        (test.name, test.level.upper(), _outcome(test.verdict, content.language), test.sha256)
        for test in content.tests
    ]


def findings(content: RecordContent) -> list[tuple[str, ...]]:
    """Everything the procedures saw."""
    return [
        (row.item, _outcome(note.severity, content.language), shown(note.text, content.language), note.detail)
        for part in content.parts
        for row in part.rows
        for note in row.notes
    ]


def inert(cell: str) -> str:
    """A CSV cell that no spreadsheet takes for a formula."""
    return "'" + cell if cell.lstrip(" \u00a0\ufeff").startswith(FORMULA_STARTS) else cell


def as_it_is(cell: str) -> str:
    """A CSV cell that a spreadsheet neither runs nor changes: 0912 keeps its zero, 1E5 its letter."""
    text = inert(cell)
    if text == cell and GUESSED.fullmatch(text) and not PLAIN.fullmatch(text):
        return "\t" + text
    return text


def typed_value(row: RecordRow) -> float | date | None:
    """The answer as a number or a day, where it is one that a workbook keeps exactly."""
    try:
        if row.kind == "number":
            number = Decimal(row.value)
            exact = number.is_finite() and len(number.normalize().as_tuple().digits) <= MOST_DIGITS
            return float(number) if exact and abs(number) < 10**MOST_DIGITS else None
        if row.kind == "date":
            day = date.fromisoformat(row.value)
            return day if day >= FIRST_DAY else None
    except (ValueError, InvalidOperation):
        pass
    return None


def _outcome(name: str, language: str) -> str:
    return label(name, language) if name in LABELS else name


def _sheet_name(words: Words, language: str) -> str:
    """At most 31 characters, none of those a sheet's name may not have."""
    return words.render("en" if language == "en" else "vi").translate(dict.fromkeys(map(ord, "[]:*?/\\")))[
        :31
    ]
