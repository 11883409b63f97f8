"""A person's answer to an approval: an edit is judged first, and everything is checked before the row moves."""

from dataclasses import replace
from datetime import datetime, timedelta

from graphs.context import House
from graphs.errors import EditRefused
from graphs.judging import Judged, judge
from graphs.recording import amount_of, approval_body, binding
from graphs.results import ApprovalState, ReviewDecision, Reviewer
from memory import approvals, audit, authority, requests
from memory.approvals import Approval, EditedRequest
from memory.boundaries import crossing
from memory.errors import ApprovalChanged
from memory.requests import RequestRow
from memory.store import Unit
from policies.canonical import decision_to_json, facts_to_json
from policies.situations import situation_to_json
from policies.words import (
    ActionRequest,
    ApprovalId,
    ApprovalTerms,
    ConversationId,
    Effect,
    Json,
    Origin,
    Provenance,
    RequestId,
)
from tools.errors import ToolArgumentsError


async def answer(
    house: House, approval_id: ApprovalId, decision: ReviewDecision, reviewer: Reviewer, *, now: datetime
) -> Approval:
    """Take a person's answer, or refuse it with the approval exactly as it was.

    Raises:
        ApprovalError: Why the answer can't be taken, by kind.
        EditRefused: What stands against the edit.
    """
    known, row, first = await house.store.read(lambda unit: _gather(unit, approval_id))
    edited, judged = (None, None)
    version = decision.version
    if decision.answer == "edit":
        if version is not None and version != known.version:
            # Judged now would be an edit of what stands; a version named ahead must not let it pass for a later one.
            raise ApprovalChanged(approval_id, version=version, current=known.version)
        edited, judged = await _edit(house, known, row, first, decision, reviewer, now=now)
        # What was judged is an edit of the version that was read; of another one nobody has judged it.
        version = known.version

    def work(unit: Unit) -> Approval:
        if edited is not None and judged is not None:
            _keep_edit(unit, row, edited.request, judged, now)
        settled = approvals.decide(
            unit,
            approval_id=approval_id,
            answer=decision.answer,
            reviewer=as_authority(reviewer),
            version=version,
            note=decision.message,
            edited=edited,
            now=now,
        )
        if settled.case_id is not None:
            audit.append(
                unit,
                case_id=settled.case_id,
                conversation_id=settled.conversation_id,
                kind="approval_answered",
                ids={
                    "approval": approval_id,
                    "answer": decision.answer,
                    "reviewer": reviewer.id,
                    "role": reviewer.role,
                    "status": settled.status,
                },
                payload={"version": settled.version, "message": decision.message, "digest": settled.digest},
                at=now,
            )
        return settled

    with crossing(house.checkpoint, "answer"):
        return await house.store.write(work)


async def _edit(
    house: House,
    known: Approval,
    row: RequestRow,
    first: ActionRequest,
    decision: ReviewDecision,
    reviewer: Reviewer,
    *,
    now: datetime,
) -> tuple[EditedRequest, Judged]:
    """What the edit makes of the request, and what policy says of that."""
    if decision.tool and decision.tool != known.tool:
        raise EditRefused(f"An edit can't switch from {known.tool} to {decision.tool}. Reject it and say what to do.")
    if decision.arguments is None:
        raise EditRefused("An edit needs the whole arguments as they shall run.")
    try:
        arguments = house.tools.validate(known.tool, decision.arguments, coerce=True)
    except ToolArgumentsError as problem:
        raise EditRefused(str(problem)) from None
    before = row.request
    request = replace(
        before,
        id=RequestId(f"{before.id}.{known.version}"),
        arguments=arguments,
        specialist=reviewer.role,
        why=decision.message or f"Edited by a {reviewer.role}.",
        provenance={
            name: _source(name, value, first, before) or Provenance(Origin.PERSON, reviewer.id)
            for name, value in arguments.items()
        },
    )
    if row.case_id is None:
        raise EditRefused("The case of this request is gone.")
    judged = await judge(
        house,
        request,
        conversation_id=known.conversation_id,
        case_id=row.case_id,
        signals={},
        now=now,
        confirmed_as=first,
    )
    if judged.decision.effect in {Effect.DENY, Effect.ESCALATE}:
        sentences = " ".join(verdict.sentence for verdict in judged.decision.verdicts)
        raise EditRefused(f"Policy doesn't allow this edit: {sentences}")
    terms = judged.decision.approval or ApprovalTerms(role=known.role, count=1, queue=known.queue)
    amount_minor, currency = amount_of(house, judged)
    return (
        EditedRequest(
            request=judged.request,
            digest=binding(judged.request, judged.facts, judged.decision.policy_version),
            terms=terms,
            body=approval_body(house, judged),
            needs_more=not authority.suffices(
                as_authority(reviewer),
                role=terms.role,
                tool=known.tool,
                amount_minor=amount_minor,
                currency=currency,
            ),
            amount_minor=amount_minor,
            currency=currency,
            policy_version=judged.decision.policy_version,
        ),
        judged,
    )


