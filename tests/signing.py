"""An authority, signers, a token that holds one of their keys, and a letter for the tests of signatures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.home import Home
from tests.conftest import softhsm_configuration
from tests.pki import Pki, SoftwareSigner

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


PIN = "24681357"


@pytest.fixture
def put_on_token(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> Callable[[SoftwareSigner], list[str | Path]]:
    """Puts a signer's key and certificate on a fresh SoftHSM2 token; the options that name it and its PIN."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from fieldkit.secret import Secret
    from fieldkit.token import initialisation
    from fieldkit.token.agents import Agents

    module = "/usr/lib/softhsm/libsofthsm2.so"
    if not Path(module).exists():
        pytest.fail("SoftHSM2 is needed: sudo apt-get install softhsm2")
    monkeypatch.setenv("SOFTHSM2_CONF", str(softhsm_configuration(home.path.parent / "softhsm2")))

    def put(signer: SoftwareSigner) -> list[str | Path]:
        held = signer.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        with Agents([module], tmp_path / "logs") as agents:
            empty = next(each for each in agents.tokens() if not each.initialized)
            made = initialisation.initialise(agents, empty, "MẪU", Secret("13572468"), Secret(PIN))
            with agents.session(made, Secret(PIN)) as session:
                session.create_key(Secret(held), "01", "key")
                session.create_certificate(signer.certificate, "01", "certificate")
        (tmp_path / "pin").write_text(PIN + "\n")
        return ["--token", "MẪU", "--pin-file", tmp_path / "pin"]

    return put
