"""What can go wrong with a stamp."""

from __future__ import annotations

from fieldkit import errors
from fieldkit.pdf.errors import DocumentError


class StampUnfit(DocumentError, errors.Misused, code="stamp-unfit"):
    """The stamp asked for cannot be drawn or placed."""
