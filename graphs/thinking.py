"""Specialists' answers are rows before anything follows from them: a turn that runs again reads them.

An answer is stored with the first write that follows from it, in the same transaction. Nothing that was decided on it,
done because of it or said in its words can be there without it; what a crash takes along is asked once more.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from agents.errors import AgentError
from agents.reasoners.base import Solved
from agents.tasks import Typed
from graphs.context import TurnContext
from graphs.watching import TurnWatcher
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
    watcher: TurnWatcher | None = None,
) -> A:
    """The answer at this place of the turn: from its row, or from the specialist, stored with the next write.

    Args:
        ctx: The run.
        turn_id: The turn.
        ordinal: The place in the turn's sequence; the same place always gives the same answer.
        task: What is asked; only its digest is kept.
        answer: The type that the row is read as.
        ask: Asks the specialist. Called at most once, and not at all if the row is there.
        watcher: Who followed the asking, where models may be asked.
    """
    row = await ctx.reading(turn_id=turn_id, ordinal=ordinal)
    if row is None:
        try:
            solved = await ask()
        except AgentError as error:
            if watcher is not None:
                watcher.keep(task, ordinal, None, error=str(error))
            raise
        row = _store(ctx, turn_id, ordinal, task, solved, watcher)
    return answer.model_validate(row.output)


async def think_together(
    ctx: TurnContext,
    *,
    turn_id: TurnId,
    ordinal: int,
    tasks: Sequence[Typed],
    ask: Callable[[], Awaitable[Sequence[Solved[A]]]],
    watcher: TurnWatcher,
) -> None:
    """Several answers at places in a row, from their rows or from the specialist, asked once for all of them.

    Args:
        ctx: The run.
        turn_id: The turn.
        ordinal: The place of the first.
        tasks: What is asked, in order.
        ask: Asks the specialist for all. Not called if all rows are there; they are stored together.
        watcher: Who followed the asking.
    """
    places = range(ordinal, ordinal + len(tasks))
    if all([await ctx.reading(turn_id=turn_id, ordinal=place) is not None for place in places]):
        return
    answers = await ask()
    for place, task, solved in zip(places, tasks, answers, strict=True):
        # What it took is noted once, with the first.
        _store(ctx, turn_id, place, task, solved, watcher if place == ordinal else None)


def _store(
    ctx: TurnContext, turn_id: TurnId, ordinal: int, task: Typed, solved: Solved[Any], watcher: TurnWatcher | None
) -> Reading:
    if watcher is not None:
        watcher.keep(task, ordinal, solved)
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
    return row
