"""One sample authority for all tests of this folder, and certificate files as other programs write them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fieldkit.certificate.files import pem
from fieldkit.sample import authority
from fieldkit.sample.authority import IssuedCertificate, SampleAuthority

NOW = datetime.now(UTC)
PASSWORD = "Mật khẩu: Đường về 2026"

Write = Callable[..., bytes]


def openssl(*arguments: str | Path, given: bytes = b"") -> bytes:
    """What `openssl` answers; the test is skipped where this version cannot do it."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=given, capture_output=True)
    if done.returncode != 0 and b"nsupported" in done.stderr:
        pytest.skip(f"openssl here cannot: {arguments[0]}")
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleAuthority:
    """A sample authority; its revocation list may grow."""
    return authority.create(tmp_path_factory.mktemp("sample") / "authority")


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> SampleAuthority:
    """Another authority with the same names and other keys."""
    return authority.create(tmp_path_factory.mktemp("other") / "authority", key="ec:p256")


@pytest.fixture(scope="session")
def person(sample: SampleAuthority) -> IssuedCertificate:
    """A person's RSA key, certificate and chain."""
    return sample.person


@pytest.fixture(scope="session")
def agency(sample: SampleAuthority) -> IssuedCertificate:
    """An agency's."""
    return sample.agency


@pytest.fixture(scope="session")
def clear(tmp_path_factory: pytest.TempPathFactory, person: IssuedCertificate) -> dict[str, Path]:
    """The person's key, certificate and chain as PEM files, and all in one."""
    folder = tmp_path_factory.mktemp("clear")
    key = openssl("pkcs8", "-inform", "DER", "-nocrypt", given=person.key.reveal_bytes())
    certificate, chain = pem(person.certificate), b"".join(map(pem, person.chain))
    parts = {"key": key, "certificate": certificate, "chain": chain, "all": key + certificate + chain}
    paths = {name: folder / f"{name}.pem" for name in parts}
    for name, path in paths.items():
        path.write_bytes(parts[name])
    return paths


@pytest.fixture(scope="session")
def pkcs12(clear: dict[str, Path]) -> Write:
    """A PKCS#12 file of the person as `openssl pkcs12 -export` writes it with these options."""

    def write(*options: str, password: str = PASSWORD) -> bytes:
        return openssl(
            "pkcs12",
            "-export",
            "-in",
            clear["all"],
            "-passout",
            "stdin",
            *options,
            given=f"{password}\n".encode(),
        )

    return write
