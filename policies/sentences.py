"""A rule's `why` with its values filled in, for reviewers: money as money, moments as dates."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from policies.words import Money

PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w.]*)\}")
MAX_VALUE = 200
MINOR = "_minor"

EXPONENTS: Mapping[str, int] = {
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
}
"""Digits after the point of the currencies (ISO 4217) that don't have two."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with places for values."""

    text: str
    shows: frozenset[str]
    """The names whose values it shows."""
    parts: tuple[str, ...]
    """Text and names in turn: "It is ", "args.amount_minor", "."."""

    def fill(self, values: Mapping[str, Any], currency: str = "") -> str:
        """The sentence with its values.

        Args:
            values: By name; an absent one is shown as "unknown".
            currency: For amounts that have no currency beside them.
        """
        if not self.shows:
            return self.text
        return "".join(show(part, values, currency) if place % 2 else part for place, part in enumerate(self.parts))


@lru_cache(maxsize=4096)
def read_sentence(text: str) -> Sentence:
    """A sentence from a rule's `why`."""
    return Sentence(text, frozenset(PLACEHOLDER.findall(text)), tuple(PLACEHOLDER.split(text)))


def unknown_names(sentence: Sentence, known: Iterable[str]) -> list[str]:
    """The names that a sentence shows and nobody knows, sorted."""
    return sorted(sentence.shows - set(known))


def show(name: str, values: Mapping[str, Any], currency: str = "") -> str:
    """One value as people read it."""
    value = values.get(name)
    if value is None:
        return "unknown"
    if type(value) is str:
        return value[:MAX_VALUE]
    if name.endswith(MINOR) and type(value) is int:
        found = values.get(currency_of(name))
        return format_money(Money(value, found if isinstance(found, str) and found else currency))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)[:MAX_VALUE]
    return str(value)[:MAX_VALUE]


def currency_of(name: str) -> str:
    """The name under which the currency of an amount is looked for: "order.currency" of "order.total_minor"."""
    return f"{name.rpartition('.')[0]}.currency"


def format_money(money: Money) -> str:
    """An amount as people read it: "148.90 EUR"; in minor units where the currency isn't known."""
    if not money.currency:
        return f"{money.amount_minor} minor units"
    digits = EXPONENTS.get(money.currency, 2)
    sign = "-" if money.amount_minor < 0 else ""
    units, rest = divmod(abs(money.amount_minor), 10**digits)
    amount = f"{sign}{units}.{rest:0{digits}d}" if digits else f"{sign}{units}"
    return f"{amount} {money.currency}"
