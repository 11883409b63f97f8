"""Rules that can never matter, because another one says the same or more wherever they speak."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from policies.domains import domain_of
from policies.programs import CompiledRule
from policies.reasoning import DomainOf, covers
from policies.rules import Rule
from policies.words import ToolProfile

ABOUT_ITSELF: Final = {"id", "why", "source", "applies_to", "when", "unless", "examples"}
"""What a rule says besides its consequence."""
OUTRANKED_BY_NEVER: Final = frozenset({"hard", "soft", "threshold"})


@dataclass(slots=True)
class Coverage:
    """Collects, tool by tool, which rule covers which."""

    tools: dict[str, set[str]] = field(default_factory=dict)
    """Rule → the tools that it speaks of."""
    covered: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """(covered rule, covering rule) → the tools for which it is so."""

    def note(self, rules: Sequence[CompiledRule], profile: ToolProfile, own: Iterable[str]) -> None:
        """Compare the rules about one tool with each other; only those among `own` cover or are covered."""
        mine = [rule for rule in rules if rule.id in set(own)]
        domain = partial(domain_of, profile=profile)
        for rule in mine:
            self.tools.setdefault(rule.id, set()).add(profile.name)
        for narrower in mine:
            for wider in mine:
                if narrower is not wider and _is_no_weaker(wider, narrower) and _covers(wider, narrower, domain):
                    self.covered.setdefault((narrower.id, wider.id), set()).add(profile.name)

    def findings(self) -> Iterator[tuple[str, str]]:
        """Each covered rule with one that covers it; of two that cover each other, the later id."""
        found: dict[str, str] = {}
        for (narrower, wider), tools in sorted(self.covered.items()):
            both_ways = self.covered.get((wider, narrower), set()) >= self.tools[wider]
            if tools >= self.tools[narrower] and not (both_ways and narrower < wider):
                found.setdefault(narrower, wider)
        yield from found.items()


def _is_no_weaker(wider: CompiledRule, narrower: CompiledRule) -> bool:
    if wider.kind == "hard" and narrower.kind in OUTRANKED_BY_NEVER:
        return True
    return wider.kind == narrower.kind and _consequence(wider.rule) == _consequence(narrower.rule)


def _consequence(rule: Rule) -> Mapping[str, object]:
    return rule.model_dump(exclude=ABOUT_ITSELF)


def _covers(wider: CompiledRule, narrower: CompiledRule, domain: DomainOf) -> bool:
    one, other = wider.condition, narrower.condition
    return covers(one.syntax if one else None, other.syntax if other else None, domain)
