"""Where everything is kept and who wakes turns: embedded in the data directory, or Postgres for many processes."""

import logging
import shutil
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from callboard.settings import Settings
from graphs.checkpoints import Checkpoints, SqliteCheckpoints
from graphs.lanes import LocalLanes, OpenLanes
from graphs.relay import LocalRelay, Relay
from memory import inbox
from memory.data_directory import DataDirectory
from memory.errors import CaseMemoryError, EmbedderMismatch
from memory.index import ChromaIndex, InMemoryIndex, VectorIndex
from memory.sqlite_store import SqliteStore
from memory.store import Store
from memory.vectors import Embedder
from policies.words import ConversationId

logger = logging.getLogger("callboard.runtime")

Tick = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Queue:
    """What brings turns, and the clock's work, to the processes that work."""

    work: Callable[[Tick], Awaitable[None]]
    """Begins to work in this process."""
    count_workers: Callable[[], Awaitable[int]]
    """How many processes work now."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One place for records, checkpoints and vectors, and one way to wake turns."""

    store: Store
    checkpoints: Checkpoints
    open_lanes: OpenLanes
    relay: Relay
    open_index: Callable[[Embedder], Awaitable[VectorIndex]]
    queue: Queue | None
    """What brings turns to whoever works; None where they run where they come in."""
    wait_s: float | None
    """How long a caller waits for a turn that runs elsewhere."""


async def open_embedded(settings: Settings, stack: AsyncExitStack) -> Backend:
    """Everything in the data directory, which this process holds.

    Raises:
        DataDirectoryHeld: Another process works on it.
    """
    store = await SqliteStore.open(settings.data_dir, master_key=settings.master_key_bytes)
    stack.push_async_callback(store.close)
    return Backend(
        store=store,
        checkpoints=await stack.enter_async_context(SqliteCheckpoints.open(settings.data_dir / "checkpoints.db")),
        open_lanes=LocalLanes,
        relay=LocalRelay(),
        open_index=lambda embedder: _open_index(settings.data_dir / "index", embedder),
        queue=None,
        wait_s=None,
    )


async def open_postgres(settings: Settings, stack: AsyncExitStack) -> Backend:
    """Everything in Postgres, beside any number of other processes.

    Raises:
        SchemaBehind, SchemaAhead: The database isn't of this version.
        StoreUnavailable: It can't be reached.
    """
    # Half a second to import: only for those who use it.
    from callboard import database
    from callboard.jobs import JobLanes, count_workers, open_app
    from callboard.notices import PostgresRelay
    from graphs.lanes import Lanes, RunNext
    from graphs.postgres_checkpoints import PostgresCheckpoints
    from memory.pgvector_index import PgVectorIndex
    from memory.postgres_store import DatabaseLimits, PostgresStore

    store = await PostgresStore.open(
        settings.postgres_url,
        master_key=settings.master_key_bytes or DataDirectory.shared_master_key(settings.data_dir),
        limits=DatabaseLimits(
            connections=settings.database_connections,
            statement_s=settings.database_statement_timeout_s,
            lock_s=settings.database_lock_timeout_s,
        ),
    )
    stack.push_async_callback(store.close)
    pool = await stack.enter_async_context(database.open_pool(settings.postgres_url, size=database.POOL_SIZE))
    await database.check(pool)
    app = open_app()
    await stack.enter_async_context(app.open_async(pool))
    relay = PostgresRelay(settings.postgres_url, pool, uuid.uuid4().hex)
    await relay.start()
    stack.push_async_callback(relay.close)
    made: list[JobLanes] = []

    def open_lanes(run_next: RunNext) -> Lanes:
        made.append(JobLanes(run_next, app, has_work))
        return made[-1]

    async def has_work(conversation_id: ConversationId) -> bool:
        return await store.read(lambda unit: inbox.has_unfinished(unit, conversation_id=conversation_id))

    async def work(tick: Tick) -> None:
        await made[-1].work(
            concurrency=settings.worker_turns,
            takeover_s=settings.takeover_s,
            timer_s=settings.timer_s,
            find_work=lambda: store.read(inbox.unfinished),
            tick=tick,
        )

    async def open_index(embedder: Embedder) -> VectorIndex:
        try:
            return await PgVectorIndex.open(pool, embedder=embedder)
        except CaseMemoryError as error:
            logger.warning("%s Until then vectors are kept in memory.", error)
            return InMemoryIndex()

    return Backend(
        store=store,
        checkpoints=PostgresCheckpoints(pool),
        open_lanes=open_lanes,
        relay=relay,
        open_index=open_index,
        queue=Queue(work, lambda: count_workers(pool, within_s=settings.takeover_s)),
        wait_s=settings.wait_s,
    )


async def _open_index(directory: Path, embedder: Embedder) -> VectorIndex:
    """The index in its directory; made anew where it can't be used, for it is derived from the articles."""
    try:
        return await ChromaIndex.open(directory, embedder=embedder)
    except EmbedderMismatch:
        logger.warning("the vector index is of another embedder; it is rebuilt")
    except Exception as error:  # Chroma raises many kinds, from its own and from Rust.
        logger.warning("the vector index can't be opened (%s); it is rebuilt", type(error).__name__)
    shutil.rmtree(directory, ignore_errors=True)
    try:
        return await ChromaIndex.open(directory, embedder=embedder)
    except Exception as error:
        logger.warning("no vector index on disk (%s); it is kept in memory", type(error).__name__)
        return InMemoryIndex()
