"""The store on SQLite: one writer, grouped commits, reads beside it."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from memory import migrating
from memory.data_directory import DataDirectory
from memory.errors import StoreClosed, StoreUnavailable
from memory.store import Fence, check_fence
from memory.unit import Unit
from memory.vault import KeyCache, Vault

T = TypeVar("T")

SYNCHRONOUS: ContextVar[Literal["FULL", "NORMAL", "OFF"]] = ContextVar("callboard_synchronous", default="FULL")
"""When SQLite waits for the disk. For measurements only: with less than FULL a power cut may take back what was
acknowledged, and an effect that was made may be forgotten (P2)."""

_GROUP = 256
"""How many waiting writes share a commit at most; bounds how long the first of them waits."""


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    work: Callable[[Unit], T]
    fence: Fence | None
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[T]"


@dataclass(frozen=True, slots=True)
class _Compaction:
    """A job of its own, outside of any transaction."""

    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[None]"


@dataclass(frozen=True, slots=True)
class _Outcome:
    job: _Job[Any]
    vault: Vault | None
    """None where the work failed: what it learned of keys may have been rolled back."""
    value: Any
    error: BaseException | None


class SqliteStore:
    """Callboard's records in one SQLite file of a data directory that this process holds.

    Writes run in one thread, in a transaction that each may share with others that wait: each has its savepoint, so
    that one that fails takes nothing else along.
    """

    def __init__(self, directory: DataDirectory, keys: KeyCache) -> None:
        self._directory = directory
        self._keys = keys
        self._writer = _engine(directory.path)
        self._reader = _engine(directory.path, read_only=True)
        self._jobs: queue.SimpleQueue[_Job[Any] | _Compaction | None] = queue.SimpleQueue()
        self._put_back: list[_Compaction | None] = []
        """What the writer took from the queue behind a batch."""
        self._gate = threading.Lock()
        self._read_lock = threading.Lock()
        self._is_closed = False
        self.commits = 0
        """How many transactions were committed; with the number of writes, how well commits are shared."""
        with self._writer.connect() as connection, _transaction(connection, "BEGIN IMMEDIATE"):
            migrating.prepare(connection)
            Vault(connection, keys).check_master()
        self._reading = self._reader.connect()
        self._reading.begin()
        self._thread = threading.Thread(target=self._serve_writes, name="callboard-writer", daemon=True)
        self._thread.start()

    @classmethod
    async def open(cls, data_dir: Path, *, master_key: bytes | None = None) -> "SqliteStore":
        """Open the data directory, made if it isn't there.

        Args:
            data_dir: Its path; becomes private to this user.
            master_key: 32 bytes kept elsewhere; without it the directory's own `master.key` is used.

        Raises:
            DataDirectoryHeld: Another process works on it.
            WrongMasterKey: It was made with another key.
        """

        def start() -> SqliteStore:
            directory = DataDirectory.hold(data_dir)
            try:
                return cls(directory, KeyCache(master_key or directory.master_key()))
            except BaseException:
                directory.release()
                raise

        return await asyncio.to_thread(start)

    def announce(self, url: str) -> None:
        """Tell processes that find the directory held where to reach this one."""
        self._directory.announce(url)

    async def write(self, work: Callable[[Unit], T], *, fence: Fence | None = None) -> T:
        """As `Store.write`; `StoreUnavailable` means that the database refused the whole group."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._gate:
            if self._is_closed:
                raise StoreClosed
            self._jobs.put(_Job(work, fence, loop, future))
        return await future

    async def read(self, work: Callable[[Unit], T]) -> T:
        """As `Store.read`.

        Reads run on the caller's thread: they are shorter than the way to another one. Keep them so, with limits.
        """
        with self._read_lock:
            if self._is_closed:
                raise StoreClosed
            vault = Vault(self._reading, self._keys)
            unit = Unit(self._reading, vault)
            driver = _driver(self._reading)
            driver.execute("BEGIN")
            try:
                value = work(unit)
            finally:
                driver.execute("ROLLBACK")
            vault.settle()
            return value

    async def compact(self) -> None:
        """As `Store.compact`: freed space is overwritten as it is freed, so that only the log is to be cut."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._gate:
            if self._is_closed:
                raise StoreClosed
            self._jobs.put(_Compaction(loop, future))
        await future

    async def close(self) -> None:
        """Finish the writes handed in, fold the log into the database, and let go of the directory."""
        with self._gate:
            if self._is_closed:
                return
            self._is_closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        with self._read_lock:
            self._reading.close()
        self._reader.dispose()
        with self._writer.connect() as connection:
            connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._writer.dispose()
        self._directory.release()

    def _serve_writes(self) -> None:
        with self._writer.connect() as connection:
            while (work := self._next_work()) is not None:
                if isinstance(work, _Compaction):
                    _tell_compacted(work, self._cut_log(connection))
                else:
                    _resolve(self._commit(connection, work))

    def _next_work(self) -> list[_Job[Any]] | _Compaction | None:
        """Whatever waits, at least one; None when the store closes and nothing is left."""
        job = self._put_back.pop() if self._put_back else self._jobs.get()
        if job is None or isinstance(job, _Compaction):
            return job
        batch = [job]
        while len(batch) < _GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None or isinstance(job, _Compaction):
                self._put_back.append(job)
                break
            batch.append(job)
        return batch

    def _cut_log(self, connection: Connection) -> bool:
        """Whether the log could be folded into the database and cut, which needs that nobody reads it."""
        with self._read_lock:
            busy: int = _driver(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def _commit(self, connection: Connection, batch: list[_Job[Any]]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        try:
            with _transaction(connection, "BEGIN IMMEDIATE"):
                if len(batch) == 1:
                    outcomes.append(self._attempt(connection, batch[0]))
                else:
                    outcomes.extend(self._attempt_beside(connection, job) for job in batch)
        except _RolledBack as alone:
            return [_Outcome(batch[0], None, None, alone.carried)]
        except Exception as error:
            # Whatever it was, the transaction is rolled back, and every caller of this group must hear of it.
            failure = StoreUnavailable()
            failure.__cause__ = error
            return [_Outcome(job, None, None, failure) for job in batch]
        self.commits += 1
        for outcome in outcomes:
            if outcome.vault is not None:
                outcome.vault.settle()
        return outcomes

    def _attempt(self, connection: Connection, job: _Job[Any]) -> _Outcome:
        """Run one write that has the transaction to itself."""
        try:
            return self._run(connection, job)
        except BaseException as error:
            if not _driver(connection).in_transaction:
                # SQLite gave the whole transaction up: no disk, no space.
                raise
            raise _RolledBack(_carried(error)) from error

    def _attempt_beside(self, connection: Connection, job: _Job[Any]) -> _Outcome:
        """Run one write in its savepoint. An error that the savepoint can't contain ends the whole group."""
        driver = _driver(connection)
        driver.execute("SAVEPOINT one")
        try:
            outcome = self._run(connection, job)
        except BaseException as error:
            driver.execute("ROLLBACK TO one")
            driver.execute("RELEASE one")
            return _Outcome(job, None, None, _carried(error))
        driver.execute("RELEASE one")
        return outcome

    def _run(self, connection: Connection, job: _Job[Any]) -> _Outcome:
        vault = Vault(connection, self._keys)
        unit = Unit(connection, vault)
        if job.fence is not None:
            check_fence(unit, job.fence)
        return _Outcome(job, vault, job.work(unit), None)


