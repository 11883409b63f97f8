"""P12: what keeps failing is left alone, what says no is well, and one call at a time tries whether it works again."""

import asyncio

import pytest

from tools.circuits import CircuitOpen, Circuits, circuits_of_systems
from tools.errors import ToolRefused, ToolUnavailable


async def ask(circuits: Circuits, problem: Exception | None = None, name: str = "shop") -> None:
    async with circuits.through(name):
        if problem is not None:
            raise problem


async def fail(circuits: Circuits, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ToolUnavailable):
            await ask(circuits, ToolUnavailable())


async def test_after_failures_in_a_row_nothing_is_asked_and_others_are_not_concerned() -> None:
    circuits = circuits_of_systems(failures=3, pause_s=60)
    await fail(circuits, 2)
    await ask(circuits)
    await fail(circuits, 3)
    with pytest.raises(CircuitOpen):
        await ask(circuits)
    await ask(circuits, name="payments")
    assert circuits.states() == {"payments": "closed", "shop": "opened"}


@pytest.mark.parametrize("answer", [ToolRefused("not_found"), KeyError("a bug about one record")], ids=str)
async def test_a_system_that_answers_is_well_whatever_it_answers(answer: Exception) -> None:
    circuits = circuits_of_systems(failures=1, pause_s=60)
    for _ in range(3):
        with pytest.raises(type(answer)):
            await ask(circuits, answer)
    assert circuits.state_of("shop") == "closed"


async def test_after_the_pause_one_call_tries_and_closes_or_opens_it_again() -> None:
    circuits = circuits_of_systems(failures=1, pause_s=0.02)
    await fail(circuits, 1)
    await asyncio.sleep(0.03)
    await fail(circuits, 1)
    with pytest.raises(CircuitOpen):
        await ask(circuits)
    await asyncio.sleep(0.03)
    go_on = asyncio.Event()

    async def slow() -> None:
        async with circuits.through("shop"):
            await go_on.wait()

    trial = asyncio.create_task(slow())
    await asyncio.sleep(0)
    with pytest.raises(CircuitOpen):
        await ask(circuits)
    go_on.set()
    await trial
    await ask(circuits)
    assert circuits.state_of("shop") == "closed"


async def test_a_call_that_is_cancelled_says_nothing_of_the_system() -> None:
    circuits = circuits_of_systems(failures=1, pause_s=60)

    async def for_ever() -> None:
        async with circuits.through("shop"):
            await asyncio.Event().wait()

    call = asyncio.create_task(for_ever())
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await ask(circuits)
    assert circuits.state_of("shop") == "closed"
