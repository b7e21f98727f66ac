"""Many documents judged in one run, such as a folder of what was published: a result for each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.finding import Overall
from fieldkit.operator import Progress
from fieldkit.pdf import document
from fieldkit.pdf.errors import DocumentMissing
from fieldkit.text import M
from fieldkit.validation.judgement import Judgement


class JudgedDocument(msgspec.Struct, frozen=True):
    """One document and what came of it: a judgement, or why there is none. sha256: "" where unreadable."""

    path: Path
    sha256: str = ""
    size: int = 0
    judgement: Judgement | None = None
    error: FieldkitError | None = None

    @property
    def verdict(self) -> Overall:
        return self.judgement.verdict if self.judgement is not None else "fail"


def gather(paths: Sequence[Path]) -> list[Path]:
    """The files named, and every PDF in the folders named and below them, in the order of their paths.

    :raises DocumentMissing: there is none.
    """
    documents: list[Path] = []
    for path in paths:
        documents += sorted(_below(path)) if path.is_dir() else [path]
    if not documents:
        raise DocumentMissing(M("There is no PDF in the folder."), hint=M("Give files, or another folder."))
    return list(dict.fromkeys(documents))


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.suffix.lower() == ".pdf" and not path.is_dir():
            yield path


def judge_each(
    paths: Sequence[Path],
    judge: Callable[[Path], Judgement],
    *,
    progress: Callable[[Progress], None] = lambda _: None,
) -> list[JudgedDocument]:
    """Judge every document; one that cannot be read takes nothing from the others."""
    done: list[JudgedDocument] = []
    for number, path in enumerate(paths):
        progress(Progress(M("Judging {name}", name=path.name), number, len(paths)))
        done.append(_one(path, judge))
    progress(Progress(M("Documents judged: {count}", count=len(done)), len(done), len(done)))
    return done


def _one(path: Path, judge: Callable[[Path], Judgement]) -> JudgedDocument:
    digest, size = "", 0
    try:
        data = document.read_bytes(path)
        digest, size = hashlib.sha256(data).hexdigest(), len(data)
        del data
        return JudgedDocument(path, digest, size, judge(path))
    except FieldkitError as error:
        return JudgedDocument(path, digest, size, error=error)
