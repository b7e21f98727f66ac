"""Pictures of signatures and seals: taken however a PNG stores them, and refused for what is truly wrong."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image, ImageDraw

from fieldkit.errors import FieldkitError
from fieldkit.pdf import raster
from fieldkit.pdf.errors import DocumentMissing
from fieldkit.profile.rules import StampRule
from fieldkit.signature import sign
from fieldkit.stamp import picture, place, stamp
from fieldkit.stamp.errors import StampUnfit
from tests.pki import SoftwareSigner

PERSON = StampRule("person", "handwritten", "between-title-and-name", "blue")
SEAL = StampRule("agency", "seal", "left-of-signature", "red", overlap=33, size_mm=36)
SPOT = place.Place(0, (300, 300, 413, 357))
ROUND = place.Place(0, (100, 100, 202, 202))
BLUE, RED = (20, 60, 180, 255), (210, 20, 30, 255)
HEAD = b"\x89PNG\r\n\x1a\n"


def drawn(
    colour: tuple[int, int, int, int] = BLUE, size: tuple[int, int] = (600, 300), rim: int = 20
) -> Image.Image:
    """Something drawn in that colour on a transparent ground."""
    made = Image.new("RGBA", size, (255, 255, 255, 0))
    ImageDraw.Draw(made).ellipse((rim, rim, size[0] - rim - 1, size[1] - rim - 1), outline=colour, width=18)
    return made


def saved(path: Path, made: Image.Image, **options: object) -> Path:
    made.save(path, "PNG", **options)
    return path


def interlaced_or_deep(depth: int, interlaced: bool, width: int = 700, height: int = 400) -> bytes:
    """A blue cross on nothing, as PNG with that many bits a sample, by Adam7 or not."""
    one = (1 << depth) - 1
    sample = ">H" if depth == 16 else ">B"

    def pixel(x: int, y: int) -> bytes:
        on = abs(x - width // 2) < 20 or abs(y - height // 2) < 20
        values = (one // 12, one // 4, one * 3 // 4, one) if on else (one, one, one, 0)
        return b"".join(struct.pack(sample, value) for value in values)

    passes = (
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        if interlaced
        else [(0, 0, 1, 1)]
    )
    raw = b"".join(
        b"\0" + b"".join(pixel(x, y) for x in range(left, width, across))
        for left, top, across, down in passes
        for y in range(top, height, down)
        if left < width
    )
    head = struct.pack(">IIBBBBB", width, height, depth, 6, 0, 0, int(interlaced))
    return HEAD + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw, 1)) + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(("depth", "interlaced"), [(8, True), (16, False), (16, True)])
def test_an_interlaced_or_a_16_bit_png_is_a_png_like_any_other(
    depth: int, interlaced: bool, tmp_path: Path
) -> None:
    path = tmp_path / "sign.png"
    path.write_bytes(interlaced_or_deep(depth, interlaced))
    assert picture.checked(path, PERSON, SPOT)
    assert stamp.draw(PERSON, SPOT, image=path).form.startswith(b"%PDF")


def test_a_palette_with_a_transparent_colour_will_do(tmp_path: Path) -> None:
    path = saved(tmp_path / "sign.png", drawn().quantize(8))
    with Image.open(path) as stored:
        assert stored.mode == "P"
    assert picture.checked(path, PERSON, SPOT)


def test_each_fault_is_told_for_what_it_is(tmp_path: Path) -> None:
    def told(path: Path, rule: StampRule = PERSON, spot: place.Place = SPOT) -> str:
        with pytest.raises(StampUnfit) as caught:
            picture.checked(path, rule, spot)
        assert caught.value.hint is not None
        assert caught.value.status == 2
        return str(caught.value.message)

    def raw(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    good = saved(tmp_path / "good.png", drawn())
    opaque = drawn()
    opaque.putalpha(255)
    head = struct.pack(">IIBBBBB", 0, 40, 8, 6, 0, 0, 0)
    bomb = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0)
    jpeg = BytesIO()
    drawn().convert("RGB").save(jpeg, "JPEG")

    assert "is not a PNG" in told(raw("scan.jpg", jpeg.getvalue()))
    assert "too large a file: 17 MB" in told(raw("big.png", good.read_bytes() + bytes(16 * 1024**2)))
    assert "0 by 40 pixels" in told(raw("flat.png", HEAD + chunk(b"IHDR", head)))
    assert "60000 by 60000 pixels" in told(raw("bomb.png", HEAD + chunk(b"IHDR", bomb)))
    assert "not transparent" in told(saved(tmp_path / "opaque.png", opaque))
    assert "not transparent" in told(saved(tmp_path / "rgb.png", drawn().convert("RGB")))
    assert "all of it is transparent" in told(saved(tmp_path / "none.png", Image.new("RGBA", (600, 300))))
    assert "is red, and the rules ask for blue" in told(saved(tmp_path / "red.png", drawn(RED)))
    assert "is blue, and the rules ask for red" in told(good, SEAL, ROUND)
    assert "is black or grey" in told(saved(tmp_path / "black.png", drawn((30, 30, 34, 255))))
    assert "make 44 dpi" in told(saved(tmp_path / "coarse.png", drawn(size=(70, 35), rim=2)))
    assert "is damaged" in told(raw("cut.png", good.read_bytes()[:400]))


@settings(max_examples=60, deadline=None)
@given(at=some.integers(8, 3000), value=some.integers(0, 255), keep=some.integers(20, 4000))
def test_a_damaged_picture_is_refused_in_words_or_taken_and_never_escapes(
    at: int, value: int, keep: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("hurt") / "hurt.png"
    held = BytesIO()
    drawn().save(held, "PNG")
    hurt = bytearray(held.getvalue()[:keep])
    hurt[at % len(hurt)] = value
    path.write_bytes(hurt)
    with contextlib.suppress(FieldkitError):  # anything else fails the test
        assert picture.checked(path, PERSON, SPOT).startswith(HEAD)


def test_a_seal_scanned_with_its_paper_around_it_is_shown_in_its_actual_size(
    rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    source = saved(tmp_path / "seal.png", drawn(RED, (900, 900), rim=250))
    out = tmp_path / "out.pdf"

    sign.sign(letter, out, rsa_signer, stamp=stamp.draw(SEAL, ROUND, image=source))

    drawn_page = raster.page(out, 0, 2 * 595, 2 * 842)  # two pixels a point
    reds = [
        (at % drawn_page.width, at // drawn_page.width)
        for at in range(drawn_page.width * drawn_page.height)
        if drawn_page.rgb[3 * at] > 150 and drawn_page.rgb[3 * at + 1] < 90
    ]
    across = max(x for x, _ in reds) - min(x for x, _ in reds)
    up = max(y for _, y in reds) - min(y for _, y in reds)
    assert across / 2 * 25.4 / 72 == pytest.approx(36, abs=0.6)
    assert up / 2 * 25.4 / 72 == pytest.approx(36, abs=0.6)


def test_the_text_of_a_stamp_is_in_an_embedded_times_with_vietnamese_letters_in_their_own_widths(
    rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    rule = StampRule(
        "attachment",
        "none",
        "top-right-first-page",
        "black",
        font="Times New Roman",
        size=10,
        content=("number",),
    )
    out = tmp_path / "out.pdf"
    text = "0123456789 Ổng-ẵm-ặc-ỷ-ĐƯỢC"
    sign.sign(
        letter, out, rsa_signer, stamp=stamp.draw(rule, place.Place(0, (300, 700, 560, 740)), number=text)
    )

    fonts = subprocess.run(["pdffonts", out], capture_output=True, text=True, check=True).stdout
    (tinos,) = [line for line in fonts.splitlines() if "Tinos" in line]
    (page, *_) = place.pages(out)
    words = {word.text: word for word in page.words}
    digits = words["0123456789"]

    assert tinos.split()[-5] == "yes"  # embedded
    assert digits.right - digits.left == pytest.approx(50, abs=0.5)  # ten digits of half an em, at 10 pt
    assert "Ổng-ẵm-ặc-ỷ-ĐƯỢC" in words


def test_a_folder_or_a_pipe_is_no_picture(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, tmp_path / "missing.png"):
        with pytest.raises(DocumentMissing):
            picture.checked(path, PERSON, SPOT)
