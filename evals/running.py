"""What evals need of a running Callboard. The shell hands in how to open one; evals never build it themselves."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from graphs.forgetting import Forgetting
from graphs.playbook import Playbook
from graphs.runner import Runner
from memory.store import Store


class Running(Protocol):
    """A Callboard that runs: its one door, and its records to look at afterwards."""

    @property
    def runner(self) -> Runner:
        """The door: every message goes through it."""

    @property
    def store(self) -> Store:
        """The records."""

    @property
    def forgetting(self) -> Forgetting:
        """Erases people."""

    @property
    def playbook(self) -> Playbook:
        """The business that is served."""

    @property
    def clock(self) -> Callable[[], datetime]:
        """Gives the present moment, aware, UTC."""


RuntimeFactory = Callable[[Path, Path], AbstractAsyncContextManager[Running]]
"""Opens a Callboard on the playbook's own fixtures: its records in the first directory, the systems of record in the
second, which doesn't exist yet."""
