"""The store on Postgres: any number of processes, every write on one snapshot and run again when it lost a race."""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from memory import migrating
from memory.errors import DatabaseUnreachable, StoreClosed, StoreUnavailable, WriteInDoubt
from memory.store import Fence, check_fence
from memory.unit import Unit
from memory.vault import KeyCache, Vault

T = TypeVar("T")

_LOST_RACE = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, a lock that wasn't to be had in time: the same write may succeed if run again."""
_UNIQUE = "23505"
"""Somebody else inserted what was looked for and not found: run again, it is found. Or it is a mistake of the write."""

_ATTEMPTS = 12
_UNIQUE_ATTEMPTS = 4
_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 0.25
_DOUBT_S = 10.0
"""How long to ask what became of a commit whose answer was lost."""

_NUMBER = text("SELECT CAST(pg_current_xact_id_if_assigned() AS text)")
_STATUS = text("SELECT pg_xact_status(CAST(:number AS xid8))")


@dataclass(frozen=True, slots=True)
class DatabaseLimits:
    """What one process may ask of the database."""

    connections: int = 10
    """How many transactions at once; the others wait for a connection."""
    statement_s: float = 15.0
    """How long one statement may take."""
    lock_s: float = 5.0
    """How long one statement may wait for a lock; also how long a transaction may stand still, as that of a process
    that was stopped does, before the server ends it."""


class PostgresStore:
    """Callboard's records in a Postgres database that any number of processes share.

    A write sees one snapshot, and fails and is run again when another wrote a row that it writes too; where that isn't
    enough to be as if they ran one after the other, `memory/guards.py` makes them meet. Writes and reads run on threads
    of the store, as many as it has connections.
    """

    def __init__(self, engine: Engine, keys: KeyCache, limits: DatabaseLimits, chance: Callable[[], float]) -> None:
        self._engine = engine
        self._reading = engine.execution_options(postgresql_readonly=True)
        self._keys = keys
        self._chance = chance
        self._threads = ThreadPoolExecutor(limits.connections, thread_name_prefix="callboard-database")
        self._gate = threading.Lock()
        self._is_closed = False
        self.retries = 0
        """How often a write was run again; with the number of writes, how much they are in each other's way."""

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        master_key: bytes,
        limits: DatabaseLimits = DatabaseLimits(),
        chance: Callable[[], float] = random.random,
    ) -> "PostgresStore":
        """Open the database.

        Args:
            url: `postgresql://…`, as libpq reads it.
            master_key: 32 bytes, the same in all processes.
            limits: See `DatabaseLimits`.
            chance: A random number from 0 to 1, for the pauses between attempts.

        Raises:
            SchemaBehind, SchemaAhead: It was made for another version of Callboard.
            DatabaseUnreachable: As it says.
            WrongMasterKey: It was made with another key.
        """
        engine = engine_of(url, limits)
        store = cls(engine, KeyCache(master_key, is_shared=True), limits, chance)
        try:
            await store.read(lambda unit: migrating.check(unit.connection))
            await store.write(lambda unit: unit.vault.check_master())
        except BaseException as error:
            await store.close()
            cause = error.__cause__
            if isinstance(error, StoreUnavailable) and isinstance(cause, DBAPIError) and _is_cut(cause):
                raise DatabaseUnreachable from error
            raise
        return store

    def announce(self, url: str) -> None:
        """Nobody is kept out of the database, so nobody asks who holds it."""

    async def write(self, work: Callable[[Unit], T], *, fence: Fence | None = None) -> T:
        """As `Store.write`."""
        return await self._hand_in(lambda: self._write(work, fence))

    async def read(self, work: Callable[[Unit], T]) -> T:
        """As `Store.read`."""
        return await self._hand_in(lambda: self._read(work))

    async def compact(self) -> None:
        """As `Store.compact`. What the pages' free space and the server's own log still hold, the server overwrites in
        its own time: docs/privacy.md."""
        await self._hand_in(self._vacuum)

    async def close(self) -> None:
        """Finish the work handed in, and give the connections back."""
        with self._gate:
            if self._is_closed:
                return
            self._is_closed = True
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    async def _hand_in(self, work: Callable[[], T]) -> T:
        with self._gate:
            if self._is_closed:
                raise StoreClosed
            handed_in: Future[T] = self._threads.submit(work)
        # Shielded: cancelling the caller must not take back what was handed in.
        answer = asyncio.wrap_future(handed_in)
        answer.add_done_callback(_look_at)
        return await asyncio.shield(answer)

    def _write(self, work: Callable[[Unit], T], fence: Fence | None) -> T:
        attempt = 1
        while True:
            try:
                return self._attempt(work, fence)
            except DBAPIError as error:
                if attempt >= _attempts_for(error):
                    if _state_of(error) == _UNIQUE:
                        raise
                    raise StoreUnavailable from error
            except StopIteration as error:
                # A future can't carry one; its caller would wait for ever.
                raise RuntimeError("A write ran out of items.") from error
            self.retries += 1
            time.sleep(min(_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S) * (0.5 + self._chance()))
            attempt += 1

    def _attempt(self, work: Callable[[Unit], T], fence: Fence | None) -> T:
        with self._engine.connect() as connection:
            vault = Vault(connection, self._keys)
            unit = Unit(connection, vault)
            if fence is not None:
                check_fence(unit, fence)
            value = work(unit)
            number = connection.execute(_NUMBER).scalar()
            try:
                connection.commit()
            except DBAPIError as error:
                # Told that it failed, or told nothing: then only the database knows.
                if number is None or not _is_cut(error) or not self._was_committed(number):
                    raise
                connection.invalidate()
            vault.settle()
            return value

    def _vacuum(self) -> None:
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("SET statement_timeout = 0"))
                connection.execute(text("VACUUM"))
                # Not one of those to be used again, whose statements may not take that long.
                connection.invalidate()
        except DBAPIError as error:
            raise StoreUnavailable from error

    def _was_committed(self, number: str) -> bool:
        """What became of a transaction whose connection broke while it committed.

        Raises:
            WriteInDoubt: The database can't be asked either.
        """
        until = time.monotonic() + _DOUBT_S
        while time.monotonic() < until:
            with suppress(OperationalError), self._reading.connect() as connection:
                status = connection.execute(_STATUS, {"number": number}).scalar()
                if status in {"committed", "aborted"}:
                    return bool(status == "committed")
            time.sleep(0.1)
        raise WriteInDoubt

    def _read(self, work: Callable[[Unit], T]) -> T:
        attempt = 1
        while True:
            try:
                with self._reading.connect() as connection:
                    vault = Vault(connection, self._keys)
                    value = work(Unit(connection, vault))
                vault.settle()
                return value
            except DBAPIError as error:
                if attempt >= _ATTEMPTS or not _is_cut(error):
                    raise StoreUnavailable from error
            time.sleep(min(_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S))
            attempt += 1


