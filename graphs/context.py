"""What the nodes of one run share: stores, playbook, specialists, clock, and the fence that every write passes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from agents.specialists import Specialists
from graphs.notes import Notes
from graphs.playbook import Playbook
from graphs.policy_desk import PolicyDesk
from graphs.spending import Spending
from memory.boundaries import Checkpoint, Transition, crossing, unwatched
from memory.readings import Reading
from memory.retrieval import Retriever
from memory.store import Fence, Store, Unit
from policies.words import ConversationId, TurnId
from tools.circuits import Circuits, circuits_of_systems
from tools.registry import Registry
from tools.spec import BusinessSystem

T = TypeVar("T")
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class House:
    """What every turn of this process shares."""

    store: Store
    playbook: Playbook
    desk: PolicyDesk
    """Says which policies are in force."""
    specialists: Specialists
    retriever: Retriever
    systems: dict[str, BusinessSystem]
    clock: Clock
    """Gives the present moment, aware, UTC."""
    circuits: Circuits = field(default_factory=circuits_of_systems)
    """Knows which business systems keep failing."""
    spending: Spending = field(default_factory=Spending)
    """What models may cost."""
    fact_timeout_s: float = 3.0
    """How long a fact provider may take before its facts count as unknown."""
    checkpoint: Checkpoint = unwatched
    """Told each boundary that is passed."""

    @property
    def tools(self) -> Registry:
        """The playbook's tools."""
        return self.playbook.tools


@dataclass(frozen=True, slots=True)
class TurnContext:
    """The house and this run's right to write. Not persisted: given anew to every run and resume."""

    house: House
    conversation_id: ConversationId
    epoch: int
    is_heard: Callable[[], bool] = lambda: False
    """Whether somebody listens to this conversation just now, so that a draft is worth showing while it is written."""

    notes: Notes = field(default_factory=Notes, compare=False)
    """What this run has read and thought so far."""

    async def read(self, work: Callable[[Unit], T]) -> T:
        """Read rows, outside of any transaction of ours."""
        return await self.house.store.read(work)

    async def write(self, work: Callable[[Unit], T], *, at: Transition = "note") -> T:
        """Write rows in one transaction, what the notes hold for it first, between the two boundaries of this step.

        Raises:
            FencedOut: Another run has taken the conversation over.
        """
        later = [*self.notes.later]

        def with_notes(unit: Unit) -> T:
            for each in later:
                each(unit)
            return work(unit)

        self.notes.fresh.clear()
        with crossing(self.house.checkpoint, at):
            written = await self.house.store.write(with_notes, fence=Fence(self.conversation_id, self.epoch))
        del self.notes.later[: len(later)]
        return written

    async def reading(self, *, turn_id: TurnId, ordinal: int) -> Reading | None:
        """The reading at this place of the turn, or None."""
        if self.notes.knows(turn_id):
            return self.notes.known(turn_id, ordinal)
        return await self.read(lambda unit: self.notes.reading(unit, turn_id=turn_id, ordinal=ordinal))

    @property
    def now(self) -> datetime:
        """The present moment."""
        return self.house.clock()
