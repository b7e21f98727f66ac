"""Verifying a store from its bytes alone: every line, the chain, the marks, the key, every attachment.

It writes nothing and takes no lock, so it can look at a store that is in use, damaged or on a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding, Overall, overall
from fieldkit.journal import checkpoint, device, entry, folder_check, signed_head
from fieldkit.journal.attachments import Attachments, attached
from fieldkit.journal.device import Device
from fieldkit.journal.entry import Head
from fieldkit.journal.errors import AttachmentMissing, StoreMissing, StoreUnavailable
from fieldkit.journal.files import OS, FileSystem
from fieldkit.journal.log import Log, is_segment
from fieldkit.journal.signed_head import Mark
from fieldkit.operator import Progress
from fieldkit.text import M, Message


class VerifiedStore(msgspec.Struct, frozen=True):
    """What was found in a store. entries: how many can be read."""

    head: Head
    entries: int
    attachments: int
    checks: tuple[Finding, ...]

    @property
    def verdict(self) -> Overall:
        return overall(self.checks)


def verify(
    folder: Path,
    *,
    files: FileSystem = OS,
    known: Sequence[Head] = (),
    progress: Callable[[Progress], None] | None = None,
) -> VerifiedStore:
    """Look at every byte of the store in `folder`.

    known: heads that a record or a receipt names; a journal that lacks one of them was cut or replaced.

    :raises StoreMissing: there is none. :raises StoreUnavailable: it cannot be read.
    """
    try:
        if not device.is_store(folder, files):
            raise FileNotFoundError
        return _verify(folder, files, known, progress)
    except (FileNotFoundError, NotADirectoryError):
        raise StoreMissing(
            M("There is no store in {folder}.", folder=str(folder)),
            hint=M("Choose the folder fieldkit keeps its data in with --home."),
        ) from None
    except OSError as error:
        raise StoreUnavailable(
            M(
                "The store in {folder} cannot be read: {reason}.",
                folder=str(folder),
                reason=error.strerror or "",
            ),
            unchanged=M("Nothing was changed."),
            hint=M("Check the disk or the stick that holds it, and your rights to the folder."),
        ) from error


def _verify(
    folder: Path, files: FileSystem, known: Sequence[Head], progress: Callable[[Progress], None] | None
) -> VerifiedStore:
    checks: list[Finding] = []
    try:
        key = Device(folder, files, writable=False)
        checks.append(_key(key))
    except FieldkitError as error:
        key = None
        checks.append(Finding("key", "fail", cast(Message, error.message), error.detail))
    noted, check = _mark(folder, files)
    checks.append(check)
    log = Log(
        folder,
        files,
        writable=False,
        device=key.id if key else "",
        mark=signed_head.latest(noted, checkpoint.load(folder, files)),
    )
    try:
        checks += _journal(log)
        if noted is not None and noted.signed is not None:
            checks.append(_signature(noted.signed, log, key))
        checks += [_known(head, log) for head in known]
        attachments, findings = _attachments(folder, files, log, progress)
        return VerifiedStore(
            _head(log, key), log.index.readable, attachments, (*checks, *findings, *around(folder, files))
        )
    finally:
        log.close()


def _head(log: Log, key: Device | None) -> Head:
    head = log.head()
    return msgspec.structs.replace(head, device=key.id) if key and not head.device else head


def _key(key: Device) -> Finding:
    if key.sound:
        return Finding("key", "pass", M("The device key is whole."), key.id)
    return Finding("key", "fail", M("The device key of the store is damaged."))


def _mark(folder: Path, files: FileSystem) -> tuple[Mark | None, Finding]:
    try:
        mark = signed_head.load(folder, files)
    except ValueError:
        return None, Finding("mark", "fail", M("The note of the last head is damaged."))
    if mark is None and not any(map(is_segment, files.names(folder))):
        return None, Finding("mark", "not-checked", M("Nothing was said in this store yet."), required=False)
    if mark is None:
        reason = M(
            "The store was never closed in order, so only a receipt can tell whether its end is there."
        )
        return None, Finding("mark", "not-checked", reason, required=False)
    return mark, Finding("mark", "pass", M("The head was noted at entry {seq}.", seq=mark.head.seq))


def _journal(log: Log) -> Iterator[Finding]:
    faults = [damage for damage in log.damage() if not damage.accepted and damage.kind != "format"]
    if log.scan.newer is not None and log.read_only is not None:
        yield Finding("format", "not-checked", log.read_only)
    for fault in faults:
        yield Finding("journal", "fail", fault.message)
    if not faults:
        yield Finding(
            "journal",
            "pass",
            M("{count} entries are whole and in order.", count=log.index.readable),
            log.hash,
        )
    for hole in log.accepted_holes:
        yield Finding("accepted", "not-checked", hole.accepted(), required=False)
    torn = log.scan.rest.rstrip(b"\0")
    if torn and not faults:
        yield Finding(
            "tail",
            "not-checked",
            M(
                "A save was interrupted: its {count} bytes are set aside at the next opening.",
                count=len(torn),
            ),
            required=False,
        )


def _signature(signed: signed_head.SignedHead, log: Log, key: Device | None) -> Finding:
    seq = signed.head.seq
    if key is None:
        return Finding(
            "signature", "not-checked", M("The signature on entry {seq} needs the device key.", seq=seq)
        )
    genuine = device.verify(key.public_key, _bytes(signed.signature), signed_head.statement(signed.head))
    if genuine and log.holds(signed.head):
        return Finding("signature", "pass", M("The device signed the journal up to entry {seq}.", seq=seq))
    return Finding(
        "signature", "fail", M("The journal up to entry {seq} is not the one the device signed.", seq=seq)
    )


def _known(head: Head, log: Log) -> Finding:
    if log.holds(head):
        return Finding(
            "known-head",
            "pass",
            M("Entry {seq} is the one that the given head names.", seq=head.seq),
            head.hash,
        )
    return Finding(
        "known-head",
        "fail",
        M(
            "Entry {seq} is missing or is not the one that the given head names: "
            "the journal was cut or replaced.",
            seq=head.seq,
        ),
        head.hash,
    )


def _attachments(
    folder: Path, files: FileSystem, log: Log, progress: Callable[[Progress], None] | None
) -> tuple[int, list[Finding]]:
    kept = Attachments(folder, files)
    held = list(kept.held())
    wanted = {
        sha256
        for seq in log.index.of_the_rest(0, log.readable)
        for sha256, _ in attached(entry.decode(log.body(seq)))
    }
    names = sorted({*held, *wanted})
    checks = []
    for done, sha256 in enumerate(names):
        if progress is not None:
            progress(Progress(M("Reading attached files"), done, len(names)))
        try:
            kept.get(sha256)
        except AttachmentMissing as error:
            if sha256 in wanted:
                checks.append(
                    Finding("attachment", "fail", M("An attached file is missing."), sha256 or str(error))
                )
        except FieldkitError:
            checks.append(Finding("attachment", "fail", M("An attached file changed on the disk."), sha256))
    if not checks:
        whole = M("All {count} attached files are whole.", count=len(names))
        checks.append(Finding("attachment", "pass", whole if names else M("No file is attached.")))
    return len(held), checks


def around(folder: Path, files: FileSystem) -> Iterator[Finding]:
    """What stands about the journal: who can read it, what does not belong, what an interruption left."""
    for exposed in folder_check.exposed(folder, files):
        if exposed.owner >= 0:
            message = M("{path} belongs to another user.", path=str(exposed.path))
            yield Finding("owner", "fail", message, f"uid {exposed.owner}", required=False)
        else:
            message = M("{path} can be read or changed by other users.", path=str(exposed.path))
            detail = ", ".join(exposed.accounts) or f"{exposed.mode:04o}"
            yield Finding("permissions", "fail", message, detail, required=False)
    for path in folder_check.foreign(folder, files):
        yield Finding(
            "foreign",
            "not-checked",
            M("{path} is not the store's; it is left alone.", path=str(path)),
            required=False,
        )
    for name in folder_check.torn(folder, files):
        yield Finding(
            "torn",
            "not-checked",
            M("The remains of an interrupted save are kept in {file}.", file=name),
            required=False,
        )
    if checkpoint.NAME in files.names(folder) and checkpoint.load(folder, files) is None:
        yield Finding(
            "checkpoint",
            "fail",
            M("The checkpoint is damaged; it is made again from the journal."),
            required=False,
        )
    try:
        reserve = files.read_file(folder / folder_check.RESERVE)
    except FileNotFoundError:
        yield Finding(
            "reserve",
            "fail",
            M("The room kept for finishing on a full disk is used up; the next opening makes it again."),
            required=False,
        )
        return
    if reserve != folder_check.reserved(len(reserve)):
        yield Finding(
            "reserve",
            "fail",
            M("The file that keeps room for finishing was changed; nothing is lost by it."),
            required=False,
        )
    elif len(reserve) < folder_check.RESERVE_SIZE:
        yield Finding(
            "reserve",
            "fail",
            M("Less room is kept for finishing on a full disk than is needed: the disk is nearly full."),
            required=False,
        )


def _bytes(signature: str) -> bytes:
    try:
        return bytes.fromhex(signature)
    except ValueError:
        return b""
