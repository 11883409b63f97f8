"""Routes for reviewers: what waits for a person, and their answers."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from callboard.api.access import principal_of
from callboard.api.desk import ApprovalPath, runtime_of
from callboard.api.models import IDENTIFIER, ApprovalOut, ApprovalsOut, DecisionIn
from callboard.views import list_approvals, view_answered, view_approval
from graphs.results import ReviewDecision
from policies.words import ApprovalId

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


@router.get("/{approval_id}")
async def read_approval(approval_id: ApprovalPath, request: Request) -> ApprovalOut:
    """One approval."""
    return await runtime_of(request).store.read(lambda unit: view_approval(unit, approval_id=ApprovalId(approval_id)))


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
async def withdraw(approval_id: ApprovalPath, request: Request) -> ApprovalOut:
    """Take a waiting request back, because the customer changed their mind. Wins until the effect is begun."""
    runtime = runtime_of(request)
    state = await runtime.runner.withdraw(ApprovalId(approval_id), by=principal_of(request).name)
    return await runtime.store.read(lambda unit: view_answered(unit, state=state))
