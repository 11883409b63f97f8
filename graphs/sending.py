"""The end of a run: what the customer is told, in timeline and outbox together, and what is left for a later turn."""

from agents.tasks import Question
from graphs.context import TurnContext
from graphs.state import TurnState
from memory import audit, cases, conversations, outbox, timeline
from memory.store import Unit
from memory.turns import Turn
from policies.words import CaseId, Json


def say(
    unit: Unit,
    ctx: TurnContext,
    *,
    turn: Turn,
    case_id: CaseId,
    text: str,
    covers: list[int],
    question: Question | None = None,
    confirm: dict[str, Json] | None = None,
    last_words: bool = False,
) -> None:
    """Put one part of a turn's reply into the outbox; its place is that of the turn's own message.

    Where a person speaks, checked at this very moment, the bot says nothing but `last_words`, with which it hands over;
    what it would have said is a note for the person (P10).
    """
    if not text:
        return
    conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
    if conversation is not None and conversation.status == "person" and not last_words:
        timeline.append(
            unit,
            conversation_id=ctx.conversation_id,
            case_id=case_id,
            turn_id=turn.id,
            kind="note",
            author="assistant",
            at=ctx.now,
            body={"text": text, "covers": [*covers], "withheld": True},
        )
        return
    part = len(outbox.of_turn(unit, turn_id=turn.id))
    outbox.put(
        unit,
        conversation_id=ctx.conversation_id,
        turn_id=turn.id,
        part=part,
        text=text,
        place=min(turn.item_seqs),
        now=ctx.now,
    )
    body: dict[str, Json] = {"text": text, "covers": [*covers]}
    if question is not None:
        body["question"] = question.model_dump(mode="json")
    if confirm is not None:
        body["confirm"] = confirm
    timeline.append(
        unit,
        conversation_id=ctx.conversation_id,
        case_id=case_id,
        turn_id=turn.id,
        kind="message_out",
        author="assistant",
        at=ctx.now,
        body=body,
        dedupe_key=f"said:{turn.id}:{part}",
    )
    audit.append(
        unit,
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="said",
        ids={"turn": turn.id, "part": str(part)},
        payload={"text": text},
        at=ctx.now,
    )
    conversations.mark_disclosed(unit, conversation_id=ctx.conversation_id)


def queue_left_over(unit: Unit, state: TurnState) -> None:
    """Mark the matters that this turn did not come to, so that a later one does; and unmark those it did."""
    attended = {*state.get("part_cases", {}).values(), state["case_id"]}
    for case_id in state.get("queue", []):
        if case_id not in attended:
            cases.save_plan(unit, case_id=CaseId(case_id), plan={"queued": True})
    for case_id in attended:
        case = cases.get(unit, case_id=CaseId(case_id))
        if case is not None and case.plan.get("queued"):
            cases.save_plan(unit, case_id=CaseId(case_id), plan={})
