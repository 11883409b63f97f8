"""workflow: the next cue of the case in hand: a tool call, a question, a confirmation, a reply, a person."""

from langgraph.runtime import Runtime

from agents.tasks import Cue, ToolProposal, WorkflowTask
from graphs.context import TurnContext
from graphs.holding import left_over
from graphs.matter import UNDONE
from graphs.occurrences import occurrence_of, repeats
from graphs.state import MAX_CALLS, TurnState
from graphs.tasking import workflow_task
from graphs.thinking import think
from graphs.watching import TurnWatcher
from memory import requests
from memory.requests import RequestRow
from policies.canonical import is_canonical
from policies.words import ActionRequest, CaseId, Provenance, RequestId, TurnId


async def workflow(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Ask for the next cue, store the request it makes, and say where the turn goes."""
    ctx = runtime.context
    turn_id = TurnId(state["turn_id"])
    ordinal = state["ordinal"]
    task = await workflow_task(ctx, state)
    is_new = await ctx.reading(turn_id=turn_id, ordinal=ordinal) is None
    watcher = TurnWatcher(ctx, turn_id, CaseId(state["case_id"]))
    cue = await think(
        ctx,
        turn_id=turn_id,
        ordinal=ordinal,
        task=task,
        answer=Cue,
        ask=lambda: ctx.house.specialists.workflow.solve(task, watcher=watcher),
        watcher=watcher,
    )
    after: TurnState = {"ordinal": ordinal + 1, "cue": ordinal}
    if cue.kind in {"call", "confirm"}:
        if cue.call is None or state.get("calls", 0) >= MAX_CALLS:
            return {**after, "reason": "went round without coming to an end", "next": "escalate"}
        if not is_canonical(cue.call.arguments):
            # As a row it would be in every later task of the case, and none of them could be digested.
            return {**after, "reason": "proposed arguments that are no plain JSON", "next": "escalate"}
        if cue.kind == "confirm" and not _shows_its_details(ctx, task, cue):
            return {**after, "reason": "a confirmation that would not show what is confirmed", "next": "escalate"}
        occurrence = await _occurrence(ctx, state, task.journey, cue.call, asks=cue.kind == "confirm")
        row = await _store(ctx, turn_id, CaseId(state["case_id"]), ordinal, cue, task, occurrence)
        if is_new:
            ctx.notes.proposed[row.request.id] = row
        return {**after, "request_id": row.request.id, "calls": state.get("calls", 0) + 1, "next": "guard"}
    if cue.kind == "escalate":
        after["reason"] = cue.reason or "workflow"
        return {**after, "then": "escalate", "next": "compensate" if _leaves_halves(ctx, task) else "escalate"}
    if cue.template not in ctx.house.playbook.voice.templates:
        return {**after, "reason": "the cue names a reply that the playbook doesn't have", "next": "escalate"}
    parts = [*state.get("parts", []), ordinal]
    after["part_cases"] = {**state.get("part_cases", {}), str(ordinal): state["case_id"]}
    queue = state.get("queue", [])
    if cue.kind in {"reply", "wait", "close"}:
        # This matter is said; the next one is attended to before anything is sent.
        done = {*after["part_cases"].values()}
        queue = [case_id for case_id in queue if case_id not in done] or await left_over(ctx, {**state, **after})
        if queue:
            return {**after, "parts": parts, "case_id": queue[0], "queue": queue[1:], "next": "authentication"}
    if cue.ends and not cue.fulfils and _leaves_halves(ctx, task):
        return {**after, "parts": parts, "then": "draft", "next": "compensate"}
    return {**after, "parts": parts, "next": "draft"}


def _leaves_halves(ctx: TurnContext, task: WorkflowTask) -> bool:
    """Whether a step of the plan failed this turn after another one did something that can be undone."""
    tools = ctx.house.tools
    writes = [each for each in task.attempts if each.tool in tools and tools.get(each.tool).kind == "write"]
    failed = any(each.state == "failed" and each.this_turn and each.code != UNDONE for each in writes)
    return failed and any(
        each.state == "committed" and tools.get(each.tool).compensation is not None for each in writes
    )


def _shows_its_details(ctx: TurnContext, task: WorkflowTask, cue: Cue) -> bool:
    """Whether it is the template that the journey shows before this very call: a yes to other words is none."""
    journey = ctx.house.playbook.journeys.get(task.journey or "")
    steps = journey.steps if journey else []
    return cue.call is not None and any(step.tool == cue.call.tool and step.confirm == cue.template for step in steps)


async def _occurrence(ctx: TurnContext, state: TurnState, name: str | None, call: ToolProposal, *, asks: bool) -> str:
    """Which occurrence of the effect is meant, by the journey and by rows read afresh; no reasoner says it (P2)."""
    journey = ctx.house.playbook.journeys.get(name or "")
    step = repeats(journey, call)
    if journey is None or step is None:
        return ""
    return occurrence_of(await workflow_task(ctx, state), journey, step, call, asks=asks)


async def _store(
    ctx: TurnContext,
    turn_id: TurnId,
    case_id: CaseId,
    ordinal: int,
    cue: Cue,
    task: WorkflowTask,
    occurrence: str,
) -> RequestRow:
    """A request is a row before it is judged."""
    assert cue.call is not None  # noqa: S101  # the caller checked
    call = cue.call
    proposer = "authentication" if task.authentication.call == call else "workflow"
    return await ctx.write(
        at="request",
        work=lambda unit: requests.save_request(
            unit,
            turn_id=turn_id,
            ordinal=ordinal,
            request=ActionRequest(
                id=RequestId(f"req-{turn_id.removeprefix('turn-')}-{ordinal}"),
                tool=call.tool,
                arguments=call.arguments,
                specialist=proposer,
                why=call.why,
                provenance={name: Provenance(source.origin, source.ref) for name, source in call.provenance.items()},
                occurrence=occurrence,
            ),
            case_id=case_id,
            conversation_id=ctx.conversation_id,
            step=call.step,
            supersedes=None,
            now=ctx.now,
        ),
    )
