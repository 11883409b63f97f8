"""Asking one rule, or the table or matrix, about one request, and noting what it says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from policies.errors import ConditionError
from policies.findings import Findings
from policies.limits import measure
from policies.moments import Moment
from policies.procedures import is_confirmed, is_met
from policies.programs import CompiledRule, PolicySet, TableUse, ToolProgram
from policies.rules import (
    ApprovalSpec,
    Limit,
    ObligationRule,
    Permission,
    Prefer,
    Procedure,
    ProvenanceDemand,
    Rule,
    Threshold,
    Trigger,
)
from policies.sentences import Sentence, format_money, read_sentence
from policies.words import ActionRequest, Effect, Money, Obligation, Origin, RuleVerdict, Situation

EFFECTS = {effect.value: effect for effect in Effect}


@dataclass(slots=True)
class Inquiry:
    """One request at one moment, and what has been found so far."""

    policies: PolicySet
    program: ToolProgram
    request: ActionRequest
    situation: Situation
    moment: Moment
    findings: Findings

    @property
    def currency(self) -> str:
        """The request's currency, for amounts that have none beside them."""
        value = self.request.arguments.get(self.program.profile.currency_argument)
        return value if isinstance(value, str) else ""

    def filled(self, sentence: Sentence) -> str:
        """A sentence with the values of this moment."""
        return sentence.fill(self.moment.values, self.currency) if sentence.shows else sentence.text


def ask(inquiry: Inquiry, compiled: CompiledRule, answer: bool | None = None) -> None:
    """Ask one rule.

    Args:
        inquiry: The request; what the rule says is added to its findings.
        compiled: The rule.
        answer: Whether its condition holds, if that is known already.
    """
    try:
        if compiled.kind == "permission":
            _permission(inquiry, compiled, answer)
        elif inquiry.moment.holds(compiled.condition) if answer is None else answer:
            HEARD[compiled.kind](inquiry, compiled, compiled.rule)
        elif compiled.kind != "obligation":
            _pass(inquiry, compiled)
    except ConditionError as error:
        inquiry.findings.fail(compiled.id, str(error), source=compiled.rule.source, facts=compiled.facts)


def ask_trigger(inquiry: Inquiry, compiled: CompiledRule) -> None:
    """Ask a trigger that names this tool; silent while a signal that it reads was not read."""
    moment = inquiry.moment
    unread = (compiled.reads & inquiry.policies.signals.keys()) - moment.values.keys() - moment.broken.keys()
    if not unread:
        ask(inquiry, compiled)


def ask_table(inquiry: Inquiry, use: TableUse) -> None:
    """Ask a table whose effect is a verdict."""
    rule = use.table.rule
    outcome = inquiry.moment.outcomes[rule.id]
    if outcome.error:
        inquiry.findings.fail(rule.id, outcome.error, source=rule.source, facts=use.facts)
        return
    known = use.verdicts.get(outcome.rows)
    if known is not None and known.effect is Effect.ALLOW:
        inquiry.findings.passed.append(known)
        return
    effects = outcome.values["effect"]
    if isinstance(effects, str):
        effect = EFFECTS[effects]
    else:
        found = [EFFECTS[each] for each in effects if isinstance(each, str)] if isinstance(effects, list) else []
        effect = max(found, key=lambda each: each.rank, default=Effect.ALLOW)
    reasons = " ".join(inquiry.filled(read_sentence(reason)) for reason in outcome.reasons)
    verdict = RuleVerdict(rule.id, effect, reasons or rule.why, rule.source, "table")
    if effect is Effect.ALLOW:
        inquiry.findings.passed.append(verdict)
    else:
        inquiry.findings.object_with(verdict, approval=rule.approval, queue=rule.queue, facts=use.facts)


def ask_matrix(inquiry: Inquiry) -> None:
    """Ask the autonomy matrix, if it covers this tool."""
    program, findings = inquiry.program, inquiry.findings
    matrix = program.autonomy
    if matrix is None:
        return
    asks, about = program.asks[inquiry.situation.level], program.about[inquiry.situation.level]

    def verdict(effect: Effect, note: str) -> RuleVerdict:
        sentence = inquiry.filled(read_sentence(matrix.why))
        return RuleVerdict(matrix.id, effect, f"{sentence} ({about}: {note})", matrix.source, "autonomy")

    before = len(findings.objections)
    if "confirm" in asks and not is_confirmed(inquiry.request, inquiry.situation.history):
        rule_id = f"{matrix.id}.confirm"
        waiting = "The customer has not yet said yes to these very details."
        findings.unconfirmed.add(rule_id)
        findings.object_with(RuleVerdict(rule_id, Effect.DENY, waiting, matrix.source, "procedure"))
    if "specialist" in asks:
        findings.object_with(verdict(Effect.ESCALATE, "specialists only"), queue=matrix.queue)
    if "approval" in asks or "two_approvals" in asks:
        count = 2 if "two_approvals" in asks else 1
        terms = matrix.approval.model_copy(update={"count": max(count, matrix.approval.count)})
        findings.object_with(verdict(Effect.REQUIRE_APPROVAL, f"{terms.count} approval(s)"), approval=terms)
    if "sample" in asks:
        findings.obligations.add(Obligation("sample", program.profile.name))
    if len(findings.objections) == before:
        findings.passed.append(verdict(Effect.ALLOW, ", ".join(asks)))


