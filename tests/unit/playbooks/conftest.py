"""The shop's records, built once and copied for each test."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from playbooks.retail.fixtures import build

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("records")
    build(directory, now=NOW)
    return directory


@pytest.fixture
def records(_built: Path, tmp_path: Path) -> Path:
    """A directory with the shop's databases as of 21 November 2026, 10:00 UTC, for this test alone."""
    return Path(shutil.copytree(_built, tmp_path / "records"))
