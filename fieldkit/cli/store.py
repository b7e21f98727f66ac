"""`fieldkit store`: look at every byte of the local store, mend it with consent, take it out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fieldkit.cli import completion
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.output import Data, data, fields
from fieldkit.errors import Misused
from fieldkit.home import expanded
from fieldkit.text import M, Said
from fieldkit.text_output import SEVERITIES, SYMBOLS

if TYPE_CHECKING:
    from fieldkit.journal.entry import Head
    from fieldkit.journal.verify import VerifiedStore

store = noun("store", M("The local store: verify it, repair it, export it."))

MENDED = {"journal", "permissions"}
"""Checks whose failing `repair` can often do something about."""

_HEAD = re.compile(r"(?:([0-9a-f]{12}):)?([1-9][0-9]*):([0-9a-f]{64})")


class HeadInvalid(Misused, code="head-invalid"):
    """A head given on the command line is none."""


@store.verb("verify", M("Read every entry and every attached file, and say what is not as it was stored."))
@option(
    "--head",
    "heads",
    multiple=True,
    help=M("A head that a record or a receipt names, NUMBER:HASH; may be repeated."),
)
def verify(call: Call, heads: tuple[str, ...]) -> Reply:
    checked = _verified(call, heads)
    lines = _lines(checked)
    if {check.id for check in checked.checks if check.severity == "fail"} & MENDED:
        lines.append(M("`fieldkit store repair` says what it would mend, and asks."))
    return Reply(_data(checked), lines, good=checked.verdict == "pass")


@store.verb("repair", M("Mend what can be mended, after saying what that is."))
def repair(call: Call) -> Reply:
    from fieldkit.journal.errors import StoreReadOnly
    from fieldkit.journal.repair import mends
    from fieldkit.journal.store import Store
    from fieldkit.operator import Plan, must_agree

    _verified(call, ())  # a folder without a store is said, not made into one
    with Store.open(call.home.store, whole=True) as opened:
        if opened.refusal is not None:
            raise StoreReadOnly(opened.refusal, unchanged=M("Nothing was changed."), hint=opened.advice)
        offered = mends(opened)
        if offered:
            plan = Plan(
                M("Repair the store in {folder}", folder=str(opened.folder)),
                steps=tuple(mend.message for mend in offered),
                keeps=M("Every entry that can be read stays as it is."),
            )
            refused = M("The store was not repaired.")
            asyncio.run(must_agree(call.console(), plan, refused, M("Nothing was changed.")))
            for mend in offered:
                mend.do()
        trimmed = opened.trimmed
    after = _verified(call, ())
    good = after.verdict == "pass"
    done: list[Said | str] = [mend.message for mend in offered]
    if trimmed:
        done.append(M("The remains of an interrupted save ({count} bytes) were set aside.", count=trimmed))
    mended = [str(text) for text in done]
    if not done and good:
        done.append(M("There was nothing to mend."))
    elif not good:
        done.append(
            M("What is left cannot be mended here; `fieldkit store export` takes out all that is read.")
        )
    return Reply(_data(after) | {"mended": mended}, [*done, *_lines(after)], good=good)


@store.verb("export", M("Write every entry and every attached file to one ZIP file."))
@option("--out", required=True, type=str, shell_complete=completion.files, help=M("The file to write."))
def export(call: Call, out: str) -> Reply:
    from fieldkit.journal import export as exporting

    done = exporting.export(call.home.store, expanded(out).absolute())
    lines: list[str | Said] = [
        M(
            "{entries} entries and {attachments} attached files are in {path}.",
            entries=done.entries,
            attachments=done.attachments,
            path=str(done.out),
        )
    ]
    if done.lost:
        lines.append(
            M("{count} entries could not be read; the segments are in it as they are.", count=done.lost)
        )
    if done.strays:
        lines.append(
            M("{count} whole lines that are no entries of this journal are in it too.", count=done.strays)
        )
    if done.unread:
        lines.append(M("The disk did not give these files: {names}.", names=", ".join(done.unread)))
    return Reply(data(done), lines, good=not done.lost and not done.unread)


def _verified(call: Call, heads: Sequence[str]) -> VerifiedStore:
    from fieldkit.journal import verify

    device = _device(call)
    return verify.verify(call.home.store, known=[_head(head, device) for head in heads])


def _data(checked: VerifiedStore) -> Data:
    return {
        "verdict": checked.verdict,
        "device": checked.head.device,
        "head": fields(checked.head, "seq", "hash"),
        "entries": checked.entries,
        "attachments": checked.attachments,
        "checks": [
            {"verdict": check.severity, **fields(check, "id", "message", "detail")}
            for check in checked.checks
        ],
    }


def _lines(checked: VerifiedStore) -> list[str | Said]:
    head = checked.head
    return [
        *(
            f"{SYMBOLS[check.severity]} {check.message} [{SEVERITIES[check.severity]}]"
            for check in checked.checks
        ),
        M("Head: entry {seq}, {hash}, device {device}.", seq=head.seq, hash=head.hash, device=head.device),
    ]


def _device(call: Call) -> str:
    from fieldkit.errors import FieldkitError
    from fieldkit.journal.device import Device
    from fieldkit.journal.files import OS

    try:
        return Device(call.home.store, OS, writable=False).id
    except (FieldkitError, OSError):
        return ""


def _head(text: str, device: str) -> Head:
    from fieldkit.journal.entry import Head

    parts = _HEAD.fullmatch(text.strip().lower())
    if parts is None:
        raise HeadInvalid(
            M("`{value}` is not a head such as 12:5f2c… with 64 digits.", value=text[:80]),
            hint=M("Copy it from the record or the receipt."),
        )
    return Head(parts[1] or device, int(parts[2]), parts[3])
