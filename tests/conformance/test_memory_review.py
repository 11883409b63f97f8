"""P4, P5: claims, warnings, withdrawals, authority by action, measures, additions, and what is told to who watches."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from memory import approval_notes, approvals, conversations, events, review_answers
from memory.approvals import Approval, Reviewer
from memory.errors import (
    AboveLimit,
    ActionNotYours,
    ApprovalClaimed,
    ApprovalClosed,
    ApprovalExpired,
    JustificationMissing,
    NotAuthorised,
    NotClaimed,
    NotOfConversation,
    OwnRequest,
)
from memory.store import Store, Unit
from policies.words import ApprovalId, ApprovalTerms, CaseId, ConversationId, RequestId, TurnId

C1, A1 = ConversationId("c1"), ApprovalId("a1")
RITA, ROB, SAM = Reviewer("rita", "reviewer"), Reviewer("rob", "reviewer"), Reviewer("sam", "supervisor")
LEASE = timedelta(minutes=5)
HOURS = timedelta(hours=1)


async def opened(store: Store, now: datetime, *, number: int = 1, terms: ApprovalTerms | None = None) -> Approval:
    def work(unit: Unit) -> Approval:
        conversations.ensure(unit, conversation_id=C1, channel="chat", now=now)
        return approvals.open_approval(
            unit,
            approval_id=ApprovalId(f"a{number}"),
            request_id=RequestId(f"r{number}"),
            turn_id=TurnId(f"t{number}"),
            case_id=CaseId("k1"),
            conversation_id=C1,
            tool="refund_order",
            digest="d1",
            policy_version="p1",
            terms=terms or ApprovalTerms(),
            amount_minor=14_890,
            currency="EUR",
            asked_by="workflow",
            body={"summary": "Refund 148.90 EUR"},
            expires_at=now + 4 * HOURS,
            now=now,
        )

    return await store.write(work)


async def claim(store: Store, reviewer: Reviewer, now: datetime) -> Approval:
    return await store.write(
        lambda unit: approvals.claim(unit, approval_id=A1, reviewer=reviewer, lease=LEASE, now=now)
    )


async def decide(store: Store, reviewer: Reviewer, now: datetime, **named: Any) -> Approval:
    given = {"approval_id": A1, "answer": "approve", "version": None} | named
    return await store.write(lambda unit: approvals.decide(unit, reviewer=reviewer, now=now, **given))


async def row(store: Store) -> dict[str, Any]:
    table = approvals.ApprovalRow.metadata.tables["approvals"]
    (found,) = await store.read(lambda unit: unit.rows(table.select().where(table.c.id == A1)))
    return dict(found)


async def test_p4_of_many_who_claim_at_once_one_has_it_and_only_they_decide(store: Store, now: datetime) -> None:
    await opened(store, now)
    people = [Reviewer(f"person-{number}", "reviewer") for number in range(6)]
    claims = await asyncio.gather(*(claim(store, each, now) for each in people), return_exceptions=True)
    assert sum(isinstance(each, Approval) for each in claims) == 1
    assert sum(isinstance(each, ApprovalClaimed) for each in claims) == 5
    before = await row(store)
    with pytest.raises(ApprovalClaimed) as refused:
        await decide(store, SAM, now)
    assert (refused.value.by, refused.value.until) == (before["claimed_by"], now + LEASE)
    assert await row(store) == before
    holder = next(each for each in people if each.id == before["claimed_by"])
    decided = await decide(store, holder, now)
    assert (decided.status, decided.claimed_by) == ("approved", None)


async def test_a_claim_is_renewed_released_and_taken_over_after_its_lease(store: Store, now: datetime) -> None:
    await opened(store, now)
    await claim(store, RITA, now)
    later = now + timedelta(minutes=4)
    renewed = await store.write(
        lambda unit: approvals.renew_claim(unit, approval_id=A1, reviewer=RITA, lease=LEASE, now=later)
    )
    assert (renewed.claimed_at, renewed.claimed_until) == (now, later + LEASE)
    with pytest.raises(ApprovalClaimed):
        await claim(store, ROB, now + LEASE)
    taken = await claim(store, ROB, later + LEASE)
    assert (taken.claimed_by, taken.claimed_at) == ("rob", later + LEASE)
    before = await row(store)
    with pytest.raises(NotClaimed):
        await store.write(lambda unit: approvals.release_claim(unit, approval_id=A1, reviewer=RITA))
    assert await row(store) == before
    released = await store.write(lambda unit: approvals.release_claim(unit, approval_id=A1, reviewer=ROB))
    assert released.claimed_by is None
    assert (await decide(store, RITA, later + LEASE)).status == "approved"


@pytest.mark.parametrize(
    ("reviewer", "after", "refusal"),
    [
        (Reviewer("a bot", "bot"), 0, NotAuthorised),
        (Reviewer("ruth", "reviewer", actions={"cancel_order": None}), 0, ActionNotYours),
        (Reviewer("workflow", "admin"), 0, OwnRequest),
        (RITA, 4, ApprovalExpired),
    ],
)
async def test_p4_who_can_not_decide_can_not_claim(
    store: Store, now: datetime, reviewer: Reviewer, after: int, refusal: type[Exception]
) -> None:
    await opened(store, now)
    before = await row(store)
    with pytest.raises(refusal):
        await claim(store, reviewer, now + after * HOURS)
    assert await row(store) == before


async def test_p4_authority_is_by_action_amount_and_currency(store: Store, now: datetime) -> None:
    await opened(store, now)
    before = await row(store)
    for actions, refusal in (
        ({"cancel_order": None}, ActionNotYours),
        ({"refund_order": {"EUR": 14_889}}, AboveLimit),
        ({"refund_order": {"USD": 99_999}}, AboveLimit),
    ):
        with pytest.raises(refusal):
            await decide(store, Reviewer("ruth", "reviewer", None, actions), now)
        assert await row(store) == before
    own = Reviewer("ruth", "reviewer", {"EUR": 1}, {"refund_order": {"EUR": 14_890}})
    assert (await decide(store, own, now)).status == "approved"


async def test_the_first_of_two_answers_lets_the_claim_go(store: Store, now: datetime) -> None:
    await opened(store, now, terms=ApprovalTerms(count=2))
    await claim(store, RITA, now)
    assert (await decide(store, RITA, now)).claimed_by is None
    assert (await decide(store, ROB, now)).status == "approved"


async def test_p4_it_warns_once_and_again_only_when_it_was_asked_again(store: Store, now: datetime) -> None:
    await opened(store, now)

    async def warned(at: datetime) -> list[str]:
        return [each.id for each in await store.write(lambda unit: approvals.warn_due(unit, now=at))]

    assert await warned(now + 2 * HOURS) == []
    assert await warned(now + 3 * HOURS) == ["a1"]
    assert await warned(now + 3.5 * HOURS) == []
    await decide(store, RITA, now + 3.5 * HOURS)
    asked = now + 3.6 * HOURS
    again = await store.write(
        lambda unit: approvals.reopen(
            unit, approval_id=A1, body={}, digest="d2", terms=ApprovalTerms(), expires_at=asked + HOURS, now=asked
        )
    )
    assert again.warned_at is None
    assert await warned(asked + 0.8 * HOURS) == ["a1"]
    assert await warned(asked + 2 * HOURS) == []


@pytest.mark.parametrize(
    ("named", "refusal"),
    [
        ({"conversation_id": ConversationId("c2"), "reason": "They said so"}, NotOfConversation),
        ({"conversation_id": ConversationId("")}, NotOfConversation),
        ({}, JustificationMissing),
        ({"reason": " \n"}, JustificationMissing),
    ],
)
async def test_p4_p5_a_withdrawal_names_its_conversation_or_its_reason(
    store: Store, now: datetime, named: dict[str, Any], refusal: type[Exception]
) -> None:
    await opened(store, now)
    before = await row(store)
    with pytest.raises(refusal):
        await store.write(lambda unit: approvals.withdraw(unit, approval_id=A1, by="x", now=now, **named))
    assert await row(store) == before
    ended = await store.write(
        lambda unit: approvals.withdraw(unit, approval_id=A1, by="rita", reason="They called", now=now)
    )
    assert (ended.status, ended.ended_by, ended.ended_because) == ("withdrawn", "rita", "They called")
    with pytest.raises(ApprovalClosed):
        await claim(store, RITA, now)


async def test_measures_show_who_decides_how_and_survive_what_is_asked_again(store: Store, now: datetime) -> None:
    for number in range(1, 5):
        await opened(store, now, number=number)
        reviewer = SAM if number == 4 else RITA
        answer = "reject" if number == 3 else "approve"
        note = "No" if number == 3 else ""
        at = now + timedelta(seconds=4 * number)
        await decide(store, reviewer, at, approval_id=ApprovalId(f"a{number}"), answer=answer, note=note)
    await store.write(
        lambda unit: approvals.reopen(
            unit, approval_id=A1, body={}, digest="d2", terms=ApprovalTerms(), expires_at=now + HOURS, now=now
        )
    )
    rita, sam = await store.read(review_answers.measures)
    assert (rita.reviewer, rita.answers, rita.approved, rita.rejected) == ("rita", 3, 2, 1)
    assert (rita.median_seconds_to_decide, rita.median_seconds_of_claim) == (8.0, None)
    assert (round(rita.share_approved, 2), round(rita.share_quick, 2)) == (0.67, 0.67)
    assert (sam.reviewer, sam.share_quick) == ("sam", 0.0)
    late = now + timedelta(seconds=16)
    assert [each.reviewer for each in await store.read(lambda unit: review_answers.measures(unit, since=late))] == [
        "sam"
    ]
    assert await store.read(lambda unit: review_answers.measures(unit, tool="cancel_order")) == []
    one = await store.read(
        lambda unit: review_answers.measures(unit, reviewer="rita", until=now + timedelta(seconds=5))
    )
    assert [each.answers for each in one] == [1]


async def test_p5_an_addition_stands_beside_the_approval_once_a_turn(store: Store, now: datetime) -> None:
    await opened(store, now)
    before = await row(store)
    for text in ("The box is damaged too", "The box is damaged too"):
        await store.write(
            lambda unit, text=text: approval_notes.add(
                unit, approval_id=A1, conversation_id=C1, turn_id=TurnId("t9"), text=text, now=now
            )
        )
    assert await row(store) == before
    notes = await store.read(lambda unit: approval_notes.of_approvals(unit, approval_ids=[A1]))
    assert [note.text for note in notes[A1]] == ["The box is damaged too"]


async def test_what_becomes_of_an_approval_is_told_in_order_and_without_words(store: Store, now: datetime) -> None:
    await opened(store, now)
    await store.write(lambda unit: approvals.warn_due(unit, now=now + 3.5 * HOURS))
    await store.write(lambda unit: approvals.expire_due(unit, now=now + 4 * HOURS))
    told = await store.read(lambda unit: events.after(unit, seq=0, limit=10))
    assert [event.kind for event in told] == ["approval_opened", "approval_warned", "approval_ended"]
    assert told[-1].ids["status"] == "expired"
    assert "148.90" not in str(told)
    assert await store.read(lambda unit: events.after(unit, seq=told[0].seq, limit=1)) == [told[1]]
