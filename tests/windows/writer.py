"""A program that answers in a store and says each answer that it was told is safe. It runs on Windows.

`writer.py STORE FIRST [each]`: the first line it prints is what the store holds; then an answer after the
other, or with `each` one for every line on standard input.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from fieldkit import i18n
from fieldkit.errors import FieldkitError
from fieldkit.journal import log
from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store

VISIT = "v"


def value(number: int) -> str:
    return f"câu trả lời {number} " + "x" * (number * 37 % 400)


def say(**line: Any) -> None:
    sys.stdout.buffer.write(json.dumps(line).encode() + b"\n")
    sys.stdout.buffer.flush()


def main(folder: str, first: str, each: str = "") -> None:
    """Answer; end when standard input does, or never."""
    i18n.use("en")
    log.SEGMENT_SIZE = 20_000
    try:
        store = Store.open(Path(folder))
    except FieldkitError as error:
        say(code=error.code, message=str(error))
        return
    answers = {entry.item: entry.value for entry in store.entries(visit=VISIT)}
    say(read_only=str(store.read_only or ""), answers=answers)
    for number in itertools.count(int(first)):
        if each and not sys.stdin.readline():
            break
        try:
            store.append(Draft("answer", visit=VISIT, item=str(number), value=value(number)))
        except FieldkitError as error:
            say(refused=number, code=error.code, message=str(error))
        else:
            say(saved=number)
    store.close()
    say(closed=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
