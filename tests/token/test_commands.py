"""`fieldkit token` and `fieldkit certificate` as a technician types them: words, JSON, exit statuses."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fieldkit.certificate.files import pem
from fieldkit.home import Home, shipped
from tests.conftest import Ran, Run, clean_environment
from tests.token.conftest import PIN, SO_PIN, Contrary, inserted
from tests.token.piv import PivCard

if TYPE_CHECKING:
    from fieldkit.certificate.identity import Identity
    from fieldkit.token.agents import Agents

FINAL, TO_BE_CHANGED = 0x20000, 0x80000


class Desk:
    """A software token of the command line's own, and secrets in files."""

    def __init__(self, run: Run, folder: Path, module: str) -> None:
        self._run = run
        self._folder = folder
        self.module = module

    def secret(self, text: str) -> Path:
        path = self._folder / f"secret-{text}"
        path.write_text(text + "\n")
        return path

    def __call__(self, *arguments: str | Path, **more: str) -> Ran:
        return self._run(*arguments, "--json", "--module", self.module, **more)

    def ready(self) -> str:
        """The serial number of a token with PINs."""
        done = self(
            "token", "init", "--label", "Sample", "--yes",
            "--so-pin-file", self.secret(SO_PIN), "--pin-file", self.secret(PIN),
        )  # fmt: skip
        serial: str = done.result["serial"]
        return serial

    def token(self, serial: str) -> dict[str, Any]:
        found: dict[str, Any] = self("token", "show", serial).result
        return found


@pytest.fixture
def desk(fieldkit: Run, tmp_path: Path, softhsm_module: str) -> Desk:
    return Desk(fieldkit, tmp_path, softhsm_module)


@pytest.fixture
def contrary_desk(
    fieldkit: Run, home: Home, tmp_path: Path, contrary_library: Path, softhsm_module: str
) -> Desk:
    """Its module is known as one for trials; tokens that nobody knows would ask for strict PINs."""
    own = tmp_path / "libcontrary.so"
    own.write_bytes(contrary_library.read_bytes())
    own.chmod(0o755)
    desk = Desk(fieldkit, tmp_path, str(own))
    Contrary(own, softhsm_module)
    profile = home.profiles / "tokens" / "contrary.yaml"
    profile.parent.mkdir(parents=True)
    text = (
        (shipped("profiles") / "tokens" / "softhsm2.yaml").read_text().replace("id: softhsm2", "id: contrary")
    )
    profile.write_text(text.replace("/usr/lib/softhsm/libsofthsm2.so, known", f"{own}, known"))
    return desk


def behave(desk: Desk, *rules: str) -> None:
    path = Path(desk.module)
    backend = next(
        line for line in Path(desk.module + ".conf").read_text().splitlines() if line.startswith("backend")
    )
    Contrary(path, backend.split()[1]).behave(*rules)


def test_a_token_is_initialised_listed_and_shown_with_how_well_its_kind_is_known(desk: Desk) -> None:
    serial = desk.ready()
    listed = {each["serial"]: each for each in desk("token", "list").result}
    assert listed[serial]["pin_state"] == "ok"
    assert {"uri", "label", "model", "manufacturer", "module", "slot", "login_required"} <= set(
        listed[serial]
    )
    shown = desk.token(listed[serial]["uri"])
    assert shown["profile"]["id"] == "softhsm2"
    assert shown["profile"]["pin_policy"]["known"] == "confirmed"
    assert {"confirmed"} == {quirk["known"] for quirk in shown["profile"]["quirks"]}


def test_words_for_a_person_name_the_slot_and_how_well_each_fact_is_known(desk: Desk, fieldkit: Run) -> None:
    serial = desk.ready()
    assert "slot " in fieldkit("token", "list").out
    shown = fieldkit("token", "show", serial).out
    assert "confirmed: tried by this project" in shown


