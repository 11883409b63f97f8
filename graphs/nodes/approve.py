"""approve: waits for a person. Reads, interrupts once, reads again; carries the approval's id, not the approval."""

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from graphs.context import TurnContext
from graphs.matter import WITHDRAWAL
from graphs.state import TurnState
from memory import approvals, evidence
from policies.words import ApprovalId, CaseId


async def approve(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Go on if the approval is answered; otherwise wait, at most once in this thread.

    Replayed from its start after the interrupt, so there is nothing here but reading.
    """
    ctx = runtime.context
    approval_id = ApprovalId(state["approval_id"])
    status = await _status(ctx, approval_id)
    if status == "pending":
        if state.get("interrupted"):
            return {"next": "hand_on"}
        interrupt({"approval_id": approval_id})
        status = await _status(ctx, approval_id)
        if status == "pending":
            # Woken for nothing, or reopened meanwhile: the wait goes on in a fresh thread.
            return {"interrupted": True, "next": "hand_on"}
        return {"interrupted": True, **await _onward(ctx, state, status)}
    return await _onward(ctx, state, status)


async def _onward(ctx: TurnContext, state: TurnState, status: str) -> TurnState:
    """Where an answered approval leads: acting, or workflow, which tells the customer what the person said."""
    if status in {"approved", "spent"}:
        return {"next": "act"}
    if status == "withdrawn":
        rows = await ctx.read(lambda unit: evidence.of_case(unit, case_id=CaseId(state["case_id"])))
        if any(row.name == WITHDRAWAL and row.subject == state["approval_id"] for row in rows):
            # The turn whose message took it back has said so; this one ends without a word.
            return {"parts": [], "outcome": "resolved", "next": "close"}
    return {"next": "compensate" if state.get("undoing") else "eligibility"}


async def _status(ctx: TurnContext, approval_id: ApprovalId) -> str:
    approval = await ctx.read(lambda unit: approvals.get(unit, approval_id=approval_id))
    return approval.status
