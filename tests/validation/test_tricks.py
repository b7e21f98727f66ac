"""Revisions after a signature, from a grammar of tricks: what any engine shows changed never passes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from fieldkit.errors import FieldkitError
from fieldkit.stamp import place
from fieldkit.validation import appearance
from fieldkit.validation.validate import validate
from tests import papers
from tests.pki import Pki, SoftwareSigner
from tests.validation import forgery, revision

PICTURE = b"1 0 0 rg 40 300 400 300 re f"
FORM = b"/Type/XObject/Subtype/Form/BBox[0 0 600 842]"


class Target:
    """A signed document, and the objects of it that tricks are played with."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        reader = revision.read(data)
        root = reader.root
        self.size, self.table = int(reader.trailer["/Size"]), revision.last_table(data)
        self.root, self.catalog = reader.root_ref.idnum, _entries(root)
        page = root["/Pages"]["/Kids"].raw_get(0)
        self.page, self.page_entries = page.reference.idnum, _entries(page.get_object())
        self.contents = page.get_object().raw_get("/Contents").reference.idnum
        fonts = page.get_object()["/Resources"]["/Font"]
        self.font = fonts.raw_get(next(iter(fonts))).reference.idnum
        self.form, fields = _entries(root["/AcroForm"]), root["/AcroForm"]["/Fields"]
        self.form_number = root.raw_get("/AcroForm").reference.idnum
        self.fields = [fields.raw_get(at).reference.idnum for at in range(len(fields))]
        self.text, self.signature = (_entries(fields[at]) for at in (0, 1))
        self.appearance = fields[1]["/AP"].raw_get("/N").reference.idnum

    def page_with(self, **entries: bytes) -> dict[int, bytes]:
        return {self.page: _written(self.page_entries, entries)}

    def catalog_with(self, **entries: bytes) -> dict[int, bytes]:
        return {self.root: _written(self.catalog, entries)}

    def noted(self, note: bytes, *, field: bool) -> dict[int, bytes]:
        """A further note on the page, or field of the form."""
        notes = self.page_entries["/Annots"].strip().removesuffix(b"]")
        made = {self.size: note, **self.page_with(Annots=notes + b" %d 0 R]" % self.size)}
        if field:
            fields = b"[%s %d 0 R]" % (b" ".join(b"%d 0 R" % each for each in self.fields), self.size)
            made |= {self.form_number: _written(self.form, {"Fields": fields})}
        return made


def _entries(holder: Any) -> dict[str, bytes]:
    return {name: revision.written(holder.raw_get(name)) for name in holder}


def _written(entries: Mapping[str, bytes], others: Mapping[str, bytes]) -> bytes:
    made = dict(entries) | {f"/{name}": value for name, value in others.items()}
    return b"<<%s>>" % b" ".join(name.encode() + b" " + value for name, value in made.items())


WRONG = ("prev", "start", "size", "between", "off", "free", "generation", "root", "shifted")

numbers = some.sampled_from((-20, 0, 20.4, 21, 100, 500, 700, 1200))
rects = some.tuples(numbers, numbers, numbers, numbers)


