"""What customers say is sealed, opens only where it belongs, and is gone with its key."""

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from memory import cases, conversations, customers, evidence, inbox, outbox, timeline
from memory.errors import CustomerConflict, KeyGone, SealBroken
from memory.sqlite_store import SqliteStore
from memory.store import Store, Unit
from memory.vault import conversation_key, customer_key
from policies.words import CaseId, ConversationId, CustomerId, EvidenceId, TurnId

C1, C2 = ConversationId("c1"), ConversationId("c2")
ANNA, BEN = CustomerId("anna"), CustomerId("ben")


async def test_what_was_sealed_opens_again_in_its_place_only(store: Store) -> None:
    owner = conversation_key(C1)
    sealed = await store.write(lambda unit: unit.vault.seal(owner, "notes:1", {"text": "hello \ud83d"}))
    assert await store.read(lambda unit: unit.vault.unseal(owner, "notes:1", sealed)) == {"text": "hello \ud83d"}
    with pytest.raises(SealBroken):
        await store.read(lambda unit: unit.vault.unseal(owner, "notes:2", sealed))
    with pytest.raises(SealBroken):
        await store.read(lambda unit: unit.vault.unseal(owner, "notes:1", sealed[:-1] + bytes([sealed[-1] ^ 1])))


async def test_keyed_digests_differ_between_conversations(store: Store) -> None:
    first = await store.write(lambda unit: unit.vault.mac(conversation_key(C1), b"yes"))
    again = await store.write(lambda unit: unit.vault.mac(conversation_key(C1), b"yes"))
    other = await store.write(lambda unit: unit.vault.mac(conversation_key(C2), b"yes"))
    assert first == again != other


async def test_p8_with_a_customers_key_all_their_conversations_are_gone(store: Store, now: datetime) -> None:
    def talk(unit: Unit) -> None:
        for conversation_id in (C1, C2):
            conversations.ensure(unit, conversation_id=conversation_id, channel="chat", now=now, customer_hint="a@b.c")
        conversations.bind(unit, conversation_id=C1, customer_id=ANNA, assurance=2, now=now)

    await store.write(talk)
    await store.write(lambda unit: unit.vault.destroy(customer_key(ANNA)))
    with pytest.raises(KeyGone):
        await store.read(lambda unit: conversations.get(unit, conversation_id=C1))
    sealed = await store.write(lambda unit: unit.vault.seal(conversation_key(C1), "x", "a new key"))
    assert await store.read(lambda unit: unit.vault.unseal(conversation_key(C1), "x", sealed)) == "a new key"
    kept = await store.read(lambda unit: conversations.get(unit, conversation_id=C2))
    assert kept is not None
    assert kept.customer_hint == "a@b.c"


async def test_p8_a_destroyed_key_is_gone_for_the_next_write(store: Store) -> None:
    owner = conversation_key(C1)
    sealed = await store.write(lambda unit: unit.vault.seal(owner, "x", "words"))
    await store.write(lambda unit: unit.vault.destroy(owner))
    with pytest.raises(KeyGone):
        await store.write(lambda unit: unit.vault.unseal(owner, "x", sealed))


async def test_p8_the_rows_of_keys_name_nobody(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "d")
    telephone = ConversationId("+4915112345678")
    await store.write(lambda unit: unit.vault.link(conversation_id=telephone, customer_id=CustomerId("C-Zimtschnecke")))
    await store.close()
    stored = (tmp_path / "d" / "callboard.db").read_bytes()
    assert b"4915112345678" not in stored
    assert b"Zimtschnecke" not in stored


async def test_a_key_that_was_rolled_back_is_never_used(store: Store) -> None:
    owner = conversation_key(C1)

    def fails(unit: Unit) -> None:
        unit.vault.seal(owner, "x", "lost")
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(fails)
    sealed = await store.write(lambda unit: unit.vault.seal(owner, "x", "kept"))
    stored = await store.read(lambda unit: unit.value(text("select count(*) from keys where owner <> 'system'")))
    assert stored == 1
    assert await store.read(lambda unit: unit.vault.unseal(owner, "x", sealed)) == "kept"


async def test_keys_survive_a_restart(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "d")
    sealed = await store.write(lambda unit: unit.vault.seal(conversation_key(C1), "x", "words"))
    await store.write(lambda unit: unit.vault.link(conversation_id=C1, customer_id=ANNA))
    await store.close()
    store = await SqliteStore.open(tmp_path / "d")
    assert await store.read(lambda unit: unit.vault.unseal(conversation_key(C1), "x", sealed)) == "words"
    await store.close()


async def test_p7_a_conversation_hangs_on_one_customers_key(store: Store) -> None:
    await store.write(lambda unit: unit.vault.link(conversation_id=C1, customer_id=ANNA))
    await store.write(lambda unit: unit.vault.link(conversation_id=C1, customer_id=ANNA))
    with pytest.raises(CustomerConflict):
        await store.write(lambda unit: unit.vault.link(conversation_id=C1, customer_id=BEN))


async def test_p8_no_words_of_a_customer_are_in_the_files(tmp_path: Path, now: datetime) -> None:
    secret = "Zimtschnecke-4711"
    store = await SqliteStore.open(tmp_path / "d")

    def talk(unit: Unit) -> None:
        inbox.put_message(
            unit, conversation_id=C1, message_id="m1", text=secret, channel="chat", customer_hint=secret, now=now
        )
        cases.open_case(unit, case_id=CaseId("k1"), conversation_id=C1, now=now, plan={"note": secret})
        timeline.append(unit, conversation_id=C1, kind="message_in", author="customer", body={"text": secret}, at=now)
        outbox.put(unit, conversation_id=C1, turn_id=TurnId("t1"), part=0, text=secret, place=1, now=now)
        evidence.add(
            unit,
            evidence_id=EvidenceId("e1"),
            case_id=CaseId("k1"),
            conversation_id=C1,
            kind="customer",
            name="email",
            value=secret,
            source="m1",
            trust=1,
            at=now,
        )
        customers.opt_out(unit, customer_id=ANNA, evidence={"text": secret}, at=now)

    await store.write(talk)
    while_open = b"".join(file.read_bytes() for file in (tmp_path / "d").iterdir())
    await store.close()
    after = b"".join(file.read_bytes() for file in (tmp_path / "d").iterdir())
    assert len(while_open) > 10_000
    assert secret.encode() not in while_open
    assert secret.encode() not in after
