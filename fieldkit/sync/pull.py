"""Fetch head office's receipts for this device from a target, check each, and keep it in the journal."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fieldkit.journal.entry import Draft, digest
from fieldkit.journal.errors import StoreReadOnly
from fieldkit.journal.store import Store
from fieldkit.sync import receipt
from fieldkit.sync.carrier import Carrier, TargetFile
from fieldkit.sync.errors import HubKeyMissing, JournalForked, ReceiptInvalid
from fieldkit.sync.status import SentBundle, check_mounted, hash_of, status
from fieldkit.text import M, Said


class RefusedReceipt(msgspec.Struct, frozen=True):
    """A receipt that was not taken, and why."""

    name: str
    reason: Said


class PullResult(msgspec.Struct, frozen=True):
    """What a pull did. taken: receipts that were new. refused: those that do not hold. received: head
    office has all entries up to this number. waiting: bundles still without a receipt. unproved: numbers of
    receipts for entries that are lost here: nothing but head office's signature speaks for them."""

    taken: tuple[receipt.Receipt, ...]
    refused: tuple[RefusedReceipt, ...]
    received: int
    waiting: tuple[SentBundle, ...]
    unproved: tuple[int, ...] = ()


def pull(store: Store, carrier: Carrier, hub_keys: Sequence[bytes]) -> PullResult:
    """Take every new receipt for this device that is at the target.

    hub_keys: raw Ed25519 public keys of head office.

    :raises HubKeyMissing: there are receipts, and no key to check them with.
    :raises JournalForked: head office has other entries than this store.
    """
    before = status(store)
    check_mounted(carrier, before.sent)
    target_files = [
        target_file
        for target_file in carrier.list()
        if target_file.complete and receipt.is_for(target_file.name, store.device)
    ]
    if target_files and not hub_keys:
        raise HubKeyMissing(
            M("There are receipts, but head office's public key is not here to check them."),
            unchanged=M("Nothing was taken."),
            hint=M("Put head office's *.hub file into the folder recipients of the home."),
        )
    if store.read_only is not None:
        raise StoreReadOnly(store.read_only, unchanged=M("Nothing was taken."))
    known = set(before.receipts)
    taken: list[receipt.Receipt] = []
    refused: list[RefusedReceipt] = []
    for target_file in target_files:
        try:
            data = _fetch(carrier, target_file)
            if digest(data) in known:
                continue
            read = receipt.read(data, hub_keys, store)
        except JournalForked:
            raise
        except ReceiptInvalid as error:
            refused.append(RefusedReceipt(target_file.name, error.message))
            continue
        kept = store.attach(data, target_file.name)
        value = {"seq": read.seq, "hash": read.hash, "issued": read.issued, "hub": read.hub}
        store.append(Draft(kind="receipt", value=value, blob=kept.sha256))
        taken.append(read)
    now = status(store)
    unproved = tuple(read.seq for read in taken if hash_of(store, read.seq) is None)
    return PullResult(tuple(taken), tuple(refused), now.received, now.waiting, unproved)


def _fetch(carrier: Carrier, stored: TargetFile) -> bytes:
    if stored.size > receipt.LARGEST:
        raise ReceiptInvalid(M("The file is too large for a receipt."))
    data = b""
    for chunk in carrier.get(stored.name):
        data += chunk
        if len(data) > receipt.LARGEST:
            raise ReceiptInvalid(M("The file is too large for a receipt."))
    return data
