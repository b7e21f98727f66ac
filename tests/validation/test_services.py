"""Timestamps and revocation over real HTTP: good, wrong, expired, revoked, slow and not there."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fieldkit.home import Home, shipped
from fieldkit.pdf.errors import TimestampFailed
from fieldkit.sample import authority, issue
from fieldkit.sample.authority import IssuedCertificate, SampleAuthority
from fieldkit.signature import sign
from fieldkit.signature.sign import Level
from fieldkit.signature.signer import HttpTimeStamper
from fieldkit.validation import opener
from fieldkit.validation.judgement import Judgement, Policy
from fieldkit.validation.online import Online
from fieldkit.validation.trust import certificates, trust
from fieldkit.validation.validate import validate
from tests import services
from tests.conftest import Run
from tests.issuing import expired, revoke
from tests.pki import Pki, SoftwareSigner
from tests.services import SampleServices

DAY = timedelta(days=1)


@pytest.fixture
def own(tmp_path: Path) -> SampleAuthority:
    """A sample authority of the test's own, to be changed."""
    return authority.create(tmp_path / "authority", key="ec:p256")


@pytest.fixture
def running(own: SampleAuthority) -> Iterator[SampleServices]:
    """Its services on loopback."""
    with services.serving(own) as found:
        yield found


def signer_of(issued: IssuedCertificate) -> SoftwareSigner:
    key = issue.load_key(issued.key.reveal_bytes())
    chain = [x509.load_der_x509_certificate(each) for each in issued.chain[:1]]
    return SoftwareSigner(key, x509.load_der_x509_certificate(issued.certificate), chain)


def stamped(
    running: SampleServices, letter: Path, level: Level = "b-t", issued: IssuedCertificate | None = None
) -> Path:
    """The letter, signed and timestamped by what runs."""
    own = running.authority
    person = issued or own.issue(key="ec:p256")
    out = letter.with_name("stamped.pdf")
    sign.sign(
        letter,
        out,
        signer_of(person),
        level=level,
        tsa=running.tsa,
        anchors=own.anchors,
        crls=own.crls,
        network=False,
        overwrite=True,
    )
    return out


def judged(running: SampleServices, path: Path, **more: Any) -> Judgement:
    own = running.authority
    given: dict[str, Any] = {"trust": own.anchors, "crls": own.crls} | more
    return validate(path, **given)


def words(found: Judgement, number: int = 0) -> dict[str, str]:
    return {check.id: check.severity for check in found.signatures[number].checks}


def test_a_good_timestamp_proves_the_time(running: SampleServices, letter: Path) -> None:
    found = judged(running, stamped(running, letter), policy=Policy(timestamp=True))
    assert found.verdict == "pass"
    assert words(found)["timestamp"] == words(found)["timestamp-revocation"] == "pass"
    assert words(found)["clock"] == "pass"


def test_a_timestamp_of_an_authority_nobody_trusts_proves_nothing(
    running: SampleServices, letter: Path, tmp_path: Path
) -> None:
    other = authority.create(tmp_path / "other", key="ec:p256")
    running.stamper = other.issue(purposes=("timestamp",), usage=("digital_signature",))
    found = judged(running, stamped(running, letter))
    assert (found.verdict, words(found)["timestamp"]) == ("pass", "not-checked")
    needed = judged(running, stamped(running, letter), policy=Policy(timestamp=True))
    assert needed.verdict == "indeterminate"


def test_a_timestamp_with_a_certificate_for_something_else_proves_nothing(
    running: SampleServices, letter: Path
) -> None:
    running.stamper = running.authority.issue()
    found = judged(running, stamped(running, letter))
    (check,) = [each for each in found.signatures[0].checks if each.id == "timestamp"]
    assert check.severity == "not-checked"
    assert "not issued for timestamps" in str(check.message)


