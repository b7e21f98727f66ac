"""`fieldkit sign` as its users run it: one file, a folder, a preview, what is asked and what is refused."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.home import Home
from fieldkit.validation import validate
from tests import papers
from tests.conftest import Run, clean_environment
from tests.pki import DAY, NOW, Pki, SoftwareSigner

Put = Callable[[SoftwareSigner], list[str | Path]]


@pytest.fixture
def token(put_on_token: Put, rsa_signer: SoftwareSigner) -> list[str | Path]:
    return put_on_token(rsa_signer)


def test_a_folder_is_signed_with_one_pin_and_each_file_has_its_result(
    fieldkit: Run, token: list[str | Path], pki: Pki, letter_bytes: bytes, tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.pdf", "b.PDF", "c.pdf"):
        (folder / name).write_bytes(letter_bytes)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    (folder / "notes.txt").write_text("no document")

    ran = fieldkit("sign", folder, "--out", out, *token, "--json")

    assert ran.status == 1
    results = {Path(each["source"]).name: each for each in ran.result}
    assert list(results) == ["a.pdf", "b.PDF", "broken.pdf", "c.pdf"]
    assert results["broken.pdf"]["error"]["code"] == "document-unfit"
    assert sorted(os.listdir(out)) == ["a.pdf", "b.PDF", "c.pdf"]
    for path in out.iterdir():
        assert validate.validate(path, trust=pki.anchors, crls=pki.crls()).signatures[0].field == "Signature1"
    assert "…" in ran.err  # progress, beside the result


def test_a_folder_where_nothing_can_be_signed_asks_for_no_pin(fieldkit: Run, tmp_path: Path) -> None:
    folder, empty = tmp_path / "in", tmp_path / "empty"
    folder.mkdir()
    empty.mkdir()
    for name in ("a.pdf", "b.pdf"):
        (folder / name).write_bytes(b"%PDF-1.4\n%%EOF\n")
    options = ("--out", tmp_path / "out", "--token", "none", "--pin-file", tmp_path / "missing")

    ran = fieldkit("sign", folder, *options, "--json")
    nothing = fieldkit("sign", empty, *options, "--json")

    assert ran.status == 1
    assert [each["error"]["code"] for each in ran.result] == ["document-unfit"] * 2
    assert (nothing.status, nothing.error["code"]) == (4, "missing")


def test_ctrl_c_finishes_the_document_at_hand_and_says_which_were_not_signed(
    home: Home, token: list[str | Path], letter_bytes: bytes, tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(80):
        (folder / f"{number:03d}.pdf").write_bytes(letter_bytes)
    line = [sys.executable, "-m", "fieldkit", "sign", folder, "--out", out, *token, "--json"]
    running = subprocess.Popen(
        [str(part) for part in line],
        env=clean_environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (out.is_dir() and any(out.glob("*.pdf"))):
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    said, told = running.communicate(timeout=60)

    results = json.loads(said)["result"]
    signed = [each for each in results if "out" in each]
    assert running.returncode == 1
    assert len(results) == 80
    assert 0 < len(signed) < 80
    assert sorted(os.listdir(out)) == sorted(Path(each["out"]).name for each in signed)
    assert {each["error"]["code"] for each in results if "error" in each} == {"cancelled"}
    assert "Stopping after this document" in told


def test_a_file_that_only_a_rewrite_makes_signable_is_told_and_rewritten_only_when_agreed(
    fieldkit: Run, token: list[str | Path], pki: Pki, tmp_path: Path
) -> None:
    source, out = tmp_path / "office.pdf", tmp_path / "out.pdf"
    source.write_bytes(papers.hybrid())

    refused = fieldkit("sign", source, "--out", out, *token, "--json")
    agreed = fieldkit("sign", source, "--out", out, *token, "--rewrite", "--json")

    assert (refused.status, refused.error["code"]) == (3, "document-locked")
    assert "rewritten" in refused.error["hint"]
    assert agreed.status == 0, agreed.out
    assert agreed.result["checks"][0]["id"] == "rewritten"
    assert "Rewrite 1 document(s) with qpdf" in agreed.err
    assert source.read_bytes() == papers.hybrid()
    (judged,) = validate.validate(out, trust=pki.anchors).signatures
    assert {check.id: check.severity for check in judged.checks}["integrity"] == "pass"


def test_an_encrypted_document_is_signed_with_the_password_from_a_file(
    fieldkit: Run, token: list[str | Path], letter: Path, tmp_path: Path
) -> None:
    locked, out = tmp_path / "locked.pdf", tmp_path / "out.pdf"
    subprocess.run(["qpdf", "--encrypt", "mat-khau", "owner", "256", "--", letter, locked], check=True)
    (tmp_path / "good").write_text("mat-khau\n")
    (tmp_path / "bad").write_text("sai\n")
    line = ("sign", locked, "--out", out, *token, "--stamp", "person", "--json")

    without = fieldkit(*line)
    wrong = fieldkit(*line, "--password-file", tmp_path / "bad")
    right = fieldkit(*line, "--password-file", tmp_path / "good", "--title", papers.TITLE)

    assert (without.status, without.error["code"]) == (2, "document-encrypted")
    assert "locked.pdf" in without.error["message"]
    assert (wrong.status, wrong.error["code"]) == (2, "document-encrypted")
    assert right.status == 0, right.out
    assert "stamp-place" not in [check["id"] for check in right.result["checks"]]

    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "pdftotext").symlink_to(shutil.which("pdftotext") or "")
    (tmp_path / "out.pdf").unlink()
    lacking = fieldkit(*line, "--password-file", tmp_path / "good", PATH=str(tmp_path / "programs"))
    assert (lacking.status, lacking.error["code"]) == (4, "tool-missing")
    assert "qpdf" in lacking.error["message"]
    assert not out.exists()


def test_a_person_and_then_the_seal_beside_the_signature(
    fieldkit: Run, token: list[str | Path], pki: Pki, letter: Path, tmp_path: Path
) -> None:
    person, sealed = tmp_path / "person.pdf", tmp_path / "sealed.pdf"

    first = fieldkit(
        "sign",
        letter,
        "--out",
        person,
        *token,
        "--stamp",
        "person",
        "--with-seal",
        "--title",
        papers.TITLE,
        "--json",
    )
    second = fieldkit("sign", person, "--out", sealed, *token, "--stamp", "agency", "--json")

    assert (first.status, first.result["field"]) == (0, "Person"), first.out
    assert (second.status, second.result["field"]) == (0, "Agency"), second.out
    judged = validate.validate(sealed, trust=pki.anchors, crls=pki.crls())
    assert [each.field for each in judged.signatures] == ["Person", "Agency"]
    assert {"earlier-signatures", "reopened"} <= {check["id"] for check in second.result["checks"]}


def test_a_certificate_out_of_its_dates_is_refused_before_the_pin_unless_insisted_where_the_rules_allow(
    fieldkit: Run, home: Home, put_on_token: Put, pki: Pki, letter: Path, tmp_path: Path
) -> None:
    options = put_on_token(pki.signer(start=NOW - 30 * DAY, end=NOW - DAY))
    line = ("sign", letter, "--out", tmp_path / "out.pdf", "--json")
    no_pin = (*options[:2], "--pin-file", tmp_path / "missing")

    refused = fieldkit(*line, *no_pin)
    insisted = fieldkit(*line, *options, "--insist")
    strict = home.profiles / "rules"
    strict.mkdir(parents=True)
    (strict / "strict.yaml").write_text(
        "id: strict\ntitle: {vi: Mẫu, en: Sample}\nbasis: {vi: Mẫu, en: Sample}\nvalid_from: 2020-03-06\n"
    )
    forbidden = fieldkit(*line, *no_pin, "--insist", "--replace")

    assert (refused.status, refused.error["code"]) == (3, "certificate-expired")
    assert insisted.status == 0, insisted.out
    dates = next(check for check in insisted.result["checks"] if check["id"] == "certificate-dates")
    assert dates["verdict"] == "fail"
    assert "You insisted" in dates["detail"]
    assert (forbidden.status, forbidden.error["code"]) == (3, "certificate-expired")


def test_a_preview_shows_the_page_and_signs_nothing_and_needs_no_token(
    fieldkit: Run, letter: Path, tmp_path: Path
) -> None:
    line = ("sign", letter, "--preview", "--stamp", "person", "--name", papers.NAME, "--title", papers.TITLE)

    shown = fieldkit(*line)
    told = fieldkit(*line, "--json")
    moved = fieldkit(*line, "--at", "1,60,60,160,110", "--json")
    lost = fieldkit(*line[:-3], "Người Khác", "--json")
    nothing = fieldkit("sign", letter, "--preview", "--json")

    assert shown.status == 0, shown.err
    assert any(sum(sign in "░▒▓█" for sign in row) > 20 for row in shown.out.splitlines())
    assert "mm from the top" in shown.out
    assert told.result["found"] is True
    assert told.result["at"] in shown.out
    assert moved.result["box"] == [60, 60, 160, 110]
    assert lost.result["found"] is False
    assert (nothing.status, nothing.error["code"]) == (2, "usage")
    assert sorted(path.name for path in tmp_path.glob("*.pdf")) == ["letter.pdf"]


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("1,2,3", "five whole numbers"),
        ("1,a,3,4,5", "five whole numbers"),
        ("0,1,2,3,4", "pages from 1"),
        ("1,300,100,200,150", "another order"),
        ("9,10,10,60,60", "page 9"),
    ],
)
def test_a_place_that_is_none_is_told_for_what_it_is(at: str, said: str, fieldkit: Run, letter: Path) -> None:
    ran = fieldkit("sign", letter, "--preview", "--stamp", "person", "--name", "x", "--at", at, "--json")
    assert ran.status == 2
    assert said in ran.error["message"]


def test_the_rule_set_of_2019_can_be_named_and_knows_no_copies(fieldkit: Run, letter: Path) -> None:
    line = ("sign", letter, "--preview", "--name", papers.NAME, "--json")
    old = fieldkit(*line, "--stamp", "agency", "--rules", "tt01-2019", "--seal-mm", "30")
    copy = fieldkit(*line, "--stamp", "copy", "--rules", "nd30-2020", "--copy-form", "SAO Y")
    none = fieldkit(*line, "--stamp", "copy", "--rules", "tt01-2019")
    unknown = fieldkit(*line, "--stamp", "person", "--rules", "tt99")

    left, bottom, right, top = old.result["box"]
    assert right - left == top - bottom == 85
    assert copy.result["page"] == 1
    assert (none.status, none.error["code"]) == (4, "missing")
    assert (unknown.status, unknown.error["code"]) == (2, "usage")


def test_a_person_at_a_terminal_sees_the_stamp_on_the_page_before_agreeing(
    home: Home, token: list[str | Path], letter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.pdf"
    line = [sys.executable, "-m", "fieldkit", "sign", letter, "--out", out, *token, "--stamp", "person"]
    line += ["--name", papers.NAME, "--title", papers.TITLE]
    environment = clean_environment(home) | {"TERM": "xterm-256color", "COLORTERM": "", "COLUMNS": "100"}

    refused, status = _at_a_terminal([str(part) for part in line], environment, "n")
    assert status == 3
    assert not out.exists()
    agreed, status = _at_a_terminal([str(part) for part in line], environment, "y")
    assert status == 0
    assert out.exists()

    for said in (refused, agreed):
        assert said.index("▀▀▀▀") < said.index("mm from the top") < said.index("[y/N]")
        assert "\x1b[38;5;" in said
    assert agreed.index("[y/N]") < agreed.rindex("▀▀▀▀")  # and the signed page after it


def test_a_terminal_that_has_pictures_is_sent_one_and_over_ssh_it_is_not_asked(
    home: Home, letter: Path
) -> None:
    line = [sys.executable, "-m", "fieldkit", "sign", str(letter), "--preview", "--stamp", "person"]
    line += ["--name", papers.NAME]
    environment = clean_environment(home) | {"TERM": "xterm-256color"}
    for name in ("SSH_CONNECTION", "SSH_TTY", "MOSH_IP", "NO_COLOR"):
        environment.pop(name, None)
    answers = {b"\x1b[c": b"\x1b[?62;4c", b"\x1b[16t": b"\x1b[6;20;10t"}

    local, status = _at_a_terminal(line, environment, "", answers)
    remote, _ = _at_a_terminal(line, environment | {"SSH_CONNECTION": "::1 1 ::1 22"}, "", answers)

    assert status == 0
    assert "\x1bP" in local  # a sixel picture begins
    assert "▀" not in local
    assert "\x1b[c" not in remote
    assert "▀▀▀▀" in remote


def test_no_colour_and_no_block_is_sent_where_none_is_wanted() -> None:
    from fieldkit.cli.show import colours

    assert colours({"TERM": "xterm-256color", "NO_COLOR": "1"}, terminal=True) == "none"
    assert colours({"TERM": "dumb"}, terminal=True) == "none"
    assert colours({"TERM": "xterm-256color"}, terminal=False) == "none"
    assert colours({"TERM": "xterm-256color"}, terminal=True) == "256"
    assert colours({"TERM": "xterm", "COLORTERM": "truecolor"}, terminal=True) == "truecolor"


def _at_a_terminal(
    line: list[str], environment: dict[str, str], answer: str, terminal: dict[bytes, bytes] | None = None
) -> tuple[str, int]:
    """Run a command on a terminal of its own and answer its question; what it showed, and its status.

    terminal: what the terminal answers when it is asked about itself.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    running = subprocess.Popen(line, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    waiting = {b"[y/N]": answer.encode() + b"\n", **(terminal or {})}
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not read:
            break
        shown += read
        for asked in [each for each in waiting if each in shown]:
            os.write(ours, waiting.pop(asked))
    os.close(ours)
    return shown.decode(errors="replace"), running.wait(timeout=60)
