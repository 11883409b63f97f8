"""The ledger lets one effect happen once, within its limits, with its approval."""

import asyncio
from datetime import datetime, timedelta

import pytest

from memory import approvals, conversations, receipts, requests
from memory.approvals import Reviewer
from memory.errors import AlreadyDone, ApprovalChanged, ApprovalClosed, InFlight, LimitExceeded, ReceiptStateError
from memory.receipts import Receipt
from memory.store import Store, Unit
from policies.words import (
    ActionRequest,
    ApprovalId,
    ApprovalTerms,
    CaseId,
    ConversationId,
    LimitUse,
    ReceiptId,
    RequestId,
    TurnId,
)

C1, K1, T1 = ConversationId("c1"), CaseId("k1"), TurnId("t1")
KEY = receipts.key_of("refund_order", {"order_id": "O-1"})


def _request(request_id: str = "r1", amount_minor: int = 5_000) -> ActionRequest:
    return ActionRequest(
        id=RequestId(request_id),
        tool="refund_order",
        arguments={"order_id": "O-1", "amount_minor": amount_minor, "currency": "EUR"},
        specialist="workflow",
    )


def _limit(
    *, count: int | None = None, amount: int | None = None, used: int = 5_000, window_s: int | None = None
) -> LimitUse:
    return LimitUse(
        limit="refunds",
        key="refunds|anna",
        count=1,
        amount_minor=used,
        currency="EUR",
        window_s=window_s,
        max_count=count,
        max_amount_minor=amount,
    )


async def _reserve(
    store: Store,
    now: datetime,
    *,
    receipt_id: str = "x1",
    request: ActionRequest | None = None,
    key: str = KEY,
    approval: tuple[ApprovalId, int, str] | None = None,
    limits: tuple[LimitUse, ...] = (),
) -> Receipt:
    return await store.write(
        lambda unit: receipts.reserve(
            unit,
            receipt_id=ReceiptId(receipt_id),
            key=key,
            request=request or _request(),
            turn_id=T1,
            case_id=K1,
            conversation_id=C1,
            approval=approval,
            limits=limits,
            owner="process-1",
            lease_s=30,
            now=now,
        )
    )


async def _execute(store: Store, now: datetime, receipt_id: str = "x1") -> Receipt:
    return await store.write(
        lambda unit: receipts.mark_executing(
            unit, receipt_id=ReceiptId(receipt_id), owner="process-1", lease_s=30, now=now
        )
    )


async def _commit(store: Store, now: datetime, receipt_id: str = "x1") -> Receipt:
    return await store.write(
        lambda unit: receipts.commit(unit, receipt_id=ReceiptId(receipt_id), result={"refund_id": "R-9"}, now=now)
    )


async def _fail(store: Store, now: datetime, receipt_id: str = "x1") -> Receipt:
    return await store.write(
        lambda unit: receipts.fail(unit, receipt_id=ReceiptId(receipt_id), error_code="refused", now=now)
    )


def test_p2_the_key_is_of_the_effect_whatever_the_order_of_its_arguments() -> None:
    one = receipts.key_of("refund_order", {"order_id": "O-1", "item_id": "I-1"})
    assert one == receipts.key_of("refund_order", {"item_id": "I-1", "order_id": "O-1"})
    assert one != receipts.key_of("refund_order", {"order_id": "O-1", "item_id": "I-2"})
    assert one != receipts.key_of("cancel_order", {"order_id": "O-1", "item_id": "I-1"})
    assert one != receipts.key_of("refund_order", {"order_id": "O-1", "item_id": "I-1"}, "second")


async def test_a_receipt_goes_from_reserved_to_committed(store: Store, now: datetime) -> None:
    reserved = await _reserve(store, now)
    assert (reserved.state, reserved.attempt, reserved.result) == ("reserved", 1, None)
    assert (await _execute(store, now)).state == "executing"
    committed = await _commit(store, now)
    assert (committed.state, committed.result) == ("committed", {"refund_id": "R-9"})
    assert committed.arguments == {"order_id": "O-1", "amount_minor": 5_000, "currency": "EUR"}


async def test_p2_of_ten_requests_for_one_effect_one_gets_it(store: Store, now: datetime) -> None:
    results = await asyncio.gather(
        *(_reserve(store, now, receipt_id=f"x{number}", request=_request(f"r{number}")) for number in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Receipt) for result in results) == 1
    assert sum(isinstance(result, InFlight) for result in results) == 9
    assert len(await store.read(receipts.unfinished)) == 1


async def test_p2_the_same_request_finds_its_receipt_in_every_state(store: Store, now: datetime) -> None:
    first = await _reserve(store, now)
    assert await _reserve(store, now, receipt_id="other") == first
    executing = await _execute(store, now)
    assert await _reserve(store, now) == executing
    committed = await _commit(store, now)
    assert await _reserve(store, now) == committed


