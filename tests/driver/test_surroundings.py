"""What lies around the machine: services, proxies, the time others tell, roots, revocation lists, fonts."""

from __future__ import annotations

import datetime
import socket
import struct
import threading
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from fieldkit.doctor import clock, fonts, services, trust
from fieldkit.doctor.probe import Subject
from fieldkit.finding import Finding
from fieldkit.home import PACKAGE, Home
from fieldkit.profile.load import load
from fieldkit.profile.model import Authority, Endpoint, Service
from fieldkit.sample import authority
from fieldkit.sample.authority import SampleAuthority
from fieldkit.text import Words
from tests.services import SampleServices, serving, unreachable

FONT = (PACKAGE / "record" / "fonts" / "Tinos-Regular.ttf").read_bytes()


@pytest.fixture
def own(tmp_path: Path) -> SampleAuthority:
    """A sample authority of the test's own."""
    return authority.create(tmp_path / "own", key="ec:p256")


@pytest.fixture
def running(own: SampleAuthority) -> Iterator[SampleServices]:
    """Its services, on loopback."""
    with serving(own) as sample_services:
        yield sample_services


def subject(home: Home, url: str, kind: str = "tsa", required: bool = False) -> Subject:
    """This machine, with one service and the sample authority alone."""
    profiles = load(home)
    service = Service("one", kind, Words("Dịch vụ", "Service"), url, required)  # type: ignore[arg-type]
    plan = msgspec.structs.replace(
        profiles.plan,
        bureaus=tuple(bureau for bureau in profiles.plan.bureaus if bureau.authority == "sample"),
    )
    return Subject(home, {}, msgspec.structs.replace(profiles, services=(service,), plan=plan))


