"""P2, P5, P6 on Postgres: a worker killed with SIGKILL anywhere; another takes over and leaves one effect behind."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from houses import MIRA, Clock, TestHouse, opened
from test_crash_effects import KILLED, check_refunded_once

from memory import turns
from policies.words import ConversationId

Crash = Callable[..., int]


@pytest.fixture
def database(postgres: str) -> str:
    return postgres


@asynccontextmanager
async def successor(tmp_path: Path, database: str) -> AsyncIterator[TestHouse]:
    """The process that takes over, once it has."""
    clock = Clock()
    clock.forward(seconds=10)
    async with opened(tmp_path / "data", clock=clock, database=database) as house:
        await house.settle()
        yield house


@pytest.mark.parametrize(
    "stop", ["before_reserve", "after_reserve", "after_executing", "before_call", "after_call", "after_commit"]
)
async def test_p2_a_worker_killed_around_the_effect_leaves_one_refund(
    crash: Crash, tmp_path: Path, database: str, stop: str
) -> None:
    assert crash(stop) == KILLED
    async with successor(tmp_path, database) as house:
        await check_refunded_once(house)


async def test_p2_a_kill_during_a_takeover_changes_nothing_of_that(crash: Crash, tmp_path: Path, database: str) -> None:
    assert crash("after_call") == KILLED
    assert crash("before_commit", part="recover", seconds=5) == KILLED
    async with successor(tmp_path, database) as house:
        await check_refunded_once(house)


@pytest.mark.parametrize(("node", "nth"), [("screen", 1), ("intent", 2), ("guard", 3)])
async def test_p6_a_worker_killed_between_nodes_loses_and_doubles_nothing(
    crash: Crash, tmp_path: Path, database: str, node: str, nth: int
) -> None:
    assert crash(f"after_{node}", nth=nth, part="ask") == KILLED
    async with successor(tmp_path, database) as house:
        answered = len(await house.read(lambda unit: turns.of_conversation(unit, conversation_id=ConversationId("c1"))))
        for text in (MIRA, "yes")[answered - 1 :]:
            await house.say(text, message_id=f"again {text}")
        await house.decide(await house.only_pending())
        await check_refunded_once(house)


@pytest.mark.parametrize(("stop", "part"), [("before_park", "ask"), ("after_park", "ask")])
async def test_p5_an_approval_survives_a_worker_killed_around_parking(
    crash: Crash, tmp_path: Path, database: str, stop: str, part: str
) -> None:
    assert crash(stop, part=part) == KILLED
    async with successor(tmp_path, database) as house:
        await house.decide(await house.only_pending())
        await check_refunded_once(house)


async def test_p5_a_decision_survives_a_worker_killed_before_its_turn_went_on(
    crash: Crash, tmp_path: Path, database: str
) -> None:
    assert crash("after_answer") == KILLED
    async with successor(tmp_path, database) as house:
        await check_refunded_once(house)
