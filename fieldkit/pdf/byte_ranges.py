"""The signed byte ranges of a document and the CMS objects over them, for tools that know no PDF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.pdf import boundary, document

if TYPE_CHECKING:
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

    from fieldkit.secret import Secret


class SignedRange(msgspec.Struct, frozen=True):
    """A signature's field, its CMS (DER), and the ranges it covers as start and end."""

    field: str
    cms: bytes
    ranges: tuple[tuple[int, int], ...]
    timestamp: bool

    def content(self, data: bytes) -> bytes:
        """The bytes that were signed."""
        return b"".join(data[start:end] for start, end in self.ranges)


def signed_ranges(path: Path, password: Secret | None = None) -> list[SignedRange]:
    """Every signature in the order in which they were made.

    :raises DocumentUnfit, DocumentEncrypted: the document cannot be read.
    """
    with document.opened(path) as file, boundary.reading(path.name):
        from pyhanko.pdf_utils.reader import PdfFileReader

        reader = PdfFileReader(file, strict=False)
        if reader.encrypted:
            boundary.unlock(reader.decrypt, path.name, password)
        return [_range(signature) for signature in reader.embedded_signatures]


def _range(signature: EmbeddedPdfSignature) -> SignedRange:
    numbers = [int(number) for number in signature.byte_range]
    return SignedRange(
        field=str(signature.field_name or ""),
        cms=bytes(signature.pkcs7_content),
        ranges=tuple((at, at + length) for at, length in zip(numbers[::2], numbers[1::2], strict=True)),
        timestamp=str(signature.sig_object_type) == "/DocTimeStamp",
    )
