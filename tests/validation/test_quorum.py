"""Every judge has its word, is named when it has none, and disagreement is a finding of its own."""

from __future__ import annotations

import http.server
import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfTimeStamper
from pyhanko.sign.timestamps import TimeStamper

from fieldkit.finding import Finding, Severity
from fieldkit.pdf.errors import DocumentUnfit
from fieldkit.profile.rules import RuleSet, StampRule
from fieldkit.secret import Secret
from fieldkit.signature import sign
from fieldkit.text import M, Words
from fieldkit.validation import quorum
from fieldkit.validation.judgement import Judgement, Policy
from fieldkit.validation.judges import JUDGES, judge
from fieldkit.validation.judges.judge import Case, Judge
from fieldkit.validation.online import Online
from fieldkit.validation.validate import validate
from tests.pki import DAY, NOW, Pki, SoftwareSigner, TimestampAuthority
from tests.validation import forgery, revision

Change = Callable[[bytes], bytes]


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
    assert word(good, "appearance")[0] == "pass"
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


class Listener(Judge):
    """A judge that only remembers the case it was asked about."""

    name = program = "listener"
    package = "listener"
    after_fieldkit = True
    opens_locked = True

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def examine(self, program: str, case: Case) -> list[Finding]:
        self.cases.append(case)
        return []


@pytest.fixture
def listener(front: Path, monkeypatch: pytest.MonkeyPatch) -> Listener:
    """A judge that only remembers, and the only one beside fieldkit."""
    program(front, "listener", "#!/bin/sh\n")
    judge = Listener()
    monkeypatch.setattr(quorum, "JUDGES", (judge,))
    return judge


class StumblingJudge(Judge):
    """A judge that falls over every document."""

    name = program = "stumbling-judge"
    package = "stumbling"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def examine(self, program: str, case: Case) -> list[Finding]:
        raise self.error


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (DocumentUnfit(M("It is bad."), detail="page 3"), "document-unfit: page 3"),
        (DocumentUnfit(M("It is bad.")), "document-unfit"),
        (ValueError("bad"), "ValueError: bad"),
    ],
)
def test_a_judge_that_falls_over_a_document_has_not_checked_it_and_says_over_what(
    error: Exception, detail: str, pki: Pki, signed: Path, front: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(front, "stumbling-judge", "#!/bin/sh\n")
    monkeypatch.setattr(quorum, "JUDGES", (StumblingJudge(error),))
    judged = quorum.judge(signed, pki.anchors, pki.crls(), draw=False)
    (check,) = [check for check in judged.checks if check.judge == "stumbling-judge"]
    assert (check.id, check.severity, check.detail) == ("stumbling-judge-integrity", "not-checked", detail)
    assert "stumbling-judge could not judge the document" in str(check.message)
    assert judged.verdict == "pass", "silence is no verdict"


def test_fieldkit_judges_among_others_by_the_same_options_as_alone(
    pki: Pki, letter: Path, tmp_path: Path, listener: Listener
) -> None:
    out, signer = tmp_path / "out.pdf", pki.signer()
    signer.chain = ()
    sign.sign(letter, out, signer, insist=True)
    plain = validate(out, trust=pki.anchors, crls=pki.crls()).signatures
    rules = RuleSet(
        id="mau",
        title=Words("Mẫu", "Sample"),
        basis=Words("Mẫu", "Sample"),
        valid_from=(NOW - 900 * DAY).date(),
        stamps=(StampRule("person", "handwritten", "between-title-and-name", "blue"),),
    )
    options: tuple[dict[str, Any], ...] = (
        {"others": (pki.issuing.public_bytes(Encoding.DER),)},
        {"at": NOW + 4000 * DAY},
        {"policy": Policy(timestamp=True)},
        {"rules": (rules,)},
    )
    for option in options:
        judged = quorum.judge(out, pki.anchors, pki.crls(), draw=False, **option).signatures
        assert judged == validate(out, trust=pki.anchors, crls=pki.crls(), **option).signatures
        assert judged != plain
    assert [case.at for case in listener.cases] == [option.get("at") for option in options]


def test_the_network_is_asked_where_that_was_wished(
    pki: Pki, letter: Path, tmp_path: Path, listener: Listener
) -> None:
    out, online = tmp_path / "out.pdf", Online(named=None)
    sign.sign(letter, out, pki.signer(services="http://127.0.0.1:9"))
    quorum.judge(out, pki.anchors, draw=False, network=online)
    assert online.asked


def timestamped(path: Path, field: str, stamper: TimeStamper) -> Path:
    """The document with a timestamp over all of it."""
    with path.open("rb+") as file:
        PdfTimeStamper(stamper, field_name=field).timestamp_pdf(
            IncrementalPdfFileWriter(file), "sha256", None, in_place=True
        )
    return path


def test_judges_hear_of_each_signature_the_first_time_that_is_proven_for_it(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path, listener: Listener
) -> None:
    first, second, third = (tmp_path / f"{number}.pdf" for number in range(3))
    authority = TimestampAuthority(pki)
    sign.sign(letter, first, rsa_signer, field="Plain")
    quorum.judge(first, pki.anchors, pki.crls(), draw=False)
    with authority.serving() as tsa:
        sign.sign(first, second, rsa_signer, field="Stamped", level="b-t", tsa=tsa, network=False)
    quorum.judge(second, pki.anchors, pki.crls(), draw=False)
    timestamped(second, "Archive", authority.stamper)
    sign.sign(second, third, rsa_signer, field="Last")
    judged = quorum.judge(third, pki.anchors, pki.crls(), draw=False)
    proven = {signature.field: signature.signed_at for signature in judged.signatures}
    plain, stamped, all_of_it = (case.times for case in listener.cases)
    assert plain == {}
    assert {field: time.isoformat() for field, time in stamped.items()} == {"Stamped": proven["Stamped"]}
    assert {field: time.isoformat() for field, time in all_of_it.items()} == {
        "Plain": proven["Archive"],
        "Stamped": proven["Stamped"],
    }


def test_a_timestamp_that_does_not_hold_proves_no_time_to_any_judge(
    pki: Pki, signed: Path, listener: Listener
) -> None:
    timestamped(signed, "Archive", TimestampAuthority(Pki("ANOTHER")).stamper)
    judged = quorum.judge(signed, pki.anchors, pki.crls(), draw=False)
    assert [signature.kind for signature in judged.signatures] == ["signature", "timestamp"]
    assert listener.cases[0].times == {}


def test_a_timestamp_whose_authority_is_revoked_proves_no_time_to_any_judge(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path, listener: Listener
) -> None:
    out, authority = tmp_path / "out.pdf", TimestampAuthority(pki)
    with authority.serving() as tsa:
        sign.sign(letter, out, rsa_signer, level="b-t", tsa=tsa, network=False)
    certificate = x509.load_der_x509_certificate(authority.stamper.tsa_cert.dump())
    for crls, proven in (
        (pki.crls(), ["Signature1"]),
        (pki.crls(SoftwareSigner(None, certificate, ())), []),
    ):
        quorum.judge(out, pki.anchors, crls, draw=False)
        assert list(listener.cases.pop().times) == proven


def test_a_password_that_no_document_needs_keeps_no_judge_away(pki: Pki, signed: Path) -> None:
    judged = quorum.judge(signed, pki.anchors, pki.crls(), password=Secret("mat-khau"), draw=False)
    assert {word(judged, f"{name}-integrity")[0] for name in ("pdfsig", "openssl", "mutool")} == {"pass"}


def test_judges_who_find_a_certificate_out_of_date_alike_do_not_disagree(
    pki: Pki, letter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.pdf"
    sign.sign(letter, out, pki.signer(end=NOW - DAY), insist=True)
    for anchors in (pki.anchors, ()):
        judged = quorum.judge(out, anchors, pki.crls(), draw=False)
        assert word(judged, "agreement")[0] == "pass", judged.checks
        assert judged.verdict == "fail"


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda tail: forgery.with_byte_range(tail, "0 10 20 30"), "integrity"),
        (lambda tail: forgery.with_contents(tail, "30800000"), "structure"),
        (lambda tail: tail.replace(b"/ETSI.CAdES.detached", b"/a.kind.nobody.knows"), "kind"),
    ],
)
def test_one_bad_signature_is_fieldkits_word_on_the_document_whatever_is_bad_about_it(
    change: Change, check: str, pki: Pki, rsa_signer: SoftwareSigner, signed: Path, tmp_path: Path
) -> None:
    again, bad = tmp_path / "again.pdf", tmp_path / "bad.pdf"
    sign.sign(signed, again, rsa_signer, field="Second")
    end = signed.stat().st_size
    data = again.read_bytes()
    bad.write_bytes(data[:end] + change(data[end:]))
    judged = quorum.judge(bad, pki.anchors, pki.crls(), draw=False)
    words = {
        (signature.field, check.id): check.severity
        for signature in judged.signatures
        for check in signature.checks
    }
    assert (words[("Signature1", "integrity")], words[("Second", check)]) == ("pass", "fail")
    (agreement,) = [finding for finding in judged.checks if finding.id == "agreement"]
    assert "fieldkit: fail" in agreement.detail


