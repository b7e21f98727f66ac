"""What follows a signature: further signatures and validation data, every byte of it listed; nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields
from pyhanko.sign.diff_analysis import SuspiciousModification

from fieldkit.finding import Finding
from fieldkit.pdf.errors import DocumentUnfit
from fieldkit.validation.changes import StrictPolicy
from fieldkit.validation.validate import validate
from tests import papers
from tests.pki import Pki, SoftwareSigner
from tests.validation import forgery, revision

Writer = IncrementalPdfFileWriter


@pytest.fixture(scope="module")
def signed_bytes(rsa_signer: SoftwareSigner, letter_bytes: bytes) -> bytes:
    """A letter with a form field, signed."""
    return forgery.signed(forgery.with_text_field(letter_bytes), rsa_signer)


def coverage(data: bytes, pki: Pki, folder: Path) -> Finding:
    """What is said of the first signature's coverage; it goes with the document's verdict."""
    path = folder / "judged.pdf"
    path.write_bytes(data)
    judged = validate(path, trust=pki.anchors, crls=pki.crls())
    (check,) = [check for check in judged.signatures[0].checks if check.id in ("coverage", "structure")]
    assert (judged.verdict == "pass") == (check.severity == "pass")
    return check


def entry(name: str, value: Any) -> Callable[[Writer], None]:
    """An entry of the catalog."""

    def change(writer: Writer) -> None:
        writer.root[pdf_name(name)] = value
        writer.update_root()

    return change


def script() -> Any:
    return generic.DictionaryObject(
        {pdf_name("/S"): pdf_name("/JavaScript"), pdf_name("/JS"): generic.pdf_string("app.alert(1)")}
    )


def information(**entries: str) -> Callable[[Writer], None]:
    """Everything that was said of the document, and something else."""

    def change(writer: Writer) -> None:
        held = writer.trailer["/Info"]
        other = {pdf_name(f"/{key}"): generic.pdf_string(value) for key, value in entries.items()}
        kept = {name: held.raw_get(name) for name in held}
        writer.set_info(writer.add_object(generic.DictionaryObject(kept | other)))

    return change


def form_entry(name: str, value: Any) -> Callable[[Writer], None]:
    def change(writer: Writer) -> None:
        form = writer.root["/AcroForm"]
        form[pdf_name(name)] = value
        writer.update_container(form)

    return change


def new_field(**entries: Any) -> Callable[[Writer], None]:
    """A signature field that takes no room, in the form and on the page."""

    def change(writer: Writer) -> None:
        page_ref, _ = writer.find_page_for_modification(0)
        page = page_ref.get_object()
        field = {
            "Type": pdf_name("/Annot"),
            "Subtype": pdf_name("/Widget"),
            "FT": pdf_name("/Sig"),
            "T": generic.pdf_string("Later"),
            "Rect": generic.ArrayObject([generic.NumberObject(0)] * 4),
            "P": page_ref,
        }
        made = writer.add_object(
            generic.DictionaryObject({pdf_name(f"/{key}"): value for key, value in (field | entries).items()})
        )
        for holder, key in ((writer.root["/AcroForm"], "/Fields"), (page, "/Annots")):
            held = holder[key]
            before = [held.raw_get(at) for at in range(len(held))]
            holder[pdf_name(key)] = generic.ArrayObject([*before, made])
        writer.update_container(writer.root["/AcroForm"])
        writer.mark_update(page_ref)

    return change


def states(content: bytes) -> Callable[[Writer], None]:
    """A field that takes no room, and has a state with this appearance."""

    def change(writer: Writer) -> None:
        held = generic.DictionaryObject({pdf_name("/On"): writer.add_object(forgery.drawing(content))})
        new_field(AP=generic.DictionaryObject({pdf_name("/N"): held}))(writer)

    return change


def in_parts(*rect: int) -> Callable[[Writer], None]:
    """A signature field whose widget is an object of its own."""

    def change(writer: Writer) -> None:
        page_ref, _ = writer.find_page_for_modification(0)
        widget = generic.DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/Annot"),
                pdf_name("/Subtype"): pdf_name("/Widget"),
                pdf_name("/Rect"): room(*rect),
                pdf_name("/P"): page_ref,
            }
        )
        widget_ref = writer.add_object(widget)
        field = writer.add_object(
            generic.DictionaryObject(
                {
                    pdf_name("/FT"): pdf_name("/Sig"),
                    pdf_name("/T"): generic.pdf_string("Later"),
                    pdf_name("/Kids"): generic.ArrayObject([widget_ref]),
                }
            )
        )
        widget[pdf_name("/Parent")] = field
        form, page = writer.root["/AcroForm"], page_ref.get_object()
        for holder, key, added in ((form, "/Fields", field), (page, "/Annots", widget_ref)):
            held = holder[key]
            holder[pdf_name(key)] = generic.ArrayObject([*map(held.raw_get, range(len(held))), added])
        writer.update_container(form)
        writer.mark_update(page_ref)

    return change


def room(*corners: int) -> Any:
    return generic.ArrayObject([generic.NumberObject(at) for at in corners])


def reordered(writer: Writer) -> None:
    """The notes of the page in the other order, and a field more so that the page may change."""
    new_field()(writer)
    page_ref, _ = writer.find_page_for_modification(0)
    notes = page_ref.get_object()["/Annots"]
    page_ref.get_object()[pdf_name("/Annots")] = generic.ArrayObject(
        [notes.raw_get(at) for at in reversed(range(len(notes)))]
    )
    writer.mark_update(page_ref)


def listed_twice(writer: Writer) -> None:
    """A note of the page once more at the end, above all others."""
    new_field()(writer)
    page_ref, _ = writer.find_page_for_modification(0)
    notes = page_ref.get_object()["/Annots"]
    page_ref.get_object()[pdf_name("/Annots")] = generic.ArrayObject(
        [*map(notes.raw_get, range(len(notes))), notes.raw_get(0)]
    )
    writer.mark_update(page_ref)


def fields_reordered(writer: Writer) -> None:
    """The fields of the form in the other order, and one more so that they may change."""
    new_field()(writer)
    form = writer.root["/AcroForm"]
    held = form["/Fields"]
    form[pdf_name("/Fields")] = generic.ArrayObject(map(held.raw_get, reversed(range(len(held)))))
    writer.update_container(form)


CHANGES: dict[str, tuple[Callable[[Writer], None], str]] = {
    "an action on opening": (entry("/OpenAction", script()), "'/OpenAction'"),
    "actions of the document": (
        entry("/AA", generic.DictionaryObject({pdf_name("/WC"): script()})),
        "'/AA'",
    ),
    "names": (entry("/Names", generic.DictionaryObject()), "'/Names'"),
    "what the viewer shows": (
        entry(
            "/ViewerPreferences",
            generic.DictionaryObject({pdf_name("/DisplayDocTitle"): generic.BooleanObject(True)}),
        ),
        "/ViewerPreferences differ",
    ),
    "layers": (entry("/OCProperties", generic.DictionaryObject()), "'/OCProperties'"),
    "a title": (information(Title="Khác"), "Information changed: /Title"),
    "an author and a keyword": (information(Keywords="x", Author="y"), "changed: /Author, /Keywords"),
    "another day of making": (information(CreationDate="D:20300101"), "Information changed: /CreationDate"),
    "another maker": (information(Creator="x"), "Information changed: /Creator"),
    "the form is to be drawn anew": (
        form_entry("/NeedAppearances", generic.BooleanObject(True)),
        "The form's /NeedAppearances was changed",
    ),
    "a script on a field": (new_field(A=script()), "Field Later holds /A"),
    "scripts on a field": (
        new_field(AA=generic.DictionaryObject({pdf_name("/Fo"): script()}), PMD=script()),
        "Field Later holds /AA, /PMD",
    ),
    "a field with room": (new_field(Rect=room(90, 90, 20, 20)), "Field Later is not signed and shows"),
    "a field that a viewer may give room": (
        new_field(Rect=generic.ArrayObject([generic.pdf_string("x")] * 4)),
        "Field Later is not signed and shows",
    ),
    "a field of three corners": (new_field(Rect=room(0, 0, 0)), "Field Later is not signed and shows"),
    "a field with a state that shows": (states(b"0 0 9 9 re f"), "Field Later is not signed and shows"),
    "a field whose part has room": (in_parts(0, 0, 9, 9), "Field Later is not signed and shows"),
    "notes in another order": (reordered, "The notes and fields of a page are in another order"),
    "fields in another order": (fields_reordered, "The fields of the form are in another order"),
    "a note twice": (listed_twice, "The notes and fields of a page are in another order"),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_change_that_no_signature_needs_ends_what_it_covers(
    change: str, pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    made, detail = CHANGES[change]
    check = coverage(forgery.later(signed_bytes, made), pki, tmp_path)
    assert (check.id, check.severity) == ("coverage", "fail")
    assert "The document was changed after this signature" in check.message.render("en")
    assert detail in check.detail
    assert check.hint is not None


HARMLESS: dict[str, Callable[[Writer], None]] = {
    "another date": information(ModDate="D:20300101000000Z"),
    "another program": information(Producer="x"),
    "a field": new_field(),
    "a field that is a line across": new_field(Rect=room(50, 50, 90, 50)),
    "a field that is a line down": new_field(Rect=room(50, 50, 50, 90)),
    "a field with a state that is empty": states(b" \n"),
    "a field in parts": in_parts(0, 0, 0, 0),
    "a form's first resources": form_entry("/DR", generic.DictionaryObject()),
}


@pytest.mark.parametrize("change", sorted(HARMLESS))
def test_a_change_that_shows_and_does_nothing_may_follow(
    change: str, pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    check = coverage(forgery.later(signed_bytes, HARMLESS[change]), pki, tmp_path)
    assert check.severity == "pass", check


@pytest.mark.parametrize(
    ("entries", "detail"),
    [
        (b"/Producer(x)/ModDate(D:2030)/Creator(y)/CreationDate(D:2030)", ""),
        (b"/Producer(x)/Title(Khac)", "Information changed: /Title"),
    ],
)
def test_information_that_was_not_there_may_name_programs_and_dates_and_no_title(
    entries: bytes, detail: str, pki: Pki, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    bare = papers.built(tmp_path, papers.hybrid(), "--object-streams=disable")
    signed = re.sub(rb"/Info \d+ 0 R", lambda found: b" " * len(found[0]), forgery.signed(bare, rsa_signer))
    reader = revision.read(signed)
    assert "/Info" not in reader.trailer
    size = int(reader.trailer["/Size"])
    later = revision.appended(signed, {size: b"<<%s>>" % entries}, trailer=b"/Info %d 0 R" % size)
    path = tmp_path / "later.pdf"
    path.write_bytes(later)
    (signature,) = validate(path, trust=pki.anchors, crls=pki.crls()).signatures
    (check,) = [check for check in signature.checks if check.id == "coverage"]
    assert detail in check.detail
    assert (check.severity == "pass") == (not detail)


def test_only_form_entries_that_were_changed_are_named(pki: Pki, signed_bytes: bytes, tmp_path: Path) -> None:
    check = coverage(forgery.filled(signed_bytes, "x"), pki, tmp_path)
    assert "Form entries were changed" in check.message.render("en")
    assert (check.severity, check.detail) == ("fail", "Note")


ELSEWHERE = b"<rdf:Description rdf:about='' xmlns:t='urn:t'%s</rdf:RDF>"


@pytest.mark.parametrize(
    ("before", "after", "detail"),
    [
        (b'xmp:ModifyDate="', b'xmp:ModifyDate="2', ""),
        (b'pdf:Producer="', b'pdf:Producer="Other ', ""),
        (b':InstanceID="', b':InstanceID="Other', ""),
        (
            b'xmp:CreatorTool="',
            b'xmp:CreatorTool="Other ',
            "Metadata changed: {http://ns.adobe.com/xap/1.0/}C",
        ),
        (b"</rdf:RDF>", ELSEWHERE % b" t:title='Khac'/>", "Metadata changed: {urn:t}title"),
        (
            b"</rdf:RDF>",
            ELSEWHERE % b"><t:title>Khac</t:title><t:by/></rdf:Description>",
            "Metadata changed: {urn:t}by, {urn:t}title",
        ),
        (b"<rdf:li>vi", b"<rdf:li>en", "Metadata changed: {http://purl.org/dc/elements/1.1/}language"),
        (b"<rdf:li>", b"<rdf:li a='b'>", "Metadata changed: "),
        (b"<rdf:li>", b"<rdf:li/><rdf:li>", "Metadata changed: "),
        (b"</rdf:RDF>", b"</rdf:RDF><open>", "Metadata cannot be read: "),
        (b"</rdf:RDF>", b" </rdf:RDF>", ""),
    ],
)
def test_the_metadata_may_say_another_date_and_no_other_title(
    before: bytes, after: bytes, detail: str, pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    reference = revision.read(signed_bytes).root.raw_get("/Metadata").reference
    text = reference.get_object().data
    assert before in text
    made = revision.stream(text.replace(before, after, 1), b"/Type/Metadata/Subtype/XML")
    check = coverage(revision.appended(signed_bytes, {reference.idnum: made}), pki, tmp_path)
    assert check.severity == ("fail" if detail else "pass"), check
    assert detail in check.detail


def test_the_metadata_may_say_the_same_in_the_other_way_to_write_it(
    pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    reference = revision.read(signed_bytes).root.raw_get("/Metadata").reference
    text = reference.get_object().data
    attribute = re.search(rb' xmp:CreatorTool="([^"]*)"', text)
    assert attribute is not None
    element = b"<xmp:CreatorTool>" + attribute[1] + b"</xmp:CreatorTool></rdf:Description>"
    other = text.replace(attribute[0], b"").replace(b"</rdf:Description>", element)
    made = revision.stream(other, b"/Type/Metadata/Subtype/XML")
    assert (
        coverage(revision.appended(signed_bytes, {reference.idnum: made}), pki, tmp_path).severity == "pass"
    )


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<r:Description xmlns:t="http://purl.org/dc/elements/1.1/" r:about=""><t:title><r:Alt>
<r:li xml:lang="vi" t:by="A">M\xe1\xba\xabu</r:li><r:li xml:lang="en">Sample</r:li></r:Alt></t:title>
<t:format/>
</r:Description></r:RDF></x:xmpmeta>"""


