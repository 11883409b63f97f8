"""What follows from the reading of a message without asking anyone: signals for triggers, a yes or a no."""

from collections.abc import Sequence
from typing import Literal

from agents.confirmation import read_confirmation
from agents.tasks import IntentReading, Line, Question
from graphs.context import TurnContext
from graphs.matter import Matter, matter_of
from graphs.messages import said_in
from graphs.state import TurnState
from policies.words import CaseId, Json, TurnId


def signals(reading: IntentReading, found: list[str], matter: Matter) -> dict[str, Json]:
    """What the reading and the case so far mean to triggers."""
    flags: list[Json] = [*sorted({*reading.flags, *found})]
    return {
        "intent.confidence": reading.confidence,
        "sentiment": reading.sentiment,
        "asked_for_person": "asks_person" in reading.flags,
        "failures": sum(attempt.state in {"failed", "denied", "unknown"} for attempt in matter.attempts),
        # Nothing is asked again of someone who takes their leave.
        "repeats": 0 if reading.act in {"thanks", "goodbye"} else max(matter.asked.values(), default=0),
        "turns": sum(line.author == "customer" for line in matter.transcript),
        "flags": flags,
    }


def answer_of(
    reading: IntentReading, text: str, question: Question | None, transcript: Sequence[Line]
) -> Literal["yes", "no", "unclear", "none"]:
    """How the customer answered our confirmation: deterministic code reads it, a model may only veto."""
    if question is None or question.kind != "confirm":
        return "none"
    shown = next((line.text for line in reversed(transcript) if line.author == "assistant"), "")
    answer = read_confirmation(text, shown=shown)
    if answer == "yes" and reading.act in {"decline", "withdraw"}:
        return "unclear"
    return answer


async def signals_of(ctx: TurnContext, state: TurnState) -> dict[str, Json]:
    """The signals of a turn that has been read; none where there was no message to read."""
    if "reading" not in state:
        return {}
    turn_id, case_id = TurnId(state["turn_id"]), CaseId(state["case_id"])
    row = await ctx.reading(turn_id=turn_id, ordinal=state["reading"])
    assert row is not None  # noqa: S101  # the intent node made it
    found = (await said_in(ctx, turn_id=turn_id)).kinds
    # The request that is being judged is no part of them, so the case as workflow saw it will do.
    matter = ctx.notes.seen.get(case_id) or await matter_of(ctx, case_id=case_id, turn_id=turn_id)
    return signals(IntentReading.model_validate(row.output), found, matter)
