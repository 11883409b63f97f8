"""The relay: tells whoever listens to a conversation what happens in it, in whichever process it happens."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from graphs.results import Progress
from policies.words import ConversationId


@dataclass(frozen=True, slots=True)
class Ended:
    """Inbox items were dealt with."""

    seqs: tuple[int, ...] = ()
    """Which; none for all of the conversation's."""
    problem: Literal["", "failed", "forgotten"] = ""
    """failed: they could not be run and stay in the inbox; forgotten: their person was erased."""


Event = Progress | Ended
Hear = Callable[[Event], None]
"""Told of each event, on the listener's own loop; must not wait."""


class Relay(Protocol):
    """A notice may be lost, and is never the only way to learn of something: rows are the truth."""

    @property
    def patience_s(self) -> float | None:
        """How long to wait for a notice before looking at the rows; None where none is ever lost."""

    def tell(self, conversation_id: ConversationId, event: Event) -> None:
        """Say what happened, after it was committed. Waits for nothing."""

    def is_heard(self, conversation_id: ConversationId) -> bool:
        """Whether somebody in this process listens to the conversation's progress just now."""

    def listening(
        self, conversation_id: ConversationId, hear: Hear, *, to_progress: bool = False
    ) -> AbstractContextManager[None]:
        """Hear what happens in a conversation from now on; its progress, of which there is much, only if asked for."""


class LocalRelay:
    """The relay of a process that runs its turns itself."""

    patience_s: float | None = None

    def __init__(self) -> None:
        self._listeners: dict[ConversationId, list[Hear]] = {}
        self._followed: Counter[ConversationId] = Counter()
        """How many listen to a conversation's progress."""

    def tell(self, conversation_id: ConversationId, event: Event) -> None:
        """Say what happened to all who listen in this process."""
        for hear in list(self._listeners.get(conversation_id, ())):
            hear(event)

    def is_heard(self, conversation_id: ConversationId) -> bool:
        """Whether somebody listens to the conversation's progress just now."""
        return self._followed[conversation_id] > 0

    @contextmanager
    def listening(self, conversation_id: ConversationId, hear: Hear, *, to_progress: bool = False) -> Iterator[None]:
        """Hear what happens in this process."""

        def heard(event: Event) -> None:
            if to_progress or isinstance(event, Ended):
                hear(event)

        listeners = self._listeners.setdefault(conversation_id, [])
        listeners.append(heard)
        self._followed[conversation_id] += to_progress
        try:
            yield
        finally:
            self._followed[conversation_id] -= to_progress
            if not self._followed[conversation_id]:
                del self._followed[conversation_id]
            listeners.remove(heard)
            if not listeners:
                self._listeners.pop(conversation_id, None)
