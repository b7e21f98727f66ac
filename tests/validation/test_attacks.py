"""The published attacks on signed PDF (pdf-insecurity.org), built well-formed: none of them ever passes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pyhanko.pdf_utils.generic import Reference

from fieldkit.errors import FieldkitError
from fieldkit.validation.validate import validate
from tests import papers
from tests.pki import Pki, SoftwareSigner
from tests.validation import forgery, revision

BOX = b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</Font<</F1 6 0 R>>>>"
FIELD = b"<</Type/Annot/Subtype/Widget/F 4/FT/Tx/DA(/F1 20 Tf 0 g)/P 3 0 R/Rect[60 400 300 430]"
PAGE = b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 595 842]/Contents %s/Resources<</Font<</F1 6 0 R>>"


def text(words: bytes) -> bytes:
    return b"BT /F1 20 Tf 60 700 Td (%s) Tj ET" % words


OTHER = text(b"PAY 900")
SHADOW = b"4 0 obj\n%s\nendobj\n" % revision.stream(OTHER)


def prepared() -> bytes:
    """Its author hid what is to be shown later: overlays, overlapping fields, unused objects."""
    over = b"1 1 1 rg 0 0 595 842 re f 0 g " + text(b"PAY 100")
    bodies = (
        b"<</Type/Catalog/Pages 2 0 R/AcroForm 8 0 R/Unused[13 0 R 14 0 R 17 0 R]>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        PAGE % (2, b"[4 0 R 5 0 R]") + b"/XObject<</Over 7 0 R>>>>/Annots[9 0 R 10 0 R]>>",
        revision.stream(text(b"PAY 500")),
        revision.stream(b"/Over Do"),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        revision.stream(over, BOX),
        b"<</Fields[9 0 R 10 0 R]/DR<</Font<</F1 6 0 R>>>>/DA(/F1 20 Tf 0 g)>>",
        FIELD + b"/T(Beneath)/V(Beneath)/AP<</N 11 0 R>>>>",
        FIELD + b"/T(Above)/V(Above)/Ff 1/AP<</N 12 0 R>>>>",
        revision.stream(b"1 0 0 rg 0 0 240 30 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 240 30]"),
        revision.stream(b"0 1 0 rg 0 0 240 30 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 240 30]"),
        revision.stream(OTHER),
        b"<</Type/Pages/Kids[15 0 R]/Count 1>>",
        PAGE % (14, b"13 0 R") + b">>>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Symbol>>",
        revision.stream(SHADOW),
    )
    made, table = b"%PDF-1.5\n", b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    for number, body in enumerate(bodies, 1):
        table += b"%010d 00000 n \n" % len(made)
        made += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    end = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, len(made))
    return made + table + end


def changed(data: bytes, number: int, **entries: bytes | None) -> Mapping[int, bytes]:
    """The object with these entries otherwise; None leaves one out."""
    reader = revision.read(data)
    held = reader.get_object(Reference(number, 0, reader))
    made = {str(name)[1:]: revision.written(held.raw_get(name)) for name in held}
    kept = {name: value for name, value in {**made, **entries}.items() if value is not None}
    return {number: b"<<%s>>" % b" ".join(b"/%s %s" % (key.encode(), kept[key]) for key in kept)}


def other_place(data: bytes) -> bytes:
    """A table that names, for the page's text, an object that lies within a signed stream."""
    reader = revision.read(data)
    made = data if data.endswith(b"\n") else data + b"\n"
    whole = (data.index(SHADOW), int(reader.trailer["/Size"]), revision.last_table(data), len(made))
    return (
        made
        + b"xref\n4 1\n%010d 00000 n \ntrailer\n<</Size %d/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n"
        % whole
    )


def listed(data: bytes, holder: int, key: str, *order: int) -> Mapping[int, bytes]:
    """An array of a form or page with these first, then what the signature added."""
    reader = revision.read(data)
    held = reader.get_object(Reference(holder, 0, reader))[f"/{key}"]
    rest = [held.raw_get(at).idnum for at in range(len(held)) if held.raw_get(at).idnum not in (9, 10)]
    return changed(data, holder, **{key: b"[%s]" % b" ".join(b"%d 0 R" % at for at in (*order, *rest))})


