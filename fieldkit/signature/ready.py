"""pyHanko loaded in the background while the person reads the plan: its import takes half a second."""

from __future__ import annotations

import contextlib
import importlib
import threading

NEEDED = (
    "fieldkit.signature.signer",
    "fieldkit.pdf.form",
    "pyhanko.pdf_utils.incremental_writer",
    "pyhanko.sign.signers",
    "pyhanko.sign.validation",
    "typst",
)


def get_ready() -> threading.Thread:
    """Begin; whoever needs one of them sooner waits for the rest of its import and no longer."""
    # no daemon: an interpreter that ends in the middle of a native import is aborted
    thread = threading.Thread(target=_load, name="fieldkit-ready")
    thread.start()
    return thread


def _load() -> None:
    for name in NEEDED:
        with contextlib.suppress(Exception):  # it will be told by whoever needs it
            importlib.import_module(name)
