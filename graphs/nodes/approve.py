"""approve: waits for a person. Reads, interrupts once, reads again; carries the approval's id, not the approval."""

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from graphs.context import TurnContext
from graphs.state import Next, TurnState
from memory import approvals
from policies.words import ApprovalId


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
        return {"interrupted": True, "parts": [], "next": _onward(status)}
    return {"next": _onward(status)}


def _onward(status: str) -> Next:
    """Where an answered approval leads: acting, or workflow, which tells the customer what the person said."""
    return "act" if status in {"approved", "spent"} else "eligibility"


async def _status(ctx: TurnContext, approval_id: ApprovalId) -> str:
    approval = await ctx.read(lambda unit: approvals.get(unit, approval_id=approval_id))
    return approval.status
