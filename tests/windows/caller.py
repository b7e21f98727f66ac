"""Calls fieldkit's commands in turn, in one process of Windows: starting one for each takes Wine a second.

Each line on standard input is a folder and a list of words. For each the three standard streams are made
anew, as Python makes them for a program whose streams are pipes: in the ANSI code page. The answer is a line
too: exit status, and in hexadecimal what came out of the two pipes.
"""

from __future__ import annotations

import io
import json
import locale
import os
import sys
import threading
from typing import BinaryIO

from fieldkit.__main__ import main

STREAMS = ("stdin", "stdout", "stderr")


def call(words: list[str]) -> tuple[int, bytes, bytes]:
    """Run `fieldkit` with these words; status, standard output, standard error."""
    printed: dict[int, bytes] = {}

    def read(descriptor: int, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as file:
            printed[descriptor] = file.read()

    readers = []
    for descriptor, name in enumerate(STREAMS):
        ours, theirs = os.pipe()
        if not descriptor:
            ours, theirs = theirs, ours
            os.close(ours)
        else:
            readers.append(threading.Thread(target=read, args=(descriptor, ours)))
            readers[-1].start()
        os.dup2(theirs, descriptor)
        os.close(theirs)
        raw: BinaryIO = os.fdopen(descriptor, "wb" if descriptor else "rb", closefd=False)
        setattr(sys, name, io.TextIOWrapper(raw, encoding=locale.getencoding(), write_through=True))
    sys.argv = ["fieldkit", *words]
    try:
        status = main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, name in enumerate(STREAMS):
        getattr(sys, name).close()
        os.dup2(nothing, descriptor)
    os.close(nothing)
    for reader in readers:
        reader.join()
    return status, printed[1], printed[2]


def serve() -> None:
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    for line in asked:
        folder, words = json.loads(line)
        os.chdir(folder)
        status, out, err = call(words)
        answers.write(json.dumps([status, out.hex(), err.hex()]).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    serve()
