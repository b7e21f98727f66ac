"""Documents that are not what they seem: each is told in words, nothing is written, nothing escapes."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from pathlib import Path

import pytest

from fieldkit.errors import FieldkitError
from fieldkit.signature import errors, quorum, sign, validate
from fieldkit.signature.preflight import preflight, rewrite
from fieldkit.signature.ranges import signed_ranges
from tests.signature.pki import Pki, SoftwareSigner


def test_what_is_no_document_is_told(rsa_signer: SoftwareSigner, tmp_path: Path) -> None:
    empty, garbage, pipe = tmp_path / "empty.pdf", tmp_path / "garbage.pdf", tmp_path / "pipe.pdf"
    empty.touch()
    garbage.write_bytes(os.urandom(3000))
    os.mkfifo(pipe)
    for path in (empty, garbage, pipe, tmp_path, tmp_path / "missing.pdf"):
        with pytest.raises(FieldkitError) as caught:
            sign.sign(path, tmp_path / "out.pdf", rsa_signer)
        assert caught.value.status in (2, 4), path
        assert preflight(path).verdict == "no"
        with pytest.raises(FieldkitError):
            validate.validate(path, trust=())
    assert not (tmp_path / "out.pdf").exists()


def test_an_unsigned_document_is_not_valid(pki: Pki, letter: Path) -> None:
    assert validate.validate(letter, trust=pki.anchors).verdict == "fail"
    assert quorum.judge(letter, pki.anchors).verdict == "fail"


def test_truncated_and_scribbled_documents_raise_only_errors_in_words(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    signed = tmp_path / "signed.pdf"
    sign.sign(letter, signed, rsa_signer)
    data, chance = signed.read_bytes(), random.Random(6)
    path, out = tmp_path / "hurt.pdf", tmp_path / "out.pdf"
    for _ in range(60):
        hurt = bytearray(data)
        if chance.random() < 0.4:
            del hurt[chance.randrange(len(hurt)) :]
        for _ in range(chance.randrange(1, 40)):
            if hurt:
                hurt[chance.randrange(len(hurt))] = chance.randrange(256)
        path.write_bytes(hurt)
        for work in (
            lambda: validate.validate(path, trust=pki.anchors, crls=pki.crls()),
            lambda: sign.sign(path, out, rsa_signer, overwrite=True),
            lambda: signed_ranges(path),
        ):
            with contextlib.suppress(FieldkitError):  # anything else fails the test
                assert getattr(work(), "verdict", "") != "pass"
        assert preflight(path).verdict in ("ready", "rewrite", "no")


def test_every_byte_of_the_signed_range_counts(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    signed, path = tmp_path / "signed.pdf", tmp_path / "hurt.pdf"
    sign.sign(letter, signed, rsa_signer)
    data, chance = signed.read_bytes(), random.Random(7)
    (covered,) = signed_ranges(signed)
    for _ in range(25):
        start, end = chance.choice(covered.ranges)
        hurt = bytearray(data)
        hurt[chance.randrange(start, end)] ^= 1 << chance.randrange(8)
        path.write_bytes(hurt)
        try:
            verdict = validate.validate(path, trust=pki.anchors, crls=pki.crls()).verdict
        except FieldkitError:
            verdict = "fail"
        assert verdict == "fail"


def test_an_encrypted_document_needs_its_password_and_is_then_signed(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    from fieldkit.secret import Secret

    locked, out = tmp_path / "locked.pdf", tmp_path / "out.pdf"
    subprocess.run(["qpdf", "--encrypt", "mat-khau", "owner", "256", "--", letter, locked], check=True)
    with pytest.raises(errors.DocumentEncrypted):
        sign.sign(locked, out, rsa_signer)
    with pytest.raises(errors.DocumentEncrypted):
        sign.sign(locked, out, rsa_signer, password=Secret("sai"))
    assert isinstance(preflight(locked).problem, errors.DocumentEncrypted)

    sign.sign(locked, out, rsa_signer, password=Secret("mat-khau"))

    judged = validate.validate(out, trust=pki.anchors, crls=pki.crls(), password=Secret("mat-khau"))
    assert judged.verdict == "pass"


def test_a_damaged_unsigned_document_is_offered_a_rewrite_and_then_signs(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    hurt, mended = tmp_path / "hurt.pdf", tmp_path / "mended.pdf"
    data = letter.read_bytes()
    hurt.write_bytes(data[: data.rindex(b"startxref")])

    assert preflight(hurt).verdict == "rewrite"
    rewrite(hurt, mended)
    sign.sign(mended, tmp_path / "out.pdf", rsa_signer)

    assert validate.validate(tmp_path / "out.pdf", trust=pki.anchors, crls=pki.crls()).verdict == "pass"
    with pytest.raises(errors.DocumentLocked):
        rewrite(tmp_path / "out.pdf", tmp_path / "again.pdf")
