"""The last resort: a turn that can't be run ends in a handoff, by the plainest code there is."""

from collections.abc import Callable

from graphs.bundle import PARTS
from graphs.context import TurnContext
from graphs.recording import keep_outcome
from graphs.reviewing import note_end
from graphs.sending import say
from memory import approvals, audit, cases, conversations, handoffs, inbox, receipts, requests, turns
from memory.inbox import InboxItem
from memory.store import Unit
from memory.turns import Turn
from policies.words import CaseId, Json, TurnId


async def give_up(ctx: TurnContext, items: list[InboxItem], error: Exception, new_id: Callable[[], str]) -> None:
    """Tell the customer that a person takes over, give the conversation to people, end the turn and its items."""
    turn_id = items[0].turn_id or TurnId(f"turn-{new_id()}")
    problem = type(error).__name__

    def work(unit: Unit) -> None:
        approval_turn = items[0].body.get("turn_id")
        turn = turns.get(unit, turn_id=TurnId(str(approval_turn)) if approval_turn else turn_id)
        if turn is None:
            turn = turns.start(
                unit,
                turn_id=turn_id,
                conversation_id=ctx.conversation_id,
                item_seqs=[item.seq for item in items],
                versions={},
                now=ctx.now,
            )
        conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
        case_id = conversation.case_id if conversation else None
        if case_id is None:
            case_id = cases.open_case(
                unit,
                case_id=CaseId(f"case-{turn.id.removeprefix('turn-')}"),
                conversation_id=ctx.conversation_id,
                now=ctx.now,
            ).id
        _end_effects(unit, ctx, turn, case_id)
        words: Json = [str(item.body.get("text", "")) for item in items if item.kind == "message"]
        bundle: dict[str, Json] = {name: {"value": "", "source": ""} for name in PARTS}
        bundle["intent"] = {"value": {"last_words": words}, "source": "message"}
        bundle["next_step"] = {
            "value": {"do": "Read the conversation; the AI could not go on.", "because": problem},
            "source": "runner",
        }
        handoffs.save(
            unit,
            handoff_id=f"hnd-{turn.id.removeprefix('turn-')}",
            case_id=case_id,
            conversation_id=ctx.conversation_id,
            turn_id=turn.id,
            queue=ctx.house.playbook.default_queue,
            reason=f"failed: {problem}",
            score=2 / len(PARTS),
            bundle=bundle,
            at=ctx.now,
        )
        say(
            unit,
            ctx,
            turn=turn,
            case_id=case_id,
            text=ctx.house.playbook.voice.templates["unavailable"],
            covers=[],
            last_words=True,
        )
        conversations.set_status(unit, conversation_id=ctx.conversation_id, status="person")
        cases.set_status(unit, case_id=case_id, status="escalated")
        turns.set_case(unit, turn_id=turn.id, case_id=case_id)
        turns.finish(unit, turn_id=turn.id, outcome="escalated", now=ctx.now)
        inbox.finish(unit, seqs=[item.seq for item in items], state="failed")
        audit.append(
            unit,
            case_id=case_id,
            conversation_id=ctx.conversation_id,
            kind="gave_up",
            ids={"turn": turn.id},
            payload={"problem": problem},
            at=ctx.now,
        )

    await ctx.write(work, at="give_up")


def _end_effects(unit: Unit, ctx: TurnContext, turn: Turn, case_id: CaseId) -> None:
    """Nobody runs this turn again: what it had not called is off, what it may have called is unknown and said so."""
    for receipt in receipts.of_turn(unit, turn_id=turn.id):
        if receipt.state == "reserved":
            receipt = receipts.fail(unit, receipt_id=receipt.id, error_code="given_up", now=ctx.now)
        elif receipt.state == "executing":
            receipt = receipts.mark_unknown(unit, receipt_id=receipt.id, error_code="lost", now=ctx.now)
        elif receipt.state != "unknown":
            continue
        keep_outcome(
            unit,
            ctx,
            requests.get_request(unit, request_id=receipt.request_id),
            turn.id,
            receipt.case_id or case_id,
            state=receipt.state,
            result={},
            code=receipt.error_code,
            receipt=receipt,
        )
    for approval in approvals.of_turn(unit, turn_id=turn.id):
        if approval.status in {"pending", "approved"}:
            ended = approvals.void(unit, approval_id=approval.id, by="runner", now=ctx.now)
            note_end(unit, ended, by="runner", now=ctx.now)
