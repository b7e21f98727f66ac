"""From what a person calls a target to the carrier that goes there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from fieldkit.sync.carrier import Carrier
from fieldkit.sync.errors import TargetUnsupported
from fieldkit.sync.folder import FolderCarrier
from fieldkit.text import M

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # two letters at least: "C:" is a drive

CARRIERS: Mapping[str, Callable[[str], Carrier]] = {
    "": lambda path: FolderCarrier(Path(path).expanduser()),
    "file": lambda path: FolderCarrier(Path(path)),
}
"""What makes the carrier for an address, by its scheme; it is given what follows `scheme://`."""


def carrier(target: str) -> Carrier:
    """The carrier for a folder's path or the address of a target.

    :raises TargetUnsupported: this release goes nowhere of that kind.
    """
    match = SCHEME.match(target)
    scheme = match[1].lower() if match else ""
    make = CARRIERS.get(scheme)
    if make is None:
        raise TargetUnsupported(
            M("Targets of the kind {scheme} are not supported in this release.", scheme=f"{scheme}://"),
            unchanged=M("Nothing was put."),
            hint=M("Give a folder: a USB stick or a share."),
        )
    return make(target[match.end() :] if match else target)
