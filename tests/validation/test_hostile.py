"""Documents made to do harm, files that change, disks that are full: told in words, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.errors import FieldkitError
from fieldkit.pdf import boundary, document
from fieldkit.pdf.errors import DocumentChanged, DocumentMissing, OutputNotWritten
from fieldkit.profile.rules import StampRule
from fieldkit.signature import batch, preview, sign, tamper
from fieldkit.signature.preflight import preflight, rewrite
from fieldkit.stamp import place
from fieldkit.validation import quorum
from tests import papers
from tests.conftest import REPOSITORY
from tests.pki import Pki, SoftwareSigner

MANY = 80 * 1024 * 1024  # bytes; more than pyHanko unpacks for any purpose
LOOK = batch.StampSpec(StampRule("person", "handwritten", "between-title-and-name", "blue"), name=papers.NAME)


def with_objects(*bodies: bytes, root: bytes = b"/Pages 2 0 R") -> bytes:
    """A document of these objects, numbered from 2, and a catalog."""
    made, at = b"%PDF-1.7\n", []
    for number, body in enumerate((b"<</Type/Catalog " + root + b">>", *bodies), 1):
        at.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(at) + 1)
    made += b"".join(b"%010d 00000 n \n" % each for each in at)
    return made + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(at) + 1, table)


PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"


def packed(filters: bytes = b"/Filter/FlateDecode", entries: bytes = b"", size: int = MANY) -> bytes:
    """A stream of `size` zero bytes, packed into a thousandth of it."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    return b"<<%s%s/Length %d>>stream\n%s\nendstream" % (filters, entries, len(data), data)


def bomb_in_the_table(size: int = MANY) -> bytes:
    """A table of contents that unpacks to that many bytes."""
    body = b"7 0 obj\n" + packed(entries=b"/Type/XRef/Size 8/W[1 2 1]/Root 1 0 R", size=size) + b"\nendobj\n"
    return b"%PDF-1.7\n" + body + b"startxref\n9\n%%EOF\n"


def bomb_of_objects() -> bytes:
    """The one page is in an object stream that unpacks to 80 MB."""
    base = papers.hybrid()
    at = base.index(b"6 0 obj\n") + 8
    return base[:at] + packed(entries=b"/Type/ObjStm/N 1/First 4") + base[base.index(b"\nendobj", at) :]


