"""One suite, two backends: whatever asks for the store runs on SQLite and on Postgres."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory.postgres_store import PostgresStore
from memory.sqlite_store import SqliteStore
from memory.store import Store

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
MASTER_KEY = b"k" * 32


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def store(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store
    if backend == "sqlite":
        opened = await SqliteStore.open(tmp_path / "data")
    else:
        opened = await PostgresStore.open(request.getfixturevalue("postgres"), master_key=MASTER_KEY)
    yield opened
    await opened.close()
