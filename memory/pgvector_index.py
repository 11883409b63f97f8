"""The vector index in Postgres, by pgvector: the one that several processes share."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from psycopg import AsyncConnection
from psycopg.errors import FeatureNotSupported, InsufficientPrivilege, UndefinedFile
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool

from memory.errors import IndexMissing
from memory.index import Vector
from memory.vectors import Embedder, Vectors

_BATCH = 500


class PgVectorIndex:
    """The index as a table of vectors, each row of one embedder: one never sees what another made.

    Nearest neighbours are found by looking at all vectors: retrieval asks for ids that SQL allows, and their vectors;
    an index over them would only pay for searches without that.
    """

    def __init__(self, pool: "AsyncConnectionPool[AsyncConnection[DictRow]]", embedder: str) -> None:
        self._pool = pool
        self._embedder = embedder

    @classmethod
    async def create(cls, connection: AsyncConnection[Any]) -> bool:
        """Make the table if it isn't there; whether it could be: not every server has pgvector."""
        try:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except (FeatureNotSupported, UndefinedFile, InsufficientPrivilege):
            return False
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS vectors "
            "(embedder text NOT NULL, id text NOT NULL, vector vector NOT NULL, PRIMARY KEY (embedder, id))"
        )
        return True

    @classmethod
    async def open(
        cls, pool: "AsyncConnectionPool[AsyncConnection[DictRow]]", *, embedder: Embedder
    ) -> "PgVectorIndex":
        """Use the table.

        Args:
            pool: Stays the caller's. Its connections commit each statement.
            embedder: Whose vectors.

        Raises:
            IndexMissing: There is no table.
        """
        async with pool.connection() as connection:
            row = await (await connection.execute("SELECT to_regclass('vectors') IS NOT NULL AS there")).fetchone()
        if row is None or not row["there"]:
            raise IndexMissing
        return cls(pool, f"{embedder.name}:{embedder.hash}")

    async def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Store vectors, one row per id."""
        if len(ids) != len(vectors):
            raise ValueError("As many ids as vectors.")
        rows = [(self._embedder, key, _written(vector)) for key, vector in zip(ids, vectors, strict=True)]
        async with self._pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            for start in range(0, len(rows), _BATCH):
                await cursor.executemany(
                    "INSERT INTO vectors (embedder, id, vector) VALUES (%s, %s, %s::vector) "
                    "ON CONFLICT (embedder, id) DO UPDATE SET vector = excluded.vector",
                    rows[start : start + _BATCH],
                )

    async def get(self, ids: Sequence[str]) -> Mapping[str, Vector]:
        """The vectors of those ids that are there."""
        rows = await self._rows(
            "SELECT id, vector::text AS vector FROM vectors WHERE embedder = %s AND id = ANY(%s)",
            self._embedder,
            list(ids),
        )
        return {row["id"]: np.asarray(json.loads(row["vector"]), dtype=np.float32) for row in rows}

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove ids."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "DELETE FROM vectors WHERE embedder = %s AND id = ANY(%s)", (self._embedder, list(ids))
            )

    async def query(self, vector: Vector, k: int) -> list[tuple[str, float]]:
        """The k nearest ids with their cosine, nearest first."""
        if k < 1:
            return []
        # The distance to a vector of length 0 is no number; such a vector is like nothing.
        rows = await self._rows(
            "SELECT id, 1 - coalesce(nullif(vector <=> %s::vector, 'NaN'), 1) AS cosine FROM vectors "
            "WHERE embedder = %s ORDER BY cosine DESC, id LIMIT %s",
            _written(vector),
            self._embedder,
            k,
        )
        return [(row["id"], float(row["cosine"])) for row in rows]

    async def ids(self) -> set[str]:
        """All ids."""
        return {row["id"] for row in await self._rows("SELECT id FROM vectors WHERE embedder = %s", self._embedder)}

    async def count(self) -> int:
        """How many vectors there are."""
        (row,) = await self._rows("SELECT count(*) AS number FROM vectors WHERE embedder = %s", self._embedder)
        return int(row["number"])

    async def rebuild(self) -> int:
        """Free the space of deleted rows; how many vectors are kept."""
        async with self._pool.connection() as connection:
            await connection.execute("VACUUM vectors")
        return await self.count()

    async def close(self) -> None:
        """The pool is the caller's."""

    async def _rows(self, statement: str, *values: object) -> list[DictRow]:
        async with self._pool.connection() as connection:
            return await (await connection.execute(statement.encode(), values)).fetchall()


def _written(vector: Vector) -> str:
    return "[" + ",".join(map(repr, np.asarray(vector, dtype=np.float32).tolist())) + "]"
