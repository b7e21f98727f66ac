"""The judge that looks: whether a document still shows what its signatures covered, drawn by three engines.

Each signed revision is drawn, and what follows it. Between the two nothing may differ but the appearance of
the very signature that follows, inside its own field. What no engine can draw is not judged here.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from fieldkit.finding import Finding, Outcome, overall
from fieldkit.pdf import boundary, document
from fieldkit.pdf.engines import ENGINES, DocumentView, DrawingFailed
from fieldkit.pdf.page import PageSheet, leaves, sheet
from fieldkit.pdf.pdfium import Pixels
from fieldkit.text import M, Message
from fieldkit.validation.judgement import Judgement, every_check

if TYPE_CHECKING:
    from PIL.Image import Image

    from fieldkit.secret import Secret

BYTE_RANGE = re.compile(rb"/ByteRange\s*\[([\d\s]{7,80})\]")
JUDGE = "appearance"
DPI = 50.0
LONGEST = 3000  # pixels a side
STEP = 12  # of 255: smaller differences are rounding
LARGEST_SHARE = 0.25  # of a page that a signature's field may take
STAMP_SHARE = 0.1  # of a page: what takes more is no stamp
OVERLAP = 0.5  # of a stamp: so much may be printed over, where a seal over a third is asked for
EDGE = 24  # of 255: so much two neighbouring pixels differ where something is drawn
BESIDE = 4  # pixels to the left and right: nearer, a figure joins the number that stands there

DO_NOT_USE = M("Do not use this file: ask the signer for it as it was signed.")


class AppearanceComparison(msgspec.Struct, frozen=True):
    """What the engines found. changed, covered: the fields of the signatures concerned."""

    checks: tuple[Finding, ...]
    changed: frozenset[str] = frozenset()
    covered: frozenset[str] = frozenset()


class _Stamp(msgspec.Struct, frozen=True):
    """Where a field shows: its page, counted from 0, and left, top, right, bottom as parts of the page."""

    page: int
    box: tuple[float, float, float, float]

    @property
    def share(self) -> float:
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


class _Revision(msgspec.Struct, frozen=True):
    """A signed revision, or the whole file. end: its length. signer: the field that was signed last in it."""

    end: int
    signer: str
    view: DocumentView
    pages: int
    stamps: dict[str, _Stamp]


class _Step(msgspec.Struct, frozen=True):
    """From a signed revision to the next. fields: whose signatures it follows, and `stamps` where they show.

    own: where the next signature shows. known: every signature before it was made with that field there.
    """

    before: _Revision
    after: _Revision
    fields: frozenset[str]
    stamps: tuple[_Stamp, ...]
    own: _Stamp | None
    known: bool


class _Outcome(msgspec.Struct, frozen=True):
    """What one engine says of one step."""

    verdict: Outcome
    detail: str = ""
    covered: bool = False
    reason: Message | None = None
    hint: Message | None = None


def compare(
    path: Path, *, password: Secret | None = None, asked: Collection[str] = tuple(ENGINES)
) -> AppearanceComparison:
    """Have the engines `asked` draw the signed revisions of `path` and what follows them.

    One check for each engine, such as "pdfium-appearance"; an engine that is not here, fails or is stopped is
    "not-checked". Where nothing follows the signatures there is nothing to compare, and one check says so.

    :raises DocumentMissing, DocumentUnfit, DocumentEncrypted, DocumentChanged: it cannot be read.
    """
    with (
        document.opened(path) as file,
        boundary.reading(path.name),
        tempfile.TemporaryDirectory(prefix="fieldkit-revisions-") as folder,
    ):
        steps = list(_steps(path, file, Path(folder), password))
        if not steps:
            return AppearanceComparison((_nothing(),))
        with ThreadPoolExecutor(len(ENGINES), "fieldkit-engine") as pool:
            waiting = {name: pool.submit(_walked, name, steps) for name in asked}
            outcomes = {name: task.result() for name, task in waiting.items()}
    return _summed(outcomes, steps)


def judged(judgement: Judgement, compared: AppearanceComparison) -> Judgement:
    """`judgement` with what the engines found: a signature whose pages show something else covers nothing."""
    signatures = []
    for signature in judgement.signatures:
        checks = signature.checks
        if signature.field in compared.changed:
            changed = Finding(
                "coverage",
                "fail",
                M("The document shows something else than what this signature covers."),
                hint=DO_NOT_USE,
            )
            checks = tuple(changed if check.id == "coverage" else check for check in checks)
        signatures.append(msgspec.structs.replace(signature, checks=checks, verdict=overall(checks)))
    made = Judgement("pass", tuple(signatures), (*judgement.checks, *compared.checks))
    return msgspec.structs.replace(made, verdict=overall(every_check(made)))


def left_out() -> AppearanceComparison:
    """What is message where a person wished that nobody looks."""
    message = M("Whether the pages still show what was signed was not looked at: it was left out on request.")
    hint = M("Judge the document again without --no-appearance.")
    return AppearanceComparison(
        (Finding(JUDGE, "not-checked", message, required=False, hint=hint, judge=JUDGE),)
    )


def expected(file: BinaryIO) -> bool:
    """Whether there will be something to draw, by a first glance: more than one signature."""
    ranges = 0
    with contextlib.suppress(OSError):  # who reads it in earnest will say so
        file.seek(0)
        while ranges < 2 and (chunk := file.read(1 << 20)):
            ranges += chunk.count(b"/ByteRange")
    return ranges > 1


def _nothing() -> Finding:
    message = M("Nothing follows the signatures, so the pages show what was signed.")
    return Finding(JUDGE, "pass", message, judge=JUDGE)


def _steps(path: Path, file: BinaryIO, folder: Path, password: Secret | None) -> Iterator[_Step]:
    """Every signed revision and what follows it, each in a file."""
    size = file.seek(0, 2)
    reader = _reader(file, path.name, password)
    ends: dict[int, list[str]] = {}
    for name, end in _ends(reader):
        if 0 < end <= size:
            ends.setdefault(end, []).append(name)
    if not ends:
        return
    lengths = sorted(ends)
    if not _blank(file, lengths[-1]):
        lengths.append(size)
    if len(lengths) == 1:
        return
    closed = password if reader.encrypted and not _opens(reader) else None
    revisions = []
    for number, end in enumerate(lengths):
        place = path
        if end < size:
            place = folder / f"{number}.pdf"
            _copy(file, place, end)
        signer = ends[end][0] if end in ends else ""
        revisions.append(_revision(place, path.name, end, signer, password, closed))
    fields: frozenset[str] = frozenset()
    for number, (before, after) in enumerate(itertools.pairwise(revisions), 1):
        fields |= frozenset(ends[before.end])
        stamps = tuple(before.stamps[field] for field in sorted(fields) if field in before.stamps)
        own = after.stamps.get(after.signer)
        known = all(earlier.stamps.get(after.signer) == own for earlier in revisions[:number])
        yield _Step(before, after, fields, stamps, own, known)


def _reader(file: BinaryIO, name: str, password: Secret | None) -> Any:
    from pyhanko.pdf_utils.reader import PdfFileReader

    reader = PdfFileReader(file, strict=False)
    if reader.encrypted:
        boundary.unlock(reader.decrypt, name, password)
    return reader


def _opens(reader: Any) -> bool:
    """Whether a document with a lock opens without a password."""
    from pyhanko.pdf_utils.crypt import AuthStatus
    from pyhanko.pdf_utils.reader import PdfFileReader

    outcome = PdfFileReader(reader.stream, strict=False).decrypt("")
    return getattr(outcome, "status", outcome) != AuthStatus.FAILED


def _ends(reader: Any) -> Iterator[tuple[str, int]]:
    """By field, where what its signature covers ends; what cannot be read is judged elsewhere."""
    from pyhanko.sign.fields import enumerate_sig_fields

    for name, value, _ in enumerate_sig_fields(reader, filled_status=True):
        with contextlib.suppress(TypeError, ValueError, KeyError, AttributeError):
            yield str(name), sum(_range(reader, value)[-2:])


def _range(reader: Any, value: Any) -> list[int]:
    """A signature's byte range, without reading its value: that takes most of the time."""
    place = reader.xrefs[value.reference]
    if isinstance(place, int):
        reader.stream.seek(place)
        written = BYTE_RANGE.search(reader.stream.read(1 << 18).partition(b"endobj")[0])
        if written is not None:
            return [int(number) for number in written[1].split()]
    return [int(number) for number in value.get_object()["/ByteRange"]]


