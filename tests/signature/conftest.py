"""An authority, signers and a letter for the tests of signatures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.signature.pki import Pki, SoftwareSigner

LETTER = """
#set page(paper: "a4", margin: (top: 2cm, bottom: 2cm, left: 3cm, right: 2cm))
#set text(size: 13pt, lang: "vi")
#align(center)[*CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM* \\ *Độc lập - Tự do - Hạnh phúc*]
Số: 07/MẪU

#lorem(120)

#grid(columns: (1fr, 1fr), [], align(center)[
  *TRƯỞNG CƠ QUAN THƯỜNG TRÚ*
  #v(30mm)
  *Nguyễn Thị Mẫu*
])
"""


@pytest.fixture(scope="session")
def pki() -> Pki:
    """The sample authority of this run."""
    return Pki()


@pytest.fixture(scope="session")
def rsa_signer(pki: Pki) -> SoftwareSigner:
    """A person's RSA key."""
    return pki.signer()


@pytest.fixture(scope="session")
def ec_signer(pki: Pki) -> SoftwareSigner:
    """A person's key on the curve P-256."""
    return pki.signer(kind="ec")


@pytest.fixture(scope="session")
def letter_bytes() -> bytes:
    """A real administrative letter, one page, Vietnamese."""
    import typst

    made = typst.compile(LETTER.encode())
    assert isinstance(made, bytes)
    return made


@pytest.fixture
def letter(tmp_path: Path, letter_bytes: bytes) -> Path:
    """The letter as a file."""
    path = tmp_path / "letter.pdf"
    path.write_bytes(letter_bytes)
    return path
