"""What a text is made of: words, letters, stems, concepts and kinds of question, weighed so that rare ones count."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Array: TypeAlias = NDArray[np.float64]

MASKS = (
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"), " "),
    (re.compile(r"#?\b[a-z]{0,3}\d{4,}\b", re.IGNORECASE), " 0 "),
    (re.compile(r"[’‘`]"), "'"),
)
WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
ANY_WORD = re.compile(r"\w+")
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\S+",
        """a about am an and any are as at be been but by can could did do does for from get got had has have hello hey
        hi how i i'd i'll i'm i've if in is it it's its just know let like me might my need of ok on one or
        our please so some thank thanks that that's the their them then there these they this to up us want
        was we were what when where which who will with would yes you you're your help hey tell give""",
    )
)
GREETING = re.compile(
    r"^(?:(?:hi|hiya|hello|hey|hola|greetings|good (?:morning|afternoon|evening|day))(?: there)?\b[\s,.!:;-]*)+"
)
NAMED = re.compile(
    r"(?i:\bmy name is|\bname's|\bthis is|\bi am|\bi'm)\s+[A-Z][\w'.]*(?:\s+[A-Z][\w'.]*)?"
    r"|(?i:\bmy name(?: is|'s)?)\s+\w+(?:\s+(?!(?i:and|i|i'd|i'm|can|please|we|you)\b)\w+)?"
)
"""Who somebody is says nothing about what they want."""

QUESTIONS = {
    name: re.compile(pattern)
    for name, pattern in {
        "how long": r"how (?:long|soon|quick\w*|many (?:\w+ )?(?:days|weeks|hours|minutes))|how much (?:longer|time)"
        r"|\beta\b|what time ?frame|takes? to|wait(?:ing)? time",
        "when": r"\bwhen\b|(?:what|which) (?:day|date|time)|\bdeadline\b",
        "where": r"\bwhere\b|what (?:city|state|country|location|place)|near(?:est|by)?\b|closest",
        "how much": r"how (?:much|many)|\b(?:price|cost|fee|charge)s?\b",
        "why": r"\bwhy\b|how come|explain|reason",
        "how": r"how (?:do|can|could|would|should|to|does)\b|what (?:are the )?steps|way to|process (?:of|for|to)"
        r"|procedure|instructions?|(?:tell|show) me how",
        "may": r"\b(?:can|could|may|am|are|is|do|does|will) (?:i|we|you|it|there|they)\b|possible|allowed|permitted"
        r"|able to",
        "not": r"n't\b|\b(?:not|never|no|unable|without)\b|fail\w*|declin\w*|reject\w*",
        "still": r"\b(?:still|yet|waiting|pending)\b|hasn't|haven't|so long",
        "did": r"\bi(?:'ve| have| just| already)? (?:\w+ed|got|made|did|paid|bought|sent|put|took|lost|had|was|were)\b"
        r"|\b(?:was|were|has)\b",
        "want": r"\bi(?:'d| would| will|'ll)? (?:like|love|want|need|wanna|have) to\b|\blooking to\b|\bplease\b"
        r"|\bhelp me\b",
        "what": r"\bwhat(?:'s| is| are)\b|\btell me\b|\bwhich\b|\blet me know\b",
    }.items()
}
SUFFIXES = ("ations", "ation", "ingly", "edly", "ings", "ing", "ied", "ies", "ed", "es", "ers", "er", "ly", "s", "'s")
VIEWS = (("words", 0.7), ("letters", 1.0), ("content letters", 0.5), ("stems", 0.7), ("concepts", 0.7), ("asked", 0.5))
"""Ways of looking at a text and how much each counts."""
LETTERS = (2, 3, 4, 5)
"""Lengths of the runs of letters within a word."""


def normalised(text: str) -> str:
    """Lower case, long numbers and ids as one token, no addresses: what was named is not what is wanted."""
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text.lower()


def content_words(text: str) -> list[str]:
    """The words that carry meaning, of normalised text."""
    return [word for word in WORD.findall(text) if word not in FUNCTION_WORDS and word != "0"]


def core(text: str) -> str:
    """Normalised text without greeting and introduction, unless nothing else was said."""
    whole = normalised(text)
    rest = GREETING.sub("", normalised(NAMED.sub(" ", text)).strip())
    return rest if content_words(rest) else whole


