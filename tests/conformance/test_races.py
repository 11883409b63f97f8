"""P2, P3, P4, P6, P11 on Postgres, where transactions of several processes really overlap."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from memory import (
    approvals,
    audit,
    conversations,
    customers,
    erasure,
    evidence,
    inbox,
    limit_uses,
    outbox,
    policy_versions,
    receipts,
    snapshots,
    timeline,
)
from memory.approvals import Reviewer
from memory.errors import (
    AlreadyVoted,
    ApprovalClosed,
    EvidenceSpent,
    FactsOutdated,
    FencedOut,
    InFlight,
    KeyGone,
    LimitExceeded,
    StoreUnavailable,
)
from memory.postgres_store import DatabaseLimits, PostgresStore
from memory.receipts import Beside
from memory.store import Fence, Unit
from memory.vault import conversation_key
from policies.words import (
    ActionRequest,
    ApprovalId,
    ApprovalTerms,
    CaseId,
    ConversationId,
    CustomerId,
    EvidenceId,
    LimitUse,
    ReceiptId,
    RequestId,
    TurnId,
)

T = TypeVar("T")
KEY = b"k" * 32
C1, C2, K1, T1, A1 = ConversationId("c1"), ConversationId("c2"), CaseId("k1"), TurnId("t1"), ApprovalId("a1")


class Pair(NamedTuple):
    """Two processes' stores on one database."""

    one: PostgresStore
    other: PostgresStore


@pytest.fixture
async def pair(postgres: str, now: datetime) -> AsyncIterator[Pair]:
    pair = Pair(*[await PostgresStore.open(postgres, master_key=KEY) for _ in range(2)])
    for conversation_id in (C1, C2):
        await pair.one.write(
            lambda unit, name=conversation_id: conversations.ensure(unit, conversation_id=name, channel="chat", now=now)
        )
    yield pair
    for store in pair:
        await store.close()


async def overlap(pair: Pair, first: Callable[[Unit], Any], second: Callable[[Unit], Any]) -> list[Any]:
    """What two writes came to that had both done their work before either committed, where the database let them."""
    met = threading.Barrier(2)

    def held(work: Callable[[Unit], T]) -> Callable[[Unit], T]:
        attempts = iter([True])

        def run(unit: Unit) -> T:
            try:
                return work(unit)
            finally:
                if next(attempts, False):
                    # One that waits for the other's lock doesn't come: then the other must go on alone.
                    with suppress(threading.BrokenBarrierError):
                        met.wait(0.2)

        return run

    return await asyncio.gather(pair.one.write(held(first)), pair.other.write(held(second)), return_exceptions=True)


def _kinds(results: list[Any]) -> list[str]:
    """The errors among the results, by name."""
    return sorted(type(result).__name__ for result in results if isinstance(result, Exception))


def _reserving(
    now: datetime,
    name: str,
    *,
    key: str | None = None,
    conversation_id: ConversationId = C1,
    approval: tuple[ApprovalId, int, str] | None = None,
    limits: tuple[LimitUse, ...] = (),
    beside: Beside | None = None,
) -> Callable[[Unit], receipts.Receipt]:
    request = ActionRequest(RequestId(f"r-{name}"), "refund_order", {"order_id": "O-1", "item": name}, "workflow")
    return lambda unit: receipts.reserve(
        unit,
        receipt_id=ReceiptId(f"x-{name}"),
        key=key or name,
        request=request,
        turn_id=T1,
        case_id=K1,
        conversation_id=conversation_id,
        approval=approval,
        limits=limits,
        beside=beside,
        owner=name,
        lease_s=30,
        now=now,
    )


def _opening(now: datetime, *, count: int = 1) -> Callable[[Unit], approvals.Approval]:
    return lambda unit: approvals.open_approval(
        unit,
        approval_id=A1,
        request_id=RequestId("r1"),
        turn_id=T1,
        case_id=K1,
        conversation_id=C1,
        tool="refund_order",
        digest="d1",
        policy_version="p1",
        terms=ApprovalTerms(count=count),
        amount_minor=100,
        currency="EUR",
        asked_by="workflow",
        body={"summary": "Refund 1.00 EUR"},
        expires_at=now + timedelta(hours=4),
        now=now,
    )


def _deciding(now: datetime, who: str, answer: approvals.Answer = "approve") -> Callable[[Unit], approvals.Approval]:
    return lambda unit: approvals.decide(
        unit,
        approval_id=A1,
        answer=answer,
        reviewer=Reviewer(who, "reviewer"),
        version=1,
        now=now,
        note="because",
    )


