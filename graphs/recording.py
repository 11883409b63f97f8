"""What is written down around a request: its decision, the approval it needs, the outcome and what that shows."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta

from graphs.context import House, TurnContext
from graphs.judging import Judged
from graphs.matter import SYSTEM_TRUST, approval_id_of
from memory import approvals, audit, conversations, evidence, policy_versions, requests, timeline
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


def open_approval(unit: Unit, judged: Judged, house: House, ctx: TurnContext, turn_id: TurnId, case_id: CaseId) -> None:
    """Put the request before people."""
    terms = judged.decision.approval or ApprovalTerms()
    amount_minor, currency = amount_of(house, judged)
    approvals.open_approval(
        unit,
        approval_id=approval_id_of(judged.request.id),
        request_id=judged.request.id,
        tool=judged.request.tool,
        turn_id=turn_id,
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        digest=binding(judged.request, judged.facts),
        policy_version=judged.decision.policy_version,
        terms=terms,
        amount_minor=amount_minor,
        currency=currency,
        asked_by=judged.request.specialist,
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
        payload={"digest": binding(judged.request, judged.facts)},
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
        digest=binding(judged.request, judged.facts),
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


def binding(request: ActionRequest, shown: Facts) -> str:
    """The digest an approval is bound to: tool, canonical arguments, the facts shown."""
    return digest(
        {
            "tool": request.tool,
            "arguments": dict(request.arguments),
            "facts": {name: fact.value for name, fact in shown.items()},
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
) -> None:
    """What follows from a call: a receipt as evidence, who the customer is, the audit entry. With the receipt's end."""
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
        ids={"turn": turn_id, "request": request.id, "tool": request.tool, "state": state, "code": code},
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
        body={"request": request.id, "tool": request.tool, "state": state, "code": code},
    )
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
        source=f"{spec.system}, {spec.name}",
        trust=SYSTEM_TRUST,
        at=ctx.now,
        dedupe_key=f"receipt:{request.id}",
    )
