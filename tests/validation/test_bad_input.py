"""Documents made to break a reader, and signed ones bit by bit changed: never a traceback, never "pass"."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldkit.errors import FieldkitError
from fieldkit.pdf.byte_ranges import signed_ranges
from fieldkit.signature import sign
from fieldkit.signature.sign import Level
from fieldkit.validation import quorum
from fieldkit.validation.judges import JUDGES, Case
from fieldkit.validation.validate import validate
from tests.conftest import Run
from tests.pki import Pki, SoftwareSigner, TimestampAuthority

HEAD = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


def assembled(*objects: bytes, trailer: bytes = b"") -> bytes:
    """A PDF of the given objects, numbered from 1, with a cross-reference table that fits."""
    out, offsets = bytearray(HEAD), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        trailer,
        start,
    )
    return bytes(out)


CATALOG = b"<</Type/Catalog/Pages 2 0 R/AcroForm 3 0 R>>"
PAGES = b"<</Type/Pages/Kids[]/Count 0>>"
FORM = b"<</Fields[4 0 R]/SigFlags 3>>"


def bombs() -> dict[str, bytes]:
    """Small files that ask for a great deal."""
    zeros = zlib.compress(bytes(64 * 1024 * 1024), 9)
    twice = zlib.compress(zeros, 9)
    stream = b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>stream\n%s\nendstream" % (len(twice), twice)
    field = b"<</FT/Sig/T(S)/V 5 0 R>>"
    loop = b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>"
    objects = b"<</Type/ObjStm/N 999999999/First 10/Length %d/Filter/FlateDecode>>stream\n%s\nendstream"
    return {
        "nesting": assembled(CATALOG, PAGES, FORM, b"[" * 60_000 + b"]" * 60_000),
        "dictionaries": assembled(CATALOG, PAGES, FORM, b"<</A" * 60_000 + b" 1" + b">>" * 60_000),
        "stream": assembled(CATALOG, PAGES, FORM, field, stream),
        "pages": assembled(CATALOG, loop, FORM, b"<</FT/Tx/T(a)>>"),
        "fields": assembled(CATALOG, PAGES, FORM, b"<</T(a)/Kids[4 0 R 4 0 R 4 0 R]>>"),
        "fields-signed": assembled(CATALOG, PAGES, FORM, b"<</FT/Sig/T(a)/Kids[4 0 R]/V 4 0 R>>"),
        "objects": assembled(CATALOG, PAGES, FORM, field, objects % (len(zeros), zeros)),
        "prev": assembled(CATALOG, PAGES, FORM, field, trailer=b"/Prev 15"),
        "self": assembled(b"1 0 R", PAGES),
        "length": assembled(CATALOG, PAGES, FORM, field, b"<</Length 6 0 R>>stream\nx", b"6 0 R"),
        "numbers": assembled(CATALOG, PAGES, b"<</Fields[" + b"9" * 100_000 + b" 0 R]>>"),
        "size": assembled(CATALOG, PAGES).replace(b"/Size 3", b"/Size 9999999999999999999"),
        "contents": assembled(
            CATALOG,
            PAGES,
            FORM,
            field,
            b"<</Type/Sig/SubFilter/ETSI.CAdES.detached/ByteRange[0 1 2 3]/Contents<%s>>>"
            % (b"30" * 400_000),
        ),
        "range": assembled(
            CATALOG,
            PAGES,
            FORM,
            field,
            b"<</Type/Sig/SubFilter/ETSI.CAdES.detached/ByteRange[0 99999999999999 1 1]/Contents<3000>>>",
        ),
    }


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2_500_000_000, 2_500_000_000))
resource.setrlimit(resource.RLIMIT_CPU, (90, 90))
from fieldkit.cli.frame import run
home, *paths = sys.argv[1:]
for path in paths:
    status = run(["verify", path, "--alone", "--home", home, "--json", "--lang", "en"])
    print("STATUS", status, path, flush=True)
"""


def test_bombs_are_refused_in_words_within_bounds(tmp_path: Path) -> None:
    paths = []
    for name, data in bombs().items():
        paths.append(tmp_path / f"{name}.pdf")
        paths[-1].write_bytes(data)
    line = [sys.executable, "-c", LIMITED, tmp_path / "home", *paths]
    ran = subprocess.run(line, capture_output=True, text=True, timeout=150)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert "Traceback" not in ran.stderr
    said = re.findall(r"^STATUS (\d+) .*/(.*)\.pdf$", ran.stdout, re.MULTILINE)
    assert [name for _, name in said] == list(bombs())
    assert {status for status, _ in said} <= {"1", "2"}, said
    assert '"internal"' not in ran.stdout
    assert '"verdict":"pass","checks"' not in ran.stdout


def test_what_is_no_document_is_told_by_every_judge(tmp_path: Path) -> None:
    garbage, empty, pipe = (tmp_path / name for name in ("garbage.pdf", "empty.pdf", "pipe.pdf"))
    garbage.write_bytes(os.urandom(5000))
    empty.touch()
    os.mkfifo(pipe)
    for path in (garbage, empty, pipe, tmp_path, tmp_path / "missing.pdf", Path("/dev/zero")):
        with pytest.raises(FieldkitError) as caught:
            quorum.judge(path, ())
        assert caught.value.status in (2, 4), path
        assert caught.value.hint is not None


