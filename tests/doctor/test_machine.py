"""Looking at the machine: all at once, each with its deadline, and each trap named."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fieldkit.doctor import clock, disk, modules, preflight, services, system, terminal
from fieldkit.doctor.probe import Probe, Subject, examine
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.text import M


def told(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.id, finding.severity) for finding in findings]


def sleeper(name: str, seconds: float, deadline: float) -> Probe:
    def look(subject: Subject) -> Iterable[Finding]:
        time.sleep(seconds)
        yield Finding(name, "pass", M("Done."))

    return Probe(name, look, deadline)


def test_probes_run_at_once_and_nobody_waits_longer_than_the_slowest_deadline(home: Home) -> None:
    probes = [
        sleeper("quick", 0, 1),
        sleeper("slow", 0.2, 1),
        sleeper("hung", 60, 0.5),
        sleeper("stuck", 60, 0.4),
    ]
    begun = time.monotonic()
    findings = examine(Subject(home), probes)
    assert time.monotonic() - begun < 0.7
    assert told(findings) == [
        ("quick", "pass"),
        ("slow", "pass"),
        ("stuck", "not-checked"),
        ("hung", "not-checked"),
    ]
    assert all(finding.hint for finding in findings if finding.severity == "not-checked")


def test_findings_are_told_as_they_come(home: Home) -> None:
    times: list[float] = []
    begun = time.monotonic()
    examine(
        Subject(home),
        [sleeper("a", 0, 1), sleeper("b", 0.3, 1)],
        lambda f: times.append(time.monotonic() - begun),
    )
    assert times[0] < 0.2 < 0.3 <= times[1]


def test_a_probe_that_breaks_does_not_hide_the_others(home: Home) -> None:
    def broken(subject: Subject) -> Iterable[Finding]:
        yield Finding("broken", "info", M("So far."))
        raise RuntimeError("no more")

    findings = examine(Subject(home), [Probe("broken", broken), sleeper("fine", 0.1, 1)])
    assert told(findings) == [("broken", "info"), ("broken", "not-checked"), ("fine", "pass")]


def test_every_look_at_this_machine_gives_a_finding_in_time(home: Home) -> None:
    subject = Subject(home, dict(os.environ))
    probes = preflight.probes(subject)
    begun = time.monotonic()
    findings = examine(subject, probes)
    assert time.monotonic() - begun < max(probe.deadline for probe in probes)
    seen = {finding.id for finding in findings}
    assert {
        "system",
        "python",
        "rights",
        "clock",
        "disk",
        "home",
        "reader-service",
        "validator-pdfsig",
    } <= seen
    assert "{" not in "".join(f"{finding.message}{finding.hint}" for finding in findings)


def test_a_clock_behind_the_journal_is_a_fault(home: Home) -> None:
    ahead = datetime.now(UTC) + timedelta(days=2)
    assert told(clock.sane(Subject(home, last_entry=lambda: ahead))) == [("clock", "fail")]
    assert told(clock.sane(Subject(home, last_entry=lambda: datetime.now(UTC)))) == [("clock", "pass")]


def test_a_clock_that_no_time_server_confirmed_is_not_checked(home: Home) -> None:
    assert told(clock.network(Subject(home))) == [("clock-network", "not-checked")]


def test_a_home_that_cannot_be_written_is_a_fault(home: Home, tmp_path: Path) -> None:
    home.path.mkdir()
    if os.geteuid():
        home.path.chmod(0o500)
        assert told(disk.home(Subject(home))) == [("home", "fail")]
        return
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(home.path)], capture_output=True
    ).returncode:
        pytest.skip("this root may not mount")
    try:
        (finding,) = disk.home(Subject(home))
    finally:
        subprocess.run(["umount", str(home.path)], check=True)
    assert finding.severity == "fail"
    assert "read-only" in str(finding.message)


def test_a_full_disk_is_a_fault(home: Home) -> None:
    if os.geteuid():
        pytest.skip("needs root, to mount a small disk")
    home.path.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(home.path)], capture_output=True
    ).returncode:
        pytest.skip("this root may not mount")
    try:
        (home.path / "photograph").write_bytes(bytes(1024 * 1024))
        findings = [*disk.space(Subject(home)), *disk.home(Subject(home))]
    finally:
        subprocess.run(["umount", str(home.path)], check=True)
    assert told(findings) == [("disk", "fail"), ("home", "fail")]


def test_a_home_that_others_can_look_into_is_warned_of(home: Home) -> None:
    home.path.mkdir(mode=0o755)
    home.path.chmod(0o755)
    assert told(disk.home(Subject(home))) == [("home", "warning")]
    home.path.chmod(0o700)
    assert told(disk.home(Subject(home))) == [("home", "pass")]


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({"TERM": "xterm"}, 16),
        ({"TERM": "xterm-256color"}, 256),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, 2**24),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, 0),
        ({"TERM": "dumb"}, 0),
    ],
)
def test_colours_are_read_from_the_variables(variables: dict[str, str], count: int) -> None:
    assert terminal.colour_count(variables) == count


def test_a_line_through_ssh_and_tmux_is_told(home: Home) -> None:
    (finding,) = terminal.link(Subject(home, {"SSH_CONNECTION": "a b c d", "TMUX": "x"}))
    assert "tmux, SSH" in str(finding.message)


def test_a_module_named_that_is_not_there_is_a_fault(home: Home) -> None:
    assert told(modules.probe_modules(Subject(home, modules=("/nowhere.so",))))[0] == ("modules", "fail")


def test_the_system_is_told_by_its_name(home: Home) -> None:
    (finding,) = system.operating_system(Subject(home))
    assert finding.severity in ("pass", "info", "warning")


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.answer(self)  # type: ignore[attr-defined]

    do_HEAD = do_GET

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[http.server.ThreadingHTTPServer]:
    """A web server on this machine; what it answers is set by the test."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def address(site: http.server.ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{site.server_address[1]}/"


def test_a_service_that_answers_is_timed_stage_by_stage(site: http.server.ThreadingHTTPServer) -> None:
    site.answer = lambda request: request.send_error(404)  # type: ignore[attr-defined]
    reached = services.reach(address(site))
    assert (reached.failed, reached.status, reached.portal) == ("", 404, "")
    assert list(reached.times) == ["name", "connection", "answer"]


def test_a_login_page_that_answers_everything_is_seen_through(site: http.server.ThreadingHTTPServer) -> None:
    def login(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        request.end_headers()
        request.wfile.write(b"<html>Welcome to the hotel</html>")

    site.answer = login  # type: ignore[attr-defined]
    assert services.reach(address(site)).portal


def test_a_login_page_that_sends_one_elsewhere_is_seen_through(site: http.server.ThreadingHTTPServer) -> None:
    def elsewhere(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", "http://login.hotel.example/")
        request.end_headers()

    site.answer = elsewhere  # type: ignore[attr-defined]
    assert services.reach(address(site)).portal == "login.hotel.example"


def test_what_does_not_connect_resolve_or_speak_tls_is_told_apart(
    site: http.server.ThreadingHTTPServer,
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert services.reach(f"http://127.0.0.1:{closed.getsockname()[1]}/").failed == "connection"
    assert services.reach("http://no-such-host.invalid/").failed == "name"
    assert services.reach(address(site).replace("http:", "https:")).failed == "tls"
