"""P2 to P6, P12: people who find out, undo, claim and are told more, and systems that are down."""

from datetime import timedelta
from typing import Any

import pytest
from houses import AMELIE, ANA, BEN, MIRA, SAM, YES, TestHouse

from graphs.errors import NothingToUndo
from graphs.results import ReviewDecision
from memory import (
    approval_notes,
    audit,
    events,
    evidence,
    inbox,
    receipts,
    reconciliations,
    requests,
    review_answers,
)
from memory.errors import ApprovalChanged, ApprovalClaimed, OutcomeUnclear, ReconciliationClosed
from memory.receipts import Receipt
from memory.reconciliations import Reconciliation
from policies.words import TurnId

ORDER = "20418"
DONE = "I have refunded 148.90 EUR"
RESULT: dict[str, Any] = {
    "refund_id": "R-1",
    "order_id": ORDER,
    "amount": {"amount_minor": 14890, "currency": "EUR"},
    "method": "card ending 4417",
}
LEASE = timedelta(minutes=5)


def lose_refunds(house: TestHouse, *, happens: bool) -> Any:
    """The provider makes refunds or not, but its answers get lost, and it can't be asked; what was there before."""
    payments: Any = house.runtime.systems["payments"]
    refund, probe = payments.refund, payments.refund_by_reference

    async def lost(*given: Any, **named: Any) -> None:
        if happens:
            await refund(*given, **named)
        raise ConnectionResetError

    async def silent(*_: Any, **__: Any) -> None:
        raise ConnectionResetError

    payments.refund, payments.refund_by_reference = lost, silent

    def mend() -> None:
        payments.refund, payments.refund_by_reference = refund, probe

    return mend


async def lost_refund(house: TestHouse, *, happens: bool) -> tuple[Reconciliation, TurnId, Any]:
    waiting = await house.ask_refund()
    mend = lose_refunds(house, happens=happens)
    await house.decide(await house.only_pending())
    (item,) = await house.read(lambda unit: reconciliations.listing(unit, status="open"))
    return item, waiting.turn_id, mend


async def receipt_of(house: TestHouse, item: Reconciliation) -> Receipt:
    return await house.read(lambda unit: receipts.get(unit, receipt_id=item.receipt_id))


async def reconcile(house: TestHouse, item: Reconciliation, verdict: Any, result: Any, **named: Any) -> None:
    await house.runtime.runner.reconcile(
        item.id, verdict=verdict, result=result, **{"note": "Looked at the dashboard.", "reviewer": ANA} | named
    )
    await house.settle()


async def test_p2_an_unknown_outcome_waits_for_a_person_and_the_turn_goes_on_from_what_they_found(
    house: TestHouse,
) -> None:
    item, turn_id, _ = await lost_refund(house, happens=True)
    assert (item.tool, item.role, item.known["summary"]) == (
        "refund_order",
        "reviewer",
        "Refund 148.90 EUR for order 20418",
    )
    parked = await house.runtime.runner.result(turn_id)
    assert (parked.final, parked.outcome, DONE in parked.reply) == (False, "awaiting_approval", False)
    assert "don't have the confirmation yet" in parked.parts[-1]
    asked = await house.say("Any news about my refund?")
    assert DONE not in asked.reply
    await reconcile(house, item, "happened", RESULT)
    ended = await house.runtime.runner.result(turn_id)
    assert (ended.final, ended.outcome) == (True, "resolved")
    assert DONE in ended.parts[-1]
    assert "\n".join(await house.texts()).count(DONE) == 1
    assert house.records.amounts(ORDER) == [14890]
    assert (await receipt_of(house, item)).state == "committed"
    rows = await house.read(lambda unit: evidence.of_case(unit, case_id=item.case_id))  # type: ignore[arg-type]  # it has one
    assert [row.source for row in rows if row.name == "refund"] == ["ana, in payments"]
    entries = await house.read(lambda unit: audit.of_case(unit, case_id=item.case_id))  # type: ignore[arg-type]  # it has one
    assert "reconciled" in [entry.kind for entry in entries]
    assert (await house.read(audit.verify)).ok


