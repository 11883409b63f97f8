"""The vector index: ids and vectors and nothing else, derived from SQL and rebuilt at any time."""

import asyncio
import shutil
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

    async def rebuild(self) -> int:
        """Leave no byte of deleted vectors; how many are kept."""

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

    async def rebuild(self) -> int:
        """Nothing of what was deleted is kept anyhow."""
        return len(self._vectors)

    async def close(self) -> None:
        """Nothing to give back."""


class ChromaIndex:
    """The index as an embedded Chroma collection in a directory of its own. One process only.

    Chroma leaves the vectors of deleted ids in its files; only a copy of what is left, in a fresh directory that takes
    the old one's place, is rid of them (`rebuild`).
    """

    def __init__(self, directory: Path, embedder: Embedder, name: str) -> None:
        self._directory = directory
        self._embedder = embedder
        self._name = name
        self._client: Any = None
        self._collection: Any = None
        self._swapping = asyncio.Lock()

    @classmethod
    async def open(cls, directory: Path, *, embedder: Embedder, name: str = "passages") -> "ChromaIndex":
        """Open the collection, made if it isn't there.

        Raises:
            EmbedderMismatch: It holds vectors of another embedder.
        """
        index = cls(directory, embedder, name)
        await asyncio.to_thread(index._open)
        return index

    async def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Store vectors, one row per id."""
        if len(ids) != len(vectors):
            raise ValueError("As many ids as vectors.")
        async with self._swapping:
            await asyncio.to_thread(_fill, self._collection, ids, vectors)

    async def get(self, ids: Sequence[str]) -> Mapping[str, Vector]:
        """The vectors of those ids that are there."""
        found: dict[str, Vector] = {}
        async with self._swapping:
            for start in range(0, len(ids), _BATCH):
                found |= await asyncio.to_thread(_vectors_of, self._collection, ids[start : start + _BATCH])
        return found

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove ids. Their vectors stay in the index file until it is rebuilt."""
        async with self._swapping:
            for start in range(0, len(ids), _BATCH):
                await asyncio.to_thread(self._collection.delete, ids=list(ids[start : start + _BATCH]))

    async def query(self, vector: Vector, k: int) -> list[tuple[str, float]]:
        """The k nearest ids with their cosine, nearest first."""
        k = min(k, await self.count())
        if k < 1:
            return []
        async with self._swapping:
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
        async with self._swapping:
            return await asyncio.to_thread(_ids_of, self._collection)

    async def count(self) -> int:
        """How many vectors there are."""
        async with self._swapping:
            return int(await asyncio.to_thread(self._collection.count))

    async def rebuild(self) -> int:
        """Copy what is there into a fresh directory and put that in the place of this one; how many vectors that is."""
        async with self._swapping:
            return await asyncio.to_thread(self._rebuild)

    async def close(self) -> None:
        """Let go of the directory."""
        await asyncio.to_thread(self._client.close)

    def _open(self) -> None:
        for leftover in (self._beside("new"), self._beside("old")):
            shutil.rmtree(leftover, ignore_errors=True)
        self._client, self._collection = self._connect(self._directory)

    def _connect(self, directory: Path) -> tuple[Any, Any]:
        # Importing Chroma takes 0.6 s: only for those who open an index.
        import chromadb
        from chromadb.config import Settings

        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        client = chromadb.PersistentClient(path=str(directory), settings=Settings(anonymized_telemetry=False))
        given = f"{self._embedder.name}:{self._embedder.hash}"
        collection = client.get_or_create_collection(
            self._name,
            # Without this it would download a model of its own.
            embedding_function=None,
            metadata={"embedder": given},
            configuration={"hnsw": {"space": "cosine"}},
        )
        stored = (collection.metadata or {}).get("embedder", "an unknown embedder")
        if stored != given:
            client.close()
            raise EmbedderMismatch(stored=str(stored), given=given)
        return client, collection

    def _rebuild(self) -> int:
        fresh, old = self._beside("new"), self._beside("old")
        shutil.rmtree(fresh, ignore_errors=True)
        client, collection = self._connect(fresh)
        ids = sorted(_ids_of(self._collection))
        for start in range(0, len(ids), _BATCH):
            kept = _vectors_of(self._collection, ids[start : start + _BATCH])
            if kept:
                _fill(collection, list(kept), np.stack(list(kept.values())))
        client.close()
        self._client.close()
        self._directory.rename(old)
        fresh.rename(self._directory)
        shutil.rmtree(old)
        self._client, self._collection = self._connect(self._directory)
        return len(ids)

    def _beside(self, suffix: str) -> Path:
        return self._directory.with_name(f"{self._directory.name}.{suffix}")


def _fill(collection: Any, ids: Sequence[str], vectors: Vectors) -> None:
    for start in range(0, len(ids), _BATCH):
        part = slice(start, start + _BATCH)
        collection.upsert(ids=list(ids[part]), embeddings=np.asarray(vectors[part], dtype=np.float32))


def _vectors_of(collection: Any, ids: Sequence[str]) -> dict[str, Vector]:
    answer = collection.get(ids=list(ids), include=["embeddings"])
    vectors = np.asarray(answer["embeddings"], dtype=np.float32)
    return dict(zip(answer["ids"], vectors, strict=True))


def _ids_of(collection: Any) -> set[str]:
    return set(collection.get(include=[])["ids"])


def cosine(vector: Vector, others: Vectors) -> NDArray[np.float32]:
    """The cosine of one vector with each row; 0 with a vector of length 0."""
    lengths = np.linalg.norm(others, axis=1) * np.linalg.norm(vector)
    products: Vector = others @ vector
    safe: Vector = np.where(lengths > 0, lengths, 1).astype(np.float32)
    return products / safe