@pytest.mark.parametrize(
    ("before", "after", "alike"),
    [
        (b'xml:lang="vi" t:by="A"', b't:by="A" xml:lang="vi"', True),
        (b"<r:Alt>\n<r:li", b"<r:Alt><r:li", True),
        (b">Sample<", b">\n Sample <", True),
        (b"<t:format/>", b"<t:format></t:format>", True),
        (b'r:about=""', b'r:about="x"', True),
        (b'xml:lang="vi"', b'xml:lang="en"', False),
        (b't:by="A"', b't:of="A"', False),
        (b">Sample<", b">Another<", False),
        (b"<r:Alt>\n", b"<r:Alt>Another\n", False),
        (b"r:Alt>", b"r:Seq>", False),
    ],
)
def test_metadata_is_compared_by_what_it_says_to_the_last_attribute_and_not_by_how_it_is_written(
    before: bytes, after: bytes, alike: bool, letter_bytes: bytes
) -> None:
    data = forgery.with_text_field(letter_bytes)
    number = revision.read(data).root.raw_get("/Metadata").idnum
    for text in (XMP, XMP.replace(before, after)):
        data = revision.appended(data, {number: revision.stream(text, b"/Type/Metadata/Subtype/XML")})
    reader = revision.read(data)
    outcome = StrictPolicy().review_file(reader, reader.xrefs.total_revisions - 2)
    assert isinstance(outcome, SuspiciousModification) == (not alike)
    assert ("Metadata changed: " in str(outcome)) == (not alike)


