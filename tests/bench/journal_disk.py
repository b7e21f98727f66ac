"""The system's disk without its fsync, to make large stores for the benchmarks in reasonable time."""

from __future__ import annotations

from pathlib import Path

from fieldkit.journal.files import Disk


class Hurried(Disk):
    """Nothing it writes is durable."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_folder(self, path: Path) -> None:
        pass