async def test_p2_what_a_person_found_not_to_have_happened_is_not_said_and_not_done(house: TestHouse) -> None:
    item, turn_id, mend = await lost_refund(house, happens=False)
    mend()
    await reconcile(house, item, "did_not_happen", None)
    assert house.records.amounts(ORDER) == []
    receipt = await receipt_of(house, item)
    assert (receipt.state, receipt.error_code) == ("failed", "did_not_happen")
    ended = await house.runtime.runner.result(turn_id)
    assert ended.final
    assert DONE not in "\n".join(await house.texts())


@pytest.mark.parametrize(
    ("verdict", "result", "named", "error"),
    [
        ("happened", None, {}, OutcomeUnclear),
        ("did_not_happen", RESULT, {}, OutcomeUnclear),
        ("happened", {"n": float("nan")}, {}, OutcomeUnclear),
        ("happened", RESULT, {"note": "  "}, OutcomeUnclear),
    ],
)
async def test_p4_an_answer_that_is_none_changes_nothing(
    house: TestHouse, verdict: str, result: Any, named: dict[str, Any], error: type[Exception]
) -> None:
    item, _, _ = await lost_refund(house, happens=True)
    receipt = await receipt_of(house, item)
    with pytest.raises(error):
        await reconcile(house, item, verdict, result, **named)
    assert await house.read(lambda unit: reconciliations.get(unit, reconciliation_id=item.id)) == item
    assert await receipt_of(house, item) == receipt
    await reconcile(house, item, "happened", RESULT)
    with pytest.raises(ReconciliationClosed):
        await reconcile(house, item, "did_not_happen", None)
    assert (await receipt_of(house, item)).state == "committed"


@pytest.mark.parametrize("happens", [True, False])
async def test_p2_a_system_that_answers_again_settles_it_without_a_person(house: TestHouse, happens: bool) -> None:
    item, turn_id, mend = await lost_refund(house, happens=happens)
    assert (await house.runtime.runner.tick()).followed_up == 0
    house.clock.forward(seconds=61)
    assert (await house.runtime.runner.tick()).followed_up == 1
    await house.settle()
    assert not (await house.runtime.runner.result(turn_id)).final
    mend()
    house.clock.forward(minutes=10)
    assert (await house.runtime.runner.tick()).followed_up == 1
    await house.settle()
    known = await house.read(lambda unit: reconciliations.get(unit, reconciliation_id=item.id))
    assert known.status == "settled"
    assert house.records.amounts(ORDER) == ([14890] if happens else [])
    assert (await house.runtime.runner.result(turn_id)).final
    assert ("\n".join(await house.texts()).count(DONE) == 1) is happens
    with pytest.raises(ReconciliationClosed):
        await reconcile(house, item, "happened", RESULT)


async def reroute(house: TestHouse) -> Receipt:
    """A customer sends an order elsewhere."""
    for words in (
        f"Please send order 21102 to 12 Rue de la Paix, 75002 Paris, France. {AMELIE}",
        "yes",
    ):
        result = await house.say(words)
    made = await house.read(lambda unit: receipts.of_turn(unit, turn_id=result.turn_id))
    (receipt,) = [one for one in made if one.tool == "change_shipping_address"]
    assert receipt.state == "committed"
    return receipt


async def test_a_person_has_an_effect_undone_through_policy_once(house: TestHouse) -> None:
    before = house.records.order("21102")["street"]
    receipt = await reroute(house)
    assert house.records.order("21102")["street"] != before
    said = await house.texts()
    await house.runtime.runner.compensate(receipt.id, reviewer=SAM, reason="The customer called.")
    await house.settle()
    assert house.records.order("21102")["street"] == before
    assert await house.texts() == said
    assert receipt.case_id is not None
    case_id = receipt.case_id
    made = await house.read(lambda unit: requests.of_case(unit, case_id=case_id))
    undoing = next(row for row in made if row.request.occurrence == f"undo:{receipt.id}")
    phases = await house.read(lambda unit: requests.decisions_of(unit, request_id=undoing.request.id))
    assert [(row.phase, row.effect) for row in phases] == [("guard", "allow"), ("act", "allow")]
    with pytest.raises(NothingToUndo):
        await house.runtime.runner.compensate(receipt.id, reviewer=SAM, reason="Again.")
    entries = await house.read(lambda unit: audit.of_case(unit, case_id=case_id))
    assert "undo_asked" in [entry.kind for entry in entries]
    assert (await house.read(inbox.unfinished)) == []


