"""What a customer wants, learned from journeys' utterances: a linear classifier that knows when it doesn't know."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from agents.errors import TooFewExamples
from agents.journeys import Journey

Array: TypeAlias = NDArray[np.float64]

MINIMUM_EXAMPLES = 5
FOLDS = 5
LEAVE_ONE_OUT_BELOW = 40
INVERSE_REGULARISATION = 10.0
NEAREST = 3
ACCEPT_QUANTILE, CLARIFY_QUANTILE = 0.05, 0.01
CLOSE_MARGIN = 0.12
"""Accepted only if the best probability is ahead of the second by more than this; else we ask which of the two."""

MASKS = (
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"), " "),
    (re.compile(r"#?\b[a-z]{0,3}\d{4,}\b", re.IGNORECASE), " 0 "),
    (re.compile(r"[’‘`]"), "'"),
)
WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\S+",
        """a about am an and any are as at be been but by can could did do does for from get got had has have hello hey
        hi how i i'd i'll i'm i've if in is it it's its just know let like me might my need of ok on one or
        our please so some thank thanks that that's the their them then there these they this to up us want
        was we were what when where which who will with would yes you you're your help hey tell give""",
    )
)


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a text may be about."""

    best: str
    answer: Literal["accept", "clarify", "abstain"]
    confidence: float
    """Calibrated probability of the best if accepted, else the lower acceptance score."""
    score: float
    """The acceptance score that the thresholds are for."""
    alternatives: tuple[str, ...]
    """The two best, best first."""
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FitReport:
    """How well the examples tell the intents apart, measured on examples left out of training."""

    accuracy: float
    calibration_error: float
    """Expected calibration error in ten bins."""
    coverage: float
    """Share of left-out examples that would be accepted."""
    confused: tuple[tuple[str, str, int], ...]
    """Pairs (true, predicted, how often), most often first."""
    odd: tuple[str, ...]
    """Examples that look like another intent's with confidence; worth a second look."""


def normalised(text: str) -> str:
    """Lower case, long numbers and ids as one token, no addresses: what was named is not what is wanted."""
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text.lower()


def content_words(text: str) -> list[str]:
    """The words that carry meaning, of normalised text."""
    return [word for word in WORD.findall(text) if word not in FUNCTION_WORDS and word != "0"]


class _Head:
    """Features, classifier and examples of one training set.

    The classifier is fitted in the space that the examples span: with an L2 penalty that is the same classifier, and
    small however many n-grams there are.
    """

    def __init__(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        self._words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")  # noqa: S106  # words of one letter too, no password
        self._characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
        self._examples = _joined(self._words.fit_transform(texts), self._characters.fit_transform(texts))
        values, vectors = np.linalg.eigh(self._similarities(self._examples))
        kept = values > 1e-9
        self._axes: Array = vectors[:, kept] / np.sqrt(values[kept])
        self._classifier = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=2000, tol=1e-3)
        self._classifier.fit(self._similarities(self._examples) @ self._axes, list(labels))
        self.classes: list[str] = [str(name) for name in self._classifier.classes_]
        self._vocabulary = {word for text in texts for word in content_words(text)}

    def look(self, texts: Sequence[str]) -> tuple[Array, Array, Array]:
        """Logits, cosines to every example, and the share of content words seen in training."""
        features = _joined(self._words.transform(texts), self._characters.transform(texts))
        similarities = self._similarities(features)
        logits: Array = self._classifier.decision_function(similarities @ self._axes)
        if logits.ndim == 1:
            logits = np.stack([-logits, logits], axis=1)
        return logits, similarities, np.array([self._seen(text) for text in texts])

    def _similarities(self, features: Any) -> Array:
        product: Array = (features @ self._examples.T).toarray()
        return product

    def _seen(self, text: str) -> float:
        words = content_words(text)
        return sum(word in self._vocabulary for word in words) / len(words) if words else 0.0


def _joined(words: Any, characters: Any) -> Any:
    return normalize(csr_matrix(hstack([words, characters])))


class IntentModel:
    """A fitted classifier with its temperature and thresholds. Immutable after `fit`."""

    def __init__(self, head: _Head, *, temperature: float, accept: float, clarify: float, report: FitReport) -> None:
        self._head, self._temperature, self._accept, self._clarify = head, temperature, accept, clarify
        self.report = report

    @property
    def intents(self) -> list[str]:
        """Ids, sorted."""
        return list(self._head.classes)

    def rank(self, text: str) -> Ranking:
        """What one text may be about."""
        return self.rank_all([text])[0]

    def rank_all(self, texts: Sequence[str]) -> list[Ranking]:
        """The same for several texts at once, which is faster."""
        if not texts:
            return []
        logits, similarities, seen = self._head.look([normalised(text) for text in texts])
        probabilities = _softmax(logits / self._temperature)
        scores = _scores(probabilities, similarities, seen)
        return [self._ranking(row, float(score)) for row, score in zip(probabilities, scores, strict=True)]

    def _ranking(self, probabilities: Array, score: float) -> Ranking:
        order = np.argsort(-probabilities, kind="stable")
        names = self._head.classes
        best, margin = float(probabilities[order[0]]), 1.0
        if len(order) > 1:
            margin = best - float(probabilities[order[1]])
        answer: Literal["accept", "clarify", "abstain"] = "abstain"
        if score >= self._accept:
            answer = "accept" if margin > CLOSE_MARGIN else "clarify"
        elif score >= self._clarify:
            answer = "clarify"
        return Ranking(
            best=names[order[0]],
            answer=answer,
            confidence=round(best if answer == "accept" else min(best, score), 4),
            score=score,
            alternatives=tuple(names[index] for index in order[:2]),
            probabilities={name: float(value) for name, value in zip(names, probabilities, strict=True)},
        )


