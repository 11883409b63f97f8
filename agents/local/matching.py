"""Picking records by what a customer calls them: "the boots", "everything but the lamp", "the second one"."""

import re
from collections.abc import Mapping, Sequence
from math import log

from rapidfuzz import fuzz

from policies.words import Json

WORD = re.compile(r"[\w#]+")
FUZZY = 86
"""Similarity from which two words count as the same: one typo in a word of seven letters."""
GENERIC = frozenset(
    re.findall(
        r"\S+",
        """a about all also an and any are as at be both but by can do for from get give got have her his i if in is it
        item items its just like me my need no not of on one ones only or order orders our please product
        products put return refund so some sorry thank thanks that the them then these thing things this
        those to too two up us want was we were what when which will with would yes you your it's i'd i'm
        eur usd gbp recent last latest think bought ordered exchange cancel change keep""",
    )
)
ADDRESS = re.compile(r"\S+@\S+")
EXCLUDED = re.compile(
    r"\b(?:except(?: for)?|excluding|apart from|other than|but not|not|keep(?:ing)?|without|leave|"
    r"rather than|instead of)\s+"
    r"(?:(?:the|my|that|this|those|these|a|an)\s+)?([\w' -]+?)(?=$|[,.;:!?\n]|\s(?:and|but|just|only|please|as)\b)",
    re.IGNORECASE,
)


def label_of(record: Mapping[str, Json], fields: Sequence[str]) -> str:
    """A record in words: its label fields, joined by commas."""
    return ", ".join(_words(record[name]) for name in fields if record.get(name) not in (None, "", [], {}))


def _words(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(_words(each) for each in value)
    if isinstance(value, dict):
        return _words(value["name"]) if "name" in value else ", ".join(_words(each) for each in value.values())
    return str(value)


def match_records(text: str, labels: Sequence[str], *, many: bool) -> list[int]:
    """Places of the records that a text speaks of.

    Args:
        text: What the customer wrote, or the part of it that names things.
        labels: One text a record; words that all of them share tell nothing.
        many: Whether several may be meant. If not, several places mean that they fit equally well.

    Returns:
        Places in order; empty if the text names none of them.
    """
    words = [_stems(label) for label in labels]
    # Who writes is no article: "sofia@example.org" is near to a sofa.
    text = ADDRESS.sub(" ", text)
    excluded = {place for part in EXCLUDED.findall(text) for place in _mentioned(_stems(part), words, many=True)}
    kept = EXCLUDED.sub(" ", text)
    found = [place for place in _mentioned(_stems(kept), words, many=many) if place not in excluded]
    if not found and excluded and many and re.search(r"\b(?:everything|all|both|rest|other)\b", text, re.IGNORECASE):
        return [place for place in range(len(labels)) if place not in excluded]
    return found


def all_but(text: str, labels: Sequence[str]) -> list[int]:
    """Every place but those that the text takes out: "everything except the lamp"."""
    words = [_stems(label) for label in labels]
    excluded = {place for part in EXCLUDED.findall(text) for place in _mentioned(_stems(part), words, many=True)}
    return [place for place in range(len(labels)) if place not in excluded]


def _mentioned(said: set[str], words: Sequence[set[str]], *, many: bool) -> list[int]:
    if not said or not words:
        return []
    weight: dict[str, float] = {}
    for each in set().union(*words):
        weight[each] = log(1 + len(words) / sum(each in record for record in words))
    scores = [sum(weight[word] for word in record if _is_said(word, said)) for record in words]
    best = max(scores)
    if best == 0.0:
        return []
    if many:
        # A word that only one record has names that record, however many words others share with the text.
        alone = {word for word in weight if sum(word in record for record in words) == 1 and _is_said(word, said)}
        named = [place for place, record in enumerate(words) if record & alone]
        return named or [place for place, score in enumerate(scores) if score >= best - 1e-9]
    return [place for place, score in enumerate(scores) if score >= best - 1e-9]


def _is_said(word: str, said: set[str]) -> bool:
    if word in said:
        return True
    return (
        len(word) >= 4
        and not word.isdigit()
        and any(len(other) >= 4 and fuzz.ratio(word, other) >= FUZZY for other in said)
    )


def _stems(text: str) -> set[str]:
    words = (word.casefold().lstrip("#") for word in WORD.findall(text.replace("’", "'")))
    return {_stem(word) for word in words if word not in GENERIC and (len(word) > 2 or word.isdigit())}


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
