"""Whoever has a record and a certificate of the same authority never makes of it one that passes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldkit.action.trust_material import TrustMaterial
from fieldkit.errors import FieldkitError
from fieldkit.record import provenance
from fieldkit.record.build import build
from fieldkit.record.content import FORM_SCHEMA, SCHEMA, RecordContent
from fieldkit.record.handover import sign_record
from fieldkit.record.render import Rendered, render
from fieldkit.record.signing import GIVER, RECEIVER, sign_for
from fieldkit.record.verify import VerifiedRecord, verify
from fieldkit.signature.sign import sign
from fieldkit.text import Words
from fieldkit.visit.visits import Visits
from tests.pki import Pki, SoftwareSigner
from tests.record import forging
from tests.record.conftest import ANSWERS
from tests.record.sample import handing_over, head, sealed

OWN_DEVICE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="session")
def attacker(pki: Pki) -> SoftwareSigner:
    """A namesake of the officer, with a certificate of the same authority."""
    return pki.signer()


@pytest.fixture(scope="session")
def content(officer: SoftwareSigner) -> RecordContent:
    return handing_over(officer.certificate)


@pytest.fixture(scope="session")
def rendered(content: RecordContent) -> Rendered:
    return render(content)


@pytest.fixture(scope="session")
def signed(
    content: RecordContent,
    rendered: Rendered,
    officer: SoftwareSigner,
    material: TrustMaterial,
    tmp_path_factory: pytest.TempPathFactory,
) -> bytes:
    folder = tmp_path_factory.mktemp("signed")
    return sign_record(content, rendered, officer, folder, material).read_bytes()


@pytest.fixture(scope="session")
def judge(material: TrustMaterial, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., VerifiedRecord]:
    path = tmp_path_factory.mktemp("judged") / "record.pdf"

    def judged(data: bytes, **known: Any) -> VerifiedRecord:
        path.write_bytes(data)
        return verify(path, trust=material.anchors, crls=material.crls, **known)

    return judged


@pytest.fixture(scope="session")
def put(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Signs bytes in a field, with whatever that draws there."""
    folder = tmp_path_factory.mktemp("put")

    def signing(data: bytes, signer: SoftwareSigner, field: str) -> bytes:
        (folder / "plain.pdf").write_bytes(data)
        sign(folder / "plain.pdf", folder / "out.pdf", signer, field=field, overwrite=True)
        return (folder / "out.pdf").read_bytes()

    return signing


def forged(content: RecordContent, signer: SoftwareSigner, folder: Path) -> bytes:
    """A record that says `content`, rendered and signed as fieldkit does."""
    made = render(content)
    (folder / "plain.pdf").write_bytes(made.pdf)
    sign_for("receiver", content, made.places, folder / "plain.pdf", folder / "out.pdf", signer)
    return (folder / "out.pdf").read_bytes()


@pytest.mark.parametrize("edit", forging.EDITS)
def test_changed_data_is_not_what_the_device_signed(
    judge: Callable[[bytes], VerifiedRecord],
    content: RecordContent,
    attacker: SoftwareSigner,
    tmp_path: Path,
    edit: str,
) -> None:
    changed = forging.EDITS[edit](content, attacker)
    judged = judge(forged(changed, attacker, tmp_path))
    assert judged.verdict != "pass"
    told = {check.id: check.severity for check in judged.checks}
    assert told["content"] == ("not-checked" if edit.startswith("the first form") else "fail")


@pytest.mark.parametrize("change", forging.ONE_OF_EACH)
def test_what_is_added_after_the_officer_signed_is_refused(
    judge: Callable[[bytes], VerifiedRecord], signed: bytes, change: str
) -> None:
    assert judge(forging.appended(signed, forging.CHANGES[change])).verdict == "fail"


@pytest.mark.parametrize("change", ["field Sig, swapped", "script in Names", "title", "unlisted object"])
def test_what_was_added_before_the_officer_signed_is_refused(
    judge: Callable[[bytes], VerifiedRecord],
    content: RecordContent,
    rendered: Rendered,
    officer: SoftwareSigner,
    material: TrustMaterial,
    tmp_path: Path,
    change: str,
) -> None:
    changed = msgspec.structs.replace(rendered, pdf=forging.appended(rendered.pdf, forging.CHANGES[change]))
    signed = sign_record(content, changed, officer, tmp_path, material).read_bytes()
    assert judge(signed).verdict == "fail"


def test_other_data_attached_after_the_officer_signed_is_refused(
    judge: Callable[[bytes], VerifiedRecord], signed: bytes, content: RecordContent
) -> None:
    assert judge(forging.appended(signed, forging.other_attachment(content))).verdict == "fail"


