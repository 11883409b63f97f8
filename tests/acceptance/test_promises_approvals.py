"""P3 to P5: what was approved is what runs, a bad answer changes nothing, a pending approval survives the customer."""

import asyncio
from dataclasses import replace

import pytest
from houses import ANA, BEN, LUCA, SAM, SOFIA, SUE, YES, OpenHouse, TestHouse

from graphs.errors import EditRefused
from graphs.results import ReviewDecision, Reviewer
from memory import audit, receipts, turns
from memory.approvals import Approval
from memory.errors import (
    AboveLimit,
    AlreadyVoted,
    ApprovalChanged,
    ApprovalClosed,
    ApprovalError,
    ApprovalExpired,
    NotAuthorised,
    OwnRequest,
)
from policies.words import ConversationId, Json

ORDER = "20418"
DONE = "I have refunded 148.90 EUR"


def edit(approval: Approval, *, tool: str = "", **changes: Json) -> ReviewDecision:
    arguments = dict(approval.body["arguments"])  # type: ignore[arg-type]  # the tool's arguments
    return ReviewDecision("edit", arguments={**arguments, **changes}, tool=tool, message="As agreed on the phone.")


async def said_done(house: TestHouse, words: str = DONE, conversation: str = "c1") -> int:
    return "\n".join(await house.texts(conversation)).count(words)


