"""P2, P6, P7: what runs beside it, was cut off before it or is tried again and again changes nothing of a promise."""

import asyncio
from typing import Any

import pytest
from houses import JONAS, SAM, SUE, YES, OpenHouse, TestHouse
from sqlalchemy import text as sql

from agents.reasoners.scripted import ScriptedReasoner
from agents.tasks import Cue, Source, ToolProposal, WorkflowTask
from graphs.errors import TurnFailed
from graphs.judging import judge
from graphs.nodes import act
from graphs.results import InboundMessage, ReviewDecision
from memory import audit, inbox
from memory.errors import StoreUnavailable
from memory.store import Unit
from policies.words import ConversationId, Json, Origin

ORDER = "20592"


def meet_before_the_reservation(monkeypatch: pytest.MonkeyPatch, parties: int) -> None:
    """Let that many turns decide on the same facts before the first of them acts."""
    barrier = asyncio.Barrier(parties)
    met = 0

    async def judge_and_meet(*given: Any, **named: Any) -> Any:
        nonlocal met
        judged = await judge(*given, **named)
        if judged.request.tool == "refund_order" and met < parties:
            met += 1
            await barrier.wait()
        return judged

    monkeypatch.setattr(act, "judge", judge_and_meet)


async def test_p2_two_conversations_refund_an_item_once_though_one_of_them_names_it_among_others(
    house: TestHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.records.change("UPDATE orders SET status = 'lost' WHERE id = ?", ORDER)
    for conversation in ("c1", "c2"):
        await house.ask_refund(ORDER, JONAS, conversation=conversation)
    first, second = sorted(await house.pending(), key=lambda each: each.conversation_id)
    arguments: dict[str, Any] = dict(first.body["arguments"])
    one_item = {**arguments, "item_ids": arguments["item_ids"][:1], "amount_minor": 6990}
    meet_before_the_reservation(monkeypatch, 2)
    decide = house.runtime.runner.decide
    await decide(first.id, ReviewDecision("edit", arguments=one_item, message="This one first."), SAM)
    await decide(second.id, YES, SUE)
    await house.settle("c1")
    await house.settle("c2")
    assert len(house.records.amounts(ORDER)) == 1


async def test_p6_a_turn_that_never_came_to_its_end_goes_to_a_person(house: TestHouse) -> None:
    message = InboundMessage(ConversationId("c1"), "m-1", "Where is my order 20731?")

    def left_behind(unit: Unit) -> None:
        inbox.put_message(
            unit,
            conversation_id=message.conversation_id,
            message_id="m-1",
            text=message.text,
            channel="chat",
            now=house.clock(),
        )
        for _ in range(3):
            inbox.claim(unit, conversation_id=message.conversation_id, now=house.clock())

    await house.runtime.store.write(left_behind)
    await house.runtime.runner.recover()
    await asyncio.wait_for(house.settle(), 10)
    assert (await house.runtime.runner.handle(message)).outcome == "escalated"
    assert await house.read(inbox.unfinished) == []


async def test_p6_whoever_waits_behind_an_item_that_cannot_be_run_is_told(
    house: TestHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(house.runtime.runner, "_run_or_give_up", run)
    messages = [InboundMessage(ConversationId("c1"), f"m-{number}", f"Hello {number}") for number in range(12)]
    told = await asyncio.wait_for(
        asyncio.gather(*map(house.runtime.runner.handle, messages), return_exceptions=True), 10
    )
    assert [type(problem) for problem in told] == [TurnFailed] * len(messages)


@pytest.mark.parametrize(
    "text",
    ["\ud83d where is my order 20731?", "\udfff", "\x00", "\U0010ffff" * 4000, "{{}}" * 2000, "\u202e\u0600\ufeff"],
)
async def test_p12_text_of_any_kind_is_answered(house: TestHouse, text: str) -> None:
    result = await house.say(text)
    assert (result.outcome, bool(result.reply)) == ("awaiting_customer", True)
    assert (await house.read(audit.verify)).ok


async def test_p7_identities_are_not_guessed_from_case_to_case(open_house: OpenHouse) -> None:
    numbers = iter(range(20_000, 30_000))

    def guess_once_a_turn(task: WorkflowTask) -> Cue:
        if any(each.this_turn for each in task.attempts):
            return Cue(kind="reply", template="thanks", fulfils=True)
        arguments: dict[str, Json] = {"postcode": task.text[-5:], "email": "mira.okafor@example.org"}
        where = {name: Source(origin=Origin.CUSTOMER) for name in arguments}
        call = ToolProposal(tool="verify_customer", arguments=arguments, provenance=where, why="", step="verify")
        return Cue(kind="call", call=call)

    house = await open_house(
        reasoner=lambda _sheets, local: ScriptedReasoner({WorkflowTask: guess_once_a_turn}, otherwise=local)
    )
    for number in range(12):
        wish = ("Where is my order?", "I want to cancel an order.", "I want a refund.")[number % 3]
        await house.say(f"{wish} mira.okafor@example.org, postcode {next(numbers):05d}")

    def ended(unit: Unit) -> int:
        return len(unit.rows(sql("SELECT id FROM receipts WHERE tool = 'verify_customer'")))

    assert await house.read(ended) == 5


async def test_p6_a_listener_who_leaves_in_the_middle_stops_nothing_and_leaves_nothing_behind(house: TestHouse) -> None:
    stream = house.runtime.runner.stream(InboundMessage(ConversationId("c1"), "m-1", "Where is my order 20731?"))
    assert (await anext(stream)).kind == "started"
    listening = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await house.settle()
    await asyncio.sleep(0)
    listening_still = {"Runner._outcome_of", "Queue.get"}
    assert [
        task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__qualname__", "") in listening_still
    ] == []
    assert len(await house.texts()) == 1