def test_a_givers_signature_before_the_officers_is_refused(
    judge: Callable[[bytes], VerifiedRecord],
    content: RecordContent,
    rendered: Rendered,
    pki: Pki,
    officer: SoftwareSigner,
    material: TrustMaterial,
    put: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    before = msgspec.structs.replace(rendered, pdf=put(rendered.pdf, pki.signer(), GIVER))
    signed = sign_record(content, before, officer, tmp_path, material).read_bytes()
    assert judge(signed).verdict == "fail"


def test_bytes_that_no_table_lists_are_refused(
    judge: Callable[[bytes], VerifiedRecord], signed: bytes
) -> None:
    """Some viewers look for objects where the table of contents has none."""
    loose = b"\n300 0 obj\n<< /Type /Catalog >>\nendobj\n"
    for data in (signed + loose, signed + loose + b"startxref\n1\n%%EOF\n", signed + b"\n%%EOF\n"):
        assert judge(data).verdict == "fail"


def test_the_appended_objects_stand_where_the_table_says(
    judge: Callable[[bytes], VerifiedRecord], signed: bytes
) -> None:
    """The moment of a signature may be any; what its length moves is looked at."""
    at = signed.rindex(b"\nxref\n")
    for number in (b"0000000000", b"0000000100"):
        moved = signed[:at] + signed[at:].replace(signed[at:].split(b"\n")[4][:10], number, 1)
        assert judge(moved).verdict == "fail"


def test_a_device_of_ones_own_is_not_taken_for_a_known_one(
    judge: Callable[..., VerifiedRecord], content: RecordContent, attacker: SoftwareSigner, tmp_path: Path
) -> None:
    """Without the journal nobody can tell whose device it is; that it is not known is said, with its key."""
    own = msgspec.structs.replace(handing_over(attacker.certificate), journal=head(57, "9f" * 32, OWN_DEVICE))
    record = forged(sealed(own, OWN_DEVICE), attacker, tmp_path)
    judged = judge(record)
    (device,) = [check for check in judged.checks if check.id == "device"]
    assert (device.severity, device.detail) == (
        "not-checked",
        OWN_DEVICE.public_key().public_bytes_raw().hex(),
    )
    assert judge(record, devices=[content.journal.key]).verdict == "fail"
    stolen = msgspec.structs.replace(own, journal=content.journal)  # the known device's name, another key
    assert judge(forged(sealed(stolen, OWN_DEVICE), attacker, tmp_path)).verdict == "fail"


def test_a_record_of_a_device_that_is_named_says_so(
    judge: Callable[..., VerifiedRecord], content: RecordContent, signed: bytes
) -> None:
    judged = judge(signed, devices=["00" * 32, content.journal.key.upper()])
    assert (judged.verdict, {check.id: check.severity for check in judged.checks}["device"]) == (
        "pass",
        "pass",
    )


class TestWithTheJournalAtHand:
    """The home where the record was made, or the one that head office looks it up in."""

    @pytest.fixture
    def made(self, visits: Visits, visit: str) -> RecordContent:
        signed_off = visits.sign_off(visit, ANSWERS["officer_name"], ANSWERS["officer_title"])
        return build(signed_off, visits.store, visits.profiles, made=datetime.now().astimezone())

    def judged(
        self, content: RecordContent, signer: SoftwareSigner, visits: Visits, pki: Pki, folder: Path
    ) -> dict[str, str]:
        forged(content, signer, folder)
        judged = verify(folder / "out.pdf", trust=pki.anchors, crls=pki.crls(), store=visits.store)
        return {check.id: check.severity for check in judged.checks} | {"": judged.verdict}

    def test_the_journal_gives_the_same_again(
        self, made: RecordContent, officer: SoftwareSigner, visits: Visits, pki: Pki, tmp_path: Path
    ) -> None:
        told = self.judged(made, officer, visits, pki, tmp_path)
        assert (told["journal"], told[""], "device" in told) == ("pass", "pass", False)

    def test_data_that_the_device_signed_and_the_journal_does_not_give_is_refused(
        self, made: RecordContent, officer: SoftwareSigner, visits: Visits, pki: Pki, tmp_path: Path
    ) -> None:
        from fieldkit.record.content import statement

        other = msgspec.structs.replace(made, notes=("paid",))
        signed = msgspec.structs.replace(other, signature=visits.store.sign(statement(other)).hex())
        told = self.judged(signed, officer, visits, pki, tmp_path)
        assert (told["content"], told["journal"], told[""]) == ("pass", "fail", "fail")

    def test_a_visit_of_this_journal_under_another_device_is_refused(
        self, made: RecordContent, attacker: SoftwareSigner, visits: Visits, pki: Pki, tmp_path: Path
    ) -> None:
        devices = handing_over(attacker.certificate).devices
        own = msgspec.structs.replace(made, devices=devices, journal=head(57, "9f" * 32, OWN_DEVICE))
        told = self.judged(sealed(own, OWN_DEVICE), attacker, visits, pki, tmp_path)
        assert (told["content"], told["journal"], told[""]) == ("pass", "fail", "fail")

    def test_a_record_of_the_first_form_passes_only_as_the_journal_gives_it(
        self,
        made: RecordContent,
        officer: SoftwareSigner,
        attacker: SoftwareSigner,
        visits: Visits,
        pki: Pki,
        tmp_path: Path,
    ) -> None:
        first = forging.EDITS["the first form, as it was"](made, officer)
        told = self.judged(first, officer, visits, pki, tmp_path)
        assert (told["content"], told["journal"], told[""]) == ("not-checked", "pass", "pass")
        changed = msgspec.structs.replace(first, devices=handing_over(attacker.certificate).devices)
        told = self.judged(changed, attacker, visits, pki, tmp_path)
        assert (told["journal"], told[""]) == ("fail", "fail")

    def test_an_entry_that_the_journal_does_not_have_is_refused(
        self, made: RecordContent, officer: SoftwareSigner, visits: Visits, pki: Pki, tmp_path: Path
    ) -> None:
        for seq, hash in ((made.journal.seq, "0" * 64), (made.journal.seq + 9, made.journal.hash)):
            journal = msgspec.structs.replace(made.journal, seq=seq, hash=hash)
            told = self.judged(msgspec.structs.replace(made, journal=journal), officer, visits, pki, tmp_path)
            assert (told["journal-head"], told["journal"], told[""]) == ("fail", "fail", "fail")


class Forger:
    """Has the record, signed and not, and signs with a certificate of the same authority."""

    def __init__(
        self,
        judge: Callable[[bytes], VerifiedRecord],
        put: Callable[..., bytes],
        signed: bytes,
        rendered: Rendered,
        attacker: SoftwareSigner,
    ) -> None:
        self._judge, self._put = judge, put
        self._signed, self._rendered, self._attacker = signed, rendered, attacker

    def verdict(self, steps: list[str]) -> str:
        """Of the record after changes and further signatures in any order."""
        start = data = self._rendered.pdf if "from the paper" in steps else self._signed
        for step in steps:
            if step.startswith("sign "):
                with contextlib.suppress(FieldkitError):  # a field may be signed already, or not be there
                    data = self._put(data, self._attacker, step[5:])
            elif step in forging.CHANGES:
                data = forging.appended(data, forging.CHANGES[step])
        return self._judge(data).verdict if data != start else "unchanged"


@pytest.fixture(scope="session")
def forger(
    judge: Callable[[bytes], VerifiedRecord],
    put: Callable[..., bytes],
    signed: bytes,
    rendered: Rendered,
    attacker: SoftwareSigner,
) -> Forger:
    return Forger(judge, put, signed, rendered, attacker)


SIGNING = [f"sign {field}" for field in (RECEIVER, GIVER, "Witness")]
STEPS = st.lists(
    st.sampled_from(["from the paper", *SIGNING, *forging.CHANGES]), min_size=1, max_size=4, unique=True
)


@given(steps=STEPS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_mixture_of_changes_and_signatures_passes(forger: Forger, steps: list[str]) -> None:
    assert forger.verdict(steps) != "pass"


@pytest.mark.soak
@pytest.mark.timeout(3600)
@given(steps=STEPS)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_mixture_of_many_passes(forger: Forger, steps: list[str]) -> None:
    assert forger.verdict(steps) != "pass"


ANOTHER: dict[str | int, str] = {"language": "vi", "outcome": "fail"}
"""Another value of a field that takes only some."""


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path to every value that holds no other."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    empty = True
    for key, member in members:
        empty = False
        yield from _leaves(member, (*path, key))
    if empty and not isinstance(value, list | dict):
        yield path


def _changed(members: Any, path: tuple[str | int, ...]) -> Any:
    """A copy with another value of the same type at `path`."""
    copy = json.loads(json.dumps(members))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    old = holder[path[-1]]
    match old:
        case None:
            holder[path[-1]] = {"vi": "x", "en": "x"}
        case bool():
            holder[path[-1]] = not old
        case int():
            holder[path[-1]] = old + 1
        case _:
            holder[path[-1]] = ANOTHER.get(path[-1], f"{old}x")
    return copy


@pytest.mark.parametrize("schema", [SCHEMA, FORM_SCHEMA])
def test_the_device_signs_every_field_of_a_record_and_of_a_form(
    schema: str, attacker: SoftwareSigner
) -> None:
    paper = "form" if schema == FORM_SCHEMA else "handover"
    content = handing_over(attacker.certificate)
    content = sealed(
        msgspec.structs.replace(
            content,
            schema=schema,
            paper=paper,
            devices=() if paper == "form" else content.devices,
            notes=("a note",),
            lost=(Words("mất", "lost"),),
        )
    )
    members = msgspec.json.decode(msgspec.json.encode(content))
    paths = [path for path in _leaves(members) if path[0] not in ("schema", "paper")]
    assert {path[0] for path in paths} >= {"title", "receiver", "parts", "notes", "visit", "journal", "lost"}
    for path in paths:
        forged = msgspec.convert(_changed(members, path), RecordContent, strict=False)
        words = {check.id: check.severity for check in provenance.checks(forged, b"", None)}
        assert words["content"] == "fail", path
    unchanged = {check.id: check.severity for check in provenance.checks(content, b"", None)}
    assert unchanged["content"] == "pass"
