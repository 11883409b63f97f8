"""A decision in words, for reviewers, the audit and the console."""

from collections.abc import Iterable

from policies.sentences import format_money, show
from policies.words import ActionRequest, Decision, Effect, Money, RuleVerdict

HEADLINES = {
    Effect.ALLOW: "may run",
    Effect.REQUIRE_APPROVAL: "needs an approval",
    Effect.ESCALATE: "goes to a person",
    Effect.DENY: "must not run",
}


def explain(decision: Decision, request: ActionRequest | None = None) -> str:
    """Say what was decided, by which rules, on which facts, and what comes with it. One thought per line."""
    what = request.tool if request else "This conversation"
    lines = [f"{what} {HEADLINES[decision.effect]}."]
    if request and request.why:
        lines.append(f"Proposed by {request.specialist}: {request.why}")
    elif request:
        lines.append(f"Proposed by {request.specialist}.")
    lines += _verdicts(decision.verdicts)
    if decision.approval:
        terms = decision.approval
        people = "one person" if terms.count == 1 else f"{terms.count} people"
        hours = f"{terms.expires_s / 3600:g} h"
        lines.append(
            f"Wanted: {people} with the role {terms.role}, queue {terms.queue}, within {hours}, else {terms.fallback}."
        )
    if decision.queue:
        lines.append(f"Queue: {decision.queue}.")
    for obligation in decision.obligations:
        lines.append(f"Along with it: {obligation.kind} {obligation.detail}".rstrip() + ".")
    for use in decision.limits:
        amount = f" and {format_money(Money(use.amount_minor, use.currency))}" if use.amount_minor else ""
        lines.append(f"Counts {use.count}{amount} against {use.limit}.")
    values = {name: fact.value for name, fact in decision.facts.items()}
    for name, fact in decision.facts.items():
        mark = " (decisive)" if name in decision.decisive_facts else ""
        lines.append(f"Fact {name} = {show(name, values)}, {fact.source}, {fact.read_at:%Y-%m-%d %H:%M:%S}{mark}.")
    if decision.passed:
        lines.append(f"No objection from: {', '.join(verdict.rule for verdict in decision.passed)}.")
    lines.append(f"Policy {decision.policy_version[:12]}.")
    return "\n".join(lines)


def reasons(decision: Decision) -> tuple[str, ...]:
    """The sentences of the rules that decided, in their order."""
    return tuple(verdict.sentence for verdict in decision.verdicts)


def _verdicts(verdicts: Iterable[RuleVerdict]) -> list[str]:
    return [
        f"{verdict.effect.value}, {verdict.rule}: {verdict.sentence}"
        + (f" [{verdict.source}]" if verdict.source else "")
        for verdict in verdicts
    ]
