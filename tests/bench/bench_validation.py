"""One judgement, warm, against pyHanko in-process with the same anchors, lists and claims; prints ratios."""

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

from fieldkit.pdf.engines import ENGINES
from fieldkit.signature import sign
from fieldkit.validation import appearance, quorum
from fieldkit.validation.folder import judge_each
from fieldkit.validation.validate import validate
from tests.pki import Pki, TimestampAuthority
from tests.signing import LETTER

pytestmark = pytest.mark.bench


def medians(
    *works: Callable[[], object], times: int = 31, of: Callable[[list[float]], float] = statistics.median
) -> list[float]:
    """Milliseconds of each, warm; in turns, so that the machine's moods meet all alike. of: which of them."""
    took: list[list[float]] = [[] for _ in works]
    for number in range(times + 2):
        for work, kept in zip(works, took, strict=True):
            began = time.perf_counter()
            work()
            if number > 1:
                kept.append(1000 * (time.perf_counter() - began))
    return [of(each) for each in took]


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    import typst

    path = tmp_path / "letter.pdf"
    path.write_bytes(typst.compile(LETTER.encode()))
    return path


def peer(path: Path, pki: Pki, *, stored: bool) -> Callable[[], None]:
    """pyHanko judging the same file: integrity, later changes, path, and revocation required."""
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature, validate_pdf_timestamp
    from pyhanko.sign.validation.dss import DocumentSecurityStore
    from pyhanko_certvalidator import ValidationContext

    from fieldkit.validation.trust import certificates

    crls = pki.crls()

    def judge() -> None:
        reader = PdfFileReader(BytesIO(path.read_bytes()), strict=False)
        given = {
            "trust_roots": certificates(pki.anchors),
            "revocation_mode": "require",
            "allow_fetching": False,
        }
        context = (
            DocumentSecurityStore.read_dss(reader).as_validation_context(given)
            if stored
            else ValidationContext(crls=list(crls), **given)
        )
        for one in reader.embedded_signatures:
            if str(one.sig_object_type) == "/DocTimeStamp":
                assert validate_pdf_timestamp(one, context).valid
            else:
                assert validate_pdf_signature(one, context).bottom_line

    return judge


def test_one_judgement_against_pyhanko(pki: Pki, letter: Path, tmp_path: Path) -> None:
    signer, plain = pki.signer(), tmp_path / "plain.pdf"
    sign.sign(letter, plain, signer)
    paths = {"B-B": plain}
    with TimestampAuthority(pki).serving() as tsa:
        for level in ("b-lt", "b-lta"):
            out = tmp_path / f"{level}.pdf"
            sign.sign(
                letter,
                out,
                signer,
                level=level,  # type: ignore[arg-type]
                tsa=tsa,
                anchors=pki.anchors,
                crls=pki.crls(),
                network=False,
            )
            paths[level.upper()] = out
    crls = pki.crls()
    print()
    for level, path in paths.items():
        given = crls if level == "B-B" else ()

        def own(path: Path = path, given: tuple[bytes, ...] = given) -> None:
            assert validate(path, trust=pki.anchors, crls=given).verdict == "pass"

        other = peer(path, pki, stored=level != "B-B")
        for name, of in (("median", statistics.median), ("best", min)):
            ours, theirs = medians(own, other, of=of)
            print(f"{level} {name}: fieldkit {ours:.1f} ms, pyHanko {theirs:.1f}, ratio {ours / theirs:.2f}")


