"""The vector index: ids and vectors and nothing else, derived from SQL and rebuilt at any time."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from memory.errors import EmbedderMismatch
from memory.vectors import Embedder, Vectors

Vector = NDArray[np.float32]

_BATCH = 1_000


class VectorIndex(Protocol):
    """Vectors by opaque id, all of one embedder."""

    async def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Store vectors, one row per id; an id that is there gets the new one."""

    async def get(self, ids: Sequence[str]) -> Mapping[str, Vector]:
        """The vectors of those ids that are there."""

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove ids; those that aren't there are no matter."""

    async def query(self, vector: Vector, k: int) -> list[tuple[str, float]]:
        """The k nearest ids with their cosine, nearest first."""

    async def ids(self) -> set[str]:
        """All ids."""

    async def count(self) -> int:
        """How many vectors there are."""

    async def close(self) -> None:
        """Give back what it holds."""


class InMemoryIndex:
    """The index as a dictionary, for tests and for small knowledge."""

    def __init__(self) -> None:
        self._vectors: dict[str, Vector] = {}

    async def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Store vectors, one row per id."""
        self._vectors.update(zip(ids, np.asarray(vectors, dtype=np.float32), strict=True))

    async def get(self, ids: Sequence[str]) -> Mapping[str, Vector]:
        """The vectors of those ids that are there."""
        return {key: self._vectors[key] for key in ids if key in self._vectors}

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove ids."""
        for key in ids:
            self._vectors.pop(key, None)

    async def query(self, vector: Vector, k: int) -> list[tuple[str, float]]:
        """The k nearest ids with their cosine, nearest first."""
        if not self._vectors or k < 1:
            return []
        keys = list(self._vectors)
        cosines = cosine(vector, np.stack([self._vectors[key] for key in keys]))
        order = np.argsort(-cosines, kind="stable")[:k]
        return [(keys[place], float(cosines[place])) for place in order]

    async def ids(self) -> set[str]:
        """All ids."""
        return set(self._vectors)

    async def count(self) -> int:
        """How many vectors there are."""
        return len(self._vectors)

    async def close(self) -> None:
        """Nothing to give back."""


class ChromaIndex:
    """The index as an embedded Chroma collection in a directory of its own. One process only."""

    def __init__(self, client: Any, collection: Any) -> None:
        self._client = client
        self._collection = collection

    @classmethod
    async def open(cls, directory: Path, *, embedder: Embedder, name: str = "passages") -> "ChromaIndex":
        """Open the collection, made if it isn't there.

        Raises:
            EmbedderMismatch: It holds vectors of another embedder.
        """
        return await asyncio.to_thread(cls._open, directory, embedder, name)

    @classmethod
    def _open(cls, directory: Path, embedder: Embedder, name: str) -> "ChromaIndex":
        # Importing Chroma takes 0.6 s: only for those who open an index.
        import chromadb
        from chromadb.config import Settings

        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        client = chromadb.PersistentClient(path=str(directory), settings=Settings(anonymized_telemetry=False))
        given = f"{embedder.name}:{embedder.hash}"
        collection = client.get_or_create_collection(
            name,
            # Without this it would download a model of its own.
            embedding_function=None,
            metadata={"embedder": given},
            configuration={"hnsw": {"space": "cosine"}},
        )
        stored = (collection.metadata or {}).get("embedder", "an unknown embedder")
        if stored != given:
            client.close()
            raise EmbedderMismatch(stored=str(stored), given=given)
        return cls(client, collection)

    async def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Store vectors, one row per id."""
        if len(ids) != len(vectors):
            raise ValueError("As many ids as vectors.")
        for start in range(0, len(ids), _BATCH):
            part = slice(start, start + _BATCH)
            await asyncio.to_thread(
                self._collection.upsert, ids=list(ids[part]), embeddings=np.asarray(vectors[part], dtype=np.float32)
            )

    async def get(self, ids: Sequence[str]) -> Mapping[str, Vector]:
        """The vectors of those ids that are there."""
        found: dict[str, Vector] = {}
        for start in range(0, len(ids), _BATCH):
            answer = await asyncio.to_thread(
                self._collection.get, ids=list(ids[start : start + _BATCH]), include=["embeddings"]
            )
            vectors = np.asarray(answer["embeddings"], dtype=np.float32)
            found.update(zip(answer["ids"], vectors, strict=True))
        return found

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove ids. Their vectors stay in the index file until it is rebuilt."""
        if ids:
            await asyncio.to_thread(self._collection.delete, ids=list(ids))

    async def query(self, vector: Vector, k: int) -> list[tuple[str, float]]:
        """The k nearest ids with their cosine, nearest first."""
        k = min(k, await self.count())
        if k < 1:
            return []
        answer = await asyncio.to_thread(
            self._collection.query,
            query_embeddings=[np.asarray(vector, dtype=np.float32)],
            n_results=k,
            include=["distances"],
        )
        return [
            (key, 1.0 - float(distance)) for key, distance in zip(answer["ids"][0], answer["distances"][0], strict=True)
        ]

    async def ids(self) -> set[str]:
        """All ids."""
        return set((await asyncio.to_thread(self._collection.get, include=[]))["ids"])

    async def count(self) -> int:
        """How many vectors there are."""
        return int(await asyncio.to_thread(self._collection.count))

    async def close(self) -> None:
        """Let go of the directory."""
        await asyncio.to_thread(self._client.close)


def cosine(vector: Vector, others: Vectors) -> NDArray[np.float32]:
    """The cosine of one vector with each row; 0 with a vector of length 0."""
    lengths = np.linalg.norm(others, axis=1) * np.linalg.norm(vector)
    products: Vector = others @ vector
    safe: Vector = np.where(lengths > 0, lengths, 1).astype(np.float32)
    return products / safe
