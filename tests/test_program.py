"""Programs that are run once: what they print, and what becomes of those that come to no end."""

from __future__ import annotations

import os
import sys
import time

import pytest

from fieldkit import program


def python(code: str, **options: object) -> program.ProgramResult:
    return program.run((sys.executable, "-c", code), **{"timeout": 30, **options})  # type: ignore[arg-type]


def test_a_program_gets_its_input_and_gives_status_output_and_errors_apart() -> None:
    code = "import sys; print(sys.stdin.read()[::-1]); print('no', file=sys.stderr); sys.exit(7)"
    done = python(code, stdin=b"abc")
    assert (done.status, done.text, done.complaint, done.problem) == (7, "cba\n", "no", None)


def test_a_program_that_reads_nothing_of_much_input_is_no_fault() -> None:
    assert python("print('done')", stdin=bytes(1 << 22)).text == "done\n"


def test_without_input_a_program_that_waits_for_some_does_not_hang() -> None:
    assert python("import sys; print(repr(sys.stdin.read()))").text == "''\n"


def test_output_that_is_no_text_is_still_told_and_line_ends_are_plain() -> None:
    done = python(r"import sys; sys.stdout.buffer.write(b'H\xe1\xbb\x93 \xff\r\nx')")
    assert done.text == "Hồ �\nx"


def test_a_program_that_comes_to_no_end_is_stopped_and_that_is_said() -> None:
    began = time.monotonic()
    done = python("import time; print('x', flush=True); time.sleep(60)", timeout=1)
    assert time.monotonic() - began < 20
    assert done.status == -1
    assert "no end within 1 seconds" in done.complaint


@pytest.mark.skipif(os.name == "nt", reason="needs a child that keeps its parent's output")
def test_a_child_left_behind_with_the_output_in_its_hand_is_not_waited_for() -> None:
    began = time.monotonic()
    done = program.run(("sh", "-c", "sleep 60 & echo x"), timeout=1)
    assert time.monotonic() - began < 20
    assert done.problem is not None


def test_a_program_that_prints_without_end_is_stopped_at_the_limit() -> None:
    done = python("while True: print('x' * 9999)", largest=1_000_000)
    assert done.status == -1
    assert done.output == b""
    assert "more than 1 MB" in done.complaint


@pytest.mark.parametrize("name", ["fieldkit-no-such-program", "with\0zero"])
def test_a_program_that_is_not_there_is_a_result_with_the_reason(name: str) -> None:
    done = program.run((name,), timeout=5)
    assert done.status == -1
    assert "could not be started" in done.complaint