def test_nothing_is_initialised_unseen(desk: Desk) -> None:
    ran = desk("token", "init", "--label", "Sample", "--so-pin-file", desk.secret(SO_PIN))
    assert (ran.status, ran.error["code"]) == (3, "not-consented")
    assert any("empty token in slot" in line for line in ran.error["plan"])
    assert not any(listed["initialized"] for listed in desk("token", "list").result)


def test_two_empty_tokens_are_told_apart_by_the_slot(contrary_desk: Desk, desk: Desk) -> None:
    serial = desk.ready()
    used, *empty = sorted(desk("token", "list").result, key=lambda token: token["serial"] != serial)
    ran = desk(
        "token", "init", "--label", "Again", "--slot", str(used["slot"]), "--yes",
        "--so-pin-file", desk.secret("00000000"), "--pin-file", desk.secret("864209"),
    )  # fmt: skip
    assert (ran.status, ran.error["code"]) == (1, "pin-incorrect")
    assert "SO PIN" in ran.error["message"]
    assert empty
    assert not any(token["initialized"] for token in empty)
    assert desk.token(serial)["label"] == "Sample"


def test_a_pin_is_changed_and_rules_are_told_before_anything_is_sent(desk: Desk) -> None:
    serial = desk.ready()
    change = ("token", "change-pin", serial, "--yes", "--pin-file", desk.secret(PIN), "--new-pin-file")
    ran = desk(*change, desk.secret("123"))
    assert (ran.status, "characters" in ran.error["message"]) == (2, True)
    assert desk(*change, desk.secret("864209")).result["pin_state"] == "ok"
    wrong = desk(*change, desk.secret("975310"))
    assert (wrong.status, wrong.error["code"], wrong.error["left"]) == (1, "pin-incorrect", "low")
    assert PIN not in wrong.out + wrong.err


def test_a_forgotten_pin_is_set_anew_with_the_so_pin(desk: Desk) -> None:
    serial = desk.ready()
    unblock = ("token", "unblock", serial, "--yes", "--new-pin-file", desk.secret("864209"), "--so-pin-file")
    assert desk(*unblock, desk.secret("00000000")).error["code"] == "pin-incorrect"
    assert desk(*unblock, desk.secret(SO_PIN)).status == 0
    assert desk.token(serial)["pin_state"] == "ok"


def test_a_card_is_unblocked_with_its_puk(
    card: PivCard, card_agents: Agents, opensc: str, fieldkit: Run, tmp_path: Path
) -> None:
    token = inserted(card, card_agents)
    card.pin.left = 0
    desk = Desk(fieldkit, tmp_path, opensc)
    ran = desk(
        "token", "unblock", token.serial, "--yes",
        "--so-pin-file", desk.secret("13572468"), "--new-pin-file", desk.secret("864209"),
    )  # fmt: skip
    assert ran.status == 0, ran.out
    assert (card.pin.left, card.pin.value[:6]) == (3, b"864209")


def test_the_last_try_is_refused_with_exit_3_even_with_yes(contrary_desk: Desk) -> None:
    serial = contrary_desk.ready()
    behave(contrary_desk, f"set-flags {FINAL:x}", "print C_Login 0 LOGIN SEEN")
    ran = contrary_desk(
        "token", "change-pin", serial, "--yes",
        "--pin-file", contrary_desk.secret(PIN), "--new-pin-file", contrary_desk.secret("864209"),
    )  # fmt: skip
    assert (ran.status, ran.error["code"]) == (3, "pin-final-try")
    assert contrary_desk.token(serial)["pin_state"] == "final"


@pytest.mark.parametrize(("typed", "status"), [("serial", 0), ("something else", 3)])
def test_the_last_try_is_used_when_the_serial_number_was_typed(
    contrary_desk: Desk, home: Home, typed: str, status: int
) -> None:
    serial = contrary_desk.ready()
    behave(contrary_desk, f"set-flags {FINAL:x}")
    command = ("token", "change-pin", serial, "--yes", "--module", contrary_desk.module)
    command += ("--pin-file", str(contrary_desk.secret(PIN)))
    command += ("--new-pin-file", str(contrary_desk.secret("864209")))
    said, got = in_a_terminal(
        command, home, "type the token's serial number", serial if typed == "serial" else typed
    )
    assert got == status, said