@some.composite
def tricks(draw: some.DrawFn, target: Target) -> dict[int, bytes]:
    """New and other objects: what a page shows, what lies over it, what a viewer does."""
    size, picture = target.size, revision.stream(PICTURE)
    shown = revision.stream(draw(some.sampled_from((PICTURE, b" "))), FORM)
    rect = b"[%s]" % " ".join(map(str, draw(rects))).encode()
    widget = b"/Type/Annot/Subtype/Widget/F 4/P %d 0 R/Rect%s/AP<</N %d 0 R>>" % (target.page, rect, size + 1)
    text = b"<</Type/Annot/Subtype/FreeText/F 4/Contents(1.000)/DA(/Helv 20 Tf)/Rect%s>>" % rect
    stamp = b"<</Type/Annot/Subtype/Stamp/F 4/Rect%s/AP<</N %d 0 R>>>>" % (rect, size + 1)
    seen = {size + 1: shown}
    bare = widget[: widget.index(b"/AP")]
    hidden = b"/Type/Annot/Subtype/Widget/F 6/P %d 0 R/Rect[0 0 0 0]/AP<</N %d 0 R>>" % (
        target.page,
        size + 1,
    )
    script = b"<</S/JavaScript/JS(app.alert\\(1\\))>>"
    script_tree = b"<</JavaScript<</Names[(a) %s]>>>>" % script
    made = draw(
        some.sampled_from(
            (
                {size: picture} | target.page_with(Contents=b"%d 0 R" % size),
                {size: picture} | target.page_with(Contents=b"[%d 0 R %d 0 R]" % (target.contents, size)),
                target.page_with(Resources=b"<<>>"),
                target.page_with(Rotate=b"90"),
                target.page_with(MediaBox=b"[0 0 300 842]"),
                target.page_with(CropBox=b"[0 0 300 842]"),
                target.page_with(UserUnit=b"2"),
                target.page_with(Annots=b"[]"),
                target.page_with(AA=b"<</O %s>>" % script),
                {target.contents: picture},
                {target.font: b"<</Type/Font/Subtype/Type1/BaseFont/Symbol>>"},
                {
                    target.appearance: revision.stream(
                        b"0 0 1 rg 0 0 99 99 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 99 99]"
                    )
                },
                {target.fields[0]: _written(target.text, {"V": b"(other)"})},
                {
                    target.fields[0]: _written(target.text, {"AP": b"<</N %d 0 R>>" % size}),
                    size: revision.stream(PICTURE, FORM),
                },
                {target.fields[1]: _written(target.signature, {"Rect": rect})},
                {target.fields[1]: _written(target.signature, {"AP": b"<</N %d 0 R>>" % size}), size: shown},
                {target.form_number: _written(target.form, {"NeedAppearances": b"true"})},
                {target.form_number: _written(target.form, {"Fields": b"[%d 0 R]" % target.fields[1]})},
                target.noted(b"<<%s/FT/Sig/T(Later)>>" % widget, field=True) | seen,
                target.noted(b"<<%s/FT/Sig/T(Later)/A %s>>" % (widget, script), field=True) | seen,
                target.noted(b"<<%s/FT/Btn/Ff 65536/T(Later)>>" % widget, field=True) | seen,
                target.noted(b"<<%s/FT/Sig/T(Later)>>" % widget, field=False) | seen,
                target.noted(text, field=False),
                target.noted(stamp, field=False) | seen,
                target.catalog_with(OpenAction=script),
                target.catalog_with(Names=script_tree),
                target.catalog_with(AcroForm=b"<</Fields[]>>"),
                target.catalog_with(Pages=b"%d 0 R" % size)
                | {
                    size: b"<</Type/Pages/Count 1/Kids[%d 0 R]>>" % (size + 1),
                    size + 1: b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 595 842]>>" % size,
                },
                target.noted(b"<<%s/FT/Sig/T(Later)>>" % hidden, field=True) | seen,
                target.noted(
                    b"<<%s/FT/Sig/T(Later)/AP<</N<</On %d 0 R>>>>/AS/On>>" % (bare, size + 1), field=True
                )
                | seen,
                target.noted(b"<<%s/FT/Sig/T(Later)/MK<</BG[1 0 0]/BC[0 0 0]>>>>" % bare, field=True),
                target.noted(b"<<%s/FT/Sig/T(Later)/BS<</W 30>>/Border[0 0 30]>>" % bare, field=True),
                target.noted(b"<</FT/Sig/T(Later)/Kids[%d 0 R]>>" % (size + 2), field=True)
                | {size + 2: b"<<%s/Parent %d 0 R>>" % (widget, size)}
                | seen,
                target.page_with(Annots=b"%d 0 R" % size)
                | {size: target.page_entries["/Annots"].replace(b"]", b" %d 0 R]" % target.fields[1])},
                target.catalog_with(Version=b"/2.0", Extensions=b"<<>>", MarkInfo=b"<</Marked false>>"),
                target.catalog_with(DSS=b"<</Certs[%d 0 R]>>" % size) | {size: picture},
                target.catalog_with(DSS=b"<</Certs[%d 0 R]>>" % target.contents) | {target.contents: picture},
                {size: b"<<>>"},
                {size: picture, size + 1: b"[%d 0 R]" % target.page},
                {target.page: _written(target.page_entries, {})},
                {target.root: _written(target.catalog, {})},
                target.catalog_with(DSS=b"<</Type/DSS/Certs[]>>"),
            )
        )
    )
    return dict(made)


@some.composite
def revisions(draw: some.DrawFn, target: Target) -> bytes:
    """One or two revisions, each with a trick and with something of how it is written wrong."""
    data = target.data
    for _ in range(draw(some.integers(1, 2))):
        data = draw(written(target, data))
    return data


