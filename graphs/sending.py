"""What the customer is told: timeline and outbox together, once, silent where a person speaks."""

from agents.tasks import Question
from graphs.context import TurnContext
from memory import conversations, outbox, timeline
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
) -> None:
    """Put one part of a turn's reply into the outbox; its place is that of the turn's own message."""
    if not text:
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
    conversations.mark_disclosed(unit, conversation_id=ctx.conversation_id)
