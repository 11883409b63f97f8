"""A matter that waits for a person steps aside, so that the rest of the message goes on; then the turn waits for it."""

from datetime import datetime
from typing import cast

from graphs.context import TurnContext
from graphs.state import Held, TurnState
from memory import approvals, cases, timeline
from memory.approvals import Approval
from memory.store import Unit
from policies.words import ApprovalId, CaseId, Json, TurnId


async def step_aside(ctx: TurnContext, state: TurnState, approval_id: ApprovalId) -> TurnState:
    """To the next matter if there is one; else to where the turn waits."""
    if state.get("undoing"):
        return {"approval_id": approval_id, "next": "approve"}
    held = state.get("held", [])
    attended = _attended(state) | {state["case_id"]}
    queue = [case_id for case_id in state.get("queue", []) if case_id not in attended]
    queue = queue or await left_over(ctx, state, also=state["case_id"], settled=True)
    if not queue:
        return {"approval_id": approval_id, "next": "approve"}
    own: Held = {
        "case_id": state["case_id"],
        "request_id": state["request_id"],
        "approval_id": approval_id,
        "cue": state["cue"],
    }
    return {"held": [*held, own], "case_id": queue[0], "queue": queue[1:], "next": "authentication"}


async def left_over(ctx: TurnContext, state: TurnState, *, also: str = "", settled: bool = False) -> list[str]:
    """Matters that an earlier message raised and that no turn has come to yet, to be taken up by this one.

    Which ones is kept, because run again the turn must take up the same; with `settled` also that there were none.

    Args:
        ctx: The run.
        state: The turn's; what it has attended to is left out.
        also: A case that it attends to just now.
        settled: Whether the turn goes another way where there is none.
    """
    turn_id = TurnId(state["turn_id"])
    key = f"took:{turn_id}"

    def look(unit: Unit) -> tuple[bool, list[str]]:
        before = timeline.by_key(unit, conversation_id=ctx.conversation_id, dedupe_key=key)
        if before is not None:
            return True, [str(case_id) for case_id in cast(list[str], before.body["cases"])]
        agenda = cases.agenda(unit, conversation_id=ctx.conversation_id)
        return False, [case.id for case in agenda if case.plan.get("queued")]

    is_kept, found = await ctx.read(look)
    if not is_kept and (found or settled):
        body: dict[str, Json] = {"cases": [*found]}
        await ctx.write(
            lambda unit: timeline.append(
                unit,
                case_id=CaseId(state["case_id"]),
                conversation_id=ctx.conversation_id,
                turn_id=turn_id,
                kind="reading",
                author="workflow",
                at=ctx.now,
                body=body,
                dedupe_key=key,
            )
        )
    attended = _attended(state) | {also}
    return [case_id for case_id in found if case_id not in attended]


def _attended(state: TurnState) -> set[str]:
    return {*state.get("part_cases", {}).values(), *(one["case_id"] for one in state.get("held", []))}


async def come_back(ctx: TurnContext, state: TurnState) -> TurnState:
    """Take up what stepped aside: what was decided first, in that order, then what waits longest.

    A turn that is run again finds its rows at the same places only if it goes the same way again; what was decided, and
    when, doesn't change any more.
    """
    held = state["held"]
    found = await ctx.read(lambda unit: [_moment(unit, one) for one in held])
    place = min(range(len(held)), key=lambda number: (found[number] is None, found[number] or ctx.now, number))
    own = held[place]
    return {
        "held": [one for number, one in enumerate(held) if number != place],
        "case_id": own["case_id"],
        "request_id": own["request_id"],
        "approval_id": own["approval_id"],
        "cue": own["cue"],
        "reason": "",
        "desk": "",
        "next": "approve",
    }


def _moment(unit: Unit, held: Held) -> datetime | None:
    """When it was decided; None while it waits."""
    approval: Approval = approvals.get(unit, approval_id=ApprovalId(held["approval_id"]))
    return None if approval.status == "pending" else approval.decided_at or approval.created_at