def _message(now: datetime, message_id: str, conversation_id: ConversationId = C1) -> Callable[[Unit], Any]:
    return lambda unit: inbox.put_message(
        unit, conversation_id=conversation_id, message_id=message_id, text="hello", channel="chat", now=now
    )[0]


async def test_p2_one_effect_is_reserved_once_by_two_processes_at_once(pair: Pair, now: datetime) -> None:
    results = await overlap(pair, _reserving(now, "a", key="same"), _reserving(now, "b", key="same"))
    assert _kinds(results) == [InFlight.__name__]
    assert len(await pair.one.read(receipts.unfinished)) == 1


async def test_p2_two_processes_at_once_do_not_pass_a_limit_for_one(pair: Pair, now: datetime) -> None:
    limit = LimitUse("refunds", "refunds|anna", 1, 100, "EUR", window_s=None, max_count=1, max_amount_minor=None)
    results = await overlap(pair, _reserving(now, "a", limits=(limit,)), _reserving(now, "b", limits=(limit,)))
    assert _kinds(results) == [LimitExceeded.__name__]
    used = await pair.one.read(lambda unit: limit_uses.uses(unit, keys=[limit.key]))
    assert len(used[limit.key]) == 1


async def test_p3_two_channels_of_one_customer_do_not_act_unseen_by_each_other(pair: Pair, now: datetime) -> None:
    for conversation_id in (C1, C2):
        await pair.one.write(
            lambda unit, name=conversation_id: conversations.bind(
                unit, conversation_id=name, customer_id=CustomerId("anna"), assurance=2, now=now
            )
        )
    nothing = Beside(frozenset(), "order_id", "O-1")
    results = await overlap(
        pair,
        _reserving(now, "a", conversation_id=C1, beside=nothing),
        _reserving(now, "b", conversation_id=C2, beside=nothing),
    )
    assert _kinds(results) == [FactsOutdated.__name__]


async def test_p4_of_two_answers_at_once_one_counts(pair: Pair, now: datetime) -> None:
    await pair.one.write(_opening(now))
    results = await overlap(pair, _deciding(now, "ana"), _deciding(now, "ben", "reject"))
    assert _kinds(results) == [ApprovalClosed.__name__]
    assert len((await pair.one.read(lambda unit: approvals.get(unit, approval_id=A1))).votes) == 1
    assert await pair.one.read(lambda unit: inbox.waiting_count(unit, conversation_id=C1)) == 1


async def test_p4_two_people_at_once_are_two_votes_and_one_person_twice_is_one(pair: Pair, now: datetime) -> None:
    await pair.one.write(_opening(now, count=3))
    results = await overlap(pair, _deciding(now, "ana"), _deciding(now, "ana"))
    assert _kinds(results) == [AlreadyVoted.__name__]
    assert _kinds(await overlap(pair, _deciding(now, "ben"), _deciding(now, "carl"))) == []
    approval = await pair.one.read(lambda unit: approvals.get(unit, approval_id=A1))
    assert (approval.status, sorted(vote.reviewer for vote in approval.votes)) == ("approved", ["ana", "ben", "carl"])


async def test_p3_an_approval_asked_for_by_two_runs_at_once_is_one(pair: Pair, now: datetime) -> None:
    asked = await overlap(pair, _opening(now), _opening(now))
    assert _kinds(asked) == []
    assert asked[0] == asked[1]


async def test_p5_a_withdrawal_and_the_effect_at_once_are_one_of_them(pair: Pair, now: datetime) -> None:
    await pair.one.write(_opening(now))
    await pair.one.write(_deciding(now, "ana"))
    results = await overlap(
        pair,
        _reserving(now, "a", approval=(A1, 1, "d1")),
        lambda unit: approvals.withdraw(unit, approval_id=A1, by="customer", reason="wants to keep it", now=now),
    )
    assert _kinds(results) == [ApprovalClosed.__name__]
    status = (await pair.one.read(lambda unit: approvals.get(unit, approval_id=A1))).status
    reserved = len(await pair.one.read(receipts.unfinished))
    assert (status, reserved) in {("spent", 1), ("withdrawn", 0)}