async def test_what_policy_forbids_is_not_undone(house: TestHouse) -> None:
    receipt = await reroute(house)
    house.records.change("UPDATE orders SET status = 'shipped' WHERE id = '21102'")
    after = house.records.order("21102")["street"]
    await house.runtime.runner.compensate(receipt.id, reviewer=SAM, reason="The customer called.")
    await house.settle()
    assert house.records.order("21102")["street"] == after


async def test_p5_p6_additions_stand_beside_the_approval_and_leave_it_as_it_was(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    told = await house.say("Please refund it to the other card if you can")
    assert "21 November 2026" in told.reply
    assert "09:00 UTC" in told.reply
    await house.say("Where is my order 21240?")
    await house.say("thanks")
    assert await house.approval(approval.id) == approval
    notes = await house.read(lambda unit: approval_notes.of_approvals(unit, approval_ids=[approval.id]))
    assert [note.text for note in notes[approval.id]] == ["Please refund it to the other card if you can"]
    await house.decide(approval)
    said = await house.said()
    assert [DONE in one.text for one in said if one.turn_id == waiting.turn_id] == [False, True]


async def test_p3_a_version_named_before_it_exists_passes_no_edit(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    arguments: Any = {**approval.body["arguments"], "amount_minor": 10000}  # type: ignore[dict-item]  # the tool's arguments
    ahead = ReviewDecision("edit", arguments=arguments, version=approval.version + 1)
    with pytest.raises(ApprovalChanged):
        await house.decide(approval, ahead)
    assert await house.approval(approval.id) == approval


async def test_p4_a_claimed_approval_is_decided_by_who_claimed_it(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    await house.runtime.runner.claim(approval.id, ANA, lease=LEASE)
    claimed = await house.approval(approval.id)
    with pytest.raises(ApprovalClaimed):
        await house.decide(approval, YES, BEN)
    assert await house.approval(approval.id) == claimed
    house.clock.forward(seconds=30)
    await house.decide(approval, YES, ANA)
    assert house.records.amounts(ORDER) == [14890]
    (measured,) = await house.read(review_answers.measures)
    assert (measured.reviewer, measured.answers, measured.share_approved) == ("ana", 1, 1.0)
    assert (measured.median_seconds_to_decide, measured.median_seconds_of_claim) == (30.0, 30.0)


async def test_p4_it_is_told_once_that_an_approval_will_expire(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    assert (await house.runtime.runner.tick()).warned == 0
    house.clock.forward(hours=3, minutes=1)
    assert [(await house.runtime.runner.tick()).warned for _ in range(2)] == [1, 0]
    assert (await house.approval(approval.id)).warned_at == house.clock()
    told = await house.read(lambda unit: events.after(unit, seq=0, limit=100))
    assert [event.kind for event in told] == ["approval_opened", "approval_warned"]
    house.clock.forward(hours=1)
    assert (await house.runtime.runner.tick()).expired == 1


async def test_p12_a_system_that_keeps_failing_is_left_alone_and_the_record_says_so(house: TestHouse) -> None:
    for conversation in ("c1", "c2"):
        await house.say(f"Where is my order {ORDER}? {MIRA}", conversation=conversation)
    shop: Any = house.runtime.systems["shop"]
    asked = 0

    async def down(*_: object, **__: object) -> object:
        nonlocal asked
        asked += 1
        raise ConnectionRefusedError

    shop.order = shop.identify = down
    first = await house.say("Where is my order 21240?", conversation="c1")
    for number in range(3, 6):
        await house.say(f"Where is my order {ORDER}? {MIRA}", conversation=f"c{number}")
    assert house.runtime.circuits.states()["shop"] == "opened"
    before = asked
    last = await house.say("Where is my order 21240?", conversation="c2")
    assert (first.outcome, last.outcome, asked) == ("escalated", "escalated", before)
    assert last.reply
    assert last.case_id is not None
    case_id = last.case_id
    made = await house.read(lambda unit: requests.of_case(unit, case_id=case_id))
    decided = [
        row
        for one in made
        for row in await house.read(lambda unit, one=one: requests.decisions_of(unit, request_id=one.request.id))
    ]
    assert "left alone" in str([row.situation["missing"] for row in decided])
