"""An old kit, rightly signed, does not bring back what was replaced since without somebody having read so."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.kit import install, keys, load, use
from tests.conftest import Run
from tests.kit.conftest import CONTENTS, Office

OLD, NEW = "2026-03-01T08:00:00Z", "2026-11-24T08:00:00Z"


def _kit(office: Office, made: str, recipient: bytes = b"age1rotated\n") -> Path:
    contents = CONTENTS | {"recipients/head-office.age": recipient}
    return office.make(office.folder / f"kit-{made[:4]}{made[5:7]}", contents, made=made)


def _take(fieldkit: Run, office: Office, kit: Path, *options: str) -> int:
    mark = install.fingerprint(office.key)
    return fieldkit("kit", "load", kit, "--fingerprint", mark, "--yes", "--json", *options).status


@pytest.mark.parametrize("made", [OLD, ""])
def test_an_older_kit_is_not_taken_by_a_consent_that_was_given_before_it_was_known(
    fieldkit: Run, office: Office, home: Home, made: str
) -> None:
    assert _take(fieldkit, office, _kit(office, NEW, b"age1rotated\n")) == 0
    old = _kit(office, made, b"age1lost\n")
    refused = fieldkit("kit", "load", old, "--yes", "--json")
    assert (refused.status, refused.error["code"]) == (3, "kit-older")
    assert "--older" in refused.error["hint"]
    assert (home.path / "recipients/head-office.age").read_bytes() == b"age1rotated\n"
    checked = fieldkit("kit", "verify", old, "--json")
    assert checked.status == 1
    assert {check["id"] for check in checked.result["checks"] if check["verdict"] == "fail"} == {"age"}
    assert _take(fieldkit, office, old, "--older") == 0
    assert (home.path / "recipients/head-office.age").read_bytes() == b"age1lost\n"
    assert keys.newest(home, office.key) == NEW  # it stays known which was the newest


def test_at_a_terminal_an_older_kit_is_agreed_to_by_typing_its_day(office: Office, home: Home) -> None:
    keys.remember(home, office.key, NEW)
    plan = load.prepare(_kit(office, OLD), home).shown(home)
    assert plan.confirm == OLD[:10]
    assert any(OLD[:10] in str(step) and NEW[:10] in str(step) for step in plan.steps)
    assert load.prepare(_kit(office, NEW), home).shown(home).confirm == ""


def test_the_same_kit_and_newer_ones_are_taken_and_another_keys_age_is_its_own(
    office: Office, home: Home
) -> None:
    kit = _kit(office, NEW)
    keys.remember(home, "ab" * 32, "2030-01-01T00:00:00Z")
    keys.remember(home, office.key, OLD)
    for _ in range(2):
        loading = load.prepare(kit, home)
        assert loading.older is None
        load.load(loading, home)
    assert keys.newest(home, office.key) == NEW
    keys.remember(home, office.key, "")
    assert keys.newest(home, office.key) == NEW


def test_packages_of_an_older_kit_are_used_and_their_age_is_told(office: Office, home: Home) -> None:
    keys.remember(home, office.key, NEW)
    told: list[Finding] = []
    use.packages(_kit(office, OLD), "sample-token", home, told.append)
    assert [finding.severity for finding in told if finding.id == "kit-age"] == ["warning"]
    told.clear()
    use.packages(_kit(office, NEW), "sample-token", home, told.append)
    assert not [finding for finding in told if finding.id == "kit-age"]