async def test_p1_a_confirmation_is_spent_by_one_of_two(pair: Pair, now: datetime) -> None:
    await pair.one.write(
        lambda unit: evidence.add(
            unit,
            evidence_id=EvidenceId("e1"),
            case_id=K1,
            conversation_id=C1,
            kind="confirmation",
            name="refund_order",
            value={},
            source="m1",
            trust=1,
            at=now,
        )
    )
    spend = [lambda unit: evidence.spend(unit, evidence_id=EvidenceId("e1"))] * 2
    assert _kinds(await overlap(pair, *spend)) == [EvidenceSpent.__name__]


async def test_p11_two_entries_at_once_are_one_after_the_other_on_their_chain(pair: Pair, now: datetime) -> None:
    def noting(kind: str) -> Callable[[Unit], Any]:
        return lambda unit: audit.append(
            unit, case_id=K1, conversation_id=C1, kind=kind, ids={}, payload={"of": kind}, at=now
        )

    assert _kinds(await overlap(pair, noting("a"), noting("b"))) == []
    assert _kinds(await overlap(pair, lambda unit: audit.anchor(unit, now=now), noting("c"))) == []
    anchors = [lambda unit: audit.anchor(unit, now=now)] * 2
    assert _kinds(await overlap(pair, *anchors)) == []
    entries = await pair.one.read(lambda unit: audit.of_case(unit, case_id=K1))
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert sorted(entry.kind for entry in entries) == ["a", "b", "c"]
    assert (await pair.one.read(audit.verify)).problems == []


async def test_what_happens_in_one_conversation_at_once_gets_numbers_of_its_own(pair: Pair, now: datetime) -> None:
    def happening(name: str) -> Callable[[Unit], None]:
        def work(unit: Unit) -> None:
            timeline.append(unit, conversation_id=C1, kind="note", author=name, body={}, at=now)
            outbox.put(unit, conversation_id=C1, turn_id=TurnId(name), part=0, text=name, place=1, now=now)

        return work

    assert _kinds(await overlap(pair, happening("a"), happening("b"))) == []
    entries = await pair.one.read(lambda unit: timeline.of_conversation(unit, conversation_id=C1))
    said = await pair.one.read(lambda unit: outbox.of_conversation(unit, conversation_id=C1))
    assert [entry.seq for entry in entries] == [1, 2]
    assert sorted(part.seq for part in said) == [1, 2]


async def test_a_policy_is_activated_by_two_at_once_one_after_the_other(pair: Pair, now: datetime) -> None:
    def adopting(name: str) -> Callable[[Unit], Any]:
        return lambda unit: policy_versions.adopt(unit, playbook="p", content_hash=name * 8, content={}, now=now)

    assert _kinds(await overlap(pair, adopting("a"), adopting("b"))) == []
    assert len(await pair.one.read(lambda unit: policy_versions.terms(unit, playbook="p"))) == 2


async def test_a_policy_is_put_into_the_shadow_by_two_at_once_and_one_is_there(pair: Pair, now: datetime) -> None:
    for name in ("a", "b"):
        content_hash = name * 8
        await pair.one.write(
            lambda unit, one=content_hash: policy_versions.draft(
                unit, playbook="p", content_hash=one, content={}, by="x", note="", now=now
            )
        )
        await pair.one.write(
            lambda unit, one=content_hash: policy_versions.attach_backtest(
                unit, playbook="p", content_hash=one, report={}, by="x", now=now
            )
        )

    def shadowing(name: str) -> Callable[[Unit], Any]:
        return lambda unit: policy_versions.shadow(unit, playbook="p", content_hash=name * 8, by="x", now=now)

    assert _kinds(await overlap(pair, shadowing("a"), shadowing("b"))) == []
    states = [one.state for one in await pair.one.read(lambda unit: policy_versions.versions(unit, playbook="p"))]
    assert sorted(states) == ["draft", "shadow"]


async def test_of_two_statements_about_one_thing_at_once_one_stands(pair: Pair, now: datetime) -> None:
    def learning(name: str, conversation_id: ConversationId) -> Callable[[Unit], Any]:
        return lambda unit: evidence.add(
            unit,
            evidence_id=EvidenceId(name),
            case_id=K1,
            conversation_id=conversation_id,
            kind="fact",
            name="order",
            value=name,
            source="shop",
            trust=4,
            at=now,
        )

    assert _kinds(await overlap(pair, learning("a", C1), learning("b", C2))) == []
    assert len(await pair.one.read(lambda unit: evidence.of_case(unit, case_id=K1))) == 1