async def test_p2_another_request_is_told_what_became_of_the_effect(store: Store, now: datetime) -> None:
    await _reserve(store, now)
    await _execute(store, now)
    await store.write(
        lambda unit: receipts.mark_unknown(unit, receipt_id=ReceiptId("x1"), error_code="timeout", now=now)
    )
    with pytest.raises(InFlight) as in_flight:
        await _reserve(store, now, receipt_id="x2", request=_request("r2"))
    assert in_flight.value.state == "unknown"
    await _commit(store, now)
    with pytest.raises(AlreadyDone) as done:
        await _reserve(store, now, receipt_id="x2", request=_request("r2"))
    assert isinstance(done.value.receipt, Receipt)
    assert done.value.receipt.result == {"refund_id": "R-9"}


async def test_p2_a_failed_effect_may_be_tried_again_and_stays_on_the_ledger(store: Store, now: datetime) -> None:
    await _reserve(store, now)
    await _execute(store, now)
    await _fail(store, now)
    second = await _reserve(store, now, receipt_id="x2", request=_request("r2"))
    assert (second.id, second.state, second.attempt) == ("x2", "reserved", 2)
    states = [receipt.state for receipt in await store.read(lambda unit: receipts.of_case(unit, case_id=K1))]
    assert states == ["failed", "reserved"]
    third_time = await _reserve(store, now, receipt_id="x1", request=_request("r2"))
    assert third_time == second


async def test_p2_a_lost_call_is_unknown_until_somebody_knows(store: Store, now: datetime) -> None:
    await _reserve(store, now)
    await _execute(store, now)
    unknown = await store.write(
        lambda unit: receipts.mark_unknown(unit, receipt_id=ReceiptId("x1"), error_code="timeout", now=now)
    )
    assert (unknown.state, unknown.error_code) == ("unknown", "timeout")
    repeated = await _execute(store, now)
    assert (repeated.state, repeated.attempt) == ("executing", 2)


@pytest.mark.parametrize("move", [_execute, _commit, _fail])
async def test_p2_a_committed_receipt_stays_committed(store: Store, now: datetime, move: object) -> None:
    await _reserve(store, now)
    await _execute(store, now)
    committed = await _commit(store, now)
    with pytest.raises(ReceiptStateError):
        await move(store, now)  # type: ignore[operator]  # one of the three above
    assert await store.read(lambda unit: receipts.get(unit, receipt_id=ReceiptId("x1"))) == committed


async def test_a_call_that_never_began_can_not_be_committed(store: Store, now: datetime) -> None:
    await _reserve(store, now)
    with pytest.raises(ReceiptStateError):
        await _commit(store, now)


async def test_only_its_owner_renews_a_lease(store: Store, now: datetime) -> None:
    await _reserve(store, now)
    await _execute(store, now)

    later = now + timedelta(seconds=20)
    renewed = await store.write(
        lambda unit: receipts.renew(unit, receipt_id=ReceiptId("x1"), owner="process-1", lease_s=30, now=later)
    )
    assert renewed.lease_until == later + timedelta(seconds=30)
    with pytest.raises(ReceiptStateError):
        await store.write(
            lambda unit: receipts.renew(unit, receipt_id=ReceiptId("x1"), owner="process-2", lease_s=30, now=later)
        )


async def test_p2_a_limit_lets_through_what_fits_and_no_more_also_at_once(store: Store, now: datetime) -> None:
    results = await asyncio.gather(
        *(
            _reserve(
                store,
                now,
                receipt_id=f"x{number}",
                request=_request(f"r{number}"),
                key=f"key-{number}",
                limits=(_limit(amount=12_000),),
            )
            for number in range(10)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Receipt) for result in results) == 2
    assert sum(isinstance(result, LimitExceeded) for result in results) == 8
    uses = await store.read(lambda unit: receipts.uses(unit, keys=["refunds|anna", "refunds|ben"], since=None))
    assert [use.amount_minor for use in uses["refunds|anna"]] == [5_000, 5_000]
    assert uses["refunds|ben"] == []


async def test_a_failed_effect_gives_its_limit_back_and_an_unknown_one_does_not(store: Store, now: datetime) -> None:
    once = (_limit(count=1),)
    await _reserve(store, now, limits=once)
    await _execute(store, now)
    await store.write(
        lambda unit: receipts.mark_unknown(unit, receipt_id=ReceiptId("x1"), error_code="timeout", now=now)
    )
    with pytest.raises(LimitExceeded):
        await _reserve(store, now, receipt_id="x2", request=_request("r2"), key="other", limits=once)
    await _fail(store, now)
    assert (await _reserve(store, now, receipt_id="x2", request=_request("r2"), key="other", limits=once)).id == "x2"