Objects = Callable[[bytes], Mapping[int, bytes]]
BENEATH = FIELD + b"/T(Beneath)/V(%s)/AP<</N %d 0 R>>>>"
SHADOWS: dict[str, Objects] = {
    "the form lists its fields in another order": lambda data: listed(data, 8, "Fields", 10, 9),
    "the form lists the other field alone": lambda data: listed(data, 8, "Fields", 9),
    "the form lists no field": lambda data: listed(data, 8, "Fields"),
    "the page lists its fields in another order": lambda data: listed(data, 3, "Annots", 10, 9),
    "the page lists the other field alone": lambda data: listed(data, 3, "Annots", 9),
    "the field above is hidden": lambda data: changed(data, 10, F=b"2"),
    "the field above may be written": lambda data: changed(data, 10, Ff=b"0"),
    "the field beneath may not be written": lambda data: changed(data, 9, Ff=b"1"),
    "two fields change their appearances": lambda data: {
        **changed(data, 9, AP=b"<</N 12 0 R>>"),
        **changed(data, 10, AP=b"<</N 11 0 R>>"),
    },
    "an appearance is overwritten": lambda data: {
        12: revision.stream(b"0 0 1 rg 0 0 240 30 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 240 30]")
    },
    "a value is overwritten beneath its appearance": lambda data: {9: BENEATH % (b"Attacker", 11)},
    "a value is overwritten with its appearance": lambda data: {9: BENEATH % (b"Attacker", 12)},
    "a field is no object any more": lambda data: {10: b"null"},
    "the overlay is an empty picture": lambda data: {7: revision.stream(b"", BOX)},
    "the overlay is no object any more": lambda data: {7: b"null"},
    "the overlay is another kind of object": lambda data: {
        7: revision.stream(b"", b"/Type/XObject/Subtype/X")
    },
    "the overlay's stream draws nothing": lambda data: {5: revision.stream(b" ")},
    "the page lists its contents without the overlay": lambda data: changed(data, 3, Contents=b"4 0 R"),
    "the page lists its contents in another order": lambda data: changed(data, 3, Contents=b"[5 0 R 4 0 R]"),
    "the page's resources have no overlay": lambda data: changed(
        data, 3, Resources=b"<</Font<</F1 6 0 R>>>>"
    ),
    "the font is another": lambda data: {6: b"<</Type/Font/Subtype/Type1/BaseFont/Symbol>>"},
    "the page takes contents that lay unused": lambda data: changed(data, 3, Contents=b"13 0 R"),
    "the tree takes a page that lay unused": lambda data: {2: b"<</Type/Pages/Kids[15 0 R]/Count 1>>"},
    "the catalog takes a tree that lay unused": lambda data: changed(data, 1, Pages=b"14 0 R"),
    "the catalog has no form any more": lambda data: changed(data, 1, AcroForm=None),
}


@pytest.fixture(scope="module")
def shadow(rsa_signer: SoftwareSigner) -> bytes:
    return forgery.signed(prepared(), rsa_signer)


def verdict(data: bytes, pki: Pki, folder: Path) -> str:
    path = folder / "attacked.pdf"
    path.write_bytes(data)
    try:
        return validate(path, trust=pki.anchors, crls=pki.crls()).verdict
    except FieldkitError:
        return "refused"


def test_what_its_author_prepared_is_a_signed_document_as_long_as_nothing_follows(
    shadow: bytes, pki: Pki, tmp_path: Path
) -> None:
    assert verdict(shadow, pki, tmp_path) == "pass"
    assert verdict(revision.appended(shadow, {90: b"<<>>"}), pki, tmp_path) == "pass"


@pytest.mark.parametrize("kind", ["table", "stream"])
@pytest.mark.parametrize("attack", sorted(SHADOWS))
def test_a_shadow_that_comes_out_after_signing_never_passes(
    attack: str, kind: revision.Kind, shadow: bytes, pki: Pki, tmp_path: Path
) -> None:
    data = revision.appended(shadow, SHADOWS[attack](shadow), kind=kind)
    assert verdict(data, pki, tmp_path) == "fail"