async def test_p8_a_conversation_is_not_bound_to_somebody_who_is_erased_meanwhile(pair: Pair, now: datetime) -> None:
    anna = CustomerId("anna")
    await pair.one.write(
        lambda unit: conversations.bind(unit, conversation_id=C1, customer_id=anna, assurance=2, now=now)
    )
    bound, _ = await overlap(
        pair,
        lambda unit: conversations.bind(unit, conversation_id=C2, customer_id=anna, assurance=2, now=now),
        lambda unit: erasure.forget(
            unit,
            erasure_id="e",
            customer_id=anna,
            by="dora",
            role="admin",
            reason="requested",
            reference="",
            threads=[],
            purge_by=now,
            now=now,
        ),
    )
    left = await pair.one.read(lambda unit: customers.conversations_of(unit, customer_id=anna))
    assert left == []
    if not isinstance(bound, KeyGone):
        assert await pair.one.read(lambda unit: conversations.get(unit, conversation_id=C2)) is None


async def test_p6_the_first_message_of_a_conversation_delivered_twice_at_once_is_one_item(
    pair: Pair, now: datetime
) -> None:
    new = ConversationId("new")
    results = await overlap(pair, _message(now, "m1", new), _message(now, "m1", new))
    assert _kinds(results) == []
    assert results[0] == results[1]
    results = await overlap(pair, _message(now, "m2", new), _message(now, "m3", new))
    assert results[0].seq != results[1].seq


async def test_p6_a_message_is_not_to_be_had_before_one_that_came_earlier(pair: Pair, now: datetime) -> None:
    numbered, may_commit = threading.Event(), threading.Event()

    def slow(unit: Unit) -> Any:
        item = _message(now, "first")(unit)
        numbered.set()
        may_commit.wait(5)
        return item

    first = asyncio.create_task(pair.one.write(slow))
    await asyncio.to_thread(numbered.wait, 5)
    second = asyncio.create_task(pair.other.write(_message(now, "second")))
    await asyncio.sleep(0.2)
    waiting = await pair.other.read(lambda unit: inbox.waiting_count(unit, conversation_id=C1))
    may_commit.set()
    assert waiting == 0, "a later message was there while an earlier one wasn't"
    assert (await first).seq < (await second).seq
    claimed = await pair.other.write(lambda unit: inbox.claim(unit, conversation_id=C1, now=now))
    assert [item.dedupe_key for item in claimed] == ["first", "second"]


async def test_p6_messages_of_other_conversations_do_not_wait(pair: Pair, now: datetime) -> None:
    numbered, may_commit = threading.Event(), threading.Event()

    def slow(unit: Unit) -> Any:
        item = _message(now, "first")(unit)
        numbered.set()
        may_commit.wait(5)
        return item

    first = asyncio.create_task(pair.one.write(slow))
    await asyncio.to_thread(numbered.wait, 5)
    elsewhere = await pair.other.write(_message(now, "elsewhere", C2))
    may_commit.set()
    assert elsewhere.seq != (await first).seq


async def test_p6_a_run_that_was_taken_over_writes_nothing_more(pair: Pair, now: datetime) -> None:
    """Whichever comes first: the write that has passed its fence commits, or is refused; there is no third."""
    epoch = await pair.one.write(lambda unit: conversations.advance_epoch(unit, conversation_id=C1))
    passed, may_go_on = threading.Event(), threading.Event()

    def writes(unit: Unit) -> None:
        snapshots.save(unit, hash="mine", name="n", content={}, now=now)
        passed.set()
        may_go_on.wait(5)

    writing = asyncio.create_task(pair.one.write(writes, fence=Fence(C1, epoch)))
    await asyncio.to_thread(passed.wait, 5)
    taking = asyncio.create_task(pair.other.write(lambda unit: conversations.advance_epoch(unit, conversation_id=C1)))
    await asyncio.sleep(0.2)
    too_early = taking.done()
    may_go_on.set()
    assert not too_early, "the conversation was taken over under a write that had passed its fence"
    await writing
    assert await taking == epoch + 1
    with pytest.raises(FencedOut):
        await pair.one.write(lambda unit: None, fence=Fence(C1, epoch))