def test_the_command_says_what_it_cannot_read_without_a_traceback(fieldkit: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.pdf"
    os.mkfifo(pipe)
    (tmp_path / "noise.pdf").write_bytes(HEAD + os.urandom(20_000))
    for path in (pipe, tmp_path / "noise.pdf"):
        ran = fieldkit("verify", path)
        assert ran.status in (1, 2, 4)
        assert "Traceback" not in ran.err
        assert len(ran.err.splitlines()) <= 4, "what pyHanko logs is not for the screen"


@pytest.fixture(scope="module")
def target(
    pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A signed letter."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "letter.pdf").write_bytes(letter_bytes)
    sign.sign(folder / "letter.pdf", folder / "signed.pdf", rsa_signer)
    return folder / "signed.pdf"


def meaning_lies_in(data: bytes, path: Path) -> tuple[int, int]:
    """Where the signature's own bytes begin and end; the zeros that fill its room mean nothing."""
    covered = signed_ranges(path)[-1]
    start, end = covered.ranges[0][1], covered.ranges[1][0]
    filler = re.search(rb"0*>$", data[start:end])
    assert filler is not None
    return start, start + filler.start()


def verdict_on(data: bytes, path: Path, pki: Pki) -> str:
    """The verdict on changed bytes; what is refused in words is "refused"."""
    path.write_bytes(data)
    try:
        return validate(path, trust=pki.anchors, crls=pki.crls()).verdict
    except FieldkitError:
        return "refused"


def changed_never_passes(pki: Pki, target: Path, examples: int) -> None:
    """Flips in what the last signature or timestamp covers, cuts, and flips inside its own bytes."""
    data, hurt = target.read_bytes(), target.with_name("hurt.pdf")
    covered = signed_ranges(target)[-1]
    # an earlier revision is a whole signed document too, with its last line end or without
    ends = {
        at for found in re.finditer(rb"%%EOF\r?\n?", data) for at in range(found.start() + 5, found.end() + 1)
    }
    (first, gap), (again, last) = covered.ranges
    signed = st.one_of(st.integers(first, gap - 1), st.integers(again, last - 1))

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=examples < 1000,
    )
    @given(st.dictionaries(signed, st.integers(1, 255), min_size=1, max_size=4))
    def flips(changes: dict[int, int]) -> None:
        made = bytearray(data)
        for at, by in changes.items():
            made[at] ^= by
        assert verdict_on(bytes(made), hurt, pki) != "pass"

    @settings(
        max_examples=examples // 2,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=examples < 1000,
    )
    @given(st.integers(0, len(data) - 1), st.binary(max_size=40))
    def cuts(at: int, tail: bytes) -> None:
        if data[:at] + tail != data and at not in ends:
            assert verdict_on(data[:at] + tail, hurt, pki) != "pass"

    start, end = meaning_lies_in(data, target)

    @settings(
        max_examples=examples // 2,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=examples < 1000,
    )
    @given(st.integers(start + 1, end - 1), st.integers(1, 255))
    def inside(at: int, by: int) -> None:
        made = bytearray(data)
        made[at] ^= by
        # another way to write the same digit changes nothing that was signed
        if bytes(made[at : at + 1]).lower() != data[at : at + 1].lower():
            verdict = verdict_on(bytes(made), hurt, pki)
            if verdict == "pass":
                assert same_signature(bytes(made), hurt, target)

    for each in (flips, cuts, inside):
        each()


def same_signature(made: bytes, hurt: Path, target: Path) -> bool:
    """Only parts of the CMS that no signature covers differ: its content, signer and value are the same."""
    from asn1crypto import cms

    def core(path: Path) -> tuple[bytes, ...]:
        one = signed_ranges(path)[-1]
        signed = cms.ContentInfo.load(one.cms)["content"]
        (info,) = signed["signer_infos"]
        return (info["signed_attrs"].dump(), info["signature"].dump(), info["sid"].dump())

    return core(hurt) == core(target)


def test_bytes_changed_and_files_cut_never_pass(pki: Pki, target: Path) -> None:
    changed_never_passes(pki, target, 60)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("level", ["b-b", "b-lta"])
def test_bytes_changed_and_files_cut_never_pass_at_length(
    level: Level, pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "signed.pdf"
    with TimestampAuthority(pki).serving() as tsa:
        given: dict[str, Any] = {"anchors": pki.anchors, "crls": pki.crls(), "network": False}
        sign.sign(letter, out, rsa_signer, level=level, tsa=tsa, **given)
    assert validate(out, trust=pki.anchors, crls=pki.crls()).verdict == "pass"
    changed_never_passes(pki, out, 5000)


def test_a_file_that_changes_while_it_is_judged_is_told(
    pki: Pki, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the judges is a program that writes to the file when all others are done with it."""
    path, folder = tmp_path / "moving.pdf", tmp_path / "front"
    path.write_bytes(target.read_bytes())
    folder.mkdir()
    writer = folder / "pdfsig"
    writer.write_text(f"#!/bin/sh\nsleep 1\nprintf '%%' >> '{path}'\n")
    writer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(FieldkitError) as caught:
        quorum.judge(path, pki.anchors, pki.crls())
    assert caught.value.code == "document-changed"


def test_no_judge_passes_what_is_no_pdf(tmp_path: Path) -> None:
    path = tmp_path / "noise.pdf"
    path.write_bytes(os.urandom(4000))
    for judge in JUDGES:
        if not judge.opens_locked:  # which fieldkit has to take apart first
            assert all(finding.severity != "pass" for finding in judge.judge(Case(path)))
