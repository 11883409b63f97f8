"""Parking: a turn waits for a person. The customer is told so, honestly, and later turns may run meanwhile."""

from agents.draft_check import check
from agents.rendering import SAID, money, render
from agents.tasks import Cue, Draft
from graphs.context import TurnContext
from graphs.entitlement import unearned
from graphs.matter import load
from graphs.nodes.check_draft import case_of
from graphs.replying import known_of, parts_of, unsaid
from graphs.sending import queue_left_over, say
from graphs.state import TurnState
from memory import approvals, cases, conversations, inbox, turns
from memory.store import Unit
from policies.detectors.claims import find_claims
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
        matter = load(unit, conversation_id=ctx.conversation_id, case_id=part.case_id, turn_id=turn_id)
        case = case_of(unit, ctx, state, turn_id, part.case_id, [part], first=False)
        checked = check(Draft(text=voice.templates[part.cue.template]), case)
        if not (checked.holds or unearned(part.cue, matter, ctx.house)):
            texts.append(checked.text)
    values: dict[str, Json] = {
        one.name: one.value for one in known_of(unit, case_id=CaseId(state["case_id"])) if one.kind not in SAID
    }
    if state.get("next") == "wait":
        texts.append(voice.templates["reconciling"])
        return "\n\n".join(texts)
    approval = approvals.get(unit, approval_id=waits_for)
    values["args"] = approval.body["arguments"]
    rendered = render(voice.templates[_waiting_template(unit, ctx, turn_id, state)], values, voice)
    moves = "" if approval.amount_minor is None else money(approval.amount_minor, approval.currency or "")
    # Evidence may speak of another amount than the one that was asked for.
    is_another = (
        bool(moves)
        and moves not in rendered.text
        and any(claim.kind == "amount" for claim in find_claims(rendered.text))
    )
    texts.append(voice.templates["waiting"] if is_another or rendered.missing else rendered.text)
    return "\n\n".join(texts)


def _waiting_template(unit: Unit, ctx: TurnContext, turn_id: TurnId, state: TurnState) -> str:
    row = ctx.notes.reading(unit, turn_id=turn_id, ordinal=state["cue"])
    case = cases.get(unit, case_id=CaseId(state["case_id"]))
    assert row is not None and case is not None  # noqa: S101, PT018  # workflow wrote the cue for this case
    cue = Cue.model_validate(row.output)
    journey = ctx.house.playbook.journeys.get(case.journey or "")
    call = cue.call
    step = next(
        (one for one in journey.steps if call and (one.id, one.tool) == (call.step, call.tool))
        if journey
        else iter(()),
        None,
    )
    return step.waiting if step is not None and step.waiting else "waiting"
