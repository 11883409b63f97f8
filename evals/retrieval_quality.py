"""How well retrieval finds: utterances of one meaning among many, and records by the names and numbers in them."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evals.errors import SamplesUnreadable
from memory.lexical import Lexicon
from memory.retrieval import HASHED_WEIGHT, fused
from memory.vectors import HashingEmbedder
from policies.words import Json

STORED_PER_LABEL: Final = 10
WAYS: Final = ("default", "vectors", "bm25")
SETS: Final = ("banking77_train.jsonl", "clinc150_train.jsonl")


@dataclass(frozen=True, slots=True)
class Found:
    """How often the right one came first, and was among the first five; shares of the questions."""

    hit_1: float
    hit_5: float


@dataclass(frozen=True, slots=True)
class Quality:
    """One set, asked in each way."""

    name: str
    stored: int
    asked: int
    ways: Mapping[str, Found]

    def as_json(self) -> dict[str, Json]:
        """Plain JSON; shares to three places."""
        return {
            "stored": self.stored,
            "asked": self.asked,
            **{way: {"hit@1": round(one.hit_1, 3), "hit@5": round(one.hit_5, 3)} for way, one in self.ways.items()},
        }


def utterances(file: Path, *, most: int, seed: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Ten utterances of each label to store, and others to ask, drawn by the seed.

    Raises:
        SamplesUnreadable: A line isn't {"text", "label"}.
    """
    by_label: defaultdict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            by_label[str(row["label"])].append(str(row["text"]))
        except (ValueError, KeyError, TypeError):
            raise SamplesUnreadable(file, number, problem='not {"text", "label"}') from None
    chance = random.Random(seed)
    stored, asked = [], []
    for label in sorted(by_label):
        texts = by_label[label]
        chance.shuffle(texts)
        stored += [(text, label) for text in texts[:STORED_PER_LABEL]]
        asked += [(text, label) for text in texts[STORED_PER_LABEL:]]
    chance.shuffle(asked)
    return stored, asked[:most]


def records(*, most: int, seed: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Notes about orders that differ in names, numbers and dates only, and questions for one of them by such a mark."""
    chance = random.Random(seed)
    people = [f"{first} {last}" for first in _FIRST_NAMES for last in _LAST_NAMES]
    chance.shuffle(people)
    stored, asked = [], []
    for place, person in enumerate(people):
        number = str(20_000 + 37 * place + chance.randrange(37))
        day = date(2026, 1, 5) + timedelta(days=place)
        subject, words = chance.choice(_MATTERS)
        label = f"note-{place}"
        stored.append((f"{person} asked about the {subject} of order {number} on {day.isoformat()}: {words}", label))
        asked += [
            (f"what was it with order {number}?", label),
            (f"what did {person} ask?", label),
            (f"what happened on {day.isoformat()}?", label),
        ]
    chance.shuffle(asked)
    return stored, asked[:most]


def measure(
    name: str,
    stored: Sequence[tuple[str, str]],
    asked: Sequence[tuple[str, str]],
    *,
    on_question: Callable[[], None] = lambda: None,
) -> Quality:
    """Ask each question of the stored texts, the default way and by each half alone; right is what has its label."""
    texts = [text for text, _ in stored]
    labels = np.array([label for _, label in stored])
    embedder = HashingEmbedder()
    vectors = embedder.embed(texts)
    lexicon = Lexicon(texts)
    hits = {way: [0, 0] for way in WAYS}
    for question, label in asked:
        likeness: NDArray[np.float32] = embedder.embed([question])[0] @ vectors.T
        scored: dict[str, NDArray[np.floating[Any]]] = {
            "default": fused(likeness, lexicon.scores(question), vector_weight=HASHED_WEIGHT),
            "vectors": likeness,
            "bm25": lexicon.bm25(question),
        }
        for way, scores in scored.items():
            right = labels[np.argsort(-scores, kind="stable")[:5]] == label
            hits[way][0] += bool(right[0])
            hits[way][1] += bool(right.any())
        on_question()
    return Quality(
        name,
        len(stored),
        len(asked),
        {way: Found(first / len(asked), five / len(asked)) for way, (first, five) in hits.items()},
    )


_FIRST_NAMES = ("Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Farah", "Goran", "Hana", "Ines", "Jonas", "Kaja", "Leon")
_LAST_NAMES = ("Abel", "Brandt", "Costa", "Duran", "Eklund", "Ferrari", "Gallo", "Horvat", "Ivanov", "Jansen", "Kowal")
_MATTERS = (
    ("delivery", "the parcel was late and the carrier had no news"),
    ("refund", "the money hadn't arrived on the card yet"),
    ("return", "the label couldn't be printed at home"),
    ("invoice", "the address of the company was missing on it"),
    ("size", "the sweater was too small and another one was wanted"),
)
