"""OpenSSL, asked as a client, agrees with what the sample authority's services answer."""

from __future__ import annotations

import http.client
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fieldkit.certificate.files import pem
from fieldkit.sample.authority import SampleAuthority
from tests import services
from tests.issuing import expired, revoked
from tests.services import SampleServices, Stamps, Statuses


@pytest.fixture
def running(own: SampleAuthority) -> Iterator[SampleServices]:
    """The services of the test's own authority."""
    with services.serving(own) as found:
        yield found


def fetched(url: str, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(url, body, timeout=10) as answer:
        return bytes(answer.read())


def ocsp_says(running: SampleServices, certificate: bytes, folder: Path) -> str:
    path = folder / "asked.pem"
    path.write_bytes(pem(certificate))
    own = running.authority
    command = ["openssl", "ocsp", "-issuer", own.issuing_path, "-cert", path, "-url", running.ocsp]
    command += ["-CAfile", own.root_path, "-verify_other", own.issuing_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert "Response verify OK" in done.stderr
    return done.stdout + done.stderr


def test_a_timestamp_verifies_with_openssl(running: SampleServices, tmp_path: Path) -> None:
    data, query, reply = tmp_path / "data", tmp_path / "query", tmp_path / "reply"
    data.write_text("Văn bản mẫu")
    subprocess.run(
        ["openssl", "ts", "-query", "-data", data, "-sha256", "-cert", "-out", query],
        check=True,
        capture_output=True,
    )
    reply.write_bytes(fetched(running.tsa, query.read_bytes()))
    own = running.authority
    verify = ["openssl", "ts", "-verify", "-queryfile", query, "-in", reply]
    done = subprocess.run(
        [*verify, "-CAfile", own.root_path, "-untrusted", own.issuing_path], capture_output=True, text=True
    )
    assert "Verification: OK" in done.stdout


def test_its_clock_can_be_wrong(running: SampleServices) -> None:
    from asn1crypto import tsp

    running.clock = timedelta(hours=3)
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": bytes(32)}
    query = tsp.TimeStampReq({"version": 1, "message_imprint": imprint})
    reply = tsp.TimeStampResp.load(fetched(running.tsa, query.dump()))
    stamped = reply["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed["gen_time"].native
    assert stamped.timestamp() - time.time() > 10_000


def test_ocsp_knows_the_good_and_the_revoked(running: SampleServices, tmp_path: Path) -> None:
    own = running.authority
    assert ": good" in ocsp_says(running, own.issue(key="ec:p256").certificate, tmp_path)
    assert ": revoked" in ocsp_says(running, revoked(own, key="ec:p256").certificate, tmp_path)


def test_lists_and_certificates_are_served_as_they_are_now(running: SampleServices) -> None:
    own = running.authority
    revoked(own, key="ec:p256")
    assert fetched(running.crl) == own.crls[1]
    assert fetched(f"{running.url}/root.crl") == own.crls[0]
    assert fetched(f"{running.url}/issuing.crt") == own.issuing


def test_certificates_name_the_services_they_were_issued_with(running: SampleServices) -> None:
    from cryptography import x509

    issued = running.authority.issue(key="ec:p256", services=running.url)
    held = x509.load_der_x509_certificate(issued.certificate)
    (point,) = held.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name is not None
    assert fetched(point.full_name[0].value) == running.authority.crls[1]


def test_a_captive_network_answers_with_a_page(running: SampleServices) -> None:
    running.mode = "captive"
    assert b"<html" in fetched(running.crl).lower() or b"<!doctype html>" in fetched(running.crl)


def test_out_of_order_is_a_server_error(running: SampleServices) -> None:
    running.mode = "failing"
    with pytest.raises(urllib.error.HTTPError) as raised:
        fetched(running.tsa, b"x")
    assert raised.value.code == 500


def test_a_wrong_query_is_refused_and_the_services_go_on(running: SampleServices) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        fetched(running.tsa, b"junk")
    assert raised.value.code == 400
    assert fetched(running.crl)


def test_slow_is_slow(own: SampleAuthority) -> None:
    with services.serving(own, "slow", delay=0.3) as running:
        began = time.monotonic()
        fetched(running.crl)
        assert time.monotonic() - began >= 0.3


def test_nothing_listens_where_nothing_is_to_be_reached() -> None:
    with services.unreachable() as url, pytest.raises(urllib.error.URLError):
        fetched(url)


def queried(running: SampleServices, folder: Path) -> str:
    """What `openssl ts -verify` says of an answer to its own query."""
    data, query, reply = folder / "data", folder / "query", folder / "reply"
    data.write_text("Văn bản mẫu")
    ask = ["openssl", "ts", "-query", "-data", data, "-sha256", "-cert", "-out", query]
    subprocess.run(ask, check=True, capture_output=True)
    reply.write_bytes(fetched(running.tsa, query.read_bytes()))
    own = running.authority
    verify = ["openssl", "ts", "-verify", "-queryfile", query, "-in", reply, "-CAfile", own.root_path]
    done = subprocess.run([*verify, "-untrusted", own.issuing_path], capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize("stamps", ["other-data", "other-nonce", "refused", "junk"])
def test_openssl_refuses_the_timestamps_that_are_meant_to_be_wrong(
    stamps: Stamps, running: SampleServices, tmp_path: Path
) -> None:
    assert "Verification: OK" in queried(running, tmp_path)
    running.stamps = stamps
    assert "Verification: OK" not in queried(running, tmp_path)


def test_timestamps_come_from_whoever_is_named(running: SampleServices, tmp_path: Path) -> None:
    own = running.authority
    running.stamper = own.issue(purposes=("timestamp",), usage=("digital_signature",))
    assert "Verification: OK" in queried(running, tmp_path)
    running.stamper = expired(own, purposes=("timestamp",), usage=("digital_signature",))
    assert "certificate has expired" in queried(running, tmp_path)


@pytest.mark.parametrize(("statuses", "said"), [("stale", "Status times invalid"), ("unknown", ": unknown")])
def test_openssl_finds_nothing_settled_by_ocsp_answers_that_are_meant_to_be_wrong(
    statuses: Statuses, said: str, running: SampleServices, tmp_path: Path
) -> None:
    running.statuses = statuses
    assert (
        said.lower()
        in ocsp_says(running, running.authority.issue(key="ec:p256").certificate, tmp_path).lower()
    )


def test_an_answer_that_is_cut_is_shorter_than_announced(running: SampleServices) -> None:
    running.mode = "cut"
    with pytest.raises(http.client.IncompleteRead):
        fetched(running.crl)


def test_an_answer_that_drips_ends_with_the_services(own: SampleAuthority) -> None:
    with services.serving(own, "dripping", delay=30) as running:
        began = time.monotonic()
        with pytest.raises(TimeoutError), urllib.request.urlopen(running.crl, timeout=0.3) as answer:
            answer.read()
    assert time.monotonic() - began < 20  # not 30 seconds a byte
