"""Every judge has its word, is named when it has none, and disagreement is a finding of its own."""

from __future__ import annotations

import http.server
import os
import shutil
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from fieldkit.finding import Finding, Severity
from fieldkit.signature import sign
from fieldkit.text import M
from fieldkit.validation import quorum
from fieldkit.validation.judgement import Judgement, Policy
from fieldkit.validation.judges import JUDGES, judge
from fieldkit.validation.judges.judge import Case, Judge
from tests.pki import DAY, NOW, Pki, SoftwareSigner, TimestampAuthority


@pytest.fixture
def signed(rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path) -> Path:
    out = tmp_path / "signed.pdf"
    sign.sign(letter, out, rsa_signer)
    return out


def program(folder: Path, name: str, script: str) -> None:
    """A program called `name` that comes first in the search path."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the head of the search path."""
    folder = tmp_path / "front"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def word(found: Judgement, check: str) -> tuple[str, str]:
    (one,) = [each for each in found.checks if each.id == check]
    return one.severity, str(one.message)


def test_all_judges_agree_on_a_good_and_on_a_changed_document(pki: Pki, signed: Path, tmp_path: Path) -> None:
    good = quorum.judge(signed, pki.anchors, pki.crls())
    hurt = bytearray(signed.read_bytes())
    hurt[1200] ^= 1
    (tmp_path / "hurt.pdf").write_bytes(hurt)
    bad = quorum.judge(tmp_path / "hurt.pdf", pki.anchors, pki.crls())
    judges = ("pdfsig-integrity", "openssl-integrity", "mutool-integrity")
    assert [word(good, each)[0] for each in judges] == ["pass"] * 3
    assert [word(bad, each)[0] for each in judges] == ["fail"] * 3
    assert word(good, "agreement")[0] == word(bad, "agreement")[0] == "pass"
    assert (good.verdict, bad.verdict) == ("pass", "fail")


def test_judges_that_disagree_are_a_finding_and_keep_the_verdict_from_pass(
    pki: Pki, signed: Path, front: Path
) -> None:
    program(front, "mutool", "#!/bin/sh\necho 'Digest mismatch: document changed'; echo 'invalidated'\n")
    found = quorum.judge(signed, pki.anchors, pki.crls())
    (check,) = [each for each in found.checks if each.id == "agreement"]
    assert (check.severity, found.verdict) == ("fail", "fail")
    assert "mutool: fail" in check.detail
    assert "openssl: pass" in check.detail


def test_a_judge_that_cannot_be_started_is_not_said_to_have_been_stopped(
    pki: Pki, signed: Path, front: Path
) -> None:
    program(front, "pdfsig", "#!/no/such/interpreter\n")
    verdict, said = word(quorum.judge(signed, pki.anchors, pki.crls()), "pdfsig-integrity")
    assert verdict == "not-checked"
    assert "pdfsig could not be started" in said


def test_a_judge_that_comes_to_no_end_is_stopped_and_named(
    pki: Pki, signed: Path, front: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "PATIENCE", 1.0)
    program(front, "mutool", "#!/bin/sh\nexec sleep 60\n")
    found = quorum.judge(signed, pki.anchors, pki.crls())
    verdict, said = word(found, "mutool-integrity")
    assert verdict == "not-checked"
    assert "mutool came to no end" in said
    assert found.verdict == "pass", "silence is no verdict"


class FarAwayJudge(Judge):
    """A further judge, whose name has the sign that separates the words of ids."""

    name = program = "far-away-judge"
    package = "far-away"

    def examine(self, program: str, case: Case) -> list[Finding]:
        unchanged = self.run(program, str(case.path)).status == 0
        return [self.integrity("pass" if unchanged else "fail", M("{judge} said so.", judge=self.name))]


@pytest.mark.parametrize(("status", "verdict"), [(0, "pass"), (1, "fail")])
def test_a_further_judge_is_a_row_of_the_table_whatever_its_name(
    pki: Pki, signed: Path, front: Path, monkeypatch: pytest.MonkeyPatch, status: int, verdict: str
) -> None:
    program(front, "far-away-judge", f"#!/bin/sh\nexit {status}\n")
    monkeypatch.setattr(quorum, "JUDGES", (*JUDGES, FarAwayJudge()))
    judged = quorum.judge(signed, pki.anchors, pki.crls())
    (own,) = [finding for finding in judged.checks if finding.judge == "far-away-judge"]
    (agreement,) = [finding for finding in judged.checks if finding.id == "agreement"]
    assert (own.severity, agreement.severity, judged.verdict) == (verdict, verdict, verdict)
    assert f"far-away-judge: {verdict}" in agreement.detail
    assert quorum.integrity_words(judged.checks)["far-away-judge"] == verdict


