"""Parking: a turn waits for a person. The customer is told so, honestly, and later turns may run meanwhile."""

from agents.rendering import render
from agents.tasks import Cue
from graphs.context import TurnContext
from graphs.replying import known_of, parts_of, unsaid, values_of
from graphs.sending import queue_left_over, say
from graphs.state import TurnState
from memory import approvals, cases, conversations, inbox, turns
from memory.store import Unit
from policies.words import ApprovalId, CaseId, Json, TurnId


def park(unit: Unit, ctx: TurnContext, turn_id: TurnId, state: TurnState, waits_for: ApprovalId) -> None:
    """End this run of the turn: interim reply, case waiting, inbox items done. Parked again, it says nothing twice.

    It waits for an approval, or, where the state says `wait`, for who finds out what came of a call. The customer, who
    didn't ask for something to be undone, isn't told that this waits.
    """
    turn = turns.get(unit, turn_id=turn_id)
    assert turn is not None  # noqa: S101  # the runner made it
    case_id = CaseId(state["case_id"])
    # That an outcome is being found out is said besides what was said about the same cue before the call.
    place = -1 - state["cue"] if state.get("next") == "wait" else state["cue"]
    ordinals = [*state.get("parts", []), place]
    covers = unsaid(unit, conversation_id=ctx.conversation_id, turn_id=turn_id, ordinals=ordinals)
    if place in covers and not state.get("undoing"):
        say(
            unit,
            ctx,
            turn=turn,
            case_id=case_id,
            text=_interim(unit, ctx, turn_id, state, [one for one in covers if one != place], waits_for),
            covers=covers,
        )
    queue_left_over(unit, state)
    cases.set_status(unit, case_id=case_id, status="waiting")
    turns.set_case(unit, turn_id=turn_id, case_id=case_id)
    turns.park(unit, turn_id=turn_id, approval_id=waits_for, now=ctx.now)
    inbox.finish(unit, seqs=turn.item_seqs)


def _interim(
    unit: Unit, ctx: TurnContext, turn_id: TurnId, state: TurnState, done: list[int], waits_for: ApprovalId
) -> str:
    """What is finished already (`done`), then that a person looks at the rest. Templates only."""
    voice = ctx.house.playbook.voice
    conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
    texts = [voice.disclosure] if conversation is not None and not conversation.disclosed else []
    for part in parts_of(unit, ctx, turn_id=turn_id, ordinals=done, cases=state.get("part_cases", {})):
        known = known_of(unit, case_id=part.case_id)
        shown = values_of(unit, turn_id=turn_id, parts=[part], known=known)
        texts.append(render(voice.templates[part.cue.template], shown, voice).text)
    values: dict[str, Json] = {one.name: one.value for one in known_of(unit, case_id=CaseId(state["case_id"]))}
    if state.get("next") == "wait":
        texts.append(voice.templates["reconciling"])
        return "\n\n".join(texts)
    approval = approvals.get(unit, approval_id=waits_for)
    values["args"] = approval.body["arguments"]
    rendered = render(voice.templates[_waiting_template(unit, ctx, turn_id, state)], values, voice)
    texts.append(voice.templates["waiting"] if rendered.missing else rendered.text)
    return "\n\n".join(texts)


def _waiting_template(unit: Unit, ctx: TurnContext, turn_id: TurnId, state: TurnState) -> str:
    row = ctx.notes.reading(unit, turn_id=turn_id, ordinal=state["cue"])
    case = cases.get(unit, case_id=CaseId(state["case_id"]))
    assert row is not None and case is not None  # noqa: S101, PT018  # workflow wrote the cue for this case
    cue = Cue.model_validate(row.output)
    journey = ctx.house.playbook.journeys.get(case.journey or "")
    step = next((one for one in journey.steps if cue.call and one.id == cue.call.step), None) if journey else None
    return step.waiting if step is not None and step.waiting else "waiting"
