"""`fieldkit sign` and `fieldkit verify` as their users run them, on a SoftHSM2 token."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fieldkit.home import Home
from fieldkit.secret import Secret
from fieldkit.token import initialisation
from fieldkit.token.agents import Agents
from tests.conftest import Run, softhsm_configuration
from tests.pki import Pki, SoftwareSigner

PIN = "24681357"


@pytest.fixture
def token(tmp_path: Path, home: Home, rsa_signer: SoftwareSigner, monkeypatch: pytest.MonkeyPatch) -> str:
    """A token that holds the person's key and certificate; its label."""
    module = "/usr/lib/softhsm/libsofthsm2.so"
    if not Path(module).exists():
        pytest.fail("SoftHSM2 is needed: sudo apt-get install softhsm2")
    monkeypatch.setenv("SOFTHSM2_CONF", str(softhsm_configuration(home.path.parent / "softhsm2")))
    held = rsa_signer.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with Agents([module], tmp_path / "logs") as agents:
        empty = next(each for each in agents.tokens() if not each.initialized)
        made = initialisation.initialise(agents, empty, "MẪU", Secret("13572468"), Secret(PIN))
        with agents.session(made, Secret(PIN)) as session:
            session.create_key(Secret(held), "01", "key")
            session.create_certificate(rsa_signer.certificate, "01", "certificate")
    (tmp_path / "pin").write_text(PIN + "\n")
    return "MẪU"


@pytest.fixture
def root(tmp_path: Path, pki: Pki) -> Path:
    path = tmp_path / "root.pem"
    path.write_bytes(pki.root.public_bytes(Encoding.PEM))
    return path


def test_a_document_is_signed_and_verified_on_the_command_line(
    fieldkit: Run, token: str, root: Path, pki: Pki, letter: Path, tmp_path: Path
) -> None:
    out, crl, issuing = tmp_path / "signed.pdf", tmp_path / "root.crl", tmp_path / "issuing.crl"
    for path, data in zip((crl, issuing), pki.crls(), strict=True):
        path.write_bytes(data)
    arguments = ("--token", token, "--pin-file", tmp_path / "pin", "--json")
    signed = fieldkit("sign", letter, "--out", out, "--stamp", "person", *arguments)

    assert signed.status == 0, signed.out + signed.err
    assert {"out", "field", "level", "sha256", "checks"} <= set(signed.result)
    assert signed.result["level"] == "b-b"

    bad = fieldkit("sign", letter, "--out", out, *arguments)
    assert (bad.status, bad.error["code"]) == (3, "output-exists")


def test_verify_answers_by_its_exit_status(
    fieldkit: Run, root: Path, pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    from fieldkit.signature import sign, tamper

    full = SoftwareSigner(rsa_signer.key, pki.issuing, (pki.issuing,))
    full.certificate = rsa_signer.certificate
    out, broken = tmp_path / "signed.pdf", tmp_path / "broken.pdf"
    sign.sign(letter, out, full)
    tamper.flip(out, broken)
    for name, data in zip(("root.crl", "issuing.crl"), pki.crls(), strict=True):
        (tmp_path / name).write_bytes(data)
    crls = ("--crl", tmp_path / "root.crl", "--crl", tmp_path / "issuing.crl")

    good = fieldkit("verify", out, "--trust", root, *crls, "--json")
    open_ = fieldkit("verify", out, "--trust", root, "--json")
    bad = fieldkit("verify", broken, "--trust", root, *crls, "--json")
    unsigned = fieldkit("verify", letter, "--trust", root, "--json")
    missing = fieldkit("verify", tmp_path / "none.pdf", "--trust", root, "--json")

    assert (good.status, good.result["verdict"]) == (0, "pass"), good.out
    assert (open_.status, open_.result["verdict"]) == (1, "indeterminate")
    assert (bad.status, bad.result["verdict"]) == (1, "fail")
    assert (unsigned.status, unsigned.result["verdict"]) == (1, "fail")
    assert (missing.status, missing.error["code"]) == (4, "document-missing")
    assert {check["id"] for check in good.result["signatures"][0]["checks"]} >= {
        "integrity",
        "coverage",
        "path",
        "dates",
        "usage",
        "revocation",
        "timestamp",
    }
