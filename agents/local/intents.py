"""What a customer wants, learned from journeys' utterances: a linear classifier that knows when it doesn't know."""

import math
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from agents.errors import TooFewExamples
from agents.journeys import Journey
from agents.local.pieces import Array, Pieces, core, elsewhere, normalised
from memory.vectors import Embedder

Labels: TypeAlias = NDArray[np.int64]

MINIMUM_EXAMPLES = 5
FOLDS, FOLDS_OF_FEW, FEW = 5, 10, 100
INVERSE_REGULARISATION, TOLERANCE = 10.0, 0.001
LEXICAL_SHARE, NEAREST_SHARE = 0.6, 0.5
"""How much the words themselves, and the examples most alike, count beside the classifier of meaning."""
NEAREST, SHARPNESS = 3, 20.0
"""How many examples most alike, and what makes a probability of their cosines."""
STRICTEST_LEXICAL, STRICTEST, MILDEST = 0.03, 0.05, 0.01
"""The shares of left-out examples that the threshold may give up. Where only words count, real customers use more of
them that no example has, so that a threshold of the same name would cost more."""
ENOUGH_REFUSED = 0.75
"""The mildest threshold is taken that refuses this share of the examples of intents that were left out whole."""
CLARIFY_QUANTILE = 0.005
CLOSE_MARGIN = 0.04
"""Accepted only if the best probability is ahead of the second by more than this; else we ask which of the two."""
GROUPS_LEFT_OUT = 4
KEPT_MODELS = 8
NAME_BREAK = re.compile(r"[_\W]+|(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a text may be about."""

    best: str
    answer: Literal["accept", "clarify", "abstain"]
    confidence: float
    """Calibrated probability of the best if accepted, else the lower acceptance score."""
    score: float
    """How much the text is like what the intents cover: 0 to 1, accepted from 0.5."""
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
    uncovered_refused: float
    """Share of examples that would not be accepted if their intent were not there: what to expect of requests that no
    intent covers."""
    confused: tuple[tuple[str, str, int], ...]
    """Pairs (true, predicted, how often), most often first."""
    odd: tuple[str, ...]
    """Examples that look like another intent's with confidence; worth a second look."""


_FITTED: OrderedDict[tuple[tuple[tuple[str, str], ...], str], "IntentModel"] = OrderedDict()
"""What was fitted last in this process: the same examples need not be learned again."""
_LOCK = Lock()


class _Head:
    """A linear classifier over rows of features, with one more class for what is said elsewhere."""

    def __init__(self, features: Any, labels: Labels, *, sparse: bool) -> None:
        # As many dimensions as there are texts span the same space, and are few however many pieces there are.
        rows: Array = features
        if sparse:
            products = (features @ features.T).toarray()
            rows = np.linalg.cholesky(products + 1e-6 * np.eye(len(products)))
        # No intent is favoured for having more examples.
        classifier = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=2000, tol=TOLERANCE, class_weight="balanced")
        classifier.fit(rows, labels)
        weights: Array = classifier.coef_.T
        if sparse:
            weights = features.T @ solve_triangular(rows.T, weights)
        self._weights, self._bias = weights, classifier.intercept_

    def log_probabilities(self, features: Any) -> Array:
        """One row per text, one column per intent and the last for elsewhere."""
        logits: Array = features @ self._weights + self._bias
        if logits.shape[1] == 1:
            # Of two classes the classifier gives one number.
            logits = np.concatenate([-logits / 2, logits / 2], axis=1)
        return _log_softmax(logits)


class _Training:
    """Examples, then the intents' names, then what is said elsewhere: taken apart once, fitted in any selection."""

    def __init__(self, texts: Sequence[str], labels: Labels, examples: int, embedder: Embedder | None) -> None:
        self.labels, self.examples = labels, examples
        self.pieces = Pieces([core(text) for text in texts])
        self.vectors: Array | None = None
        if embedder is not None:
            self.vectors = embedder.embed([normalised(text) for text in texts]).astype(np.float64)

    def fit(self, rows: Labels) -> "_Heads":
        """Classifiers of these rows, for those intents that have any."""
        _, labels = np.unique(self.labels[rows], return_inverse=True)
        rarity = self.pieces.rarity(rows)
        features = self.pieces.weigh(self.pieces.incidence[rows], rarity)
        lexical = _Head(features, labels, sparse=True)
        if self.vectors is None:
            return _Heads(self.pieces, rarity, lexical, None, ())
        vectors = self.vectors[rows]
        examples = tuple(vectors[labels == label] for label in range(labels.max()))
        return _Heads(self.pieces, rarity, lexical, _Head(vectors, labels, sparse=False), examples)


