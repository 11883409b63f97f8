"""Screening of what customers write: cards and secrets masked before any model sees them, and flags for policy.

Flags are hints, not verdicts: what protects the business from a persuasive text is that texts are never facts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policies.detectors.national_ids import find_bank_accounts, find_national_ids
from policies.detectors.normalisation import Normalised, normalise, views
from policies.detectors.phrases import FOREIGN, PHRASES, FlagKind
from policies.words import Json

MAX_LENGTH: Final = 20_000
"""Characters that are looked at; what comes after is cut off, so that nothing unseen goes on."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing that a text holds."""

    kind: FlagKind
    start: int
    """Place in the original text."""
    end: int
    detail: str
    """Which pattern, for people; never the customer's words."""


@dataclass(frozen=True, slots=True)
class Screening:
    """A text as it may be shown to models, and what was found in it."""

    text_masked: str
    flags: tuple[Flag, ...]
    """In order of place; places are those of the original text."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of flags, for the signal `flags`."""
        return frozenset(flag.kind for flag in self.flags)


def screen(text: str) -> Screening:
    """Look at one message of a customer, or at any text from outside."""
    text = text[:MAX_LENGTH]
    seen = normalise(text)
    flags = [*_cards(seen), *_numbers(seen), *_secrets(seen), *_phrases(text, seen), *_disguise(seen)]
    flags += _hidden(text, seen)
    flags.sort(key=lambda flag: (flag.start, flag.end, flag.kind, flag.detail))
    return Screening(_masked(text, flags), tuple(dict.fromkeys(flags)))


def screen_value(value: Json) -> tuple[Json, frozenset[str]]:
    """A tool's result as it may go on: texts that speak to a model are withheld, secrets and cards masked.

    Returns:
        The value, and the kinds of what was found in its texts.
    """
    if isinstance(value, str):
        found = screen(value)
        if PLANTED & found.kinds:
            return WITHHELD, found.kinds
        # Numbers of parcels and references look like those of cards and people; they are what the tool is asked for.
        return _masked(value, [flag for flag in found.flags if flag.kind == "secret"]), found.kinds
    if isinstance(value, list):
        parts = [screen_value(each) for each in value]
        return [part for part, _ in parts], frozenset().union(*(kinds for _, kinds in parts))
    if isinstance(value, dict):
        named = {name: screen_value(each) for name, each in value.items()}
        return {name: part for name, (part, _) in named.items()}, frozenset().union(
            *(kinds for _, kinds in named.values())
        )
    return value, frozenset()


PLANTED: Final = frozenset({"injection", "disguise", "others_data"})
"""What no record of a business says by itself: somebody planted it there."""
WITHHELD: Final = "[withheld]"


def _masked(text: str, flags: list[Flag]) -> str:
    parts: list[str] = []
    at = 0
    for flag in flags:
        if flag.kind in MASKS:
            if flag.start >= at:
                parts += [text[at : flag.start], MASKS[flag.kind]]
            at = max(at, flag.end)
    return "".join((*parts, text[at:]))


MASKS: Final = {
    "card": "[card number]",
    "secret": "[secret]",
    "national_id": "[personal number]",
    "bank_account": "[bank account]",
}
"""What no model needs to see, and what stands in its place."""

DIGIT_RUN: Final = re.compile(r"(?<![\w])\d+(?:[ .-]\d+)*(?!\w)")
DIGITS: Final = re.compile(r"\d+")

