"""The reasoner that tries one and then another, and leaves the first alone for a while when it keeps failing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agents.errors import AgentError
from agents.prompting import Prompt
from agents.reasoners.base import A, AnswerCheck, Reasoner, Solved, checked, no_check
from agents.tasks import Typed


@dataclass(slots=True)
class Breaker:
    """Counts failures in a row; open means: don't even try."""

    failures: int
    """How many in a row open it."""
    pause: timedelta
    """How long it stays open; then one task is let through to see."""
    count: int = 0
    opened_at: datetime | None = None

    def may_try(self, now: datetime) -> bool:
        """Whether the reasoner behind it may be asked now. After the pause each "yes" starts a new pause."""
        if self.opened_at is None:
            return True
        if now - self.opened_at < self.pause:
            return False
        self.opened_at = now
        return True

    def succeeded(self) -> None:
        """Close it."""
        self.count, self.opened_at = 0, None

    def failed(self, now: datetime) -> None:
        """Count one; open it at the limit."""
        self.count += 1
        if self.count >= self.failures:
            self.opened_at = now


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

    async def solve(self, task: Typed, answer: type[A], *, prompt: Prompt) -> Solved[A]:
        """Solve with the first reasoner if it is well, else with the second; the notes say which and why."""
        if not self._breaker.may_try(self._clock()):
            note = f"{self._first.name}: left alone after {self._breaker.count} failures"
        else:
            try:
                solved = await self._first.solve(task, answer, prompt=prompt)
                solved = checked(solved, answer, task=task, check=self._check)
            except AgentError as error:
                self._breaker.failed(self._clock())
                note = f"{self._first.name}: {type(error).__name__}: {error}"
            else:
                self._breaker.succeeded()
                return solved
        second = await self._then.solve(task, answer, prompt=prompt)
        return replace(second, notes=(note, *second.notes))
