"""What every vector index does."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from databases import NewDatabase

from callboard.database import open_pool
from memory.errors import EmbedderMismatch, IndexMissing
from memory.index import ChromaIndex, InMemoryIndex, Vector, VectorIndex
from memory.pgvector_index import PgVectorIndex
from memory.vectors import HashingEmbedder, Vectors


class OtherEmbedder(HashingEmbedder):
    """One whose vectors must not be mixed with the others."""

    name = "other"


@pytest.fixture(params=["memory", "chroma", "pgvector"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorIndex]:
    opened: VectorIndex
    if request.param == "pgvector":
        async with open_pool(request.getfixturevalue("postgres"), size=2) as pool:
            yield await PgVectorIndex.open(pool, embedder=HashingEmbedder())
        return
    if request.param == "memory":
        opened = InMemoryIndex()
    else:
        opened = await ChromaIndex.open(tmp_path / "index", embedder=HashingEmbedder())
    yield opened
    await opened.close()


def _vectors(*texts: str) -> Vectors:
    return HashingEmbedder().embed(texts)


async def test_vectors_come_back_by_id_as_they_went_in(index: VectorIndex) -> None:
    vectors = _vectors("returns and refunds", "delivery times", "gift cards")
    await index.upsert(["a", "b", "c"], vectors)
    found = await index.get(["c", "a", "nothing"])
    assert set(found) == {"a", "c"}
    assert np.allclose(found["a"], vectors[0], atol=1e-6)
    assert np.allclose(found["c"], vectors[2], atol=1e-6)
    assert await index.count() == 3
    assert await index.ids() == {"a", "b", "c"}


async def test_the_nearest_come_first_with_their_cosine(index: VectorIndex) -> None:
    await index.upsert(["a", "b"], _vectors("returns and refunds", "delivery times"))
    (question,) = _vectors("refund a return")
    nearest = await index.query(question, 5)
    assert [key for key, _ in nearest] == ["a", "b"]
    assert nearest[0][1] == pytest.approx(float(question @ _vectors("returns and refunds")[0]), abs=1e-3)
    assert [key for key, _ in await index.query(question, 1)] == ["a"]


async def test_an_id_that_is_stored_again_has_its_new_vector(index: VectorIndex) -> None:
    await index.upsert(["a"], _vectors("returns"))
    await index.upsert(["a"], _vectors("delivery"))
    assert await index.count() == 1
    assert np.allclose((await index.get(["a"]))["a"], _vectors("delivery")[0], atol=1e-6)


async def test_a_deleted_id_is_not_found_any_more(index: VectorIndex) -> None:
    await index.upsert(["a", "b"], _vectors("returns", "delivery"))
    await index.delete(["a", "nothing"])
    assert await index.get(["a"]) == {}
    assert [key for key, _ in await index.query(_vectors("returns")[0], 5)] == ["b"]
    await index.delete([])
    assert await index.count() == 1


async def test_an_empty_index_answers_nothing(index: VectorIndex) -> None:
    assert await index.query(_vectors("returns")[0], 3) == []
    assert await index.get([]) == {}
    assert await index.get(["a"]) == {}
    await index.upsert([], _vectors())
    assert await index.count() == 0


async def test_ids_and_vectors_must_be_as_many(index: VectorIndex) -> None:
    with pytest.raises(ValueError, match=r"."):
        await index.upsert(["a", "b"], _vectors("returns"))


async def test_a_chroma_index_is_there_again_after_a_restart_for_its_embedder_only(tmp_path: Path) -> None:
    first = await ChromaIndex.open(tmp_path / "index", embedder=HashingEmbedder())
    await first.upsert(["a"], _vectors("returns"))
    await first.close()
    with pytest.raises(EmbedderMismatch):
        await ChromaIndex.open(tmp_path / "index", embedder=OtherEmbedder())
    again = await ChromaIndex.open(tmp_path / "index", embedder=HashingEmbedder())
    assert await again.ids() == {"a"}
    await again.close()


async def test_a_chroma_index_holds_no_text(tmp_path: Path) -> None:
    index = await ChromaIndex.open(tmp_path / "index", embedder=HashingEmbedder())
    await index.upsert(["a"], _vectors("Zimtschnecke 4711"))
    await index.close()
    stored = b"".join(file.read_bytes() for file in (tmp_path / "index").rglob("*") if file.is_file())
    assert b"Zimtschnecke" not in stored


async def test_a_vector_without_length_is_like_nothing(index: VectorIndex) -> None:
    await index.upsert(["a", "nothing"], _vectors("returns", ""))
    (question,) = _vectors("returns")
    assert [key for key, _ in await index.query(question, 5)] == ["a", "nothing"]


async def test_processes_that_share_a_postgres_index_see_the_same_vectors_of_their_embedder_only(postgres: str) -> None:
    async with open_pool(postgres, size=2) as one, open_pool(postgres, size=2) as other:
        mine = await PgVectorIndex.open(one, embedder=HashingEmbedder())
        await mine.upsert(["a"], _vectors("returns"))
        assert await (await PgVectorIndex.open(other, embedder=HashingEmbedder())).ids() == {"a"}
        theirs = await PgVectorIndex.open(other, embedder=OtherEmbedder())
        assert await theirs.ids() == set()
        await theirs.delete(["a"])
        assert await mine.ids() == {"a"}


async def test_a_database_without_a_table_for_vectors_says_what_to_do(new_database: NewDatabase) -> None:
    async with open_pool(new_database(), size=1) as pool:
        with pytest.raises(IndexMissing, match="pgvector"):
            await PgVectorIndex.open(pool, embedder=HashingEmbedder())


async def test_p8_a_rebuild_keeps_what_is_there_and_no_byte_of_what_was_deleted(tmp_path: Path) -> None:
    index = await ChromaIndex.open(tmp_path / "index", embedder=HashingEmbedder())
    vectors = _vectors("returns and refunds", "delivery times", "Zimtschnecke 4711")
    await index.upsert(["a", "b", "c"], vectors)
    await index.delete(["c"])

    def is_stored(vector: Vector) -> bool:
        """Whether a piece of it is in some file; all of it never is in one piece, for pages are shorter."""
        stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
        pieces = [vector[start : start + 32] for start in range(0, len(vector), 32)]
        return any(piece.tobytes() in stored for piece in pieces if np.count_nonzero(piece) > 1)

    assert is_stored(vectors[2])
    assert await index.rebuild() == 2
    assert not is_stored(vectors[2])
    assert is_stored(vectors[0])
    assert np.allclose((await index.get(["b"]))["b"], vectors[1], atol=1e-6)
    await index.upsert(["d"], _vectors("gift cards"))
    assert await index.ids() == {"a", "b", "d"}
    await index.close()
    again = await ChromaIndex.open(tmp_path / "index", embedder=HashingEmbedder())
    assert await again.ids() == {"a", "b", "d"}
    await again.close()
