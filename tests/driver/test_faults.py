"""What goes wrong while a driver is installed, made to go wrong for real on a machine of its own."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.home import shipped
from tests.driver.conftest import SIMPLE, SIMPLE_MODULE
from tests.driver.machine import Machine

LIBRARY = Path("/usr/lib/softhsm/libsofthsm2.so")
NAME = "fieldkit-sample-driver"
MODULE = f"/usr/share/{NAME}/module.so"

Build = Callable[..., Path]


@pytest.fixture
def deb(package: Build, machine: Machine) -> Build:
    """Builds a driver's .deb with a module that loads, into the folder the machine shares."""

    def build(name: str = NAME, **more: object) -> Path:
        made = package(name, payload=LIBRARY if LIBRARY.exists() else None, **more)
        return made.rename(machine.folder / made.name)

    return build


def test_a_driver_from_a_kit_is_installed_proved_and_its_copies_are_cleared_away(
    machine: Machine, deb: Build
) -> None:
    path = deb()
    outcome = machine.bring(packages=[NAME], module=MODULE, files=[str(path)], network=False)
    assert (outcome["verdict"], outcome["facts"]["installed"]) == ("pass", "now")
    assert path.stat().st_size in outcome["progress"]  # bytes while it is copied, then apt's own shares
    assert 200 in outcome["progress"]
    assert any("SHA-256" in step for step in outcome["steps"])
    log = Path(outcome["log"]).read_text()
    assert [line.split("$ ", 1)[1] for line in log.splitlines() if "] $ " in line] == outcome["commands"]
    assert not list((machine.folder / "home" / "drivers").rglob("*.deb"))


def test_what_a_packages_scripts_say_does_not_fail_them_and_is_in_the_log(
    machine: Machine, deb: Build
) -> None:
    talking = deb(postinst="set -e; echo said in passing; echo complained in passing >&2")
    outcome = machine.bring(packages=[NAME], module=MODULE, files=[str(talking)])
    assert outcome.get("verdict") == "pass", outcome
    log = Path(outcome["log"]).read_text()
    assert "said in passing" in log
    assert "complained in passing" in log


def test_a_corrupt_package_is_told_and_leaves_nothing(machine: Machine, deb: Build) -> None:
    path = deb()
    path.write_bytes(path.read_bytes()[:-2500])
    outcome = machine.bring(packages=[NAME], module=MODULE, files=[str(path)])
    assert outcome["error"]["code"] == "package-damaged"
    assert machine.state(NAME) == ""


def test_a_makers_file_with_a_wrong_hash_is_never_run(machine: Machine, deb: Build) -> None:
    path = deb()
    file = {"file": path.name, "sha256": "0" * 64, "architecture": "any"}
    outcome = machine.bring(file={"deb": file}, module=MODULE, files=[str(path)])
    assert outcome["error"]["code"] == "hash-wrong"
    assert outcome["commands"] == []
    assert machine.state(NAME) == ""


def test_a_makers_file_with_the_right_hash_is_installed(machine: Machine, deb: Build) -> None:
    path = deb()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = {"file": path.name, "sha256": digest, "architecture": "any", "publisher": "Sample"}
    outcome = machine.bring(file={"deb": file}, module=MODULE, files=[str(path)])
    assert outcome["verdict"] == "pass"
    assert any("published" in step for step in outcome["steps"])  # nobody signs a .deb: that is said


@pytest.mark.parametrize("way", ["apt", "maker"])
def test_a_package_of_another_architecture_is_told_as_such(machine: Machine, deb: Build, way: str) -> None:
    path = deb(architecture="riscv64")
    if way == "apt":
        outcome = machine.bring(packages=[NAME], module=MODULE, files=[str(path)])
    else:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        file = {"file": path.name, "sha256": digest, "architecture": "any"}
        outcome = machine.bring(file={"deb": file}, module=MODULE, files=[str(path)])
    assert outcome["error"]["code"] == "package-foreign"
    assert "riscv64" in outcome["error"]["message"]
    assert "?" not in outcome["error"]["message"]


