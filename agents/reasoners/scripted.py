"""A reasoner that says what a script tells it to, valid or not: for tests, demos and hostile models."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from agents.errors import ScriptExhausted
from agents.prompting import Prompt
from agents.reasoners.base import UNWATCHED, A, Reasoner, Solved, Watcher
from agents.tasks import Typed

Script = Callable[[Any], object] | Sequence[object]
"""For one kind of task: a function of it, or answers in order. None falls through; an exception is raised."""


class ScriptedReasoner:
    """Answers by script, else by another reasoner. It validates nothing, as a hostile model wouldn't."""

    name = "scripted"

    def __init__(
        self, scripts: Mapping[type[Typed], Script], *, otherwise: Reasoner | None = None, remembers: bool = True
    ) -> None:
        """Bind the scripts.

        Args:
            scripts: By kind of task.
            otherwise: Who answers where a script has nothing.
            remembers: Whether `asked` keeps every task; a run of many thousands doesn't.
        """
        self._functions: dict[type[Typed], Callable[[Any], object]] = {}
        self._lists: dict[type[Typed], deque[object]] = {}
        for kind, script in scripts.items():
            if callable(script):
                self._functions[kind] = script
            else:
                self._lists[kind] = deque(script)
        self._otherwise, self._remembers = otherwise, remembers
        self.asked: list[Typed] = []
        """Every task it was given, in order."""

    async def solve(self, task: Typed, answer: type[A], *, prompt: Prompt, watcher: Watcher = UNWATCHED) -> Solved[A]:
        """The script's next word on this kind of task.

        Raises:
            ScriptExhausted: The script has none and there is nobody to fall through to.
        """
        if self._remembers:
            self.asked.append(task)
        said: object = None
        if type(task) in self._functions:
            said = self._functions[type(task)](task)
        elif self._lists.get(type(task)):
            said = self._lists[type(task)].popleft()
        if isinstance(said, Exception):
            raise said
        if said is not None:
            return Solved(answer=cast(A, said), reasoner=self.name, prompt_version=prompt.version)
        if self._otherwise is None:
            raise ScriptExhausted(f"The script has no further answer for {type(task).__name__}. Add one.")
        return await self._otherwise.solve(task, answer, prompt=prompt, watcher=watcher)
