"""Who may call, which playbook is in force, and what customers consented to."""

from datetime import datetime

import pytest

from memory import api_keys, customers, snapshots
from memory.customers import ANY
from memory.errors import RecordNotFound
from memory.store import Store, Unit
from policies.words import ConversationId, CustomerId

ANNA, BEN = CustomerId("anna"), CustomerId("ben")


async def test_a_key_is_found_until_it_is_revoked_and_stands_nowhere(store: Store, now: datetime) -> None:
    key = "cb_" + "k" * 43
    created = await store.write(
        lambda unit: api_keys.create(
            unit, name="rita", role="reviewer", key=key, limits={"EUR": 20_000}, demo=True, now=now
        )
    )
    assert key not in repr(created)
    found = await store.read(lambda unit: api_keys.find(unit, key=key))
    assert found == created
    assert (found.role, found.limits, found.demo) == ("reviewer", {"EUR": 20_000}, True)
    assert await store.read(lambda unit: api_keys.find(unit, key=key + "x")) is None
    await store.write(lambda unit: api_keys.revoke(unit, key_id=created.id, now=now))
    assert await store.read(lambda unit: api_keys.find(unit, key=key)) is None
    (listed,) = await store.read(api_keys.listing)
    assert listed.revoked_at == now
    with pytest.raises(RecordNotFound):
        await store.write(lambda unit: api_keys.revoke(unit, key_id="key_none", now=now))


async def test_no_limits_and_no_allowance_are_different_things(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> None:
        api_keys.create(unit, name="all", role="admin", key="a" * 43, limits=None, demo=False, now=now)
        api_keys.create(unit, name="none", role="reviewer", key="b" * 43, limits={}, demo=False, now=now)

    await store.write(work)
    assert {key.name: key.limits for key in await store.read(api_keys.listing)} == {"all": None, "none": {}}


async def test_one_snapshot_of_a_playbook_is_in_force(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> None:
        for digest in ("h1", "h2"):
            snapshots.save(unit, hash=digest, name="retail", content={"playbook.yaml": digest}, now=now)
        snapshots.save(unit, hash="h3", name="travel", content={}, now=now)
        snapshots.activate(unit, hash="h3", now=now)
        snapshots.activate(unit, hash="h1", now=now)
        snapshots.activate(unit, hash="h2", now=now)

    await store.write(work)
    active = await store.read(lambda unit: snapshots.active(unit, name="retail"))
    assert active is not None
    assert (active.hash, active.content, active.activated_at) == ("h2", {"playbook.yaml": "h2"}, now)
    other = await store.read(lambda unit: snapshots.active(unit, name="travel"))
    assert other is not None
    assert other.hash == "h3"
    first = await store.read(lambda unit: snapshots.get(unit, hash="h1"))
    assert first is not None
    assert not first.is_active
    with pytest.raises(RecordNotFound):
        await store.write(lambda unit: snapshots.activate(unit, hash="h9", now=now))


async def test_p8_an_opt_out_holds_from_the_next_query_of_the_same_transaction(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> tuple[bool, bool]:
        before = customers.suppressed(unit, customer_id=ANNA, purpose="marketing")
        customers.opt_out(unit, customer_id=ANNA, purpose="marketing", evidence={"text": "stop"}, at=now)
        return before, customers.suppressed(unit, customer_id=ANNA, purpose="marketing")

    assert await store.write(work) == (False, True)
    assert not await store.read(lambda unit: customers.suppressed(unit, customer_id=ANNA, purpose="service"))
    assert not await store.read(lambda unit: customers.suppressed(unit, customer_id=BEN, purpose="marketing"))


@pytest.mark.parametrize(
    ("words", "sms", "email", "somewhere"),
    [
        ([("marketing", "sms", False)], True, False, True),
        ([("marketing", ANY, False)], True, True, True),
        ([("marketing", ANY, False), ("marketing", "email", True)], True, False, True),
        ([("marketing", "sms", False), ("marketing", ANY, True)], False, False, False),
        ([(ANY, ANY, False)], True, True, True),
        ([("service", ANY, False)], False, False, False),
    ],
)
async def test_the_latest_word_on_a_channel_counts(
    store: Store, now: datetime, words: list[tuple[str, str, bool]], sms: bool, email: bool, somewhere: bool
) -> None:
    def work(unit: Unit) -> tuple[bool, bool, bool]:
        for purpose, channel, granted in words:
            customers.record_consent(
                unit, customer_id=ANNA, purpose=purpose, channel=channel, granted=granted, evidence={}, at=now
            )
        return (
            customers.suppressed(unit, customer_id=ANNA, purpose="marketing", channel="sms"),
            customers.suppressed(unit, customer_id=ANNA, purpose="marketing", channel="email"),
            customers.suppressed(unit, customer_id=ANNA, purpose="marketing"),
        )

    assert await store.write(work) == (sms, email, somewhere)
    said = await store.read(lambda unit: customers.consents(unit, customer_id=ANNA))
    assert [(consent.purpose, consent.channel, consent.granted) for consent in said] == words


async def test_a_conversation_is_linked_once(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> list[ConversationId]:
        for name in ("c1", "c2", "c1"):
            customers.link(unit, customer_id=ANNA, conversation_id=ConversationId(name), now=now)
        return customers.conversations_of(unit, customer_id=ANNA)

    assert await store.write(work) == ["c1", "c2"]
