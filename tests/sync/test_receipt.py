"""A receipt is believed when a known head office signed it, and it is of the entries here."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fieldkit.journal.entry import digest
from fieldkit.journal.store import Store
from fieldkit.sync.errors import JournalForked, ReceiptInvalid
from fieldkit.sync.receipt import KIND, Receipt, is_for, issue, read_receipt
from fieldkit.sync.recipients import identifier
from fieldkit.sync.signed import frame
from tests.sync.conftest import Hub

ISSUED = "2026-11-25T08:00:00+07:00"


def hash_at(store: Store, seq: int) -> str:
    return digest(next(store.lines(seq, seq)))


def test_what_head_office_issued_is_read_as_it_was_issued(store: Store, hub: Hub) -> None:
    for seq in (1, 2, store.head().seq):
        name, data = hub.receipt(store.device, seq, hash_at(store, seq))
        assert read_receipt(data, (Hub().key, hub.key), store) == Receipt(
            store.device, seq, hash_at(store, seq), ISSUED, identifier(hub.key)
        )
        assert name == f"fk1-{store.device}-{seq}-{digest(data)[:12]}.fkr"


def test_a_receipts_name_says_whose_it_is(store: Store, hub: Hub) -> None:
    name, _ = hub.receipt(store.device, 3, "0" * 64)
    assert is_for(name, store.device)
    assert not is_for(name, "0" * 12)
    assert not is_for("ảnh gia đình.jpg", store.device)
    assert not is_for(name + ".part", store.device)


def test_a_receipt_of_another_device_is_not_taken_and_the_device_is_named(store: Store, hub: Hub) -> None:
    for device, shown in (("0" * 12, "0" * 12), ("x" * 50, "x" * 40)):
        _, data = hub.receipt(device, 1, hash_at(store, 1))
        with pytest.raises(ReceiptInvalid) as caught:
            read_receipt(data, (hub.key,), store)
        assert caught.value.detail == shown


def test_a_receipt_that_names_another_signer_than_its_own_is_not_taken(store: Store) -> None:
    key = Ed25519PrivateKey.generate()
    own = key.public_key().public_bytes_raw()
    for named, believed in ((Hub().key, False), (own, True)):
        _, data = issue(store.device, 1, hash_at(store, 1), ISSUED, named, key.sign)
        if believed:
            assert read_receipt(data, (own,), store).hub == identifier(own)
        else:
            with pytest.raises(ReceiptInvalid):
                read_receipt(data, (own, named), store)


@pytest.mark.parametrize("seq", [0, -1])
def test_a_receipt_for_no_entry_is_not_taken(store: Store, hub: Hub, seq: int) -> None:
    _, data = hub.receipt(store.device, seq, "0" * 64)
    with pytest.raises(ReceiptInvalid):
        read_receipt(data, (hub.key,), store)


def test_a_receipt_beyond_the_last_entry_is_an_alarm_whatever_it_says(store: Store, hub: Hub) -> None:
    head = store.head()
    _, data = hub.receipt(store.device, head.seq + 1, head.hash)
    with pytest.raises(JournalForked) as caught:
        read_receipt(data, (hub.key,), store)
    assert caught.value.detail == f"{store.device}:{head.seq + 1}:{head.hash}"


def test_a_signature_of_no_known_head_office_or_anything_behind_it_is_refused(store: Store, hub: Hub) -> None:
    _, data = hub.receipt(store.device, 1, hash_at(store, 1))
    for keys, bytes_read in (((), data), ((Hub().key,), data), ((hub.key,), data + b"x" * 3)):
        with pytest.raises(ReceiptInvalid) as caught:
            read_receipt(bytes_read, keys, store)
        assert caught.value.detail == ""


def test_what_is_signed_but_no_receipt_is_refused_with_what_it_lacks(store: Store) -> None:
    key = Ed25519PrivateKey.generate()
    whole = msgspec.to_builtins(Receipt(store.device, 1, hash_at(store, 1), ISSUED, "hub"))
    for lacking in whole:
        data = frame(KIND, {name: value for name, value in whole.items() if name != lacking}, key.sign)
        with pytest.raises(ReceiptInvalid) as caught:
            read_receipt(data, (key.public_key().public_bytes_raw(),), store)
        assert lacking in caught.value.detail


def test_a_bundle_is_no_receipt(store: Store) -> None:
    key = Ed25519PrivateKey.generate()
    data = frame("fieldkit-bundle 1", Receipt(store.device, 1, "", ISSUED, ""), key.sign)
    with pytest.raises(ReceiptInvalid):
        read_receipt(data, (key.public_key().public_bytes_raw(),), store)