def test_a_judge_that_is_missing_says_what_to_install(
    pki: Pki, signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = quorum.judge(signed, pki.anchors, pki.crls())
    silent = {each.id: str(each.hint) for each in found.checks if each.severity == "not-checked"}
    assert "poppler-utils" in silent["pdfsig-integrity"]
    assert "mupdf-tools" in silent["mutool-integrity"]
    assert "openssl" in silent["openssl-integrity"]
    assert found.verdict == "pass"
    assert word(found, "agreement")[0] == "not-checked"


def test_a_judge_that_cannot_read_the_signatures_is_named(pki: Pki, signed: Path, tmp_path: Path) -> None:
    hurt = tmp_path / "hurt.pdf"
    hurt.write_bytes(signed.read_bytes().replace(b"/ByteRange", b"/ByteRangX"))
    found = quorum.judge(hurt, pki.anchors, pki.crls())
    assert found.verdict == "fail"
    assert word(found, "openssl-integrity") == (
        "not-checked",
        "openssl could not judge the document: its signatures cannot be read.",
    )


def test_a_timestamp_that_carries_an_expired_certificate_does_not_divide_the_judges(
    pki: Pki, letter: Path, tmp_path: Path
) -> None:
    short, out = pki.signer(end=NOW + DAY), tmp_path / "out.pdf"
    with TimestampAuthority(pki).serving() as tsa:
        given = {"anchors": pki.anchors, "crls": pki.crls()}
        sign.sign(letter, out, short, level="b-lt", tsa=tsa, network=False, **given)
    found = quorum.judge(out, pki.anchors, at=NOW + 5 * DAY)
    assert word(found, "agreement")[0] == "pass", found.checks
    assert found.verdict == "pass"


def test_without_anchors_no_judge_speaks_of_paths_and_none_disagrees(signed: Path) -> None:
    judged = quorum.judge(signed, (), ())
    heard = {check.id: check.severity for check in judged.checks}
    assert {heard[f"{judge}-integrity"] for judge in ("pdfsig", "openssl", "mutool")} == {"pass"}
    assert heard["agreement"] == "pass"
    assert judged.verdict == "indeterminate"


def test_judges_who_find_the_path_wrong_alike_do_not_disagree(signed: Path) -> None:
    judged = quorum.judge(signed, Pki("ANOTHER").anchors, ())
    heard = {check.id: check.severity for check in judged.checks}
    assert heard["agreement"] == "pass"
    assert (heard["openssl-integrity"], heard["openssl-path"]) == ("pass", "fail")
    assert judged.verdict == "fail"


def test_an_anchor_that_is_no_root_is_one_for_every_judge(pki: Pki, signed: Path) -> None:
    anchor = pki.issuing.public_bytes(Encoding.DER)
    judged = quorum.judge(signed, (anchor,), policy=Policy(revocation=False))
    assert judged.verdict == "pass", judged.checks
    assert "openssl-path" not in {check.id for check in judged.checks}


def test_a_judge_that_alone_finds_the_path_wrong_disagrees(pki: Pki, signed: Path, front: Path) -> None:
    real = shutil.which("openssl")
    lies = "echo 'certificate verify error' >&2; exit 4"
    program(front, "openssl", f'#!/bin/sh\ncase "$*" in *-noverify*) exec {real} "$@";; esac\n{lies}\n')
    judged = quorum.judge(signed, pki.anchors, pki.crls())
    (agreement,) = [check for check in judged.checks if check.id == "agreement"]
    assert (agreement.severity, judged.verdict) == ("fail", "fail")
    assert "path: fieldkit: pass, openssl: fail" in agreement.detail


def test_nobody_is_asked_over_the_network_without_having_been_told_to(
    pki: Pki, letter: Path, tmp_path: Path
) -> None:
    """pdfsig asks the responder that the certificate names by itself, unless it is forbidden."""
    asked: list[str] = []

    class Responder(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_POST = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Responder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    out = tmp_path / "signed.pdf"
    sign.sign(letter, out, pki.signer(services=f"http://127.0.0.1:{server.server_port}"))
    judged = quorum.judge(out, pki.anchors, pki.crls())
    server.shutdown()
    server.server_close()
    assert asked == []
    assert judged.verdict == "pass", judged.checks


def test_a_judge_whose_name_has_a_dash_keeps_its_word_under_its_whole_name() -> None:
    def word(id: str, judge: str, severity: Severity) -> Finding:
        return Finding(id, severity, M("A word."), judge=judge)

    checks = [
        word("dss-demo-integrity", "dss-demo", "pass"),
        word("dss-demo-integrity", "dss-demo", "fail"),
        word("dss-integrity", "dss", "pass"),
        word("dss-demo-path", "dss-demo", "pass"),
        word("other-integrity", "other", "not-checked"),
    ]
    assert quorum.integrity_words(checks) == {"dss-demo": "fail", "dss": "pass"}
