"""The store at a glance, for whoever asks whether this machine is fit: can it be read, can it be written.

Nothing is written and no lock is taken. What the checkpoint vouches for is not read again; `verify` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding, Severity
from fieldkit.journal import checkpoint, device, signed_head
from fieldkit.journal.device import Device
from fieldkit.journal.files import OS, FileSystem
from fieldkit.journal.log import Log
from fieldkit.journal.verify import around
from fieldkit.text import M, Message


def examine_store(folder: Path, *, files: FileSystem = OS) -> Iterator[Finding]:
    """What is seen of the store in `folder`: the journal first, then what stands about it."""
    try:
        if not device.is_store(folder, files):
            raise FileNotFoundError
        yield from _look(folder, files)
    except (FileNotFoundError, NotADirectoryError):
        yield Finding("store", "info", M("There is no store yet; the first visit makes it."))
    except FieldkitError as error:
        # of Words, the other kind of text, there are none here: they come from YAML files
        message, hint = cast(Message, error.message), cast(Message | None, error.hint)
        yield Finding("store", "fail", message, error.detail, hint)
    except OSError as error:
        yield Finding(
            "store",
            "fail",
            M(
                "The store in {folder} cannot be read: {reason}.",
                folder=str(folder),
                reason=error.strerror or "",
            ),
            hint=M("Check the disk or the stick that holds it, and your rights to the folder."),
        )


def _look(folder: Path, files: FileSystem) -> Iterator[Finding]:
    key = Device(folder, files, writable=False)
    try:
        noted = signed_head.load(folder, files)
    except ValueError:
        noted = None
    kept = checkpoint.load(folder, files)
    log = Log(
        folder, files, writable=False, device=key.id, mark=signed_head.latest(noted, kept), checkpoint=kept
    )
    try:
        if log.read_only is None:
            yield Finding(
                "store", "pass", M("The store can be read: {count} entries.", count=log.index.readable)
            )
        else:
            hint = M("`fieldkit store verify` says more. Reading and exporting still work.")
            yield Finding("store", "fail", log.read_only, hint=hint)
    finally:
        log.close()
    yield from map(_finding, around(folder, files))


def _finding(check: Finding) -> Finding:
    severity: Severity = "warning" if check.severity == "fail" else "info"
    return msgspec.structs.replace(
        check, id="store-" + check.id, severity=severity, hint=_HINTS.get(check.id)
    )


_HINTS = {
    "permissions": M("`fieldkit store repair` says what it would mend, and asks."),
    "owner": M("Work as the user it belongs to, or let an administrator give it to you."),
}