async def test_p3_an_approval_runs_what_it_showed_and_is_spent(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    assert waiting.outcome == "awaiting_approval"
    assert house.records.amounts(ORDER) == []
    await house.decide(approval)
    assert house.records.amounts(ORDER) == [14890]
    assert (await house.approval(approval.id)).status == "spent"
    ended = await house.runtime.runner.result(waiting.turn_id)
    assert (ended.outcome, ended.final, ended.approvals) == ("resolved", True, ())
    assert await said_done(house) == 1


async def test_p3_an_edit_that_lowers_the_amount_runs_with_it(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    await house.decide(approval, edit(approval, amount_minor=10000))
    assert house.records.amounts(ORDER) == [10000]
    assert await said_done(house, "I have refunded 100.00 EUR") == 1
    assert await said_done(house) == 0


async def test_p3_an_edit_sent_as_texts_is_read_by_the_tools_schema(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    await house.decide(approval, edit(approval, amount_minor="9000", item_ids='["20418-1"]'))
    assert house.records.amounts(ORDER) == [9000]


@pytest.mark.parametrize(
    "change",
    [
        {"tool": "cancel_order"},
        {"amount_minor": 14891},
        {"amount_minor": -5},
        {"amount_minor": 0},
        {"amount_minor": 2**70},
        {"amount_minor": "a lot"},
        {"amount_minor": 99.5},
        {"amount_minor": None},
        {"currency": "USD"},
        {"item_ids": []},
        {"item_ids": ["20592-1"]},
        {"order_id": "20592"},
        {"order_id": "20586"},
        {"reason": "lost"},
        {"note": "an argument that the tool hasn't"},
    ],
    ids=str,
)
async def test_p3_p4_an_edit_that_policy_or_schema_refuses_leaves_the_approval_as_it_was(
    house: TestHouse, change: dict[str, Json]
) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    with pytest.raises((EditRefused, ApprovalError)):
        await house.decide(approval, edit(approval, **change), SAM)  # type: ignore[arg-type]  # tool or an argument
    assert await house.approval(approval.id) == approval
    assert house.records.amounts(ORDER) == []
    await house.decide(approval)
    assert house.records.amounts(ORDER) == [14890]


async def test_p3_an_edit_without_arguments_is_refused(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    with pytest.raises(EditRefused):
        await house.decide(approval, ReviewDecision("edit"))
    assert await house.approval(approval.id) == approval


async def test_p3_an_edit_above_another_threshold_waits_for_a_second_person(house: TestHouse) -> None:
    for text in (f"Where is my order 20701? {SOFIA}", "I want a refund for the dining table of order 20701", "yes"):
        await house.say(text)
    approval = await house.only_pending()
    assert approval.amount_minor == 119000
    assert (approval.role, approval.count) == ("supervisor", 1)
    both = edit(approval, item_ids=["20701-1", "20701-2"], amount_minor=308000)
    await house.decide(approval, both, SAM)
    edited = await house.approval(approval.id)
    assert (edited.status, edited.count, edited.yes_count) == ("pending", 2, 1)
    assert house.records.amounts("20701") == []
    with pytest.raises(AlreadyVoted):
        await house.decide(edited, YES, SAM)
    await house.decide(edited, YES, SUE)
    assert house.records.amounts("20701") == [308000]
    assert await said_done(house, "I have refunded 3080.00 EUR") == 1


async def test_p3_two_edits_at_once_run_one_of_them_as_it_was_judged(house: TestHouse) -> None:
    await house.ask_refund("20701", SOFIA)
    approval = await house.only_pending()
    answers = await asyncio.gather(
        house.runtime.runner.decide(
            approval.id, replace(edit(approval, amount_minor=250000), version=approval.version), SAM
        ),
        house.runtime.runner.decide(
            approval.id, replace(edit(approval, amount_minor=240000), version=approval.version), SUE
        ),
        return_exceptions=True,
    )
    await house.settle()
    assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [ApprovalChanged]
    standing = await house.approval(approval.id)
    await house.decide(standing, YES, Reviewer("adi", "admin"))
    assert house.records.amounts("20701") == [standing.amount_minor]


async def test_p3_large_amounts_take_two_people(house: TestHouse) -> None:
    await house.ask_refund("20701", SOFIA)
    approval = await house.only_pending()
    assert (approval.role, approval.count) == ("supervisor", 2)
    first = await house.decide(approval, YES, SAM)
    assert (first.status, first.votes, first.needed) == ("pending", 1, 2)
    assert house.records.amounts("20701") == []
    with pytest.raises(AlreadyVoted):
        await house.decide(approval, YES, SAM)
    second = await house.decide(approval, YES, SUE)
    assert second.status == "approved"
    assert house.records.amounts("20701") == [308000]


async def test_p3_facts_that_moved_reopen_the_approval_with_the_difference(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    house.records.change("UPDATE orders SET total_minor = 15000 WHERE id = ?", ORDER)
    await house.decide(approval)
    reopened = await house.approval(approval.id)
    assert (reopened.status, reopened.version, reopened.votes) == ("pending", approval.version + 1, ())
    assert reopened.body["difference"] == {"order.total_minor": {"before": 14890, "now": 15000}}
    assert house.records.amounts(ORDER) == []
    assert not (await house.runtime.runner.result(waiting.turn_id)).final
    with pytest.raises(ApprovalChanged):
        await house.decide(approval, ReviewDecision("approve", version=approval.version), BEN)
    await house.decide(reopened)
    assert house.records.amounts(ORDER) == [14890]
    assert await said_done(house) == 1
    assert "\n".join(await house.texts()).count("needs a colleague's approval") == 1


async def test_p3_facts_that_moved_twice_reopen_twice(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    for total in (15000, 16000):
        house.records.change("UPDATE orders SET total_minor = ? WHERE id = ?", total, ORDER)
        await house.decide(approval)
        assert (await house.approval(approval.id)).status == "pending"
    assert house.records.amounts(ORDER) == []
    await house.decide(approval)
    assert house.records.amounts(ORDER) == [14890]


async def test_p3_the_passing_of_time_alone_reopens_nothing(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    house.clock.forward(hours=3, minutes=59)
    await house.decide(approval)
    assert house.records.amounts(ORDER) == [14890]


async def test_p3_what_policy_forbids_by_now_does_not_run_though_it_was_approved(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    house.records.change(
        "INSERT INTO payments.refunds (order_id, customer_id, payment_id, amount_minor, currency, reason, item_ids,"
        " reference, created_at) VALUES (?, 'C-1001', 'P-20418', 14890, 'EUR', 'returned', '[\"20418-1\"]', 'desk', ?)",
        ORDER,
        house.clock().isoformat(),
    )
    await house.decide(approval)
    assert [reference for _, _, reference in house.records.refunds(ORDER)] == ["desk"]
    assert (await house.approval(approval.id)).status == "void"
    ended = await house.runtime.runner.result(waiting.turn_id)
    assert ended.final
    assert len(ended.parts) == 2
    assert "I have refunded" not in ended.parts[1]


async def test_p3_an_approval_is_bound_to_the_arguments_it_showed(house: TestHouse) -> None:
    """Somebody who can write to the store, but not make seals, can't turn an approval on one request to another."""
    await house.ask_refund(conversation="c1")
    await house.ask_refund("20955", LUCA, conversation="c2")
    mira, luca = sorted(await house.pending(), key=lambda one: one.conversation_id)
    await house.read(lambda unit: None)

    def swap(unit: object) -> None:
        unit.run(  # type: ignore[attr-defined]  # a unit of memory
            __import__("sqlalchemy").text(
                f"UPDATE approvals SET request_id = '{luca.request_id}' WHERE id = '{mira.id}'"
            )
        )

    await house.runtime.store.write(swap)
    await house.decide(mira)
    assert house.records.amounts("20955") == []
    assert house.records.amounts(ORDER) == []


@pytest.mark.parametrize("answer", ["reject", "respond"])
async def test_p3_a_no_or_an_answer_reaches_the_customer_and_nothing_runs(house: TestHouse, answer: str) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    words = "The boots came back with holes in both soles"
    await house.decide(approval, ReviewDecision(answer, message=words))  # type: ignore[arg-type]  # one of the two
    ended = await house.runtime.runner.result(waiting.turn_id)
    assert ended.final
    assert words in ended.parts[-1]
    assert house.records.amounts(ORDER) == []


async def test_p4_a_late_answer_is_refused_and_the_customer_gets_a_person(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    house.clock.forward(hours=4, seconds=1)
    with pytest.raises(ApprovalExpired):
        await house.decide(approval)
    assert await house.approval(approval.id) == approval
    assert await house.runtime.runner.expire_due() == 1
    await house.settle()
    with pytest.raises(ApprovalClosed):
        await house.decide(approval)
    assert house.records.amounts(ORDER) == []
    ended = await house.runtime.runner.result(waiting.turn_id)
    assert (ended.outcome, ended.final) == ("escalated", True)
    assert await house.runtime.runner.expire_due() == 0


async def test_p4_answers_that_may_not_be_given_are_refused(house: TestHouse) -> None:
    await house.ask_refund("20690", SOFIA)
    approval = await house.only_pending()
    refused: list[tuple[Reviewer, ReviewDecision, type[Exception]]] = [
        (ANA, YES, NotAuthorised),
        (ANA, ReviewDecision("reject", message="No."), NotAuthorised),
        (Reviewer("sam", "supervisor", {"EUR": 50000}), YES, AboveLimit),
        (Reviewer("sam", "supervisor", {"USD": 10**9}), YES, AboveLimit),
        (Reviewer("C-1007", "supervisor"), YES, OwnRequest),
        (SAM, ReviewDecision("reject", message="  "), ApprovalError),
        (SAM, ReviewDecision("approve", version=approval.version + 1), ApprovalChanged),
    ]
    for reviewer, decision, error in refused:
        with pytest.raises(error):
            await house.decide(approval, decision, reviewer)
        assert await house.approval(approval.id) == approval
    assert house.records.amounts("20690") == []
    await house.decide(approval, YES, SAM)
    assert house.records.amounts("20690") == [59900]


async def test_p4_a_second_answer_is_refused(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    await house.decide(approval)
    spent = await house.approval(approval.id)
    for decision in (YES, ReviewDecision("reject", message="No."), edit(approval, amount_minor=1)):
        with pytest.raises((ApprovalClosed, EditRefused)):
            await house.decide(approval, decision, BEN)
    assert await house.approval(approval.id) == spent
    assert house.records.amounts(ORDER) == [14890]


async def test_p5_a_new_message_runs_as_its_own_turn_and_the_approval_still_acts(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    other = await house.say("Where is my order 21240?")
    assert other.turn_id != waiting.turn_id
    assert "21240" in other.reply
    assert "I have refunded" not in other.reply
    asked = await house.say("Any news about my refund?")
    assert "waiting" in asked.reply
    assert await house.approval(approval.id) == approval
    await house.decide(approval)
    assert house.records.amounts(ORDER) == [14890]
    said = await house.said()
    assert [DONE in one.text for one in said if one.turn_id == waiting.turn_id] == [False, True]
    assert await said_done(house) == 1


async def test_p5_a_pending_approval_survives_a_restart_and_another_channel(open_house: OpenHouse) -> None:
    house = await open_house()
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    await house.close()
    again = await open_house()
    assert await again.only_pending() == approval
    await again.decide(approval)
    assert again.records.amounts(ORDER) == [14890]
    assert (await again.runtime.runner.result(waiting.turn_id)).outcome == "resolved"
    assert await said_done(again) == 1


async def test_p5_asking_for_the_same_refund_elsewhere_makes_no_second_one(house: TestHouse) -> None:
    await house.ask_refund(conversation="c1")
    await house.ask_refund(conversation="c2")
    for approval in await house.pending():
        await house.decide(approval)
    assert house.records.amounts(ORDER) == [14890]
    assert await said_done(house, conversation="c1") + await said_done(house, conversation="c2") == 1


async def test_p5_a_customer_who_changes_their_mind_withdraws_it_on_the_record(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    told = await house.say("I changed my mind, I don't want the refund any more")
    await house.settle()
    assert (await house.approval(approval.id)).status == "withdrawn"
    with pytest.raises(ApprovalClosed):
        await house.decide(approval)
    assert house.records.amounts(ORDER) == []
    assert (await house.runtime.runner.result(waiting.turn_id)).final
    assert "taken" in "\n".join(await house.texts())
    assert "still waiting" not in told.reply
    entries = await house.read(lambda unit: audit.of_case(unit, case_id=approval.case_id))  # type: ignore[arg-type]  # it has one
    assert "approval_withdrawn" in [entry.kind for entry in entries]


async def test_p5_a_withdrawal_wins_over_a_yes_until_the_receipt_is_reserved(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    shop = house.runtime.systems["shop"]
    read_order = shop.order  # type: ignore[attr-defined]  # the retail shop's
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def slow(order_id: str) -> object:
        reading.set()
        await go_on.wait()
        return await read_order(order_id)

    shop.order = slow  # type: ignore[attr-defined]  # slowed down
    await house.runtime.runner.decide(approval.id, YES, ANA)
    await reading.wait()
    await house.runtime.runner.withdraw(approval.id, by="customer", conversation_id=ConversationId("c1"))
    go_on.set()
    await house.settle()
    assert (await house.approval(approval.id)).status == "withdrawn"
    assert house.records.amounts(ORDER) == []
    ended = await house.runtime.runner.result(waiting.turn_id)
    assert (ended.outcome, ended.final) != ("escalated", True)
    assert ended.final
    assert "taken the request back" in ended.reply


async def test_p5_a_late_withdrawal_is_refused(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    await house.decide(approval)
    with pytest.raises(ApprovalClosed):
        await house.runtime.runner.withdraw(approval.id, by="customer", conversation_id=ConversationId("c1"))
    assert house.records.amounts(ORDER) == [14890]


async def test_p3_each_effect_names_the_approval_that_was_spent_on_it(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    await house.decide(approval)
    made = await house.read(lambda unit: receipts.of_turn(unit, turn_id=waiting.turn_id))
    (receipt,) = [one for one in made if one.tool == "refund_order"]
    assert (receipt.approval_id, receipt.state, receipt.attempt) == (approval.id, "committed", 1)
    turn = await house.read(lambda unit: turns.get(unit, turn_id=waiting.turn_id))
    assert turn is not None
    assert turn.state == "done"