def test_another_installer_at_work_is_named(machine: Machine, deb: Build) -> None:
    hold = (
        "import fcntl, time; lock = open('/var/lib/dpkg/lock-frontend', 'w'); "
        "fcntl.lockf(lock, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(machine.command(sys.executable, "-c", hold), stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        outcome = machine.bring(packages=[NAME], module=MODULE, files=[str(deb())], impatient=True)
    finally:
        holder.kill()
        holder.wait()
    assert outcome["error"]["code"] == "installer-busy"
    assert any(digit.isdigit() for digit in outcome["error"]["message"])
    assert machine.state(NAME) == ""


def test_an_installation_broken_off_earlier_is_finished_first(machine: Machine, deb: Build) -> None:
    broken = deb("fieldkit-sample-broken", postinst="[ -e /once ] || { touch /once; kill -9 $PPID; }")
    machine.run("dpkg", "--install", broken)
    assert machine.state("fieldkit-sample-broken") != "ii"
    assert machine.run("sh", "-c", "ls /var/lib/dpkg/updates").stdout.strip()
    outcome = machine.bring(packages=[NAME], module=MODULE, files=[str(deb())])
    assert outcome["verdict"] == "pass", outcome
    assert "dpkg --configure -a" in outcome["commands"][0]
    assert machine.state("fieldkit-sample-broken") == "ii"


@pytest.mark.machine_size("48m")
def test_a_full_disk_is_told_and_what_was_unpacked_goes_again(machine: Machine, deb: Build) -> None:
    machine.run("sh", "-c", "dd if=/dev/zero of=/filler bs=1M count=40")
    path = deb(size=12_000_000)
    outcome = machine.bring(packages=[NAME], module=MODULE, files=[str(path)])
    assert outcome["error"]["code"] == "no-space", outcome
    assert outcome["error"].get("remains", []) == []
    assert machine.state(NAME) == ""


def test_without_a_network_the_kit_is_pointed_to(connected: Machine) -> None:
    connected.run("sh", "-c", "apt-get clean; echo 'Acquire::Retries 0;' > /etc/apt/apt.conf.d/99-hasty")
    outcome = connected.bring(packages=[SIMPLE], module=SIMPLE_MODULE, network=False)
    assert outcome["error"]["code"] == "no-network", outcome
    assert "--kit" in outcome["error"]["hint"]
    assert connected.state(SIMPLE) == ""


class LoginPage(http.server.BaseHTTPRequestHandler):
    """Answers 200 with a page to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        page = b"<html>Welcome to the hotel</html>"
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_login_page_in_the_package_sources_place_is_seen_through(machine: Machine) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), LoginPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = f"deb http://127.0.0.1:{server.server_address[1]}/debian stable main"
        machine.run("sh", "-c", f"rm -rf /etc/apt/sources.list.d/*; echo '{source}' > /etc/apt/sources.list")
        outcome = machine.bring(packages=[SIMPLE], module=SIMPLE_MODULE)
        server.shutdown()
    assert outcome["error"]["code"] == "no-network", outcome
    assert "login page" in outcome["error"]["message"]
    assert machine.state(SIMPLE) == ""


def test_a_stick_pulled_while_its_files_are_copied_leaves_nothing(machine: Machine, deb: Build) -> None:
    path = deb()
    outcome = machine.bring(packages=[NAME], module=MODULE, files=[str(path)], swap=str(path))
    assert outcome["error"]["code"] == "package-unreadable"
    assert machine.state(NAME) == ""
    assert not list((machine.folder / "home" / "drivers").rglob("*.*"))


def test_a_failed_installation_is_rolled_back_and_its_log_is_kept(machine: Machine, deb: Build) -> None:
    part, bad = deb("fieldkit-sample-part"), deb(depends="fieldkit-sample-part", postinst="exit 1")
    outcome = machine.bring(packages=[NAME], module=MODULE, files=[str(part), str(bad)])
    error = outcome["error"]
    assert (error["code"], error["remains"]) == ("install-failed", [])
    assert "removed again" in error["unchanged"]
    assert NAME in error["unchanged"]
    assert "fieldkit-sample-part" in error["unchanged"]
    assert {machine.state(NAME), machine.state("fieldkit-sample-part")} == {""}
    assert Path(error["log"]).read_text().count("] $ ") == 2


@pytest.mark.soak
def test_what_cannot_be_rolled_back_is_named(machine: Machine, deb: Build) -> None:
    stubborn = deb(postinst="exit 1", prerm="exit 1", postrm="exit 1")
    error = machine.bring(packages=[NAME], module=MODULE, files=[str(stubborn)])["error"]
    assert error["remains"] == [NAME]
    assert NAME in error["unchanged"]
    assert machine.state(NAME) != ""


@pytest.mark.soak
def test_settings_that_an_earlier_removal_left_survive_a_rollback(machine: Machine, deb: Build) -> None:
    good = deb(conffile="/etc/fieldkit-sample.conf")
    assert machine.run("dpkg", "--install", good).returncode == 0
    machine.run("dpkg", "--remove", NAME)
    assert machine.state(NAME) == "rc"
    bad = deb(version="2.0", conffile="/etc/fieldkit-sample.conf", postinst="exit 1")
    error = machine.bring(packages=[NAME], module=MODULE, files=[str(bad)])["error"]
    assert error["remains"] == []
    assert machine.state(NAME) == "rc"
    assert machine.run("cat", "/etc/fieldkit-sample.conf").returncode == 0


@pytest.mark.soak
def test_an_upgrade_that_fails_is_named_and_the_package_is_not_taken_away(
    machine: Machine, deb: Build
) -> None:
    assert machine.run("dpkg", "--install", deb("fieldkit-sample-part")).returncode == 0
    newer = deb("fieldkit-sample-part", version="2.0", postinst="exit 1")
    driver = deb(depends="fieldkit-sample-part (>= 2.0)")
    error = machine.bring(
        packages=[NAME, "fieldkit-sample-part"],
        least={"fieldkit-sample-part": "2.0"},
        module=MODULE,
        files=[str(newer), str(driver)],
    )["error"]
    assert "fieldkit-sample-part" in error["remains"]
    assert machine.state("fieldkit-sample-part") not in ("", "rc")


@pytest.mark.soak
def test_breaking_off_waits_for_dpkg_and_leaves_the_machine_as_it_was(machine: Machine, deb: Build) -> None:
    slow = deb(postinst="sleep 1")
    outcome = machine.bring(packages=[NAME], module=MODULE, files=[str(slow)], stop_at=100)
    assert outcome.get("cancelled"), outcome
    assert any(line.startswith("driver-undone info") for line in outcome["findings"])
    assert machine.state(NAME) == ""


@pytest.mark.soak
def test_a_module_that_does_not_load_is_no_driver_and_goes_again(machine: Machine, deb: Build) -> None:
    outcome = machine.bring(packages=[NAME], module=f"/usr/share/{NAME}/payload", files=[str(deb())])
    assert outcome["error"]["code"] == "module-unproved"
    assert machine.state(NAME) == ""


def test_a_driver_is_planned_agreed_to_and_installed_from_the_network(connected: Machine) -> None:
    folder = connected.folder / "home" / "profiles" / "tokens"
    folder.mkdir(parents=True)
    (folder / "trial.yaml").write_text(
        "id: trial\ntitle: {vi: Thử, en: Trial}\nknown: hypothesis\nmodules: {}\n"
        "pin_policy: {min: 4, max: 8}\ndriver:\n  needs_reader: false\n  shown: module\n"
        f"  apt: [{{packages: [{SIMPLE}], module: {SIMPLE_MODULE}}}]\n"
    )
    planned = connected.fieldkit("driver", "plan", "trial", "--json").result
    refused = connected.fieldkit("driver", "install", "trial", "--json")
    assert (refused.status, refused.error["code"]) == (3, "not-consented")
    assert connected.state(SIMPLE) == ""

    done = connected.fieldkit("driver", "install", "trial", "--yes", "--json").result
    assert (done["installed"], done["module"], done["verdict"]) == ("now", SIMPLE_MODULE, "pass")
    assert planned["commands"][0] in Path(done["log"]).read_text()
    again = connected.fieldkit("driver", "install", "trial", "--json").result  # nothing to agree to
    assert again["installed"] == "already"


def test_in_a_visit_a_failed_installation_is_evidence_with_its_log(machine: Machine, deb: Build) -> None:
    bad = deb(postinst="echo about to fail; exit 1")
    digest, size = hashlib.sha256(bad.read_bytes()).hexdigest(), bad.stat().st_size
    fields = machine.run("dpkg-deb", "--field", bad).stdout
    (machine.folder / "Packages").write_text(
        f"{fields.rstrip()}\nFilename: ./{bad.name}\nSize: {size}\nSHA256: {digest}\n"
    )
    source = "deb [trusted=yes] file:/srv/trial ./"
    machine.run("sh", "-c", f"rm -rf /etc/apt/sources.list.d/*; echo '{source}' > /etc/apt/sources.list")
    machine.run("sh", "-c", f"mkdir -p /srv/trial && cp {bad} {machine.folder}/Packages /srv/trial")
    profile = (shipped("profiles") / "tokens" / "softhsm2.yaml").read_text("utf-8")
    tokens = machine.folder / "home" / "profiles" / "tokens"
    tokens.mkdir(parents=True)
    (tokens / "softhsm2.yaml").write_text(
        profile.replace("packages: [softhsm2]", f"packages: [{NAME}]").replace("{softhsm2: 2.6.1}", "{}"),
        encoding="utf-8",
    )
    start = ("visit", "start", "--bureau", "MAU-01", "--checklist", "handover", "--json")
    visit = machine.fieldkit(*start).result["visit"]

    machine.fieldkit("visit", "run", visit, "driver_install", "--yes", network=False)

    evidence = machine.fieldkit("visit", "show", visit, "--json").result["evidence"]["driver_install"]
    assert (evidence["verdict"], evidence["facts"]["error"]) == ("fail", "install-failed")
    kept = machine.folder / "home" / "store" / "attachments"
    assert any(b"about to fail" in path.read_bytes() for path in kept.rglob("*") if path.is_file())
    assert machine.state(NAME) == ""
