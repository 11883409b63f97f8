"""The one seam behind every specialist: a typed task in, a typed answer out, with who answered and what it took."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from agents.errors import AnswerInvalid
from agents.prompting import Prompt
from agents.tasks import Typed

A = TypeVar("A", bound=Typed)

AnswerCheck = Callable[[Typed, Typed], tuple[str, ...]]
"""Takes task and answer; says what about the answer can't be right for this task, empty when nothing."""


def no_check(task: Typed, answer: Typed) -> tuple[str, ...]:
    """An answer check that has no objection."""
    return ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer took, as the provider counts it."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """How many of the prompt tokens came from the provider's cache."""
    completion_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model as it went."""

    model: str
    usage: Usage
    seconds: float
    problem: str = ""
    """Why it gave nothing; empty when it answered. Words of ours."""


class Watcher(Protocol):
    """Who follows a task while it is solved: lets models be called, hears what that took, and what can be shown."""

    @property
    def wants_text(self) -> bool:
        """Whether somebody wants to see a draft while it is written."""

    async def before_call(self, model: str) -> float | None:
        """Allow a call of a model: how many seconds models may still take for this turn; None for no limit.

        Raises:
            BudgetSpent: There is nothing left to spend.
        """

    async def after_call(self, call: ModelCall) -> None:
        """Hear how a call went, whatever became of it."""

    async def show(self, text: str) -> None:
        """Take a draft as far as it is written; nothing of it has been checked."""


class Unwatched:
    """Nobody follows."""

    wants_text = False

    async def before_call(self, model: str) -> float | None:
        """Allow it."""
        return None

    async def after_call(self, call: ModelCall) -> None:
        """Not heard."""

    async def show(self, text: str) -> None:
        """Not shown."""


UNWATCHED: Watcher = Unwatched()


@dataclass(frozen=True, slots=True)
class Solved(Generic[A]):
    """An answer and where it came from."""

    answer: A
    reasoner: str
    """Who answered in the end: "chat:gpt-5-mini", "local", "methods", "tables"."""
    prompt_version: str = ""
    """Empty where no prompt was used."""
    usage: Usage = field(default_factory=Usage)
    notes: tuple[str, ...] = ()
    """What happened on the way: a repair, a fallback and its reason. Never customer text."""


class Reasoner(Protocol):
    """Solves tasks. Implementations: chat, local, fallback, recorded, scripted."""

    @property
    def name(self) -> str:
        """For records and people."""

    async def solve(self, task: Typed, answer: type[A], *, prompt: Prompt, watcher: Watcher = UNWATCHED) -> Solved[A]:
        """Solve one task.

        Args:
            task: What is asked.
            answer: The type of the answer.
            prompt: What a model is told about this kind of task; reasoners without a model ignore it.
            watcher: Who follows; reasoners without a model have nothing to tell.

        Raises:
            ReasonerUnavailable: It can't be used now.
            AnswerInvalid: Its answer fits neither type nor task.
            BudgetSpent: The watcher allows no more calls.
        """


def parsed(answer: type[A], raw: Any, *, task: Typed, check: AnswerCheck = no_check) -> A:
    """A raw answer as its type, checked against the task. Objects are read anew, so that none can bypass validation.

    Raises:
        AnswerInvalid: Names places and kinds of faults, without the answer's words.
    """
    try:
        data = raw.model_dump(mode="json", warnings=False) if isinstance(raw, BaseModel) else raw
        value = answer.model_validate_json(data) if isinstance(data, str | bytes) else answer.model_validate(data)
    except ValidationError as error:
        raise AnswerInvalid(answer.__name__, faults_of(error, answer)) from None
    except (ValueError, TypeError, RecursionError, AttributeError) as error:
        raise AnswerInvalid(answer.__name__, (f"not plain data ({type(error).__name__})",)) from None
    if faults := check(task, value):
        raise AnswerInvalid(answer.__name__, faults)
    return value


def faults_of(error: ValidationError, answer: type[BaseModel]) -> tuple[str, ...]:
    """Where and what, in pydantic's words, without the input: of the places only what the type itself names."""
    own = _names(answer)
    return tuple(
        f"{'.'.join(str(part) if isinstance(part, int) or part in own else '?' for part in each['loc']) or 'answer'}: "
        f"{each['type']}"
        for each in error.errors(include_input=False, include_url=False, include_context=False)
    )


@cache
def _names(answer: type[BaseModel]) -> frozenset[str]:
    """All fields of a type and of the types inside it. A key that a model made up may be anybody's words."""
    schema = answer.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for part in parts for name in part.get("properties", {}))


def checked(solved: Solved[A], answer: type[A], *, task: Typed, check: AnswerCheck = no_check) -> Solved[A]:
    """The same, with its answer validated again: no reasoner is believed. Raises `AnswerInvalid`."""
    return replace(solved, answer=parsed(answer, solved.answer, task=task, check=check))
