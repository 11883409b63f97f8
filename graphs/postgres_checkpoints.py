"""Checkpoints of waiting turns in Postgres, for all processes."""

from collections.abc import Sequence

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg import AsyncConnection, Error
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool

from memory.errors import StoreUnavailable
from policies.words import Json


class PostgresCheckpoints:
    """The saver on a pool of connections that commit each statement; the pool stays the caller's."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[DictRow]]) -> None:
        # None allows plain values only: state that isn't plain JSON would come back as something else.
        self.saver: BaseCheckpointSaver[str] = AsyncPostgresSaver(
            pool, serde=JsonPlusSerializer(allowed_msgpack_modules=None)
        )
        self._pool = pool

    async def purge(self, threads: Sequence[str]) -> dict[str, Json]:
        """Delete these threads, and give the space of deleted ones free to be overwritten.

        Raises:
            StoreUnavailable: The database refused.
        """
        try:
            for thread in threads:
                await self.saver.adelete_thread(thread)
            async with self._pool.connection() as connection:
                await connection.execute("VACUUM checkpoints, checkpoint_blobs, checkpoint_writes")
        except Error as error:
            raise StoreUnavailable from error
        return {"threads": len(threads), "freed space": "free to be overwritten"}