def only(findings: Iterator[Finding] | list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def looked(seen: Subject) -> Finding:
    (probe,) = services.probes(seen.profiles)
    return only(list(probe.look(seen)))


def test_a_timestamp_authority_tells_the_time_and_the_clock_agrees(
    home: Home, running: SampleServices
) -> None:
    finding = only(list(clock.network(subject(home, running.tsa))))
    assert finding.severity == "pass"
    assert "timestamp" in finding.detail


@pytest.mark.parametrize("apart", [timedelta(hours=1), -timedelta(days=400)])
def test_a_clock_that_a_timestamp_contradicts_is_a_fault(
    home: Home, running: SampleServices, apart: timedelta
) -> None:
    running.clock = apart
    finding = only(list(clock.network(subject(home, running.tsa))))
    assert finding.severity == "fail"
    assert finding.hint is not None


def test_a_slow_answer_does_not_make_a_right_clock_wrong() -> None:
    before = datetime.datetime.now(UTC)
    moment = before + timedelta(minutes=3)
    assert clock.compared(moment, before, before + timedelta(minutes=5), "x").severity == "pass"
    assert clock.compared(moment, before, before, "x").severity == "fail"


@pytest.mark.parametrize("kind", ["tsa", "ocsp", "crl"])
def test_a_service_that_works_is_timed(home: Home, running: SampleServices, kind: str) -> None:
    finding = looked(subject(home, getattr(running, kind), kind))
    assert finding.severity == "pass", finding
    assert "name " in finding.detail
    assert "answer " in finding.detail


@pytest.mark.parametrize(("required", "severity"), [(True, "fail"), (False, "warning")])
def test_a_login_page_in_a_services_place_is_seen_through(
    home: Home, running: SampleServices, required: bool, severity: str
) -> None:
    running.mode = "captive"
    finding = looked(subject(home, running.tsa, required=required))
    assert finding.severity == severity
    assert "login page" in str(finding.message)


def test_a_service_that_does_not_listen_is_told_with_the_stage_it_failed_at(home: Home) -> None:
    with unreachable() as url:
        finding = looked(subject(home, url, required=True))
    assert finding.severity == "fail"
    assert "no connection" in str(finding.message)


def test_a_service_left_open_is_looked_for_at_the_authoritys_address(
    home: Home, running: SampleServices
) -> None:
    seen = subject(home, "", "tsa")
    assert seen.profiles is not None
    issuer = Authority("sample", Words("Mẫu", "Sample"), tsa=(Endpoint(running.tsa), Endpoint(running.url)))
    profiles = msgspec.structs.replace(seen.profiles, authorities={"sample": issuer})
    assert [target.url for target in services.targets(profiles)] == [running.tsa, running.url]


def test_a_service_without_any_address_is_not_checked_and_says_where_it_goes(home: Home) -> None:
    finding = looked(subject(home, "", "portal"))
    assert finding.severity == "not-checked"
    assert str(home.profiles) in str(finding.hint)


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that passes one CONNECT on, and the request lines it was sent."""
    heard: list[str] = []
    door = socket.create_server(("127.0.0.1", 0))

    def pump(one: socket.socket, other: socket.socket) -> None:
        while block := one.recv(65536):
            other.sendall(block)

    def serve() -> None:
        link, _ = door.accept()
        head = b""
        while b"\r\n\r\n" not in head:
            head += link.recv(4096)
        heard.append(head.decode())
        line = head.split(b" ")
        if line[0] == b"CONNECT":
            link.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        else:
            host, port = line[1].split(b"/")[2].split(b":")
            with socket.create_connection((host.decode(), int(port))) as far:
                far.sendall(head)
                pump(far, link)
        link.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://somebody:secret@127.0.0.1:{door.getsockname()[1]}", heard
    door.close()


def test_through_a_proxy_the_service_is_reached_and_no_password_is_sent_or_told(
    proxy: tuple[str, list[str]], running: SampleServices
) -> None:
    address, heard = proxy
    reached = services.reach(running.tsa, address)
    assert (reached.failed, reached.portal) == ("", "")
    assert reached.proxy == address.rpartition("@")[2]
    assert "secret" not in "".join(heard)
    assert heard[0].startswith("GET http://127.0.0.1:")


def test_a_proxy_that_refuses_is_told_as_such(proxy: tuple[str, list[str]]) -> None:
    reached = services.reach("https://service.example/", proxy[0])
    assert reached.failed == "connection"
    assert "403" in reached.reason


def test_roots_and_fresh_lists_are_told_and_old_ones_warned_of(home: Home, own: SampleAuthority) -> None:
    seen = subject(home, "")
    assert {finding.severity for finding in trust.look(seen)} == {"info"}  # nothing is there yet
    own.install(home)
    findings = list(trust.look(seen))
    assert [(finding.id, finding.severity) for finding in findings] == [
        ("anchors", "pass"),
        ("crl", "pass"),
        ("crl", "pass"),
    ]


@pytest.mark.parametrize(
    ("since", "until", "severity", "words"),
    [
        (-30, -1, "warning", "ran out"),
        (-1, 1, "warning", "runs out"),
        (-1, 30, "pass", "fresh"),
        (3, 30, "warning", "later than now"),
    ],
)
def test_a_revocation_list_is_judged_by_its_own_dates(
    home: Home, own: SampleAuthority, since: int, until: int, severity: str, words: str
) -> None:
    seen = subject(home, "")
    folder = home.profiles / "authorities" / "sample"
    folder.mkdir(parents=True)
    now = datetime.datetime.now(UTC)
    dates = (now + timedelta(days=since), now + timedelta(days=until))
    (folder / "one.crl").write_bytes(own.renew_crl(this_update=dates[0], next_update=dates[1]))
    finding = next(finding for finding in trust.look(seen) if finding.id == "crl")
    assert (finding.severity, words in str(finding.message)) == (severity, True)


@given(some.binary(max_size=300))
def test_what_is_no_revocation_list_raises_nothing_but_what_is_said(data: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".crl") as file:
        file.write(data)
        file.flush()
        with pytest.raises(ValueError):
            trust.read(Path(file.name))


def test_the_fonts_have_every_vietnamese_letter() -> None:
    assert all(ord(letter) in fonts.covered(FONT) for letter in fonts.LETTERS)
    assert ord("中") not in fonts.covered(FONT)


@pytest.mark.parametrize("length", [0, 3, 11, 100, 5000, len(FONT) // 2])
def test_a_font_that_is_cut_short_is_known_as_damaged(length: int) -> None:
    with pytest.raises((struct.error, KeyError, IndexError)):
        fonts.covered(FONT[:length])
