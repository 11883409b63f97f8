"""How well intents are understood: an episode's examples are learned as a playbook's are, and its test texts ranked."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.errors import TooFewExamples
from agents.local.intents import IntentModel, Ranking, calibration_error, fit
from evals.errors import EpisodeUnusable
from memory.vectors import Embedder
from policies.words import Json

NEAR, FAR = "__oos_near__", "__oos_far__"
"""Labels of requests that no intent covers: of the same business, and anything else."""


class LabelledText(BaseModel):
    """What somebody said, and which intent it is."""

    model_config = ConfigDict(frozen=True)

    text: str
    label: str


class Episode(BaseModel):
    """Intents by their examples, and texts to be told apart."""

    model_config = ConfigDict(frozen=True)

    journey: str
    intents: dict[str, list[str]]
    test: list[LabelledText]


@dataclass(frozen=True, slots=True)
class IntentFigures:
    """What was measured; shares are from 0 to 1, and None where there was nothing to take a share of."""

    journey: str
    model: IntentModel
    ranked: Sequence[tuple[str, Ranking]]
    """Each text's label with what was made of it."""
    fit_s: float
    ms_per_text: float

    def as_json(self) -> dict[str, Json]:
        """The figures by name."""
        covered = [(label, ranking) for label, ranking in self.ranked if label not in {NEAR, FAR}]
        accepted = [(label, ranking) for label, ranking in covered if ranking.answer == "accept"]
        clarified = [(label, ranking) for label, ranking in covered if ranking.answer == "clarify"]
        right = [label == ranking.best for label, ranking in covered]
        sure = [max(ranking.probabilities.values()) for _, ranking in covered]
        expected = self.model.report
        return {
            "journey": self.journey,
            "intents": len(self.model.intents),
            "texts": {"covered": len(covered), "near": len(self._answers(NEAR)), "far": len(self._answers(FAR))},
            "accuracy": _share(right),
            "coverage": _share([ranking.answer == "accept" for _, ranking in covered]),
            "accuracy_accepted": _share([label == ranking.best for label, ranking in accepted]),
            "near_rejected": _share([answer != "accept" for answer in self._answers(NEAR)]),
            "far_rejected": _share([answer != "accept" for answer in self._answers(FAR)]),
            "clarify_top2": _share([label in ranking.alternatives for label, ranking in clarified]),
            "ece": round(calibration_error(sure, right), 4) if covered else None,
            "ms_per_text": round(self.ms_per_text, 3),
            "fit_s": round(self.fit_s, 3),
            "weights": self.model.weights or "none",
            "clarified": len(clarified),
            "near_abstained": _share([answer == "abstain" for answer in self._answers(NEAR)]),
            "far_abstained": _share([answer == "abstain" for answer in self._answers(FAR)]),
            "expected": {
                "accuracy": round(expected.accuracy, 4),
                "ece": round(expected.calibration_error, 4),
                "coverage": round(expected.coverage, 4),
                "near_rejected": round(expected.uncovered_refused, 4),
            },
        }

    def _answers(self, label: str) -> list[str]:
        return [ranking.answer for each, ranking in self.ranked if each == label]


def read_episode(file: Path) -> Episode:
    """Read an episode.

    Raises:
        EpisodeUnusable: It isn't JSON of this form, or a text has a label that no intent has.
    """
    try:
        episode = Episode.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise EpisodeUnusable(file, "it can't be read as JSON") from error
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in wrong["loc"]) or "the whole"
        raise EpisodeUnusable(file, f"{place}: {wrong['msg']}") from None
    unknown = {each.label for each in episode.test} - {NEAR, FAR} - set(episode.intents)
    if unknown:
        raise EpisodeUnusable(file, f"no intent is called {min(unknown)!r}, which is the label of a test text")
    if not episode.test:
        raise EpisodeUnusable(file, "it has no test texts")
    return episode


def measure_intents(
    episode: Episode,
    *,
    embedder: Embedder | None,
    clock: Callable[[], float],
    on_text: Callable[[], None] = lambda: None,
) -> IntentFigures:
    """Learn the examples, then rank every text by itself, as the turns of conversations do.

    Args:
        episode: What to learn and to tell apart.
        embedder: Verified weights, or None.
        clock: Seconds from any beginning.
        on_text: Called after each text.

    Raises:
        EpisodeUnusable: An intent has too few examples.
    """
    began = clock()
    model = _fit(episode.intents, embedder, episode.journey)
    fit_s = clock() - began
    ranked: list[tuple[str, Ranking]] = []
    began = clock()
    for each in episode.test:
        ranked.append((each.label, model.rank(each.text)))
        on_text()
    ms_per_text = (clock() - began) * 1000 / len(episode.test)
    return IntentFigures(episode.journey, model, ranked, fit_s, ms_per_text)


def _fit(intents: Mapping[str, Sequence[str]], embedder: Embedder | None, journey: str) -> IntentModel:
    try:
        return fit(intents, embedder=embedder)
    except TooFewExamples as error:
        raise EpisodeUnusable(Path(journey), str(error).rstrip(".")) from None


def _share(held: Sequence[bool]) -> float | None:
    return round(sum(held) / len(held), 4) if held else None