def test_a_timestamp_of_an_expired_authority_proves_nothing(running: SampleServices, letter: Path) -> None:
    running.stamper = expired(running.authority, purposes=("timestamp",), usage=("digital_signature",))
    found = judged(running, stamped(running, letter))
    (check,) = [each for each in found.signatures[0].checks if each.id == "timestamp"]
    assert check.severity == "not-checked"
    assert "has expired" in str(check.message)


def test_a_timestamp_of_a_revoked_authority_makes_the_verdict_no(
    running: SampleServices, letter: Path
) -> None:
    path = stamped(running, letter)
    revoke(running.authority, running.authority.signer("tsa").certificate.public_bytes(Encoding.DER))
    found = judged(running, path)
    assert (found.verdict, words(found)["timestamp-revocation"]) == ("fail", "fail")


def test_a_verdict_that_rests_on_a_timestamp_needs_its_authority_to_be_known_good(
    running: SampleServices, letter: Path, tmp_path: Path
) -> None:
    # the timestamp's certificate comes from another authority, whose list is not here
    other = authority.create(tmp_path / "other", key="ec:p256")
    running.stamper = other.issue(purposes=("timestamp",), usage=("digital_signature",))
    soon = datetime.now(UTC) + DAY
    path = stamped(running, letter, issued=running.authority.issue(key="ec:p256", not_after=soon))
    trust = (*running.authority.anchors, *other.anchors)

    today = judged(running, path, trust=trust)
    after = judged(running, path, trust=trust, at=soon + DAY)
    known = judged(running, path, trust=trust, crls=(*running.authority.crls, *other.crls), at=soon + DAY)

    assert today.verdict == "pass"
    assert (after.verdict, words(after)["timestamp-revocation"]) == ("indeterminate", "not-checked")
    assert known.verdict == "pass"


@pytest.mark.parametrize(
    ("off", "check"), [(timedelta(hours=3), "timestamp"), (-timedelta(hours=3), "clock")]
)
def test_clocks_that_differ_are_told(
    off: timedelta, check: str, running: SampleServices, letter: Path
) -> None:
    running.clock = off
    found = judged(running, stamped(running, letter))
    assert words(found)[check] != "pass"
    assert found.verdict == ("indeterminate" if check == "timestamp" else "pass")


@pytest.mark.parametrize("stamps", ["other-data", "other-nonce", "refused", "junk"])
def test_a_wrong_answer_of_the_timestamp_authority_leaves_no_file(
    stamps: Any, running: SampleServices, letter: Path
) -> None:
    running.stamps = stamps
    with pytest.raises(TimestampFailed):
        stamped(running, letter)
    assert not letter.with_name("stamped.pdf").exists()


@pytest.mark.parametrize("mode", ["captive", "failing", "cut"])
def test_a_network_in_the_way_is_told(mode: Any, running: SampleServices, letter: Path) -> None:
    running.mode = mode
    with pytest.raises(TimestampFailed):
        stamped(running, letter)


def test_a_slow_timestamp_authority_meets_its_deadline(own: SampleAuthority) -> None:
    with services.serving(own, "slow", delay=30) as slow:
        stamper = HttpTimeStamper(slow.tsa, timeout=0.5)
        began = time.monotonic()
        with pytest.raises(TimestampFailed):
            asyncio.run(stamper.async_timestamp(bytes(32), "sha256"))
        assert time.monotonic() - began < 10  # not the 30 seconds of the server


def test_a_timestamp_authority_that_drips_meets_the_same_deadline(own: SampleAuthority) -> None:
    with services.serving(own, "dripping", delay=0.1) as slow:
        stamper = HttpTimeStamper(f"{slow.url}/issuing.crl", timeout=0.5)
        began = time.monotonic()
        with pytest.raises(TimestampFailed) as caught:
            asyncio.run(stamper.async_timestamp(bytes(32), "sha256"))
        assert time.monotonic() - began < 10
        assert "too slow" in caught.value.detail


def test_an_unreachable_timestamp_authority_is_told(own: SampleAuthority, letter: Path) -> None:
    with services.unreachable() as url, pytest.raises(TimestampFailed) as caught:
        sign.sign(
            letter, letter.with_name("o.pdf"), signer_of(own.issue(key="ec:p256")), level="b-t", tsa=url
        )
    assert url in caught.value.detail