def test_metadata_that_was_not_there_is_a_change(
    pki: Pki, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    bare = forgery.signed(papers.built(tmp_path, papers.hybrid(), "--object-streams=disable"), rsa_signer)
    reader = revision.read(bare)
    size, root = int(reader.trailer["/Size"]), reader.root
    assert "/Metadata" not in root
    catalog = revision.written(root).rstrip()[:-2] + b"/Metadata %d 0 R>>" % size
    text = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
      xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
      xmlns:t="http://purl.org/dc/elements/1.1/"><t:title>Khac</t:title></rdf:Description></rdf:RDF></x:xmpmeta>"""
    objects = {reader.root_ref.idnum: catalog, size: revision.stream(text, b"/Type/Metadata/Subtype/XML")}
    assert coverage(revision.appended(bare, objects), pki, tmp_path).severity == "fail"


def test_a_place_for_a_signature_that_was_there_when_another_signed_stays_what_it_was(
    pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    """It may show a frame, and have entries of its maker's own."""
    reserved = new_field(Rect=room(50, 50, 90, 90), PMD=generic.DictionaryObject())
    prepared = forgery.later(forgery.with_text_field(letter_bytes), reserved)
    signed = forgery.signed(prepared, rsa_signer)
    check = coverage(forgery.later(signed, information(Producer="x")), pki, tmp_path)
    assert check.severity == "pass", check


@pytest.mark.parametrize(("action", "severity"), [("ALL", "fail"), ("INCLUDE", "pass")])
def test_fields_that_a_signer_locked_take_no_later_signature(
    action: str, severity: str, pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    lock = fields.FieldMDPSpec(fields.FieldMDPAction[action], ["Note"])
    spec = fields.SigFieldSpec("Signature1", field_mdp_spec=lock)
    prepared = forgery.later(
        forgery.with_text_field(letter_bytes), lambda writer: fields.append_signature_field(writer, spec)
    )
    twice = forgery.signed(forgery.signed(prepared, rsa_signer), rsa_signer, field="Second")
    assert coverage(twice, pki, tmp_path).severity == severity


def fonts(name: str, **more: str) -> generic.DictionaryObject:
    """The resources of a form: its one font, and others by their names."""
    held = {
        pdf_name(f"/{key}"): generic.DictionaryObject({pdf_name("/BaseFont"): pdf_name(font)})
        for key, font in {"F": name, **more}.items()
    }
    return generic.DictionaryObject({pdf_name("/Font"): generic.DictionaryObject(held)})


def test_a_later_signer_may_bring_resources_of_its_own(
    pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    with_form = forgery.later(forgery.with_text_field(letter_bytes), form_entry("/DR", fonts("/Helvetica")))
    signed = forgery.signed(with_form, rsa_signer)
    added = forgery.later(signed, form_entry("/DR", fonts("/Helvetica", Own="/Courier")))
    assert coverage(added, pki, tmp_path).severity == "pass"


@pytest.mark.parametrize("name", ["/DR", "/DA", "/Q"])
def test_what_a_form_draws_its_fields_with_stays_as_it_was(
    name: str, pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    value = {
        "/DR": fonts("/Helvetica"),
        "/DA": generic.pdf_string("/F 1 Tf"),
        "/Q": generic.NumberObject(1),
    }
    with_form = forgery.later(forgery.with_text_field(letter_bytes), form_entry(name, value[name]))
    signed = forgery.signed(with_form, rsa_signer)
    other = {
        "/DR": fonts("/Courier"),
        "/DA": generic.pdf_string("/F 99 Tf"),
        "/Q": generic.NumberObject(2),
    }
    check = coverage(forgery.later(signed, form_entry(name, other[name])), pki, tmp_path)
    assert check.severity == "fail", check
    assert f"The form's {name} was changed" in check.detail


@pytest.mark.parametrize("value", [None, generic.NullObject(), generic.DictionaryObject()])
def test_what_a_form_draws_its_fields_with_is_not_given_up(
    value: Any, pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    def without(writer: Writer) -> None:
        form = writer.root["/AcroForm"]
        del form["/DR"]
        writer.update_container(form)

    with_form = forgery.later(forgery.with_text_field(letter_bytes), form_entry("/DR", fonts("/Helvetica")))
    change = without if value is None else form_entry("/DR", value)
    check = coverage(forgery.later(forgery.signed(with_form, rsa_signer), change), pki, tmp_path)
    assert (check.severity, "The form's /DR was changed" in check.detail) == ("fail", True)


def test_resources_that_stay_as_they_were_are_no_change(
    pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    for resources in (fonts("/Helvetica"), generic.NullObject()):
        with_form = forgery.later(forgery.with_text_field(letter_bytes), form_entry("/DR", resources))
        signed = forgery.signed(with_form, rsa_signer)
        assert coverage(forgery.later(signed, new_field()), pki, tmp_path).severity == "pass"


@pytest.mark.parametrize("kind", ["table", "stream"])
def test_a_revision_that_its_table_accounts_for_may_follow(
    kind: revision.Kind, pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    size = int(revision.read(signed_bytes).trailer["/Size"])
    check = coverage(revision.appended(signed_bytes, {size: b"<<>>"}, kind=kind), pki, tmp_path)
    assert check.severity == "pass", check
    spaced = revision.appended(
        signed_bytes, {size: b"<<>>"}, kind=kind, between=b"\r\n% a note of the writer\r\n \t"
    )
    assert coverage(spaced, pki, tmp_path).severity == "pass"
    twice = revision.appended(spaced, {size + 5: b"[1 0 R 2 (a\\)b) <00> /N#41 -.5 true]"}, kind=kind)
    assert coverage(twice, pki, tmp_path).severity == "pass"


def test_a_stream_may_say_elsewhere_how_long_it_is(pki: Pki, signed_bytes: bytes, tmp_path: Path) -> None:
    size = int(revision.read(signed_bytes).trailer["/Size"])
    body = b"<</Length %d 0 R>>\nstream\nlong\nendstream" % (size + 1)
    for length, verdict in ((b"4", "pass"), (b"3", "fail"), (b"(4)", "fail")):
        data = revision.appended(signed_bytes, {size: body, size + 1: length})
        assert coverage(data, pki, tmp_path).severity == verdict


def test_objects_in_an_object_stream_may_follow(pki: Pki, signed_bytes: bytes, tmp_path: Path) -> None:
    size = int(revision.read(signed_bytes).trailer["/Size"])
    packed = {size: b"<<>>", size + 1: b"[1 2]"}
    check = coverage(revision.appended(signed_bytes, {}, packed=packed, kind="stream"), pki, tmp_path)
    assert check.severity == "pass", check


def unaccounted(data: bytes) -> dict[str, bytes]:
    """Revisions whose table does not say what is there."""
    reader = revision.read(data)
    size, table = int(reader.trailer["/Size"]), revision.last_table(data)
    page_ref = reader.root["/Pages"]["/Kids"].raw_get(0).reference
    page = revision.written(page_ref.get_object())
    one = {size: b"<<>>"}
    right = revision.appended(data, one)
    return {
        "an object that no table lists": revision.appended(data, one, unlisted={page_ref.idnum: page}),
        "an object beside, in a stream": revision.appended(
            data, {}, kind="stream", packed=one, unlisted_packed={page_ref.idnum: page}
        ),
        "an entry beside its object": revision.appended(data, one, off={size: 3}),
        "entries that lead nowhere": revision.appended(data, one, shifted=7),
        "junk between": revision.appended(data, one, between=b"junk\n"),
        "an object in a comment": revision.appended(data, one, between=b"% 3 0 obj <<>> endobj\n"),
        "junk before the table": revision.appended(data, one, before_table=b"(text)\n"),
        "two tables": revision.appended(data, one, kind="hybrid"),
        "another generation": revision.appended(data, one, generations={size: 1}),
        "a wrong startxref": revision.appended(data, one, start=table),
        "a chain that skips": revision.appended(right, {size + 1: b"<<>>"}, prev=table),
        "a chain of its own": revision.appended(data, one, prev=len(data) + 40),
        "a size that is too small": revision.appended(data, one, size=size),
        "an object given up": revision.appended(data, one, free={page_ref.idnum: 1}),
        "a free object given up": revision.appended(data, one, free={size + 1: 65535}),
        "a key twice": revision.appended(data, {size: b"<</A 1/#41 2>>"}),
        "a table in a stream that is longer than it says": revision.appended(
            data, one, kind="stream", padding=bytes(7)
        ),
        "a stream of another length": revision.appended(
            data, {size: b"<</Length 2>>\nstream\nlong\nendstream"}
        ),
        "an object without an end": revision.appended(data, {size: b"<<>> 5"}),
        "brackets that do not match": revision.appended(data, {size: b"[<<]>>"}),
        "another catalog": revision.appended(data, {size: b"<<>>"}, root=b"%d 0 R" % size),
        "an object twice": _twice(data, size),
        "something after the end": right + b"5 0 obj\n<<>>\nendobj\n",
        "a comment after the end": right + b"% 5 0 obj <<>> endobj\n",
    }


def _twice(data: bytes, size: int) -> bytes:
    """The same object twice, of which the table lists the second."""
    body = b"%d 0 obj\n<<>>\nendobj\n" % size
    return revision.appended(data, {size: b"<<>>"}, between=body)


@pytest.mark.parametrize("trick", sorted(unaccounted(papers.hybrid())))
def test_what_its_table_does_not_account_for_ends_what_a_signature_covers(
    trick: str, pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    data = unaccounted(signed_bytes)[trick]
    path = tmp_path / "judged.pdf"
    path.write_bytes(data)
    try:
        verdict = validate(path, trust=pki.anchors, crls=pki.crls()).verdict
    except DocumentUnfit:
        verdict = "fail"
    assert verdict == "fail"


def test_what_was_signed_must_not_have_been_waiting_for_what_came_later(
    pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    """Shadow attack: the signed page refers to a content stream that is only added after the signature."""

    def waiting(writer: Writer) -> None:
        page_ref, _ = writer.find_page_for_modification(0)
        page = page_ref.get_object()
        absent = generic.IndirectObject(900, 0, writer)
        page[pdf_name("/Contents")] = generic.ArrayObject([page.raw_get("/Contents"), absent])
        writer.mark_update(page_ref)

    signed = forgery.signed(forgery.later(letter_bytes, waiting), rsa_signer)
    assert coverage(signed, pki, tmp_path).severity == "pass"
    drawn = revision.appended(signed, {900: revision.stream(b"0 0 600 842 re f")})
    check = coverage(drawn, pki, tmp_path)
    assert check.severity == "fail"
    assert "was referred to before it was there" in check.detail