def engine_of(url: str, limits: DatabaseLimits) -> Engine:
    """Connections to the database, each with its time-outs."""
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        isolation_level="REPEATABLE READ",
        pool_size=limits.connections,
        max_overflow=0,
        pool_timeout=limits.statement_s,
        connect_args={"connect_timeout": 10},
    )
    lock_ms = int(limits.lock_s * 1000)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # As statements and not as options of the connection: the URL may have some of its own.
        connection.autocommit = True
        connection.execute(f"SET statement_timeout = {int(limits.statement_s * 1000)}")
        connection.execute(f"SET lock_timeout = {lock_ms}")
        connection.execute(f"SET idle_in_transaction_session_timeout = {lock_ms}")
        connection.autocommit = False

    return engine


def _attempts_for(error: DBAPIError) -> int:
    """How often a write may be begun that ends like this."""
    state = _state_of(error)
    if state == _UNIQUE:
        return _UNIQUE_ATTEMPTS
    return _ATTEMPTS if state in _LOST_RACE or _is_cut(error) else 1


def _is_cut(error: DBAPIError) -> bool:
    """Whether the connection broke, or there was none to be had."""
    return error.connection_invalidated or (isinstance(error, OperationalError) and not _state_of(error))


def _state_of(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _look_at(answer: "asyncio.Future[Any]") -> None:
    """Its caller may be gone; then nobody else asks how it ended."""
    if not answer.cancelled():
        answer.exception()
