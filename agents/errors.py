"""Errors of the agents floor.

AgentError
├── ReasonerUnavailable   the reasoner could not be reached, was refused or took too long
├── AnswerInvalid         an answer that doesn't fit its type or its task
├── BudgetSpent           what may be spent on models is spent
├── UnknownTask           a reasoner was asked a task that it has no solver for
├── CassetteMiss          a replay was asked for something that was never recorded
├── ScriptExhausted       a scripted reasoner has no further answer and nobody to fall through to
├── PromptMissing         a prompt file is not there
└── TooFewExamples        an intent has too few example utterances to learn from
"""

from collections.abc import Sequence

BUDGET_SPENT = "budget_spent"


class AgentError(Exception):
    """Something about a specialist's work went wrong; nothing was changed."""


class ReasonerUnavailable(AgentError):
    """The reasoner can't be used now. Fall back, or try later.

    Attributes:
        retry_after_s: How long the provider asked to wait; None if it didn't say.
        may_pass: Whether the same call may well work in a moment: too many requests, a lost connection.
        is_well: Whether it wasn't even asked, so that this says nothing about its health.
    """

    def __init__(
        self,
        message: str = "",
        *,
        retry_after_s: float | None = None,
        may_pass: bool = False,
        is_well: bool = False,
    ) -> None:
        super().__init__(message or str(self.__doc__).splitlines()[0])
        self.retry_after_s = retry_after_s
        self.may_pass = may_pass
        self.is_well = is_well


class AnswerInvalid(AgentError):
    """An answer doesn't fit its type or its task. Fall back, or escalate.

    Attributes:
        faults: What is wrong, by place and kind; never the answer's own words.
    """

    def __init__(self, answer: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"{answer} is invalid: {'; '.join(faults[:5])}. Fall back to another reasoner, or escalate.")
        self.faults = faults


class BudgetSpent(AgentError):
    """What may be spent on models is spent. Let a person go on; raise the budget in the settings if it is too low.

    Attributes:
        of: Whose budget: "turn", "case", "day".
        kind: Of what: "tokens", "money".
    """

    def __init__(self, of: str, kind: str) -> None:
        super().__init__(f"The budget of the {of} for models is spent ({kind}).")
        self.of, self.kind = of, kind

    @property
    def flag(self) -> str:
        """For a reading that was made without a model because of it."""
        return f"{BUDGET_SPENT}:{self.of}:{self.kind}"

    @classmethod
    def of_flags(cls, flags: Sequence[str]) -> "BudgetSpent | None":
        """The one that a reading's flags speak of, or None."""
        told = next((flag.split(":") for flag in flags if flag.startswith(f"{BUDGET_SPENT}:")), None)
        return cls(told[1], told[2]) if told is not None and len(told) == 3 else None


class UnknownTask(AgentError):
    """No solver for this kind of task. Give the reasoner one, or ask another reasoner."""


class CassetteMiss(AgentError):
    """The cassette holds no answer for this task, prompt and input. Record it again, or replay with fall-through."""


class ScriptExhausted(AgentError):
    """The script has no further answer for this task. Add one, or give the reasoner one to fall through to."""


class PromptMissing(AgentError):
    """There is no prompt of this name. Add agents/prompts/NAME.md."""


class TooFewExamples(AgentError):
    """An intent has too few examples. Give each journey at least five utterances."""
