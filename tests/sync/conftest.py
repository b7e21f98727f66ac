"""A store with a day's work in it, keys of head office and escrow, a hub that signs receipts, a stick."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store
from fieldkit.secret import Secret
from fieldkit.sync import receipt
from fieldkit.sync.folder import FolderCarrier


class Office:
    """Somebody a bundle is encrypted to."""

    def __init__(self) -> None:
        own = pyrage.x25519.Identity.generate()
        self.key = str(own.to_public())
        self.identity = Secret(str(own))


class Hub:
    """Head office's side of receipts, as it will be: a key that signs."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.key = self._key.public_key().public_bytes_raw()

    def receipt(self, device: str, seq: int, hash: str) -> tuple[str, bytes]:
        return receipt.issue(device, seq, hash, "2026-11-25T08:00:00+07:00", self.key, self._key.sign)


@pytest.fixture(scope="session")
def head_office() -> Office:
    return Office()


@pytest.fixture(scope="session")
def escrow() -> Office:
    return Office()


@pytest.fixture(scope="session")
def recipients(head_office: Office, escrow: Office) -> tuple[str, ...]:
    return (head_office.key, escrow.key)


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a visit's answers, a photo and a table."""
    with Store.open(tmp_path / "store") as store:
        work(store)
        yield store


def work(store: Store, answers: int = 5) -> None:
    """Something to send: answers, and a photo that one of them names."""
    photo = store.attach(b"\xff\xd8 a photo of the token" * 50, "ảnh.jpg")
    value = {"sha256": photo.sha256, "size": photo.size, "name": photo.name}
    store.append(Draft(kind="answer", visit="v1", item="photo", value=value, blob=photo.sha256, who="Trần"))
    for number in range(answers):
        store.append(Draft(kind="answer", visit="v1", item=f"i{number}", value=f"câu trả lời {number}"))


@pytest.fixture
def stick(tmp_path: Path) -> FolderCarrier:
    """An empty USB stick, plugged in."""
    folder = tmp_path / "stick"
    folder.mkdir()
    return FolderCarrier(folder)
