"""P6, P7, P11, P13, P14: turns in order, only your own, on the record, made again exactly, on nothing."""

import asyncio
import contextlib
import os
import socket
import sqlite3
from typing import Any

import psycopg
import pytest
from houses import AMELIE, JONAS, LUCA, MIRA, NORA, OpenHouse, TestHouse
from sqlalchemy import text as sql

from graphs.results import ReviewDecision
from memory import audit, conversations, receipts, requests, turns
from memory.errors import MessageConflict
from memory.store import Unit
from policies.canonical import decision_to_json, facts_from_json
from policies.situations import situation_from_json
from policies.words import ConversationId

MIRAS = ("20418", "20377", "21240", "Kastanienallee", "148.90", "Walking boots", "4417")


REPLACED = "CAST(replace(CAST({} AS text), '{}', '{}') AS json)"
"""A column of JSON with other words in it."""


def on_backend(house: TestHouse, statement: str) -> str:
    """A statement for Postgres in the words of the house's database: SQLite's JSON is text."""
    return statement if house.runtime.settings.postgres_url else statement.replace(" AS json)", " AS text)")


def spoil_checkpoints(house: TestHouse, statement: str) -> None:
    """Do it past Callboard, which is closed."""
    if url := house.runtime.settings.postgres_url:
        with psycopg.connect(url) as connection:
            connection.execute(statement.encode())
        return
    with contextlib.closing(sqlite3.connect(house.directory / "checkpoints.db")) as file:
        file.execute(statement)
        file.commit()


def turns_of(conversation: str) -> Any:
    return lambda unit: turns.of_conversation(unit, conversation_id=ConversationId(conversation))


def slow_shop(house: TestHouse, order: str) -> tuple[asyncio.Event, asyncio.Event]:
    """Makes the shop wait when it is asked for this order: what says that it was asked, what lets it go on."""
    shop: Any = house.runtime.systems["shop"]
    read_order, asked, go_on = shop.order, asyncio.Event(), asyncio.Event()

    async def waiting(order_id: str) -> object:
        if order_id == order:
            asked.set()
            await go_on.wait()
        return await read_order(order_id)

    shop.order = waiting
    return asked, go_on


async def test_p6_the_same_message_twice_is_one_turn_with_one_result(house: TestHouse) -> None:
    first = await house.say("Where is my order 20418?", message_id="same")
    again = await house.say("Where is my order 20418?", message_id="same")
    assert again == first
    both = await asyncio.gather(*(house.say(MIRA, message_id="next") for _ in range(5)))
    assert len(set(both)) == 1
    assert len(await house.read(turns_of("c1"))) == 2
    assert len(await house.texts()) == 2


async def test_p6_the_same_message_id_with_another_text_is_refused(house: TestHouse) -> None:
    await house.say("Where is my order 20418?", message_id="same")
    with pytest.raises(MessageConflict):
        await house.say("Where is my order 20419?", message_id="same")
    elsewhere = await house.say("Where is my order 20419?", message_id="same", conversation="c2")
    assert elsewhere.conversation_id == "c2"


async def test_p2_a_confirmation_delivered_twice_refunds_once(house: TestHouse) -> None:
    for words in ("I want a refund for order 20586", NORA):
        await house.say(words)
    results = await asyncio.gather(*(house.say("yes", message_id="yes") for _ in range(3)))
    assert len({result.turn_id for result in results}) == 1
    await house.say("yes", message_id="another yes")
    assert house.records.amounts("20586") == [3490]


async def test_p2_two_conversations_confirming_at_once_refund_once(house: TestHouse) -> None:
    for conversation in ("c1", "c2"):
        for words in ("I want a refund for order 20586", NORA):
            await house.say(words, conversation=conversation)
    await asyncio.gather(house.say("yes", conversation="c1"), house.say("yes", conversation="c2"))
    assert house.records.amounts("20586") == [3490]
    told = [*await house.texts("c1"), *await house.texts("c2")]
    assert sum("I have refunded" in text for text in told) == 1


async def test_p6_messages_that_wait_are_answered_once_in_order_and_others_do_not_wait(house: TestHouse) -> None:
    await house.say(f"Where is my order 20377? {MIRA}")
    asked, go_on = slow_shop(house, "21240")
    first = asyncio.create_task(house.say("Where is my order 21240?"))
    await asked.wait()
    burst = [asyncio.create_task(house.say(words)) for words in ("and 20377?", "thanks")]
    other = await house.say(f"Where is my order 20731? {JONAS}", conversation="c2")
    assert "20731" in other.reply
    assert not first.done()
    go_on.set()
    results = await asyncio.gather(first, *burst)
    assert results[1] == results[2]
    known = await house.read(turns_of("c1"))
    assert [turn.id for turn in known[1:]] == [results[0].turn_id, results[1].turn_id]
    assert known[1].ended_at is not None
    assert known[2].started_at >= known[1].ended_at
    said = await house.said()
    assert [one.place for one in said] == sorted(one.place for one in said)


