"""Documents that are not what they seem: each is told in words, nothing is written, nothing escapes."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from fieldkit.errors import FieldkitError
from fieldkit.pdf.byte_ranges import signed_ranges
from fieldkit.pdf.errors import DocumentEncrypted, DocumentLocked
from fieldkit.profile.rules import StampRule
from fieldkit.signature import batch, sign
from fieldkit.signature.preflight import preflight, rewrite
from fieldkit.validation import quorum, validate
from tests import papers
from tests.pki import Pki, SoftwareSigner


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
    with pytest.raises(DocumentEncrypted):
        sign.sign(locked, out, rsa_signer)
    with pytest.raises(DocumentEncrypted):
        sign.sign(locked, out, rsa_signer, password=Secret("sai"))
    assert isinstance(preflight(locked).problem, DocumentEncrypted)

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
    with pytest.raises(DocumentLocked):
        rewrite(tmp_path / "out.pdf", tmp_path / "again.pdf")


def _hurt(base: bytes, chance: random.Random) -> bytes:
    """A document hurt in a few places: bytes changed, lost, numbers slipped in, its end scribbled on."""
    hurt = bytearray(base)
    for _ in range(chance.randrange(1, 6)):
        kind, at = chance.random(), chance.randrange(len(hurt))
        if kind < 0.4:
            hurt[at] = chance.randrange(256)
        elif kind < 0.6:
            del hurt[at : at + chance.randrange(1, 30)]
        elif kind < 0.8:
            hurt[at:at] = bytes(chance.randrange(48, 58) for _ in range(chance.randrange(1, 4)))
        else:
            hurt[max(0, len(hurt) - chance.randrange(1, 600))] = chance.choice(b"0123456789<>[]/ R")
    return bytes(hurt)


def _agreeing(seed: int, times: int, rsa_signer: SoftwareSigner, folder: Path) -> Counter[tuple[str, bool]]:
    """How often preflight called a hurt document ready or not, and whether it was then signed."""
    plain = papers.letter_on("210mm", "297mm")
    bases = (plain, papers.built(folder, plain, "--object-streams=disable"), papers.hybrid())
    chance, found = random.Random(seed), Counter[tuple[str, bool]]()
    path, out = folder / "hurt.pdf", folder / "out.pdf"
    look = batch.StampSpec(
        StampRule("person", "handwritten", "between-title-and-name", "blue"), name=papers.NAME
    )
    for _ in range(times):
        path.write_bytes(_hurt(chance.choice(bases), chance))
        out.unlink(missing_ok=True)
        verdict = preflight(path, kind="person").verdict
        with contextlib.suppress(FieldkitError):  # anything else fails the test
            batch.sign_one(batch.SigningJob(path, out), rsa_signer, stamp_spec=look)
        found[verdict, out.exists()] += 1
    return found


def test_preflight_says_before_the_pin_what_signing_then_does(
    rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    found = _agreeing(8, 60, rsa_signer, tmp_path)
    assert found["ready", True] > 0
    assert found["ready", False] == found["no", True] == found["rewrite", True] == 0, found


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_preflight_and_signing_agree_on_many_hurt_documents(
    seed: int, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    found = _agreeing(1000 + seed, 300, rsa_signer, tmp_path)
    assert found["ready", False] == found["no", True] == found["rewrite", True] == 0, found