def _source(name: str, value: Json, *editions: ActionRequest) -> Provenance | None:
    """Where an argument came from in the first edition that had this value; None if it is this reviewer's own."""
    for edition in editions:
        if edition.arguments.get(name) == value:
            return edition.provenance.get(name, Provenance(Origin.MODEL))
    return None


def as_authority(reviewer: Reviewer) -> authority.Reviewer:
    """A person as memory asks what they may do."""
    return authority.Reviewer(id=reviewer.id, role=reviewer.role, limits=reviewer.limits, actions=reviewer.actions)


def claim(unit: Unit, approval_id: ApprovalId, reviewer: Reviewer, *, lease: timedelta, now: datetime) -> Approval:
    """Take an approval in hand, on the record. Raises as `approvals.claim`."""
    person = as_authority(reviewer)
    claimed = approvals.claim(unit, approval_id=approval_id, reviewer=person, lease=lease, now=now)
    _note_claim(unit, claimed, "approval_claimed", reviewer, now)
    return claimed


def release(unit: Unit, approval_id: ApprovalId, reviewer: Reviewer, *, now: datetime) -> Approval:
    """Give a claim back, on the record. Raises as `approvals.release_claim`."""
    released = approvals.release_claim(unit, approval_id=approval_id, reviewer=as_authority(reviewer))
    _note_claim(unit, released, "approval_released", reviewer, now)
    return released


def _note_claim(unit: Unit, approval: Approval, kind: str, reviewer: Reviewer, now: datetime) -> None:
    if approval.case_id is not None:
        audit.append(
            unit,
            case_id=approval.case_id,
            conversation_id=approval.conversation_id,
            kind=kind,
            ids={"approval": approval.id, "reviewer": reviewer.id},
            payload={"version": approval.version},
            at=now,
        )


def warn_due(unit: Unit, *, now: datetime) -> list[Approval]:
    """Warn of approvals that will expire soon, once each, on the record."""
    warned = approvals.warn_due(unit, now=now)
    for approval in warned:
        note_end(unit, approval, by="clock", now=now, kind="approval_warned")
    return warned


def _keep_edit(unit: Unit, row: RequestRow, request: ActionRequest, judged: Judged, now: datetime) -> None:
    requests.save_request(
        unit,
        turn_id=row.turn_id,
        ordinal=row.ordinal,
        request=request,
        case_id=row.case_id,
        conversation_id=row.conversation_id,
        step=row.step,
        supersedes=row.request.id,
        now=now,
    )
    requests.save_decision(
        unit,
        request_id=request.id,
        phase="edit",
        decision=decision_to_json(judged.decision),
        situation={
            "situation": situation_to_json(judged.situation),
            "facts": facts_to_json(judged.facts),
            "request": requests.request_to_json(judged.request),
            "missing": dict(judged.missing),
        },
        now=now,
    )


def _gather(unit: Unit, approval_id: ApprovalId) -> tuple[Approval, RequestRow, ActionRequest]:
    """The approval, the request in force, and the one first proposed, which the customer said yes to."""
    approval = approvals.get(unit, approval_id=approval_id)
    row = first = requests.get_request(unit, request_id=approval.request_id)
    while first.supersedes is not None:
        first = requests.get_request(unit, request_id=first.supersedes)
    return approval, row, first.request


def take_back(
    unit: Unit,
    approval_id: ApprovalId,
    *,
    by: str,
    now: datetime,
    conversation_id: ConversationId | None,
    reason: str,
) -> Approval:
    """Withdraw a request before it was acted on, on the record. Raises as `approvals.withdraw`."""
    ended = approvals.withdraw(
        unit, approval_id=approval_id, by=by, now=now, conversation_id=conversation_id, reason=reason
    )
    note_end(unit, ended, by=by, now=now)
    return ended


def note_end(unit: Unit, ended: Approval, *, by: str, now: datetime, kind: str = "") -> None:
    """Put on the record that an approval ended, or will, without an answer of a reviewer."""
    if ended.case_id is not None:
        audit.append(
            unit,
            case_id=ended.case_id,
            conversation_id=ended.conversation_id,
            kind=kind or f"approval_{ended.status}",
            ids={"approval": ended.id, "turn": ended.turn_id, "by": by},
            payload={"version": ended.version, "digest": ended.digest, "because": ended.ended_because},
            at=now,
        )


def state_of(approval: Approval) -> ApprovalState:
    """An approval for a shell."""
    return ApprovalState(
        approval_id=approval.id,
        status=approval.status,
        version=approval.version,
        tool=approval.tool,
        summary=str(approval.body.get("summary", "")),
        votes=sum(vote.answer in {"approve", "edit"} for vote in approval.votes),
        needed=approval.count,
        role=approval.role,
        expires_at=approval.expires_at,
        turn_id=approval.turn_id,
        conversation_id=approval.conversation_id,
        claimed_by=approval.claimed_by,
        claimed_until=approval.claimed_until,
        warned_at=approval.warned_at,
        ended_by=approval.ended_by,
        ended_because=approval.ended_because,
        details=dict(approval.body),
    )
