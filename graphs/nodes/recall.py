"""recall: what this turn may know: passages of approved knowledge that fit the message, within the budget."""

from langgraph.runtime import Runtime

from graphs.context import TurnContext
from graphs.messages import of_turn
from graphs.state import TurnState
from policies.words import TurnId

PASSAGES = 4


async def recall(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Find passages for the message. Rows of the case are read where they are needed, filtered by customer.

    Runs again when assurance rises. Before that, only this conversation and approved knowledge are in reach.
    """
    ctx = runtime.context
    said = await ctx.read(lambda unit: of_turn(unit, turn_id=TurnId(state["turn_id"])))
    allowed = ctx.house.playbook.passages_at(ctx.now)
    found = await ctx.house.retriever.search(said.text, allowed=allowed, k=PASSAGES) if allowed else []
    return {
        "passages": [hit.passage.id for hit in found],
        "next": "authentication" if "reading" in state else "intent",
    }
