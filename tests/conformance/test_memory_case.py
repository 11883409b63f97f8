"""Turns, what they say, what they know, and the case they work on."""

from datetime import datetime, timedelta

import pytest

from memory import cases, conversations, evidence, handoffs, inbox, outbox, readings, requests, timeline, turns
from memory.errors import CustomerConflict, EvidenceSpent, RecordNotFound
from memory.evidence import Evidence
from memory.store import Store, Unit
from policies.words import (
    ActionRequest,
    ApprovalId,
    Assurance,
    CaseId,
    ConversationId,
    CustomerId,
    EvidenceId,
    Origin,
    Provenance,
    RequestId,
    TurnId,
)

C1, C2 = ConversationId("c1"), ConversationId("c2")
K1, K2, T1, T2 = CaseId("k1"), CaseId("k2"), TurnId("t1"), TurnId("t2")
ANNA, BEN = CustomerId("anna"), CustomerId("ben")


def _turn(unit: Unit, turn_id: TurnId, now: datetime, text: str = "hello") -> int:
    item, _ = inbox.put_message(unit, conversation_id=C1, message_id=f"m-{turn_id}", text=text, channel="chat", now=now)
    turns.start(unit, turn_id=turn_id, conversation_id=C1, item_seqs=[item.seq], versions={"policy": "p1"}, now=now)
    return item.seq


def _say(unit: Unit, turn_id: TurnId, part: int, text: str, place: int, now: datetime) -> None:
    outbox.put(unit, conversation_id=C1, turn_id=turn_id, part=part, text=text, place=place, now=now)


async def test_p6_a_turn_is_found_by_the_item_that_began_it(store: Store, now: datetime) -> None:
    seq = await store.write(lambda unit: _turn(unit, T1, now))
    turn = await store.read(lambda unit: turns.by_item(unit, seq=seq))
    assert turn is not None
    assert (turn.id, turn.state, turn.item_seqs, turn.versions) == ("t1", "running", (seq,), {"policy": "p1"})
    again = await store.write(
        lambda unit: turns.start(unit, turn_id=T1, conversation_id=C1, item_seqs=[seq], versions={}, now=now)
    )
    assert again == turn