def pieces(text: str) -> list[set[str]]:
    """The pieces of a text in each of the views, of what `core` gives."""
    words = ANY_WORD.findall(text)
    content = content_words(text)
    stems = {stem(word) for word in content}
    asked = [name for name, pattern in QUESTIONS.items() if pattern.search(text)]
    known = concepts()
    return [
        {*words, *(f"{one} {two}" for one, two in pairwise(words))},
        set(_runs(text.split())),
        set(_runs(content or words)),
        stems,
        {concept for each in stems for concept in known.get(each, ())},
        {*asked, *(f"{name}+{each}" for name in asked for each in stems)},
    ]


def stem(word: str) -> str:
    """A word without its common endings, roughly: "cancelled", "cancelling" and "cancels" are one."""
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)] + ("y" if suffix in {"ied", "ies"} else "")
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lse":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


@cache
def concepts() -> Mapping[str, tuple[str, ...]]:
    """Stem → the concepts it belongs to, from `concepts.txt`: words that customers use for the same thing."""
    found: dict[str, set[str]] = {}
    for line in _lines("concepts.txt"):
        concept, _, words = line.partition(":")
        for word in words.split():
            found.setdefault(stem(word), set()).add(concept)
    return {word: tuple(sorted(names)) for word, names in found.items()}


@cache
def elsewhere() -> tuple[str, ...]:
    """What people say to assistants and companies of every kind, from `elsewhere.txt`: mostly not about this one."""
    return tuple(_lines("elsewhere.txt"))


class Pieces:
    """Texts taken apart, ready to be weighed for any part of them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._columns: dict[tuple[int, str], int] = {}
        views: list[int] = []
        ends, columns = [0], []
        for text in texts:
            for view, found in enumerate(pieces(text)):
                # Sorted, because the order of a set differs between processes and sums in floating point with it.
                for piece in sorted(found):
                    column = self._columns.setdefault((view, piece), len(views))
                    if column == len(views):
                        views.append(view)
                    columns.append(column)
            ends.append(len(columns))
        self._views = np.array(views, dtype=np.int64)
        shape = (len(texts), len(views))
        self.incidence = csr_matrix((np.ones(len(columns)), np.array(columns), np.array(ends)), shape=shape)

    def rarity(self, rows: NDArray[np.int64]) -> Array:
        """How much each piece counts, from how many of these rows have it; nothing if none has."""
        having = np.asarray(self.incidence[rows].sum(axis=0)).ravel()
        weight: Array = np.log((1 + len(rows)) / (1 + having)) + 1
        weight[having == 0] = 0.0
        return weight

    def weigh(self, incidence: Any, rarity: Array) -> Any:
        """Rows of length 1 in which each view has its share."""
        weighed = csr_matrix(incidence, copy=True)
        rows = np.repeat(np.arange(weighed.shape[0]), np.diff(weighed.indptr))
        values = rarity[weighed.indices]
        places = rows * len(VIEWS) + self._views[weighed.indices]
        lengths = np.sqrt(np.bincount(places, values**2, minlength=weighed.shape[0] * len(VIEWS)))
        shares = np.array([share for _, share in VIEWS])[self._views[weighed.indices]]
        values = np.divide(values * shares, lengths[places], out=np.zeros_like(values), where=lengths[places] > 0)
        totals = np.sqrt(np.bincount(rows, values**2, minlength=weighed.shape[0]))
        weighed.data = np.divide(values, totals[rows], out=np.zeros_like(values), where=totals[rows] > 0)
        return weighed

    def look_up(self, texts: Sequence[str]) -> Any:
        """Other texts by the pieces that are known."""
        ends, columns = [0], []
        for text in texts:
            for view, found in enumerate(pieces(text)):
                columns += sorted(self._columns[view, each] for each in found if (view, each) in self._columns)
            ends.append(len(columns))
        shape = (len(texts), self.incidence.shape[1])
        return csr_matrix((np.ones(len(columns)), np.array(columns, dtype=np.int64), np.array(ends)), shape=shape)


def _runs(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        framed = f" {word} "
        for length in LETTERS:
            if length >= len(framed):
                yield framed
                break
            for start in range(len(framed) - length + 1):
                yield framed[start : start + length]


def _lines(name: str) -> list[str]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
