"""Specialists' answers are rows before anything follows from them: a turn that runs again reads them.

An answer is stored with the first write that follows from it, in the same transaction. Nothing that was decided on it,
done because of it or said in its words can be there without it; what a crash takes along is asked once more.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from agents.reasoners.base import Solved
from agents.tasks import Typed
from graphs.context import TurnContext
from memory.readings import Reading
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
    """The answer at this place of the turn: from its row, or from the specialist, stored with the next write.

    Args:
        ctx: The run.
        turn_id: The turn.
        ordinal: The place in the turn's sequence; the same place always gives the same answer.
        task: What is asked; only its digest is kept.
        answer: The type that the row is read as.
        ask: Asks the specialist. Called at most once, and not at all if the row is there.
    """
    row = await ctx.reading(turn_id=turn_id, ordinal=ordinal)
    if row is None:
        solved = await ask()
        row = Reading(
            turn_id=turn_id,
            ordinal=ordinal,
            task=type(task).__name__,
            reasoner=solved.reasoner,
            prompt_version=solved.prompt_version,
            input_digest=digest(task.model_dump(mode="json")),
            output=solved.answer.model_dump(mode="json"),
            at=ctx.now,
        )
        ctx.notes.store_later(row, conversation_id=ctx.conversation_id)
    return answer.model_validate(row.output)
