"""What can go wrong in the policies floor.

PolicyError
├── PlaybookMistakes   files of a playbook can't be used; carries every mistake
└── ConditionError     one condition can't be compiled or computed
"""

from collections.abc import Sequence
from dataclasses import dataclass


class PolicyError(Exception):
    """Something in the policies floor went wrong."""


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing in a playbook's files that must be changed before it can be used."""

    file: str
    line: int
    """Counted from 1; 1 where the whole file is meant."""
    message: str
    suggestion: str = ""
    """What to write instead; empty where nothing sensible can be said."""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}: {self.message}"
        return f"{text} Write: {self.suggestion}" if self.suggestion else text


class PlaybookMistakes(PolicyError):
    """The playbook has mistakes and was not loaded."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class ConditionError(PolicyError):
    """A condition can't be compiled or computed. The message never holds values of customers."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        self.suggestion = suggestion
        super().__init__(message)
