"""The hybrid logical clock: follows the machine's clock, and never runs backwards when that does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

MOST = 999_999
"""The largest count within one millisecond; the next one borrows a millisecond."""

Now = Callable[[], datetime]


def system() -> datetime:
    """The machine's time, with its offset."""
    return datetime.now().astimezone()


class Clock:
    """Gives times that only grow; `last` is the newest one known ("milliseconds-count")."""

    def __init__(self, last: str = "", now: Now = system) -> None:
        head, _, tail = last.partition("-")
        self._milliseconds = int(head) if head.isdigit() else 0
        self._count = int(tail) if tail.isdigit() else 0
        self._now = now

    def now(self) -> datetime:
        """The time on the wall, whatever was known before."""
        return self._now()

    def tick(self) -> tuple[str, str]:
        """The next time, sortable as text; and the machine's own, RFC 3339, for people."""
        now = self._now()
        milliseconds = int(now.timestamp() * 1000)
        if milliseconds > self._milliseconds:
            self._milliseconds, self._count = milliseconds, 0
        elif self._count < MOST:
            self._count += 1
        else:
            self._milliseconds, self._count = self._milliseconds + 1, 0
        return f"{self._milliseconds:015d}-{self._count:06d}", now.isoformat(timespec="milliseconds")
