"""screen: the input guardrail. What it finds goes on the record; some findings go straight to a person."""

from langgraph.runtime import Runtime

from graphs.context import TurnContext
from graphs.messages import said_in
from graphs.state import TurnState
from memory import audit
from policies.words import CaseId, TurnId

TO_A_PERSON = frozenset({"self_harm", "threat"})
"""Findings that no policy needs to be asked about: a person answers."""


async def screen(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Record what was found in the message; end the AI's part of it for danger to life."""
    ctx = runtime.context
    turn_id = TurnId(state["turn_id"])
    found = await said_in(ctx, turn_id=turn_id)
    if found.kinds:
        await ctx.write(
            lambda unit: audit.append(
                unit,
                case_id=CaseId(state["case_id"]),
                conversation_id=ctx.conversation_id,
                kind="screened",
                ids={"turn": turn_id},
                payload={"found": list(found.kinds)},
                at=ctx.now,
            )
        )
    if TO_A_PERSON & set(found.kinds):
        return {"reason": sorted(TO_A_PERSON & set(found.kinds))[0], "next": "escalate"}
    return {"next": "recall"}
