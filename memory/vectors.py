"""Vectors for texts: the port, and an embedder that needs no weights."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""One row per text, each of length 1, or all zeros for a text without letters."""


class Embedder(Protocol):
    """Turns texts into vectors. The same name and hash always give the same vectors."""

    @property
    def name(self) -> str:
        """Which embedder."""

    @property
    def hash(self) -> str:
        """Of all that its vectors depend on; vectors of different hashes must not be mixed."""

    @property
    def dims(self) -> int:
        """Length of a vector."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors, in the order of the texts."""


class HashingEmbedder:
    """Hashed pieces of words and pairs of words: no weights, no vocabulary, the same on every machine.

    Close in spelling is close in space. Words of like meaning are not; a model's embedder does that better.
    """

    name = "hashing"
    dims = 2048
    _RECIPE = "char_wb 3-5 + 0.5 word 1-2, 2048, l2, murmurhash3"

    @property
    def hash(self) -> str:
        """Of the recipe."""
        return hashlib.sha256(self._RECIPE.encode()).hexdigest()[:16]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors, in the order of the texts."""
        # Half a second to import: only for those who embed.
        from sklearn.feature_extraction.text import HashingVectorizer
        from sklearn.preprocessing import normalize

        if not texts:
            return np.zeros((0, self.dims), dtype=np.float32)
        letters = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=self.dims)
        words = HashingVectorizer(ngram_range=(1, 2), n_features=self.dims)
        mixed = normalize(letters.transform(texts) + 0.5 * words.transform(texts))
        return np.asarray(mixed.toarray(), dtype=np.float32)
