"""What every store promises, on each backend; what only overlapping transactions can get wrong is in test_races.py."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path

import pytest

from memory import conversations, snapshots
from memory.errors import FencedOut, StoreClosed, WrongMasterKey
from memory.postgres_store import PostgresStore
from memory.sqlite_store import SqliteStore
from memory.store import Fence, Store, Unit
from policies.words import ConversationId

C1 = ConversationId("c1")
OpenStore = Callable[[bytes], Awaitable[Store]]


@pytest.fixture
async def open_store(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Opens the same records again and again; closes what is left open."""
    url = request.getfixturevalue("postgres") if backend == "postgres" else ""
    opened: list[Store] = []

    async def open_one(master_key: bytes) -> Store:
        if url:
            opened.append(await PostgresStore.open(url, master_key=master_key))
        else:
            opened.append(await SqliteStore.open(tmp_path / "again", master_key=master_key))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


def _save(unit: Unit, name: str, now: datetime) -> str:
    return snapshots.save(unit, hash=name, name="retail", content={}, now=now).hash


async def _is_saved(store: Store, name: str) -> bool:
    return await store.read(lambda unit: snapshots.get(unit, hash=name)) is not None


async def test_what_was_acknowledged_is_seen_by_the_next_read(store: Store, now: datetime) -> None:
    for number in range(20):
        assert await store.write(lambda unit, n=number: _save(unit, f"s{n}", now)) == f"s{number}"
        assert await _is_saved(store, f"s{number}")


async def test_a_write_that_fails_rolls_back_alone(store: Store, now: datetime) -> None:
    def fails(unit: Unit) -> None:
        _save(unit, "half", now)
        raise LookupError("no")

    results = await asyncio.gather(
        store.write(lambda unit: _save(unit, "before", now)),
        store.write(fails),
        store.write(lambda unit: _save(unit, "after", now)),
        return_exceptions=True,
    )
    assert results[0] == "before"
    assert isinstance(results[1], LookupError)
    assert results[2] == "after"
    assert [await _is_saved(store, name) for name in ("before", "half", "after")] == [True, False, True]


async def test_a_failed_statement_leaves_the_writes_beside_it_alone(store: Store, now: datetime) -> None:
    def twice(unit: Unit) -> None:
        table = snapshots.SnapshotRow.metadata.tables["snapshots"]
        values = {"hash": "x", "kind": "playbook", "name": "n", "content": {}, "saved_at": now, "is_active": False}
        unit.run(table.insert().values(**values))
        unit.run(table.insert().values(**values))

    results = await asyncio.gather(
        store.write(twice), store.write(lambda unit: _save(unit, "good", now)), return_exceptions=True
    )
    assert isinstance(results[0], Exception)
    assert results[1] == "good"
    assert not await _is_saved(store, "x")


async def test_a_write_that_runs_out_of_items_still_answers_its_caller(store: Store) -> None:
    with pytest.raises(RuntimeError, match="ran out"):
        await store.write(lambda unit: next(iter([])))
    assert await store.write(lambda unit: "alive") == "alive"


async def test_a_cancelled_caller_does_not_undo_the_write(open_store: OpenStore, now: datetime) -> None:
    store = await open_store(b"1" * 32)
    waiting = asyncio.create_task(store.write(lambda unit: _save(unit, "cancelled", now)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await store.close()
    assert await _is_saved(await open_store(b"1" * 32), "cancelled")


async def test_a_read_can_write_nothing(store: Store, now: datetime) -> None:
    with pytest.raises(Exception, match=r"readonly|read-only|refused"):
        await store.read(lambda unit: _save(unit, "sneaked", now))
    assert not await _is_saved(store, "sneaked")


async def test_a_write_of_an_earlier_epoch_is_fenced_out(store: Store, now: datetime) -> None:
    await store.write(lambda unit: conversations.ensure(unit, conversation_id=C1, channel="chat", now=now))
    mine = Fence(C1, await store.write(lambda unit: conversations.advance_epoch(unit, conversation_id=C1)))
    assert await store.write(lambda unit: _save(unit, "first", now), fence=mine) == "first"
    theirs = Fence(C1, await store.write(lambda unit: conversations.advance_epoch(unit, conversation_id=C1)))
    with pytest.raises(FencedOut):
        await store.write(lambda unit: _save(unit, "late", now), fence=mine)
    assert await store.write(lambda unit: _save(unit, "second", now), fence=theirs) == "second"
    assert not await _is_saved(store, "late")


async def test_closing_finishes_what_was_handed_in_and_refuses_what_comes_later(
    open_store: OpenStore, now: datetime
) -> None:
    store = await open_store(b"1" * 32)
    handed_in = [asyncio.create_task(store.write(lambda unit, n=n: _save(unit, f"s{n}", now))) for n in range(100)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*handed_in) == [f"s{n}" for n in range(100)]
    with pytest.raises(StoreClosed):
        await store.write(lambda unit: None)
    with pytest.raises(StoreClosed):
        await store.read(lambda unit: None)
    assert await _is_saved(await open_store(b"1" * 32), "s99")


async def test_another_master_key_is_refused_and_the_right_one_opens(open_store: OpenStore) -> None:
    await (await open_store(b"1" * 32)).close()
    with pytest.raises(WrongMasterKey):
        await open_store(b"2" * 32)
    await open_store(b"1" * 32)
