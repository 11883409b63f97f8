"""The store keeps what it acknowledged, shares commits, and lets nobody in who shouldn't be."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from datetime import datetime
from pathlib import Path

import pytest

from memory import conversations, inbox, snapshots
from memory.errors import DataDirectoryHeld, FencedOut, StoreClosed, StoreUnavailable, WrongMasterKey
from memory.sqlite_store import SqliteStore
from memory.store import Fence, Unit
from policies.words import ConversationId

C1 = ConversationId("c1")


def _save(unit: Unit, name: str, now: datetime) -> str:
    return snapshots.save(unit, hash=name, name="retail", content={}, now=now).hash


async def test_a_hundred_concurrent_writes_share_few_commits(store: SqliteStore, now: datetime) -> None:
    before = store.commits
    names = [f"s{number}" for number in range(100)]
    written = await asyncio.gather(*(store.write(lambda unit, name=name: _save(unit, name, now)) for name in names))
    assert written == names
    assert store.commits - before <= 10
    for name in names:
        assert await store.read(lambda unit, name=name: snapshots.get(unit, hash=name)) is not None


async def test_a_write_that_fails_rolls_back_alone(store: SqliteStore, now: datetime) -> None:
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
    assert await store.read(lambda unit: snapshots.get(unit, hash="half")) is None
    assert await store.read(lambda unit: snapshots.get(unit, hash="before")) is not None
    assert await store.read(lambda unit: snapshots.get(unit, hash="after")) is not None


async def test_a_failed_statement_leaves_the_writes_beside_it_alone(store: SqliteStore, now: datetime) -> None:
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
    assert await store.read(lambda unit: snapshots.get(unit, hash="x")) is None
    assert await store.read(lambda unit: snapshots.get(unit, hash="good")) is not None


async def test_a_write_that_runs_out_of_items_still_answers_its_caller(store: SqliteStore) -> None:
    with pytest.raises(RuntimeError, match="ran out"):
        await store.write(lambda unit: next(iter([])))
    assert await store.write(lambda unit: "alive") == "alive"


async def test_a_write_is_on_disk_when_it_is_acknowledged(store: SqliteStore, tmp_path: Path, now: datetime) -> None:
    await store.write(lambda unit: _save(unit, "kept", now))
    other = sqlite3.connect(tmp_path / "data" / "callboard.db")
    try:
        assert other.execute("select count(*) from snapshots where hash = 'kept'").fetchone() == (1,)
    finally:
        other.close()


async def test_a_cancelled_caller_does_not_undo_the_write(store: SqliteStore, now: datetime) -> None:
    waiting = asyncio.create_task(store.write(lambda unit: _save(unit, "cancelled", now)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await store.write(lambda unit: None)
    assert await store.read(lambda unit: snapshots.get(unit, hash="cancelled")) is not None


async def test_a_read_can_write_nothing(store: SqliteStore, now: datetime) -> None:
    with pytest.raises(Exception, match="readonly"):
        await store.read(lambda unit: _save(unit, "sneaked", now))
    assert await store.read(lambda unit: snapshots.get(unit, hash="sneaked")) is None


async def test_a_write_of_an_earlier_epoch_is_fenced_out(store: SqliteStore, now: datetime) -> None:
    await store.write(lambda unit: conversations.ensure(unit, conversation_id=C1, channel="chat", now=now))
    mine = Fence(C1, await store.write(lambda unit: conversations.advance_epoch(unit, conversation_id=C1)))
    assert await store.write(lambda unit: _save(unit, "first", now), fence=mine) == "first"
    theirs = Fence(C1, await store.write(lambda unit: conversations.advance_epoch(unit, conversation_id=C1)))
    with pytest.raises(FencedOut):
        await store.write(lambda unit: _save(unit, "late", now), fence=mine)
    assert await store.write(lambda unit: _save(unit, "second", now), fence=theirs) == "second"
    assert await store.read(lambda unit: snapshots.get(unit, hash="late")) is None


async def test_a_group_that_the_database_refuses_is_reported_to_every_caller(store: SqliteStore, now: datetime) -> None:
    def breaks_the_transaction(unit: Unit) -> None:
        _save(unit, "lost", now)
        unit.connection.exec_driver_sql("ROLLBACK")

    results = await asyncio.gather(store.write(breaks_the_transaction), return_exceptions=True)
    assert isinstance(results[0], StoreUnavailable)
    assert await store.write(lambda unit: _save(unit, "next", now)) == "next"
    assert await store.read(lambda unit: snapshots.get(unit, hash="lost")) is None


async def test_closing_finishes_what_was_handed_in_and_refuses_what_comes_later(tmp_path: Path, now: datetime) -> None:
    store = await SqliteStore.open(tmp_path / "d")
    handed_in = [asyncio.create_task(store.write(lambda unit, n=n: _save(unit, f"s{n}", now))) for n in range(300)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*handed_in) == [f"s{n}" for n in range(300)]
    with pytest.raises(StoreClosed):
        await store.write(lambda unit: None)
    with pytest.raises(StoreClosed):
        await store.read(lambda unit: None)
    again = await SqliteStore.open(tmp_path / "d")
    assert await again.read(lambda unit: snapshots.get(unit, hash="s299")) is not None
    await again.close()


async def test_the_data_directory_is_held_by_one_and_says_where_to_reach_it(store: SqliteStore, tmp_path: Path) -> None:
    store.announce("http://127.0.0.1:8080")
    with pytest.raises(DataDirectoryHeld) as held:
        await SqliteStore.open(tmp_path / "data")
    assert held.value.pid == os.getpid()
    assert held.value.url == "http://127.0.0.1:8080"
    assert "http://127.0.0.1:8080" in str(held.value)


async def test_directory_key_and_lock_are_private(store: SqliteStore, tmp_path: Path) -> None:
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "master.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data" / "lock").stat().st_mode & 0o777 == 0o600


async def test_another_master_key_is_refused_and_the_right_one_opens(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "d", master_key=b"1" * 32)
    await store.close()
    assert not (tmp_path / "d" / "master.key").exists()
    with pytest.raises(WrongMasterKey):
        await SqliteStore.open(tmp_path / "d", master_key=b"2" * 32)
    store = await SqliteStore.open(tmp_path / "d", master_key=b"1" * 32)
    await store.close()


_CHILD = textwrap.dedent("""
    import asyncio, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from memory import inbox
    from memory.sqlite_store import SqliteStore

    async def main():
        store = await SqliteStore.open(Path(sys.argv[1]))
        for number in range(20):
            now = datetime.now(UTC)
            await store.write(lambda unit: inbox.put_message(
                unit, conversation_id="c1", message_id=f"m{number}", text="hello", channel="chat", now=now))
            print(number, flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
""")


def _kill_once_it_acknowledged_twenty(directory: Path) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen([sys.executable, "-c", _CHILD, str(directory)], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    with process.stdout:
        acknowledged = [process.stdout.readline().decode().strip() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        process.wait()
    return acknowledged


async def test_p2_what_was_acknowledged_survives_a_killed_process(tmp_path: Path) -> None:
    acknowledged = _kill_once_it_acknowledged_twenty(tmp_path / "d")
    assert acknowledged == [str(number) for number in range(20)]
    store = await SqliteStore.open(tmp_path / "d")
    keys = [f"m{number}" for number in range(20)]
    found = await store.read(
        lambda unit: [inbox.by_key(unit, conversation_id=C1, kind="message", dedupe_key=key) for key in keys]
    )
    assert all(item is not None and item.body["text"] == "hello" for item in found)
    await store.close()
