"""The five specialists: each states its task, takes an answer from whom it was given, and believes none unchecked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from agents.journeys import VerificationMethod
from agents.local.authentication import next_check
from agents.prompting import Prompt
from agents.reasoners.base import UNWATCHED, AnswerCheck, Reasoner, Solved, Watcher, checked, no_check
from agents.tasks import (
    AuthenticationAdvice,
    AuthenticationTask,
    Cue,
    Draft,
    DraftTask,
    EligibilityTask,
    EligibilityVerdict,
    IntentReading,
    IntentTask,
    WorkflowTask,
)
from policies.words import Json

UNKNOWN = "unknown"


class TableOutcome(Protocol):
    """What a decision table says."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Output columns; "verdict" among them."""

    @property
    def reasons(self) -> Sequence[str]:
        """A sentence per matching row."""

    @property
    def error(self) -> str:
        """Why it could not decide; empty if it did."""


@runtime_checkable
class DraftsTogether(Protocol):
    """A reasoner that can write several drafts at once."""

    async def solve_drafts(
        self, tasks: Sequence[DraftTask], *, prompt: Prompt, watcher: Watcher = UNWATCHED
    ) -> list[Solved[Draft]]:
        """One draft for each task, in order."""


DecideTable = Callable[[str, Mapping[str, Json]], TableOutcome]
"""Takes a table's id and its inputs."""


@dataclass(frozen=True, slots=True)
class IntentSpecialist:
    """Says what the customer wants, names and feels."""

    reasoner: Reasoner
    prompt: Prompt
    check: AnswerCheck = no_check

    async def solve(self, task: IntentTask, *, watcher: Watcher = UNWATCHED) -> Solved[IntentReading]:
        """Read a message. Raises `ReasonerUnavailable`, `AnswerInvalid`, `BudgetSpent`."""
        solved = await self.reasoner.solve(task, IntentReading, prompt=self.prompt, watcher=watcher)
        return checked(solved, IntentReading, task=task, check=self.check)


@dataclass(frozen=True, slots=True)
class AuthenticationSpecialist:
    """Says which check of who the customer is comes next. Methods decide it, no model."""

    methods: Sequence[VerificationMethod]

    async def solve(self, task: AuthenticationTask) -> Solved[AuthenticationAdvice]:
        """Advise."""
        return Solved(answer=next_check(task, self.methods), reasoner="methods")


@dataclass(frozen=True, slots=True)
class EligibilitySpecialist:
    """Says what this customer may have. Decision tables decide it, no model."""

    decide_table: DecideTable

    async def solve(self, task: EligibilityTask) -> Solved[EligibilityVerdict]:
        """Decide one check; "unknown" if its table can't."""
        outcome = self.decide_table(task.table, task.inputs)
        values = dict(outcome.values)
        verdict = UNKNOWN if outcome.error else str(values.get("verdict", UNKNOWN))
        answer = EligibilityVerdict(
            step=task.step,
            verdict=verdict,
            values=values,
            reasons=list(outcome.reasons),
            inputs=task.inputs,
            about=task.about,
        )
        notes = (f"table {task.table}: {outcome.error}",) if outcome.error else ()
        return Solved(answer=answer, reasoner="tables", notes=notes)


@dataclass(frozen=True, slots=True)
class WorkflowSpecialist:
    """Chooses the next cue of a case."""

    reasoner: Reasoner
    prompt: Prompt
    check: AnswerCheck = no_check

    async def solve(self, task: WorkflowTask, *, watcher: Watcher = UNWATCHED) -> Solved[Cue]:
        """Choose. Raises `ReasonerUnavailable`, `AnswerInvalid`, `BudgetSpent`."""
        solved = await self.reasoner.solve(task, Cue, prompt=self.prompt, watcher=watcher)
        return checked(solved, Cue, task=task, check=self.check)


@dataclass(frozen=True, slots=True)
class DraftingSpecialist:
    """Writes the reply; evidence stays in braces."""

    reasoner: Reasoner
    prompt: Prompt
    check: AnswerCheck = no_check

    async def solve(self, task: DraftTask, *, watcher: Watcher = UNWATCHED) -> Solved[Draft]:
        """Write. Raises `ReasonerUnavailable`, `AnswerInvalid`, `BudgetSpent`."""
        solved = await self.reasoner.solve(task, Draft, prompt=self.prompt, watcher=watcher)
        return checked(solved, Draft, task=task, check=self.check)

    async def solve_all(self, tasks: Sequence[DraftTask], *, watcher: Watcher = UNWATCHED) -> list[Solved[Draft]]:
        """Write the drafts of one reply, together where the reasoner can. Raises as `solve`."""
        if len(tasks) < 2 or not isinstance(self.reasoner, DraftsTogether):
            return [await self.solve(task, watcher=watcher) for task in tasks]
        written = await self.reasoner.solve_drafts(tasks, prompt=self.prompt, watcher=watcher)
        return [
            checked(solved, Draft, task=task, check=self.check) for solved, task in zip(written, tasks, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Specialists:
    """The company."""

    intent: IntentSpecialist
    authentication: AuthenticationSpecialist
    eligibility: EligibilitySpecialist
    workflow: WorkflowSpecialist
    drafting: DraftingSpecialist

    @property
    def prompt_versions(self) -> dict[str, str]:
        """By specialist, for the record of a turn."""
        return {
            "intent": self.intent.prompt.version,
            "workflow": self.workflow.prompt.version,
            "drafting": self.drafting.prompt.version,
        }
