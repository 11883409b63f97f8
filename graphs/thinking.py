"""Specialists' answers are rows before they are used: a turn that runs again reads them, it doesn't think again."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from agents.reasoners.base import Solved
from agents.tasks import Typed
from graphs.context import TurnContext
from memory import readings
from policies.canonical import digest
from policies.words import TurnId

A = TypeVar("A", bound=Typed)


async def think(
    ctx: TurnContext,
    *,
    turn_id: TurnId,
    ordinal: int,
    task: Typed,
    answer: type[A],
    ask: Callable[[], Awaitable[Solved[A]]],
) -> A:
    """The answer at this place of the turn: from its row, or from the specialist and then stored.

    Args:
        ctx: The run.
        turn_id: The turn.
        ordinal: The place in the turn's sequence; the same place always gives the same answer.
        task: What is asked; only its digest is kept.
        answer: The type that the row is read as.
        ask: Asks the specialist. Called at most once, and not at all if the row is there.
    """
    row = await ctx.read(lambda unit: readings.get(unit, turn_id=turn_id, ordinal=ordinal))
    if row is None:
        solved = await ask()
        row = await ctx.write(
            lambda unit: readings.save(
                unit,
                turn_id=turn_id,
                ordinal=ordinal,
                task=type(task).__name__,
                reasoner=solved.reasoner,
                prompt_version=solved.prompt_version,
                input_digest=digest(task.model_dump(mode="json")),
                output=solved.answer.model_dump(mode="json"),
                at=ctx.now,
            )
        )
    return answer.model_validate(row.output)
