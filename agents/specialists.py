"""The five specialists: each states its task, takes an answer from whom it was given, and believes none unchecked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agents.journeys import VerificationMethod
from agents.local.authentication import next_check
from agents.prompting import Prompt
from agents.reasoners.base import AnswerCheck, Reasoner, Solved, checked, no_check
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


DecideTable = Callable[[str, Mapping[str, Json]], TableOutcome]
"""Takes a table's id and its inputs."""


@dataclass(frozen=True, slots=True)
class IntentSpecialist:
    """Says what the customer wants, names and feels."""

    reasoner: Reasoner
    prompt: Prompt
    check: AnswerCheck = no_check

    async def solve(self, task: IntentTask) -> Solved[IntentReading]:
        """Read a message. Raises `ReasonerUnavailable`, `AnswerInvalid`."""
        solved = await self.reasoner.solve(task, IntentReading, prompt=self.prompt)
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

    async def solve(self, task: WorkflowTask) -> Solved[Cue]:
        """Choose. Raises `ReasonerUnavailable`, `AnswerInvalid`."""
        solved = await self.reasoner.solve(task, Cue, prompt=self.prompt)
        return checked(solved, Cue, task=task, check=self.check)


@dataclass(frozen=True, slots=True)
class DraftingSpecialist:
    """Writes the reply; evidence stays in braces."""

    reasoner: Reasoner
    prompt: Prompt
    check: AnswerCheck = no_check

    async def solve(self, task: DraftTask) -> Solved[Draft]:
        """Write. Raises `ReasonerUnavailable`, `AnswerInvalid`."""
        solved = await self.reasoner.solve(task, Draft, prompt=self.prompt)
        return checked(solved, Draft, task=task, check=self.check)


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