@some.composite
def written(draw: some.DrawFn, target: Target, data: bytes) -> bytes:
    objects, size = draw(tricks(target)), target.size
    kind: revision.Kind = draw(some.sampled_from(("table", "table", "stream", "hybrid")))
    where = draw(some.sampled_from(("listed", "listed", "packed", "unlisted", "unlisted_packed")))
    plain = {number: body for number, body in objects.items() if b"stream" in body}
    rest = {number: body for number, body in objects.items() if number not in plain}
    if kind == "table" and "packed" in where:
        where = "listed"
    options: dict[str, Any] = {} if where == "listed" else {where: rest}
    listed = objects if where == "listed" else plain
    if where.startswith("unlisted"):
        listed = {**plain, size + 3: b"<<>>"}
        options |= {"packed": {size + 4: b"<<>>"}} if where == "unlisted_packed" else {}
    if not listed:
        listed = {size + 3: b"<<>>"}
    wrong = draw(some.sampled_from(("", *WRONG)) if draw(some.booleans()) else some.just(""))
    some_number = draw(some.sampled_from(sorted(listed)))
    junk = (b"junk\n", b"% note\n", b"25 0 obj\n<<>>\nendobj\n", b"\0\0\t\r\n")
    options |= {
        "": {},
        "prev": {"prev": draw(some.sampled_from((0, 9, len(data) + 30, target.table)))},
        "start": {"start": draw(some.sampled_from((0, target.table, len(data) + 1, len(data) * 2)))},
        "size": {"size": draw(some.sampled_from((1, size, size + 1)))},
        "between": {"between": draw(some.sampled_from(junk))},
        "off": {"off": {some_number: draw(some.sampled_from((-9, -1, 1, 2, 9)))}},
        "free": {"free": {target.page: 1}},
        "generation": {"generations": {some_number: draw(some.sampled_from((1, 65535)))}},
        "root": {"root": b"%d 0 R" % (size if size in listed else target.page)},
        "shifted": {"shifted": draw(some.sampled_from((-3, 1, 7)))},
    }[wrong]
    right = {"root": b"%d 0 R" % target.root, "known": target.size}
    return revision.appended(data, listed, kind=kind, **(right | options))


JOINTS = (b"\n", b"\0\0\t\r\n", b"% note\n", b"%\r\n\r", b"% 1 0 R\n")

HONEST = ("nothing", "page", "catalog", "store", "field", "dates")


@some.composite
def nearly_honest(draw: some.DrawFn, target: Target) -> bytes:
    """One to three revisions as signers' software writes them, at most one of them a little wrong."""
    data, size = target.data, target.size
    count = draw(some.integers(1, 3))
    odd = draw(some.integers(0, count))  # which of them; often none
    objects: dict[int, bytes] = {}
    for number in range(count):
        size += 8
        honest = draw(some.sampled_from(HONEST))
        hidden = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(New)/F 132/P %d 0 R/Rect[0 0 0 0]>>" % target.page
        objects = {
            "nothing": {size: b"<<>>"},
            "page": {target.page: _written(target.page_entries, {})},
            "catalog": {target.root: _written(target.catalog, {})},
            "store": target.catalog_with(DSS=b"<</Type/DSS/Certs[]>>"),
            "field": target.noted(hidden, field=True),
            "dates": {size: b"<</ModDate(D:20260101000000Z)>>"},
        }[honest]
        kind: revision.Kind = draw(some.sampled_from(("table", "stream")))
        packed = draw(some.booleans()) if kind == "stream" else False
        options: dict[str, Any] = {"between": draw(some.sampled_from((b"", b"", *JOINTS)))}
        if number == odd:
            options |= draw(subtle(target, data, sorted(objects)))
        options["root"] = b"%d 0 R" % target.root
        options["known"] = size + 4
        if packed:
            data = revision.appended(data, {}, kind=kind, packed=objects, **options)
        else:
            data = revision.appended(data, objects, kind=kind, **options)
    return data


