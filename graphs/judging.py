"""Asking policy about one request: facts read now, the situation gathered from rows, the engine's answer."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from agents.local.checks import DueCheck
from agents.tasks import EligibilityTask
from graphs.context import House
from graphs.matter import visible
from graphs.policy_desk import Seats
from memory import cases, conversations, evidence, receipts, requests
from memory.evidence import Evidence
from memory.store import Unit
from policies.engine import PolicyEngine
from policies.limits import LimitKey
from policies.words import (
    ActionRequest,
    CaseId,
    ConversationId,
    Decision,
    Effect,
    Facts,
    HistoryEvent,
    Json,
    Origin,
    Provenance,
    RuleVerdict,
    Situation,
)
from tools.errors import ToolArgumentsError, UnknownTool
from tools.spec import ToolContext


@dataclass(frozen=True, slots=True)
class Shadow:
    """What the policies in the shadow say of the same request; nothing follows from it."""

    policy: str
    """The hash of their content."""
    decision: Decision


@dataclass(frozen=True, slots=True)
class Judged:
    """One decision with all that it was made from, so that it can be made again."""

    request: ActionRequest
    """With canonical arguments and checked provenance."""
    decision: Decision
    facts: Facts
    situation: Situation
    missing: Mapping[str, str]
    """Facts that could not be read, and why."""
    is_out_of_reach: bool = False
    """Whether a system could not be asked, so that a `deny` says nothing about the matter."""
    ledger: frozenset[str] = frozenset()
    """How the customer's effects stood that had ended before the facts were read."""
    lacks_only_confirmation: bool = False
    """It would be allowed, or go to a person, if the customer confirmed these very details."""
    shadow: Shadow | None = None


async def judge(
    house: House,
    request: ActionRequest,
    *,
    conversation_id: ConversationId,
    case_id: CaseId,
    signals: Mapping[str, Json],
    now: datetime,
    confirmed_as: ActionRequest | None = None,
) -> Judged:
    """Read the facts and let policy decide. Never raises for anything that is wrong with the request.

    Args:
        house: Stores, tools, policies.
        request: What is proposed; its claims of provenance are checked.
        conversation_id: Where.
        case_id: For which case.
        signals: Readings that triggers at calls may use.
        now: The moment of the decision.
        confirmed_as: For a person's edit: the request that the customer said yes to. That yes holds for the edit too,
            since a person answers for the difference (docs/design/edits.md): what differs comes from that person.
    """
    gathered = await house.store.read(lambda unit: _gather(unit, house, conversation_id, case_id))
    engine = gathered.seats.in_force
    situation = replace(gathered.situation, now=now, signals=dict(signals))
    try:
        arguments = house.tools.validate(request.tool, request.arguments)
    except (UnknownTool, ToolArgumentsError) as problem:
        return Judged(request, _refused(engine, problem), {}, situation, {})
    facts_read = await house.tools.read_facts(
        request.tool,
        arguments,
        ToolContext(
            systems=house.systems, customer_id=situation.customer_id, idempotency_key=f"facts:{request.id}", now=now
        ),
        timeout_s=house.fact_timeout_s,
        circuits=house.circuits,
    )
    facts = facts_read.facts
    original = canonical_arguments(house, confirmed_as) if confirmed_as is not None else arguments
    request = replace(
        request,
        arguments=arguments,
        provenance={
            name: Provenance(Origin.PERSON, request.provenance[name].ref if name in request.provenance else "")
            if original.get(name) != value
            else checked(
                request.provenance.get(name),
                value,
                facts,
                gathered.statements,
                _constant(house, situation, request, name),
            )
            for name, value in arguments.items()
        },
    )
    if confirmed_as is not None:
        situation = replace(situation, history=_carried(situation.history, confirmed_as.tool, original, request))
    shadow = gathered.seats.shadow
    keys = [*engine.limits_for(request, facts, situation)]
    if shadow is not None:
        keys += shadow.limits_for(request, facts, situation)
    if keys:
        uses = await house.store.read(
            lambda unit: receipts.uses(unit, keys=[limit.key for limit in keys], since=_since(keys, now))
        )
        situation = replace(situation, uses={key: tuple(past) for key, past in uses.items()})
    decision = engine.decide(request, facts, situation)
    return Judged(
        request,
        decision,
        facts,
        situation,
        facts_read.missing,
        ledger=gathered.ledger,
        is_out_of_reach=facts_read.is_out_of_reach,
        lacks_only_confirmation=_lacks_only_confirmation(engine, request, decision, facts, situation),
        shadow=Shadow(gathered.seats.shadow_hash, shadow.decide(request, facts, situation)) if shadow else None,
    )


def _since(keys: Sequence[LimitKey], now: datetime) -> datetime | None:
    """How far back past effects count: as far as the longest window; None if one of them has no end."""
    windows = [limit.window_s for limit in keys]
    finite = [window for window in windows if window is not None]
    return now - timedelta(seconds=max(finite)) if len(finite) == len(windows) else None


