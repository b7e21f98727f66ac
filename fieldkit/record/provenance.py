"""Where a record's data comes from: the device that signed it, and its journal where that is at hand.

Without the journal nobody can tell whose device it was: a key that is not known signs as well as one that is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from fieldkit import __version__
from fieldkit.checklist import load
from fieldkit.checklist.model import Checklist
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.journal import device
from fieldkit.journal.entry import Entry, Head, digest
from fieldkit.journal.signed_head import statement as head_statement
from fieldkit.journal.store import Store
from fieldkit.record.build import from_journal, from_plan
from fieldkit.record.content import FIRST_SCHEMA, RecordContent, encode, sha256, statement
from fieldkit.text import M
from fieldkit.visit.fold import fold

ELSEWHERE = M("Verify it where it was made, or ask head office.")


def checks(
    content: RecordContent,
    raw: bytes,
    store: Store | None,
    unopened: FieldkitError | None = None,
    devices: Collection[str] = (),
) -> Iterator[Finding]:
    """Whether the device that the record names signed it, and what its journal says to it.

    raw: the data as it is attached. store: the journal that is at hand. unopened: why it cannot be read.
    devices: the keys (hexadecimal) of those that may have made it, where the person knows them.
    """
    yield _head(content)
    compared = _journal(content, raw, store) if store is not None else None
    vouched = compared is not None and compared.severity == "pass"
    yield _signed(content, required=not vouched)
    if devices or not vouched:
        yield _device(content, devices)
    if compared is not None:
        yield compared
    elif unopened is not None:
        closed = M("The journal here cannot be opened, so the record was not compared with it.")
        yield Finding("journal", "not-checked", closed, str(unopened.message), required=False)


def _device(content: RecordContent, devices: Collection[str]) -> Finding:
    """Whether the device is one of those that may have made the record."""
    name, key = content.journal.device, content.journal.key
    if not devices:
        unknown = M("Whether the device {device} is one of head office's cannot be told here.", device=name)
        return Finding("device", "not-checked", unknown, key, required=False, hint=ELSEWHERE)
    if key.casefold() in {known.casefold() for known in devices}:
        return Finding("device", "pass", M("A device that was named made the record."), key)
    return Finding("device", "fail", M("The record was made by another device than was named."), key)


def _head(content: RecordContent) -> Finding:
    """Whether the device that the record names signed the head of its journal."""
    head = content.journal
    detail = f"{head.device}:{head.seq}"
    if _by_device(content, head.signature, head_statement(Head(head.device, head.seq, head.hash))):
        return Finding("journal-head", "pass", M("The device signed the head of the journal."), detail)
    return Finding(
        "journal-head", "fail", M("The device's signature over the journal does not hold."), detail
    )


def _signed(content: RecordContent, *, required: bool) -> Finding:
    """Whether it signed the data; in the first form it did not, so anybody could have changed it."""
    if content.schema == FIRST_SCHEMA:
        return Finding(
            "content",
            "not-checked",
            M("The record is of the first form: the device signed its journal's head, and not the data."),
            content.schema,
            required=required,
            hint=ELSEWHERE,
        )
    if _by_device(content, content.signature, statement(content)):
        return Finding("content", "pass", M("The device signed the record's data."), content.journal.device)
    return Finding("content", "fail", M("The device did not sign this data."), content.journal.device)


def _by_device(content: RecordContent, signature: str, signed: bytes) -> bool:
    try:
        key, signature_bytes = bytes.fromhex(content.journal.key), bytes.fromhex(signature)
    except ValueError:
        return False
    return device.name_of(key) == content.journal.device and device.verify(key, signature_bytes, signed)


def _journal(content: RecordContent, raw: bytes, store: Store) -> Finding:
    """Whether the journal here has the entry that the record was made from, and gives the same data again."""
    head = content.journal
    detail = f"{head.device}:{head.seq}"
    visit = list(store.entries(visit=content.visit.id))
    if store.public_key.hex() != head.key:
        if visit:
            other = M("The visit is in the journal here, and the record names another device.")
            return Finding("journal", "fail", other, detail)
        elsewhere = M("The record was made on another device.")
        return Finding("journal", "not-checked", elsewhere, detail, required=False)
    if head.seq > store.head().seq:
        return _not_from_here(detail)
    try:
        (body,) = store.lines(head.seq, head.seq)
        same = digest(body) == head.hash
        if same and any(entry.kind == "record" and _keeps(entry, raw) for entry in visit):
            return Finding("journal", "pass", M("The journal here keeps this very record."), detail)
        if same and any(entry.kind == "record" and _keeps_another(entry, content) for entry in visit):
            another = M("The journal here keeps another record of this name.")
            return Finding("journal", "fail", another, content.name)
        differing = _differing(content, visit, store) if same else ()
    except (FieldkitError, msgspec.ValidationError) as error:
        lost = M("The journal here is damaged where the record was made from it, so they were not compared.")
        return Finding("journal", "not-checked", lost, str(error), required=False, hint=ELSEWHERE)
    if not same:
        return _not_from_here(detail)
    if not differing:
        again = M("The journal here still has what the record was made from, and gives the same again.")
        return Finding("journal", "pass", again, detail)
    if content.renderer.fieldkit != __version__:
        return Finding(
            "journal",
            "not-checked",
            M("The record was made by another release, which may have put things in other words."),
            ", ".join(differing),
            hint=M("Verify it with the release of fieldkit that made it."),
        )
    return Finding(
        "journal", "fail", M("The journal here says otherwise than the record."), ", ".join(differing)
    )


def _not_from_here(detail: str) -> Finding:
    return Finding("journal", "fail", M("The journal here is not the one the record was made from."), detail)


def _keeps(entry: Entry, raw: bytes) -> bool:
    return isinstance(entry.value, dict) and entry.value.get("json") == sha256(raw)


def _keeps_another(entry: Entry, content: RecordContent) -> bool:
    """It keeps the record of this name, which is not this one: one number stands for one record."""
    return isinstance(entry.value, dict) and entry.value.get("name") == content.name


def _differing(content: RecordContent, entries: list[Entry], store: Store) -> tuple[str, ...]:
    """The members of the record that the journal, as it stood then, gives otherwise."""

    def checklist(blob: str) -> Checklist:
        return load.parse(store.attachment(blob).decode("utf-8", "replace"), f"{blob[:12]}.yaml")

    visit = fold((entry for entry in entries if entry.seq <= content.journal.seq), checklist)
    if visit is None:
        return ("visit",)
    pinned = from_plan(visit, visit.pinned) if visit.pinned else {}
    again = msgspec.structs.replace(content, **from_journal(visit, content.paper), **pinned)
    was, now = (msgspec.json.decode(encode(record_content)) for record_content in (content, again))
    return tuple(sorted(name for name in was if was[name] != now[name]))
