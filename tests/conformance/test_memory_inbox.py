"""The inbox takes each thing once and hands it out in order."""

import asyncio
from datetime import datetime

import pytest

from memory import conversations, inbox
from memory.errors import MessageConflict, Overloaded
from memory.inbox import InboxItem
from memory.store import Store, Unit
from policies.words import ConversationId, TurnId

C1, C2 = ConversationId("c1"), ConversationId("c2")


async def _say(store: Store, now: datetime, message_id: str, words: str = "hello", to: str = "c1") -> InboxItem:
    item, _ = await store.write(
        lambda unit: inbox.put_message(
            unit, conversation_id=ConversationId(to), message_id=message_id, text=words, channel="chat", now=now
        )
    )
    return item


async def _claim(store: Store, now: datetime, conversation_id: ConversationId = C1) -> list[str]:
    items = await store.write(lambda unit: inbox.claim(unit, conversation_id=conversation_id, now=now))
    return [item.dedupe_key for item in items]


async def test_p6_a_message_that_comes_twice_is_one_item(store: Store, now: datetime) -> None:
    first, created = await store.write(
        lambda unit: inbox.put_message(
            unit, conversation_id=C1, message_id="m1", text="hello", channel="chat", customer_hint="a@b.c", now=now
        )
    )
    again, created_again = await store.write(
        lambda unit: inbox.put_message(unit, conversation_id=C1, message_id="m1", text="hello", channel="sms", now=now)
    )
    assert (created, created_again) == (True, False)
    assert again == first
    assert first.body == {"text": "hello", "channel": "chat", "customer_hint": "a@b.c"}
    conversation = await store.read(lambda unit: conversations.get(unit, conversation_id=C1))
    assert conversation is not None
    assert (conversation.channel, conversation.customer_hint) == ("chat", "a@b.c")


async def test_p6_twenty_deliveries_at_once_are_one_item(store: Store, now: datetime) -> None:
    items = await asyncio.gather(*(_say(store, now, "m1") for _ in range(20)))
    assert len({item.seq for item in items}) == 1
    assert await store.read(lambda unit: inbox.waiting_count(unit, conversation_id=C1)) == 1


async def test_p6_the_same_id_with_another_text_is_refused_and_changes_nothing(store: Store, now: datetime) -> None:
    first = await _say(store, now, "m1", "refund please")
    with pytest.raises(MessageConflict):
        await _say(store, now, "m1", "something else")
    assert await _say(store, now, "m1", "refund please") == first


async def test_the_same_message_id_in_two_conversations_is_two_messages(store: Store, now: datetime) -> None:
    assert (await _say(store, now, "m1")).seq != (await _say(store, now, "m1", "another", to="c2")).seq


async def test_p6_waiting_messages_are_claimed_as_one_burst_in_order(store: Store, now: datetime) -> None:
    for number in range(12):
        await _say(store, now, f"m{number}")
    assert await _claim(store, now) == [f"m{number}" for number in range(10)]


async def test_p6_a_burst_stops_at_whatever_is_not_a_message(store: Store, now: datetime) -> None:
    await _say(store, now, "m1")
    await _say(store, now, "m2")
    await store.write(
        lambda unit: inbox.put(unit, conversation_id=C1, kind="decision", dedupe_key="a1:1", body={}, now=now)
    )
    await _say(store, now, "m3")
    order = []
    while keys := await _claim(store, now):
        order.append(keys)
        items = await store.write(lambda unit: inbox.claim(unit, conversation_id=C1, now=now))
        await store.write(lambda unit, items=items: inbox.finish(unit, seqs=[item.seq for item in items]))
    assert order == [["m1", "m2"], ["a1:1"], ["m3"]]


async def test_p6_what_a_crash_left_running_comes_first_and_unchanged(store: Store, now: datetime) -> None:
    first = await _say(store, now, "m1")
    assert await _claim(store, now) == ["m1"]
    await store.write(lambda unit: inbox.assign(unit, seqs=[first.seq], turn_id=TurnId("t1")))
    await _say(store, now, "m2")
    again = await store.write(lambda unit: inbox.claim(unit, conversation_id=C1, now=now))
    assert [(item.dedupe_key, item.attempts, item.turn_id) for item in again] == [("m1", 2, "t1")]


async def test_other_conversations_do_not_wait(store: Store, now: datetime) -> None:
    await _say(store, now, "m1")
    await _say(store, now, "m2", to="c2")
    assert await store.read(inbox.unfinished) == [C1, C2]
    assert await _claim(store, now, C2) == ["m2"]
    items = await store.write(lambda unit: inbox.claim(unit, conversation_id=C2, now=now))
    await store.write(lambda unit: inbox.finish(unit, seqs=[item.seq for item in items], state="failed"))
    assert await store.read(inbox.unfinished) == [C1]
    assert await _claim(store, now, C2) == []


async def test_released_items_wait_in_their_place(store: Store, now: datetime) -> None:
    first = await _say(store, now, "m1")
    await _claim(store, now)
    await _say(store, now, "m2")
    await store.write(lambda unit: inbox.release(unit, seqs=[first.seq]))
    assert await _claim(store, now) == ["m1", "m2"]


async def test_an_item_that_must_be_new_is_refused_when_it_is_not(store: Store, now: datetime) -> None:
    async def put() -> None:
        await store.write(
            lambda unit: inbox.put(
                unit, conversation_id=C1, kind="timer", dedupe_key="t", body={}, now=now, allow_existing=False
            )
        )

    await put()
    with pytest.raises(ValueError, match="already"):
        await put()


async def test_what_is_known_is_never_refused_for_what_else_waits(store: Store, now: datetime) -> None:
    intake = inbox.Intake(per_conversation=2, total=3)

    async def send(conversation: str, message: str) -> tuple[inbox.InboxItem, bool]:
        await store.read(
            lambda unit: inbox.check_room(
                unit, conversation_id=ConversationId(conversation), message_id=message, intake=intake
            )
        )
        return await store.write(
            lambda unit: inbox.put_message(
                unit,
                conversation_id=ConversationId(conversation),
                message_id=message,
                text="Hello",
                channel="chat",
                now=now,
            )
        )

    first, _ = await send("k1", "m1")
    await send("k1", "m2")
    with pytest.raises(Overloaded) as full:
        await send("k1", "m3")
    assert (full.value.scope, full.value.waiting, full.value.limit) == ("conversation", 2, 2)
    await send("k2", "m1")
    with pytest.raises(Overloaded) as everywhere:
        await send("k3", "m1")
    assert (everywhere.value.scope, everywhere.value.retry_after_s >= 1) == ("total", True)
    assert await send("k1", "m1") == (first, False)
    assert await store.read(inbox.load) == inbox.Load(waiting=3, running=0, oldest_at=now)
    await store.write(lambda unit: inbox.finish(unit, seqs=[first.seq]))
    assert (await send("k1", "m3"))[1]


async def test_a_message_that_is_being_taken_and_is_in_its_row_already_counts_once(store: Store, now: datetime) -> None:
    intake = inbox.Intake(per_conversation=2, total=2)

    def has_room(unit: Unit) -> None:
        inbox.check_room(unit, conversation_id=C1, message_id="m2", intake=intake, beside=[(C1, "m1")])

    await store.read(has_room)
    await _say(store, now, "m1")
    await store.read(has_room)
    await _say(store, now, "m3")
    with pytest.raises(Overloaded):
        await store.read(has_room)
