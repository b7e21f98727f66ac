"""A PIN, PUK or password on its way from the person to the token, and nowhere else."""

from __future__ import annotations

import sys
from types import TracebackType


def keep_memory_private() -> None:
    """No core dump of this process and those it starts, and no other process of its account may read it.

    For every process that is going to hold a secret, before it does.
    """
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(0x8003)  # no crash dialog: it would hang whoever waits
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # where a program takes dumps, the limit is not asked
        import ctypes

        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


class Secret:
    """Bytes that never show: `repr`, `str`, pickling and formatting give no part of them.

    Used as a context manager it is overwritten at the end. Python may have made copies before
    (a typed `str` cannot be overwritten); this keeps their number and their life small.
    """

    __slots__ = ("_bytes",)

    def __init__(self, value: str | bytes | bytearray) -> None:
        self._bytes = bytearray(value.encode() if isinstance(value, str) else value)

    def reveal(self) -> str:
        """The text itself, UTF-8 decoded: for the one call that needs it."""
        return self._bytes.decode()

    def reveal_bytes(self) -> bytes:
        """The bytes themselves: for the one call that needs them."""
        return bytes(self._bytes)

    def put_into(self, buffer: memoryview) -> None:
        """Copy the bytes into `buffer`, which is as long as they are: no other copy is made."""
        buffer[:] = self._bytes

    def wipe(self) -> None:
        """Overwrite and empty it."""
        self._bytes[:] = bytes(len(self._bytes))
        self._bytes.clear()

    def __len__(self) -> int:
        return len(self._bytes)

    def __bool__(self) -> bool:
        return bool(self._bytes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._bytes == other._bytes

    __hash__ = None  # type: ignore[assignment]  # a hash would be a trace of it

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not stored")

    def __enter__(self) -> Secret:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()
