"""`fieldkit store`: look at every byte of the local store, mend it with consent, take it out."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.errors import Misused, NotConsented
from fieldkit.home import expanded
from fieldkit.text import M, Said

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
    said=M("A head that a record or a receipt names, NUMBER:HASH; may be repeated."),
)
def verify(call: Call, heads: tuple[str, ...]) -> Reply:
    reply = _verified(call, heads)
    failed = {check["id"] for check in reply.result["checks"] if check["verdict"] == "fail"}
    if failed & MENDED:
        hint = M("`fieldkit store repair` says what it would mend, and asks.")
        return Reply(reply.result, [*reply.lines(), hint], reply.good)
    return reply


@store.verb("repair", M("Mend what can be mended, after saying what that is."))
def repair(call: Call) -> Reply:
    from fieldkit.journal.errors import StoreReadOnly
    from fieldkit.journal.repair import mends
    from fieldkit.journal.store import Store
    from fieldkit.operator import Plan

    _verified(call, ())  # a folder without a store is said, not made into one
    with Store.open(call.home.store, whole=True) as opened:
        if opened.refusal is not None:
            raise StoreReadOnly(opened.refusal, unchanged=M("Nothing was changed."), hint=opened.advice)
        found = mends(opened)
        if found:
            plan = Plan(
                M("Repair the store in {folder}", folder=str(opened.folder)),
                steps=tuple(mend.message for mend in found),
                keeps=M("Every entry that can be read stays as it is."),
            )
            if not asyncio.run(call.console().consent(plan)):
                raise NotConsented(M("The store was not repaired."), unchanged=M("Nothing was changed."))
            for mend in found:
                mend.do()
        trimmed = opened.trimmed
    reply = _verified(call, ())
    done: list[Said] = [mend.message for mend in found]
    if trimmed:
        done.append(M("The remains of an interrupted save ({count} bytes) were set aside.", count=trimmed))
    mended = [str(text) for text in done]
    if not done and reply.good:
        done.append(M("There was nothing to mend."))
    elif not reply.good:
        done.append(
            M("What is left cannot be mended here; `fieldkit store export` takes out all that is read.")
        )
    lines: list[str | Said] = [*done, *reply.lines()]
    return Reply(reply.result | {"mended": mended}, lines, good=reply.good)


@store.verb("export", M("Write every entry and every attached file to one ZIP file."))
@option("--out", required=True, type=str, said=M("The file to write."))
def export(call: Call, out: str) -> Reply:
    from fieldkit.journal import export as exporting

    done = exporting.export(call.home.store, expanded(out).absolute())
    result = {
        "out": str(done.out),
        "entries": done.entries,
        "lost": done.lost,
        "attachments": done.attachments,
        "unread": list(done.unread),
        "strays": done.strays,
        "size": done.size,
    }
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
    return Reply(result, lines, good=not done.lost and not done.unread)


def _verified(call: Call, heads: tuple[str, ...]) -> Reply:
    from fieldkit.journal.verify import verify as look_at
    from fieldkit.text_output import SEVERITIES, SYMBOLS

    device = _device(call)
    verified_store = look_at(call.home.store, known=[_head(head, device) for head in heads])
    result: dict[str, Any] = {
        "verdict": verified_store.verdict,
        "device": verified_store.head.device,
        "head": {"seq": verified_store.head.seq, "hash": verified_store.head.hash},
        "entries": verified_store.entries,
        "attachments": verified_store.attachments,
        "checks": [
            {"id": check.id, "verdict": check.severity, "message": str(check.message), "detail": check.detail}
            for check in verified_store.checks
        ],
    }
    lines: list[str | Said] = [
        f"{SYMBOLS[check.severity]} {check.message} [{SEVERITIES[check.severity]}]"
        for check in verified_store.checks
    ]
    lines.append(
        M(
            "Head: entry {seq}, {hash}, device {device}.",
            seq=verified_store.head.seq,
            hash=verified_store.head.hash,
            device=verified_store.head.device,
        )
    )
    return Reply(result, lines, good=verified_store.verdict == "pass")


def _device(call: Call) -> str:
    from fieldkit.errors import FieldkitError
    from fieldkit.journal.device import Device
    from fieldkit.journal.files import OS

    try:
        return Device(call.home.store, OS, writable=False).id
    except (FieldkitError, OSError):
        return ""


def _head(given: str, device: str) -> Any:
    from fieldkit.journal.entry import Head

    found = _HEAD.fullmatch(given.strip().lower())
    if found is None:
        raise HeadInvalid(
            M("`{value}` is not a head such as 12:5f2c… with 64 digits.", value=given[:80]),
            hint=M("Copy it from the record or the receipt."),
        )
    return Head(found[1] or device, int(found[2]), found[3])
