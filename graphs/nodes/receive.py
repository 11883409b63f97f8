"""receive: the messages of this turn enter the timeline, once each, with what no one may see masked already."""

from langgraph.runtime import Runtime

from graphs.context import TurnContext
from graphs.messages import texts_of
from graphs.state import TurnState
from memory import approvals, audit, cases, conversations, inbox, timeline, turns
from memory.store import Unit
from policies.words import CaseId, TurnId


async def receive(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Append what the customer wrote and find the case it belongs to; silent if a person has the conversation."""
    ctx = runtime.context
    turn_id = TurnId(state["turn_id"])

    def work(unit: Unit) -> tuple[str, str]:
        turn = turns.get(unit, turn_id=turn_id)
        conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
        assert turn is not None and conversation is not None  # noqa: S101, PT018  # the runner made both
        case_id = conversation.case_id
        if case_id is None:
            case_id = cases.open_case(
                unit,
                case_id=CaseId(f"case-{turn_id.removeprefix('turn-')}"),
                conversation_id=ctx.conversation_id,
                customer_id=conversation.customer_id,
                now=ctx.now,
            ).id
            conversations.set_case(unit, conversation_id=ctx.conversation_id, case_id=case_id)
        items = [inbox.get(unit, seq=seq) for seq in turn.item_seqs]
        first = timeline.by_key(unit, conversation_id=ctx.conversation_id, dedupe_key=f"item:{items[0].seq}")
        is_new = first is None
        for item, screening in zip(items, texts_of(items), strict=True):
            timeline.append(
                unit,
                case_id=case_id,
                conversation_id=ctx.conversation_id,
                turn_id=turn_id,
                kind="message_in",
                author="customer",
                at=item.created_at,
                body={"text": screening.text, "message_id": item.dedupe_key, "flags": [*screening.kinds]},
                dedupe_key=f"item:{item.seq}",
            )
        if is_new:
            audit.append(
                unit,
                case_id=case_id,
                conversation_id=ctx.conversation_id,
                kind="received",
                ids={"turn": turn_id, "items": ",".join(str(item.seq) for item in items)},
                payload={"texts": [said.text for said in texts_of(items)]},
                at=ctx.now,
            )
        handed_over = timeline.by_key(unit, conversation_id=ctx.conversation_id, dedupe_key=f"handoff:{turn_id}")
        # Run again after it handed over itself, its last words are still to be said; after it asked for an approval,
        # the answer to that still counts, whoever speaks with the customer now (P5). Sending keeps it silent then.
        began = handed_over is not None or bool(approvals.of_turn(unit, turn_id=turn_id))
        return case_id, "ai" if began else conversation.status

    case_id, status = await ctx.write(work, at="receive")
    if status == "person":
        return {"case_id": case_id, "outcome": "with_person", "next": "close"}
    return {"case_id": case_id, "next": "screen"}
