"""A folder for a store."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a store is made when it is opened."""
    return tmp_path / "store"
