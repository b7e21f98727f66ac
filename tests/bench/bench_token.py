"""Tokens against C_Sign alone, modules alone, openssl with pkcs11-tool; prints ratios, gates nothing."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fieldkit.home import Home
from fieldkit.sample import authority
from fieldkit.secret import Secret
from fieldkit.token import importing, initialisation
from fieldkit.token.agents import Agents
from fieldkit.token.model import Token
from fieldkit.token.watch import watch
from tests.conftest import clean_environment
from tests.token import conftest as real
from tests.token.conftest import PIN, SO_PIN, Contrary, pin
from tests.token.piv import PivCard

pytestmark = pytest.mark.bench
softhsm_module, softhsm, agents, token = real.softhsm_module, real.softhsm, real.agents, real.token
contrary_library, contrary = real.contrary_library, real.contrary
opensc, reader = real.opensc, real.reader
TIMES = 300
PASSWORD = "mat-khau-mau"
ALONE = """
import statistics, sys, time, pkcs11
path, serial, pin, times = sys.argv[1], sys.argv[2].encode(), sys.stdin.readline(), int(sys.argv[3])
library = pkcs11.lib(path)
token = next(each for each in library.get_tokens() if each.serial == serial)
with token.open(user_pin=pin) as session:
    key = next(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}))
    took = []
    for _ in range(times):
        began = time.perf_counter()
        key.sign(b"x" * 64, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS)
        took.append(1000 * (time.perf_counter() - began))
    print(statistics.median(took))