def doubled(levels: int) -> bytes:
    """A tree of pages in which every branch is the same one twice: 2 to the power of `levels` pages."""
    branches = [
        b"<</Type/Pages/Count 2/Kids[%d 0 R %d 0 R]>>" % (number + 1, number + 1)
        for number in range(2, levels + 2)
    ]
    return with_objects(*branches, PAGE)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nested arrays": lambda: with_objects(
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>", PAGE, root=b"/Pages 2 0 R/X " + b"[" * 60_000 + b"]" * 60_000
    ),
    "a tree of pages that bites its tail": lambda: with_objects(b"<</Type/Pages/Count 1/Kids[2 0 R]>>"),
    "two branches that hold each other": lambda: with_objects(
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>", b"<</Type/Pages/Parent 2 0 R/Count 1/Kids[2 0 R]>>"
    ),
    "a tree that doubles thirty times": lambda: doubled(30),
    "a thousand million pages that are not there": lambda: with_objects(
        b"<</Type/Pages/Count 1000000000/Kids[3 0 R]>>", PAGE
    ),
    "a page that is no dictionary": lambda: with_objects(b"<</Type/Pages/Count 1/Kids[3 0 R]>>", b"(page)"),
    "a box that is no box": lambda: with_objects(
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>", b"<</Type/Page/Parent 2 0 R/MediaBox[/A null (x)]/Rotate/X>>"
    ),
    "a bomb in the table of contents": bomb_in_the_table,
    "a bomb of objects": bomb_of_objects,
    "a bomb on the page": lambda: with_objects(
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
        packed(size=16 << 20),
    ),
    "a bomb in a bomb": lambda: with_objects(
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
        packed(b"/Filter[/FlateDecode/FlateDecode]", size=16 << 20),
    ),
    "a form whose fields hold themselves": lambda: with_objects(
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        PAGE,
        b"<</FT/Sig/T(a)/Kids[4 0 R]>>",
        root=b"/Pages 2 0 R/AcroForm<</Fields[4 0 R]>>",
    ),
    "a table that begins in itself": lambda: with_objects(
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>", PAGE
    ).replace(
        b"/Root 1 0 R",
        b"/Root 1 0 R/Prev %d" % len(with_objects(b"<</Type/Pages/Count 1/Kids[3 0 R]>>", PAGE)),
    ),
    "a length beyond the end": lambda: with_objects(
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>", PAGE, b"<</Length 99999999999>>stream\nx\nendstream"
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_document_is_signed_or_refused_in_words_and_leaves_nothing(
    kind: str, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    path, out = tmp_path / "hostile.pdf", tmp_path / "out.pdf"
    path.write_bytes(HOSTILE[kind]())

    looked = preflight(path, kind="person")
    told: list[FieldkitError] = []
    for work in (
        lambda: batch.sign_one(batch.SigningJob(path, out), rsa_signer, stamp_spec=LOOK),
        lambda: sign.sign(path, tmp_path / "plain.pdf", rsa_signer),
        lambda: preview.Easel(path, LOOK).pixels(preview.draft(path, LOOK), 40, 40),
        lambda: rewrite(path, tmp_path / "rewritten.pdf"),
        lambda: tamper.flip(path, tmp_path / "changed.pdf"),
    ):
        try:
            work()
        except FieldkitError as error:  # anything else fails the test
            told.append(error)

    assert looked.verdict == "ready" or looked.problem is not None
    assert all(error.status in (1, 2, 3, 4) and str(error) for error in told)
    left = {name for name in os.listdir(tmp_path) if name.endswith(".part")}
    assert left == set()
    if looked.verdict == "no":
        assert not out.exists()


def test_a_bomb_is_never_unpacked_whole(tmp_path: Path) -> None:
    """What the process needs at most stays far below what the table of contents would unpack to."""
    path = tmp_path / "bomb.pdf"
    path.write_bytes(bomb_in_the_table(5 * MANY))
    script = (
        "import re,sys;from pathlib import Path\n"
        "from fieldkit.signature.preflight import preflight\n"
        "found = preflight(Path(sys.argv[1]))\n"
        "assert (found.verdict, found.problem.code) == ('no', 'document-dangerous')\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert int(ran.stdout) * 1024 < 5 * MANY


def test_a_file_that_changes_while_it_is_signed_is_told_and_nothing_is_left(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    class Meddling(SoftwareSigner):
        def sign(self, data: bytes, mechanism: str) -> bytes:
            with letter.open("ab") as file:
                file.write(b"%")
            return super().sign(data, mechanism)

    meddling = Meddling(rsa_signer.key, pki.issuing, ())
    meddling.certificate = rsa_signer.certificate

    with pytest.raises(DocumentChanged):
        sign.sign(letter, tmp_path / "out.pdf", meddling)

    assert os.listdir(tmp_path) == ["letter.pdf"]


def test_a_disk_that_is_full_is_told_and_the_half_made_file_is_gone(
    fieldkit_signs: Callable[[int, Path], subprocess.CompletedProcess[str]], letter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.pdf"

    ran = fieldkit_signs(letter.stat().st_size + 2000, out)

    assert ran.stdout.split("\n")[0] == "output-not-written 4"
    assert sorted(os.listdir(tmp_path)) == ["letter.pdf"]
    assert fieldkit_signs(-1, out).stdout.startswith("signed")


@pytest.fixture
def fieldkit_signs(letter: Path) -> Callable[[int, Path], subprocess.CompletedProcess[str]]:
    """Signs the letter in a process whose files may have so many bytes at most (-1: any)."""
    script = (
        "import resource,sys;from pathlib import Path\n"
        "from fieldkit.errors import FieldkitError\n"
        "from fieldkit.signature import sign\n"
        "from tests.pki import Pki\n"
        "signer = Pki().signer()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)\n"
        "try:\n"
        "    sign.sign(Path(sys.argv[1]), Path(sys.argv[2]), signer); print('signed')\n"
        "except FieldkitError as error:\n"
        "    print(error.code, error.status); print(error)\n"
    )

    def run(most: int, out: Path) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", script, letter, out, str(most)]
        return subprocess.run(line, capture_output=True, text=True, cwd=REPOSITORY, timeout=60)

    return run


def test_what_the_system_refuses_is_said_of_the_file_that_it_refused(letter: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritten) as caught, boundary.signing("out.pdf"):
        raise PermissionError(13, "Permission denied")
    assert "cannot be read" not in str(caught.value)
    with pytest.raises(DocumentMissing), boundary.reading("in.pdf"):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(OutputNotWritten), document.written(tmp_path / "no" / "such" / "out.pdf"):
        pass


def test_an_export_that_is_not_written_says_nothing_of_signing(tmp_path: Path) -> None:
    (tmp_path / "there.pdf").touch()
    for out in (tmp_path / "there.pdf", tmp_path / "no" / "folder.pdf"):
        with pytest.raises(FieldkitError) as caught, document.written(out):
            pass
        assert "igned" not in str(caught.value.unchanged)


def test_nothing_a_library_remarks_reaches_the_terminal_where_it_would_tear_the_screen(
    letter: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.pdf"
    flat = papers.built(tmp_path, letter.read_bytes(), "--object-streams=disable")
    # a blank too many before an object: the reader remarks on it, and reads on
    at = flat.index(b"\n1 0 obj")
    odd.write_bytes(flat[:at] + b"\n1  0 obj" + flat[at + 8 :].replace(b"\n\n", b"\n", 1))
    script = (
        "import sys;from pathlib import Path\n"
        "from fieldkit.errors import FieldkitError\n"
        "from fieldkit.signature import preflight, sign\n"
        "from tests.pki import Pki\n"
        "print(preflight.preflight(Path(sys.argv[1])).verdict)\n"
        "try: sign.sign(Path(sys.argv[1]), Path(sys.argv[2]), Pki().signer())\n"
        "except FieldkitError as error: print(error.code)\n"
    )
    line = [sys.executable, "-c", script, odd, tmp_path / "out.pdf"]
    ran = subprocess.run(line, capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    assert ran.returncode == 0
    assert ran.stderr == ""


@pytest.mark.parametrize("name", ["@letter.pdf", "-v.pdf", "--help"])
def test_no_program_takes_the_name_of_a_document_for_something_else(
    name: str, pki: Pki, rsa_signer: SoftwareSigner, letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(letter.parent)

    rewrite(letter, Path(name))
    rewrite(Path(name), Path("again.pdf"))
    assert place.pages(Path(name))[0].words
    sign.sign(Path("again.pdf"), Path(name), rsa_signer, overwrite=True)
    judged = quorum.judge(Path(name), pki.anchors, pki.crls())
    heard = {check.id: check.severity for check in judged.checks}
    assert judged.verdict == "pass", judged.checks
    assert {heard[f"{judge}-integrity"] for judge in ("pdfsig", "openssl", "mutool")} == {"pass"}