async def test_a_rolling_limit_forgets_what_is_older_than_its_window(store: Store, now: datetime) -> None:
    daily = (_limit(count=1, window_s=86_400),)
    await _reserve(store, now, limits=daily)
    soon, later = now + timedelta(hours=23), now + timedelta(hours=24, seconds=1)
    with pytest.raises(LimitExceeded):
        await _reserve(store, soon, receipt_id="x2", request=_request("r2"), key="other", limits=daily)
    assert (await _reserve(store, later, receipt_id="x2", request=_request("r2"), key="other", limits=daily)).id == "x2"


async def _approved(store: Store, now: datetime) -> tuple[ApprovalId, int, str]:
    def work(unit: Unit) -> None:
        conversations.ensure(unit, conversation_id=C1, channel="chat", now=now)
        approvals.open_approval(
            unit,
            approval_id=ApprovalId("a1"),
            request_id=RequestId("r1"),
            turn_id=T1,
            case_id=K1,
            conversation_id=C1,
            tool="refund_order",
            digest="d1",
            policy_version="p1",
            terms=ApprovalTerms(),
            amount_minor=5_000,
            currency="EUR",
            asked_by="workflow",
            body={},
            expires_at=now + timedelta(hours=4),
            now=now,
        )
        approvals.decide(
            unit,
            approval_id=ApprovalId("a1"),
            answer="approve",
            reviewer=Reviewer("rita", "reviewer"),
            version=1,
            now=now,
        )

    await store.write(work)
    return ApprovalId("a1"), 1, "d1"


async def _approval_status(store: Store) -> str:
    return (await store.read(lambda unit: approvals.get(unit, approval_id=ApprovalId("a1")))).status


async def test_p2_a_receipt_spends_its_approval_once_also_when_reserved_ten_times_at_once(
    store: Store, now: datetime
) -> None:
    approval = await _approved(store, now)
    results = await asyncio.gather(*(_reserve(store, now, approval=approval) for _ in range(10)))
    assert {receipt.id for receipt in results} == {"x1"}
    assert await _approval_status(store) == "spent"


async def test_p2_one_approval_can_not_carry_two_effects(store: Store, now: datetime) -> None:
    approval = await _approved(store, now)
    await _reserve(store, now, approval=approval)
    with pytest.raises(ApprovalClosed):
        await _reserve(store, now, receipt_id="x2", request=_request("r2"), key="other", approval=approval)
    assert len(await store.read(receipts.unfinished)) == 1


async def test_p3_an_approval_of_something_else_reserves_nothing(store: Store, now: datetime) -> None:
    approval_id, version, _ = await _approved(store, now)
    with pytest.raises(ApprovalChanged):
        await _reserve(store, now, approval=(approval_id, version, "another digest"))
    assert await store.read(receipts.unfinished) == []
    assert await _approval_status(store) == "approved"


async def test_p2_a_limit_that_does_not_reach_leaves_the_approval_unspent(store: Store, now: datetime) -> None:
    approval = await _approved(store, now)
    with pytest.raises(LimitExceeded):
        await _reserve(store, now, approval=approval, limits=(_limit(amount=4_999),))
    assert await _approval_status(store) == "approved"
    assert await store.read(receipts.unfinished) == []
    uses = await store.read(lambda unit: receipts.uses(unit, keys=["refunds|anna"]))
    assert uses == {"refunds|anna": []}


async def test_p5_a_withdrawn_approval_reserves_nothing(store: Store, now: datetime) -> None:
    approval = await _approved(store, now)
    await store.write(
        lambda unit: approvals.withdraw(
            unit, approval_id=approval[0], by="customer", reason="Changed their mind", now=now
        )
    )
    with pytest.raises(ApprovalClosed):
        await _reserve(store, now, approval=approval)
    assert await store.read(receipts.unfinished) == []


async def test_history_tells_what_ended_well_and_badly(store: Store, now: datetime) -> None:
    await _reserve(store, now)
    await _execute(store, now)
    await _fail(store, now)
    await _reserve(store, now, receipt_id="x2", request=_request("r2"))
    await _execute(store, now, "x2")
    await _commit(store, now + timedelta(seconds=1), "x2")
    await _reserve(store, now, receipt_id="x3", request=_request("r3"), key="unfinished")
    events = await store.read(lambda unit: requests.history(unit, case_id=K1, conversation_id=C1))
    assert [(event.tool, event.ok, event.result) for event in events] == [
        ("refund_order", False, None),
        ("refund_order", True, {"refund_id": "R-9"}),
    ]
    assert events[1].arguments["order_id"] == "O-1"
