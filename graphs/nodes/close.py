"""close: one transaction ends the turn: what was said, outcome, cases, outbox, inbox."""

from langgraph.runtime import Runtime

from agents.local.cues import NO_ANSWER
from agents.tasks import Cue, Question
from graphs.context import TurnContext
from graphs.replying import Part, parts_of, question_of, unsaid
from graphs.results import TurnOutcome
from graphs.sending import queue_left_over, say
from graphs.state import TurnState
from memory import audit, cases, conversations, inbox, outbox, requests, turns
from memory.store import Unit
from policies.words import CaseId, Json, TurnId


async def close(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """End the turn. Run again after a crash it finds everything done and changes nothing."""
    ctx = runtime.context
    turn_id = TurnId(state["turn_id"])
    outcome = await ctx.write(lambda unit: end(unit, ctx, state, turn_id), at="close")
    return {"outcome": outcome}


def end(unit: Unit, ctx: TurnContext, state: TurnState, turn_id: TurnId) -> TurnOutcome:
    """Write the end of a turn."""
    turn = turns.get(unit, turn_id=turn_id)
    assert turn is not None  # noqa: S101  # the runner made it
    ordinals = unsaid(unit, conversation_id=ctx.conversation_id, turn_id=turn_id, ordinals=state.get("parts", []))
    parts = parts_of(unit, ctx, turn_id=turn_id, ordinals=ordinals, cases=state.get("part_cases", {}))
    last = parts[-1] if parts else None
    question = question_of(last) if last else None
    if parts and "reply" in state:
        row = ctx.notes.reading(unit, turn_id=turn_id, ordinal=state["reply"])
        assert row is not None  # noqa: S101  # check_draft wrote it
        say(
            unit,
            ctx,
            turn=turn,
            case_id=parts[-1].case_id,
            text=str(row.output["text"]),
            covers=ordinals,
            question=question,
            confirm=shown_to_confirm(unit, last),
            last_words=state.get("outcome") == "escalated",
        )
    outcome = _outcome(state, [part.cue for part in parts], question)
    for part in parts:
        settle_case(unit, ctx, part, outcome)
    queue_left_over(unit, state)
    open_cases = cases.agenda(unit, conversation_id=ctx.conversation_id)
    conversations.set_case(
        unit, conversation_id=ctx.conversation_id, case_id=_in_hand(question, [case.id for case in open_cases])
    )
    case_id = CaseId(state["case_id"])
    turns.set_case(unit, turn_id=turn_id, case_id=case_id)
    turns.finish(unit, turn_id=turn_id, outcome=outcome, now=ctx.now)
    inbox.finish(unit, seqs=turn.item_seqs)
    audit.append(
        unit,
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="turn_closed",
        ids={"turn": turn_id, "outcome": outcome},
        payload={
            "cues": [part.cue.kind for part in parts],
            "templates": [part.cue.template for part in parts],
            "reply": [said.text for said in outbox.of_turn(unit, turn_id=turn_id)],
        },
        at=ctx.now,
    )
    return outcome


def _outcome(state: TurnState, cues: list[Cue], question: Question | None) -> TurnOutcome:
    given: dict[str, TurnOutcome] = {"escalated": "escalated", "with_person": "with_person", "resolved": "resolved"}
    if state.get("outcome") in given:
        return given[state["outcome"]]
    if question is not None:
        return "awaiting_customer"
    if any(cue.kind == "schedule" for cue in cues):
        return "scheduled"
    return "resolved" if cues and all(map(_settles, cues)) else "replied"


def _settles(cue: Cue) -> bool:
    """Whether the customer's matter is at its end; that we have no answer to it is no end, only a reply."""
    return (cue.fulfils or cue.ends) and cue.template != NO_ANSWER


def settle_case(unit: Unit, ctx: TurnContext, part: Part, outcome: TurnOutcome) -> None:
    """End the case of a part that was said, if it came to its end."""
    cue = part.cue
    if outcome == "escalated" and cue.kind == "escalate":
        return
    if cue.fulfils or cue.ends or cue.kind == "close":
        cases.close(
            unit,
            case_id=part.case_id,
            status="resolved" if cue.fulfils else "closed",
            disposition=cue.reason or cue.template or cue.kind,
            now=ctx.now,
        )


def _in_hand(question: Question | None, open_cases: list[CaseId]) -> CaseId | None:
    if question is not None and question.case_id in open_cases:
        return CaseId(question.case_id)
    return open_cases[0] if open_cases else None


def shown_to_confirm(unit: Unit, part: Part | None) -> dict[str, Json] | None:
    """Tool and canonical arguments of a confirmation, as the customer was shown them."""
    if part is None or part.cue.kind != "confirm" or part.request_id is None:
        return None
    request = requests.get_request(unit, request_id=part.request_id).request
    made = requests.decisions_of(unit, request_id=part.request_id)
    judged = made[-1].situation.get("request") if made else None
    arguments = judged.get("arguments") if isinstance(judged, dict) else dict(request.arguments)
    return {"tool": request.tool, "arguments": arguments}
