"""Vietnamese as input methods send it, in a real pseudo-terminal: in order, composed, whatever the byte."""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import python_path
from tests.tui.terminal import Pty

FIELD = str(Path(__file__).with_name("one_field.py"))
DELETE, CONTROL_H = b"\x7f", b"\x08"
PASTE = b"\x1b[200~%s\x1b[201~"


@pytest.fixture(scope="module")
def shared() -> Iterator[Pty]:
    root = str(Path(__file__).parent.parent.parent)
    global answers
    answers = 0
    with Pty([FIELD], {"PYTHONPATH": python_path(root)}) as terminal:
        terminal.wait_for("ready")
        yield terminal


@pytest.fixture
def field(shared: Pty) -> Pty:
    """The field, emptied."""
    shared.send(b"\x05\x15")
    assert value(shared) == ""
    return shared


answers = 0


def value(field: Pty) -> str:
    """What the field holds, as the program itself says when it is answers with Enter."""
    global answers
    answers += 1
    field.send(b"\r")
    shown = field.wait_for(f"value {answers}: ")
    value = ast.literal_eval(shown.split(f"value {answers}: ")[1].splitlines()[0])
    assert isinstance(value, str)
    return value


def unikey(text: str, backspace: bytes) -> list[bytes]:
    """`text` with "<" for a backspace, a write for each, as UniKey injects them."""
    return [backspace if letter == "<" else letter.encode() for letter in text]


@pytest.mark.parametrize("gap", [0.0, 0.001, 0.002])
@pytest.mark.parametrize("backspace", [DELETE, CONTROL_H], ids=["DEL", "^H"])
@pytest.mark.parametrize(
    ("keys", "meant"),
    [
        ("vie<êt<<ệt", "việt"),
        ("tie<êng<<<ếng", "tiếng"),
        ("d<đa<ă<ặng<<<ặng", "đặng"),
        ("tha<<hô<<<thông", "thông"),
    ],
)
def test_backspace_and_replacement_of_an_input_method_keep_their_order(
    field: Pty, keys: str, meant: str, backspace: bytes, gap: float
) -> None:
    field.send(*unikey(keys, backspace), gap=gap)
    assert value(field) == meant


def test_a_long_burst_in_one_write_keeps_its_order(field: Pty) -> None:
    word = b"".join(unikey("nghie<ên<<ện ", DELETE))
    field.send(word * 4)
    assert value(field) == "nghiện " * 4


def test_text_typed_decomposed_is_stored_composed(field: Pty) -> None:
    for letter in unicodedata.normalize("NFD", "Nguyễn Thị Mẫu ở Đắk Lắk"):
        field.send(letter.encode())
    assert value(field) == "Nguyễn Thị Mẫu ở Đắk Lắk"


def test_text_pasted_decomposed_is_stored_composed_and_one_backspace_removes_one_letter(field: Pty) -> None:
    field.send(PASTE % unicodedata.normalize("NFD", "Quảng Trị").encode())
    field.send(DELETE)
    assert value(field) == "Quảng Tr"


def test_arrows_never_stop_inside_a_letter(field: Pty) -> None:
    field.send(unicodedata.normalize("NFD", "ệ").encode(), b"x", b"\x1b[D", b"\x1b[D")
    field.send(b"a")
    assert value(field) == "aệx"


def test_utf8_split_over_two_writes_is_one_letter(field: Pty) -> None:
    letter = "ữ".encode()
    field.send(letter[:1], letter[1:], gap=0.01)
    assert value(field) == "ữ"


def test_a_byte_that_is_not_utf8_is_dropped_said_and_survived(field: Pty) -> None:
    field.send(b"a", b"\xe9", b"b")
    field.wait_for("not UTF-8")
    assert value(field) == "ab"


def test_keys_typed_right_after_enter_come_after_it(field: Pty) -> None:
    global answers
    answers += 1
    field.send(b"first\rmore")
    field.wait_for(f"value {answers}: 'first'")
    assert value(field) == "firstmore"


def test_a_line_that_drops_ends_the_program() -> None:
    root = str(Path(__file__).parent.parent.parent)
    with Pty([FIELD], {"PYTHONPATH": python_path(root)}) as terminal:
        terminal.wait_for("ready")
        terminal.hang_up()
        assert terminal.wait_end() != 0