async def test_p5_a_parked_turn_stays_parked_while_later_ones_run(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> None:
        first = _turn(unit, T1, now)
        _say(unit, T1, 0, "I have asked a colleague.", first, now)
        turns.park(unit, turn_id=T1, approval_id=ApprovalId("a1"), now=now)
        second = _turn(unit, T2, now)
        _say(unit, T2, 0, "Your order is on its way.", second, now)
        turns.finish(unit, turn_id=T2, outcome="replied", now=now)

    await store.write(work)
    (parked,) = await store.read(lambda unit: turns.parked(unit, conversation_id=C1))
    assert (parked.id, parked.outcome) == ("t1", "awaiting_approval")
    waiting = await store.read(lambda unit: turns.by_approval(unit, approval_id=ApprovalId("a1")))
    assert waiting == parked
    assert await store.write(lambda unit: turns.resume(unit, turn_id=T1)) == 2
    assert await store.read(lambda unit: turns.parked(unit, conversation_id=C1)) == []


async def test_p6_a_late_reply_keeps_its_turns_place_and_is_still_new_to_who_asks(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> None:
        first = _turn(unit, T1, now)
        _say(unit, T1, 0, "one moment", first, now)
        second = _turn(unit, T2, now)
        _say(unit, T2, 0, "second", second, now)

    await store.write(work)
    seen = max(part.seq for part in await store.read(lambda unit: outbox.of_conversation(unit, conversation_id=C1)))
    first_seq = (await store.read(lambda unit: outbox.of_turn(unit, turn_id=T1)))[0].place
    await store.write(lambda unit: _say(unit, T1, 1, "refunded", first_seq, now))
    new = await store.read(lambda unit: outbox.of_conversation(unit, conversation_id=C1, after=seen))
    assert [part.text for part in new] == ["refunded"]
    everything = await store.read(lambda unit: outbox.of_conversation(unit, conversation_id=C1))
    assert [part.text for part in everything] == ["one moment", "refunded", "second"]
    first = await store.read(lambda unit: outbox.of_turn(unit, turn_id=T1))
    assert [part.text for part in first] == ["one moment", "refunded"]
    whole = await store.read(lambda unit: turns.of_conversation(unit, conversation_id=C1))
    assert [turn.id for turn in whole] == ["t1", "t2"]


async def test_p2_a_part_of_a_reply_is_said_and_delivered_once(store: Store, now: datetime) -> None:
    await store.write(lambda unit: _say(unit, T1, 0, "first", 1, now))
    await store.write(lambda unit: _say(unit, T1, 0, "said differently", 1, now))
    (part,) = await store.read(outbox.undelivered)
    assert part.text == "first"
    later = now + timedelta(minutes=1)
    await store.write(lambda unit: outbox.mark_delivered(unit, outgoing_id=part.id, now=now))
    await store.write(lambda unit: outbox.mark_delivered(unit, outgoing_id=part.id, now=later))
    assert await store.read(outbox.undelivered) == []
    (delivered,) = await store.read(lambda unit: outbox.of_turn(unit, turn_id=T1))
    assert delivered.delivered_at == now


async def test_p13_the_first_reading_of_a_task_stands(store: Store, now: datetime) -> None:
    def save(unit: Unit, output: str) -> readings.Reading:
        return readings.save(
            unit,
            turn_id=T1,
            ordinal=0,
            task="intent",
            reasoner="local",
            prompt_version="1",
            input_digest="d",
            output={"intent": output},
            at=now,
        )

    await store.write(lambda unit: _turn(unit, T1, now))
    first = await store.write(lambda unit: save(unit, "refund"))
    assert await store.write(lambda unit: save(unit, "cancel")) == first
    assert await store.read(lambda unit: readings.of_turn(unit, turn_id=T1)) == [first]
    assert await store.read(lambda unit: readings.get(unit, turn_id=T1, ordinal=1)) is None


async def test_p13_a_request_and_its_decisions_come_back_as_they_were_stored(store: Store, now: datetime) -> None:
    request = ActionRequest(
        id=RequestId("r1"),
        tool="refund_order",
        arguments={"order_id": "O-1", "items": ["I-1"], "amount_minor": 100},
        specialist="workflow",
        why="asked for",
        provenance={"order_id": Provenance(Origin.CUSTOMER, "m1")},
        occurrence="second",
    )
    edited = ActionRequest(
        id=RequestId("r2"), tool="refund_order", arguments={"order_id": "O-1"}, specialist="reviewer"
    )

    def save(unit: Unit, wanted: ActionRequest, supersedes: str | None = None) -> requests.RequestRow:
        return requests.save_request(
            unit,
            turn_id=T1,
            ordinal=0,
            request=wanted,
            case_id=K1,
            conversation_id=C1,
            supersedes=RequestId(supersedes) if supersedes else None,
            now=now,
        )

    await store.write(lambda unit: save(unit, request))
    found = await store.read(lambda unit: requests.get_request(unit, request_id=RequestId("r1")))
    assert found.request == request
    assert (await store.write(lambda unit: save(unit, edited))).request == request
    assert (await store.write(lambda unit: save(unit, edited, "r1"))).request == edited
    latest = await store.read(lambda unit: requests.request_at(unit, turn_id=T1, ordinal=0))
    assert latest is not None
    assert (latest.request, latest.supersedes) == (edited, "r1")
    assert await store.read(lambda unit: requests.request_at(unit, turn_id=T1, ordinal=1)) is None

    for phase, effect in (("guard", "require_approval"), ("act", "allow")):
        await store.write(
            lambda unit, phase=phase, effect=effect: requests.save_decision(
                unit,
                request_id=RequestId("r1"),
                phase=phase,
                decision={"effect": effect, "policy_version": "p1", "facts": {"order.total_minor": 100}},
                situation={"assurance": 2},
                now=now,
            )
        )
    stored = await store.read(lambda unit: requests.decisions_of(unit, request_id=RequestId("r1")))
    assert [(row.phase, row.effect, row.ordinal) for row in stored] == [
        ("guard", "require_approval", 0),
        ("act", "allow", 1),
    ]
    assert stored[0].decision["facts"] == {"order.total_minor": 100}
    assert stored[0].situation == {"assurance": 2}


async def test_binding_gives_cases_and_evidence_to_the_customer(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> None:
        conversations.ensure(unit, conversation_id=C1, channel="chat", now=now)
        cases.open_case(unit, case_id=K1, conversation_id=C1, now=now)
        _evidence(unit, "e1", 1, now)
        conversations.bind(unit, conversation_id=C1, customer_id=ANNA, assurance=3, now=now)
        conversations.bind(unit, conversation_id=C1, customer_id=ANNA, assurance=2, now=now)

    await store.write(work)
    conversation = await store.read(lambda unit: conversations.get(unit, conversation_id=C1))
    assert conversation is not None
    assert (conversation.customer_id, conversation.assurance) == (ANNA, Assurance.STEPPED_UP)
    (case,) = await store.read(lambda unit: cases.of_customer(unit, customer_id=ANNA))
    assert case.id == K1
    (known,) = await store.read(lambda unit: evidence.of_case(unit, case_id=K1))
    assert known.customer_id == ANNA


async def test_p7_a_conversation_never_serves_two_customers(store: Store, now: datetime) -> None:
    await store.write(lambda unit: conversations.ensure(unit, conversation_id=C1, channel="chat", now=now))
    await store.write(lambda unit: conversations.bind(unit, conversation_id=C1, customer_id=ANNA, assurance=2, now=now))
    with pytest.raises(CustomerConflict):
        await store.write(
            lambda unit: conversations.bind(unit, conversation_id=C1, customer_id=BEN, assurance=2, now=now)
        )
    conversation = await store.read(lambda unit: conversations.get(unit, conversation_id=C1))
    assert conversation is not None
    assert conversation.customer_id == ANNA


async def test_conversations_page_from_the_newest(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> None:
        for number in range(5):
            conversations.ensure(
                unit, conversation_id=ConversationId(f"c{number}"), channel="chat", now=now + timedelta(hours=number)
            )
        conversations.set_status(unit, conversation_id=ConversationId("c4"), status="person")
        conversations.mark_disclosed(unit, conversation_id=ConversationId("c4"))

    await store.write(work)
    first = await store.read(lambda unit: conversations.listing(unit, limit=3))
    assert [conversation.id for conversation in first] == ["c4", "c3", "c2"]
    assert (first[0].status, first[0].disclosed) == ("person", True)
    rest = await store.read(lambda unit: conversations.listing(unit, limit=3, after=first[-1].id))
    assert [conversation.id for conversation in rest] == ["c1", "c0"]
    with pytest.raises(RecordNotFound):
        await store.write(
            lambda unit: conversations.set_status(unit, conversation_id=ConversationId("nobody"), status="ai")
        )


async def test_the_agenda_holds_what_is_not_settled_in_order(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> None:
        for number, case_id in enumerate((K1, K2, CaseId("k3"))):
            cases.open_case(unit, case_id=case_id, conversation_id=C1, now=now + timedelta(minutes=number))
        cases.save_plan(unit, case_id=K2, plan={"cursor": 2}, journey="refund", status="waiting")
        cases.close(unit, case_id=K1, disposition="refunded", status="resolved", now=now)

    await store.write(work)
    agenda = await store.read(lambda unit: cases.agenda(unit, conversation_id=C1))
    assert [case.id for case in agenda] == ["k2", "k3"]
    assert (agenda[0].plan, agenda[0].journey, agenda[0].status) == ({"cursor": 2}, "refund", "waiting")
    closed = await store.read(lambda unit: cases.get(unit, case_id=K1))
    assert closed is not None
    assert (closed.disposition, closed.status, closed.closed_at) == ("refunded", "resolved", now)


async def test_the_timeline_takes_an_entry_with_a_key_once_and_keeps_order(store: Store, now: datetime) -> None:
    def append(unit: Unit, conversation_id: ConversationId, text: str, key: str | None, minutes: int) -> None:
        timeline.append(
            unit,
            conversation_id=conversation_id,
            case_id=K1,
            turn_id=T1,
            kind="message_in",
            author="customer",
            body={"text": text},
            at=now + timedelta(minutes=minutes),
            dedupe_key=key,
        )

    def work(unit: Unit) -> None:
        append(unit, C1, "one", "m1", 0)
        append(unit, C1, "one again", "m1", 1)
        append(unit, C2, "by mail", None, 2)
        append(unit, C1, "two", None, 3)

    await store.write(work)
    here = await store.read(lambda unit: timeline.of_conversation(unit, conversation_id=C1))
    assert [(entry.seq, entry.body["text"]) for entry in here] == [(1, "one"), (2, "two")]
    whole = await store.read(lambda unit: timeline.of_case(unit, case_id=K1))
    assert [entry.body["text"] for entry in whole] == ["one", "by mail", "two"]
    latest = await store.read(lambda unit: timeline.of_case(unit, case_id=K1, limit=2))
    assert [entry.body["text"] for entry in latest] == ["by mail", "two"]


def _evidence(unit: Unit, evidence_id: str, value: int, now: datetime, *, key: str | None = None) -> Evidence:
    return evidence.add(
        unit,
        evidence_id=EvidenceId(evidence_id),
        case_id=K1,
        conversation_id=C1,
        kind="receipt",
        name="order",
        subject="O-1",
        value={"total_minor": value},
        source="x1",
        trust=4,
        at=now,
        dedupe_key=key,
    )


async def test_newer_evidence_of_the_same_thing_supersedes_the_older(store: Store, now: datetime) -> None:
    await store.write(lambda unit: _evidence(unit, "e1", 1, now))
    await store.write(lambda unit: _evidence(unit, "e2", 2, now))
    (current,) = await store.read(lambda unit: evidence.of_case(unit, case_id=K1))
    assert current.value == {"total_minor": 2}
    both = await store.read(lambda unit: evidence.of_conversation(unit, conversation_id=C1, include_superseded=True))
    assert [(known.id, known.superseded_by) for known in both] == [("e1", "e2"), ("e2", None)]


async def test_p2_evidence_with_a_key_comes_once(store: Store, now: datetime) -> None:
    await store.write(lambda unit: _evidence(unit, "e1", 1, now, key="x1"))
    again = await store.write(lambda unit: _evidence(unit, "e2", 2, now, key="x1"))
    assert (again.id, again.value) == ("e1", {"total_minor": 1})


async def test_p1_a_confirmation_is_spent_once(store: Store, now: datetime) -> None:
    await store.write(lambda unit: _evidence(unit, "e1", 1, now))
    await store.write(lambda unit: evidence.spend(unit, evidence_id=EvidenceId("e1")))
    with pytest.raises(EvidenceSpent):
        await store.write(lambda unit: evidence.spend(unit, evidence_id=EvidenceId("e1")))
    with pytest.raises(RecordNotFound):
        await store.write(lambda unit: evidence.spend(unit, evidence_id=EvidenceId("nothing")))


async def test_p10_a_handoff_is_taken_by_who_comes_first(store: Store, now: datetime) -> None:
    await store.write(
        lambda unit: handoffs.save(
            unit,
            handoff_id="h1",
            case_id=K1,
            conversation_id=C1,
            turn_id=T1,
            queue="care",
            reason="asked_for_person",
            score=0.9,
            bundle={"intent": "refund"},
            at=now,
        )
    )
    (waiting,) = await store.read(lambda unit: handoffs.waiting(unit, queue="care"))
    assert waiting.bundle == {"intent": "refund"}
    taken, mine = await store.write(lambda unit: handoffs.take(unit, handoff_id="h1", by="rita", now=now))
    assert (taken.taken_by, mine) == ("rita", True)
    _, also_mine = await store.write(lambda unit: handoffs.take(unit, handoff_id="h1", by="sam", now=now))
    assert not also_mine
    assert await store.read(handoffs.waiting) == []