class _RolledBack(Exception):
    """A write failed that had its transaction to itself."""

    def __init__(self, carried: BaseException) -> None:
        super().__init__()
        self.carried = carried


def _carried(error: BaseException) -> BaseException:
    """What its caller is told: a future can't carry a StopIteration; its caller would wait for ever."""
    return RuntimeError("A write ran out of items.") if isinstance(error, StopIteration) else error


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101  # the engine below made it
    return driver


@contextlib.contextmanager
def _transaction(connection: Connection, begin: str) -> Iterator[None]:
    """A transaction by the driver's own words; SQLAlchemy's bookkeeping costs ten times what they do.

    For SQLAlchemy the connection is in one transaction from its first use until it is closed.
    """
    if not connection.in_transaction():
        connection.begin()
    driver = _driver(connection)
    driver.execute(begin)
    try:
        yield
        driver.execute("COMMIT")
    except BaseException:
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise


def _tell_compacted(job: _Compaction, done: bool) -> None:
    def tell() -> None:
        if job.future.done():
            return
        if done:
            job.future.set_result(None)
        else:
            job.future.set_exception(StoreUnavailable())

    # The loop may be closed: then nobody waits any more.
    with contextlib.suppress(RuntimeError):
        job.loop.call_soon_threadsafe(tell)


def _resolve(outcomes: list[_Outcome]) -> None:
    """Wake the callers, one call per event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome.job.loop, []).append(outcome)
    for loop, group in by_loop.items():
        try:
            loop.call_soon_threadsafe(_tell, group)
        except RuntimeError:
            # The loop is closed: nobody waits any more; the write stands.
            continue


def _tell(outcomes: list[_Outcome]) -> None:
    for outcome in outcomes:
        future = outcome.job.future
        if future.done():
            continue
        if outcome.error is None:
            future.set_result(outcome.value)
        else:
            future.set_exception(outcome.error)


def _engine(data_dir: Path, *, read_only: bool = False) -> Engine:
    engine = create_engine(
        f"sqlite:///{data_dir / 'callboard.db'}", poolclass=NullPool, connect_args={"check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # Python's driver must not begin transactions on its own; ours begin as said above.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={SYNCHRONOUS.get()}",
            "foreign_keys=ON",
            "secure_delete=ON",
            "busy_timeout=5000",
            f"query_only={'ON' if read_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
