"""authentication: how well the customer must be known for the case in hand, and which check comes next."""

from langgraph.runtime import Runtime

from agents.tasks import AuthenticationAdvice, AuthenticationTask, IntentReading
from graphs.context import TurnContext
from graphs.matter import CANNOT, IDENTITY, IDENTITY_SLOTS, Matter, next_after, read_matter
from graphs.state import TurnState
from graphs.thinking import think
from memory import evidence, receipts, requests
from memory.store import Unit
from policies.words import CaseId, Json, TurnId


async def authentication(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Advise on the next check. Verification itself is a tool, proposed by workflow and judged like any other."""
    ctx = runtime.context
    turn_id = TurnId(state["turn_id"])
    slots = {slot for method in ctx.house.playbook.verification for slot in method.slots.values()}

    def gather(unit: Unit) -> tuple[Matter, IntentReading, list[dict[str, Json]], dict[str, Json]]:
        row = ctx.notes.reading(unit, turn_id=turn_id, ordinal=state["reading"])
        assert row is not None  # noqa: S101  # the intent node wrote it
        failed = [
            dict(past.request.arguments)
            for past in requests.of_tools(
                unit, conversation_id=ctx.conversation_id, tools=ctx.house.playbook.verification_tools
            )
            if (receipt := receipts.of_request(unit, request_id=past.request.id)) and receipt.state == "failed"
        ]
        # An order named for one matter tells who is writing in all of them.
        said = evidence.of_conversation(unit, conversation_id=ctx.conversation_id, names=slots | IDENTITY_SLOTS)
        known = {statement.name: statement.value for statement in said if statement.kind in {"customer", "person"}}
        matter = read_matter(unit, ctx, case_id=CaseId(state["case_id"]), turn_id=turn_id)
        return matter, IntentReading.model_validate(row.output), failed, known

    matter, reading, failed, known = await ctx.read(gather)
    journey = ctx.house.playbook.journeys.get(matter.case.journey or "")
    task = AuthenticationTask(
        needed=int(journey.assurance) if journey else 0,
        current=int(matter.conversation.assurance),
        known=known,
        failed=failed,
        asked=matter.asked.get(IDENTITY, 0),
        cannot=cannot_of(reading, matter),
    )
    ordinal = state["ordinal"]
    await think(
        ctx,
        turn_id=turn_id,
        ordinal=ordinal,
        task=task,
        answer=AuthenticationAdvice,
        ask=lambda: ctx.house.specialists.authentication.solve(task),
    )
    return {"ordinal": ordinal + 1, "advice": ordinal, "next": next_after(ctx, matter.case.id)}


def cannot_of(reading: IntentReading, matter: Matter) -> list[str]:
    """Slots that the customer hasn't got: said now or before, or meant by not having what we had just asked for."""
    said_before = [row.subject for row in matter.known if row.name == CANNOT]
    if "cannot_answer" in reading.flags and not any(flag.startswith("cannot:") for flag in reading.flags):
        asked = list(matter.question.slots) if matter.question is not None else []
        return list(dict.fromkeys([*said_before, *asked]))
    return said_before
