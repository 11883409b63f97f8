"""Lexical likeness of a question to texts, in memory: nothing of it is stored."""

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")
_ENDINGS = ("ations", "able", "ation", "ings", "ing", "edly", "ed", "ies", "es", "s", "ly")
_SHORTEST_STEM = 3
_K1, _B = 1.2, 0.75

_FILLERS = """
a about am an and any are as at be because been but by can could did do does doing for from get give go got had has
have having he hello help her hey hi his how i if in is it its just know let like long make many may me might much
must my need no not of on or our please she should so some such take tell than thank thanks that the their them then
there these they this those to too up us want was we were what when where which who whom whose why will with would you
your yours
"""
_STOP_WORDS = frozenset(_FILLERS.split())


class Lexicon:
    """Texts prepared for questions.

    A question's score with a text is the mean, weighted 4 : 1 : 3 : 1, of the TF-IDF cosine of pieces of words, that of
    stemmed words, the share of the question's meaning that the text covers, and BM25. Source: the best on two sets of
    short questions (docs/evaluation.md, callboard eval retrieval).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        # Half a second to import: only for those who search.
        from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

        self._letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
        self._words = TfidfVectorizer(analyzer=stems, sublinear_tf=True)
        self._letter_rows = self._letters.fit_transform(texts)
        self._word_rows = self._words.fit_transform(texts)
        self._contents = [frozenset(stems(text)) for text in texts]
        frequencies: dict[str, int] = {}
        for content in self._contents:
            for word in content:
                frequencies[word] = frequencies.get(word, 0) + 1
        self._weights = {word: _weight(len(texts), frequency) for word, frequency in frequencies.items()}
        self._unseen = _weight(len(texts), 0)
        counts = CountVectorizer(analyzer=stems)
        self._counts = counts.fit_transform(texts)
        self._places: dict[str, int] = counts.vocabulary_
        lengths = self._counts.sum(axis=1)
        self._relative_lengths = np.asarray(lengths / max(lengths.mean(), 1)).ravel()

    def scores(self, question: str) -> NDArray[np.float64]:
        """Likeness to each text, 0 to 1."""
        letters = (self._letter_rows @ self._letters.transform([question]).T).toarray().ravel()
        words = (self._word_rows @ self._words.transform([question]).T).toarray().ravel()
        parts = 4 * letters + words + 3 * self.coverage(question) + self.bm25(question)
        return np.asarray(parts / 9, dtype=np.float64)

    def bm25(self, question: str) -> NDArray[np.float64]:
        """BM25 of each text, as a share of what a text of words of the question alone could reach: 0 to 1.

        Source:
            Robertson and Zaragoza, The Probabilistic Relevance Framework (2009), with k1 = 1.2 and b = 0.75.
        """
        total = np.zeros(len(self._contents))
        reachable = 0.0
        for word in set(stems(question)):
            weight = self._weights.get(word) or _weight(len(self._contents), self._frequency(word))
            reachable += weight * (_K1 + 1)
            place = self._places.get(word)
            if place is not None:
                count = self._counts[:, place].toarray().ravel()
                total += weight * count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * self._relative_lengths))
        return total / reachable if reachable else total

    def _frequency(self, word: str) -> int:
        place = self._places.get(word)
        return 0 if place is None else int((self._counts[:, place] > 0).sum())

    def coverage(self, question: str) -> NDArray[np.float64]:
        """How much of the question's content words each text has, 0 to 1; rare words weigh more, unknown ones most."""
        wanted = content_stems(question)
        total = sum(self._weights.get(word, self._unseen) for word in wanted)
        if not total:
            return np.zeros(len(self._contents))
        return np.array([sum(self._weights[word] for word in wanted & content) / total for content in self._contents])


def stems(text: str) -> list[str]:
    """The words of a text without their commonest English endings."""
    return [_stem(word) for word in _WORD.findall(text.lower())]


def content_stems(text: str) -> frozenset[str]:
    """The stems of the words that carry meaning."""
    return frozenset(_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS and len(word) > 1)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word


def _weight(texts: int, frequency: int) -> float:
    """How much a word says. Source: the inverse document frequency of BM25."""
    return math.log(1 + (texts - frequency + 0.5) / (frequency + 0.5))
