"""Knowing what is plugged in, by ATR and by USB id, and what of its driver is here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.driver import apt, detect, pcsc, usb
from fieldkit.profile.driver import Apt, Conflict, Driver
from fieldkit.profile.model import Atr, Module, Modules, PinPolicy, TokenProfile, Usb
from fieldkit.text import Words
from tests.driver.test_prove import REAL, elf

ATR = "3BFF1800008131FE45006B150C03020101014234441031800D"


def profile(
    name: str,
    *,
    atr: str = "",
    usb_id: str = "",
    module: str = "",
    reader: str = "",
    driver: Driver | None = None,
) -> TokenProfile:
    return TokenProfile(
        id=name,
        title=Words(name, name),
        known="hypothesis",
        modules=Modules(linux=(Module(module),) if module else ()),
        driver=driver or Driver(),
        pin_policy=PinPolicy(),
        atr=(Atr(atr),) if atr else (),
        usb=(Usb(usb_id),) if usb_id else (),
        reader=(reader,) if reader else (),
    )


PROFILES = {
    "new": profile("new", atr=ATR, usb_id="25dd:2371"),
    "wide": profile("wide", atr=ATR[:-4] + "????"),
    "old": profile("old", atr="3BD518008131FE7D8073C82110F4", usb_id="0529:0620"),
}


def test_a_card_in_a_reader_is_read_through_pcsc_and_finds_its_profile(
    read_card: Callable[[str], pcsc.Readers],
) -> None:
    seen = read_card(ATR)
    assert seen.trouble == ""
    tokens = detect.detect(PROFILES, seen.readers, [])
    assert [(token.by, token.atr, token.profiles) for token in tokens] == [("atr", ATR, ("new", "wide"))]


def test_without_a_reader_service_the_reason_is_told(tmp_path: Path) -> None:
    seen = pcsc.readers()
    if not seen.trouble:
        pytest.skip("a reader service is running on this machine")
    assert seen.trouble in ("no-service", "no-library")
    assert seen.readers == ()


@pytest.fixture
def bus(tmp_path: Path) -> Path:
    """A sysfs with a token, a keyboard and a root hub, as Linux lays them out."""
    devices = {
        "1-1": {
            "idVendor": "25dd",
            "idProduct": "2371",
            "product": "TokenME EVO v2",
            "manufacturer": "BIT4ID",
        },
        "1-2": {"idVendor": "046d", "idProduct": "c31c", "product": "USB Keyboard"},
        "usb1": {"idVendor": "1d6b", "idProduct": "0002"},
    }
    for name, fields in devices.items():
        folder = tmp_path / name
        folder.mkdir()
        for key, value in fields.items():
            (folder / key).write_text(value + "\n")
    for device, interface in (("1-1", "0b"), ("1-2", "03")):
        part = tmp_path / device / f"{device}:1.0"
        part.mkdir()
        (part / "bInterfaceClass").write_text(interface + "\n")
    (tmp_path / "1-1:1.0").mkdir()
    return tmp_path


def test_a_token_on_the_bus_is_known_by_its_usb_id_before_any_driver_is_there(bus: Path) -> None:
    tokens = detect.detect(PROFILES, [], usb.devices(bus))
    assert [(token.by, token.usb, token.profiles) for token in tokens] == [("usb", "25dd:2371", ("new",))]
    assert tokens[0].reader == "BIT4ID TokenME EVO v2"


def test_a_token_that_both_show_is_told_once(bus: Path) -> None:
    tokens = detect.detect(PROFILES, [pcsc.Reader("BIT4ID", ATR, True)], usb.devices(bus))
    assert [token.by for token in tokens] == ["atr"]


def test_a_token_that_no_profile_serves_is_told_all_the_same() -> None:
    tokens = detect.detect(PROFILES, [pcsc.Reader("Reader", "3B00", True), pcsc.Reader("Empty")], [])
    assert [(token.atr, token.profiles) for token in tokens] == [("3B00", ())]


def test_a_sysfs_that_is_not_there_shows_nothing(tmp_path: Path) -> None:
    assert usb.devices(tmp_path / "none") == ()


def test_two_modules_that_claim_one_token_are_a_conflict(tmp_path: Path) -> None:
    real = Path("/usr/lib/softhsm/libsofthsm2.so")
    if not real.exists():
        pytest.skip("needs a library")
    copies = []
    for name in ("one.so", "two.so"):
        copy = tmp_path / name
        copy.write_bytes(real.read_bytes())
        copies.append(str(copy))
    profiles = {
        "maker": profile("maker", atr=ATR, module=copies[0]),
        "other": profile("other", atr=ATR, module=copies[1]),
    }
    tokens = detect.detect(profiles, [pcsc.Reader("Reader", ATR, True)], [])
    (conflict,) = detect.conflicts(tokens, profiles)
    assert conflict.severity == "warning"
    assert "maker, other" in str(conflict.message)
    assert (
        detect.conflicts(tokens, {name: profile(name, atr=ATR, module=copies[0]) for name in profiles}) == ()
    )


def test_a_card_with_an_unknown_atr_is_known_by_its_readers_name_and_only_as_a_hypothesis() -> None:
    named = {"maker": profile("maker", reader="TokenME")}
    (token,) = detect.detect(named, [pcsc.Reader("BIT4ID TokenME EVO 00 00", "3B00", True)], [])
    assert (token.by, token.profiles, token.known) == ("reader", ("maker",), "hypothesis")
    (other,) = detect.detect(named, [pcsc.Reader("NotTokenME", "3B00", True)], [])
    assert other.profiles == ()


def test_what_is_here_of_a_driver_is_told_with_its_version_and_package() -> None:
    if not REAL.exists() or not apt.available():
        pytest.skip("needs softhsm2 as a Debian package")
    state = detect.state(profile("soft", module=str(REAL)))
    (here,) = state.here
    assert (here.fits, here.kind) == (True, "elf x86_64 64-bit")
    assert here.package
    assert here.version == apt.installed([here.package])[here.package]
    assert state.enough


def test_a_driver_that_is_too_old_is_here_and_not_enough() -> None:
    if not REAL.exists() or not apt.available():
        pytest.skip("needs softhsm2 as a Debian package")
    driver = Driver(apt=(Apt(("softhsm2",), str(REAL), least={"softhsm2": "999"}),))
    state = detect.state(profile("soft", driver=driver))
    assert state.here
    assert not state.enough
    assert [finding.id for finding in state.findings] == ["driver-old"]


def test_a_driver_of_which_only_a_32_bit_module_is_here_is_a_conflict(tmp_path: Path) -> None:
    narrow = tmp_path / "module.so"
    narrow.write_bytes(elf(3, 32))
    profiles = {"narrow": profile("narrow", atr=ATR, module=str(narrow))}
    tokens = detect.detect(profiles, [pcsc.Reader("Reader", ATR, True)], [])
    (conflict,) = detect.conflicts(tokens, profiles)
    assert (conflict.id, conflict.severity) == ("driver-unloadable", "fail")
    assert "x86, 32 bit" in str(conflict.message)
    assert not detect.state(profiles["narrow"]).enough


def test_what_a_profile_says_disturbs_its_driver_is_told_where_it_is_here() -> None:
    if not apt.available():
        pytest.skip("needs dpkg")
    words = Words("Không dùng chung.", "They do not go together.")
    clashing = Driver(
        conflicts=(Conflict("package", "dpkg", words), Conflict("package", "fieldkit-no-such-package", words))
    )
    profiles = {"maker": profile("maker", atr=ATR, driver=clashing)}
    tokens = detect.detect(profiles, [pcsc.Reader("Reader", ATR, True)], [])
    (conflict,) = detect.conflicts(tokens, profiles)
    assert "dpkg" in str(conflict.message)
    assert "go together" in conflict.detail


def test_a_usb_id_is_told_with_how_well_it_is_known(bus: Path) -> None:
    (token,) = detect.detect(PROFILES, [], usb.devices(bus))
    assert token.known == "documented"