@dataclass(frozen=True, slots=True)
class _Heads:
    """One classifier of the words and, where there are weights, one of their meaning."""

    pieces: Pieces
    rarity: Array
    lexical: _Head
    meaning: _Head | None
    examples: tuple[Array, ...]
    """Vectors of the examples, by intent; empty without weights."""

    def look(self, incidence: Any, vectors: Array | None) -> tuple[Array, Array]:
        """The vote for each intent (log scale), and signs that the text is about any of them (more is better)."""
        lexical = self.lexical.log_probabilities(self.pieces.weigh(incidence, self.rarity))[:, :-1]
        if self.meaning is None or vectors is None:
            return lexical, lexical.max(axis=1, keepdims=True)
        meaning = self.meaning.log_probabilities(vectors)[:, :-1]
        cosines = [np.sort(vectors @ own.T, axis=1)[:, -NEAREST:] for own in self.examples]
        alike = np.stack([own.mean(axis=1) for own in cosines], axis=1)
        nearest = np.sort(np.concatenate(cosines, axis=1), axis=1)[:, -NEAREST:].mean(axis=1)
        signs = np.stack([lexical.max(axis=1), meaning.max(axis=1), nearest], axis=1)
        return meaning + LEXICAL_SHARE * lexical + NEAREST_SHARE * _log_softmax(SHARPNESS * alike), signs


@dataclass(frozen=True, slots=True)
class _Scale:
    """What signs are usual among the left-out examples."""

    middle: Array
    spread: Array

    def standing(self, signs: Array) -> Array:
        """Where texts stand among the left-out examples: their signs in standard deviations, averaged."""
        result: Array = ((signs - self.middle) / self.spread).mean(axis=1)
        return result


@dataclass(frozen=True, slots=True)
class _Calibration:
    """What the left-out examples taught: how sure to be, and from where on to accept."""

    temperature: float
    scale: _Scale
    accept: float
    clarify: float


class IntentModel:
    """A fitted classifier with its temperature and thresholds. Immutable after `fit`."""

    def __init__(
        self,
        names: Sequence[str],
        heads: _Heads,
        calibration: _Calibration,
        embedder: Embedder | None,
        report: FitReport,
    ) -> None:
        self._names, self._heads, self._calibration, self._embedder = list(names), heads, calibration, embedder
        self.report = report

    @property
    def intents(self) -> list[str]:
        """Ids, sorted."""
        return list(self._names)

    @property
    def weights(self) -> str | None:
        """Name of the embedder whose weights it uses; None if it uses none."""
        return self._embedder.name if self._embedder is not None else None

    def rank(self, text: str) -> Ranking:
        """What one text may be about."""
        return self.rank_all([text])[0]

    def rank_all(self, texts: Sequence[str]) -> list[Ranking]:
        """The same for several texts at once, which is faster."""
        if not texts:
            return []
        vectors = None
        if self._embedder is not None:
            vectors = self._embedder.embed([normalised(text) for text in texts]).astype(np.float64)
        votes, signs = self._heads.look(self._heads.pieces.look_up([core(text) for text in texts]), vectors)
        probabilities = _softmax(votes / self._calibration.temperature)
        standings = self._calibration.scale.standing(signs)
        return [self._ranking(row, float(each)) for row, each in zip(probabilities, standings, strict=True)]

    def _ranking(self, probabilities: Array, standing: float) -> Ranking:
        order = np.argsort(-probabilities, kind="stable")
        best, second = float(probabilities[order[0]]), float(probabilities[order[1]])
        answer: Literal["accept", "clarify", "abstain"] = "abstain"
        if standing >= self._calibration.accept:
            answer = "accept" if best - second > CLOSE_MARGIN else "clarify"
        elif standing >= self._calibration.clarify:
            answer = "clarify"
        score = 1 / (1 + math.exp(self._calibration.accept - standing))
        return Ranking(
            best=self._names[order[0]],
            answer=answer,
            confidence=round(best if answer == "accept" else min(best, score), 4),
            score=score,
            alternatives=tuple(self._names[index] for index in order[:2]),
            probabilities={name: float(value) for name, value in zip(self._names, probabilities, strict=True)},
        )


