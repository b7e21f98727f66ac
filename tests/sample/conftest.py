"""One sample authority for all tests of this folder that change nothing in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldkit.sample import authority
from fieldkit.sample.authority import SampleAuthority


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleAuthority:
    """A sample authority."""
    return authority.create(tmp_path_factory.mktemp("sample") / "authority")


@pytest.fixture
def own(tmp_path: Path) -> SampleAuthority:
    """A sample authority of the test's own, to be changed."""
    return authority.create(tmp_path / "own", key="ec:p256")