def canonical_arguments(house: House, request: ActionRequest) -> Mapping[str, Json]:
    """A request's arguments as its tool's schema completes them; as they are where they don't fit it."""
    try:
        return house.tools.validate(request.tool, request.arguments)
    except (UnknownTool, ToolArgumentsError):
        return dict(request.arguments)


def _carried(
    history: tuple[HistoryEvent, ...], tool: str, original: Mapping[str, Json], request: ActionRequest
) -> tuple[HistoryEvent, ...]:
    """The history with the customer's yes to the original counted for the edit."""
    return tuple(
        replace(event, arguments=request.arguments)
        if event.kind == "confirmation" and event.tool == tool and event.arguments == original
        else event
        for event in history
    )


def _lacks_only_confirmation(
    engine: PolicyEngine, request: ActionRequest, decision: Decision, facts: Facts, situation: Situation
) -> bool:
    if decision.effect is not Effect.DENY or not any(duty.kind == "confirm" for duty in decision.obligations):
        return False
    confirmed = HistoryEvent("confirmation", request.tool, request.arguments, at=situation.now)
    then = engine.decide(request, facts, replace(situation, history=(*situation.history, confirmed)))
    return then.effect in {Effect.ALLOW, Effect.REQUIRE_APPROVAL}


async def trigger_of(
    house: House,
    conversation_id: ConversationId,
    case_id: CaseId,
    signals: Mapping[str, Json],
    now: datetime,
) -> Decision | None:
    """What the triggers say of the moment, without a request; None if none of them is pulled."""
    situation, seats = await house.store.read(lambda unit: _situation(unit, house, conversation_id, case_id)[:2])
    return seats.in_force.trigger(replace(situation, now=now, signals=dict(signals)))


async def offered_tools(
    house: House, tools: Sequence[str], *, conversation_id: ConversationId, case_id: CaseId, now: datetime
) -> list[str]:
    """Those of the tools that policy could let workflow call as the case stands; others needn't be proposed."""
    situation, seats = await house.store.read(lambda unit: _situation(unit, house, conversation_id, case_id)[:2])
    situation = replace(situation, now=now)
    return [tool for tool in tools if seats.in_force.offers(tool, "workflow", situation)]


async def facts_for_check(
    house: House, due: DueCheck, *, conversation_id: ConversationId, case_id: CaseId, now: datetime
) -> EligibilityTask:
    """A due check as a task: its inputs from slots and evidence, and from the facts of the tool that it guards."""
    facts: Facts = {}
    if due.fact_inputs and due.tool:
        gathered = await house.store.read(lambda unit: _gather(unit, house, conversation_id, case_id))
        context = ToolContext(
            systems=house.systems,
            customer_id=gathered.situation.customer_id,
            idempotency_key=f"check:{case_id}:{due.step.id}",
            now=now,
        )
        read = await house.tools.read_facts(
            due.tool, due.arguments, context, timeout_s=house.fact_timeout_s, circuits=house.circuits
        )
        facts = read.facts
    inputs = dict(due.inputs)
    inputs |= {name: facts[fact].value for name, fact in due.fact_inputs.items() if fact in facts}
    return EligibilityTask(
        journey=due.journey, step=due.step.id, table=due.step.check, inputs=inputs, about=due.arguments
    )


@dataclass(frozen=True, slots=True)
class _Gathered:
    situation: Situation
    statements: Mapping[str, tuple[Origin, Json]]
    seats: Seats
    ledger: frozenset[str]


def _gather(unit: Unit, house: House, conversation_id: ConversationId, case_id: CaseId) -> _Gathered:
    """All that a decision about a request is made from."""
    situation, seats, rows = _situation(unit, house, conversation_id, case_id)
    slots = {slot for method in house.playbook.verification for slot in method.slots.values()}
    # What identifies somebody may have been said for another matter of the same conversation.
    identifying = evidence.of_conversation(unit, conversation_id=conversation_id, names=slots)
    origins = {"customer": Origin.CUSTOMER, "person": Origin.PERSON}
    return _Gathered(
        situation,
        {row.id: (origins.get(row.kind, Origin.EVIDENCE), row.value) for row in (*identifying, *rows)},
        seats,
        receipts.ended(unit, conversation_id=conversation_id, now=house.clock()),
    )


