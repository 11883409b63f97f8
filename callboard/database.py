"""The Postgres database as a whole: records, queue, checkpoints and vectors, brought to what this version needs."""

import asyncio

import procrastinate
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from procrastinate import PsycopgConnector
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from memory import migrating
from memory.errors import DatabaseUnreachable, SchemaBehind
from memory.pgvector_index import PgVectorIndex
from memory.postgres_store import DatabaseLimits, engine_of

UPGRADE_LOCK = 4_137_702_561
"""Which advisory lock an upgrade takes: a number that nothing else is likely to take."""

POOL_SIZE = 6
"""Connections of one process for queue, checkpoints and vectors; two more listen."""

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]


async def upgrade(url: str) -> str:
    """Bring a database, empty or of an earlier version, to what this version needs; the schema's version then.

    Takes as long as it takes; who comes second waits. Workers of the version before are fenced by nothing: stop them.

    Raises:
        SchemaAhead: A newer version has upgraded it.
        DatabaseUnreachable: As it says.
    """
    await asyncio.to_thread(_upgrade_records, url)
    async with open_pool(url, size=2) as pool, pool.connection() as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", (UPGRADE_LOCK,))
        try:
            app = procrastinate.App(connector=PsycopgConnector())
            async with app.open_async(pool):
                if not await app.check_connection_async():
                    await app.schema_manager.apply_schema_async()
            await AsyncPostgresSaver(connection).setup()
            await PgVectorIndex.create(connection)
        finally:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (UPGRADE_LOCK,))
    return migrating.HEAD


async def check(pool: Pool) -> None:
    """Make sure that queue and checkpoints are there as this version needs them; the store checks the records.

    Raises:
        SchemaBehind: The database must be upgraded first.
    """
    newest = len(AsyncPostgresSaver.MIGRATIONS) - 1
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT to_regclass('procrastinate_jobs') IS NOT NULL AS queue, "
            "to_regclass('checkpoint_migrations') IS NOT NULL AS checkpoints"
        )
        row = await found.fetchone()
        assert row is not None  # noqa: S101  a select without a table
        if not row["queue"]:
            raise SchemaBehind(found="of records only", needed=migrating.HEAD)
        version = None
        if row["checkpoints"]:
            newest_there = await (await connection.execute("SELECT max(v) AS v FROM checkpoint_migrations")).fetchone()
            version = newest_there["v"] if newest_there else None
        if version is None or version < newest:
            raise SchemaBehind(found="of older checkpoints", needed=migrating.HEAD)


def open_pool(url: str, *, size: int) -> Pool:
    """Connections for queue, checkpoints and vectors. Each statement is its own transaction unless one is begun."""
    return AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=False,
        kwargs={"row_factory": dict_row, "connect_timeout": 10},
        configure=_commit_each_statement,
        check=AsyncConnectionPool.check_connection,
    )


async def _commit_each_statement(connection: AsyncConnection[DictRow]) -> None:
    await connection.set_autocommit(True)


def _upgrade_records(url: str) -> None:
    # No statement is too slow for an upgrade, and it may wait long for its locks.
    engine = engine_of(url, DatabaseLimits(connections=1, statement_s=0, lock_s=60))
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
            migrating.prepare(connection)
    except OperationalError as error:
        raise DatabaseUnreachable from error
    finally:
        engine.dispose()