def fit(examples: Mapping[str, Sequence[str]], *, embedder: Embedder | None = None) -> IntentModel:
    """Learn intents from their examples. The same examples and weights give the same model.

    Args:
        examples: Intent → at least five utterances.
        embedder: Verified weights that know the meaning of words; without it words count as they are written.

    Raises:
        TooFewExamples: Names the intents that have too few, or says that there are none.
    """
    few = sorted(name for name, texts in examples.items() if len(texts) < MINIMUM_EXAMPLES)
    if few or not examples:
        named = ", ".join(few) or "no intent at all"
        raise TooFewExamples(f"Too few examples: {named}. Give each at least {MINIMUM_EXAMPLES} utterances.")
    if len(examples) == 1:
        raise TooFewExamples("One intent alone can't be told from others. Give at least two.")
    pairs = tuple(sorted((name, text) for name, texts in examples.items() for text in texts))
    key = (pairs, embedder.hash if embedder is not None else "")
    with _LOCK:
        if key not in _FITTED:
            # Matrices of this size gain nothing from more threads, and threads that wait for each other cost a lot.
            with threadpool_limits(limits=1):
                _FITTED[key] = _fit(pairs, embedder)
        _FITTED.move_to_end(key)
        while len(_FITTED) > KEPT_MODELS:
            _FITTED.popitem(last=False)
        return _FITTED[key]


def _fit(pairs: Sequence[tuple[str, str]], embedder: Embedder | None) -> IntentModel:
    names = sorted({name for name, _ in pairs})
    texts, count = [text for _, text in pairs], len(pairs)
    labels = np.array(
        [*(names.index(name) for name, _ in pairs), *range(len(names)), *(len(names) for _ in elsewhere())]
    )
    training = _Training([*texts, *(_spoken(name) for name in names), *elsewhere()], labels, count, embedder)
    votes, signs = _left_out(training, texts)
    truth = labels[:count]
    temperature = _temperature(votes[:count], truth)
    scale = _Scale(signs[:count].mean(axis=0), signs[:count].std(axis=0) + 1e-9)
    standings, uncovered = scale.standing(signs), scale.standing(_without_their_intent(training, names))
    strictest = STRICTEST if embedder is not None else STRICTEST_LEXICAL
    accept = _threshold(standings[:count], uncovered, strictest)
    clarify = float(np.quantile(standings[:count], CLARIFY_QUANTILE))
    # What is said elsewhere and still looks like one of the intents would teach that it is none.
    kept = np.flatnonzero((labels < len(names)) | (standings < accept))
    report = _report(
        _softmax(votes[:count] / temperature),
        truth,
        names,
        texts,
        accepted=standings[:count] >= accept,
        refused=float((uncovered < accept).mean()),
    )
    calibration = _Calibration(temperature, scale, accept, clarify)
    return IntentModel(names, training.fit(kept), calibration, embedder, report)


def fit_journeys(journeys: Sequence[Journey], *, embedder: Embedder | None = None) -> IntentModel:
    """Learn the journeys of a playbook from their utterances. Raises `TooFewExamples`."""
    return fit({journey.id: journey.utterances for journey in journeys}, embedder=embedder)


def _spoken(name: str) -> str:
    """An intent's name as words: what whoever named it would call the matter."""
    return NAME_BREAK.sub(" ", name).strip().lower()


