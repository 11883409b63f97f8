"""Errors of the agents floor.

AgentError
├── ReasonerUnavailable   the reasoner could not be reached, was refused or took too long
├── AnswerInvalid         an answer that doesn't fit its type or its task
├── UnknownTask           a reasoner was asked a task that it has no solver for
├── CassetteMiss          a replay was asked for something that was never recorded
├── ScriptExhausted       a scripted reasoner has no further answer and nobody to fall through to
├── PromptMissing         a prompt file is not there
└── TooFewExamples        an intent has too few example utterances to learn from
"""


class AgentError(Exception):
    """Something about a specialist's work went wrong; nothing was changed."""


class ReasonerUnavailable(AgentError):
    """The reasoner can't be used now. Fall back, or try later.

    Attributes:
        retry_after_s: How long the provider asked to wait; None if it didn't say.
    """

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message or str(self.__doc__).splitlines()[0])
        self.retry_after_s = retry_after_s


class AnswerInvalid(AgentError):
    """An answer doesn't fit its type or its task. Fall back, or escalate.

    Attributes:
        faults: What is wrong, by place and kind; never the answer's own words.
    """

    def __init__(self, answer: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"{answer} is invalid: {'; '.join(faults[:5])}. Fall back to another reasoner, or escalate.")
        self.faults = faults


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
