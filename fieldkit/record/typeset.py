"""Typst on one template, in this process or, run as a script, in one of its own with its memory limited.

Data of strangers is laid out apart: what it can do there is to fail. As a script it reads a job as JSON from
standard input and writes what `typeset` gives: a line of JSON with the places, then the PDF. It imports
nothing of fieldkit, so that it starts at once.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal, TypedDict

HERE = Path(__file__).parent
FONTS = HERE / "fonts"
MEMORY = 1536 * 1024 * 1024  # bytes of address space


class TypesettingJob(TypedDict):
    """What is typeset, by the parameters of `typeset`."""

    template: str
    inputs: dict[str, str]
    timestamp: int
    standards: list[Literal["a-3a", "ua-1"]]


MarkedBox = TypedDict(
    "MarkedBox",
    {
        "party": str,
        "page": float,
        "x": float,
        "y": float,
        "width": float,
        "height": float,
        "page-height": float,
    },
)
"""Where a signature goes, in points from the top left of its page, which is counted from 1."""


def typeset(
    template: str, inputs: dict[str, str], timestamp: int, standards: list[Literal["a-3a", "ua-1"]]
) -> tuple[bytes, list[MarkedBox]]:
    """The PDF of `template` (a file beside this one) and the values it marks with <signature>."""
    import typst

    with tempfile.TemporaryDirectory(prefix="fieldkit-record-") as name:
        main = Path(name) / template
        shutil.copyfile(HERE / template, main)
        compiler = typst.Compiler(
            str(main), root=name, font_paths=[str(FONTS)], ignore_system_fonts=True, sys_inputs=inputs
        )
        made: object = compiler.compile(timestamp=timestamp, pdf_standards=[*standards])
        places: list[MarkedBox] = json.loads(compiler.query("<signature>", field="value"))
    assert isinstance(made, bytes)
    return made, places


def main() -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pdf, places = typeset(**json.load(sys.stdin.buffer))
    sys.stdout.buffer.write(json.dumps(places).encode() + b"\n" + pdf)


if __name__ == "__main__":
    main()
