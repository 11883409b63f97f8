"""What is written down around a request: its decision, the approval it needs, the outcome and what that shows."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta

from graphs.context import House, TurnContext
from graphs.judging import Judged
from graphs.matter import ADDITION, CUSTOMER_TRUST, PERSON_TRUST, SYSTEM_TRUST, approval_id_of, turn_source
from memory import (
    approval_notes,
    approvals,
    audit,
    cases,
    conversations,
    events,
    evidence,
    policy_versions,
    reconciliations,
    requests,
    timeline,
)
from memory.approvals import Approval
from memory.receipts import Receipt
from memory.requests import Phase, RequestRow
from memory.store import Unit
from policies.canonical import decision_to_json, digest, facts_to_json
from policies.detectors.screening import PLANTED, screen_value
from policies.situations import situation_to_json
from policies.words import (
    ActionRequest,
    ApprovalTerms,
    CaseId,
    Decision,
    Effect,
    EvidenceId,
    Facts,
    Json,
    RuleVerdict,
    TurnId,
)


def write_decision(
    unit: Unit, judged: Judged, ctx: TurnContext, turn_id: TurnId, case_id: CaseId, *, phase: Phase
) -> None:
    """Store a decision with everything it was made from, and put it on the audit chain."""
    decision = decision_to_json(judged.decision)
    request_id = judged.request.id
    proposal = ctx.notes.proposed.get(request_id) or requests.get_request(unit, request_id=request_id)
    answer = ctx.notes.reading(unit, turn_id=proposal.turn_id, ordinal=proposal.ordinal)
    reasoner, prompt = (answer.reasoner, answer.prompt_version) if answer else ("", "")
    beside = _shadow(unit, judged, ctx)
    requests.save_decision(
        unit,
        request_id=judged.request.id,
        phase=phase,
        decision=decision,
        situation={
            "situation": situation_to_json(judged.situation),
            "facts": facts_to_json(judged.facts),
            "request": requests.request_to_json(judged.request),
            "missing": dict(judged.missing),
            "out_of_reach": judged.is_out_of_reach,
            "shadow": beside,
            "reasoner": reasoner,
            "prompt_version": prompt,
        },
        now=ctx.now,
    )
    audit.append(
        unit,
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="decision",
        ids={
            "turn": turn_id,
            "request": judged.request.id,
            "tool": judged.request.tool,
            "proposed_by": judged.request.specialist,
            "effect": judged.decision.effect.value,
            "policy": judged.decision.policy_version,
            "phase": phase,
            "reasoner": reasoner,
            "prompt": prompt,
        },
        payload={"decision": decision, "arguments": dict(judged.request.arguments)},
        at=ctx.now,
    )
    timeline.append(
        unit,
        conversation_id=ctx.conversation_id,
        case_id=case_id,
        turn_id=turn_id,
        kind="decision",
        author="policy",
        at=ctx.now,
        body={
            "request": judged.request.id,
            "tool": judged.request.tool,
            "proposed_by": judged.request.specialist,
            "effect": judged.decision.effect.value,
            "reasons": [verdict.sentence for verdict in judged.decision.verdicts],
            "rules": list(judged.decision.rules),
            "phase": phase,
        },
    )


def _shadow(unit: Unit, judged: Judged, ctx: TurnContext) -> Json:
    """Count what the policies in the shadow said, and what of it belongs on the record."""
    if judged.shadow is None:
        return None
    said = judged.shadow.decision
    policy_versions.count_shadow(
        unit,
        playbook=ctx.house.playbook.name,
        content_hash=judged.shadow.policy,
        flipped=said.effect is not judged.decision.effect,
    )
    return {"policy": judged.shadow.policy, "effect": said.effect.value, "rules": [*said.rules]}


def write_refusal(
    unit: Unit, ctx: TurnContext, row: RequestRow, turn_id: TurnId, case_id: CaseId, *, code: str, policy_version: str
) -> None:
    """A permit that could not be spent: the effect has happened, may be happening, or used up its limit meanwhile."""
    decision = Decision(
        effect=Effect.DENY,
        verdicts=(RuleVerdict(code, Effect.DENY, REFUSALS.get(code.split(":")[0], code), kind="ledger"),),
        passed=(),
        obligations=(),
        facts={},
        policy_version=policy_version,
    )
    requests.save_decision(
        unit,
        request_id=row.request.id,
        phase="ledger",
        decision=decision_to_json(decision),
        situation={},
        now=ctx.now,
    )
    audit.append(
        unit,
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="refused",
        ids={"turn": turn_id, "request": row.request.id, "tool": row.request.tool, "code": code},
        payload={"code": code},
        at=ctx.now,
    )


REFUSALS = {
    "already_done": "This very effect has happened before.",
    "in_flight": "This very effect may be happening right now.",
    "limit": "A limit was used up between the decision and the act.",
}


def open_approval(
    unit: Unit,
    judged: Judged,
    house: House,
    ctx: TurnContext,
    turn_id: TurnId,
    case_id: CaseId,
    *,
    asked_by: str = "",
) -> None:
    """Put the request before people; a person who asked for it (`asked_by`) can't approve it."""
    terms = judged.decision.approval or ApprovalTerms()
    amount_minor, currency = amount_of(house, judged)
    bound = binding(judged.request, judged.facts, judged.decision.policy_version)
    approvals.open_approval(
        unit,
        approval_id=approval_id_of(judged.request.id),
        request_id=judged.request.id,
        tool=judged.request.tool,
        turn_id=turn_id,
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        digest=bound,
        policy_version=judged.decision.policy_version,
        terms=terms,
        amount_minor=amount_minor,
        currency=currency,
        asked_by=asked_by or judged.request.specialist,
        body=approval_body(house, judged),
        now=ctx.now,
        expires_at=ctx.now + timedelta(seconds=terms.expires_s),
    )
    audit.append(
        unit,
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="approval_opened",
        ids={"turn": turn_id, "approval": approval_id_of(judged.request.id), "role": terms.role, "queue": terms.queue},
        payload={"digest": bound},
        at=ctx.now,
    )


