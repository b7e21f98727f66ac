"""What a document shows is what its signatures cover: three engines draw it before and after, and compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldkit.signature import appearance, quorum
from fieldkit.signature.judgement import Judgement, shape
from tests.signature import forgery
from tests.signature.pki import Pki, SoftwareSigner

ENGINES = ("pdfium-appearance", "poppler-appearance", "mupdf-appearance")


@pytest.fixture(scope="module")
def signed_bytes(rsa_signer: SoftwareSigner, letter_bytes: bytes) -> bytes:
    return forgery.signed(letter_bytes, rsa_signer)


def put(folder: Path, data: bytes) -> Path:
    path = folder / "judged.pdf"
    path.write_bytes(data)
    return path


def words(judged: Judgement) -> dict[str, str]:
    """Check to verdict, of the judge that looks."""
    return {check.id: check.verdict for check in judged.checks if check.judge == "appearance"}


@pytest.mark.parametrize("rect", [(500, 700, 20, 20), (20, 20, 500, 20.4), (20, 700, 500, 20)])
def test_an_empty_field_that_shows_a_picture_over_the_page_is_seen_by_every_engine_that_shows_it(
    rect: tuple[float, ...], pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    path = put(tmp_path, forgery.with_empty_field(signed_bytes, rect))
    judged = quorum.judge(path, pki.anchors, pki.crls())
    assert judged.verdict == "fail"
    assert "fail" in words(judged).values()
    (coverage,) = [check for check in judged.signatures[0].checks if check.id == "coverage"]
    assert coverage.verdict == judged.signatures[0].verdict == "fail"


def test_where_nothing_follows_the_signature_nothing_is_drawn(
    pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    judged = quorum.judge(put(tmp_path, signed_bytes), pki.anchors, pki.crls())
    assert (judged.verdict, words(judged)) == ("pass", {"appearance": "pass"})


def test_each_check_names_its_judge(pki: Pki, signed_bytes: bytes, tmp_path: Path) -> None:
    judged = quorum.judge(put(tmp_path, signed_bytes), pki.anchors, pki.crls())
    judges = {check["id"]: check["judge"] for check in shape(judged)["checks"]}
    assert judges["integrity"] == judges["agreement"] == "fieldkit"
    assert [judges[f"{name}-integrity"] for name in ("pdfsig", "openssl", "mutool")] == [
        "pdfsig",
        "openssl",
        "mutool",
    ]
    assert judges["appearance"] == "appearance"


def test_leaving_it_out_is_said_and_is_a_persons_choice(
    pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    judged = quorum.judge(put(tmp_path, signed_bytes), pki.anchors, pki.crls(), draw=False)
    (check,) = [check for check in judged.checks if check.id == "appearance"]
    assert (check.verdict, check.required, judged.verdict) == ("not-checked", False, "pass")
    assert "left out on request" in str(check.message)
    assert appearance.left_out().checks == (check,)
