"""P8: who is erased is out of every context at once, and after the purge no byte of theirs is left in our files."""

import asyncio
import base64
from typing import Any

import databases
import pytest
from houses import ANA, JONAS, MIRA, YES, OpenHouse, TestHouse

from callboard.portability import export_customer
from graphs.errors import Forgotten
from graphs.results import InboundMessage
from memory import approvals, audit, conversations, erasure
from memory.errors import ApprovalNotFound, ErasureHeld
from memory.rows import Row
from memory.signing import is_genuine
from policies.words import ConversationId, CustomerId

MIRA_ID, JONAS_ID = CustomerId("C-1001"), CustomerId("C-1002")
WORD = "Zimtschnecke"
C1 = ConversationId("c1")


def traces(house: TestHouse, *words: str) -> list[str]:
    """Files of ours in which one of the words stands, as written or as programs write it. The shop's are its own.

    On Postgres, whose files are its own too: tables with a row in which one stands.
    """
    if url := house.runtime.settings.postgres_url:
        return [name for name, rows in databases.rows_of(url).items() if any(word in rows for word in words)]
    directory = house.directory
    wanted = []
    for word in words:
        raw = word.encode()
        wanted += [raw, word.encode("utf-16-le"), word.encode("utf-16-be")]
        # The inner characters of base64 whatever stands before the word.
        wanted += [part for shift in range(3) if len(part := base64.b64encode(b"\0" * shift + raw)[4:-4]) > 5]
    return [
        file.relative_to(directory).as_posix()
        for file in sorted(directory.rglob("*"))
        if file.is_file() and "systems" not in file.relative_to(directory).parts
        if any(one in file.read_bytes() for one in wanted)
    ]


async def erase(house: TestHouse, customer: CustomerId = MIRA_ID, *, now: bool = False) -> erasure.Erasure:
    return await house.runtime.forgetting.erase(customer, by="dora", role="admin", reason="requested", now=now)


async def test_p8_every_table_is_either_nobodys_or_found_by_whose_it_is() -> None:
    """A table that is added must say which: what an erasure can't find would stay."""
    for table in Row.metadata.sorted_tables:
        found = any(name in table.c for name in erasure._HANGS_ON) or table.name == "conversations"
        assert found != (table.name in erasure.NOBODYS - {"audit"}), table.name


async def test_p8_an_erased_customer_is_out_of_every_record_and_another_one_is_not(house: TestHouse) -> None:
    await house.ask_refund()
    await house.say("Where is my order 20731?", conversation="c2")
    await house.say(JONAS, conversation="c2")
    approval = await house.only_pending()
    done = await erase(house)
    assert done.removed["timeline"] > 0
    assert await house.read(lambda unit: conversations.get(unit, conversation_id=C1)) is None
    assert await house.pending() == []
    with pytest.raises(ApprovalNotFound):
        await house.runtime.runner.decide(approval.id, YES, ANA)
    assert house.records.amounts("20418") == []
    assert len(await house.texts("c2")) == 2
    report = await house.read(audit.verify)
    assert (report.ok, report.unreadable > 0) == (True, True)


async def test_p8_after_the_purge_no_byte_is_left_and_a_signed_receipt_says_what_was_removed(
    open_house: OpenHouse,
) -> None:
    house = await open_house()
    telephone = ConversationId(f"tel-{WORD}")
    await house.say(f"I want a refund for order 20418, my {WORD} is broken", conversation=telephone, message_id=WORD)
    await house.say(MIRA, conversation=telephone)
    await house.say("yes", conversation=telephone)
    (approval,) = await house.pending()
    await house.runtime.runner.decide(approval.id, YES, ANA)
    await house.settle(telephone)
    await house.say("And where is order 21240?", conversation=telephone)
    assert traces(house, WORD) != []
    done = await erase(house, now=True)
    assert traces(house, WORD, "mira.okafor", MIRA_ID, "Okafor", "Kastanienallee") == []
    assert done.purged_at is not None
    assert done.receipt is not None
    assert is_genuine(done.receipt)
    statement = dict(done.receipt["statement"])  # type: ignore[arg-type, call-overload]  # plain JSON
    assert set(statement["stores"]) == {"records", "checkpoints", "index"}
    assert not is_genuine({**done.receipt, "statement": {**statement, "removed": {}}})
    assert (await house.read(audit.verify)).ok
    await house.close()
    assert traces(house, WORD, "mira.okafor", MIRA_ID, "Okafor", "Kastanienallee") == []


async def test_p8_what_an_erasure_leaves_in_files_goes_by_its_deadline(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.ask_refund()
    done = await erase(house)
    assert await house.runtime.forgetting.purge_due() == []
    house.clock.forward(hours=25)
    (purged,) = await house.runtime.forgetting.purge_due()
    assert (purged.id, purged.purged_at) == (done.id, house.clock.now)


async def test_p8_a_turn_that_runs_is_ended_and_whoever_waits_for_it_is_told(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await open_house()
    await house.say("I want a refund for order 20418")
    await house.say(MIRA)
    begun = asyncio.Event()
    told = house.runtime.runner._tell

    def tell(*args: Any) -> None:
        begun.set()
        told(*args)

    monkeypatch.setattr(house.runtime.runner, "_tell", tell)
    running = asyncio.create_task(house.runtime.runner.handle(InboundMessage(C1, "late", "yes")))
    await begun.wait()
    await erase(house)
    with pytest.raises(Forgotten):
        await running
    assert await house.read(lambda unit: conversations.get(unit, conversation_id=C1)) is None
    assert (await house.read(audit.verify)).ok


async def test_p8_an_erased_customer_who_comes_back_begins_anew(house: TestHouse) -> None:
    await house.ask_refund()
    await erase(house, now=True)
    await house.say("Where is my order 21240?")
    result = await house.say(MIRA)
    assert "21240" in result.reply
    exported = await house.read(lambda unit: export_customer(unit, customer_id=MIRA_ID, now=house.clock.now))
    assert [len(one["messages"]) for one in exported["conversations"]] == [4]


async def test_p8_a_legal_hold_forbids_an_erasure_on_the_record(house: TestHouse) -> None:
    await house.ask_refund()
    hold = await house.runtime.store.write(
        lambda unit: erasure.hold(
            unit, hold_id="hold-1", customer_id=MIRA_ID, by="lee", reference="Case 7/26", now=house.clock.now
        )
    )
    with pytest.raises(ErasureHeld):
        await erase(house)
    assert len(await house.pending()) == 1
    await house.runtime.store.write(lambda unit: erasure.release(unit, hold_id=hold.id, by="lee", now=house.clock.now))
    await erase(house)
    told = await house.read(lambda unit: [one.kind for one in audit.of_system(unit, chain=erasure.CHAIN)])
    assert told == ["held", "erasure_held", "released", "erased"]


async def test_p8_a_person_gets_their_data_in_readable_form(house: TestHouse) -> None:
    await house.ask_refund()
    await house.say("Where is my order 20731?", conversation="c2")
    await house.say(JONAS, conversation="c2")
    exported = await house.read(lambda unit: export_customer(unit, customer_id=MIRA_ID, now=house.clock.now))
    assert [one["conversation_id"] for one in exported["conversations"]] == ["c1"]
    assert "I want a refund for order 20418" in exported["conversations"][0]["messages"][0]["text"]
    assert [one["journey"] for one in exported["cases"]] == ["refund"]
    assert "Lindqvist" not in str(exported)
    assert len(await house.read(lambda unit: approvals.listing(unit))) == 1
