"""Parking: a turn waits for a person. The customer is told so, honestly, and later turns may run meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from agents.draft_check import check
from agents.journeys import Voice
from agents.local.drafting import draft
from agents.rendering import SAID, money, render
from agents.tasks import Cue, Question
from graphs.context import TurnContext
from graphs.nodes.check_draft import case_of, unborne, unshown
from graphs.nodes.close import settle_case, shown_to_confirm
from graphs.nodes.draft import task_of
from graphs.replying import Part, known_of, parts_of, question_of, unsaid, voice_of
from graphs.sending import queue_left_over, say
from graphs.state import Held, TurnState
from memory import approvals, cases, conversations, inbox, turns
from memory.store import Unit
from policies.detectors.claims import find_claims
from policies.words import ApprovalId, CaseId, Json, TurnId

STILL_TO_DO = "still_to_do"
"""Template, if the playbook has it, that says that the rest of the message is not forgotten."""


@dataclass(frozen=True, slots=True)
class Interim:
    """What is said before the wait."""

    text: str
    covers: list[int]
    parts: list[Part]
    """Of other matters of the message: answered, or asked about."""
    question: Question | None
    confirm: dict[str, Json] | None


def park(unit: Unit, ctx: TurnContext, turn_id: TurnId, state: TurnState, waits_for: ApprovalId) -> None:
    """End this run of the turn: interim reply, cases waiting, inbox items done. Parked again, it says nothing twice.

    It waits for an approval, or, where the state says `wait`, for who finds out what came of a call. The customer, who
    didn't ask for something to be undone, isn't told that this waits.
    """
    turn = turns.get(unit, turn_id=turn_id)
    assert turn is not None  # noqa: S101  # the runner made it
    case_id = CaseId(state["case_id"])
    own: Held = {
        "case_id": case_id,
        "request_id": state["request_id"],
        "approval_id": waits_for,
        "cue": state["cue"],
    }
    waiting = [own, *state.get("held", [])]
    if state.get("next") == "wait":
        # That an outcome is being found out is said besides what was said about the same cue before the call.
        own["cue"] = -1 - state["cue"]
    interim = _interim(unit, ctx, turn_id, state, waiting)
    if interim.covers and not state.get("undoing"):
        say(
            unit,
            ctx,
            turn=turn,
            case_id=case_id,
            text=interim.text,
            covers=interim.covers,
            question=interim.question,
            confirm=interim.confirm,
        )
    for part in interim.parts:
        settle_case(unit, ctx, part, "awaiting_approval")
    queue_left_over(unit, state)
    for one in waiting:
        cases.set_status(unit, case_id=CaseId(one["case_id"]), status="waiting")
    if interim.question is not None:
        conversations.set_case(unit, conversation_id=ctx.conversation_id, case_id=CaseId(interim.question.case_id))
    turns.set_case(unit, turn_id=turn_id, case_id=case_id)
    turns.park(unit, turn_id=turn_id, approval_id=waits_for, now=ctx.now)
    inbox.finish(unit, seqs=turn.item_seqs)


def _interim(unit: Unit, ctx: TurnContext, turn_id: TurnId, state: TurnState, waiting: Sequence[Held]) -> Interim:
    """What is finished already, that a person looks at the rest, and last what is asked. Templates only."""
    voice = voice_of(unit, ctx, turn_id=turn_id, reading=state.get("reading"))
    cues = [one["cue"] for one in waiting]
    covers = unsaid(
        unit, conversation_id=ctx.conversation_id, turn_id=turn_id, ordinals=[*state.get("parts", []), *cues]
    )
    conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
    said = [ordinal for ordinal in covers if ordinal not in cues]
    parts = parts_of(unit, ctx, turn_id=turn_id, ordinals=said, cases=state.get("part_cases", {}))
    done: list[str] = []
    asked: list[str] = []
    for number, (case_id, own) in enumerate(groupby(parts, key=lambda part: part.case_id)):
        group = list(own)
        task = task_of(unit, ctx, state, turn_id, case_id, group, first=number == 0)
        written = draft(task, journeys=ctx.house.playbook.journeys, voice=voice)
        allowed = case_of(unit, ctx, state, turn_id, case_id, group, first=False)
        checked = check(written, allowed)
        text = checked.text
        if (
            checked.holds
            or unborne(unit, ctx, state, turn_id, [(case_id, group)])
            or unshown(unit, ctx.house, group, text, allowed.known)
        ):
            # What nothing bears out isn't said, and nobody says yes to what they don't see: left for the next message.
            covers = [ordinal for ordinal in covers if ordinal not in {part.ordinal for part in group}]
            parts = [part for part in parts if part not in group]
            cases.save_plan(unit, case_id=case_id, plan={"queued": True})
            continue
        (asked if any(question_of(part) for part in group) else done).append(text)
    if not parts and covers and conversation is not None and not conversation.disclosed:
        done.append(voice.disclosure)
    done += [_waits(unit, ctx, turn_id, one, voice) for one in waiting if one["cue"] in covers]
    if state.get("queue") and STILL_TO_DO in voice.templates:
        asked.insert(0, voice.templates[STILL_TO_DO])
    last = parts[-1] if parts else None
    question = question_of(last) if last is not None else None
    return Interim(
        text="\n\n".join(dict.fromkeys([*done, *asked])),
        covers=covers,
        parts=parts,
        question=question,
        confirm=shown_to_confirm(unit, last) if question is not None else None,
    )


def _waits(unit: Unit, ctx: TurnContext, turn_id: TurnId, held: Held, voice: Voice) -> str:
    """That a person looks at a request, in the words of its step; or at what came of a call."""
    if held["cue"] < 0:
        return voice.templates["reconciling"]
    case_id = CaseId(held["case_id"])
    values: dict[str, Json] = {one.name: one.value for one in known_of(unit, case_id=case_id) if one.kind not in SAID}
    approval = approvals.get(unit, approval_id=ApprovalId(held["approval_id"]))
    values["args"] = approval.body["arguments"]
    rendered = render(voice.templates[_waiting_template(unit, ctx, turn_id, held)], values, voice)
    moves = "" if approval.amount_minor is None else money(approval.amount_minor, approval.currency or "")
    # Evidence may speak of another amount than the one that was asked for.
    is_another = (
        bool(moves)
        and moves not in rendered.text
        and any(claim.kind == "amount" for claim in find_claims(rendered.text))
    )
    return voice.templates["waiting"] if is_another or rendered.missing else rendered.text


def _waiting_template(unit: Unit, ctx: TurnContext, turn_id: TurnId, held: Held) -> str:
    row = ctx.notes.reading(unit, turn_id=turn_id, ordinal=held["cue"])
    case = cases.get(unit, case_id=CaseId(held["case_id"]))
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
