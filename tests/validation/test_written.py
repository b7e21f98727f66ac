"""A file that was written is not said to be missing because its folder cannot be synced, as on shares."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from fieldkit.pdf import document
from fieldkit.pdf.errors import OutputNotWritten


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        (errno.EINVAL, True),
        (errno.EBADF, True),
        (errno.ENOSYS, True),
        (errno.ENOTSUP, True),
        (errno.EIO, False),
    ],
)
def test_a_share_that_cannot_sync_folders_takes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int, written: bool
) -> None:
    sync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(answer, os.strerror(answer))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    out = tmp_path / "signed.pdf"
    if written:
        with document.written(out, overwrite=False) as file:
            file.write(b"signed")
    else:
        with pytest.raises(OutputNotWritten), document.written(out, overwrite=False) as file:
            file.write(b"signed")
    assert out.read_bytes() == b"signed"
