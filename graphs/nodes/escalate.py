"""escalate: hands the conversation to a person with the seven-part bundle; the bot is silent after its last words."""

from langgraph.runtime import Runtime

from agents.tasks import Cue
from graphs.bundle import build, score
from graphs.context import TurnContext
from graphs.entitlement import is_earned
from graphs.holding import come_back
from graphs.matter import Matter, load
from graphs.state import TurnState
from memory import audit, cases, conversations, handoffs, readings, timeline
from memory.readings import Reading
from memory.store import Unit
from policies.words import CaseId, TurnId


async def escalate(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Write the bundle, pick the queue, give the conversation to people, and tell the customer so."""
    ctx = runtime.context
    if state.get("held"):
        # A turn that ends can't act on an approval any more, so the one that waits comes first (P5).
        return {**await come_back(ctx, state), "queue": [state["case_id"], *state.get("queue", [])]}
    turn_id, case_id = TurnId(state["turn_id"]), CaseId(state["case_id"])
    reason = state.get("reason", "asked for a person")

    def work(unit: Unit) -> Reading:
        ordinal = _place(unit, turn_id, state["ordinal"])
        matter = load(unit, conversation_id=ctx.conversation_id, case_id=case_id, turn_id=turn_id)
        bundle = build(unit, ctx.house, matter, state, reason=reason)
        journey = ctx.house.playbook.journeys.get(matter.case.journey or "")
        queues = ctx.house.playbook.queues
        queue = journey.queue if journey else ctx.house.playbook.default_queue
        queue = state.get("desk", "") if state.get("desk", "") in queues else queue
        handoffs.save(
            unit,
            handoff_id=f"hnd-{turn_id.removeprefix('turn-')}",
            case_id=case_id,
            conversation_id=ctx.conversation_id,
            turn_id=turn_id,
            queue=queue,
            reason=reason,
            score=score(bundle),
            bundle=bundle,
            at=ctx.now,
        )
        conversations.set_status(unit, conversation_id=ctx.conversation_id, status="person")
        cases.set_status(unit, case_id=case_id, status="escalated")
        cue = readings.save(
            unit,
            turn_id=turn_id,
            ordinal=ordinal,
            task="Cue",
            reasoner="escalate",
            prompt_version="",
            input_digest="",
            output=_last_words(unit, ctx, state, turn_id, matter, reason).model_dump(mode="json"),
            at=ctx.now,
        )
        audit.append(
            unit,
            case_id=case_id,
            conversation_id=ctx.conversation_id,
            kind="escalated",
            ids={"turn": turn_id, "queue": queue},
            payload={"reason": reason, "score": score(bundle)},
            at=ctx.now,
        )
        timeline.append(
            unit,
            conversation_id=ctx.conversation_id,
            case_id=case_id,
            turn_id=turn_id,
            kind="handoff",
            author="escalate",
            at=ctx.now,
            body={"queue": queue, "reason": reason, "score": score(bundle)},
            dedupe_key=f"handoff:{turn_id}",
        )
        return cue

    cue = await ctx.write(work)
    ctx.notes.keep(cue)
    ordinal = cue.ordinal
    return {
        "ordinal": ordinal + 1,
        "parts": [*state.get("parts", []), ordinal],
        "part_cases": {**state.get("part_cases", {}), str(ordinal): case_id},
        "outcome": "escalated",
        "next": "draft",
    }


def _place(unit: Unit, turn_id: TurnId, ordinal: int) -> int:
    """Where this cue goes: a node that failed may have written at its place before it did."""
    while (row := readings.get(unit, turn_id=turn_id, ordinal=ordinal)) is not None and row.reasoner != "escalate":
        ordinal += 1
    return ordinal


def _last_words(unit: Unit, ctx: TurnContext, state: TurnState, turn_id: TurnId, matter: Matter, reason: str) -> Cue:
    """What is said last: the cue's own words where workflow wanted a person and rows bear them out, else the usual."""
    row = readings.get(unit, turn_id=turn_id, ordinal=state["cue"]) if "cue" in state else None
    cue = Cue.model_validate(row.output) if row else None
    is_own = cue is not None and cue.kind == "escalate" and cue.template in ctx.house.playbook.voice.templates
    if cue is not None and is_own and is_earned(cue.template, cue, matter, ctx.house):
        return cue.model_copy(update={"reason": reason})
    return Cue(kind="escalate", template="escalated", reason=reason)
