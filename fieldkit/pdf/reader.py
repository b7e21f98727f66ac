"""pyHanko's reader as patient as the standard: a reference to an object that is nowhere means null.

Imported late: this loads pyHanko.
"""

from __future__ import annotations

from typing import BinaryIO

from pyhanko.pdf_utils.generic import Reference
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.xref import XRefCache


class _Table(XRefCache):  # type: ignore[misc, unused-ignore]
    """What no section lists was not brought in by a later revision (ISO 32000-1 §7.3.10)."""

    def get_introducing_revision(self, ref: Reference) -> int:
        try:
            return int(super().get_introducing_revision(ref))
        except KeyError:
            return 0


def patient(file: BinaryIO) -> PdfFileReader:
    """A reader of `file` in which such a reference does not keep revisions from being compared."""
    reader = PdfFileReader(file, strict=False)
    reader.xrefs.__class__ = _Table
    return reader