def in_a_terminal(arguments: tuple[str, ...], home: Home, prompt: str, answer: str) -> tuple[str, int]:
    """Run the program in a terminal of its own; type `answer` when `prompt` has been said."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "fieldkit", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, env=clean_environment(home), start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said, answered = "", False
    while select.select([ours], [], [], 60)[0]:
        try:
            said += os.read(ours, 4096).decode()
        except OSError:
            break
        if prompt in said and not answered:
            answered = True
            os.write(ours, answer.encode() + b"\n")
    os.close(ours)
    return said, running.wait(60)


def test_a_delivery_pin_is_a_state_and_is_shown(contrary_desk: Desk) -> None:
    serial = contrary_desk.ready()
    behave(contrary_desk, f"set-flags {TO_BE_CHANGED:x}")
    assert contrary_desk.token(serial)["pin_state"] == "default"


def test_an_unknown_token_and_a_missing_module_are_exit_4(desk: Desk, tmp_path: Path) -> None:
    assert desk("token", "show", "nobody").error["code"] == "token-not-found"
    ready = desk.ready()
    ran = desk("token", "list", "--module", tmp_path / "nowhere.so")
    assert (ran.status, ran.error["code"]) == (4, "module-missing")
    assert ready in [token["serial"] for token in ran.error["tokens"]], (
        "those of other modules are still told"
    )
    alone = Desk(desk._run, tmp_path, str(tmp_path / "nowhere.so"))("token", "show", "nobody")
    assert (alone.status, alone.error["code"]) == (4, "token-not-found")
    assert "nowhere.so" in alone.error["hint"]


def test_watch_prints_one_line_for_each_change(
    card: PivCard, card_agents: Agents, opensc: str, home: Home
) -> None:
    card_agents.close()
    watching = subprocess.Popen(
        [sys.executable, "-m", "fieldkit", "token", "watch", "--json", "--module", opensc],
        stdout=subprocess.PIPE,
        env=clean_environment(home),
        text=True,
    )
    assert watching.stdout is not None
    try:
        seen = []
        changes = (json.loads(line)["result"] for line in watching.stdout)
        real = (change for change in changes if change["token"]["model"] == "PKCS#15 emulated")
        card.insert()
        seen.append(next(real))
        card.remove()
        seen.append(next(real))
        card.insert()
        seen.append(next(real))
    finally:
        watching.terminate()
        watching.wait(20)
    assert [change["change"] for change in seen] == ["inserted", "removed", "inserted"]
    assert len({change["token"]["serial"] for change in seen}) == 1


def test_a_certificate_file_is_imported_listed_exported_and_removed(
    desk: Desk, identity: Callable[..., Identity], tmp_path: Path
) -> None:
    serial = desk.ready()
    holder = identity()
    file, key, out = tmp_path / "officer.pem", tmp_path / "officer.key", tmp_path / "out.pem"
    file.write_bytes(pem(holder.certificate) + b"".join(map(pem, holder.chain)))
    key.write_bytes(holder.key.reveal_bytes())
    import_ = ("certificate", "import", file, "--key", key, "--token", serial, "--pin-file", desk.secret(PIN))
    unseen = desk(*import_)
    assert (unseen.status, unseen.error["code"]) == (3, "not-consented")
    done = desk(*import_, "--yes", "--label", "Cán bộ").result
    assert (done["label"], len(done["chain"]), done["resumed"]) == ("Cán bộ", 1, False)
    again = desk(*import_, "--yes")
    assert (again.status, again.error["code"]) == (3, "duplicate-key")
    held = {
        certificate["id"]: certificate["has_private_key"]
        for certificate in desk("certificate", "list", serial).result
    }
    assert held.pop(done["id"])
    assert list(held.values()) == [False]
    desk("certificate", "export", serial, "--out", out)
    assert out.read_bytes().count(b"BEGIN CERTIFICATE") == 2
    remove = ("certificate", "remove", serial, done["id"], "--pin-file", desk.secret(PIN))
    assert desk(*remove).status == 3
    assert desk(*remove, "--yes").result == {
        "token": done["token"], "id": done["id"], "removed": 3, "left": 0,
    }  # fmt: skip


def test_removing_an_old_certificate_leaves_its_renewal_and_the_key(
    desk: Desk, identity: Callable[..., Identity], tmp_path: Path
) -> None:
    serial, holder = desk.ready(), identity()
    old, key, renewed = (tmp_path / name for name in ("old.pem", "old.key", "renewed.pem"))
    old.write_bytes(pem(holder.certificate))
    key.write_bytes(holder.key.reveal_bytes())
    renewal = identity(name="SAMPLE renewed").certificate
    renewed.write_bytes(pem(renewal))
    agreed = ("--token", serial, "--pin-file", desk.secret(PIN), "--yes")
    assert desk("certificate", "import", old, "--key", key, *agreed).status == 0
    assert desk("certificate", "import", renewed, *agreed).status == 0
    digest = hashlib.sha256(holder.certificate).hexdigest()
    remove = ("certificate", "remove", serial, digest, "--pin-file", desk.secret(PIN))

    shown = desk(*remove)
    assert (shown.status, "Its key stays" in shown.error["detail"]) == (3, True)
    removed = desk(*remove, "--yes").result
    assert (removed["id"], removed["removed"]) == (digest, 1)

    (left,) = desk("certificate", "list", serial).result
    assert (left["sha256"], left["has_private_key"]) == (hashlib.sha256(renewal).hexdigest(), True)
    last = desk(
        "certificate", "remove", serial, left["sha256"], "--pin-file", desk.secret(PIN), "--yes"
    ).result
    assert last["removed"] == 3, "with its last certificate the key pair goes"


def test_a_request_is_made_and_its_certificate_joined(
    desk: Desk, tmp_path: Path, sample_issuer: Callable[[bytes], bytes]
) -> None:
    serial = desk.ready()
    out, issued = tmp_path / "request.pem", tmp_path / "issued.pem"
    made = desk(
        "certificate", "request", "--token", serial, "--key", "ec:p256", "--out", out, "--yes",
        "--subject", "CN=Nguyễn Thị Mẫu, OU=Phòng, O=Cơ quan, C=VN", "--pin-file", desk.secret(PIN),
    ).result  # fmt: skip
    checked = subprocess.run(["openssl", "req", "-in", out, "-noout", "-verify"], capture_output=True)
    assert checked.returncode == 0
    issued.write_bytes(pem(sample_issuer(out.read_bytes())))
    joined = desk(
        "certificate", "import", issued, "--token", serial, "--yes", "--pin-file", desk.secret(PIN)
    ).result
    assert joined["id"] == made["id"]


@pytest.fixture
def sample_issuer(tmp_path: Path) -> Callable[[bytes], bytes]:
    from fieldkit.sample import authority
    from tests.issuing import sign_csr

    return partial(sign_csr, authority.create(tmp_path / "authority", key="ec:p256"))


def test_no_secret_is_in_the_log_the_store_or_an_argument(desk: Desk, home: Home, tmp_path: Path) -> None:
    serial = desk.ready()
    desk(
        "token",
        "change-pin",
        serial,
        "--yes",
        "--pin-file",
        desk.secret("999111"),
        "--new-pin-file",
        desk.secret("864209"),
    )
    desk(
        "token",
        "unblock",
        serial,
        "--yes",
        "--so-pin-file",
        desk.secret(SO_PIN),
        "--new-pin-file",
        desk.secret("864209"),
    )
    kept = [path.read_bytes() for path in home.path.rglob("*") if path.is_file()]
    assert kept
    for secret in (PIN, SO_PIN, "999111", "864209"):
        assert not any(secret.encode() in content for content in kept)


@pytest.mark.filterwarnings("ignore:Attribute's length")
def test_a_long_vietnamese_name_is_no_remark_on_the_screen(fieldkit: Run, tmp_path: Path) -> None:
    from fieldkit.sample import authority

    agency = "Cơ quan thường trú Thông tấn xã Việt Nam tại thành phố Cần Thơ"
    issued = authority.create(tmp_path / "authority", key="ec:p256").issue(
        {"CN": agency, "C": "VN"}, key="ec:p256"
    )
    (tmp_path / "agency.cer").write_bytes(issued.certificate)
    ran = fieldkit("certificate", "inspect", tmp_path / "agency.cer")
    assert agency in ran.out
    assert ran.err == ""


def test_an_attempt_whose_run_was_killed_is_counted_all_the_same(contrary_desk: Desk) -> None:
    serial = contrary_desk.ready()
    behave(contrary_desk, "kill-parent C_Login 1")
    ran = contrary_desk(
        "token", "change-pin", serial, "--yes",
        "--pin-file", contrary_desk.secret("111222"), "--new-pin-file", contrary_desk.secret("864209"),
    )  # fmt: skip
    assert ran.status == -9
    behave(contrary_desk)
    assert contrary_desk.token(serial)["pin_state"] == "low"


def test_a_named_module_that_fails_is_named_although_others_show_tokens(desk: Desk, tmp_path: Path) -> None:
    serial = desk.ready()
    nowhere = str(tmp_path / "nowhere.so")
    ran = desk("token", "list", "--module", nowhere)
    assert (ran.status, ran.error["code"], ran.error["module"]) == (4, "module-missing", nowhere)
    assert serial in {listed["serial"] for listed in ran.error["tokens"]}


@pytest.mark.parametrize(("rule", "status", "code"), [("crash C_GetSlotList 0", 5, "module-crashed")])
def test_a_named_module_that_crashes_fails_the_listing(
    contrary_desk: Desk, fieldkit: Run, rule: str, status: int, code: str
) -> None:
    behave(contrary_desk, rule)
    ran = contrary_desk("token", "list")
    assert (ran.status, ran.error["code"]) == (status, code)
    said = fieldkit("token", "list", "--module", contrary_desk.module)
    assert (said.status, "crashed" in said.err) == (status, True)


def test_a_module_of_a_profile_that_fails_is_told_beside_the_tokens_of_the_others(
    desk: Desk, home: Home, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.so"
    broken.write_text("no library")
    profiles = home.profiles / "tokens"
    profiles.mkdir(parents=True)
    text = (shipped("profiles") / "tokens" / "opensc.yaml").read_text()
    head, _, rest = text.partition("modules:\n")
    rest = rest[rest.index("\nusb:") if "\nusb:" in rest else rest.index("\ndriver:") :]
    (profiles / "opensc.yaml").write_text(f"{head}modules:\n  linux:\n    - {{path: {broken}}}{rest}")
    ran = desk("token", "list")
    assert ran.status == 0, ran.out
    assert [problem["code"] for problem in ran.document["problems"]] == ["module-unusable"]


def test_a_relative_module_is_the_file_it_names_here(desk: Desk, fieldkit: Run, tmp_path: Path) -> None:
    (tmp_path / "own.so").symlink_to(desk.module)
    ran = fieldkit("token", "list", "--json", "--module", "own.so")
    assert ran.status == 0, ran.out
    assert {listed["module"] for listed in ran.result} == {str(tmp_path / "own.so")}


def test_labels_steer_no_terminal(contrary_desk: Desk, fieldkit: Run) -> None:
    contrary_desk.ready()
    hostile = b"\x1b[2J\x07" + "\u202e\u2066ok".encode()
    behave(contrary_desk, f"label {hostile.hex()}", f"serial {b'12'.hex()}1b5b324a")
    listed = contrary_desk("token", "list")
    said = fieldkit("token", "list", "--module", contrary_desk.module)
    for each in json.loads(listed.out)["result"]:
        assert not any(sign in each["label"] + each["serial"] for sign in "\x1b\x07\u202e\u2066")
    for text in (listed.out, said.out, said.err):
        assert not any(sign in text for sign in "\x1b\x07\u202e\u2066")


def test_the_command_line_leaves_a_token_alone_that_only_its_issuer_initialises(
    desk: Desk, home: Home
) -> None:
    desk.ready()
    profiles = home.profiles / "tokens"
    profiles.mkdir(parents=True)
    text = (shipped("profiles") / "tokens" / "softhsm2.yaml").read_text()
    (profiles / "softhsm2.yaml").write_text(text.replace("init: true", "init: false"))
    slot = next(listed["slot"] for listed in desk("token", "list").result if listed["initialized"])
    ran = desk(
        "token", "init", "--label", "Mine", "--slot", str(slot), "--yes",
        "--so-pin-file", desk.secret(SO_PIN), "--pin-file", desk.secret(PIN),
    )  # fmt: skip
    assert (ran.status, ran.error["code"]) == (3, "initialise-not-allowed")
    assert [listed["label"] for listed in desk("token", "list").result if listed["initialized"]] == ["Sample"]


def test_tokens_are_listed_and_signed_with_where_the_home_cannot_be_written(
    desk: Desk, fieldkit: Run, tmp_path: Path, home: Home
) -> None:
    serial = desk.ready()
    shutil.rmtree(home.path, ignore_errors=True)
    home.path.write_text("no folder")
    assert serial in {listed["serial"] for listed in desk("token", "list").result}
    change = ("token", "change-pin", serial, "--yes", "--pin-file", desk.secret(PIN), "--new-pin-file")
    assert desk(*change, desk.secret("864209")).result["pin_state"] == "ok"


def test_what_is_not_on_the_token_is_said_not_to_be(desk: Desk) -> None:
    serial = desk.ready()
    ran = desk("certificate", "export", serial, "--certificate", "nothing", "--out", "out.pem")
    assert (ran.status, ran.error["code"]) == (4, "certificate-not-found")
    request = ("certificate", "request", "--token", serial, "--subject", "CN=SAMPLE", "--out", "out.csr")
    ran = desk(*request, "--key-id", "ab" * 20, "--yes", "--pin-file", desk.secret(PIN))
    assert (ran.status, ran.error["code"]) == (4, "key-not-found")


def test_a_write_protected_token_is_said_to_be(contrary_desk: Desk) -> None:
    serial = contrary_desk.ready()
    behave(contrary_desk, "fail C_GenerateKeyPair 0 e2")
    request = ("certificate", "request", "--token", serial, "--subject", "CN=SAMPLE", "--out", "out.csr")
    ran = contrary_desk(*request, "--yes", "--pin-file", contrary_desk.secret(PIN))
    assert (ran.status, ran.error["code"]) == (3, "token-write-protected")


def test_a_secret_that_nobody_gives_or_that_cannot_be_one_is_refused(desk: Desk) -> None:
    serial = desk.ready()
    request = ("certificate", "request", "--token", serial, "--subject", "CN=SAMPLE", "--out", "out.csr")
    ran = desk(*request, "--yes")
    assert (ran.status, ran.error["code"]) == (4, "secret-needed"), ran.out
    change = ("token", "change-pin", serial, "--yes", "--pin-file", desk.secret(PIN), "--new-pin-file")
    ran = desk(*change, desk.secret("123"))
    assert (ran.status, ran.error["code"]) == (2, "secret-unfit"), ran.out
