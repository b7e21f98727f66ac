"""Repairing a store: what can be mended, said before it is done; nothing that can be read is ever changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from fieldkit.access import PRIVATE_FILE, PRIVATE_FOLDER
from fieldkit.journal import attachments, folder_check
from fieldkit.journal.errors import StoreUnavailable
from fieldkit.journal.scan import LostEntries
from fieldkit.journal.store import Store
from fieldkit.text import M, Message


class Mend(msgspec.Struct, frozen=True):
    """One thing to mend: what is done about it, in words, and the doing."""

    message: Message
    do: Callable[[], object]


def mends(store: Store, who: str = "") -> list[Mend]:
    """What can be mended in an open store; empty if there is nothing, or nothing that can."""
    return list(_mends(store, who))


def _mends(store: Store, who: str) -> Iterator[Mend]:
    folder, files = store.folder, store.files
    exposed = folder_check.exposed(folder, files)
    others = {file.path for file in exposed if file.owner >= 0}
    for file in exposed:
        if file.path not in others:  # what belongs to another user only that user can close
            mode = PRIVATE_FOLDER if file.path == folder else PRIVATE_FILE
            if file.path.name == attachments.FOLDER:
                mode = PRIVATE_FOLDER
            yield Mend(
                M("Let only you read {path}.", path=str(file.path)),
                partial(_done, file.path, partial(files.protect, file.path, mode)),
            )
    if store.refusal is not None or store.key_fault is not None:
        return
    for path in folder_check.leftovers(folder, files):
        yield Mend(
            M("Remove {path}, left by an interrupted save.", path=str(path)),
            partial(_done, path, partial(files.remove, path)),
        )
    if store.holes:
        for hole in store.holes:
            yield Mend(_going_on(hole), _nothing)
        yield Mend(
            M("Add an entry that says which entries are lost; the rest stays as it is."),
            partial(store.accept_holes, who),
        )


def _done(path: Path, work: Callable[[], object]) -> None:
    try:
        work()
    except OSError as error:
        raise StoreUnavailable(
            M("{path} cannot be changed: {reason}.", path=str(path), reason=error.strerror or ""),
            hint=M("Check the disk or the stick that holds it, and your rights to the folder."),
        ) from error


def _nothing() -> None:
    """The entry added at the end is what is done about each hole."""


def _going_on(hole: LostEntries) -> Message:
    first, last = hole.first, hole.last
    if last < first and hole.strays:
        return M("Pass over lines before entry {seq} that do not belong there.", seq=first)
    if last < first:
        return M("Pass over foreign bytes before entry {seq}.", seq=first)
    if last == first:
        return M("Go on without entry {seq}, whose bytes are lost.", seq=first)
    return M("Go on without entries {first} to {last}, whose bytes are lost.", first=first, last=last)
