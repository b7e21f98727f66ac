"""A certificate request is made whole or not at all, and what is left of one that failed is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from fieldkit.certificate import errors, request

SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cơ quan thường trú")])


class Holder:
    """A key as a token keeps it. signs: what it really signs. keeps: whether the key cannot be removed."""

    def __init__(self, *, signs: bytes | None = None, keeps: bool = False) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.handles = [7]
        self._signs = signs
        self._keeps = keeps

    def list_keys(self) -> Sequence[Any]:
        return []

    def generate_key(self, kind: Any, key_id: str, label: str) -> Any:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = self.key.public_key().public_bytes(serialization.Encoding.DER, form)
        return SimpleNamespace(public=public, handles=self.handles)

    def sign(self, key_id: str, mechanism: str, data: bytes) -> bytes:
        return self.key.sign(self._signs or data, padding.PKCS1v15(), hashes.SHA256())

    def destroy(self, handles: Sequence[int]) -> Any:
        if not self._keeps:
            self.handles = []
        return SimpleNamespace(left=self.handles)


def test_a_request_that_is_written_verifies_with_its_key(tmp_path: Path) -> None:
    made = request.make(Holder(), SUBJECT, tmp_path / "request.pem")
    read = x509.load_pem_x509_csr((tmp_path / "request.pem").read_bytes())
    assert (read.is_signature_valid, read.subject, made.label) == (True, SUBJECT, "Cơ quan thường trú")


def test_a_request_that_does_not_verify_is_not_written_and_its_key_goes(tmp_path: Path) -> None:
    holder = Holder(signs=b"something else")
    with pytest.raises(errors.RequestFailed) as failed:
        request.make(holder, SUBJECT, tmp_path / "request.pem")
    assert (failed.value.code, list(tmp_path.iterdir()), holder.handles) == (
        "certificate-request-failed",
        [],
        [],
    )


def test_a_key_that_cannot_be_removed_again_is_named(tmp_path: Path) -> None:
    begun: list[str] = []
    with pytest.raises(errors.KeyLeftBehind) as failed:
        request.make(
            Holder(signs=b"something else", keeps=True),
            SUBJECT,
            tmp_path / "request.pem",
            begin=begun.append,
        )
    assert failed.value.as_dict()["code"] == "request-incomplete"
    assert (failed.value.data["left"], failed.value.data["cause"]) == (begun, "certificate-request-failed")
    assert begun[0] in " ".join(failed.value.lines())


@pytest.mark.parametrize(
    "email", ["mẫu@example.vn", "mau", "@example.vn", "mau@", "a b@example.vn", "a@b..vn"]
)
def test_an_address_that_no_certificate_can_hold_is_refused_and_nothing_is_signed(email: str) -> None:
    def sign(data: bytes, mechanism: str) -> bytes:
        raise AssertionError("signed")

    with pytest.raises(errors.RequestInvalid) as refused:
        request.build(SUBJECT, Holder().generate_key("", "", "").public, sign, email=email)
    assert refused.value.code == "request-invalid"
    request.check_email("mau01@cơ-quan.vn")


def test_a_kind_of_key_that_no_request_is_made_for_is_refused_by_its_name() -> None:
    assert [request.kind_asked(key) for key in ("", "ec:p384")] == ["rsa:2048", "ec:p384"]
    with pytest.raises(errors.RequestInvalid, match="rsa:1024"):
        request.kind_asked("rsa:1024")
