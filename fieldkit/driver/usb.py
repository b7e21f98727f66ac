"""USB devices as Linux lists them in sysfs: enough to know a token before any driver is there."""

from __future__ import annotations

from pathlib import Path

import msgspec

SYSFS = Path("/sys/bus/usb/devices")


class UsbDevice(msgspec.Struct, frozen=True):
    """A device on the bus. id: "25dd:2371", in lower case. smart_card: one of its interfaces says CCID."""

    id: str
    name: str
    smart_card: bool


def devices(sysfs: Path = SYSFS) -> tuple[UsbDevice, ...]:
    """Every device; none where the system does not list them."""
    if not sysfs.is_dir():
        return ()
    usb_devices = []
    for folder in sorted(sysfs.iterdir()):
        vendor, product = _text(folder / "idVendor"), _text(folder / "idProduct")
        if not vendor or not product:
            continue
        classes = {_text(part) for part in folder.glob("*:*/bInterfaceClass")}
        name = " ".join(filter(None, (_text(folder / "manufacturer"), _text(folder / "product"))))
        usb_devices.append(UsbDevice(f"{vendor}:{product}".lower(), name, "0b" in classes))
    return tuple(usb_devices)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
