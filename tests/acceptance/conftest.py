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


@pytest.fixture
async def open_house(tmp_path: Path, shop_template: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenHouse]:
    """Opens houses in the test's directory; one after the other, or each in a directory of its own by `name`."""
    houses.warm(monkeypatch.setattr)
    async with AsyncExitStack() as stack:

        async def open_one(*, name: str = "data", **options: Any) -> TestHouse:
            own = await stack.enter_async_context(AsyncExitStack())
            made = await own.enter_async_context(houses.opened(tmp_path / name, template=shop_template, **options))
            made.close = own.aclose
            return made

        yield open_one


@pytest.fixture
async def house(open_house: OpenHouse) -> TestHouse:
    opened: TestHouse = await open_house()
    return opened
