"""What a record's device and its journal vouch for, and what of it stays open."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.journal.device import name_of
from fieldkit.journal.entry import Head, digest
from fieldkit.journal.errors import StoreUnavailable
from fieldkit.journal.signed_head import statement as head_statement
from fieldkit.journal.store import Store
from fieldkit.record import provenance
from fieldkit.record.build import build
from fieldkit.record.content import FIRST_SCHEMA, RecordContent, encode, sha256, statement
from fieldkit.record.provenance import ELSEWHERE
from fieldkit.text import M, Words
from fieldkit.visit.visits import Visits
from tests.record.conftest import ANSWERS
from tests.record.sample import head, sample, sealed

KNOWN = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def content() -> RecordContent:
    """A record of a device that has no journal here."""
    return sample("Nguyễn Thị Mẫu", "ghi chú")


@pytest.fixture
def made(visits: Visits, visit: str) -> RecordContent:
    """The record of a visit, as its device makes it."""
    signed_off = visits.sign_off(visit, ANSWERS["officer_name"], ANSWERS["officer_title"])
    return build(signed_off, visits.store, visits.profiles, made=datetime.now().astimezone())


def resealed(content: RecordContent, store: Store, **changes: object) -> RecordContent:
    """The content with changes that its device signed."""
    changed = msgspec.structs.replace(content, **changes)
    return msgspec.structs.replace(changed, signature=store.sign(statement(changed)).hex())


def findings(
    content: RecordContent,
    store: Store | None = None,
    unopened: FieldkitError | None = None,
    devices: tuple[str, ...] = (),
) -> dict[str, Finding]:
    """What the device and the journal say to it, by the checks' ids, in their order."""
    checks = list(provenance.checks(content, encode(content), store, unopened, devices))
    assert len({check.id for check in checks}) == len(checks)
    return {check.id: check for check in checks}


def journal(content: RecordContent, store: Store) -> Finding:
    return findings(content, store)["journal"]


def place(content: RecordContent) -> str:
    return f"{content.journal.device}:{content.journal.seq}"


def test_without_a_journal_the_device_vouches_and_is_not_known(content: RecordContent) -> None:
    device = content.journal.device
    unknown = M("Whether the device {device} is one of head office's cannot be told here.", device=device)
    assert list(findings(content).values()) == [
        Finding("journal-head", "pass", M("The device signed the head of the journal."), place(content)),
        Finding("content", "pass", M("The device signed the record's data."), device),
        Finding("device", "not-checked", unknown, content.journal.key, required=False, hint=ELSEWHERE),
    ]


def test_a_journal_that_cannot_be_opened_is_named_and_decides_nothing(content: RecordContent) -> None:
    unopened = StoreUnavailable(M("Another fieldkit has it open."))
    closed = M("The journal here cannot be opened, so the record was not compared with it.")
    assert findings(content, unopened=unopened)["journal"] == Finding(
        "journal", "not-checked", closed, "Another fieldkit has it open.", required=False
    )


def test_the_device_is_one_that_was_named_or_it_is_refused(content: RecordContent) -> None:
    key = content.journal.key
    assert findings(content, devices=("00" * 32, key.upper()))["device"] == Finding(
        "device", "pass", M("A device that was named made the record."), key
    )
    loud = msgspec.structs.replace(content, journal=msgspec.structs.replace(content.journal, key=key.upper()))
    assert findings(loud, devices=(key,))["device"].severity == "pass"
    assert findings(content, devices=("00" * 32,))["device"] == Finding(
        "device", "fail", M("The record was made by another device than was named."), key
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": "no hexadecimal"},
        {"signature": ""},
        {"key": "no hexadecimal"},
        {"key": ""},
        {"key": KNOWN.public_key().public_bytes_raw().hex()},
        {"device": name_of(bytes(32))},
        {"seq": 58},
        {"hash": "9e" * 32},
    ],
    ids=str,
)
def test_a_head_that_the_device_did_not_sign_is_refused(
    content: RecordContent, changes: dict[str, object]
) -> None:
    changed = msgspec.structs.replace(content, journal=msgspec.structs.replace(content.journal, **changes))
    assert findings(changed)["journal-head"] == Finding(
        "journal-head",
        "fail",
        M("The device's signature over the journal does not hold."),
        place(changed),
    )


def test_a_known_devices_name_over_another_key_is_refused(content: RecordContent) -> None:
    """Both signatures hold by the key that the record carries, and the name is another device's."""
    key = KNOWN.public_key().public_bytes_raw().hex()
    own = head(57, "9f" * 32, KNOWN)
    stolen = msgspec.structs.replace(own, device=content.journal.device)
    forged = sealed(msgspec.structs.replace(content, journal=stolen), KNOWN)
    assert forged.journal.key == key
    assert findings(forged)["content"] == Finding(
        "content", "fail", M("The device did not sign this data."), content.journal.device
    )


def test_a_record_of_the_first_form_is_vouched_for_by_nothing_but_its_journal(
    made: RecordContent, visits: Visits
) -> None:
    first = msgspec.structs.replace(made, schema=FIRST_SCHEMA, signature="")
    words = M("The record is of the first form: the device signed its journal's head, and not the data.")
    alone = Finding("content", "not-checked", words, FIRST_SCHEMA, hint=ELSEWHERE)
    assert findings(first)["content"] == alone
    assert findings(first, visits.store)["content"] == msgspec.structs.replace(alone, required=False)
    other = msgspec.structs.replace(first, notes=("paid",))
    assert findings(other, visits.store)["content"] == alone


