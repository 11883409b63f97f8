"""The reasoner that needs no key and no network: deterministic code for each kind of task."""

from collections.abc import Callable, Mapping
from typing import Any

from agents.errors import UnknownTask
from agents.prompting import Prompt
from agents.reasoners.base import UNWATCHED, A, Solved, Watcher, parsed
from agents.tasks import Typed

Solver = Callable[[Any], Typed]
"""A pure function from one task to its answer."""


class LocalReasoner:
    """Dispatches on the task's type."""

    name = "local"

    def __init__(self, solvers: Mapping[type[Typed], Solver]) -> None:
        self._solvers = dict(solvers)

    async def solve(self, task: Typed, answer: type[A], *, prompt: Prompt, watcher: Watcher = UNWATCHED) -> Solved[A]:
        """Solve one task with the solver of its type.

        Raises:
            UnknownTask: No solver for it.
        """
        solver = self._solvers.get(type(task))
        if solver is None:
            raise UnknownTask(f"No local solver for {type(task).__name__}. Give the LocalReasoner one.")
        return Solved(answer=parsed(answer, solver(task), task=task), reasoner=self.name)
