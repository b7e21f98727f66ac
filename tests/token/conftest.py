"""Real tokens for the tests: SoftHSM2 in a folder of its own, and it behind a module with bad manners."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from fieldkit.secret import Secret
from fieldkit.token import initialisation
from fieldkit.token.agents import Agents
from fieldkit.token.kinds import TokenTraits
from fieldkit.token.model import Token
from fieldkit.token.watch import wait_for
from tests.token.piv import PivCard
from tests.token.reader import virtual_reader

if TYPE_CHECKING:
    from fieldkit.certificate.identity import Identity

PIN, SO_PIN = "246813", "97531864"
HERE = Path(__file__).parent
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def pin(text: str = PIN) -> Secret:
    """A PIN as it comes from a person, to be wiped by whoever uses it."""
    return Secret(text)


@pytest.fixture(scope="session")
def softhsm_module() -> str:
    for path in ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"):
        if os.path.isfile(path):
            return path
    pytest.skip("SoftHSM2 is not installed")


@pytest.fixture
def softhsm(softhsm_module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of SoftHSM2's module, with a token store that is empty and the test's own."""
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    return softhsm_module


@pytest.fixture
def agents(softhsm: str, tmp_path: Path) -> Iterator[Agents]:
    """Agents for SoftHSM2 alone."""
    with Agents([softhsm], tmp_path / "logs") as running:
        yield running


@pytest.fixture
def token(agents: Agents) -> Token:
    """An initialised SoftHSM2 token with `PIN` and `SO_PIN`."""
    blank = agents.tokens()[0]
    return initialisation.initialise(agents, blank, "Sample token", pin(SO_PIN), pin())


@pytest.fixture(scope="session")
def contrary_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    built = tmp_path_factory.mktemp("contrary") / "contrary.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", built, HERE / "contrary.c", "-ldl"], check=True)
    return built


class Contrary:
    """A module in front of SoftHSM2 that misbehaves as told; see contrary.c for the rules."""

    def __init__(self, path: Path, backend: str) -> None:
        self.path = str(path)
        self._configuration = Path(self.path + ".conf")
        self._backend = backend
        self.behave()

    def behave(self, *rules: str) -> None:
        """Follow these rules from the next call on, and no others."""
        text = "\n".join((f"backend {self._backend}", *rules)) + "\n"
        fresh = self._configuration.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self._configuration)

    def counted(self) -> int:
        """Calls since `behave("count")`."""
        return int(Path(self.path + ".count").read_text())


@pytest.fixture
def contrary(contrary_library: Path, softhsm: str, tmp_path: Path) -> Contrary:
    """A module of the test's own that behaves, until it is told not to."""
    own = tmp_path / "libcontrary.so"
    shutil.copy(contrary_library, own)
    return Contrary(own, softhsm)


@pytest.fixture
def contrary_agents(contrary: Contrary, tmp_path: Path) -> Iterator[Agents]:
    with Agents([contrary.path], tmp_path / "logs", deadlines={object: 3.0}) as running:
        yield running


@pytest.fixture
def contrary_token(contrary_agents: Agents) -> Token:
    """An initialised token behind the module with bad manners."""
    blank = contrary_agents.tokens()[0]
    return initialisation.initialise(contrary_agents, blank, "Contrary", pin(SO_PIN), pin())


@pytest.fixture(scope="session")
def opensc() -> str:
    """The path of OpenSC's module."""
    path = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"
    if not os.path.isfile(path):
        pytest.skip("OpenSC's PKCS#11 module is not installed")
    return path


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """pcscd with an empty virtual reader: its socket and the reader's port."""
    with virtual_reader(tmp_path_factory.mktemp("reader")) as found:
        yield found


@pytest.fixture
def card(
    reader: tuple[str, int],
    authority: tuple[ec.EllipticCurvePrivateKey, x509.Certificate],
    keys: Callable[[str], Key],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[PivCard]:
    """A personalised PIV card, not yet inserted: an RSA key, and an EC key that wants the PIN each time."""
    path, port = reader
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", path)
    made = PivCard(port, pin=PIN)
    for slot, kind, name in ((0x9A, "rsa:2048", "SAMPLE PIV"), (0x9C, "ec:p256", "SAMPLE signature")):
        key = keys(kind)
        made.hold(slot, key, der(_certificate(name, key.public_key(), "SAMPLE authority", authority[0])))
    yield made
    made.remove()


@pytest.fixture
def card_agents(opensc: str, card: PivCard, tmp_path: Path) -> Iterator[Agents]:
    """Agents for OpenSC alone, told that a locked PIN of its cards is opened by a PUK."""
    with Agents([opensc], tmp_path / "logs", traits={opensc: TokenTraits(unblock="puk")}) as running:
        yield running


def inserted(card: PivCard, agents: Agents) -> Token:
    """Put the card in; the token as it is when the reader has noticed."""
    card.insert()
    found = wait_for(agents, lambda token: token.initialized, stop=threading.Event())
    assert found is not None
    card.seen.clear()
    return agents.find(found.serial)


@pytest.fixture(scope="session")
def authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A sample authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, _certificate("SAMPLE authority", key.public_key(), "SAMPLE authority", key, ca=True)


@pytest.fixture(scope="session")
def keys() -> Callable[[str], Key]:
    """Keys by kind, each made once: making RSA keys takes long."""
    made: dict[str, Key] = {}

    def make(kind: str) -> Key:
        if kind not in made:
            family, _, size = kind.partition(":")
            if family == "rsa":
                made[kind] = rsa.generate_private_key(65537, int(size))
            else:
                made[kind] = ec.generate_private_key(ec.SECP256R1() if size == "p256" else ec.SECP384R1())
        return made[kind]

    return make


@pytest.fixture
def identity(
    authority: tuple[ec.EllipticCurvePrivateKey, x509.Certificate], keys: Callable[[str], Key]
) -> Callable[..., Identity]:
    """Key, certificate and chain of a sample person: `identity("rsa:2048")`."""

    from fieldkit.certificate.identity import Identity

    def make(kind: str = "rsa:2048", name: str = "SAMPLE Nguyễn Văn Mẫu") -> Identity:
        ca_key, ca = authority
        key = keys(kind)
        return Identity(
            key=Secret(pkcs8(key)),
            certificate=der(_certificate(name, key.public_key(), "SAMPLE authority", ca_key)),
            chain=(der(ca),),
            name=name,
        )

    return make


def pkcs8(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def issue(
    name: str,
    public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    authority: tuple[ec.EllipticCurvePrivateKey, x509.Certificate],
) -> bytes:
    """A certificate of the sample authority for a public key."""
    return der(_certificate(name, public, "SAMPLE authority", authority[0]))


def _certificate(
    name: str,
    public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


class Objects:
    """What is on a token, as seen by a program that is not fieldkit."""

    def __init__(self, module: str, token: Token) -> None:
        self._command = ["pkcs11-tool", "--module", module, "--token-label", token.label]

    def listed(self) -> list[str]:
        """One line for each object, by OpenSC's pkcs11-tool."""
        done = subprocess.run(
            [*self._command, "--login", "--pin", PIN, "--list-objects"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return sorted(line for line in done.stdout.splitlines() if "bject" in line or "ID:" in line)


@pytest.fixture
def objects(softhsm: str) -> Callable[[Token], list[str]]:
    """What pkcs11-tool sees on a token."""
    if shutil.which("pkcs11-tool") is None:
        pytest.skip("pkcs11-tool is not installed")
    return lambda token: Objects(softhsm, token).listed()