def _left_out(training: _Training, texts: Sequence[str]) -> tuple[Array, Array]:
    """Votes and signs of the examples and of what is said elsewhere, from classifiers that were trained without them.

    Of the intents' names nothing is left out, and their rows say nothing.
    """
    intents = int(training.labels.max())
    votes = np.zeros((len(training.labels), intents))
    signs = np.zeros((len(training.labels), 1 if training.vectors is None else 3))
    folds = np.full(len(training.labels), -1)
    count = FOLDS_OF_FEW if training.examples < FEW else FOLDS
    beyond = training.examples + intents
    folds[: training.examples] = _folds(texts, training.labels[: training.examples], count)
    folds[beyond:] = _folds(elsewhere(), training.labels[beyond:], count)
    for fold in range(count):
        outside = np.flatnonzero(folds == fold)
        heads = training.fit(np.flatnonzero(folds != fold))
        vectors = training.vectors[outside] if training.vectors is not None else None
        votes[outside], signs[outside] = heads.look(training.pieces.incidence[outside], vectors)
    return votes, signs


def calibration_error(confidence: Sequence[float] | Array, right: Sequence[bool] | NDArray[np.bool_]) -> float:
    """Expected calibration error: how far confidence is from the share that is right, in ten bins."""
    sure, held = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    bins = np.minimum((sure * 10).astype(int), 9)
    return sum(
        abs(float(held[bins == each].mean() - sure[bins == each].mean())) * float((bins == each).mean())
        for each in set(bins.tolist())
    )


def _without_their_intent(training: _Training, names: Sequence[str]) -> Array:
    """Signs of each example from classifiers that don't know its intent: how a request looks that no intent covers."""
    order = sorted(range(len(names)), key=lambda label: sha256(names[label].encode()).digest())
    signs: list[Array] = []
    # At least one intent stays, or there is nothing to be taken for.
    for group in range(min(GROUPS_LEFT_OUT, len(names))):
        gone = np.isin(training.labels, order[group :: min(GROUPS_LEFT_OUT, len(names))])
        outside = np.flatnonzero(gone[: training.examples])
        vectors = training.vectors[outside] if training.vectors is not None else None
        signs.append(training.fit(np.flatnonzero(~gone)).look(training.pieces.incidence[outside], vectors)[1])
    return np.concatenate(signs)


def _threshold(standings: Array, uncovered: Array, strictest: float) -> float:
    """The mildest threshold that refuses enough of what no intent covers, within limits; else the strictest."""
    for share in np.arange(MILDEST, strictest, 0.0025):
        threshold = float(np.quantile(standings, share))
        if (uncovered < threshold).mean() >= ENOUGH_REFUSED:
            return threshold
    return float(np.quantile(standings, strictest))


def _folds(texts: Sequence[str], labels: Labels, count: int) -> Labels:
    """A fold a text: each class's texts spread evenly, in the order of their hashes."""
    folds = np.zeros(len(texts), dtype=np.int64)
    place = 0
    for label in sorted(set(labels.tolist())):
        own = sorted(np.flatnonzero(labels == label).tolist(), key=lambda index: sha256(texts[index].encode()).digest())
        for index in own:
            folds[index] = place % count
            place += 1
    return folds


def _temperature(votes: Array, truth: Labels) -> float:
    def loss(log_temperature: float) -> float:
        logs = _log_softmax(votes / math.exp(log_temperature))
        return float(-logs[np.arange(len(truth)), truth].mean())

    return math.exp(float(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def _softmax(logits: Array) -> Array:
    result: Array = np.exp(_log_softmax(logits))
    return result


def _report(
    probabilities: Array,
    truth: Labels,
    names: Sequence[str],
    texts: Sequence[str],
    *,
    accepted: NDArray[np.bool_],
    refused: float,
) -> FitReport:
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    clear = confidence - np.sort(probabilities, axis=1)[:, -2] > CLOSE_MARGIN
    right = predicted == truth
    wrong: dict[tuple[str, str], int] = {}
    for true, guess in zip(truth[~right], predicted[~right], strict=True):
        pair = (names[true], names[guess])
        wrong[pair] = wrong.get(pair, 0) + 1
    return FitReport(
        accuracy=float(right.mean()),
        calibration_error=calibration_error(confidence, right),
        coverage=float((accepted & clear).mean()),
        uncovered_refused=refused,
        confused=tuple(sorted(((a, b, n) for (a, b), n in wrong.items()), key=lambda each: (-each[2], each[:2]))),
        odd=tuple(text for text, fine, sure in zip(texts, right, confidence, strict=True) if not fine and sure > 0.7),
    )