def fit(examples: Mapping[str, Sequence[str]]) -> IntentModel:
    """Learn intents from their examples. The same examples give the same model.

    Args:
        examples: Intent → at least five utterances.

    Raises:
        TooFewExamples: Names the intents that have too few, or says that there are none.
    """
    few = sorted(name for name, texts in examples.items() if len(texts) < MINIMUM_EXAMPLES)
    if few or not examples:
        named = ", ".join(few) or "no intent at all"
        raise TooFewExamples(f"Too few examples: {named}. Give each at least {MINIMUM_EXAMPLES} utterances.")
    if len(examples) == 1:
        raise TooFewExamples("One intent alone can't be told from others. Give at least two.")
    pairs = sorted((name, normalised(text)) for name, texts in examples.items() for text in texts)
    labels, texts = [name for name, _ in pairs], [text for _, text in pairs]
    logits, similarities, seen = _left_out(texts, labels)
    head = _Head(texts, labels)
    truth = np.array([head.classes.index(label) for label in labels])
    temperature = _temperature(logits, truth)
    probabilities = _softmax(logits / temperature)
    scores = _scores(probabilities, similarities, seen)
    accept, clarify = (float(np.quantile(scores, quantile)) for quantile in (ACCEPT_QUANTILE, CLARIFY_QUANTILE))
    report = _report(probabilities, truth, head.classes, texts, scores >= accept)
    return IntentModel(head, temperature=temperature, accept=accept, clarify=clarify, report=report)


def fit_journeys(journeys: Sequence[Journey]) -> IntentModel:
    """Learn the journeys of a playbook from their utterances. Raises `TooFewExamples`."""
    return fit({journey.id: journey.utterances for journey in journeys})


def _left_out(texts: Sequence[str], labels: Sequence[str]) -> tuple[Array, Array, Array]:
    """Logits, cosines and seen shares of each example, from a head that was trained without it."""
    names = sorted(set(labels))
    folds = _folds(texts, labels)
    logits = np.full((len(texts), len(names)), -30.0)
    similarities = np.zeros((len(texts), NEAREST))
    seen = np.zeros(len(texts))
    for fold in sorted(set(folds)):
        inside = [index for index, each in enumerate(folds) if each != fold]
        outside = [index for index, each in enumerate(folds) if each == fold]
        head = _Head([texts[index] for index in inside], [labels[index] for index in inside])
        part, cosines, shares = head.look([texts[index] for index in outside])
        logits[np.ix_(outside, [names.index(name) for name in head.classes])] = part
        similarities[outside] = np.sort(cosines, axis=1)[:, -NEAREST:]
        seen[outside] = shares
    return logits, similarities, seen


def _folds(texts: Sequence[str], labels: Sequence[str]) -> list[int]:
    """A fold a text: each intent's texts spread evenly, in the order of their hashes; one each where there are few."""
    if len(texts) < LEAVE_ONE_OUT_BELOW:
        return list(range(len(texts)))
    folds = [0] * len(texts)
    for name in sorted(set(labels)):
        own = [index for index, label in enumerate(labels) if label == name]
        own.sort(key=lambda index: sha256(texts[index].encode()).digest())
        for place, index in enumerate(own):
            folds[index] = place % FOLDS
    return folds


def _temperature(logits: Array, truth: NDArray[np.int64]) -> float:
    def loss(log_temperature: float) -> float:
        probabilities = _softmax(logits / math.exp(log_temperature))
        return float(-np.log(probabilities[np.arange(len(truth)), truth] + 1e-12).mean())

    return math.exp(float(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def _scores(probabilities: Array, similarities: Array, seen: Array) -> Array:
    nearest = np.sort(similarities, axis=1)[:, -NEAREST:].mean(axis=1)
    scores: Array = np.sqrt(probabilities.max(axis=1)) * np.clip(nearest, 0.0, 1.0) * (0.3 + 0.7 * seen)
    return scores


def _softmax(logits: Array) -> Array:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Array = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def _report(
    probabilities: Array,
    truth: NDArray[np.int64],
    names: Sequence[str],
    texts: Sequence[str],
    accepted: NDArray[np.bool_],
) -> FitReport:
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    right = predicted == truth
    bins = np.minimum((confidence * 10).astype(int), 9)
    error = sum(
        abs(float(right[bins == each].mean()) - float(confidence[bins == each].mean())) * float((bins == each).mean())
        for each in set(bins.tolist())
    )
    wrong: dict[tuple[str, str], int] = {}
    for true, guess in zip(truth[~right], predicted[~right], strict=True):
        pair = (names[true], names[guess])
        wrong[pair] = wrong.get(pair, 0) + 1
    return FitReport(
        accuracy=float(right.mean()),
        calibration_error=float(error),
        coverage=float(accepted.mean()),
        confused=tuple(sorted(((a, b, n) for (a, b), n in wrong.items()), key=lambda each: (-each[2], each[:2]))),
        odd=tuple(text for text, fine, sure in zip(texts, right, confidence, strict=True) if not fine and sure > 0.7),
    )
