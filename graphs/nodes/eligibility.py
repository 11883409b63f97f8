"""eligibility: where the journey has a check that is due, the decision table says what this customer may have."""

from langgraph.runtime import Runtime

from agents.local.checks import due_check
from agents.tasks import EligibilityTask, EligibilityVerdict
from graphs.context import TurnContext
from graphs.judging import facts_for_check
from graphs.matter import SYSTEM_TRUST
from graphs.state import TurnState
from graphs.tasking import workflow_task
from graphs.thinking import think
from memory import evidence
from memory.store import Unit
from policies.words import CaseId, EvidenceId, TurnId


async def eligibility(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Decide the check that is due, one at a time until none is; each verdict is evidence of the case."""
    ctx = runtime.context
    turn_id, case_id, ordinal = TurnId(state["turn_id"]), CaseId(state["case_id"]), state["ordinal"]
    before = await ctx.reading(turn_id=turn_id, ordinal=ordinal)
    if before is not None:
        # Run again: what was due then was due then, whatever the rows say since.
        if before.task == EligibilityTask.__name__:
            await ctx.write(lambda unit: _keep(unit, ctx, state, EligibilityVerdict.model_validate(before.output)))
            return {"ordinal": ordinal + 1, "next": "eligibility"}
        return {"next": "workflow"}
    task = await workflow_task(ctx, state)
    due = due_check(task, ctx.house.playbook.journeys)
    if due is None:
        return {"next": "workflow"}
    check = await facts_for_check(ctx.house, due, conversation_id=ctx.conversation_id, case_id=case_id, now=ctx.now)
    verdict = await think(
        ctx,
        turn_id=turn_id,
        ordinal=ordinal,
        task=check,
        answer=EligibilityVerdict,
        ask=lambda: ctx.house.specialists.eligibility.solve(check),
    )
    await ctx.write(lambda unit: _keep(unit, ctx, state, verdict))
    # One verdict may be what the next check was waiting for.
    return {"ordinal": ordinal + 1, "next": "eligibility"}


def _keep(unit: Unit, ctx: TurnContext, state: TurnState, verdict: EligibilityVerdict) -> None:
    turn_id, case_id, ordinal = TurnId(state["turn_id"]), CaseId(state["case_id"]), state["ordinal"]
    evidence.add(
        unit,
        evidence_id=EvidenceId(f"ev-{turn_id}-{ordinal}"),
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="eligibility",
        name=f"eligibility.{verdict.step}",
        subject=turn_id,
        value=verdict.model_dump(mode="json"),
        source=f"check {verdict.step}",
        trust=SYSTEM_TRUST,
        at=ctx.now,
        dedupe_key=f"{turn_id}:{ordinal}",
    )