def test_a_journal_that_gives_the_same_again_vouches_for_the_device_too(
    made: RecordContent, visits: Visits
) -> None:
    same = M("The journal here still has what the record was made from, and gives the same again.")
    checks = findings(made, visits.store)
    assert list(checks) == ["journal-head", "content", "journal"]
    assert checks["journal"] == Finding("journal", "pass", same, place(made))
    assert list(findings(made, visits.store, devices=(made.journal.key,))) == [
        "journal-head",
        "content",
        "device",
        "journal",
    ]


def test_the_journal_is_asked_for_what_it_said_when_the_record_was_made(
    made: RecordContent, visits: Visits
) -> None:
    visits.amend(made.visit.id, "đếm sót một người")
    visits.answer(made.visit.id, "trainees", "4")
    assert journal(made, visits.store).severity == "pass"


def test_what_the_journal_gives_otherwise_is_refused_and_named(made: RecordContent, visits: Visits) -> None:
    changed = resealed(made, visits.store, notes=("paid",), basis=(Words("khác", "other"),))
    checks = findings(changed, visits.store)
    assert (checks["content"].severity, checks["device"].severity) == ("pass", "not-checked")
    assert checks["journal"] == Finding(
        "journal", "fail", M("The journal here says otherwise than the record."), "basis, notes"
    )


def test_what_another_release_put_otherwise_stays_undecided(made: RecordContent, visits: Visits) -> None:
    renderer = msgspec.structs.replace(made.renderer, fieldkit="0.0.9")
    older = resealed(made, visits.store, renderer=renderer)
    assert journal(older, visits.store).severity == "pass"
    changed = resealed(older, visits.store, notes=("paid",), place="elsewhere")
    assert journal(changed, visits.store) == Finding(
        "journal",
        "not-checked",
        M("The record was made by another release, which may have put things in other words."),
        "notes, place",
        hint=M("Verify it with the release of fieldkit that made it."),
    )


@pytest.mark.parametrize("release", ["this", "another"])
def test_the_very_record_that_the_journal_keeps_needs_no_comparison(
    visits: Visits, made: RecordContent, release: str
) -> None:
    renderer = msgspec.structs.replace(made.renderer, fieldkit="0.0.9")
    changed = resealed(
        made, visits.store, notes=("paid",), renderer=made.renderer if release == "this" else renderer
    )
    value = {"name": "r", "pdf": "0" * 64, "json": sha256(encode(changed)), "signed": True, "replaces": ""}
    visits.recorded(made.visit.id, value, "0" * 64)
    assert journal(changed, visits.store) == Finding(
        "journal", "pass", M("The journal here keeps this very record."), place(made)
    )
    other = resealed(changed, visits.store, place="elsewhere")
    assert journal(other, visits.store).severity == ("fail" if release == "this" else "not-checked")


def test_a_record_of_another_device_is_no_business_of_this_journal(
    content: RecordContent, visits: Visits
) -> None:
    checks = findings(content, visits.store)
    assert checks["journal"] == Finding(
        "journal", "not-checked", M("The record was made on another device."), place(content), required=False
    )
    assert checks["device"].severity == "not-checked"


def test_a_visit_of_this_journal_under_another_device_is_refused(made: RecordContent, visits: Visits) -> None:
    other = msgspec.structs.replace(made, journal=head(57, "9f" * 32, KNOWN))
    assert journal(other, visits.store) == Finding(
        "journal",
        "fail",
        M("The visit is in the journal here, and the record names another device."),
        place(other),
    )


@pytest.mark.parametrize("change", [{"hash": "0" * 64}, {"seq": 1}, {"ahead": 1}, {"ahead": 9}], ids=str)
def test_an_entry_that_this_journal_does_not_have_is_refused(
    made: RecordContent, visits: Visits, change: dict[str, object]
) -> None:
    changes = {"seq": made.journal.seq + change["ahead"]} if "ahead" in change else change  # type: ignore[operator]
    other = msgspec.structs.replace(made, journal=msgspec.structs.replace(made.journal, **changes))
    assert journal(other, visits.store) == Finding(
        "journal", "fail", M("The journal here is not the one the record was made from."), place(other)
    )


def test_a_record_from_before_its_visit_began_is_refused(made: RecordContent, visits: Visits) -> None:
    """The device signs any head of its journal; at that one the visit was not there."""
    (first,) = visits.store.lines(1, 1)
    early = Head(made.journal.device, 1, digest(first))
    earlier = msgspec.structs.replace(
        made.journal,
        seq=1,
        hash=early.hash,
        signature=visits.store.sign(head_statement(early)).hex(),
    )
    forged = resealed(made, visits.store, journal=earlier, visit=msgspec.structs.replace(made.visit, id="x"))
    assert journal(forged, visits.store) == Finding(
        "journal", "fail", M("The journal here says otherwise than the record."), "visit"
    )


def test_a_journal_that_lost_what_it_was_made_from_decides_nothing(
    made: RecordContent, visits: Visits
) -> None:
    checklist = visits.store.attachment_path(made.visit.checklist_sha256)
    checklist.chmod(0o600)
    checklist.write_bytes(b"damaged")
    lost = M("The journal here is damaged where the record was made from it, so they were not compared.")
    check = journal(made, visits.store)
    assert check.detail
    assert msgspec.structs.replace(check, detail="") == Finding(
        "journal", "not-checked", lost, required=False, hint=ELSEWHERE
    )
