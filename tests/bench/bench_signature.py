"""Signing and judging against pyHanko at its best settings with one key; prints ratios, gates nothing."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from fieldkit.signature import batch, sign, validate
from tests.signature.conftest import LETTER
from tests.signature.pki import Pki

pytestmark = pytest.mark.bench


def _median(work: Callable[[], object], times: int = 21) -> float:
    """Milliseconds, warm."""
    work()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def _letter(folder: Path) -> Path:
    import typst

    path = folder / "letter.pdf"
    path.write_bytes(typst.compile(LETTER.encode()))
    return path


def test_one_signature_and_one_validation_against_pyhanko(tmp_path: Path) -> None:
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign import fields, signers
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    from fieldkit.signature.signer import TokenSigner
    from fieldkit.signature.trust import certificates

    pki = Pki()
    signer = pki.signer()
    letter, out = _letter(tmp_path), tmp_path / "out.pdf"
    data = letter.read_bytes()
    held = TokenSigner(signer)

    def peer() -> bytes:
        writer = IncrementalPdfFileWriter(BytesIO(data))
        meta = signers.PdfSignatureMetadata(
            field_name="Signature1", md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES
        )
        return signers.sign_pdf(writer, meta, held, bytes_reserved=16384).getvalue()

    raw = _median(lambda: signer.sign(data[:100], "SHA256_RSA_PKCS"))
    own = _median(lambda: sign.sign(letter, out, signer, overwrite=True))
    best = _median(peer)
    print(
        f"\nsign: {own:.1f} ms, pyHanko {best:.1f} ms, ratio {own / best:.2f}; over the key {own - raw:.1f}"
    )

    crls, signed = pki.crls(), out.read_bytes()

    def judge() -> None:
        (one,) = PdfFileReader(BytesIO(signed)).embedded_signatures
        context = ValidationContext(
            trust_roots=certificates(pki.anchors),
            crls=list(crls),
            revocation_mode="require",
            allow_fetching=False,
        )
        assert validate_pdf_signature(one, context).bottom_line

    ours = _median(lambda: validate.validate(out, trust=pki.anchors, crls=crls))
    theirs = _median(judge)
    print(f"validate: {ours:.1f} ms, pyHanko {theirs:.1f} ms, ratio {ours / theirs:.2f}")


def test_many_files_in_one_run_against_one_process_each(tmp_path: Path) -> None:
    signer, letter = Pki().signer(), _letter(tmp_path)
    jobs = [batch.Job(letter, tmp_path / f"{number}.pdf") for number in range(200)]
    began = time.perf_counter()
    done = batch.sign_each(jobs, signer)
    each = (time.perf_counter() - began) / len(jobs)
    assert all(one.signed for one in done)
    began = time.perf_counter()
    for _ in range(3):
        # what a command per file cannot do without: an interpreter and pyHanko's import
        subprocess.run([sys.executable, "-c", "import pyhanko.sign.signers"], check=True)
    start = (time.perf_counter() - began) / 3
    print(
        f"\n200 files: {1000 * each:.1f} ms each; a process each would need {1000 * (start + each):.0f} ms, "
        f"ratio {(start + each) / each:.1f}"
    )


def test_memory_of_a_large_file_against_its_size(tmp_path: Path) -> None:
    script = (
        "import re,sys;from pathlib import Path\n"
        "from tests.signature.pki import Pki\n"
        "from fieldkit.signature import sign\n"
        "def peak(): return int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "s=Pki().signer();a=Path(sys.argv[1]);b=Path(sys.argv[2])\n"
        "sign.sign(a,a.with_name('w.pdf'),s);m=peak()\n"
        "sign.sign(b,b.with_name('o.pdf'),s);n=peak()\n"
        "print(1024*(n-m))"
    )
    letter, large = _letter(tmp_path), tmp_path / "large.pdf"
    noise, attached = tmp_path / "noise.bin", tmp_path / "large.pdf"
    noise.write_bytes(os.urandom(25_000_000))
    subprocess.run(["qpdf", letter, "--add-attachment", noise, "--", attached], check=True)
    ran = subprocess.run(
        [sys.executable, "-c", script, letter, large], capture_output=True, text=True, check=True
    )
    print(f"\n25 MB file: {int(ran.stdout) / large.stat().st_size:.2f} times its size in memory")
