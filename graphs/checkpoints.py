"""Checkpoints of waiting turns: disposable, for rows are the truth and a turn is rebuilt from them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from memory.errors import StoreUnavailable
from policies.words import Json

_TRIES: Final = 50
"""How often the log is tried to be cut while a turn reads from it."""
_PAUSE_S: Final = 0.1


class Checkpoints(Protocol):
    """The saver, and what it takes to leave no byte of a deleted thread."""

    @property
    def saver(self) -> BaseCheckpointSaver[str]:
        """LangGraph's saver; it keeps plain values only."""

    async def purge(self, threads: Sequence[str]) -> dict[str, Json]:
        """Leave nothing of these threads and of deleted ones; what was done, for the receipt.

        Raises:
            StoreUnavailable: The database is in use all the time, or refused.
        """


class SqliteCheckpoints:
    """Checkpoints in a file of their own."""

    def __init__(self, saver: BaseCheckpointSaver[str], connection: aiosqlite.Connection) -> None:
        self.saver = saver
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, file: Path) -> AsyncIterator["SqliteCheckpoints"]:
        """Open the file, made if it isn't there, with weaker durability than the records have."""
        async with aiosqlite.connect(file) as connection:
            await connection.execute("PRAGMA secure_delete=ON")
            # None allows plain values only: state that isn't plain JSON would come back as something else.
            plain = JsonPlusSerializer(allowed_msgpack_modules=None)
            saver = AsyncSqliteSaver(connection, serde=plain)
            saver.jsonplus_serde = plain
            await saver.setup()
            await connection.execute("PRAGMA synchronous=NORMAL")
            yield cls(saver, connection)

    async def purge(self, threads: Sequence[str]) -> dict[str, Json]:
        """Delete these threads, and fold what the log holds of deleted ones into overwritten space.

        Raises:
            StoreUnavailable: Somebody else reads the file all the time.
        """
        for thread in threads:
            await self.saver.adelete_thread(thread)
        for _ in range(_TRIES):
            async with self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)") as cursor:
                row = await cursor.fetchone()
            if row is not None and row[0] == 0:
                return {"threads": len(threads), "freed space": "overwritten", "log": "cut"}
            await asyncio.sleep(_PAUSE_S)
        raise StoreUnavailable
