"""Poppler's programs, asked about a document: they run apart, so that a damaged one takes nothing with it.

A program can be given a time limit, and a document that crashes it crashes nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fieldkit.pdf.errors import ToolMissing
from fieldkit.program import run
from fieldkit.text import M

if TYPE_CHECKING:
    from fieldkit.secret import Secret

PATIENCE = 30.0  # seconds


def here(program: str) -> bool:
    """Whether the program is on this machine."""
    return shutil.which(program) is not None


def ask(
    program: str,
    options: Sequence[str],
    path: Path,
    password: Secret | None = None,
    *,
    after: Sequence[str] = (),
) -> bytes | None:
    """What `program` prints about the document, or None where it cannot read it.

    password: of an encrypted document. It goes to qpdf over a pipe, and the readable document from
    there on over another, so that neither a command line nor a file ever holds it.

    :raises ToolMissing: the program, or qpdf where there is a password, is not here.
    """
    line = [_path_of(program), *options]
    if password is None:
        return _run([*line, str(path.absolute()), *after])
    qpdf = [_path_of("qpdf"), "--password-file=-", "--decrypt", str(path.absolute()), "-"]
    document = _run(qpdf, password.reveal_bytes() + b"\n", good=(0, 3))
    return None if document is None else _run([*line, "-", *after], document)


def _path_of(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        package = "qpdf" if program == "qpdf" else "poppler-utils"
        raise ToolMissing(
            M("{program} is not on this machine. Install it: {package}", program=program, package=package)
        )
    return path


def _run(line: Sequence[str], stdin: bytes = b"", good: Sequence[int] = (0,)) -> bytes | None:
    done = run(line, stdin=stdin, timeout=PATIENCE)
    return done.output if done.status in good else None
