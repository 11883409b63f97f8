"""Which one tool a message asks for, told from the tools' own example utterances; for open journeys without a model."""

from collections.abc import Sequence
from functools import lru_cache

from sklearn.feature_extraction.text import TfidfVectorizer

from agents.local.pieces import content_words, normalised
from agents.local.sheets import ToolCard

ALIKE = 0.32
"""Cosine from which an example counts as asking for the same."""
AHEAD = 0.05
"""How far the best tool must be ahead of the second."""


def choose_tool(text: str, tools: Sequence[ToolCard]) -> ToolCard | None:
    """The read tool whose examples are most like the message; None if none is, or two are about equally.

    Writing tools are compared too: a message that asks for one of them is answered by no other, and needs planning.
    """
    known = [tool for tool in tools if tool.examples]
    plain = normalised(text)
    if not known or not content_words(plain):
        return None
    scores = _scores(plain, tuple((tool.name, tool.examples) for tool in known))
    ranked = sorted(known, key=lambda tool: (-scores[tool.name], tool.name))
    best = scores[ranked[0].name]
    second = scores[ranked[1].name] if len(ranked) > 1 else 0.0
    is_plain = best >= ALIKE and best - second >= AHEAD
    return ranked[0] if is_plain and ranked[0].kind == "read" else None


def _scores(text: str, examples: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, float]:
    vectorizer = _vectorizer(examples)
    said = vectorizer.transform([text])
    return {
        name: float((vectorizer.transform([normalised(each) for each in own]) @ said.T).max()) for name, own in examples
    }


@lru_cache(maxsize=32)
def _vectorizer(examples: tuple[tuple[str, tuple[str, ...]], ...]) -> TfidfVectorizer:
    texts = [normalised(each) for _, own in examples for each in own]
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True).fit(texts)
