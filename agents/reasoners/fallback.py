"""The reasoner that tries one and then another, and leaves the first alone for a while when it keeps failing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from agents.errors import AgentError, BudgetSpent, ReasonerUnavailable
from agents.prompting import Prompt
from agents.reasoners.base import UNWATCHED, A, AnswerCheck, Reasoner, Solved, Watcher, checked, no_check
from agents.tasks import Typed
from tools.breaker import Breaker

LONGEST_PAUSE_S = 600.0
"""However long an endpoint asks to be left alone."""


class FallbackReasoner:
    """First one reasoner, then the other; an answer of the first that doesn't hold counts as none."""

    def __init__(
        self,
        first: Reasoner,
        then: Reasoner,
        *,
        clock: Callable[[], datetime],
        failures: int = 3,
        pause: timedelta = timedelta(seconds=30),
        check: AnswerCheck = no_check,
    ) -> None:
        self._first, self._then, self._clock, self._check = first, then, clock, check
        self._breaker = Breaker(failures=failures, pause=pause)

    @property
    def name(self) -> str:
        """Both names: "chat:gpt-5-mini, then local"."""
        return f"{self._first.name}, then {self._then.name}"

    async def solve(self, task: Typed, answer: type[A], *, prompt: Prompt, watcher: Watcher = UNWATCHED) -> Solved[A]:
        """Solve with the first reasoner if it is well, else with the second; the notes say which and why.

        A spent budget is not the first one's failure, and the second wouldn't be cheaper: it goes up to the caller.
        """
        if not self._breaker.may_try(self._clock()):
            note = f"{self._first.name}: left alone after {self._breaker.count} failures"
        else:
            try:
                solved = await self._first.solve(task, answer, prompt=prompt, watcher=watcher)
                solved = checked(solved, answer, task=task, check=self._check)
            except BudgetSpent:
                raise
            except AgentError as error:
                self._count(error)
                note = f"{self._first.name}: {type(error).__name__}: {error}"
            else:
                self._breaker.succeeded()
                return solved
        second = await self._then.solve(task, answer, prompt=prompt, watcher=watcher)
        return replace(second, notes=(note, *second.notes))

    def _count(self, error: AgentError) -> None:
        """One more failure of the first, unless it was well and only not asked."""
        if isinstance(error, ReasonerUnavailable):
            if error.is_well:
                return
            if error.retry_after_s is not None:
                self._breaker.failed(self._clock(), pause=timedelta(seconds=min(error.retry_after_s, LONGEST_PAUSE_S)))
                return
        self._breaker.failed(self._clock())
