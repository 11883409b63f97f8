"""Replaying recorded decisions under other policies: which would flip, and what that means. Pure.

A decision is recorded with its request, all facts that were read for it and its situation, so the engine can be asked
again. What the record doesn't hold is never made up: such a decision can't be replayed, and says which fact is missing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from policies.engine import PolicyEngine
from policies.words import ActionRequest, Decision, Effect, Facts, Json, Situation

MAX_EXAMPLES: Final = 5
"""Kept per rule and direction."""

Fate = Literal["identical", "same_effect", "flipped", "unreplayable"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One decision as it was made, with all that it was made from."""

    id: str
    """The request's id, and which decision on it: "req-1#0"."""
    at: datetime
    request: ActionRequest
    facts: Facts
    """All that the tool's providers gave, whether or not a rule read it."""
    unread: frozenset[str]
    """Facts that couldn't be read then; they stay unknown."""
    situation: Situation
    decision: Decision
    counts: bool = True
    """Whether it stands for an action of its own; a second look at the same action moves no money again."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision made again."""

    fate: Fate
    after: Decision | None
    """None if it can't be replayed."""
    missing: tuple[str, ...] = ()
    """What was not recorded: names of facts, or "limit <rule>" for its past uses."""


def replay(engine: PolicyEngine, recorded: Recorded) -> Replayed:
    """Make one decision again."""
    request = recorded.request
    needed, known = engine.facts_needed(request.tool), recorded.facts.keys()
    missing = [] if needed <= known else sorted(needed - known - recorded.unread)
    uses = recorded.situation.uses
    for key in () if missing else engine.limits_for(request, recorded.facts, recorded.situation):
        if key.key not in uses:
            missing.append(f"limit {key.limit}")
    if missing:
        return Replayed("unreplayable", None, tuple(missing))
    before, after = recorded.decision, engine.decide(request, recorded.facts, recorded.situation)
    if after.effect is not before.effect:
        return Replayed("flipped", after)
    is_same = after == before or _without_version(after) == _without_version(before)
    return Replayed("identical" if is_same else "same_effect", after)


@dataclass(slots=True)
class Backtest:
    """What became of many recorded decisions under a candidate."""

    engine: PolicyEngine
    """The candidate."""
    fates: Counter[str] = field(default_factory=Counter)
    directions: Counter[str] = field(default_factory=Counter)
    """Flips: "allow → deny"."""
    by_rule: dict[str, Counter[str]] = field(default_factory=dict)
    """Rule → direction → flips that it is the reason of."""
    missing: Counter[str] = field(default_factory=Counter)
    """What was not recorded → how many decisions that stopped."""
    money: dict[str, Counter[str]] = field(default_factory=dict)
    """Direction → currency → amount in minor units that the flipped actions are about."""
    approvals_added: Counter[str] = field(default_factory=Counter)
    approvals_saved: Counter[str] = field(default_factory=Counter)
    """By queue."""
    examples: dict[str, list[dict[str, Json]]] = field(default_factory=dict)
    """A few flips of each direction."""

    @property
    def total(self) -> int:
        return sum(self.fates.values())

    def add(self, recorded: Iterable[Recorded]) -> None:
        """Replay some more."""
        for each in recorded:
            replayed = replay(self.engine, each)
            self.fates[replayed.fate] += 1
            self.missing.update(replayed.missing)
            if replayed.after is not None:
                self._count_approvals(each, replayed.after)
                if replayed.fate == "flipped":
                    self._note_flip(each, replayed.after)

    def as_json(self) -> dict[str, Json]:
        """The result as plain JSON."""
        return {
            "candidate": self.engine.version,
            "decisions": self.total,
            "identical": self.fates["identical"],
            "same_effect": self.fates["same_effect"],
            "flipped": self.fates["flipped"],
            "unreplayable": self.fates["unreplayable"],
            "missing": [
                {"what": what, "decisions": count, "message": f"Can't be replayed: {_what(what)} not recorded."}
                for what, count in sorted(self.missing.items())
            ],
            "directions": dict(sorted(self.directions.items())),
            "by_rule": {rule: dict(sorted(counts.items())) for rule, counts in sorted(self.by_rule.items())},
            "money_minor": {
                direction: dict(sorted(amounts.items())) for direction, amounts in sorted(self.money.items())
            },
            "approvals_added": dict(sorted(self.approvals_added.items())),
            "approvals_saved": dict(sorted(self.approvals_saved.items())),
            "examples": {direction: [*some] for direction, some in sorted(self.examples.items())},
        }

    def _count_approvals(self, recorded: Recorded, after: Decision) -> None:
        before = recorded.decision
        queue_before = before.approval.queue if before.approval else None
        queue_after = after.approval.queue if after.approval else None
        if recorded.counts and queue_before != queue_after:
            if queue_before is not None:
                self.approvals_saved[queue_before] += 1
            if queue_after is not None:
                self.approvals_added[queue_after] += 1

    def _note_flip(self, recorded: Recorded, after: Decision) -> None:
        before, request = recorded.decision, recorded.request
        direction = direction_of(before, after)
        self.directions[direction] += 1
        rules = rules_behind(before, after)
        for rule in rules:
            self.by_rule.setdefault(rule, Counter())[direction] += 1
        amount, currency = self._amount(request)
        if recorded.counts and amount:
            self.money.setdefault(direction, Counter())[currency] += amount
        examples = self.examples.setdefault(direction, [])
        if len(examples) < MAX_EXAMPLES:
            sentences = [verdict.sentence for verdict in (*after.verdicts, *before.verdicts) if verdict.rule in rules]
            reasons: list[Json] = [*dict.fromkeys(sentences)]
            examples.append(
                {
                    "decision": recorded.id,
                    "at": recorded.at.isoformat(),
                    "tool": request.tool,
                    "rules": [*rules],
                    "reasons": reasons,
                    "amount_minor": amount,
                    "currency": currency,
                }
            )

    def _amount(self, request: ActionRequest) -> tuple[int, str]:
        profile = self.engine.policies.tools.get(request.tool)
        if profile is None or not profile.amount_argument:
            return 0, ""
        amount = request.arguments.get(profile.amount_argument)
        currency = request.arguments.get(profile.currency_argument)
        return (amount if type(amount) is int else 0), (currency if isinstance(currency, str) else "")


def direction_of(before: Decision, after: Decision) -> str:
    """A flip in short: "allow → deny"."""
    return f"{before.effect} → {after.effect}"


def rules_behind(before: Decision, after: Decision) -> tuple[str, ...]:
    """The rules that make the difference: those that object now where it got stricter, those that did where not."""
    stricter = after.effect.rank > before.effect.rank
    one, other = (after, before) if stricter else (before, after)
    weaker = _objecting(other, one.effect)
    return tuple(sorted(_objecting(one, one.effect) - weaker)) or tuple(sorted(_objecting(one, one.effect)))


def _objecting(decision: Decision, effect: Effect) -> set[str]:
    return {verdict.rule for verdict in decision.verdicts if verdict.effect is effect}


def _without_version(decision: Decision) -> tuple[object, ...]:
    return (
        decision.verdicts,
        decision.passed,
        decision.obligations,
        _values(decision.facts),
        decision.approval,
        decision.limits,
        decision.error,
        decision.decisive_facts,
        decision.queue,
    )


def _values(facts: Facts) -> Mapping[str, Json]:
    return {name: fact.value for name, fact in facts.items()}


def _what(name: str) -> str:
    return f"the past uses of the {name} were" if name.startswith("limit ") else f"the fact {name} was"