def _blank(file: BinaryIO, end: int) -> bool:
    """Whether nothing but blanks follows `end`."""
    file.seek(end)
    while chunk := file.read(1 << 16):
        if chunk.strip(b"\0\t\n\f\r "):
            return False
    return True


def _copy(file: BinaryIO, place: Path, end: int) -> None:
    """The first `end` bytes, in a file of their own."""
    file.seek(0)
    with place.open("wb") as out:
        shutil.copyfileobj(file, out)
        out.truncate(end)


def _revision(
    place: Path, name: str, end: int, signer: str, password: Secret | None, closed: Secret | None
) -> _Revision:
    from pyhanko.sign.fields import enumerate_sig_fields

    with place.open("rb") as file:
        reader = _reader(file, name, password)
        sheets: list[PageSheet] = []
        on: dict[Any, int] = {}
        for number, (page, inherited) in enumerate(leaves(reader.root["/Pages"])):
            sheets.append(sheet(page, inherited))
            for reference in _references(page, "/Annots"):
                on.setdefault(reference, number)
        stamps = {}
        for field, _, holder in enumerate_sig_fields(reader):
            widgets = _references(holder.get_object(), "/Kids") or [holder.reference]
            if len(widgets) == 1 and widgets[0] in on:
                box = _box(widgets[0].get_object())
                paper = sheets[on[widgets[0]]]
                if box is not None:
                    left, top, right, bottom = paper.seen(box)
                    across, down = paper.width, paper.height
                    parts = (left / across, top / down, right / across, bottom / down)
                    stamps[str(field)] = _Stamp(on[widgets[0]], parts)
    longest = max((max(paper.width, paper.height) for paper in sheets), default=1)
    dpi = min(DPI, 72 * LONGEST / longest)
    return _Revision(end, signer, DocumentView(place, dpi, LONGEST, closed), len(sheets), stamps)


