"""What is said of one claim at the edges of time and trust: outcome, detail, whether a verdict needs it."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import BytesIO
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from asn1crypto import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.sign.ades.report import AdESIndeterminate
from pyhanko.sign.validation.status import SignatureCoverageLevel

from fieldkit.finding import Finding
from fieldkit.validation import signature_checks
from fieldkit.validation.judgement import Policy
from fieldkit.validation.signature_checks import TOLERANCE, JudgedMoment
from fieldkit.validation.trust import Trust, certificates, trust
from tests.pki import DAY, NOW, Pki, SoftwareSigner, only_encipherment

SECOND = timedelta(seconds=1)
AT = JudgedMoment(NOW, NOW)


class Stamp(NamedTuple):
    """What was measured of a timestamp."""

    timestamp: datetime
    signing_cert: Any = None
    intact: bool = True
    valid: bool = True
    trusted: bool = True


class Status(NamedTuple):
    """What was measured of a signature."""

    intact: bool = True
    valid: bool = True
    md_algorithm: str = "sha256"
    pkcs7_signature_mechanism: str = "sha256_rsa"
    trust_problem_indic: AdESIndeterminate | None = None
    signing_cert: Any = None
    coverage: SignatureCoverageLevel = SignatureCoverageLevel.ENTIRE_FILE


class Signature(NamedTuple):
    """Where a signature lies in a document, and its value."""

    byte_range: tuple[int, ...]
    reader: Any
    pkcs7_content: bytes = b"\n\x0b"


def loaded(signer: SoftwareSigner) -> x509.Certificate:
    (certificate,) = certificates((signer.certificate,))
    return certificate


def issuing(pki: Pki) -> tuple[bytes]:
    return (pki.issuing.public_bytes(Encoding.DER),)


def summary(finding: Finding | None) -> tuple[Any, ...] | None:
    return (finding.id, finding.severity, finding.detail, finding.required) if finding is not None else None


def sentence(finding: Finding) -> str:
    return finding.message.render("en")


@pytest.fixture(scope="module")
def believed(pki: Pki) -> Trust:
    return trust(pki.anchors, issuing(pki), pki.crls())


def test_what_was_signed_is_whole_and_by_the_certificates_key_or_it_is_told() -> None:
    assert summary(signature_checks.integrity(Status())) == ("integrity", "pass", "sha256", True)
    changed, foreign = (signature_checks.integrity(Status(*it)) for it in ((False, True), (True, False)))
    for finding, fragment in ((changed, "has been changed since"), (foreign, "does not fit the certificate")):
        assert summary(finding) == ("integrity", "fail", "", True)
        assert fragment in sentence(finding)


WHOLE = b"head<0a0b>tail"


@pytest.mark.parametrize(
    ("data", "byte_range", "fits"),
    [
        (WHOLE, (0, 4, 10, 4), True),
        (b"h<0A0b>", (0, 1, 7, 0), True),
        (b"<0a0b>tail", (0, 0, 6, 4), False),
        (WHOLE, (1, 4, 10, 4), False),
        (WHOLE, (0, 4, 10), False),
        (WHOLE, (0, 4, 10, 2, 12, 2), False),
        (WHOLE, (0, 4, 10, 5), False),
        (WHOLE, (0, 4, 10, -1), False),
        (WHOLE, (0, 3, 10, 4), False),
        (WHOLE, (0, 4, 11, 3), False),
        (b"head<0a0c>tail", (0, 4, 10, 4), False),
        (b"head<0a0b)tail", (0, 4, 10, 4), False),
        (b"head(0a0b>tail", (0, 4, 10, 4), False),
        (b"head<0a\n0b>tail", (0, 4, 11, 4), False),
        (b"head<0g0b>tail", (0, 4, 10, 4), False),
    ],
)
def test_a_signature_leaves_out_its_own_value_and_nothing_else(
    data: bytes, byte_range: tuple[int, ...], fits: bool
) -> None:
    signature = Signature(byte_range, SimpleNamespace(stream=BytesIO(data)))
    finding = signature_checks.coverage(signature, Status())
    assert summary(finding) == ("coverage", "pass" if fits else "fail", "entire_file", True)
    assert ("covers the whole file" if fits else "leaves out parts") in sentence(finding)


@pytest.mark.parametrize(
    "level", [SignatureCoverageLevel.UNCLEAR, SignatureCoverageLevel.CONTIGUOUS_BLOCK_FROM_START]
)
def test_a_signature_over_less_than_a_revision_leaves_out_parts(level: SignatureCoverageLevel) -> None:
    signature = Signature((0, 4, 10, 4), SimpleNamespace(stream=BytesIO(WHOLE)))
    finding = signature_checks.coverage(signature, Status(coverage=level))
    assert summary(finding) == ("coverage", "fail", level.name.lower(), True)
    assert "leaves out parts" in sentence(finding)


@pytest.mark.parametrize(
    ("names", "kind", "severity"),
    [
        (("content_type", "signing_certificate_v2"), signature_checks.PADES, "pass"),
        (("signing_certificate",), signature_checks.PADES, "pass"),
        (("signing_certificate",), "/adbe.pkcs7.detached", "pass"),
        (("content_type", "message_digest"), signature_checks.PADES, "fail"),
        (("content_type", "message_digest"), "/adbe.pkcs7.detached", "not-checked"),
        (("content_type", "message_digest"), None, "not-checked"),
    ],
)
def test_a_signature_that_names_no_certificate_is_bad_where_its_kind_asks_for_one(
    names: tuple[str, ...], kind: str | None, severity: str
) -> None:
    signed = [{"type": SimpleNamespace(native=name)} for name in reversed(names)]
    signature = SimpleNamespace(signer_info={"signed_attrs": signed}, sig_object={"/SubFilter": kind})
    finding = signature_checks.attributes(signature)
    expected = ("attributes", severity, ", ".join(names), severity != "not-checked")
    assert summary(finding) == expected


def test_without_a_path_revocation_is_open() -> None:
    finding = signature_checks.no_path_no_revocation()
    assert summary(finding) == ("revocation", "not-checked", "", True)


def test_weak_keys_and_algorithms_are_told(pki: Pki) -> None:
    strong = loaded(pki.signer())
    weak = loaded(pki.signer(key=rsa.generate_private_key(65537, 1024)))
    assert summary(signature_checks.key(strong)) == ("algorithm", "pass", "", True)
    finding = signature_checks.key(weak)
    assert (finding.id, finding.severity, finding.required) == ("algorithm", "fail", True)
    assert finding.detail in sentence(finding)
    assert "1024" in finding.detail
    both = "sha256_rsa, sha256"
    for status, expected in (
        (Status(signing_cert=strong), ("algorithm", "pass", both, True)),
        (Status(signing_cert=weak), ("algorithm", "fail", f"{both}, {finding.detail}", True)),
        (
            Status(md_algorithm="sha1", signing_cert=strong),
            ("algorithm", "fail", "sha256_rsa, sha1", True),
        ),
        (
            Status(
                trust_problem_indic=AdESIndeterminate.CRYPTO_CONSTRAINTS_FAILURE_NO_POE, signing_cert=strong
            ),
            ("algorithm", "fail", both, True),
        ),
        (
            Status(trust_problem_indic=AdESIndeterminate.NO_POE, signing_cert=strong),
            ("algorithm", "pass", both, True),
        ),
    ):
        assert summary(signature_checks.algorithm(status)) == expected


def test_a_clock_is_right_within_five_minutes_of_a_trusted_timestamp() -> None:
    stamp = Stamp(NOW)
    for off in (TOLERANCE, -TOLERANCE, 0 * SECOND):
        assert summary(signature_checks.clock(NOW + off, stamp, AT, trusted=True)) == (
            "clock",
            "pass",
            "",
            False,
        )
    for off, minutes in ((TOLERANCE + 60 * SECOND, 6), (-TOLERANCE - 60 * SECOND, -6)):
        late = signature_checks.clock(NOW + off, stamp, AT, trusted=True)
        assert summary(late) == ("clock", "fail", (NOW + off).isoformat(), False)
        assert late is not None
        assert f"was {minutes} minute(s) off" in sentence(late)


def test_without_a_trusted_timestamp_only_a_time_in_the_future_is_wrong() -> None:
    for off in (TOLERANCE, -900 * DAY):
        assert signature_checks.clock(NOW + off, None, AT, trusted=False) is None
    ahead = NOW + TOLERANCE + SECOND
    early = signature_checks.clock(ahead.replace(microsecond=5), None, AT, trusted=False)
    assert summary(early) == ("clock", "fail", ahead.isoformat(), False)
    assert signature_checks.clock(None, Stamp(NOW), AT, trusted=True) is None


def test_a_period_holds_its_first_and_its_last_second(pki: Pki) -> None:
    first, last = NOW - DAY, NOW + DAY
    certificate = loaded(pki.signer(start=first, end=last))
    period = f"{first.isoformat()} – {last.isoformat()}"
    for proven in (False, True):
        outcomes = []
        for moment in (first - SECOND, first, last, last + SECOND):
            finding = signature_checks.dates(certificate, JudgedMoment(NOW, moment, proven))
            assert (finding.id, finding.detail, finding.required) == ("dates", period, True)
            assert ("time of this check" in sentence(finding)) == (not proven and moment <= last)
            outcomes.append(finding.severity)
        assert outcomes == ["fail", "pass", "pass", "fail"]


def test_a_period_that_is_over_is_said_by_whether_a_timestamp_proves_the_moment(pki: Pki) -> None:
    certificate = loaded(pki.signer(end=NOW - DAY))
    now, then = (signature_checks.dates(certificate, JudgedMoment(NOW, NOW, it)) for it in (False, True))
    assert "no timestamp proves" in sentence(now)
    assert "expired before the timestamp" in sentence(then)


def test_usages_are_named_and_those_for_something_else_do_not_sign(pki: Pki) -> None:
    good, bad = (
        signature_checks.usage(loaded(signer), Policy())
        for signer in (pki.signer(), pki.signer(usage=only_encipherment()))
    )
    assert summary(good) == ("usage", "pass", "digital_signature, non_repudiation", True)
    assert summary(bad) == ("usage", "fail", "key_encipherment", True)
    silent = loaded(pki.signer())
    silent["tbs_certificate"]["extensions"] = []
    (unrestricted,) = certificates((silent.dump(force=True),))
    assert signature_checks.usage(unrestricted, Policy()).detail == "unrestricted"


def test_a_path_holds_or_it_is_told_why_not(pki: Pki, believed: Trust) -> None:
    certificate = loaded(pki.signer())
    assert signature_checks.path(certificate, believed, NOW) == signature_checks.PATH_HOLDS
    assert summary(signature_checks.path(certificate, Trust(), NOW)) == ("path", "not-checked", "", True)
    other = signature_checks.path(certificate, trust(Pki("ANOTHER").anchors), NOW)
    assert (other.id, other.severity) == ("path", "fail")
    assert other.detail.startswith("PathBuildingError: ")


def test_revocation_is_told_by_what_is_here(pki: Pki, believed: Trust) -> None:
    signer = pki.signer()
    certificate = loaded(signer)

    def word(crls: tuple[bytes, ...], at: datetime = NOW) -> Finding:
        return signature_checks.revocation(
            certificate, trust(pki.anchors, issuing(pki), crls), at, "a source"
        )

    good, unknown, revoked = word(pki.crls()), word(()), word(pki.crls(signer))
    old = word(pki.crls(), NOW + 60 * DAY)
    assert summary(good) == ("revocation", "pass", "a source", True)
    assert (revoked.id, revoked.severity) == ("revocation", "fail")
    assert revoked.detail.startswith("RevokedError: ")
    for finding in (unknown, old):
        assert (finding.id, finding.severity) == ("revocation", "not-checked")
        assert "Error: " in finding.detail
        assert finding.hint == signature_checks.FRESHER
    assert unknown.message == signature_checks.UNKNOWN
    assert "out of date" in sentence(old)
    one_is_of_today = (*pki.crls(when=NOW - 60 * DAY)[:1], *Pki("ANOTHER").crls())
    assert word(one_is_of_today).message == signature_checks.UNKNOWN


def test_revocation_of_a_timestamps_authority_is_told_as_such(pki: Pki, believed: Trust) -> None:
    signer = pki.signer()
    certificate = loaded(signer)
    revoked = trust(pki.anchors, issuing(pki), pki.crls(signer))
    none = trust(pki.anchors, issuing(pki))
    words = [
        signature_checks.timestamp_revocation(certificate, held, AT, settled=settled)
        for held, settled in ((believed, False), (none, True), (revoked, False), (none, False))
    ]
    assert {finding.id for finding in words} == {"timestamp-revocation"}
    assert [finding.severity for finding in words] == ["pass", "pass", "fail", "not-checked"]
    assert all("timestamp authority's certificate" in sentence(finding) for finding in words)


@pytest.mark.parametrize("needed", [False, True])
def test_a_timestamp_proves_the_time_or_it_is_told_why_not(needed: bool, pki: Pki, believed: Trust) -> None:
    policy, signer = Policy(timestamp=needed), loaded(pki.signer())

    def word(stamp: Stamp | None, held: Trust = believed, moment: JudgedMoment = AT) -> Finding:
        return signature_checks.timestamp(stamp, held, moment, policy)

    edge = NOW + TOLERANCE
    time, late = edge.isoformat(), (edge + SECOND).isoformat()
    assert summary(word(None)) == ("timestamp", "not-checked", "", needed)
    assert summary(word(Stamp(edge))) == ("timestamp", "pass", time, True)
    assert summary(word(Stamp(edge.replace(microsecond=5)))) == ("timestamp", "not-checked", time, True)
    assert summary(word(Stamp(edge + SECOND))) == ("timestamp", "not-checked", late, True)
    for bad in (Stamp(edge, intact=False), Stamp(edge, valid=False)):
        assert summary(word(bad)) == ("timestamp", "fail", time, True)
    unfit = word(Stamp(edge, signer, trusted=False))
    assert summary(unfit) == ("timestamp", "not-checked", time, needed)
    assert "not issued for timestamps" in sentence(unfit)
    foreign = word(Stamp(edge, signer, trusted=False), Trust())
    assert foreign.detail.startswith(f"{time}; PathBuildingError: ")
    assert "leads to none" in sentence(foreign)
    later = JudgedMoment(NOW + 400 * DAY, NOW + 400 * DAY)
    expired = word(Stamp(edge, signer, trusted=False), believed, later)
    assert expired.detail.startswith(f"{time}; ExpiredError: ")
    assert "has expired" in sentence(expired)
