"""The kinds of file a record is written as, a line each, for commands, screens and the handover alike."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from fieldkit.record import tables
from fieldkit.record.content import RecordContent
from fieldkit.record.render import render
from fieldkit.text import M, Message


class ExportFormat(msgspec.Struct, frozen=True):
    """A kind of file. write: makes it anew.

    translated: it can be written in another language than the record was signed in.
    """

    label: Message
    write: Callable[[RecordContent], bytes]
    translated: bool = False


FORMATS: dict[str, ExportFormat] = {
    "pdf": ExportFormat(M("PDF: the signed record"), lambda content: render(content).pdf),
    "xlsx": ExportFormat(M("XLSX: the answers as a workbook"), tables.to_xlsx, translated=True),
    "csv": ExportFormat(M("CSV: the answers as a table"), tables.to_csv, translated=True),
    "json": ExportFormat(M("JSON: the data of the record"), tables.to_json),
}
"""By the ending of the file's name."""