def _references(holder: Any, key: str) -> list[Any]:
    """The references in an array of a dictionary."""
    try:
        held = holder[key]
        return [held.raw_get(at).reference for at in range(len(held))]
    except (KeyError, AttributeError, TypeError):
        return []


def _box(widget: Any) -> tuple[float, float, float, float] | None:
    """A widget's rectangle with its corners in order."""
    try:
        x1, y1, x2, y2 = (float(value) for value in widget["/Rect"])
    except (KeyError, TypeError, ValueError):
        return None
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _walked(engine: str, steps: Sequence[_Step]) -> list[_Outcome]:
    """What one engine says of each step; the first that it cannot draw ends its word."""
    outcomes: list[_Outcome] = []
    for step in steps:
        outcomes.append(_drawn(engine, step))
        if outcomes[-1].reason is not None:
            break
    return outcomes


def _drawn(engine: str, step: _Step) -> _Outcome:
    draw = ENGINES[engine]
    try:
        with draw(step.before.view) as before, draw(step.after.view) as after:
            return _matched(before, after, step)
    except DrawingFailed as error:
        return _Outcome("not-checked", reason=error.reason, hint=error.hint)


def _matched(before: Iterator[Pixels], after: Iterator[Pixels], step: _Step) -> _Outcome:
    """Page by page. An engine that draws what was signed and not what is there now shows something else."""
    covered, number = False, 0
    for number, old in enumerate(before, 1):
        try:
            new = next(after, None)
        except DrawingFailed as error:
            if error.settled:
                return _Outcome("fail", str(error.reason))
            raise
        if new is None or (old.width, old.height) != (new.width, new.height):
            return _Outcome("fail", f"page {number}: missing" if new is None else f"page {number}: size")
        own = step.own if step.own is not None and step.own.page == number - 1 else None
        others = [stamp for stamp in step.stamps if stamp.page == number - 1]
        outside, hides = _difference(old, new, own, None if step.known else others)
        if outside:
            return _Outcome("fail", f"page {number}: {outside} pixels")
        covered |= hides
    if next(after, None) is not None:
        return _Outcome("fail", f"page {number + 1}: added")
    if number != step.before.pages:
        message = M("Only {drawn} of {pages} pages were drawn.", drawn=number, pages=step.before.pages)
        return _Outcome("not-checked", reason=message)
    return _Outcome("not-checked" if covered else "pass", covered=covered)


def _difference(
    old: Pixels, new: Pixels, own: _Stamp | None, others: Sequence[_Stamp] | None
) -> tuple[int, bool]:
    """How many pixels differ outside the field `own`, and whether what differs inside has to be looked at.

    others: where earlier signatures show; None where the field was on the page that they signed.
    """
    if old.rgb == new.rgb:
        return 0, False
    from PIL import Image, ImageChops

    before, after = (Image.frombytes("RGB", (page.width, page.height), page.rgb) for page in (old, new))
    changed = _strongest(ImageChops.difference(before, after), STEP)
    if own is None:
        return changed.histogram()[255], False
    box = _pixels(own, old, 2)
    inside = Image.new("L", changed.size)
    inside.paste(changed.crop(box), box)
    changed.paste(0, box)
    outside = changed.histogram()[255]
    if own.share > LARGEST_SHARE:
        return outside, inside.getbbox() is not None
    return outside, others is not None and _interferes(before, inside, [_pixels(at, old, 1) for at in others])


