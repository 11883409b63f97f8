"""Errors of evals.

EvalError
├── SamplesUnreadable   a file of samples has a line that isn't what its form says
├── NothingToPlay       a file of samples has nothing to play
├── NothingToMeasure    a folder has none of the files of a conformance set
├── EpisodeUnusable     a file of intents and test texts isn't what its form says
├── PeersDisagree       engines that are compared say different things
├── WorkNotDone         a stack that is measured did other work than it was given
├── PeerMissing         a library that is compared with isn't installed
├── FellSilent          a conversation that is measured went to a person
├── HarnessBroken       a process of a chaos run ended in a way that nobody had planned
├── BackendMissing      a backend that this installation doesn't have
└── StockMissing        the stack to compare with is not installed
"""

from pathlib import Path


class EvalError(Exception):
    """An evaluation could not be made."""


class SamplesUnreadable(EvalError):
    """A line of a file of samples can't be read."""

    def __init__(self, file: Path, line: int, *, problem: str) -> None:
        super().__init__(
            f"{file}, line {line}: {problem}. One JSON object per line is expected; fix or remove the line."
        )
        self.file, self.line, self.problem = file, line, problem


class NothingToPlay(EvalError):
    """A file of samples has nothing to play."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} has no conversation in which a customer says something. Give another file.")
        self.file = file


class NothingToMeasure(EvalError):
    """A folder has none of the files of a conformance set."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"{directory} has no gold.jsonl, violations*.jsonl, compliant*.jsonl or conversations.jsonl. "
            "Give a folder that has one of them."
        )
        self.directory = directory


class EpisodeUnusable(EvalError):
    """A file of intents and test texts isn't what its form says."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(
            f"{file}: {problem}. Expected is a JSON object with journey, intents (name: examples) and test "
            "(text, label)."
        )
        self.file, self.problem = file, problem


class PeersDisagree(EvalError):
    """Engines that are compared say different things of the same request."""

    def __init__(self, peer: str, change: str) -> None:
        where = f"where {change} is changed" if change else "on the sample itself"
        super().__init__(f"{peer} and the sample's policies disagree {where}. Correct the peer's rules.")
        self.peer, self.change = peer, change


class WorkNotDone(EvalError):
    """A stack did other work than it was given, so that its figures mean nothing."""

    def __init__(self, stack: str, *, did: str) -> None:
        super().__init__(f"{stack} {did}. Its figures would mean nothing; look at what it answers.")
        self.stack = stack


class PeerMissing(EvalError):
    """A library that is compared with isn't installed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} isn't installed. It is needed for this comparison only: pip install {name}")
        self.name = name


class FellSilent(EvalError):
    """The conversation that is measured went to a person, so that there is nothing more to measure."""

    def __init__(self, turn: int) -> None:
        super().__init__(
            f"The conversation went to a person at message {turn}, and the turns after it cost next to nothing. "
            "Give a script of messages that the playbook answers alone."
        )
        self.turn = turn


class HarnessBroken(EvalError):
    """A process of a chaos run ended in a way that nobody had planned; it says nothing about what was measured."""


class BackendMissing(EvalError):
    """A backend was asked for that this installation doesn't have."""

    def __init__(self, backend: str, remedy: str) -> None:
        super().__init__(f"There is no {backend} here. {remedy}")
        self.backend = backend


class StockMissing(EvalError):
    """The stack to compare with is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "LangChain isn't installed, and it is what Callboard is compared with here. "
            "Install it beside Callboard: pip install 'langchain>=1.4,<2' (the extra `stock`)."
        )