def _permission(inquiry: Inquiry, compiled: CompiledRule, answer: bool | None) -> None:
    """A permission for somebody else is never computed, so that it can't fail."""
    rule = compiled.rule
    if not isinstance(rule, Permission) or not rule.names(inquiry.request.specialist):
        return
    if inquiry.moment.holds(compiled.condition) if answer is None else answer:
        shows = compiled.sentence.shows
        inquiry.findings.grants.append(_verdict(inquiry, compiled, Effect.ALLOW) if shows else compiled.no_objection)


def _never(inquiry: Inquiry, compiled: CompiledRule, rule: Rule) -> None:
    _object(inquiry, compiled, Effect.DENY)


def _threshold(inquiry: Inquiry, compiled: CompiledRule, rule: Threshold) -> None:
    _object(inquiry, compiled, EFFECTS[rule.then], approval=rule.approval, queue=rule.queue)


def _trigger(inquiry: Inquiry, compiled: CompiledRule, rule: Trigger) -> None:
    _object(inquiry, compiled, Effect.ESCALATE, queue=rule.queue)


def _obligation(inquiry: Inquiry, compiled: CompiledRule, rule: ObligationRule) -> None:
    inquiry.findings.obligations.add(Obligation(rule.oblige, rule.detail))


def _prefer(inquiry: Inquiry, compiled: CompiledRule, rule: Prefer) -> None:
    situation = inquiry.situation
    if situation.justification and situation.justified_by:
        note = f" Overridden by {situation.justified_by}: {situation.justification}"
        _object(inquiry, compiled, Effect.REQUIRE_APPROVAL, approval=rule.approval, note=note)
    else:
        note = " A person may override this with a written justification."
        _object(inquiry, compiled, EFFECTS[rule.otherwise], queue=rule.queue, note=note)


def _limit(inquiry: Inquiry, compiled: CompiledRule, rule: Limit) -> None:
    if compiled.limit is None:
        raise ConditionError("The limit was not resolved.")
    found = measure(compiled.limit, inquiry.request, profile=inquiry.program.profile, situation=inquiry.situation)
    if found.use is not None:
        inquiry.findings.limits.append(found.use)
    if found.is_past:
        extra = {
            "used.count": str(found.used_count),
            "used.amount_minor": format_money(Money(found.used_amount_minor, found.currency)),
        }
        _object(inquiry, compiled, EFFECTS[rule.past], approval=rule.approval, queue=rule.queue, extra=extra)
    else:
        _pass(inquiry, compiled)


def _procedure(inquiry: Inquiry, compiled: CompiledRule, rule: Procedure) -> None:
    if is_met(rule, inquiry.request, history=inquiry.situation.history, tools=inquiry.policies.tools):
        _pass(inquiry, compiled)
        return
    if rule.confirmed:
        inquiry.findings.unconfirmed.add(compiled.id)
    _object(inquiry, compiled, Effect.DENY)


def _provenance(inquiry: Inquiry, compiled: CompiledRule, rule: ProvenanceDemand) -> None:
    request = inquiry.request
    stated = request.provenance.get(rule.argument)
    origin = stated.origin if stated else Origin.MODEL
    if request.arguments.get(rule.argument) is None or origin.value in rule.origins:
        _pass(inquiry, compiled)
        return
    note = f" ({rule.argument} came from: {origin.value})"
    _object(inquiry, compiled, EFFECTS[rule.then], approval=rule.approval, queue=rule.queue, note=note)


HEARD: dict[str, Callable[[Inquiry, CompiledRule, Any], None]] = {
    "hard": _never,
    "soft": _prefer,
    "threshold": _threshold,
    "trigger": _trigger,
    "limit": _limit,
    "procedure": _procedure,
    "provenance": _provenance,
    "obligation": _obligation,
}
"""Kind of a rule → what it says where its condition holds. Asking for the class of a pydantic model is slow."""


def _object(
    inquiry: Inquiry,
    compiled: CompiledRule,
    effect: Effect,
    *,
    approval: ApprovalSpec | None = None,
    queue: str = "",
    note: str = "",
    extra: dict[str, str] | None = None,
) -> None:
    verdict = _verdict(inquiry, compiled, effect, note=note, extra=extra)
    inquiry.findings.object_with(verdict, approval=approval, queue=queue, facts=compiled.facts)


def _pass(inquiry: Inquiry, compiled: CompiledRule) -> None:
    inquiry.findings.passed.append(compiled.no_objection)


def _verdict(
    inquiry: Inquiry,
    compiled: CompiledRule,
    effect: Effect,
    *,
    note: str = "",
    extra: dict[str, str] | None = None,
) -> RuleVerdict:
    if extra:
        sentence = compiled.sentence.fill({**inquiry.moment.values, **extra}, inquiry.currency)
    else:
        sentence = inquiry.filled(compiled.sentence)
    return RuleVerdict(compiled.id, effect, sentence + note, compiled.rule.source, compiled.kind)
