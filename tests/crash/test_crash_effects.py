"""P2, P5, P6: a process killed with SIGKILL anywhere leaves one effect and one true reply behind, once it is back."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from houses import MIRA, NORA, Clock, TestHouse, opened

from memory import audit, inbox, receipts, turns
from memory.store import Unit
from policies.words import ConversationId

Crash = Callable[..., int]
KILLED, ENDED = -9, 0
ASKED = "needs a colleague's approval"
DONE = "I have refunded 148.90 EUR"
SMALL_DONE = "I have refunded 34.90 EUR"

GATEWAY = [
    "before_reserve",
    "after_reserve",
    "after_executing",
    "before_call",
    "after_call",
    "before_commit",
    "after_commit",
]
NODES = [("receive", 1), ("intent", 2), ("guard", 3), ("eligibility", 6)]
"""A node and the how many-th time it ends: one of each message. Deaths all over are chaos' (test_chaos.py)."""
LAST_NODES = ["draft", "close"]


@asynccontextmanager
async def restarted(tmp_path: Path, *, seconds: float = 10) -> AsyncIterator[TestHouse]:
    """The house that goes on with what the dead process left."""
    clock = Clock()
    clock.forward(seconds=seconds)
    async with opened(tmp_path / "data", clock=clock) as house:
        await house.settle()
        yield house


def left_over(unit: Unit) -> tuple[int, int, int]:
    """Inbox items, receipts and turns that nobody ended."""
    known = turns.of_conversation(unit, conversation_id=ConversationId("c1"))
    return len(inbox.unfinished(unit)), len(receipts.unfinished(unit)), sum(turn.state != "done" for turn in known)


async def check_refunded_once(
    house: TestHouse, *, order: str = "20418", amount: int = 14890, done: str = DONE, asked: int = 1
) -> None:
    """One refund in the shop's books, said once and truly at the end, nothing left over, everything on the record."""
    assert house.records.amounts(order) == [amount]
    texts = await house.texts()
    assert "\n".join(texts).count(done) == 1
    assert done in texts[-1]
    assert "\n".join(texts).count(ASKED) == asked
    assert await house.read(left_over) == (0, 0, 0)
    assert (await house.read(audit.verify)).ok


@pytest.mark.parametrize("stop", GATEWAY)
async def test_p2_a_kill_around_the_effect_leaves_one_refund(crash: Crash, tmp_path: Path, stop: str) -> None:
    assert crash(stop) == KILLED
    async with restarted(tmp_path) as house:
        await check_refunded_once(house)


@pytest.mark.parametrize("stop", ["after_reserve", "before_call", "after_call"])
async def test_p2_a_kill_around_an_effect_that_needs_no_approval_leaves_one(
    crash: Crash, tmp_path: Path, stop: str
) -> None:
    assert crash(stop, part="ask", order="20586", who=NORA) == KILLED
    async with restarted(tmp_path) as house:
        await check_refunded_once(house, order="20586", amount=3490, done=SMALL_DONE, asked=0)


@pytest.mark.parametrize("stops", [("after_call", "before_commit"), ("before_call", "before_call")], ids="+".join)
async def test_p2_a_kill_during_recovery_changes_nothing_of_that(
    crash: Crash, tmp_path: Path, stops: tuple[str, str]
) -> None:
    assert crash(stops[0]) == KILLED
    assert crash(stops[1], part="recover", seconds=5) == KILLED
    async with restarted(tmp_path, seconds=20) as house:
        await check_refunded_once(house)


async def test_p2_a_refund_that_was_made_long_before_the_restart_is_found_not_repeated(
    crash: Crash, tmp_path: Path
) -> None:
    assert crash("after_call") == KILLED
    async with restarted(tmp_path, seconds=86_400) as house:
        await check_refunded_once(house)


async def test_p2_a_permit_that_was_never_used_is_too_old_after_the_lease(crash: Crash, tmp_path: Path) -> None:
    assert crash("after_reserve") == KILLED
    async with restarted(tmp_path, seconds=3_600) as house:
        assert house.records.amounts("20418") == []
        texts = await house.texts()
        assert "I have refunded" not in "\n".join(texts)
        assert ASKED not in texts[-1]
        assert await house.read(left_over) == (0, 0, 0)


@pytest.mark.parametrize(("stop", "state"), [("after_reserve", "failed"), ("after_executing", "unknown")])
async def test_p2_a_turn_that_is_given_up_leaves_no_effect_that_seems_to_be_under_way(
    crash: Crash, tmp_path: Path, stop: str, state: str
) -> None:
    """Killed again and again the turn goes to a person; the ledger says what is known of its effect, and no more."""
    assert crash(stop) == KILLED
    for _ in range(2):
        assert crash("after_claim", part="recover") == KILLED
    async with restarted(tmp_path) as house:
        known = await house.read(lambda unit: turns.of_conversation(unit, conversation_id=ConversationId("c1")))
        assert (known[-1].state, known[-1].outcome) == ("done", "escalated")
        effects = await house.read(lambda unit: receipts.of_turn(unit, turn_id=known[-1].id))
        assert [receipt.state for receipt in effects if receipt.tool == "refund_order"] == [state]
        assert "I have refunded" not in "\n".join(await house.texts())
        assert (await house.read(audit.verify)).ok


@pytest.mark.parametrize(("node", "nth"), NODES)
async def test_p6_a_kill_between_nodes_loses_and_doubles_nothing(
    crash: Crash, tmp_path: Path, node: str, nth: int
) -> None:
    """Some message dies after some node; the restart answers it, and the conversation goes on as if nothing was."""
    assert crash(f"after_{node}", nth=nth, part="ask") == KILLED
    async with restarted(tmp_path) as house:
        answered = len(await house.read(lambda unit: turns.of_conversation(unit, conversation_id=ConversationId("c1"))))
        for text in (MIRA, "yes")[answered - 1 :]:
            await house.say(text, message_id=f"again {text}")
        approval = await house.only_pending()
        await house.decide(approval)
        await check_refunded_once(house)


@pytest.mark.parametrize("node", ["approve", *LAST_NODES])
async def test_p6_a_kill_after_the_effect_says_so_once(crash: Crash, tmp_path: Path, node: str) -> None:
    assert crash("nowhere", part="ask") == ENDED
    assert crash(f"after_{node}", part="decide") == KILLED
    async with restarted(tmp_path) as house:
        await check_refunded_once(house)


@pytest.mark.parametrize("stop", ["before_park", "after_park"])
async def test_p5_an_approval_survives_a_kill_around_parking(crash: Crash, tmp_path: Path, stop: str) -> None:
    assert crash(stop, part="ask") == KILLED
    async with restarted(tmp_path) as house:
        approval = await house.only_pending()
        assert house.records.amounts("20418") == []
        await house.decide(approval)
        await check_refunded_once(house)


async def test_p5_a_decision_survives_a_kill_before_its_turn_went_on(crash: Crash, tmp_path: Path) -> None:
    assert crash("after_answer") == KILLED
    async with restarted(tmp_path) as house:
        await check_refunded_once(house)


@pytest.mark.parametrize("node", ["escalate", "close"])
async def test_p12_a_kill_while_handing_over_still_tells_the_customer(crash: Crash, tmp_path: Path, node: str) -> None:
    assert crash(f"after_{node}", part="person") == KILLED
    async with restarted(tmp_path) as house:
        (said,) = await house.texts()
        assert "colleague" in said
        (turn,) = await house.read(lambda unit: turns.of_conversation(unit, conversation_id=ConversationId("c1")))
        assert (turn.state, turn.outcome) == ("done", "escalated")