def add_note(unit: Unit, ctx: TurnContext, approval: Approval, turn_id: TurnId, text: str) -> None:
    """Keep what a turn's message adds to a request that waits: for the reviewer, on the record, told to who watches."""
    assert approval.case_id is not None  # noqa: S101  # a turn's approval has its case
    approval_notes.add(
        unit,
        approval_id=approval.id,
        conversation_id=ctx.conversation_id,
        turn_id=turn_id,
        text=text,
        now=ctx.now,
    )
    evidence.add(
        unit,
        evidence_id=EvidenceId(f"ev-{turn_id}-addition-{approval.id}"),
        case_id=approval.case_id,
        conversation_id=ctx.conversation_id,
        kind="customer",
        name=ADDITION,
        subject=approval.id,
        value=True,
        source=turn_source(turn_id),
        trust=CUSTOMER_TRUST,
        at=ctx.now,
        dedupe_key=f"{turn_id}:addition:{approval.id}",
    )
    events.put(
        unit,
        kind="approval_noted",
        conversation_id=ctx.conversation_id,
        ids={"approval": str(approval.id), "queue": approval.queue},
        now=ctx.now,
    )
    audit.append(
        unit,
        case_id=approval.case_id,
        conversation_id=ctx.conversation_id,
        kind="approval_noted",
        ids={"approval": approval.id, "turn": turn_id},
        payload={"text": text},
        at=ctx.now,
    )


def reopen_approval(
    unit: Unit, judged: Judged, house: House, ctx: TurnContext, approval: Approval, changed: Mapping[str, Json]
) -> None:
    """Put it before people again: what they said yes to is no longer what is so."""
    terms = judged.decision.approval or ApprovalTerms(role=approval.role, count=approval.count, queue=approval.queue)
    approvals.reopen(
        unit,
        approval_id=approval.id,
        body={**approval_body(house, judged), "difference": dict(changed)},
        digest=binding(judged.request, judged.facts, judged.decision.policy_version),
        terms=terms,
        now=ctx.now,
        expires_at=ctx.now + timedelta(seconds=terms.expires_s),
        policy_version=judged.decision.policy_version,
    )
    audit.append(
        unit,
        case_id=approval.case_id,
        conversation_id=ctx.conversation_id,
        kind="approval_reopened",
        ids={"approval": approval.id},
        payload={"difference": dict(changed)},
        at=ctx.now,
    )


def approval_body(house: House, judged: Judged) -> dict[str, Json]:
    """What a person sees: what will happen, to whom, why it was asked, on which facts, and what follows."""
    decision = judged.decision
    return {
        "summary": house.tools.summary_of(judged.request.tool, judged.request.arguments),
        "why": judged.request.why,
        "arguments": dict(judged.request.arguments),
        "provenance": {
            name: {"origin": where.origin.value, "ref": where.ref} for name, where in judged.request.provenance.items()
        },
        "facts": facts_to_json(judged.facts),
        "reasons": [_verdict(verdict) for verdict in decision.verdicts],
        "passed": [_verdict(verdict) for verdict in decision.passed],
        "obligations": [asdict(duty) for duty in decision.obligations],
        "customer_id": judged.situation.customer_id,
        "assurance": int(judged.situation.assurance),
        "risk": house.tools.get(judged.request.tool).risk.value,
        "reversibility": house.tools.get(judged.request.tool).reversibility.value,
        "consequences_yes": "It runs once, on facts read again; the customer is told what was done, from the receipt.",
        "consequences_no": "Nothing is changed; the customer is told the reason and offered a person.",
    }


def binding(request: ActionRequest, shown: Facts, policy_version: str) -> str:
    """The digest an approval is bound to: tool, canonical arguments, the facts shown, the policies that asked for it.

    Whether it still stands under the policies in force at the act is another question, which `differences` answers; the
    digest says what the person said yes to, whatever came into force since (docs/design/ledger.md).
    """
    return digest(
        {
            "tool": request.tool,
            "arguments": dict(request.arguments),
            "facts": {name: fact.value for name, fact in shown.items()},
            "policy": policy_version,
        }
    )