_NAME_OF_CODE = (
    r"(?:one[- ]?time|verification|security|confirmation|authori[sz]ation|authentication|sms|otp|2fa|log[- ]?in|"
    r"access)"
    r"[- ](?:code|pin|password|passcode|number)|(?:card )?(?:cvv2?|cvc2?|pin)(?: (?:code|number))?|"
    r"otp|passcode|pass ?phrase"
    r"|password|api[- ]?key|secret[- ]?key"
)
SECRETS: Final = (
    (
        "a named secret",
        re.compile(
            rf"\b(?:{_NAME_OF_CODE})\b(?: (?:is|was|are)\s*[:\"']?\s*(?=[^\s\"',;]*[\d!$%&*@])|"
            rf"\s*[:=]\s*)[\"']?(?P<value>[^\s\"',;]{{3,64}}?)(?=[.!?]*(?:[\s\"',;]|$))"
        ),
    ),
    ("a named code", re.compile(rf"\b(?:{_NAME_OF_CODE})\b[^\n.;]{{0,30}}?\b(?P<value>\d{{3,8}})\b")),
    (
        "a code that was sent",
        re.compile(
            r"\bcode (?:that )?(?:you|they|u) (?:just )?(?:sent|texted|"
            r"e?-?mailed)\b[^\n.;]{0,20}?\b(?P<value>\d{4,8})\b"
        ),
    ),
    ("a key", re.compile(r"\b(?P<value>(?:sk|pk|rk|ghp|gho|xox[abp])[-_][a-z0-9_\-]{16,})")),
    (
        "a private key",
        re.compile(r"(?P<value>-----begin [a-z ]*private key-----[\s\S]*?(?:-----end [a-z ]*private key-----|\Z))"),
    ),
)
NOT_SECRET: Final = re.compile(
    r"^(?:not|wrong|right|correct|incorrect|invalid|expired|reset|changed|for|the|my|your|a|an|and|"
    r"or|please|still|working|needed|required|too|being|is|was|it|sent)$"
)


def _cards(seen: Normalised) -> Iterator[Flag]:
    for run in DIGIT_RUN.finditer(seen.text):
        groups = [(run.start() + each.start(), run.start() + each.end()) for each in DIGITS.finditer(run.group())]
        first = 0
        while first < len(groups):
            for last in range(min(len(groups), first + 19) - 1, first - 1, -1):
                start, end = groups[first][0], groups[last][1]
                if _is_card(re.sub(r"\D", "", seen.text[start:end])):
                    yield Flag("card", *seen.span(start, end), "a card number")
                    first = last
                    break
            first += 1


def _is_card(digits: str) -> bool:
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and _has_luhn(digits)


def _has_luhn(digits: str) -> bool:
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _secrets(seen: Normalised) -> Iterator[Flag]:
    for detail, pattern in SECRETS:
        for match in pattern.finditer(seen.text):
            if not NOT_SECRET.match(match["value"].strip(".!?")):
                yield Flag("secret", *seen.span(*match.span("value")), detail)


def _numbers(seen: Normalised) -> Iterator[Flag]:
    for start, end in find_bank_accounts(seen.text):
        yield Flag("bank_account", *seen.span(start, end), "an IBAN")
    for start, end, kind in find_national_ids(seen.text):
        yield Flag("national_id", *seen.span(start, end), kind)


def _phrases(text: str, seen: Normalised) -> Iterator[Flag]:
    for kind, detail, pattern in PHRASES:
        for match in pattern.finditer(seen.text):
            if match.group().strip():
                yield Flag(kind, *seen.span(*match.span()), detail)
    if not text.isascii():
        for kind, detail, pattern in FOREIGN:
            for match in pattern.finditer(text.lower() if len(text.lower()) == len(text) else text):
                yield Flag(kind, *match.span(), detail)


def _hidden(text: str, seen: Normalised) -> Iterator[Flag]:
    """The same phrases where they were spaced out, spelt with digits, encoded or written backwards."""
    for view in views(text, seen):
        for kind, detail, pattern in PHRASES:
            if kind in HIDDEN and pattern.search(view.text) and not pattern.search(seen.text):
                yield Flag(kind, view.start, view.end, f"{detail} ({view.kind})")
                yield Flag("disguise", view.start, view.end, f"hides words ({view.kind})")
        for kind, words in JOINED:
            if view.kind == "spaced" and words.search(view.text):
                yield Flag(kind, view.start, view.end, f"hides words ({view.kind})")
                yield Flag("disguise", view.start, view.end, f"hides words ({view.kind})")


HIDDEN: Final = frozenset({"injection", "others_data", "threat", "self_harm"})
JOINED: Final[tuple[tuple[FlagKind, re.Pattern[str]], ...]] = (
    (
        "injection",
        re.compile(r"ignore(?:all|your|the|previous|my)|systemprompt|disregard|override|jailbreak|instructions"),
    ),
    ("self_harm", re.compile(r"killmyself|suicide|wanttodie")),
)
"""Words that are known without the spaces between them."""


def _disguise(seen: Normalised) -> Iterator[Flag]:
    if seen.origins and (seen.hidden >= 2 or seen.disguised >= 2):
        yield Flag("disguise", *seen.span(0, len(seen.text)), "hides letters")
