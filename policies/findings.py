"""What the rules said of one request, gathered rule by rule and then joined into one decision."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from policies.attributes import parse_duration
from policies.rules import ApprovalSpec
from policies.words import RANKS, ApprovalTerms, Decision, Effect, Facts, LimitUse, Obligation, RuleVerdict

BY_RULE = attrgetter("rule")
"""Enough to sort what passed: a rule passes once."""
CONFIRM = Obligation("confirm")


@dataclass(slots=True)
class Findings:
    """Collects verdicts and what comes with them."""

    objections: list[RuleVerdict] = field(default_factory=list)
    passed: list[RuleVerdict] = field(default_factory=list)
    grants: list[RuleVerdict] = field(default_factory=list)
    """Permissions that let the specialist use the tool."""
    obligations: set[Obligation] = field(default_factory=set)
    approvals: list[ApprovalSpec] = field(default_factory=list)
    queues: list[tuple[str, str]] = field(default_factory=list)
    """Rule and queue of each escalation that names one."""
    limits: list[LimitUse] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unconfirmed: set[str] = field(default_factory=set)
    """Rules that deny only because the customer hasn't confirmed yet."""
    decisive: set[str] = field(default_factory=set)
    """Facts that the objecting rules read or show."""

    def object_with(
        self,
        verdict: RuleVerdict,
        *,
        approval: ApprovalSpec | None = None,
        queue: str = "",
        facts: frozenset[str] = frozenset(),
    ) -> None:
        """Add an objection with the terms that its effect needs."""
        self.objections.append(verdict)
        self.decisive |= facts
        if verdict.effect is Effect.REQUIRE_APPROVAL:
            self.approvals.append(approval or ApprovalSpec())
        if verdict.effect is Effect.ESCALATE and queue:
            self.queues.append((verdict.rule, queue))

    def fail(self, rule: str, message: str, *, source: str = "", facts: frozenset[str] = frozenset()) -> None:
        """Add an objection because a rule has no answer; that is never an `allow`."""
        sentence = f"{rule} could not be decided: {message}"
        self.errors.append(sentence)
        self.object_with(RuleVerdict(rule, Effect.DENY, sentence, source, "error"), facts=facts)

    def decision(self, *, facts: Facts, version: str, reviewer_roles: Sequence[str]) -> Decision:
        """The strongest effect with everything that belongs to it.

        Args:
            facts: Those that rules read or show, sorted by name.
            version: The policies' content hash.
            reviewer_roles: Weakest first.
        """
        effect = Effect.ALLOW
        for verdict in self.objections:
            effect = verdict.effect if RANKS[verdict.effect] > RANKS[effect] else effect
        obligations = self.obligations
        if self.unconfirmed:
            denied = {verdict.rule for verdict in self.objections if verdict.effect is Effect.DENY}
            # Asking the customer only makes sense where nothing else would deny it anyway.
            obligations = {*obligations, CONFIRM} if denied and denied <= self.unconfirmed else obligations
        deciding, others = (self.objections, self.grants) if self.objections else (self.grants, [])
        return Decision(
            effect=effect,
            verdicts=_sorted(deciding),
            passed=tuple(sorted([*self.passed, *others], key=BY_RULE)),
            obligations=tuple(sorted(obligations, key=lambda each: (each.kind, each.detail))) if obligations else (),
            facts=facts,
            policy_version=version,
            approval=join_approvals(self.approvals, reviewer_roles) if effect is Effect.REQUIRE_APPROVAL else None,
            limits=tuple(sorted(self.limits, key=lambda use: (use.limit, use.key))) if self.limits else (),
            error=" ".join(sorted(self.errors)) if self.errors else "",
            decisive_facts=tuple(sorted(self.decisive & facts.keys())) if self.decisive else (),
            queue=min(self.queues)[1] if effect is Effect.ESCALATE and self.queues else "",
        )


def join_approvals(specs: Sequence[ApprovalSpec], reviewer_roles: Sequence[str]) -> ApprovalTerms:
    """The terms that satisfy all of several: strongest role with its queue, highest count, shortest expiry."""

    def strength(spec: ApprovalSpec) -> tuple[int, int, str, str]:
        known = spec.role in reviewer_roles
        rank = list(reviewer_roles).index(spec.role) if known else len(reviewer_roles)
        return rank, spec.count, spec.role, spec.queue

    strongest = max(specs, key=strength) if len(specs) > 1 else specs[0]
    return ApprovalTerms(
        role=strongest.role,
        count=max(spec.count for spec in specs),
        queue=strongest.queue,
        expires_s=min(parse_duration(spec.expires) for spec in specs),
        fallback="reject" if any(spec.fallback == "reject" for spec in specs) else "escalate",
    )


def _sorted(verdicts: Sequence[RuleVerdict]) -> tuple[RuleVerdict, ...]:
    if len(verdicts) < 2:
        return tuple(verdicts)
    return tuple(sorted(verdicts, key=lambda each: (each.rule, each.kind, each.effect, each.sentence)))