def test_the_quorum_against_its_slowest_judge(pki: Pki, letter: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pdf"
    sign.sign(letter, out, pki.signer())
    crls = pki.crls()
    all_, alone, pdfsig = medians(
        lambda: quorum.judge(out, pki.anchors, crls),
        lambda: validate(out, trust=pki.anchors, crls=crls),
        lambda: subprocess.run(["pdfsig", out], capture_output=True, check=False),
        times=9,
    )
    print(f"\nquorum {all_:.0f} ms, fieldkit alone {alone:.0f} ms, pdfsig alone {pdfsig:.0f} ms")


def test_a_folder_in_one_run_against_a_process_each(pki: Pki, letter: Path, tmp_path: Path) -> None:
    out, crls = tmp_path / "out.pdf", pki.crls()
    sign.sign(letter, out, pki.signer())
    paths = [tmp_path / f"{number}.pdf" for number in range(200)]
    for path in paths:
        os.link(out, path)
    began = time.perf_counter()
    done = judge_each(paths, lambda path: validate(path, trust=pki.anchors, crls=crls))
    each = (time.perf_counter() - began) / len(paths)
    assert all(one.verdict == "pass" for one in done)
    began = time.perf_counter()
    for _ in range(3):
        # what a command for each file cannot do without: an interpreter and pyHanko's import
        subprocess.run([sys.executable, "-c", "import pyhanko.sign.validation"], check=True)
    start = (time.perf_counter() - began) / 3
    print(
        f"\n200 files: {1000 * each:.1f} ms each; with a process each {(start + each) / each:.1f} times that"
    )


@pytest.fixture
def followed(pki: Pki, tmp_path: Path) -> Callable[[int], Path]:
    """Makes a document of so many pages that was signed twice, so that there is something to draw."""

    def make(pages: int) -> Path:
        source, once, twice = (tmp_path / f"{name}-{pages}.pdf" for name in ("in", "once", "twice"))
        import typst

        text = '#set page(paper: "a4")\n' + "#pagebreak()\n".join("#lorem(400)\n" for _ in range(pages))
        source.write_bytes(typst.compile(text.encode()))
        sign.sign(source, once, pki.signer(), field="First")
        sign.sign(once, twice, pki.signer(), field="Second")
        return twice

    return make


@pytest.mark.parametrize("pages", [1, 50])
def test_drawing_what_was_signed_and_what_followed(
    pages: int, pki: Pki, followed: Callable[[int], Path]
) -> None:
    out, crls = followed(pages), pki.crls()
    with_, without = medians(
        lambda: quorum.judge(out, pki.anchors, crls),
        lambda: quorum.judge(out, pki.anchors, crls, draw=False),
        times=9 if pages == 1 else 3,
    )
    alone = [medians(lambda e=e: appearance.compare(out, asked=(e,)), times=3)[0] for e in ENGINES]
    each = ", ".join(f"{name} {took:.0f}" for name, took in zip(ENGINES, alone, strict=True))
    print(
        f"\n{pages} page(s): judged with drawing {with_:.0f} ms, without {without:.0f} ms, "
        f"{with_ - without:+.0f} ms, ratio {with_ / without:.2f}; each alone in ms: {each}"
    )


def test_a_folder_with_drawing_against_without(
    pki: Pki, followed: Callable[[int], Path], tmp_path: Path
) -> None:
    out, crls = followed(1), pki.crls()
    paths = [tmp_path / f"{number}.pdf" for number in range(200)]
    for path in paths:
        os.link(out, path)

    def judged(draw: bool) -> float:
        began = time.perf_counter()
        done = judge_each(paths, lambda path: quorum.judge(path, pki.anchors, crls, draw=draw))
        assert all(one.verdict == "pass" for one in done)
        return time.perf_counter() - began

    without, with_ = judged(False), judged(True)
    ratio = f"ratio {with_ / without:.2f}"
    print(f"\n200 files signed twice: {with_:.1f} s, without drawing {without:.1f} s, {ratio}")


def test_memory_of_drawing_does_not_grow_with_the_pages(followed: Callable[[int], Path]) -> None:
    script = (
        "import re,sys;from pathlib import Path\n"
        "from fieldkit.signature import appearance\n"
        "appearance.compare(Path(sys.argv[1]))\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    one, many = (
        int(
            subprocess.run(
                [sys.executable, "-c", script, followed(pages)], capture_output=True, text=True, check=True
            ).stdout
        )
        for pages in (1, 200)
    )
    print(f"\nmemory: one page {one / 1024:.0f} MiB, 200 pages {many / 1024:.0f} MiB, ratio {many / one:.2f}")


def test_memory_and_time_of_a_large_file(pki: Pki, letter: Path, tmp_path: Path) -> None:
    noise, attached, out = tmp_path / "noise", tmp_path / "large.pdf", tmp_path / "out.pdf"
    noise.write_bytes(os.urandom(25_000_000))
    subprocess.run(["qpdf", letter, "--add-attachment", noise, "--", attached], check=True)
    sign.sign(attached, out, pki.signer())
    crls = pki.crls()
    (took,) = medians(lambda: validate(out, trust=pki.anchors, crls=crls), times=5)
    script = (
        "import re,sys;from pathlib import Path\n"
        "from fieldkit.validation.validate import validate\n"
        "def peak(): return int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "validate(Path(sys.argv[1]), trust=());m=peak()\n"
        "validate(Path(sys.argv[2]), trust=());print(1024*(peak()-m))"
    )
    small = tmp_path / "small.pdf"
    sign.sign(letter, small, pki.signer())
    ran = subprocess.run(
        [sys.executable, "-c", script, small, out], capture_output=True, text=True, check=True
    )
    print(f"\n25 MB: {took:.0f} ms, {int(ran.stdout) / out.stat().st_size:.2f} times its size in memory")