@pytest.mark.parametrize("level", ["b-lt", "b-lta"])
def test_long_term_levels_hold_offline_with_nothing_given_but_the_root(
    level: Level, running: SampleServices, letter: Path
) -> None:
    found = judged(running, stamped(running, letter, level), crls=(), policy=Policy(timestamp=True))
    assert (found.verdict, found.signatures[0].level) == ("pass", level)


def test_a_signer_revoked_after_the_timestamp_was_good_when_it_signed(
    running: SampleServices, letter: Path
) -> None:
    person = running.authority.issue(key="ec:p256")
    plain, proven = letter.with_name("plain.pdf"), stamped(running, letter, issued=person)
    sign.sign(letter, plain, signer_of(person))
    revoke(running.authority, person.certificate, since=datetime.now(UTC) + timedelta(minutes=1))
    later = datetime.now(UTC) + timedelta(minutes=9)
    assert words(judged(running, plain, at=later))["revocation"] == "fail"
    assert words(judged(running, proven, at=later))["revocation"] == "pass"


def test_the_network_settles_what_is_open_by_ocsp(running: SampleServices, letter: Path) -> None:
    own = running.authority
    good, bad = (own.issue(key="ec:p256", services=running.url) for _ in range(2))
    online = Online(named=[running.url])
    path, other = stamped(running, letter, "b-b", good), letter.with_name("other.pdf")
    sign.sign(letter, other, signer_of(bad))
    offline = judged(running, path, crls=own.crls[:1])
    asked = judged(running, path, crls=own.crls[:1], network=online)
    revoke(own, bad.certificate)
    revoked = judged(running, other, crls=own.crls[:1], network=online)
    assert (offline.verdict, asked.verdict, revoked.verdict) == ("indeterminate", "pass", "fail")
    assert {each.outcome for each in online.asked} == {"ok"}
    assert all(each.size and each.sha256 for each in online.asked)


@pytest.mark.parametrize("statuses", ["stale", "unknown", "foreign"])
def test_an_ocsp_answer_that_settles_nothing_leaves_it_open(
    statuses: Any, running: SampleServices, letter: Path
) -> None:
    own = running.authority
    path = stamped(running, letter, "b-b", own.issue(key="ec:p256", services=running.url))
    running.statuses = statuses
    found = judged(running, path, crls=own.crls[:1], network=Online(named=[running.url]))
    assert (found.verdict, words(found)["revocation"]) == ("indeterminate", "not-checked")


def test_a_list_that_ended_is_fetched_and_still_settles_nothing(
    running: SampleServices, letter: Path
) -> None:
    own = running.authority
    path = stamped(running, letter, "b-b", own.issue(key="ec:p256", services=running.url))
    now = datetime.now(UTC)
    stale = own.renew_crl(this_update=now - 9 * DAY, next_update=now - DAY)
    found = judged(running, path, crls=(own.crls[0], stale))
    (check,) = [each for each in found.signatures[0].checks if each.id == "revocation"]
    assert (found.verdict, check.severity) == ("indeterminate", "not-checked")


def test_the_network_is_asked_once_for_many_documents(running: SampleServices, letter: Path) -> None:
    own, online = running.authority, Online(named=[running.url])
    path = stamped(running, letter, "b-b", own.issue(key="ec:p256", services=running.url))
    for _ in range(3):
        assert judged(running, path, crls=own.crls[:1], network=online).verdict == "pass"
    assert len(running.asked) == len(set(running.asked))


def test_a_missing_authority_is_fetched_from_where_the_certificate_says(
    running: SampleServices, letter: Path
) -> None:
    own = running.authority
    issued = own.issue(key="ec:p256", services=running.url)
    lonely, path = signer_of(issued), letter.with_name("lonely.pdf")
    lonely.chain = ()
    sign.sign(letter, path, lonely)
    assert judged(running, path).verdict == "fail"
    assert judged(running, path, network=Online(named=[running.url])).verdict == "pass"