def _strongest(picture: Image, least: int) -> Image:
    """White where any colour of the picture is stronger than `least`."""
    from PIL import ImageChops

    red, green, blue = picture.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return most.point([255 if value > least else 0 for value in range(256)])


def _pixels(stamp: _Stamp, page: Pixels, more: int) -> tuple[int, int, int, int]:
    """The field in pixels of the page, and some `more` at each side: its outline is smoothed."""
    left, top, right, bottom = stamp.box
    return (
        _within(left, page.width, -more),
        _within(top, page.height, -more),
        _within(right, page.width, 1 + more),
        _within(bottom, page.height, 1 + more),
    )


def _within(part: float, side: int, more: int) -> int:
    return min(max(int(part * side) + more, 0), side)


def _interferes(page: Image, changed: Image, stamps: Sequence[tuple[int, int, int, int]]) -> bool:
    """Whether what was drawn later meets what was there: it may hide a figure, or make it another.

    On blank paper it stands by itself, and over earlier `stamps` to a part, as a seal over a signature.
    """
    from PIL import ImageChops, ImageFilter

    most, least = (page.filter(kind(3)) for kind in (ImageFilter.MaxFilter, ImageFilter.MinFilter))
    drawn = _strongest(ImageChops.subtract(most, least), EDGE)
    for box in stamps:
        left, top, right, bottom = box
        area = (right - left) * (bottom - top)
        over = changed.crop(box).getbbox() or (0, 0, 0, 0)
        if area > STAMP_SHARE * page.width * page.height:
            continue
        if (over[2] - over[0]) * (over[3] - over[1]) > OVERLAP * area:
            return True
        drawn.paste(0, box)
    high = near = changed.filter(ImageFilter.MaxFilter(3))
    for across in range(2, BESIDE):
        for shift in (-across, across):
            near = ImageChops.lighter(near, ImageChops.offset(high, shift, 0))
    return ImageChops.multiply(near, drawn).getbbox() is not None


def _summed(outcomes: Mapping[str, Sequence[_Outcome]], steps: Sequence[_Step]) -> AppearanceComparison:
    """One check for each engine; one more where none of them looked."""
    checks: list[Finding] = []
    changed: set[str] = set()
    covered: set[str] = set()
    for engine, words in outcomes.items():
        checks.append(_word(engine, words, steps))
        for step, outcome in zip(steps, words, strict=False):
            if outcome.verdict == "fail":
                changed |= step.fields
            if outcome.covered:
                covered |= step.fields
    if all(check.severity == "not-checked" and not check.required for check in checks):
        checks.append(
            Finding(
                JUDGE,
                "not-checked",
                M("Whether the pages show what was signed is not known: no program here could draw them."),
                judge=JUDGE,
                hint=M("Ask the signer for the file as it was signed, or judge it on another machine."),
            )
        )
    return AppearanceComparison(tuple(checks), frozenset(changed), frozenset(covered))


def _word(engine: str, words: Sequence[_Outcome], steps: Sequence[_Step]) -> Finding:
    name = f"{engine}-{JUDGE}"
    concerned = [
        f"{', '.join(sorted(step.fields))}: {outcome.detail or 'covered'}"
        for step, outcome in zip(steps, words, strict=False)
        if outcome.verdict == "fail" or outcome.covered
    ]
    detail = "; ".join(concerned)
    if any(outcome.verdict == "fail" for outcome in words):
        message = M("{engine} shows something else than what was signed.", engine=engine)
        return Finding(name, "fail", message, detail, hint=DO_NOT_USE, judge=JUDGE)
    if any(outcome.covered for outcome in words):
        message = M(
            "{engine}: a later signature draws over, or right beside, what was signed before.", engine=engine
        )
        hint = M("Look at the page as it was signed, and ask the later signer.")
        return Finding(name, "not-checked", message, detail, hint=hint, judge=JUDGE)
    if words[-1].reason is not None:
        again = M("Judge the document again; if it stays so, install {program} anew.", program=engine)
        return Finding(
            name,
            "not-checked",
            words[-1].reason,
            required=False,
            hint=words[-1].hint or again,
            judge=JUDGE,
        )
    message = M("{engine} shows what was signed, and nothing else.", engine=engine)
    return Finding(name, "pass", message, judge=JUDGE)
