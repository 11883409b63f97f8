"""The workflow specialist's task for the case in hand, made from rows."""

from agents.local.cues import ANSWERED
from agents.tasks import AuthenticationAdvice, IntentReading, WorkflowTask
from graphs.context import TurnContext
from graphs.judging import offered_tools
from graphs.matter import Matter, matter_of
from graphs.messages import said_in
from graphs.reading import answer_of
from graphs.replying import passages_of
from graphs.state import TurnState
from policies.words import CaseId, TurnId


async def workflow_task(ctx: TurnContext, state: TurnState) -> WorkflowTask:
    """What workflow is asked now."""
    turn_id = TurnId(state["turn_id"])

    matter = await matter_of(ctx, case_id=CaseId(state["case_id"]), turn_id=turn_id)

    said = await ctx.reading(turn_id=turn_id, ordinal=state["reading"])
    advised = await ctx.reading(turn_id=turn_id, ordinal=state["advice"])
    assert said is not None and advised is not None  # noqa: S101, PT018  # earlier nodes of this turn made both
    reading = IntentReading.model_validate(said.output)
    text = (await said_in(ctx, turn_id=turn_id)).text
    asked = dict(matter.asked)
    if matter.case.journey is not None:
        asked[f"{ANSWERED}:{matter.case.journey}"] = matter.resolved
    journey = ctx.house.playbook.journeys.get(matter.case.journey or "")
    # Who is writing is a question of every case; the other questions are about the case that they were asked for.
    question = matter.question
    if question is not None and question.kind != "identity" and question.case_id != matter.case.id:
        question = None
    tools = sorted(journey.allowed_tools) if journey else []
    if journey is not None and journey.kind == "open":
        # Fixed steps name their tool; where one is chosen, the choice is among those that can pass.
        tools = await offered_tools(
            ctx.house, tools, conversation_id=ctx.conversation_id, case_id=matter.case.id, now=ctx.now
        )
    return WorkflowTask(
        journey=matter.case.journey,
        text=text,
        act=reading.act,
        flags=reading.flags,
        known=matter.known,
        attempts=matter.attempts,
        eligibility=matter.verdicts,
        confirmations=matter.confirmations,
        authentication=AuthenticationAdvice.model_validate(advised.output),
        asked=asked,
        question=question,
        answer=answer_of(reading, text, question, matter.transcript),
        clarify=clarify_of(reading, matter),
        pending=matter.pending,
        withdrawn=matter.withdrawn,
        noted=matter.noted,
        tools=tools,
        passages=[
            passage.id for passage in passages_of(ctx.house, state.get("passages", []), journey=matter.case.journey)
        ],
        transcript=matter.transcript if journey is not None and journey.kind == "open" else [],
        now=ctx.now,
    )


def clarify_of(reading: IntentReading, matter: Matter) -> list[str]:
    """Journeys to choose between: only where the case has none yet and nothing was understood for certain."""
    if matter.case.journey is not None or any(guess.answer == "accept" for guess in reading.intents):
        return []
    return next(([guess.journey, *guess.alternatives] for guess in reading.intents if guess.answer == "clarify"), [])