def _situation(
    unit: Unit, house: House, conversation_id: ConversationId, case_id: CaseId
) -> tuple[Situation, Seats, list[Evidence]]:
    """How the case stands, who decides for it, and what its evidence is."""
    conversation = conversations.get(unit, conversation_id=conversation_id)
    case = cases.get(unit, case_id=case_id)
    if conversation is None or case is None:
        raise LookupError("The request's conversation or case is gone.")
    rows = visible(unit, conversation_id=conversation_id, case_id=case_id)
    history = requests.history(
        unit, case_id=case_id, conversation_id=conversation_id, shared=house.playbook.verification_tools
    )
    history += [
        HistoryEvent("confirmation", str(row.value["tool"]), row.value["arguments"], at=row.at)
        for row in rows
        if row.kind == "confirmation"
        and row.case_id == case_id
        and not row.spent
        and isinstance(row.value, dict)
        and isinstance(row.value["arguments"], dict)
    ]
    journey = house.playbook.journeys.get(case.journey or "")
    situation = Situation(
        now=house.clock(),
        customer_id=conversation.customer_id,
        assurance=conversation.assurance,
        level=house.playbook.level_of(case.journey),
        channel=conversation.channel,
        case_id=case_id,
        journey=case.journey or "",
        allowed_tools=(journey.allowed_tools | house.playbook.verification_tools) if journey else None,
        history=tuple(sorted(history, key=lambda event: event.at or house.clock())),
    )
    return situation, house.desk.seats(unit, case_id=case_id, now=house.clock()), rows


def checked(
    claim: Provenance | None,
    value: Json,
    facts: Facts,
    statements: Mapping[str, tuple[Origin, Json]],
    constant: Json = None,
) -> Provenance:
    """Where an argument really came from: the claim if a row or fact bears it out, else the model made it up.

    A specialist may say anything about its arguments; only what this conversation's rows and the facts just read
    confirm counts.
    """
    if claim is None:
        return Provenance(Origin.MODEL)
    if claim.origin is Origin.FACT:
        fact = facts.get(claim.ref)
        return claim if fact is not None and fact.value == value else Provenance(Origin.MODEL, claim.ref)
    if claim.origin in {Origin.EVIDENCE, Origin.CUSTOMER, Origin.PERSON, Origin.TABLE}:
        origin, stated = statements.get(claim.ref, (Origin.MODEL, None))
        if not claim.ref and claim.origin is Origin.CUSTOMER:
            # Without a row it is looked for among all that they said.
            origin, stated = next(
                (one for one in statements.values() if one[0] is Origin.CUSTOMER and one[1] == value), (origin, stated)
            )
        if origin is not Origin.MODEL and _holds(stated, value):
            return Provenance(origin, claim.ref)
        return Provenance(Origin.MODEL, claim.ref)
    if claim.origin is Origin.PLAYBOOK and constant is not None and value == constant:
        return claim
    return Provenance(Origin.MODEL, claim.ref)


def _constant(house: House, situation: Situation, request: ActionRequest, argument: str) -> Json:
    """What the journey's own steps say for this argument, or None if they leave it open."""
    journey = house.playbook.journeys.get(situation.journey)
    for step in journey.steps if journey else []:
        source = step.arguments.get(argument, "")
        if step.tool == request.tool and source.startswith("value:"):
            return source.removeprefix("value:")
    return None


def _holds(stated: Json, value: Json) -> bool:
    """Whether a statement contains the value, or all the parts of a list."""
    if stated == value:
        return True
    if isinstance(value, list) and value:
        return all(_holds(stated, part) for part in value)
    if isinstance(stated, dict):
        return any(_holds(part, value) for part in stated.values())
    if isinstance(stated, list):
        return any(_holds(part, value) for part in stated)
    return False


def _refused(engine: PolicyEngine, problem: Exception) -> Decision:
    return Decision(
        effect=Effect.DENY,
        verdicts=(RuleVerdict("arguments", Effect.DENY, str(problem), kind="error"),),
        passed=(),
        obligations=(),
        facts={},
        policy_version=engine.version,
        error=str(problem),
    )


def differences(
    before: Decision,
    shown: Facts,
    after: Judged,
    clock_facts: frozenset[str],
    tolerances: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Json]:
    """What changed between the decision that a person approved and the one in force now; empty if it stands.

    It stands if effect, required people and obligations are equal and no fact that was shown, or that a matched rule
    reads, differs, clock facts aside and by no more than the tool tolerates (P3). Nothing is said of the policies'
    version: another one that comes to the same lets the approval stand.
    """
    changed: dict[str, Json] = {}
    now = after.decision
    if now.effect is not before.effect:
        changed["effect"] = {"before": before.effect.value, "now": now.effect.value}
    if _terms(now) != _terms(before):
        changed["reviewers"] = {"before": _terms(before), "now": _terms(now)}
    if now.obligations != before.obligations:
        changed["obligations"] = {
            "before": [asdict(duty) for duty in before.obligations],
            "now": [asdict(duty) for duty in now.obligations],
        }
    for name in sorted((shown.keys() | before.facts.keys()) - clock_facts):
        old = shown.get(name) or before.facts.get(name)
        new = after.facts.get(name)
        if old is not None and (new is None or _differs(old.value, new.value, tolerances.get(name, 0.0))):
            changed[name] = {"before": old.value, "now": new.value if new else None}
    return changed


def _differs(before: Json, now: Json, tolerance: float) -> bool:
    if tolerance and isinstance(before, (int, float)) and isinstance(now, (int, float)):
        return abs(before - now) > tolerance
    return before != now


def _terms(decision: Decision) -> Json:
    if decision.approval is None:
        return None
    return {"role": decision.approval.role, "count": decision.approval.count}