async def test_p6_a_write_that_meets_a_takeover_half_way_is_fenced_out(pair: Pair, now: datetime) -> None:
    epoch = await pair.one.write(lambda unit: conversations.advance_epoch(unit, conversation_id=C1))
    taken, may_commit = threading.Event(), threading.Event()

    def take(unit: Unit) -> None:
        conversations.advance_epoch(unit, conversation_id=C1)
        taken.set()
        may_commit.wait(5)

    taking = asyncio.create_task(pair.other.write(take))
    await asyncio.to_thread(taken.wait, 5)
    writing = asyncio.create_task(
        pair.one.write(
            lambda unit: snapshots.save(unit, hash="late", name="n", content={}, now=now), fence=Fence(C1, epoch)
        )
    )
    await asyncio.sleep(0.2)
    may_commit.set()
    await taking
    with pytest.raises(FencedOut):
        await writing
    assert await pair.one.read(lambda unit: snapshots.get(unit, hash="late")) is None


async def test_p6_a_process_that_stopped_inside_a_transaction_is_ended_and_fenced_out(
    postgres: str, now: datetime
) -> None:
    """As with SIGSTOP: its locks would keep everybody else out of the conversation."""
    impatient = DatabaseLimits(lock_s=0.3)
    one, other = [await PostgresStore.open(postgres, master_key=KEY, limits=impatient) for _ in range(2)]
    await one.write(lambda unit: conversations.ensure(unit, conversation_id=C1, channel="chat", now=now))
    epoch = await one.write(lambda unit: conversations.advance_epoch(unit, conversation_id=C1))
    stopped, goes_on = threading.Event(), threading.Event()

    def stops(unit: Unit) -> None:
        stopped.set()
        goes_on.wait(5)
        snapshots.save(unit, hash="late", name="n", content={}, now=now)

    writing = asyncio.create_task(one.write(stops, fence=Fence(C1, epoch)))
    await asyncio.to_thread(stopped.wait, 5)
    assert await other.write(lambda unit: conversations.advance_epoch(unit, conversation_id=C1)) == epoch + 1
    goes_on.set()
    with pytest.raises(FencedOut):
        await writing
    assert await other.read(lambda unit: snapshots.get(unit, hash="late")) is None
    await one.close()
    await other.close()


async def test_p8_keys_that_one_process_destroyed_are_forgotten_by_all(pair: Pair, now: datetime) -> None:
    item = await pair.one.write(_message(now, "m1"))
    assert (await pair.other.read(lambda unit: inbox.get(unit, seq=item.seq))).body["text"] == "hello"
    await pair.one.write(lambda unit: unit.vault.destroy(conversation_key(C1)))
    with pytest.raises(KeyGone):
        await pair.other.read(lambda unit: inbox.get(unit, seq=item.seq))


async def test_p2_a_write_whose_connection_was_cut_is_made_once(pair: Pair, now: datetime) -> None:
    attempts = []

    def cut(unit: Unit) -> None:
        audit.append(unit, case_id=K1, conversation_id=C1, kind="once", ids={}, payload={}, at=now)
        attempts.append(len(attempts))
        if len(attempts) == 1:
            number = unit.value(text("SELECT pg_backend_pid()"))
            with pair.other._reading.connect() as connection:
                connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": number})

    await pair.one.write(cut)
    assert len(attempts) == 2
    assert len(await pair.one.read(lambda unit: audit.of_case(unit, case_id=K1))) == 1


async def test_p2_a_commit_whose_answer_was_lost_is_not_made_again(
    pair: Pair, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect = pair.one._engine.dialect
    commit, answers = dialect.do_commit, iter(["lost"])

    def commits(connection: Any) -> None:
        commit(connection)
        if next(answers, None):
            connection.dbapi_connection.close()
            raise dialect.loaded_dbapi.OperationalError("the connection is lost")

    monkeypatch.setattr(dialect, "do_commit", commits)
    await pair.one.write(
        lambda unit: audit.append(unit, case_id=K1, conversation_id=C1, kind="once", ids={}, payload={}, at=now)
    )
    assert next(answers, None) is None
    assert len(await pair.one.read(lambda unit: audit.of_case(unit, case_id=K1))) == 1


async def test_a_statement_that_takes_too_long_is_given_up_and_leaves_nothing(postgres: str, now: datetime) -> None:
    store = await PostgresStore.open(postgres, master_key=KEY, limits=DatabaseLimits(statement_s=1.0))

    def slow(unit: Unit) -> None:
        snapshots.save(unit, hash="slow", name="n", content={}, now=now)
        unit.value(text("SELECT pg_sleep(60)"))

    with pytest.raises(StoreUnavailable) as refused:
        await store.write(slow)
    assert isinstance(refused.value.__cause__, OperationalError)
    assert await store.read(lambda unit: snapshots.get(unit, hash="slow")) is None
    await store.close()
