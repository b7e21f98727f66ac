"""Every byte that was appended is accounted for by the table that came with it, or it is said why not."""

from __future__ import annotations

import re
from io import BytesIO

import pytest

from fieldkit.validation import revisions
from tests import papers
from tests.validation import revision


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A document of one revision with one table."""
    return papers.built(
        tmp_path_factory.mktemp("plain"), papers.hybrid(), "--object-streams=disable", "--static-id"
    )


def reason(data: bytes, end: int, number: int = 0) -> str:
    """Why what follows byte `end`, where revision `number` ends, is not accounted for."""
    return revisions.unaccounted(revision.read(data), end, number)


DEEP = 59
GOOD = (
    b"<<>>",
    b"5",
    b"-.5",
    b"+4.",
    b"1 0 R",
    b"[1 0 R 2 3 4 0 R]",
    b"[1 2]",
    b"null",
    b"[true false null 1.25 -3]",
    b"(a(b)\\)c\\\\)",
    b"<00 aF\n0>",
    b"/N#41",
    b"<</A<</B[1 0 R]>>/C/D>>",
    b"[%a note of the writer\r 1]",
    b"[" * DEEP + b"]" * DEEP,
    b"<</Length 4>>\nstream\nlong\nendstream",
    b"<</Length 4>>stream\r\nlong\r\nendstream",
    b"<</Length 4>>\nstream\nlongendstream",
    b"<</Length 6>>\nstream\nendobj\nendstream\n",
    b"<</Length 0>>\nstream\n\nendstream",
    b"<</A/Length/Length 4>>\nstream\nlong\rendstream",
)


@pytest.mark.parametrize("body", GOOD)
@pytest.mark.parametrize("kind", ["table", "stream"])
def test_an_object_that_can_be_read_in_one_way_only_is_accounted_for(
    kind: revision.Kind, body: bytes, plain: bytes
) -> None:
    size = int(revision.read(plain).trailer["/Size"])
    once = revision.appended(plain, {size: body}, kind=kind)
    assert reason(once, len(plain)) == ""
    again = revision.appended(once, {size: b"<<>>", size + 3: body}, kind=kind)
    assert reason(again, len(plain)) == ""
    assert reason(again, len(once), 1) == ""


DOUBTFUL = (
    (b"<<>> 5", "an object does not end as it must"),
    (b"[<<]>>", "brackets do not match"),
    (b"]", "brackets do not match"),
    (b"<</A 1/#41 2>>", "a dictionary has a key twice, or what is none"),
    (b"<</A 1/B>>", "a dictionary has a key twice, or what is none"),
    (b"<<1 2>>", "a dictionary has a key twice, or what is none"),
    (b"<<(A) 2>>", "a dictionary has a key twice, or what is none"),
    (b"word", "a value is none"),
    (b"1.2.3", "a value is none"),
    (b"--1", "a value is none"),
    (b"<0g>", "a value is none"),
    (b"[1 R]", "a reference is none"),
    (b"[R]", "a reference is none"),
    (b"[/A 0 R]", "a reference is none"),
    (b"[1 0.0 R]", "a reference is none"),
    (b"(a(b)", "a text has no end"),
    (b"[%endstream\n1]", "a comment hides something"),
    (b"[%trailer\n1]", "a comment hides something"),
    (b"[% startXREF\n1]", "a comment hides something"),
    (b"[%%%EOF\n1]", "a comment hides something"),
    (b"[" * (DEEP + 1) + b"]" * (DEEP + 1), "values are nested too deep"),
    (b"<<>>\nstream\nx\nendstream", "a stream does not say how long it is"),
    (b"<</Length -1>>\nstream\nx\nendstream", "a stream does not say how long it is"),
    (b"<</Length(1)>>\nstream\nx\nendstream", "a stream does not say how long it is"),
    (b"<</Length 2>>\nstream\nlong\nendstream", "a stream is not as long as it says"),
    (b"<</Length 9>>\nstream\nlong\nendstream", "a stream is not as long as it says"),
    (b"<</Length 4>>\nstream\rlong\nendstream", "a stream does not begin as it must"),
    (b"<</Length 4>>\nstream long\nendstream", "a stream does not begin as it must"),
    (b"[]\nstream\nlong\nendstream", "a stream does not begin as it must"),
    (b"<</Length 4>>\nstream\nlong\nendstream 5", "an object does not end as it must"),
)


@pytest.mark.parametrize(("body", "expected"), DOUBTFUL)
def test_an_object_that_readers_may_take_in_two_ways_is_told_with_its_place(
    body: bytes, expected: str, plain: bytes
) -> None:
    size = int(revision.read(plain).trailer["/Size"])
    data = revision.appended(plain, {size: body})
    told, _, at = reason(data, len(plain)).rpartition(", byte ")
    assert told == expected
    assert len(plain) < int(at) < len(data)


def written(plain: bytes) -> dict[str, tuple[bytes, str]]:
    """Revisions that are not written as their table says, and what is told of them."""
    size, table = int(revision.read(plain).trailer["/Size"]), revision.last_table(plain)
    one, page = {size: b"<<>>"}, {3: b"<</Type/Page>>"}
    right = revision.appended(plain, one)
    listed = right.rindex(b"\nxref\n") + len(b"\nxref\n")
    packed = revision.appended(plain, {}, kind="stream", packed={size: b"<<>>", size + 1: b"[1 2]"})
    return {
        "right": (right, ""),
        "right, in a stream": (packed, ""),
        "right, with a larger size": (revision.appended(plain, one, size=size + 9), ""),
        "right, of an object that was there": (revision.appended(plain, {3: b"<<>>"}), ""),
        "right, with blanks": (revision.appended(plain, one, between=b"\0\t\n\f\r "), ""),
        "blanks only": (plain + b"\r\n\0\t\f ", ""),
        "unlisted": (
            revision.appended(plain, one, unlisted=page),
            "the table and the objects differ: [3]",
        ),
        "unlisted in a stream": (
            revision.appended(plain, {}, kind="stream", packed=one, unlisted_packed=page),
            f"object stream {size + 1} holds what the table does not list",
        ),
        "a stream of objects unlisted": (
            revision.appended(plain, one, kind="stream", unlisted_packed=page),
            f"object streams and the table differ: [{size + 1}]",
        ),
        "many unlisted": (
            revision.appended(plain, one, unlisted=dict.fromkeys(range(40, 47), b"<<>>")),
            "the table and the objects differ: [40, 41, 42, 43, 44]",
        ),
        "encryption": (
            revision.appended(plain, one, trailer=b"/Encrypt null"),
            "the trailer's /Encrypt was changed",
        ),
        "one byte off": (
            revision.appended(plain, one, off={size: 1}),
            f"the table and the objects differ: [{size}]",
        ),
        "all off": (
            revision.appended(plain, one, shifted=7),
            f"the table and the objects differ: [{size}]",
        ),
        "between": (revision.appended(plain, one, between=b"junk\n"), "something stands between the objects"),
        "hidden": (revision.appended(plain, one, between=b"%3 0 obj\n"), "a comment hides something"),
        "before the table": (
            revision.appended(plain, one, before_table=b"(text)\n"),
            "something stands between the objects",
        ),
        "twice": (
            revision.appended(plain, one, between=b"%d 0 obj\n<<>>\nendobj\n" % size),
            f"object {size} is there twice",
        ),
        "two tables": (revision.appended(plain, one, kind="hybrid"), "a revision has two tables"),
        "two tables that differ": (
            revision.appended(plain, one, kind="repeated", differing={min(one): 1}),
            "a revision has two tables",
        ),
        "generation": (
            revision.appended(plain, one, generations={size: 1}),
            f"object {size} has another generation",
        ),
        "generation of what was there": (
            revision.appended(plain, {3: b"<<>>"}, generations={3: 2}),
            "object 3 has another generation",
        ),
        "given up": (revision.appended(plain, one, free={3: 1}), "objects are given up"),
        "size": (revision.appended(plain, one, size=size), "the table is longer than it says"),
        "size before": (
            revision.appended(plain, {3: b"<<>>"}, size=size - 1),
            "the table is longer than it says",
        ),
        "a long table": (
            revision.appended(plain, one, kind="stream", padding=bytes(7)),
            "the table is not as long as it says",
        ),
        "two tables as text": (
            revision.appended(plain, one, before_table=b"xref\n0 1\n0000000000 65535 f \ntrailer\n<<>>\n"),
            "something follows the table",
        ),
        "an object after the table": (
            right.replace(b"startxref\n", b"95 0 obj\n<<>>\nendobj\nstartxref\n").replace(
                b"95 0 obj\n<<>>\nendobj\n", b"", 1
            ),
            "something follows the table",
        ),
        "an object after the table in a stream": (
            packed.replace(b"startxref\n", b"95 0 obj\n<<>>\nendobj\nstartxref\n").replace(
                b"95 0 obj\n<<>>\nendobj\n", b"", 1
            ),
            "something follows the table",
        ),
        "a table without a trailer": (
            revision.appended(plain, one, before_table=b"xref\n0 1\n0000000000 65535 f \nTrailer\n<<>>\n"),
            "the table is not written as it must be",
        ),
        "letters": (plain + b"XX", "something stands between the objects"),
        "what is no blank in a PDF": (plain + b"\v", "something stands between the objects"),
        "skipped": (
            revision.appended(right, {size + 1: b"<<>>"}, prev=table),
            "startxref does not lead to the table",
        ),
        "an object listed twice": (
            right.replace(
                right[listed : right.rindex(b"trailer")], 2 * right[listed : right.rindex(b"trailer")]
            ),
            "the table is not written as it must be",
        ),
        "no table of its own": (
            plain + b"9 0 obj\n<<>>\nendobj\nstartxref\n%d\n%%%%EOF\n" % table,
            "something stands between the objects",
        ),
        "no table": (plain + b"9 0 obj\n<<>>\nendobj\n", "something stands between the objects"),
    }


@pytest.mark.parametrize("trick", sorted(written(papers.hybrid())))
def test_a_revision_is_what_its_table_says_or_it_is_told_what_differs(trick: str, plain: bytes) -> None:
    data, expected = written(plain)[trick]
    if not expected:
        assert reason(data, len(plain)) == ""
        return
    told, _, at = reason(data, len(plain)).rpartition(", byte ")
    assert told == expected
    assert len(plain) <= int(at) <= len(data)


@pytest.mark.parametrize("blanks", [b"", b"\0", b"\t\r\n\f \0"])
def test_where_nothing_but_blanks_follows_nothing_has_to_be_accounted_for(
    blanks: bytes, plain: bytes
) -> None:
    noted = plain + b"% a note without an end of its own"
    assert reason(noted + blanks, len(noted)) == ""


def test_an_object_keeps_the_generation_that_it_had_when_it_was_signed(plain: bytes) -> None:
    once = revision.appended(plain, {90: b"<<>>"}, generations={90: 2})
    same = revision.appended(once, {90: b"[]"}, generations={90: 2})
    assert reason(same, len(once), 1) == ""
    other = revision.appended(once, {90: b"[]"})
    assert reason(other, len(once), 1).startswith("object 90 has another generation, byte ")
    packed = revision.appended(once, {}, packed={90: b"[]"}, kind="stream")
    assert reason(revision.appended(packed, {90: b"<<>>"}), len(once), 1) == ""


def test_a_table_in_a_stream_that_names_no_objects_lists_all_of_them(plain: bytes) -> None:
    reader = revision.read(plain)
    size = int(reader.trailer["/Size"])
    objects = dict.fromkeys(range(2, size + 1), b"<<>>")
    objects[1] = revision.written(reader.root)
    data = revision.appended(plain, objects, kind="stream", free={0: 65535})
    index = re.search(rb"/Index\[[^]]*\]", data)
    assert index is not None
    assert reason(data.replace(index[0], b" " * len(index[0])), len(plain)) == ""


RIGHT = b"/W[1 4 2]/Index[90 1 ]"
MISSHAPEN = (
    b"/W[3 4]  /Index[90 1 ]",
    b"/W[0 0 0]/Index[90 1 ]",
    b"/W[1 4 9]/Index[90 1 ]",
    b"/W 7     /Index[90 1 ]",
    b"/W[1 4 2]/Index[9 1 9]",
    b"/W[1 4 2]/Index[90 2 ]",
)


@pytest.mark.parametrize("listing_itself", [False, True])
def test_a_table_may_stand_twice_if_both_say_the_same(listing_itself: bool, plain: bytes) -> None:
    """As PDFBox writes them: in a stream and once more as text, which may name the stream as /XRefStm."""
    size = int(revision.read(plain).trailer["/Size"])
    data = revision.appended(plain, {size: b"<<>>"}, kind="repeated", listing_itself=listing_itself)
    assert reason(data, len(plain)) == ""
    place = data.rindex(b"%d 0 obj" % (size + 1), 0, data.rindex(b"\nxref\n"))
    at = data.rindex(b"trailer\n<<") + len(b"trailer\n<<")
    named, elsewhere = (data[:at] + b"/XRefStm %d" % to + data[at:] for to in (place, place - 1))
    assert reason(named, len(plain)) == ""
    assert reason(elsewhere, len(plain)).startswith("a revision has two tables, byte ")


def test_a_table_names_no_second_one_of_an_earlier_revision(plain: bytes) -> None:
    once = revision.appended(plain, {90: b"<<>>"}, kind="stream")
    named = b"/XRefStm %d" % revision.last_table(once)
    again = revision.appended(once, {92: b"<<>>"}, trailer=named)
    assert reason(again, len(once), 1).startswith("a revision has two tables, byte ")


def test_a_table_that_stands_twice_lists_the_stream_that_it_stands_in(plain: bytes) -> None:
    size = int(revision.read(plain).trailer["/Size"])
    data = revision.appended(plain, {size: b"<<>>"}, kind="repeated")
    unlisted = re.sub(rb"\n%d 1\n\d{10} 00000 n " % (size + 1), b"", data)
    assert unlisted != data
    expected = f"the table and the objects differ: [{size + 1}], byte "
    assert reason(unlisted, len(plain)).startswith(expected)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"/Root 1 0 R", b"/Root 2 0 R"),
        (b"/Prev 4", b"/Prev 3"),
        (b"/Filter/Flate", b"/Encrypt null/Filter/Flate"),
    ],
)
def test_two_tables_of_one_revision_have_the_same_trailer(before: bytes, after: bytes, plain: bytes) -> None:
    data = revision.appended(plain, {90: b"<<>>"}, kind="repeated", trailer=b" " * 20)
    place = data.rindex(before, 0, data.rindex(b"\nxref\n"))
    longer = len(after) - len(before)
    head, tail = data[:place] + after, data[place + len(before) :].replace(b" " * longer, b"", 1)
    assert reason(head + tail, len(plain)).startswith("a revision has two tables, byte ")


@pytest.mark.parametrize("kind", ["stream", "repeated"])
@pytest.mark.parametrize(
    ("widths", "fits"), [((0, 4, 2), True), ((0, 2, 0), True), ((1, 4, 27), True), ((1, 4, 28), False)]
)
def test_a_table_in_a_stream_has_entries_of_any_honest_width(
    kind: revision.Kind, widths: tuple[int, int, int], fits: bool, plain: bytes
) -> None:
    """Without a first number its objects are all in use, without a third they have no generation."""
    told = reason(revision.appended(plain, {90: b"<<>>"}, kind=kind, widths=widths), len(plain))
    assert told.rstrip("0123456789") == ("" if fits else "the table is not as long as it says, byte ")


def test_a_table_in_a_stream_may_be_headed_with_more_blanks(plain: bytes) -> None:
    data = revision.appended(plain, {90: b"<<>>"}, kind="stream")
    assert reason(data.replace(b"91 0 obj", b"91  0 obj"), len(plain)) == ""


@pytest.mark.parametrize("shape", MISSHAPEN)
def test_a_table_in_a_stream_has_the_rows_that_it_says(shape: bytes, plain: bytes) -> None:
    data = revision.appended(plain, {90: b"<<>>"}, kind="repeated")
    assert data.count(RIGHT) == 1
    told = reason(data.replace(RIGHT, shape), len(plain))
    assert told.startswith("the table is not as long as it says, byte ")


def test_a_table_in_a_stream_counts_no_rows_away(plain: bytes) -> None:
    data = revision.appended(plain, {90: b"<<>>", 91: b"<<>>"}, kind="repeated", trailer=b" " * 5)
    tail = b"/Prev %d" % revision.last_table(plain)
    for sections, expected in (
        (b"/Index[90 1 89 2 1 -1 ]", "the table is not as long as it says, byte "),
        (b"/Index[90 1 7 0 91 1  ]", ""),
    ):
        more = data.replace(b"/Index[90 1 91 1 ]", sections).replace(tail + b"     ", tail, 1)
        assert len(more) == len(data)
        assert reason(more, len(plain)).rstrip("0123456789") == expected


def test_the_table_that_was_signed_is_the_one_that_a_revision_follows(plain: bytes) -> None:
    """Two tables were signed, of which the second counts, and the revision follows the first."""
    table = revision.last_table(plain)
    copy = plain[table : plain.index(b"startxref", table)]
    both = plain + copy + b"startxref\n%d\n%%%%EOF\n" % len(plain)
    assert reason(revision.appended(both, {90: b"<<>>"}), len(both)) == ""
    followed = revision.appended(both, {90: b"<<>>"}, prev=table)
    assert reason(followed, len(both)).startswith("/Prev does not lead to the table before, byte ")


def test_a_revision_that_the_last_startxref_passes_over_is_told(plain: bytes) -> None:
    data = revision.appended(plain, {90: b"<<>>"}, start=revision.last_table(plain))
    assert reason(data, len(plain)).startswith("a revision is in no table's line of predecessors, byte ")


def test_every_revision_says_where_its_table_is(plain: bytes) -> None:
    once = revision.appended(plain, {90: b"<<>>"}, start=7)
    table = once.rindex(b"\nxref\n") + 1
    again = revision.appended(once, {91: b"<<>>"}, prev=table, known=91, root=b"1 0 R")
    assert reason(again, len(plain)).startswith("startxref does not lead to the table, byte ")


@pytest.mark.parametrize(("blanks", "fits"), [(44, True), (45, False)])
def test_the_end_of_what_was_signed_is_no_further_than_a_viewer_seeks_it(
    blanks: int, fits: bool, plain: bytes
) -> None:
    assert plain.endswith(b"startxref\n434\n%%EOF\n")
    signed = plain + b"\n" * blanks
    told = reason(revision.appended(signed, {90: b"<<>>"}), len(signed))
    assert told == ("" if fits else "the file does not begin, or the signed part does not end, as a PDF does")


def test_what_was_signed_has_to_end_as_a_document_does(plain: bytes) -> None:
    right = revision.appended(plain, {90: b"<<>>"})
    for end in (0, len(plain) - 7, len(plain) + 20):
        assert reason(right, end).endswith("does not end, as a PDF does")


def test_what_was_signed_has_to_begin_as_a_document_does(plain: bytes) -> None:
    right = revision.appended(plain, {90: b"<<>>"})
    reader = revision.read(right)
    reader.stream = BytesIO(b"%XDF-" + right[5:])
    assert revisions.unaccounted(reader, len(plain), 0).startswith("the file does not begin")


def test_a_table_that_no_appended_revision_has_is_told(plain: bytes) -> None:
    once = revision.appended(plain, {90: b"<<>>"}) + b"% a note\n"
    told = reason(once, len(once) - 9, 0)
    assert told == f"a table's line of predecessors holds more than the file appends, byte {len(once)}"
    assert reason(once, len(once) - 9, 1) == ""


def test_a_stream_may_say_elsewhere_how_long_it_is(plain: bytes) -> None:
    body = b"<</Length 91 0 R>>\nstream\nlong\nendstream"
    for length, expected in (
        (b"4", ""),
        (b"3", "a stream is not as long"),
        (b"(4)", "a stream does not say"),
    ):
        told = reason(revision.appended(plain, {90: body, 91: length}), len(plain))
        assert told.startswith(expected)
        assert bool(told) == bool(expected)
    once = revision.appended(plain, {91: b"4"}, generations={91: 2})
    again = revision.appended(once, {90: body.replace(b"91 0 R", b"91 2 R")})
    assert reason(again, len(once), 1) == ""


def test_a_catalog_of_another_name_is_told(plain: bytes) -> None:
    reader = revision.read(plain)
    catalog = revision.written(reader.root)
    data = revision.appended(plain, {90: catalog}, root=b"90 0 R")
    assert reason(data, len(plain)).startswith("the trailer's /Root was changed, byte ")


@pytest.mark.parametrize(
    ("content", "first", "count", "entries", "expected"),
    [
        (b"90 0 91 3 [] <<>>", 10, 2, b"", ""),
        (b"90 0 91 7 [] (x) <<>>", 10, 2, b"", "holds something between its objects"),
        (b"90 0 91 3 [] <<>> 5", 10, 2, b"", "holds something after its objects"),
        (b"90 0 91 3 [] <<>> X", 10, 2, b"", "holds something after its objects"),
        (b"90 0 91 3 [] <<>>\0\t\f\r ", 10, 2, b"", ""),
        (b"90 0 91 3 [] <<>>", 10, 0, b"", "holds what the table does not list"),
        (b"90 0 91 3 [] <<>>", 10, 100_000, b"", "holds what the table does not list"),
        (b"90 0 91 3 [] <<>>", 10, 100_001, b"", "is not built as it must be"),
        (b"90 0 91 3 [] <<>>", 10, "(2)", b"", "is not built as it must be"),
        (b"90 0 91 3 [] <<>>", "/A", 2, b"", "is not built as it must be"),
        (b"90 0 91 3 92 3 [] <<>>", 15, 2, b"", "holds what the table does not list"),
        (b"91 0 90 3 [] <<>>", 10, 2, b"", "holds what the table does not list"),
        (b"90 0 91 3 [] <<>>", 10, 3, b"", "holds what the table does not list"),
        (b"90 0 91 3 [] <<>>", 10, -1, b"", "is not built as it must be"),
        (b"90 0 91 3 [] <<>>", 10, 2, b"/Extends 3 0 R", "is not built as it must be"),
        (b"90 0 91 3 [] word", 10, 2, b"", "a value is none, byte 13"),
        (b"90 0 91 12 [] %a note\n\n<<>>", 11, 2, b"", ""),
        (b"90 0 91 9 [] %obj\n\n<<>>", 10, 2, b"", "a comment hides something, byte 12"),
        (b"90 0 91 8 [] <<>> %obj\n", 10, 2, b"", "a comment hides something, byte 18"),
    ],
)
def test_what_is_packed_into_a_stream_is_listed_in_its_order_and_nothing_beside_it(
    content: bytes, first: int | str, count: int | str, entries: bytes, expected: str, plain: bytes
) -> None:
    usual = revision.stream(b"90 0 91 81 [%s]\n<<>>\n" % (b" " * 78), b"/Type/ObjStm/N 2/First 11")
    made = revision.appended(plain, {}, packed={90: b"[%s]" % (b" " * 78), 91: b"<<>>"}, kind="stream")
    held = f"/Type/ObjStm/N {count}/First {first}".encode()
    other = revision.stream(content, held + entries)
    assert made.count(usual) == 1
    data = made.replace(usual, other.ljust(len(usual)))
    assert len(data) == len(made)
    told = reason(data, len(plain))
    assert expected in told if expected else told == ""
