"""Whether a customer said what a reading says they said: no e-mail is theirs because a model read it somewhere."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from agents.journeys import Journey
from agents.tasks import Entity
from policies.words import Json

REWORDED = frozenset({"date", "amount", "choice", "ordinal", "all", "items", "text"})
"""Kinds whose value is put in other words than the customer's: "the second one" is 2. They pick from what is shown."""
DIGITS_OF_A_NUMBER = 6
"""The last digits of a phone number must stand in the message; how its beginning is written differs."""
SHORT = 2
"""Parts as short as a country's code are not looked for."""
NUMBER = re.compile(r"(?<![\w.,])(?<!\w-)-?\d+(?:[.,' ]\d{3})*(?:[.,]\d+)?(?!\d)")
"""A number as it is written, with the marks between its thousands and before its fraction."""
SPOKEN = (("\\bat\\b", "@"), ("\\bdot\\b", "."), ("\\bunderscore\\b", "_"), ("\\b(?:dash|hyphen)\\b", "-"))


def choices_of(journeys: Iterable[Journey]) -> dict[str, frozenset[str]]:
    """Slots that are filled by choosing, and what may be chosen."""
    found: dict[str, frozenset[str]] = {}
    for journey in journeys:
        for need in journey.needs:
            if need.options:
                found[need.slot] = found.get(need.slot, frozenset()) | need.options.keys()
    return found


def is_said(entity: Entity, text: str, choices: Mapping[str, frozenset[str]] = MappingProxyType({})) -> bool:
    """Whether the value of an entity stands in the customer's own message, however it is spaced and written.

    Args:
        entity: As it was read.
        text: The message.
        choices: By slot, the playbook's names for what customers say in words of their own: "forgot_password".
    """
    if entity.kind in REWORDED or str(entity.value) in choices.get(entity.kind, ()):
        return True
    said = plain(text)
    spoken = text.casefold()
    for word, sign in SPOKEN:
        spoken = re.sub(word, sign, spoken)
    words = {plain(word) for word in re.split(r"[^\w]+", text)}
    for leaf in _leaves(entity.value):
        if isinstance(leaf, int | float) and not isinstance(leaf, bool):
            if _is_written(leaf, text):
                continue
            return False
        if not isinstance(leaf, str):
            return False
        mark = plain(leaf)
        if mark in said or mark in plain(spoken):
            continue
        if entity.kind == "phone" and _digits(leaf)[-DIGITS_OF_A_NUMBER:] in _digits(text):
            continue
        if all(part in words for part in map(plain, re.split(r"[^\w]+", leaf)) if len(part) > SHORT):
            continue
        return False
    return True


def plain(text: str) -> str:
    """Letters and digits only, without marks, in small letters."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


def _is_written(number: float, text: str) -> bool:
    """Whether a number stands in the text, whole: 402 isn't in 4021."""
    for match in NUMBER.finditer(text):
        whole, _, rest = match[0].replace(",", ".").rpartition(".")
        ways = (_digits(match[0]), f"{_digits(whole)}.{rest}" if whole else "")
        sign = -1 if match[0].startswith("-") else 1
        if any(way and sign * float(way) == number for way in ways):
            return True
    return False


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())


def _leaves(value: Json) -> Iterator[Json]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif value is not None:
        yield value