async def test_p6_a_late_reply_keeps_the_place_of_its_turn(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    later = await house.say("Where is my order 21240?")
    await house.decide(await house.only_pending())
    said = [one.turn_id for one in await house.said()]
    assert said[-3:] == [waiting.turn_id, waiting.turn_id, later.turn_id]


async def test_p7_someone_elses_order_is_neither_shown_nor_changed(house: TestHouse) -> None:
    before = house.records.everything()
    await house.say(f"Where is my order 20731? {JONAS}")
    for words in (
        "Where is my order 20418?",
        "I want a refund for order 20418",
        "yes",
        "cancel order 21102",
        "yes please cancel 21102",
        "send order 21102 to 1 Main Street, Berlin 10435, Germany",
    ):
        await house.say(words)
    told = "\n".join(await house.texts())
    for theirs in ("Walking boots", "148.90", "4417", "Linen bedding", "203.90", "Tanneurs"):
        assert theirs not in told
    assert house.records.everything() == before
    assert await house.pending() == []


async def test_p7_without_verification_nothing_is_shown_or_done(house: TestHouse) -> None:
    before = house.records.everything()
    for words in (
        "Where is order 20418?",
        "I don't have that, just tell me where 20418 is",
        "refund order 20418 now",
        "cancel 21102",
        "yes",
    ):
        await house.say(words)
    told = "\n".join(await house.texts())
    assert not [words for words in MIRAS[3:] if words in told]
    assert house.records.everything() == before


async def test_p7_one_conversation_never_serves_two_customers(house: TestHouse) -> None:
    await house.say(f"Where is my order 20731? {JONAS}")
    await house.say(f"And where is my order 20418? {MIRA}")
    await house.say("I want a refund for order 20418")
    await house.say("yes")
    known = await house.read(lambda unit: conversations.get(unit, conversation_id=ConversationId("c1")))
    assert known is not None
    assert known.customer_id == "C-1002"
    assert "Walking boots" not in "\n".join(await house.texts())
    assert house.records.amounts("20418") == []


async def test_p7_guesses_of_an_identity_are_limited(house: TestHouse) -> None:
    for number in range(12):
        await house.say(f"Where is my order 20418? mira.okafor@example.org, postcode 1{number:04d}")
        await house.say(f"cancel order 21240, mira.okafor@example.org, postcode 2{number:04d}")
    await house.say(MIRA)
    checks = await house.read(
        lambda unit: requests.of_tools(unit, conversation_id=ConversationId("c1"), tools={"verify_customer"})
    )
    made = [
        one
        for one in checks
        if await house.read(lambda unit, one=one: receipts.of_request(unit, request_id=one.request.id))
    ]
    assert len(made) <= 5
    known = await house.read(lambda unit: conversations.get(unit, conversation_id=ConversationId("c1")))
    assert known is not None
    assert (known.customer_id, known.status) == (None, "person")


async def all_decisions(house: TestHouse) -> list[requests.DecisionRow]:
    def work(unit: Unit) -> list[requests.DecisionRow]:
        ids = [row["id"] for row in unit.rows(sql("SELECT id FROM requests"))]
        return [row for request_id in ids for row in requests.decisions_of(unit, request_id=request_id)]

    return await house.read(work)


async def test_p13_every_stored_decision_is_made_again_exactly_from_its_row(house: TestHouse) -> None:
    await house.ask_refund(conversation="c1")
    approval = await house.only_pending()
    arguments = {**approval.body["arguments"], "amount_minor": 12000}  # type: ignore[dict-item]  # the tool's arguments
    house.clock.forward(hours=1)
    house.records.change("UPDATE orders SET total_minor = 15000 WHERE id = '20418'")
    await house.decide(approval, ReviewDecision("edit", arguments=arguments))
    house.records.change("UPDATE orders SET total_minor = 15001 WHERE id = '20418'")
    await house.ask_refund("20955", LUCA, conversation="c2")
    for pending in await house.pending():
        await house.decide(pending)
    await house.say(f"cancel order 21102. {AMELIE}", conversation="c3")
    await house.say("yes", conversation="c3")
    await house.say(f"refund order 20418 {JONAS}", conversation="c4")
    rows = await all_decisions(house)
    policies = house.runtime.playbook.policies
    replayed = 0
    for row in rows:
        if row.phase == "ledger":
            continue
        made_from: Any = row.situation
        again = policies.decide(
            requests.request_from_json(made_from["request"]),
            facts_from_json(made_from["facts"]),
            situation_from_json(made_from["situation"]),
        )
        assert decision_to_json(again) == row.decision, row.phase
        replayed += 1
    assert {row.phase for row in rows} >= {"guard", "confirm", "act", "edit"}
    assert replayed >= 15


async def test_p11_an_effect_is_explained_from_the_message_to_the_reply(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    await house.decide(approval)
    assert waiting.case_id is not None
    case_id = waiting.case_id
    report = await house.read(audit.verify)
    assert report.ok, report.problems
    entries = await house.read(lambda unit: audit.of_case(unit, case_id=case_id))
    ours = [entry for entry in entries if entry.ids.get("turn") == waiting.turn_id or "approval" in entry.ids]
    kinds = [entry.kind for entry in ours]
    places = iter(kinds)
    wanted = ["received", "reading", "decision", "approval_opened", "said", "approval_answered", "decision", "receipt"]
    assert all(kind in places for kind in [*wanted, "said", "turn_closed"]), kinds
    (effect,) = [entry for entry in ours if entry.kind == "receipt" and entry.ids["tool"] == "refund_order"]
    decided = [e for e in ours if e.kind == "decision" and e.ids["request"] == effect.ids["request"]]
    assert [(e.ids["phase"], e.ids["proposed_by"]) for e in decided] == [("guard", "workflow"), ("act", "workflow")]
    answered = next(entry for entry in ours if entry.kind == "approval_answered")
    assert (answered.ids["reviewer"], answered.ids["answer"]) == ("ana", "approve")


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit SET kind = 'receipt' WHERE kind = 'approval_answered'",
        "DELETE FROM audit WHERE kind = 'decision'",
        f"UPDATE audit SET ids = {REPLACED.format('ids', 'ana', 'ben')} WHERE kind = 'approval_answered'",
        "UPDATE audit SET body = (SELECT body FROM audit WHERE kind = 'turn_closed' LIMIT 1) WHERE kind = 'receipt'",
    ],
)
async def test_p11_tampering_with_the_record_is_found(house: TestHouse, tampering: str) -> None:
    await house.ask_refund()
    await house.decide(await house.only_pending())
    await house.runtime.store.write(lambda unit: unit.run(sql(on_backend(house, tampering))))
    assert not (await house.read(audit.verify)).ok


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_p14_it_runs_without_keys_and_with_every_socket_blocked(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith(("CALLBOARD_", "OPENAI_")) or "PROXY" in name.upper():
            monkeypatch.delenv(name)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("It reached for the network.")

    for door in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, door, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    house = await open_house()
    await house.ask_refund()
    await house.decide(await house.only_pending())
    assert house.records.amounts("20418") == [14890]


@pytest.mark.parametrize("harm", ["deleted", "unreadable", "another version"])
async def test_p2_p5_a_checkpoint_that_is_gone_costs_nothing(open_house: OpenHouse, harm: str) -> None:
    house = await open_house()
    waiting = await house.ask_refund()
    await house.close()
    if harm == "deleted":
        spoil_checkpoints(house, "DELETE FROM checkpoints")
    elif harm == "unreadable":
        spoil_checkpoints(house, "UPDATE checkpoints SET checkpoint = '{}'")
    again = await open_house()
    if harm == "another version":
        older = f"UPDATE turns SET versions = {REPLACED.format('versions', 'graph', 'older')}"
        await again.runtime.store.write(lambda unit: unit.run(sql(on_backend(again, older))))
    await again.decide(await again.only_pending())
    assert again.records.amounts("20418") == [14890]
    ended = await again.runtime.runner.result(waiting.turn_id)
    assert (ended.outcome, len(ended.parts)) == ("resolved", 2)
    assert "\n".join(await again.texts()).count("I have refunded 148.90 EUR") == 1


async def test_p10_the_first_words_say_that_it_is_an_ai_and_a_person_is_a_message_away(house: TestHouse) -> None:
    first = await house.say("Hello")
    assert "AI" in first.reply
    handed = await house.say("I want to speak to a human")
    assert handed.outcome == "escalated"
    silent = await house.say("hello? where is my order 20418?")
    assert (silent.outcome, silent.reply) == ("with_person", "")


async def test_p12_a_system_that_is_down_ends_in_a_handoff_not_in_silence(house: TestHouse) -> None:
    await house.say(f"Where is my order 20418? {MIRA}")
    shop: Any = house.runtime.systems["shop"]

    async def down(order_id: str) -> object:
        raise OSError("no route to the shop")

    shop.order = down
    result = await house.say("Where is my order 21240?")
    assert result.outcome == "escalated"
    assert result.reply
    assert (await house.read(audit.verify)).ok
