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

from memory import inbox, snapshots
from memory.errors import DataDirectoryHeld, StoreUnavailable
from memory.sqlite_store import SqliteStore
from memory.store import Unit
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


async def test_a_write_is_on_disk_when_it_is_acknowledged(store: SqliteStore, tmp_path: Path, now: datetime) -> None:
    await store.write(lambda unit: _save(unit, "kept", now))
    other = sqlite3.connect(tmp_path / "data" / "callboard.db")
    try:
        assert other.execute("select count(*) from snapshots where hash = 'kept'").fetchone() == (1,)
    finally:
        other.close()


async def test_a_group_that_the_database_refuses_is_reported_to_every_caller(store: SqliteStore, now: datetime) -> None:
    def breaks_the_transaction(unit: Unit) -> None:
        _save(unit, "lost", now)
        unit.connection.exec_driver_sql("ROLLBACK")

    results = await asyncio.gather(store.write(breaks_the_transaction), return_exceptions=True)
    assert isinstance(results[0], StoreUnavailable)
    assert await store.write(lambda unit: _save(unit, "next", now)) == "next"
    assert await store.read(lambda unit: snapshots.get(unit, hash="lost")) is None


async def test_the_data_directory_is_held_by_one_and_says_where_to_reach_it(store: SqliteStore, tmp_path: Path) -> None:
    store.announce("http://127.0.0.1:8080")
    with pytest.raises(DataDirectoryHeld) as held:
        await SqliteStore.open(tmp_path / "data")
    assert held.value.pid == os.getpid()
    assert held.value.url == "http://127.0.0.1:8080"
    assert "http://127.0.0.1:8080" in str(held.value)


async def test_a_master_key_that_is_given_is_not_written_down(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "d", master_key=b"1" * 32)
    await store.close()
    assert not (tmp_path / "d" / "master.key").exists()


async def test_directory_key_and_lock_are_private(store: SqliteStore, tmp_path: Path) -> None:
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "master.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data" / "lock").stat().st_mode & 0o777 == 0o600


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
