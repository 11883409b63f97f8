"""What people and programs see of the records: conversations, approvals, cases, the audit's verdict."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import cast

from callboard.api.models import (
    AllMeasuresOut,
    ApprovalOut,
    ApprovalsOut,
    AuditOut,
    CaseOut,
    ConversationOut,
    DecisionOut,
    EventOut,
    EventsOut,
    EvidenceOut,
    HandoffOut,
    MeasuresOut,
    ModelAnswerOut,
    PendingApproval,
    ReceiptOut,
    ReconciliationOut,
    TimelineEntry,
    Utterance,
)
from graphs.results import ApprovalState, TurnOutcome
from graphs.reviewing import state_of
from memory import (
    approval_notes,
    approvals,
    audit,
    cases,
    conversations,
    events,
    evidence,
    handoffs,
    model_usage,
    receipts,
    requests,
    review_answers,
    timeline,
    turns,
)
from memory.approvals import Approval, ApprovalStatus
from memory.errors import RecordNotFound
from memory.reconciliations import Reconciliation
from memory.store import Unit
from memory.timeline import Entry
from policies.words import ApprovalId, CaseId, ConversationId, RequestId

_SPEAKERS = {"customer": "customer", "assistant": "assistant"}


def view_conversation(unit: Unit, *, conversation_id: ConversationId) -> ConversationOut:
    """Everything said, in order, and what the conversation waits for.

    Raises:
        RecordNotFound: Nobody has written in it yet.
    """
    conversation = conversations.get(unit, conversation_id=conversation_id)
    if conversation is None:
        raise RecordNotFound("conversation", conversation_id)
    latest = turns.of_conversation(unit, conversation_id=conversation_id, limit=1)
    return ConversationOut(
        conversation_id=conversation.id,
        channel=conversation.channel,
        status=conversation.status,
        outcome=cast(TurnOutcome | None, latest[0].outcome) if latest else None,
        case_id=conversation.case_id or (latest[0].case_id if latest else None),
        messages=[_utterance(entry) for entry in timeline.messages(unit, conversation_id=conversation_id)],
        pending_approvals=[
            PendingApproval(
                approval_id=approval.id,
                summary=str(approval.body.get("summary", "")),
                expires_at=approval.expires_at,
            )
            for approval in approvals.pending_of_conversation(unit, conversation_id=conversation_id)
        ],
    )


def view_approval(unit: Unit, *, approval_id: ApprovalId) -> ApprovalOut:
    """One approval.

    Raises:
        ApprovalNotFound: There is none.
    """
    return _approvals(unit, [approvals.get(unit, approval_id=approval_id)])[0]


def view_answered(unit: Unit, *, state: ApprovalState) -> ApprovalOut:
    """An approval as it stood after an answer, with where it belongs."""
    approval = approvals.get(unit, approval_id=state.approval_id)
    additions = approval_notes.of_approvals(unit, approval_ids=[approval.id])
    return ApprovalOut.of(state, approval, additions.get(approval.id, []))


def list_approvals(
    unit: Unit, *, status: ApprovalStatus | None, queue: str | None, limit: int, after: str | None
) -> ApprovalsOut:
    """A page of approvals, the first to expire first."""
    page = approvals.listing(
        unit, status=status, queue=queue, limit=limit + 1, after=None if after is None else ApprovalId(after)
    )
    return ApprovalsOut(
        approvals=_approvals(unit, page[:limit]),
        next=page[limit - 1].id if len(page) > limit else None,
    )


def view_case(unit: Unit, *, case_id: CaseId) -> CaseOut:
    """Everything about one matter, with the reasons of every decision.

    Raises:
        RecordNotFound: There is none.
    """
    case = cases.get(unit, case_id=case_id)
    if case is None:
        raise RecordNotFound("case", case_id)
    happened = timeline.of_case(unit, case_id=case_id)
    return CaseOut(
        case_id=case.id,
        conversation_id=case.conversation_id,
        journey=case.journey,
        status=case.status,
        priority=case.priority,
        opened_at=case.opened_at,
        closed_at=case.closed_at,
        disposition=case.disposition,
        timeline=[
            TimelineEntry(
                seq=entry.seq,
                kind=entry.kind,
                author=entry.author,
                at=entry.at,
                turn_id=entry.turn_id,
                body=dict(entry.body),
            )
            for entry in happened
        ],
        evidence=[
            EvidenceOut(
                evidence_id=known.id,
                kind=known.kind,
                name=known.name,
                subject=known.subject,
                value=known.value,
                source=known.source,
                trust=known.trust,
                at=known.at,
                is_superseded=known.superseded_by is not None,
            )
            for known in evidence.of_case(unit, case_id=case_id, include_superseded=True)
        ],
        decisions=_decisions(unit, happened),
        receipts=[
            ReceiptOut(
                receipt_id=receipt.id,
                tool=receipt.tool,
                state=receipt.state,
                request_id=receipt.request_id,
                approval_id=receipt.approval_id,
                arguments=dict(receipt.arguments),
                result=None if receipt.result is None else dict(receipt.result),
                error_code=receipt.error_code,
                at=receipt.ended_at or receipt.started_at or receipt.reserved_at,
            )
            for receipt in receipts.of_case(unit, case_id=case_id)
        ],
        approvals=_approvals(unit, approvals.of_case(unit, case_id=case_id)),
        handoffs=[
            HandoffOut(
                handoff_id=handoff.id,
                queue=handoff.queue,
                reason=handoff.reason,
                score=handoff.score,
                bundle=dict(handoff.bundle),
                at=handoff.at,
                taken_by=handoff.taken_by,
            )
            for handoff in handoffs.of_case(unit, case_id=case_id)
        ],
        model_answers=[
            ModelAnswerOut(
                turn_id=answer.turn_id,
                task=answer.task,
                reasoner=answer.reasoner,
                prompt_version=answer.prompt_version,
                calls=answer.calls,
                prompt_tokens=answer.prompt_tokens,
                cached_tokens=answer.cached_tokens,
                completion_tokens=answer.completion_tokens,
                cost=format(Decimal(answer.cost_nano).scaleb(-9).normalize(), "f"),
                milliseconds=answer.milliseconds,
                notes=list(answer.notes),
                at=answer.at,
            )
            for answer in model_usage.answers_of_case(unit, case_id=case_id)
        ],
    )


def verify_audit(unit: Unit) -> AuditOut:
    """Recompute every audit chain."""
    report = audit.verify(unit)
    return AuditOut(
        ok=report.ok,
        chains=report.chains,
        entries=report.entries,
        problems=list(report.problems),
        unreadable=report.unreadable,
    )


def _utterance(entry: Entry) -> Utterance:
    message_id = entry.body.get("message_id")
    return Utterance.model_validate(
        {
            # A person writes under their own name; the customer needs to know only that it is one.
            "author": _SPEAKERS.get(entry.author, "person"),
            "text": str(entry.body.get("text", "")),
            "at": entry.at,
            "turn_id": entry.turn_id,
            "message_id": message_id if isinstance(message_id, str) else None,
        }
    )


def view_measures(
    unit: Unit, *, since: datetime | None, until: datetime | None, reviewer: str | None, tool: str | None
) -> AllMeasuresOut:
    """How reviewers answered in a window."""
    found = review_answers.measures(unit, since=since, until=until, reviewer=reviewer, tool=tool)
    return AllMeasuresOut(measures=[MeasuresOut(**asdict(one)) for one in found])


def view_reconciliation(item: Reconciliation) -> ReconciliationOut:
    """An effect of unknown outcome, or of one that is known by now."""
    given = asdict(item)
    return ReconciliationOut(reconciliation_id=given.pop("id"), **given)


def view_events(unit: Unit, *, after: int, limit: int) -> EventsOut:
    """What happened since an event."""
    found = events.after(unit, seq=after, limit=limit)
    return EventsOut(events=[EventOut(**asdict(one)) for one in found], next=found[-1].seq if found else after)


def _approvals(unit: Unit, found: Sequence[Approval]) -> list[ApprovalOut]:
    additions = approval_notes.of_approvals(unit, approval_ids=[approval.id for approval in found])
    return [ApprovalOut.of(state_of(one), one, additions.get(one.id, [])) for one in found]


def _decisions(unit: Unit, happened: list[Entry]) -> list[DecisionOut]:
    """The decisions of a case, from the requests that its timeline names, in order."""
    named = dict.fromkeys(str(entry.body["request"]) for entry in happened if entry.body.get("request"))
    found = []
    for request_id in named:
        row = requests.get_request(unit, request_id=RequestId(request_id))
        for made in requests.decisions_of(unit, request_id=row.request.id):
            verdicts = made.decision.get("verdicts")
            entries = [one for one in verdicts if isinstance(one, dict)] if isinstance(verdicts, list) else []
            found.append(
                DecisionOut(
                    request_id=row.request.id,
                    tool=row.request.tool,
                    phase=made.phase,
                    effect=made.effect,
                    reasons=[str(one.get("sentence", "")) for one in entries],
                    rules=[str(one.get("rule", "")) for one in entries],
                    policy_version=made.policy_version,
                    reasoner=str(made.situation.get("reasoner", "")),
                    prompt_version=str(made.situation.get("prompt_version", "")),
                    at=made.created_at,
                )
            )
    return sorted(found, key=lambda decision: decision.at)
