"""Prose rules over drafts: phrases that must not stand in them, and phrases of which one must."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from policies.detectors.normalisation import normalise
from policies.rules import ProseRule

WORDS = re.compile(r"\w+(?:'\w+)*|\*|[^\w\s]")
GAP = r"(?:\W+\w+(?:'\w+)*){0,4}?"


@dataclass(frozen=True, slots=True)
class ProseFinding:
    """A draft breaks one rule."""

    rule: str
    sentence: str
    """For the writer: why, and what to say instead."""
    source: str
    start: int
    end: int
    """The place of a forbidden phrase; the whole text where a required one is missing."""


class ProseRules:
    """Compiled prose rules; `PolicyEngine.prose_rules` holds the rules themselves."""

    def __init__(self, rules: Iterable[ProseRule]) -> None:
        self._rules = [
            (rule, [phrase_pattern(phrase) for phrase in (*rule.forbid, *rule.require)])
            for rule in sorted(rules, key=lambda rule: rule.id)
        ]

    def check(self, text: str, *, channel: str) -> tuple[ProseFinding, ...]:
        """What is wrong with a draft on a channel, sorted by rule and place."""
        seen = normalise(text)
        findings = []
        for rule, patterns in self._rules:
            if rule.channels is not None and channel not in rule.channels:
                continue
            matches = [match.span() for pattern in patterns for match in pattern.finditer(seen.text)]
            sentence = f"{rule.why} Instead: {rule.write}" if rule.write else rule.why
            if rule.forbid:
                for start, end in sorted(matches):
                    findings.append(ProseFinding(rule.id, sentence, rule.source, *seen.span(start, end)))
            elif not matches:
                findings.append(ProseFinding(rule.id, sentence, rule.source, 0, len(text)))
        return tuple(findings)


@lru_cache(maxsize=4096)
def phrase_pattern(phrase: str) -> re.Pattern[str]:
    """The pattern of a phrase: whole words, any case and spacing, `*` for up to four words."""
    pieces: Sequence[str] = WORDS.findall(normalise(phrase).text)
    pattern, joint = r"(?<!\w)" if pieces and pieces[0][0].isalnum() else "", ""
    for piece in pieces:
        is_word = piece[0].isalnum()
        if piece == "*":
            pattern += GAP
        else:
            pattern += (joint if is_word else r"\s*" if joint else "") + re.escape(piece)
        joint = r"\W+" if is_word or piece == "*" else r"\s*"
    return re.compile(f"{pattern}(?!\\w)" if pieces and pieces[-1][-1].isalnum() else pattern)
