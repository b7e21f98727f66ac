"""From what a person calls a target to the carrier that goes there."""

from __future__ import annotations

import re
from pathlib import Path

from fieldkit.sync.carrier import Carrier, FolderCarrier
from fieldkit.sync.errors import TargetUnsupported
from fieldkit.text import M

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # two letters at least: "C:" is a drive


def carrier(target: str) -> Carrier:
    """The carrier for a folder's path or a `file://` address.

    :raises TargetUnsupported: this release goes nowhere of that kind.
    """
    scheme = SCHEME.match(target)
    if scheme is None:
        return FolderCarrier(Path(target).expanduser())
    if scheme[1].lower() == "file":
        return FolderCarrier(Path(target[len(scheme[0]) :]))
    raise TargetUnsupported(
        M(
            "Targets of the kind {scheme} are not supported in this release.",
            scheme=scheme[1].lower() + "://",
        ),
        unchanged=M("Nothing was put."),
        hint=M("Give a folder: a USB stick or a share."),
    )