"""


def median(work: Callable[[], object], times: int) -> float:
    """Milliseconds, warm."""
    work()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def test_a_warm_signature_through_the_agent_against_c_sign_alone(
    agents: Agents,
    token: Token,
    softhsm: str,
) -> None:
    with agents.session(token, pin()) as session:
        session.generate_key("rsa:2048", "ab" * 20, "Sample")
        through = median(lambda: session.sign("ab" * 20, "SHA256_RSA_PKCS", b"x" * 64), TIMES)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, softhsm, token.serial, str(TIMES)],
        input=PIN, capture_output=True, text=True, check=True,
    )  # fmt: skip
    alone = float(done.stdout)
    print(
        f"\nRSA-2048 signature: {through:.2f} ms through the agent, {alone:.2f} ms C_Sign alone, "
        f"{through - alone:.2f} ms over it (aim: 2)"
    )


def test_listing_three_modules_with_one_hanging_against_each_alone(
    contrary: Contrary,
    softhsm: str,
    contrary_library: Path,
    tmp_path: Path,
) -> None:
    slow = tmp_path / "libslow.so"
    slow.write_bytes(contrary_library.read_bytes())
    Contrary(slow, softhsm).behave("hang C_GetSlotList 0")

    def first(modules: Sequence[str]) -> dict[str, float]:
        """Milliseconds until each module that answers has, from nothing."""
        with Agents(modules, tmp_path / "logs") as running:
            began, took = time.perf_counter(), {}
            for listing in running.listings(mechanisms=False):
                if listing.problem is None:
                    took[listing.module] = 1000 * (time.perf_counter() - began)
                if len(took) == 2:
                    break
            return took

    alone = first([softhsm, contrary.path])
    beside = first([str(slow), softhsm, contrary.path])
    for module, took in beside.items():
        print(
            f"\n{Path(module).name}: {took:.0f} ms beside one that hangs, {alone[module]:.0f} ms without it"
        )


def test_provisioning_a_token_against_openssl_and_pkcs11_tool(
    softhsm: str,
    agents: Agents,
    tmp_path: Path,
) -> None:
    sample = authority.create(tmp_path / "authority")
    home = Home(tmp_path / "home")
    sample.install(home)
    file = tmp_path / "officer.p12"
    sample.write_pkcs12(file, Secret(PASSWORD))
    (tmp_path / "pin").write_text(PIN)
    (tmp_path / "password").write_text(PASSWORD)
    environment = clean_environment(home) | {"SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"]}

    def fresh(label: str) -> Token:
        blank = next(each for each in agents.tokens() if not each.initialized)
        return initialisation.initialise(agents, blank, label, pin(SO_PIN), pin())

    def timed(commands: Sequence[Sequence[str]]) -> float:
        began = time.perf_counter()
        for command in commands:
            subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True)
        return 1000 * (time.perf_counter() - began)

    def ours(label: str) -> list[list[str]]:
        return [
            [
                *(sys.executable, "-m", "fieldkit", "certificate", "import", str(file)),
                *("--token", fresh(label).serial, "--module", softhsm, "--yes"),
                *("--pin-file", "pin", "--password-file", "password"),
            ]
        ]

    def theirs(label: str) -> list[list[str]]:
        fresh(label)
        tool = ["pkcs11-tool", "--module", softhsm, "--token-label", label, "--login", "--pin", PIN]
        p12 = ["openssl", "pkcs12", "-in", str(file), "-passin", f"pass:{PASSWORD}"]
        return [
            [*p12, "-nocerts", "-nodes", "-out", "key.pem"],
            [*p12, "-clcerts", "-nokeys", "-out", "own.pem"],
            [*p12, "-cacerts", "-nokeys", "-out", "chain.pem"],
            ["openssl", "pkey", "-in", "key.pem", "-outform", "DER", "-out", "key.der"],
            ["openssl", "x509", "-in", "own.pem", "-outform", "DER", "-out", "own.der"],
            ["openssl", "x509", "-in", "chain.pem", "-outform", "DER", "-out", "issuing.der"],
            ["openssl", "verify", "-partial_chain", "-trusted", "chain.pem", "own.pem"],
            [*tool, "--write-object", "key.der", "--type", "privkey", "--id", "01", "--sensitive"],
            [*tool, "--write-object", "own.der", "--type", "cert", "--id", "01", "--label", "officer"],
            [*tool, "--write-object", "issuing.der", "--type", "cert", "--id", "02", "--label", "issuing"],
            [*tool, "--list-objects"],
            ["openssl", "rand", "-out", "challenge", "32"],
            [
                *(*tool, "--sign", "--mechanism", "SHA256-RSA-PKCS", "--id", "01"),
                *("--input-file", "challenge", "--output-file", "signature"),
            ],
            ["openssl", "x509", "-in", "own.pem", "-noout", "-pubkey", "-out", "public.pem"],
            ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "challenge"],
            ["shred", "-u", "key.pem", "key.der"],
        ]

    timed(ours("warm"))
    rounds = 5
    mine = statistics.median(timed(ours(f"ours {each}")) for each in range(rounds))
    peer = statistics.median(timed(theirs(f"theirs {each}")) for each in range(rounds))
    print(
        f"\nprovisioning: {mine:.0f} ms and 1 command; openssl and pkcs11-tool {peer:.0f} ms and "
        f"{len(theirs('count'))} commands, which check neither duplicates nor the dossier; "
        f"{peer / mine:.2f} times as fast (aim: 3)"
    )

    def in_a_step() -> float:
        """What a visit waits for: agents and libraries are loaded, as in the program that is open already."""
        from fieldkit.certificate import files, identity

        meant = fresh("step")
        agents.tokens()
        began = time.perf_counter()
        holder = identity.identity(files.read_contents(file.read_bytes(), Secret(PASSWORD)))
        with agents.session(meant, pin()) as session:
            importing.import_identity(session, holder, "officer")
        took = 1000 * (time.perf_counter() - began)
        with agents.session(meant, pin()) as session:
            session.destroy([each.handle for each in session.certificates()])
        return took

    in_a_step()
    step = statistics.median(in_a_step() for _ in range(rounds))
    print(f"the same as a step of a visit under way: {step:.0f} ms, {peer / step:.1f} times as fast (aim: 3)")


def test_a_card_that_comes_and_goes_against_the_reader_that_notices_it(
    reader: tuple[str, int], opensc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the card in the reader to the line that says so; the peer is pcscd's own event in the same run."""
    path, port = reader
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", path)
    card = PivCard(port)
    came, went, noticed = [], [], []
    stop = threading.Event()
    with Agents([opensc], tmp_path / "logs") as running:
        changes = watch(running, stop=stop)
        for _ in range(5):
            event = subprocess.Popen(
                ["opensc-tool", "--wait", "--atr"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(0.5)
            began = time.perf_counter()
            card.insert()
            threading.Thread(
                target=lambda began=began, event=event: (
                    event.wait(),
                    noticed.append(1000 * (time.perf_counter() - began)),
                )
            ).start()
            next(changes)
            came.append(1000 * (time.perf_counter() - began))
            event.wait()
            began = time.perf_counter()
            card.remove()
            next(changes)
            went.append(1000 * (time.perf_counter() - began))
        stop.set()
    print(
        f"\na card is told of {statistics.median(came):.0f} ms after it is put in (opensc-tool --wait: "
        f"{statistics.median(noticed):.0f} ms), and {statistics.median(went):.0f} ms after it is pulled "
        "out (aim: 1000)"
    )