@some.composite
def subtle(draw: some.DrawFn, target: Target, data: bytes, numbers: list[int]) -> dict[str, Any]:
    """One thing that is written a little otherwise than it should be."""
    picture = {target.contents: revision.stream(PICTURE)}
    return draw(
        some.sampled_from(
            (
                {"before_table": b"% note\n"},
                {"before_table": b"\0"},
                {"before_table": b"startxref\n%d\n%%%%EOF\n" % target.table},
                {"padding": bytes(7)},
                {"trailer": b"/Info 1 0 R"},
                {"trailer": b"/Info null"},
                {"trailer": b"/XRefStm %d" % target.table},
                {"trailer": b"/Extra(1)"},
                {"size": 2 * target.size + 100},
                {"off": {numbers[0]: -1}},
                {"off": {numbers[-1]: 1}},
                {"generations": {numbers[-1]: 1}},
                {"free": {target.size + 50: 0}},
                {"free": {target.contents: 1}},
                {"unlisted": picture},
                {"unlisted": {target.page: _written(target.page_entries, {"Rotate": b"90"})}},
                {"prev": target.table},
                {"prev": revision.last_table(data) + 1},
                {"start": target.table},
                {"shifted": 1},
            )
        )
    )


@pytest.fixture(scope="module")
def target(
    rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Target:
    """A letter with a form field and a signature that shows, without object streams."""
    flat = papers.built(tmp_path_factory.mktemp("target"), letter_bytes, "--object-streams=disable")
    with_fields = papers.fields(forgery.with_text_field(flat), "Signature1", box=(300, 100, 400, 160))
    return Target(forgery.signed(with_fields, rsa_signer))


def never_passes_what_is_shown_changed(
    made: some.SearchStrategy[bytes], pki: Pki, folder: Path, examples: int
) -> int:
    """How many of the examples passed, and rightly so."""
    path, crls, passed = folder / "tricked.pdf", pki.crls(), 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=examples < 100,
    )
    @given(made)
    def tried(data: bytes) -> None:
        nonlocal passed
        path.write_bytes(data)
        try:
            judged = validate(path, trust=pki.anchors, crls=crls)
        except FieldkitError:
            return
        if judged.verdict != "pass":
            return
        compared = appearance.compare(path)
        shown = [check for check in compared.checks if check.severity != "pass"]
        assert not shown, "the structure alone tells what the engines show"
        passed += 1

    tried()
    return passed


def test_what_any_engine_shows_changed_never_passes(target: Target, pki: Pki, tmp_path: Path) -> None:
    never_passes_what_is_shown_changed(revisions(target), pki, tmp_path, 25)


def test_engines_agree_on_what_is_written_nearly_as_it_should_be(
    target: Target, pki: Pki, tmp_path: Path
) -> None:
    assert never_passes_what_is_shown_changed(nearly_honest(target), pki, tmp_path, 8) >= 2


def never_passes_what_covers_a_word(
    target: Target, pki: Pki, other: SoftwareSigner, folder: Path, examples: int
) -> int:
    """How many of the examples passed, and rightly so."""
    path, crls, passed = folder / "covered.pdf", pki.crls(), 0
    path.write_bytes(target.data)
    (page,) = place.pages(path)
    assert len(page.words) > 100
    sides = some.integers(12, 120)

    @settings(max_examples=examples, deadline=None, database=None, derandomize=examples < 100)
    @given(some.integers(0, 480), some.integers(0, 720), sides, sides)
    def tried(left: int, top: int, width: int, height: int) -> None:
        nonlocal passed
        right, bottom = left + width, top + height
        rect = (left, page.height - bottom, right, page.height - top)
        path.write_bytes(papers.stamped(target.data, other, "Later", papers.OPAQUE, rect))
        judged = appearance.judged(
            validate(path, trust=pki.anchors, crls=crls), appearance.compare(path, asked=("pdfium",))
        )
        covered = [
            word.text
            for word in page.words
            if min(right, word.right) - max(left, word.left) > 2
            and min(bottom, word.bottom) - max(top, word.top) > 4
        ]
        assert judged.verdict == "indeterminate" or (judged.verdict == "pass" and not covered), covered
        passed += judged.verdict == "pass"

    tried()
    return passed


def test_a_later_stamp_over_any_signed_word_never_passes(
    target: Target, pki: Pki, ec_signer: SoftwareSigner, tmp_path: Path
) -> None:
    assert never_passes_what_covers_a_word(target, pki, ec_signer, tmp_path, 8)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_what_any_engine_shows_changed_never_passes_at_length(
    target: Target, pki: Pki, ec_signer: SoftwareSigner, tmp_path: Path
) -> None:
    never_passes_what_is_shown_changed(revisions(target), pki, tmp_path, 5000)
    assert never_passes_what_is_shown_changed(nearly_honest(target), pki, tmp_path, 5000) > 1500
    assert never_passes_what_covers_a_word(target, pki, ec_signer, tmp_path, 2000) > 200
