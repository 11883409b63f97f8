"""Retrieval: the passages that answer a question, among those that SQL allows, and none if none does."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memory.index import VectorIndex, cosine
from memory.knowledge import Passage
from memory.lexical import Lexicon
from memory.vectors import Embedder
from policies.words import Json

HASHED_WEIGHT: Final = 0.25
"""The share of hashed vectors in a score; lexical likeness has the rest."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scored:
    """A passage and how well it fits."""

    passage: Passage
    score: float
    """0 to 1, comparable within one search."""
    coverage: float
    """The share of the question's meaning that the passage has words for, 0 to 1; comparable between searches."""


class Retriever:
    """Searches passages by their vectors and their words.

    The index is a help, not a need: vectors it can't give are made anew, so that a lost index costs time only.
    """

    def __init__(
        self, embedder: Embedder, index: VectorIndex, *, vector_weight: float = HASHED_WEIGHT, minimum: float = 0.4
    ) -> None:
        """Take the parts.

        Args:
            embedder: Makes the question's vector.
            index: Holds the passages' vectors, of the same embedder.
            vector_weight: Share of the vectors in the score; the words have the rest. `HASHED_WEIGHT` suits hashed
                vectors, 0.7 those of a sentence model.
            minimum: Least coverage of a passage that counts as an answer.
        """
        self._embedder = embedder
        self._index = index
        self._vector_weight = vector_weight
        self._minimum = minimum
        self._lexicon: tuple[tuple[str, ...], Lexicon] | None = None

    async def sync(self, passages: Sequence[Passage]) -> tuple[int, int]:
        """Make the index hold exactly these passages; how many came and how many went."""
        present = await self._index.ids()
        missing = [passage for passage in passages if passage.id not in present]
        gone = sorted(present - {passage.id for passage in passages})
        if missing:
            vectors = await asyncio.to_thread(self._embedder.embed, [_searched(passage) for passage in missing])
            await self._index.upsert([passage.id for passage in missing], vectors)
        await self._index.delete(gone)
        return len(missing), len(gone)

    async def purge(self, _threads: Sequence[str]) -> dict[str, Json]:
        """Leave no byte of deleted vectors in the index."""
        return {"vectors kept": await self._index.rebuild(), "directory": "built anew and swapped"}

    async def search(self, question: str, *, allowed: Sequence[Passage], k: int = 4) -> list[Scored]:
        """The best passages for a question, best first; fewer than k, or none, if no more fit.

        Args:
            question: In the customer's words.
            allowed: What may be shown in this case now; nothing else is looked at.
            k: How many at most.
        """
        if not allowed or not question.strip():
            return []
        lexicon = await self._lexicon_of(allowed)
        coverage = lexicon.coverage(question)
        fitting = [place for place, share in enumerate(coverage) if share >= self._minimum]
        if not fitting:
            return []
        likeness = await self._vector_scores(question, [allowed[place] for place in fitting])
        scores = fused(likeness, lexicon.scores(question)[fitting], vector_weight=self._vector_weight)
        order = np.argsort(-scores, kind="stable")[:k]
        return [
            Scored(allowed[fitting[place]], float(scores[place]), float(coverage[fitting[place]])) for place in order
        ]

    async def _lexicon_of(self, allowed: Sequence[Passage]) -> Lexicon:
        """The prepared texts; kept while the same passages are asked for."""
        key = tuple(passage.id for passage in allowed)
        kept = self._lexicon
        if kept is None or kept[0] != key:
            kept = (key, await asyncio.to_thread(Lexicon, [_searched(passage) for passage in allowed]))
            self._lexicon = kept
        return kept[1]

    async def _vector_scores(self, question: str, passages: Sequence[Passage]) -> NDArray[np.float32]:
        try:
            known = await self._index.get([passage.id for passage in passages])
        except Exception as error:  # Whatever an index raises, the words and fresh vectors still answer.
            _LOG.warning("The vector index is not available (%s); vectors are made anew.", type(error).__name__)
            known = {}
        missing = [passage for passage in passages if passage.id not in known]
        embedded = self._embedder.embed([question, *(_searched(passage) for passage in missing)])
        fresh = dict(zip((passage.id for passage in missing), embedded[1:], strict=True))
        vectors = np.stack([known[passage.id] if passage.id in known else fresh[passage.id] for passage in passages])
        return cosine(embedded[0], vectors)


def fused(likeness: NDArray[np.float32], words: NDArray[np.float64], *, vector_weight: float) -> NDArray[np.float64]:
    """One score of cosines and lexical scores, 0 to 1."""
    return np.asarray(vector_weight * np.clip(likeness, 0, 1) + (1 - vector_weight) * words, dtype=np.float64)


def _searched(passage: Passage) -> str:
    """What of a passage is searched: its headings say what it is about."""
    return f"{passage.title}. {passage.heading}. {passage.text}"
