"""A factory of whole Callboards for the promises' tests."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import houses
import pytest
from houses import OpenHouse, TestHouse


@pytest.fixture(scope="session")
def shop_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop") / "systems"


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def open_house(
    backend: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    shop_template: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[OpenHouse]:
    """Opens houses on the same records, one after the other, or beside each other on Postgres."""
    houses.warm(monkeypatch.setattr)
    database = request.getfixturevalue("postgres") if backend == "postgres" else ""
    async with AsyncExitStack() as stack:

        async def open_one(**options: Any) -> TestHouse:
            own = await stack.enter_async_context(AsyncExitStack())
            made = await own.enter_async_context(
                houses.opened(tmp_path / "data", template=shop_template, database=database, **options)
            )
            made.close = own.aclose
            return made

        yield open_one


@pytest.fixture
async def house(open_house: OpenHouse) -> TestHouse:
    opened: TestHouse = await open_house()
    return opened
