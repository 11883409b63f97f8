"""An approval takes the answers it may take, in the state it is in, and no others."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from memory import approvals, conversations, inbox
from memory.approvals import Approval, EditedRequest, Reviewer
from memory.errors import (
    AboveLimit,
    AlreadyVoted,
    ApprovalChanged,
    ApprovalClosed,
    ApprovalError,
    ApprovalExpired,
    ApprovalNotFound,
    JustificationMissing,
    NotAuthorised,
    OwnRequest,
    ToolSwitched,
)
from memory.inbox import InboxItem
from memory.store import Store, Unit
from policies.words import (
    ActionRequest,
    ApprovalId,
    ApprovalTerms,
    CaseId,
    ConversationId,
    CustomerId,
    RequestId,
    TurnId,
)

C1 = ConversationId("c1")
A1 = ApprovalId("a1")
RITA = Reviewer("rita", "reviewer")
SAM = Reviewer("sam", "supervisor")
ONE = ApprovalTerms()
TWO = ApprovalTerms(count=2)


async def _open(
    store: Store, now: datetime, *, terms: ApprovalTerms = ONE, amount_minor: int | None = 14_890
) -> Approval:
    def work(unit: Unit) -> Approval:
        conversations.ensure(unit, conversation_id=C1, channel="chat", now=now)
        return approvals.open_approval(
            unit,
            approval_id=A1,
            request_id=RequestId("r1"),
            turn_id=TurnId("t1"),
            case_id=CaseId("k1"),
            conversation_id=C1,
            tool="refund_order",
            digest="d1",
            policy_version="p1",
            terms=terms,
            amount_minor=amount_minor,
            currency="EUR",
            asked_by="workflow",
            body={"summary": "Refund 148.90 EUR", "difference": None},
            expires_at=now + timedelta(hours=4),
            now=now,
        )

    return await store.write(work)


def _edited(
    *, tool: str = "refund_order", amount_minor: int = 10_000, needs_more: bool = False, terms: ApprovalTerms = ONE
) -> EditedRequest:
    request = ActionRequest(
        id=RequestId("r2"),
        tool=tool,
        arguments={"order_id": "O-1", "amount_minor": amount_minor},
        specialist="reviewer",
    )
    return EditedRequest(
        request=request,
        digest="d2",
        terms=terms,
        body={"summary": "Refund less"},
        needs_more=needs_more,
        amount_minor=amount_minor,
        currency="EUR",
    )


async def _decide(
    store: Store,
    now: datetime,
    answer: approvals.Answer = "approve",
    reviewer: Reviewer = RITA,
    *,
    version: int | None = 1,
    note: str = "",
    edited: EditedRequest | None = None,
    approval_id: ApprovalId = A1,
) -> Approval:
    return await store.write(
        lambda unit: approvals.decide(
            unit,
            approval_id=approval_id,
            answer=answer,
            reviewer=reviewer,
            version=version,
            note=note,
            edited=edited,
            now=now,
        )
    )


async def _row(store: Store) -> dict[str, object]:
    table = approvals.ApprovalRow.metadata.tables["approvals"]
    row = await store.read(lambda unit: unit.first(table.select().where(table.c.id == A1)))
    assert row is not None
    return dict(row)


async def _items(store: Store) -> list[InboxItem]:
    table = inbox.InboxRow.metadata.tables["inbox"]
    seqs = await store.read(lambda unit: [row["seq"] for row in unit.rows(table.select().order_by(table.c.seq))])
    return [await store.read(lambda unit, seq=seq: inbox.get(unit, seq=seq)) for seq in seqs]


async def test_asking_again_returns_the_approval_that_stands(store: Store, now: datetime) -> None:
    opened = await _open(store, now)
    await _decide(store, now, note="fine")
    again = await _open(store, now + timedelta(minutes=1))
    assert again.id == opened.id
    assert again.status == "approved"


async def test_asking_again_after_an_edit_returns_the_edited_approval(store: Store, now: datetime) -> None:
    await _open(store, now)
    await _decide(store, now, "edit", edited=_edited())
    again = await _open(store, now)
    assert (again.request_id, again.digest, again.version) == ("r2", "d2", 2)


async def test_an_approval_and_its_inbox_item_come_together(store: Store, now: datetime) -> None:
    await _open(store, now)
    decided = await _decide(store, now + timedelta(seconds=90), note="Looks right")
    assert decided.status == "approved"
    (vote,) = decided.votes
    assert (vote.reviewer, vote.answer, vote.note, vote.seconds_to_decide) == ("rita", "approve", "Looks right", 90.0)
    (item,) = await _items(store)
    assert (item.kind, item.dedupe_key, item.state) == ("decision", "a1:1", "waiting")
    assert item.body == {
        "approval_id": "a1",
        "version": 1,
        "status": "approved",
        "turn_id": "t1",
        "answer": "approve",
    }


@pytest.mark.parametrize(("answer", "status"), [("reject", "rejected"), ("respond", "responded")])
async def test_a_no_settles_it_at_once_even_where_two_are_needed(
    store: Store, now: datetime, answer: approvals.Answer, status: str
) -> None:
    await _open(store, now, terms=TWO)
    assert (await _decide(store, now, answer, note="Not covered")).status == status
    assert len(await _items(store)) == 1


async def test_p4_of_ten_answers_at_once_one_counts(store: Store, now: datetime) -> None:
    await _open(store, now)
    results = await asyncio.gather(
        *(_decide(store, now, reviewer=Reviewer(f"person-{number}", "reviewer")) for number in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Approval) for result in results) == 1
    assert sum(isinstance(result, ApprovalClosed) for result in results) == 9
    assert len(await _items(store)) == 1


Refusal = tuple[Callable[[Store, datetime], object], type[ApprovalError]]

REFUSALS: dict[str, Refusal] = {
    "unknown approval": (
        lambda store, now: _decide(store, now, approval_id=ApprovalId("nobody")),
        ApprovalNotFound,
    ),
    "after it expired": (lambda store, now: _decide(store, now + timedelta(hours=4)), ApprovalExpired),
    "for another version": (lambda store, now: _decide(store, now, version=2), ApprovalChanged),
    "with a role too low": (lambda store, now: _decide(store, now, reviewer=Reviewer("bo", "bot")), NotAuthorised),
    "over the limit": (
        lambda store, now: _decide(store, now, reviewer=Reviewer("li", "reviewer", {"EUR": 14_889})),
        AboveLimit,
    ),
    "with no limit in that currency": (
        lambda store, now: _decide(store, now, reviewer=Reviewer("li", "reviewer", {"USD": 10**9})),
        AboveLimit,
    ),
    "an edit over the limit": (
        lambda store, now: _decide(
            store, now, "edit", Reviewer("li", "reviewer", {"EUR": 14_890}), edited=_edited(amount_minor=14_891)
        ),
        AboveLimit,
    ),
    "by who asked": (lambda store, now: _decide(store, now, reviewer=Reviewer("workflow", "reviewer")), OwnRequest),
    "a reject without words": (lambda store, now: _decide(store, now, "reject", note="  "), JustificationMissing),
    "a response without words": (lambda store, now: _decide(store, now, "respond"), JustificationMissing),
    "an edit to another tool": (
        lambda store, now: _decide(store, now, "edit", edited=_edited(tool="close_account")),
        ToolSwitched,
    ),
    "an edit that needs a higher role than its editor's": (
        lambda store, now: _decide(store, now, "edit", edited=_edited(terms=ApprovalTerms(role="supervisor"))),
        NotAuthorised,
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_p4_a_refused_answer_leaves_the_approval_exactly_as_it_was(
    store: Store, now: datetime, name: str
) -> None:
    attempt, refusal = REFUSALS[name]
    await _open(store, now)
    before = await _row(store)
    with pytest.raises(refusal):
        await attempt(store, now)  # type: ignore[misc]  # an awaitable
    assert await _row(store) == before
    assert await _items(store) == []
    assert (await _decide(store, now)).status == "approved"


@pytest.mark.parametrize("answer", ["approve", "reject"])
async def test_p4_a_second_answer_is_refused_and_changes_nothing(
    store: Store, now: datetime, answer: approvals.Answer
) -> None:
    await _open(store, now)
    await _decide(store, now, "reject", note="Not covered")
    before = await _row(store)
    with pytest.raises(ApprovalClosed) as refused:
        await _decide(store, now, answer, SAM, note="but yes")
    assert refused.value.status == "rejected"
    assert await _row(store) == before
    assert len(await _items(store)) == 1


async def test_p4_a_customer_can_not_approve_their_own_request(store: Store, now: datetime) -> None:
    await _open(store, now)
    await store.write(
        lambda unit: conversations.bind(unit, conversation_id=C1, customer_id=CustomerId("anna"), assurance=2, now=now)
    )
    before = await _row(store)
    with pytest.raises(OwnRequest):
        await _decide(store, now, reviewer=Reviewer("anna", "admin"))
    assert await _row(store) == before


async def test_p4_two_approvals_need_two_people(store: Store, now: datetime) -> None:
    await _open(store, now, terms=TWO)
    first = await _decide(store, now)
    assert (first.status, first.yes_count) == ("pending", 1)
    assert await _items(store) == []
    before = await _row(store)
    with pytest.raises(AlreadyVoted):
        await _decide(store, now)
    assert await _row(store) == before
    second = await _decide(store, now, reviewer=SAM)
    assert (second.status, second.yes_count) == ("approved", 2)
    assert len(await _items(store)) == 1


async def test_a_no_needs_no_limit(store: Store, now: datetime) -> None:
    await _open(store, now)
    assert (await _decide(store, now, "reject", Reviewer("li", "reviewer", {}), note="no")).status == "rejected"


async def test_p3_an_edit_replaces_what_is_approved_and_counts_as_a_yes(store: Store, now: datetime) -> None:
    await _open(store, now)
    edited = await _decide(store, now, "edit", edited=_edited())
    assert (edited.status, edited.version, edited.digest, edited.request_id) == ("approved", 2, "d2", "r2")
    assert (edited.amount_minor, edited.body) == (10_000, {"summary": "Refund less"})
    (item,) = await _items(store)
    assert item.dedupe_key == "a1:2"
    with pytest.raises(ApprovalChanged):
        await store.write(lambda unit: approvals.spend(unit, approval_id=A1, version=1, digest="d1"))


async def test_p3_an_edit_that_needs_more_waits_for_somebody_else(store: Store, now: datetime) -> None:
    await _open(store, now)
    terms = ApprovalTerms(role="supervisor", queue="refunds")
    edited = await _decide(store, now, "edit", edited=_edited(amount_minor=90_000, needs_more=True, terms=terms))
    assert (edited.status, edited.version, edited.role, edited.queue) == ("pending", 2, "supervisor", "refunds")
    assert edited.votes == ()
    assert await _items(store) == []
    with pytest.raises(ApprovalChanged):
        await _decide(store, now, reviewer=SAM, version=1)
    with pytest.raises(NotAuthorised):
        await _decide(store, now, version=2)
    with pytest.raises(OwnRequest):
        await _decide(store, now, reviewer=replace(RITA, role="supervisor"), version=2)
    assert (await _decide(store, now, reviewer=SAM, version=2)).status == "approved"


async def test_p3_an_edit_clears_the_votes_for_what_was_there_before(store: Store, now: datetime) -> None:
    await _open(store, now, terms=TWO)
    await _decide(store, now)
    edited = await _decide(store, now, "edit", SAM, edited=_edited(terms=TWO))
    assert (edited.status, [vote.reviewer for vote in edited.votes]) == ("pending", ["sam"])
    assert (await _decide(store, now, version=2)).status == "approved"


async def test_p3_an_approval_is_spent_once(store: Store, now: datetime) -> None:
    await _open(store, now)
    await _decide(store, now)
    results = await asyncio.gather(
        *(store.write(lambda unit: approvals.spend(unit, approval_id=A1, version=1, digest="d1")) for _ in range(10)),
        return_exceptions=True,
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, ApprovalClosed) for result in results) == 9


@pytest.mark.parametrize(("version", "digest"), [(2, "d1"), (1, "d2")])
async def test_p3_another_version_or_effect_can_not_be_spent(
    store: Store, now: datetime, version: int, digest: str
) -> None:
    await _open(store, now)
    with pytest.raises(ApprovalClosed):
        await store.write(lambda unit: approvals.spend(unit, approval_id=A1, version=1, digest="d1"))
    await _decide(store, now)
    before = await _row(store)
    with pytest.raises(ApprovalChanged):
        await store.write(lambda unit: approvals.spend(unit, approval_id=A1, version=version, digest=digest))
    assert await _row(store) == before


async def test_p3_when_facts_changed_the_same_approval_asks_again(store: Store, now: datetime) -> None:
    await _open(store, now)
    await _decide(store, now)
    reopened = await store.write(
        lambda unit: approvals.reopen(
            unit,
            approval_id=A1,
            body={"summary": "Refund", "difference": {"order.status": ["delivered", "returned"]}},
            digest="d9",
            terms=TWO,
            expires_at=now + timedelta(hours=8),
            now=now + timedelta(hours=1),
        )
    )
    assert (reopened.id, reopened.status, reopened.version, reopened.votes) == ("a1", "pending", 2, ())
    assert reopened.body["difference"] == {"order.status": ["delivered", "returned"]}
    assert reopened.count == 2
    with pytest.raises(ApprovalChanged):
        await _decide(store, now, version=1)
    await _decide(store, now, version=2)
    await _decide(store, now, reviewer=SAM, version=2)
    assert [item.dedupe_key for item in await _items(store)] == ["a1:1", "a1:2"]
    await store.write(lambda unit: approvals.spend(unit, approval_id=A1, version=2, digest="d9"))
    with pytest.raises(ApprovalClosed):
        await store.write(
            lambda unit: approvals.reopen(
                unit, approval_id=A1, body={}, digest="d10", terms=ONE, expires_at=now, now=now
            )
        )


@pytest.mark.parametrize("approved_before", [False, True])
async def test_p5_a_customer_withdraws_until_it_is_spent(store: Store, now: datetime, approved_before: bool) -> None:
    await _open(store, now)
    if approved_before:
        await _decide(store, now)
    withdrawn = await store.write(
        lambda unit: approvals.withdraw(unit, approval_id=A1, by="customer", conversation_id=C1, now=now)
    )
    assert withdrawn.status == "withdrawn"
    last = (await _items(store))[-1]
    assert (last.kind, last.body["answer"], last.body["by"]) == ("decision", "withdrawn", "customer")
    with pytest.raises(ApprovalClosed):
        await store.write(lambda unit: approvals.spend(unit, approval_id=A1, version=1, digest="d1"))
    with pytest.raises(ApprovalClosed):
        await _decide(store, now)


async def test_p5_what_is_spent_can_not_be_withdrawn(store: Store, now: datetime) -> None:
    await _open(store, now)
    await _decide(store, now)
    await store.write(lambda unit: approvals.spend(unit, approval_id=A1, version=1, digest="d1"))
    before = await _row(store)
    with pytest.raises(ApprovalClosed):
        await store.write(
            lambda unit: approvals.withdraw(unit, approval_id=A1, by="customer", conversation_id=C1, now=now)
        )
    assert await _row(store) == before


async def test_p5_a_new_message_leaves_a_pending_approval_alone(store: Store, now: datetime) -> None:
    await _open(store, now)
    before = await _row(store)
    await store.write(
        lambda unit: inbox.put_message(
            unit, conversation_id=C1, message_id="m2", text="and my address?", channel="sms", now=now
        )
    )
    assert await _row(store) == before
    pending = await store.read(lambda unit: approvals.pending_of_conversation(unit, conversation_id=C1))
    assert [approval.id for approval in pending] == ["a1"]


async def test_p3_what_nobody_answered_expires_closed(store: Store, now: datetime) -> None:
    await _open(store, now)
    assert await store.write(lambda unit: approvals.expire_due(unit, now=now + timedelta(hours=3))) == []
    (expired,) = await store.write(lambda unit: approvals.expire_due(unit, now=now + timedelta(hours=4)))
    assert expired.status == "expired"
    (item,) = await _items(store)
    assert (item.kind, item.dedupe_key) == ("expiry", "a1:1")
    assert await store.write(lambda unit: approvals.expire_due(unit, now=now + timedelta(hours=5))) == []
    with pytest.raises(ApprovalClosed):
        await _decide(store, now)


async def test_an_approved_one_does_not_expire(store: Store, now: datetime) -> None:
    await _open(store, now)
    await _decide(store, now)
    assert await store.write(lambda unit: approvals.expire_due(unit, now=now + timedelta(days=1))) == []


async def test_the_list_pages_by_what_expires_first(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> None:
        for number in range(5):
            approvals.open_approval(
                unit,
                approval_id=ApprovalId(f"a{number}"),
                request_id=RequestId(f"r{number}"),
                turn_id=TurnId(f"t{number}"),
                case_id=None,
                conversation_id=C1,
                tool="refund_order",
                digest="d",
                policy_version="p",
                terms=ApprovalTerms(queue="refunds" if number % 2 else "approvals"),
                amount_minor=None,
                currency=None,
                asked_by="workflow",
                body={},
                expires_at=now + timedelta(hours=9 - number),
                now=now,
            )

    await store.write(work)
    first = await store.read(lambda unit: approvals.listing(unit, status="pending", limit=3))
    assert [approval.id for approval in first] == ["a4", "a3", "a2"]
    rest = await store.read(lambda unit: approvals.listing(unit, status="pending", limit=3, after=first[-1].id))
    assert [approval.id for approval in rest] == ["a1", "a0"]
    refunds = await store.read(lambda unit: approvals.listing(unit, queue="refunds"))
    assert [approval.id for approval in refunds] == ["a3", "a1"]
    assert await store.read(lambda unit: approvals.listing(unit, status="approved")) == []
