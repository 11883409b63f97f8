"""Peers and load on the whole of Callboard: what is measured is work that was really done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from callboard.commands.bench_peers import open_with_model
from evals.bench_peers import Size, bench_peers
from evals.errors import WorkNotDone
from evals.load import Door, open_here, run_load
from graphs.results import InboundMessage, TurnResult
from playbooks.meters.records import Books, build

SMALL = Size(conversations=1, turns=2, length=6, late=5, crowd=2, crowd_turns=1)


class Forgetful(Books):
    """Books that say of every reading that they took it down, and don't."""

    def store(self, meter_id: str, value: int, *, reference: str, at: str) -> None:
        """Nothing."""


async def test_a_stack_that_does_less_than_its_work_is_not_measured() -> None:
    with pytest.raises(WorkNotDone, match="floor made"):
        await bench_peers(open_with_model, Forgetful, build, size=SMALL)


@asynccontextmanager
async def _here(directory: Path, base_url: str, model: str, _workers: int) -> AsyncIterator[Door]:
    async with open_here(directory, open_with_model(directory, base_url, model)) as door:
        yield door


async def test_many_conversations_at_once_are_all_answered_and_counted() -> None:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1

    load = await run_load(_here, "sqlite", conversations=5, turns=2, model="mock-20ms", ramp_s=0.1, on_turn=count)
    figures = load.as_json()
    assert (done, figures["turns"], figures["errors"], figures["conversations"]) == (10, 10, 0, 5)
    assert load.bytes_per_turn > 0
    assert load.memory_bytes > 0


async def test_a_customer_without_the_right_answer_is_an_error() -> None:
    class Silent:
        def __init__(self, door: Door) -> None:
            self._door = door

        async def handle(self, message: InboundMessage) -> TurnResult:
            if message.conversation_id == "c1":
                raise TimeoutError
            return await self._door.handle(message)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._door, name)

    @asynccontextmanager
    async def opens(directory: Path, base_url: str, model: str, workers: int) -> AsyncIterator[Door]:
        async with _here(directory, base_url, model, workers) as door:
            yield Silent(door)

    load = await run_load(opens, "sqlite", conversations=2, turns=1, model="mock", ramp_s=0)
    assert load.errors == 1