@pytest.mark.parametrize("number", [5, 7, 10, 12])
def test_what_hid_something_must_not_be_given_up(
    number: int, shadow: bytes, pki: Pki, tmp_path: Path
) -> None:
    data = revision.appended(shadow, {90: b"<<>>"}, free={number: 1})
    assert verdict(data, pki, tmp_path) == "fail"


def test_a_later_table_must_not_reach_into_what_was_signed(shadow: bytes, pki: Pki, tmp_path: Path) -> None:
    assert verdict(other_place(shadow), pki, tmp_path) == "fail"


def _entry(name: bytes, value: bytes) -> Callable[[bytes], bytes]:
    """The signature's entry with another value, in the same room where there is enough."""
    return lambda data: re.sub(rb"/%s ?(\[[^]]*\]|<[0-9a-fA-F]{1000,}>|/[\w.]+)" % name, value, data)


def _ranges(numbers: str) -> Callable[[bytes], bytes]:
    return lambda data: forgery.with_byte_range(data, numbers)


FORGERIES: dict[str, Callable[[bytes], bytes]] = {
    "no range": forgery.without_byte_range,
    "a range of null": _entry(b"ByteRange", b"/ByteRange null"),
    "a range that is empty": _ranges(""),
    "a range of nothing": _ranges("0 0 0 0"),
    "a negative range": _ranges("0 -1 0 -1"),
    "a range that begins before the file": _ranges("-9 9 9 9"),
    "a range of three numbers": _ranges("0 9 9"),
    "a range of two numbers": _ranges("0 999"),
    "a range of words": _ranges("/a /b /c /d"),
    "a range beyond the end": _ranges("0 99999 999999 9"),
    "no value": _entry(b"Contents", b""),
    "a value of null": _entry(b"Contents", b"/Contents null"),
    "an empty value": _entry(b"Contents", b"/Contents <>"),
    "a value of zeros": lambda data: forgery.with_contents(data, "0"),
    "a value of one zero byte": _entry(b"Contents", b"/Contents <00>"),
    "no kind": _entry(b"SubFilter", b""),
    "a kind of null": _entry(b"SubFilter", b"/SubFilter null"),
    "an unknown kind": _entry(b"SubFilter", b"/SubFilter /none"),
    "the kind of a timestamp": _entry(b"SubFilter", b"/SubFilter /ETSI.RFC3161"),
    "a kind that is not judged": _entry(b"SubFilter", b"/SubFilter /adbe.x509.rsa_sha1"),
    "wrapped": forgery.wrapped,
}


@pytest.mark.parametrize("attack", sorted(FORGERIES))
def test_a_signature_without_its_range_value_or_kind_never_passes(
    attack: str, shadow: bytes, pki: Pki, tmp_path: Path
) -> None:
    data = FORGERIES[attack](shadow)
    assert data != shadow
    assert verdict(data, pki, tmp_path) != "pass"


@pytest.mark.parametrize("permission", [1, 2, 3])
def test_a_note_or_a_field_over_a_certified_page_never_passes(
    permission: int, rsa_signer: SoftwareSigner, pki: Pki, tmp_path: Path
) -> None:
    """Evil annotation, and sneaky signature with a field that nobody signed."""
    data = papers.certified(prepared(), rsa_signer, permission)
    assert verdict(data, pki, tmp_path) == "pass"
    for attack in (forgery.annotated, forgery.with_empty_field):
        assert verdict(attack(data), pki, tmp_path) == "fail"


@pytest.mark.parametrize("permission", [2, 3])
def test_a_strangers_signature_over_a_certified_page_never_passes(
    permission: int, rsa_signer: SoftwareSigner, pki: Pki, tmp_path: Path
) -> None:
    """Sneaky signature: the overlay is the stamp of a signature whose certificate nobody knows."""
    data = papers.certified(prepared(), rsa_signer, permission)
    signed = papers.stamped(data, Pki().signer(), "Later", papers.OPAQUE, (50, 600, 300, 740))
    assert verdict(signed, pki, tmp_path) not in ("pass", "refused")