@pytest.mark.parametrize("mode", ["slow", "dripping", "captive", "failing", "cut"])
def test_responders_that_do_not_help_leave_it_open_within_their_deadline(
    mode: Any, own: SampleAuthority, letter: Path
) -> None:
    with services.serving(own) as running:
        issued = own.issue(key="ec:p256", services=running.url)
        path = stamped(running, letter, "b-b", issued)
    with services.serving(own, mode, delay=20 if mode == "slow" else 0.2) as running:
        moved = own.issue(key="ec:p256", services=running.url)
        running_path = letter.with_name("moved.pdf")
        sign.sign(letter, running_path, signer_of(moved))
        online = Online(patience=0.5, named=[running.url])
        began = time.monotonic()
        found = judged(running, running_path, crls=own.crls[:1], network=online)
        assert time.monotonic() - began < 10
    assert (found.verdict, words(found)["revocation"]) == ("indeterminate", "not-checked")
    (check,) = [each for each in found.signatures[0].checks if each.id == "revocation"]
    assert running.url in check.detail
    with services.unreachable():
        assert judged(running, path, crls=own.crls[:1], network=Online(patience=1)).verdict == "indeterminate"


def test_the_command_asks_over_the_network_and_names_every_request(
    fieldkit: Run, home: Home, running: SampleServices, letter: Path
) -> None:
    own = running.authority
    path = stamped(running, letter, "b-b", own.issue(key="ec:p256", services=running.url))
    given = ("verify", path, "--alone", "--trust", own.root_path, "--crl", own.crl_paths[0])
    offline, inside = fieldkit(*given, "--json"), fieldkit(*given, "--network", "--json")
    assert running.asked == []
    assert (inside.status, inside.result["verdict"]) == (1, "indeterminate")
    assert "inside" in inside.result["requests"][0]["outcome"]
    services = (shipped("profiles") / "services.yaml").read_text()
    home.profiles.mkdir(parents=True, exist_ok=True)
    named = services.replace("kind: ocsp\n", f"kind: ocsp\n    url: {running.url}\n")
    (home.profiles / "services.yaml").write_text(named)
    asked = fieldkit(*given, "--network", "--json")
    assert (offline.status, asked.status) == (1, 0), asked.out
    assert [each["url"] for each in asked.result["requests"]][:1] == [running.ocsp]
    assert "Asked: " + running.ocsp in fieldkit(*given, "--network").out


def test_a_certificate_has_four_addresses_asked_and_one_deadline(pki: Pki) -> None:
    with quiet_server() as (url, asked):
        signer = pki.signer(services=tuple(f"{url}/{number}" for number in range(9)))
        certificate, issuer = certificates((signer.certificate, *signer.chain))
        online = Online(named=[url])
        online.revocation(certificate, trust(pki.anchors, (issuer.dump(),)))
    assert len(asked) == 4
    assert {each.outcome for each in online.asked[4:9]} == {
        "not asked: the certificate names too many addresses"
    }


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/x", "file:///etc/hostname", "http://127.0.0.1:9/"])
def test_a_redirect_leads_nowhere_that_was_not_allowed_by_itself(target: str, pki: Pki) -> None:
    with quiet_server(target) as (url, asked):
        signer = pki.signer(services=url)
        (certificate,) = certificates((signer.certificate,))
        online = Online(named=[url])
        online.revocation(certificate, trust(pki.anchors, signer.chain))
    assert len(asked) == 1
    assert all(each.outcome != "ok" for each in online.asked)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("203.162.4.190", True),
        ("2001:ee0:1::1", True),
    ],
)
def test_which_addresses_are_of_the_open_network(address: str, good: bool) -> None:
    assert opener.public(address) == good


@contextlib.contextmanager
def quiet_server(redirect: str = "") -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that knows nothing, or sends elsewhere; its address, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302 if redirect else 404)
            if redirect:
                self.send_header("Location", redirect)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