def test_what_fieldkit_alone_sees_added_is_a_disagreement(pki: Pki, signed: Path) -> None:
    signed.write_bytes(forgery.annotated(signed.read_bytes()))
    judged = quorum.judge(signed, pki.anchors, pki.crls(), draw=False)
    (agreement,) = [finding for finding in judged.checks if finding.id == "agreement"]
    assert agreement.severity == "fail"
    assert agreement.detail.startswith("fieldkit: fail, mutool: ")


def test_a_judge_that_is_missing_says_what_to_install(
    pki: Pki, signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "apt-get", "#!/bin/sh\n")
    judged = quorum.judge(signed, pki.anchors, pki.crls())
    silent = {finding.id: str(finding.hint) for finding in judged.checks if finding.severity == "not-checked"}
    assert "apt-get install poppler-utils" in silent["pdfsig-integrity"]
    assert "apt-get install mupdf-tools" in silent["mutool-integrity"]
    assert "apt-get install openssl" in silent["openssl-integrity"]
    assert judged.verdict == "pass"
    assert word(judged, "agreement")[0] == "not-checked"


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
    needed = {check.id: check.required for check in judged.checks}
    assert (needed["openssl-integrity"], needed["openssl-path"]) == (True, False)
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


def test_a_judge_that_alone_finds_the_path_good_disagrees(signed: Path, front: Path) -> None:
    program(front, "openssl", "#!/bin/sh\nexit 0\n")
    judged = quorum.judge(signed, Pki("ANOTHER").anchors, ())
    (agreement,) = [check for check in judged.checks if check.id == "agreement"]
    assert agreement.severity == "fail"
    assert "path: fieldkit: fail, openssl: pass" in agreement.detail


def test_pages_that_cannot_be_taken_apart_leave_the_look_at_them_open(pki: Pki, signed: Path) -> None:
    data = signed.read_bytes()
    pages = revision.read(data).root.raw_get("/Pages").reference.idnum
    signed.write_bytes(revision.appended(data, {pages: b"[]"}))
    judged = quorum.judge(signed, pki.anchors, pki.crls())
    (check,) = [check for check in judged.checks if check.id == "appearance"]
    assert (check.severity, check.required, check.judge) == ("not-checked", True, "appearance")
    assert check.detail.startswith("document-unfit: ")


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
