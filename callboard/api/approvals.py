"""Routes for reviewers: what waits for a person, and their answers."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from callboard.api.access import principal_of
from callboard.api.desk import ApprovalPath, runtime_of
from callboard.api.models import IDENTIFIER, AllMeasuresOut, ApprovalOut, ApprovalsOut, DecisionIn, WithdrawIn
from callboard.views import list_approvals, view_answered, view_approval, view_measures
from graphs.results import ReviewDecision
from memory.errors import JustificationMissing, NotOfConversation
from policies.words import ApprovalId, ConversationId

router = APIRouter(prefix="/v1/approvals", tags=["approvals"])

Status = Literal["pending", "approved", "rejected", "responded", "withdrawn", "expired", "spent", "void"]


@router.get("")
async def read_approvals(
    request: Request,
    status: Annotated[Status | None, Query(description="Only those in this state.")] = None,
    queue: Annotated[str | None, Query(max_length=128, description="Only those of this queue.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(pattern=IDENTIFIER, description="`next` of the page before.")] = None,
) -> ApprovalsOut:
    """Approvals with all that is needed to decide them, oldest first."""
    return await runtime_of(request).store.read(
        lambda unit: list_approvals(unit, status=status, queue=queue, limit=limit, after=after)
    )


@router.get("/measures")
async def read_measures(
    request: Request,
    since: Annotated[AwareDatetime | None, Query(description="Only answers at or after this moment.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Only answers before it.")] = None,
    reviewer: Annotated[str | None, Query(max_length=128, description="Only theirs.")] = None,
    action: Annotated[str | None, Query(max_length=128, description="Only on this tool.")] = None,
) -> AllMeasuresOut:
    """How approvals are answered, by reviewer and action: time to decide, share approved, edits."""
    return await runtime_of(request).store.read(
        lambda unit: view_measures(unit, since=since, until=until, reviewer=reviewer, tool=action)
    )


@router.get("/{approval_id}")
async def read_approval(approval_id: ApprovalPath, request: Request) -> ApprovalOut:
    """One approval."""
    return await runtime_of(request).store.read(lambda unit: view_approval(unit, approval_id=ApprovalId(approval_id)))


@router.post("/{approval_id}/claim")
async def claim(approval_id: ApprovalPath, request: Request) -> ApprovalOut:
    """Take an approval in hand for a while: nobody else decides it then. Again, to hold it longer."""
    runtime = runtime_of(request)
    state = await runtime.runner.claim(
        ApprovalId(approval_id), principal_of(request).as_reviewer(), lease=_lease(runtime.settings.claim_s)
    )
    return await runtime.store.read(lambda unit: view_answered(unit, state=state))


@router.post("/{approval_id}/claim/renew")
async def renew_claim(approval_id: ApprovalPath, request: Request) -> ApprovalOut:
    """Hold your claim longer; also one that has ended, if nobody else took it meanwhile."""
    runtime = runtime_of(request)
    state = await runtime.runner.renew_claim(
        ApprovalId(approval_id), principal_of(request).as_reviewer(), lease=_lease(runtime.settings.claim_s)
    )
    return await runtime.store.read(lambda unit: view_answered(unit, state=state))


@router.post("/{approval_id}/claim/release")
async def release_claim(approval_id: ApprovalPath, request: Request) -> ApprovalOut:
    """Give your claim back."""
    runtime = runtime_of(request)
    state = await runtime.runner.release_claim(ApprovalId(approval_id), principal_of(request).as_reviewer())
    return await runtime.store.read(lambda unit: view_answered(unit, state=state))


@router.post("/{approval_id}/decision")
async def decide(approval_id: ApprovalPath, decision: DecisionIn, request: Request) -> ApprovalOut:
    """Answer an approval: approve, edit, reject or respond.

    Waits for nothing: the answer shows the approval as it stands after yours; what follows from it appears on the
    conversation. An answer that is late, not allowed or for another version is refused and changes nothing.
    """
    runtime = runtime_of(request)
    state = await runtime.runner.decide(
        ApprovalId(approval_id),
        ReviewDecision(
            answer=decision.answer,
            message=decision.message,
            arguments=decision.arguments,
            tool=decision.tool,
            version=decision.version,
        ),
        principal_of(request).as_reviewer(),
    )
    return await runtime.store.read(lambda unit: view_answered(unit, state=state))


@router.post("/{approval_id}/withdraw")
async def withdraw(approval_id: ApprovalPath, withdrawal: WithdrawIn, request: Request) -> ApprovalOut:
    """Take a waiting request back, because the customer changed their mind. Wins until the effect is begun.

    A bot names the conversation in which the customer said so, a person says why; both stand in the record.
    """
    runtime, principal = runtime_of(request), principal_of(request)
    conversation = withdrawal.conversation_id
    if principal.role == "bot" and conversation is None:
        raise NotOfConversation(approval_id)
    if principal.role != "bot" and not withdrawal.reason.strip():
        raise JustificationMissing(approval_id, answer="withdraw")
    state = await runtime.runner.withdraw(
        ApprovalId(approval_id),
        by=principal.name,
        conversation_id=None if conversation is None else ConversationId(conversation),
        reason=withdrawal.reason,
    )
    return await runtime.store.read(lambda unit: view_answered(unit, state=state))


def _lease(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
