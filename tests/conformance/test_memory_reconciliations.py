"""P2, P4: what nobody knows the outcome of waits for one answer, and a bad one changes nothing."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from memory import conversations, inbox, receipts, reconciliations, schema
from memory.authority import Reviewer
from memory.errors import OutcomeUnclear, ReconcilerLacksRole, ReconciliationClosed
from memory.receipts import Receipt
from memory.reconciliations import Reconciliation
from memory.store import Store, Unit
from policies.words import ActionRequest, CaseId, ConversationId, Json, ReceiptId, RequestId, TurnId

C1 = ConversationId("c1")
RITA, SAM = Reviewer("rita", "reviewer"), Reviewer("sam", "supervisor")
RESULT: dict[str, Json] = {"refund_id": "R-1"}


async def unknown(store: Store, now: datetime, *, asks_in: timedelta | None = None) -> Reconciliation:
    def work(unit: Unit) -> Reconciliation:
        conversations.ensure(unit, conversation_id=C1, channel="chat", now=now)
        request = ActionRequest(RequestId("r1"), "refund_order", {"order_id": "O-1"}, "workflow")
        receipts.reserve(
            unit,
            receipt_id=ReceiptId("rcp-1"),
            key="key",
            request=request,
            turn_id=TurnId("t1"),
            case_id=CaseId("k1"),
            conversation_id=C1,
            owner="p",
            lease_s=60,
            now=now,
        )
        receipts.mark_executing(unit, receipt_id=ReceiptId("rcp-1"), owner="p", lease_s=60, now=now)
        lost = receipts.mark_unknown(unit, receipt_id=ReceiptId("rcp-1"), error_code="TimeoutError", now=now)
        for _ in range(2):
            item = reconciliations.open_for(
                unit,
                receipt=lost,
                queue="refunds",
                role="supervisor",
                known={"summary": "Refund"},
                asks_in=asks_in,
                now=now,
            )
        return item

    return await store.write(work)


async def answer(store: Store, now: datetime, **named: Any) -> tuple[Reconciliation, Receipt]:
    given: dict[str, Any] = {"verdict": "happened", "result": RESULT, "note": "Seen.", "reviewer": SAM}
    return await store.write(
        lambda unit: reconciliations.decide(unit, reconciliation_id="rec-1", now=now, **(given | named))
    )


async def rows(store: Store) -> list[list[dict[str, Any]]]:
    tables = [schema.METADATA.tables[name] for name in ("reconciliations", "receipts", "inbox", "events")]
    return await store.read(lambda unit: [[dict(row) for row in unit.rows(table.select())] for table in tables])


async def test_p2_one_answer_of_many_at_once_ends_the_receipt_and_wakes_the_turn(store: Store, now: datetime) -> None:
    await unknown(store, now)
    answers = [answer(store, now), *(answer(store, now, verdict="did_not_happen", result=None) for _ in range(3))]
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert sum(isinstance(each, ReconciliationClosed) for each in results) == 3
    receipt = await store.read(lambda unit: receipts.get(unit, receipt_id=ReceiptId("rcp-1")))
    assert (receipt.state, receipt.result) == ("committed", RESULT)
    item = await store.read(lambda unit: inbox.by_key(unit, conversation_id=C1, kind="decision", dedupe_key="rec-1"))
    assert item is not None
    assert (item.body["turn_id"], item.body["answer"], item.body["by"]) == ("t1", "happened", "sam")


async def test_p2_what_did_not_happen_leaves_its_key_free(store: Store, now: datetime) -> None:
    await unknown(store, now)
    item, receipt = await answer(store, now, verdict="did_not_happen", result=None)
    assert (item.status, item.decided_by, item.note) == ("did_not_happen", "sam", "Seen.")
    assert (receipt.state, receipt.error_code) == ("failed", "did_not_happen")


@pytest.mark.parametrize(
    ("named", "refusal"),
    [
        ({"reviewer": RITA}, ReconcilerLacksRole),
        ({"reviewer": Reviewer("a bot", "bot")}, ReconcilerLacksRole),
        ({"reviewer": Reviewer("sue", "supervisor", actions={"cancel_order": None})}, ReconcilerLacksRole),
        ({"note": " "}, OutcomeUnclear),
        ({"result": None}, OutcomeUnclear),
        ({"verdict": "did_not_happen"}, OutcomeUnclear),
    ],
)
async def test_p4_a_bad_answer_leaves_everything_as_it_was(
    store: Store, now: datetime, named: dict[str, Any], refusal: type[Exception]
) -> None:
    await unknown(store, now)
    before = await rows(store)
    with pytest.raises(refusal):
        await answer(store, now, **named)
    assert await rows(store) == before
    await answer(store, now)


async def test_p2_the_system_is_asked_again_ever_more_seldom_until_it_answers(store: Store, now: datetime) -> None:
    await unknown(store, now, asks_in=timedelta(seconds=30))

    async def due(seconds: float) -> int:
        at = now + timedelta(seconds=seconds)
        return len(await store.write(lambda unit: reconciliations.follow_up_due(unit, now=at)))

    assert [await due(seconds) for seconds in (29, 30, 60, 89, 90, 269, 270)] == [0, 1, 0, 0, 1, 0, 1]
    timers = [each async for each in _timers(store)]
    assert [item.body["reconciliation_id"] for item in timers] == ["rec-1"] * 3
    await store.write(lambda unit: reconciliations.settle(unit, receipt_id=ReceiptId("rcp-1"), now=now))
    assert await due(10**6) == 0
    with pytest.raises(ReconciliationClosed):
        await answer(store, now)


async def _timers(store: Store) -> Any:
    for number in (1, 2, 3):
        item = await store.read(
            lambda unit, number=number: inbox.by_key(
                unit, conversation_id=C1, kind="timer", dedupe_key=f"rec-1:{number}"
            )
        )
        assert item is not None
        yield item