def amount_of(house: House, judged: Judged) -> tuple[int | None, str | None]:
    """What the call moves, in minor units, with its currency; None where it moves no money."""
    spec = house.tools.get(judged.request.tool)
    amount = judged.request.arguments.get(spec.amount_argument) if spec.amount_argument else None
    currency = judged.request.arguments.get(spec.currency_argument) if spec.currency_argument else None
    return (amount if isinstance(amount, int) else None), (str(currency) if currency else None)


def _verdict(verdict: RuleVerdict) -> dict[str, Json]:
    return {"rule": verdict.rule, "sentence": verdict.sentence, "source": verdict.source, "kind": verdict.kind}


def keep_outcome(
    unit: Unit,
    ctx: TurnContext,
    row: RequestRow,
    turn_id: TurnId,
    case_id: CaseId,
    *,
    state: str,
    result: Mapping[str, Json],
    code: str,
    receipt: Receipt | None,
    circuit: str = "",
    was_unknown: bool = False,
    found_by: str = "",
) -> None:
    """What follows from a call: a receipt as evidence, who the customer is, the audit entry. With the receipt's end.

    Args:
        unit: The transaction that ends the receipt.
        ctx: The run's.
        row: The request.
        turn_id: Its turn.
        case_id: Its case.
        state: What came of it.
        result: What the system of record answered.
        code: Why it failed.
        receipt: The receipt in hand; another request's where the effect is not this one's.
        circuit: How the system's circuit stands, where it isn't closed.
        was_unknown: Whether a person may have been asked what came of it.
        found_by: The person who found it out, where no system said it.
    """
    house, request = ctx.house, row.request
    own = receipt is not None and receipt.request_id == request.id
    if not own:
        write_refusal(unit, ctx, row, turn_id, case_id, code=code, policy_version=house.desk.latest.version)
        return
    spec = house.tools.get(request.tool)
    audit.append(
        unit,
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="receipt",
        ids={"turn": turn_id, "request": request.id, "tool": request.tool, "state": state, "code": code}
        | ({"circuit": circuit} if circuit else {}),
        payload={"arguments": dict(request.arguments), "result": dict(result)},
        at=ctx.now,
    )
    timeline.append(
        unit,
        conversation_id=ctx.conversation_id,
        case_id=case_id,
        turn_id=turn_id,
        kind="receipt",
        author="gateway",
        at=ctx.now,
        body={"request": request.id, "tool": request.tool, "state": state, "code": code, "circuit": circuit},
    )
    if receipt is not None and state == "unknown":
        _ask_person(unit, ctx, row, receipt)
    elif receipt is not None and was_unknown:
        reconciliations.settle(unit, receipt_id=receipt.id, now=ctx.now)
    if state != "committed":
        return
    verification = spec.verification(dict(result)) if spec.verification else None
    if verification is not None:
        conversations.bind(
            unit,
            conversation_id=ctx.conversation_id,
            customer_id=verification.customer_id,
            assurance=verification.assurance,
            now=ctx.now,
        )
    subject = request.arguments.get(spec.record_argument or spec.reads_record)
    # What somebody planted in a record is nothing to a specialist, and not to be read out to a customer.
    value, found = screen_value(dict(result))
    if PLANTED & found:
        audit.append(
            unit,
            case_id=case_id,
            conversation_id=ctx.conversation_id,
            kind="screened",
            ids={"turn": turn_id, "request": request.id, "tool": request.tool},
            payload={"found": [*sorted(PLANTED & found)]},
            at=ctx.now,
        )
    evidence.add(
        unit,
        evidence_id=EvidenceId(f"ev-{request.id}"),
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="receipt",
        name=spec.returns,
        subject=str(subject) if subject is not None else "",
        value=value,
        source=f"{found_by}, in {spec.system}" if found_by else f"{spec.system}, {spec.name}",
        trust=PERSON_TRUST if found_by else SYSTEM_TRUST,
        at=ctx.now,
        dedupe_key=f"receipt:{request.id}",
    )


def _ask_person(unit: Unit, ctx: TurnContext, row: RequestRow, receipt: Receipt) -> None:
    """Nobody knows whether it happened: a person finds out, and the system is asked again where it can be."""
    spec = ctx.house.tools.get(receipt.tool)
    case = cases.get(unit, case_id=CaseId(row.case_id)) if row.case_id else None
    journey = ctx.house.playbook.journeys.get((case.journey if case else None) or "")
    role = "reviewer"
    if receipt.approval_id is not None:
        role = approvals.get(unit, approval_id=receipt.approval_id).role
    reconciliations.open_for(
        unit,
        receipt=receipt,
        queue=journey.queue if journey else ctx.house.playbook.default_queue,
        role=role,
        known={
            "summary": ctx.house.tools.summary_of(receipt.tool, receipt.arguments),
            "system": spec.system,
            "arguments": dict(receipt.arguments),
            "idempotency_key": receipt.key,
            "called_at": receipt.started_at.isoformat() if receipt.started_at else None,
            "lost_because": receipt.error_code,
            "attempts": receipt.attempt,
            "approval": receipt.approval_id,
        },
        asks_in=spec.settling_time if spec.probe is not None or spec.idempotent else None,
        now=ctx.now,
    )
