"""The hybrid logical clock: follows the machine's clock, and never runs backwards when that does."""

from __future__ import annotations

import time
from datetime import datetime


class Clock:
    """Gives times that only grow; `last` is the newest one known ("milliseconds-counter")."""

    def __init__(self, last: str = "") -> None:
        head, _, tail = last.partition("-")
        self._milliseconds = int(head) if head.isdigit() else 0
        self._counter = int(tail) if tail.isdigit() else 0

    def tick(self) -> str:
        """The next time, sortable as text."""
        now = time.time_ns() // 1_000_000
        if now > self._milliseconds:
            self._milliseconds, self._counter = now, 0
        else:
            self._counter += 1
        return f"{self._milliseconds:015d}-{self._counter:06d}"


def wall() -> str:
    """The machine's time as people read it: RFC 3339, milliseconds, with the offset."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
