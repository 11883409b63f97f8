"""What one run of a turn has read and thought, so that no node reads again what only this run could have changed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memory import readings
from memory.readings import Reading
from memory.requests import RequestRow
from memory.store import Unit
from policies.words import CaseId, ConversationId, RequestId, TurnId

if TYPE_CHECKING:  # Both are made from what a context reads.
    from graphs.matter import Matter
    from graphs.messages import Screened
    from memory.timeline import Entry


@dataclass(slots=True)
class Notes:
    """Of one run, and never of two: a run that begins again begins with none.

    Only the run that holds the conversation's epoch writes readings, messages and cases of the turn, so what it has
    read of them stays true. What others may change meanwhile (approvals, receipts, facts, who has the conversation) is
    read again where it decides something: in guard, in act, before the reply.
    """

    said: "dict[TurnId, Screened]" = field(default_factory=dict)
    """The customer's words of the turn."""
    messages: "list[Entry] | None" = None
    """The conversation's latest messages, from when the turn's own had been added."""
    fresh: "dict[CaseId, Matter]" = field(default_factory=dict)
    """Cases as they stand; emptied by every write of the run."""
    seen: "dict[CaseId, Matter]" = field(default_factory=dict)
    """Cases as the run saw them last, for what a write of its own doesn't change."""
    proposed: dict[RequestId, RequestRow] = field(default_factory=dict)
    """Requests that this run made and that it has neither judged nor begun: there is nothing else about them yet."""
    later: list[Callable[[Unit], object]] = field(default_factory=list)
    """Writes that go along with the next one, in its transaction and before it."""
    _readings: dict[tuple[TurnId, int], Reading] = field(default_factory=dict)
    _read: set[TurnId] = field(default_factory=set)

    def reading(self, unit: Unit, *, turn_id: TurnId, ordinal: int) -> Reading | None:
        """The reading at this place of a turn of this run, stored or about to be; None if there is none."""
        if turn_id not in self._read:
            self._readings |= {
                (turn_id, row.ordinal): row
                for row in readings.of_turn(unit, turn_id=turn_id)
                if (turn_id, row.ordinal) not in self._readings
            }
            self._read.add(turn_id)
        return self.known(turn_id, ordinal)

    def known(self, turn_id: TurnId, ordinal: int) -> Reading | None:
        """The same of a turn whose readings are all here."""
        return self._readings.get((turn_id, ordinal))

    def knows(self, turn_id: TurnId) -> bool:
        """Whether all readings of the turn are here."""
        return turn_id in self._read

    def keep(self, reading: Reading) -> None:
        """Note a reading that was stored, or will be with the next write."""
        self._readings[reading.turn_id, reading.ordinal] = reading

    def store_later(self, reading: Reading, *, conversation_id: ConversationId) -> None:
        """Note a reading and store it with the next write: nothing that follows from it can be there without it.

        All readings of the turn are here, so its place is known to be free.
        """
        self.keep(reading)
        self.later.append(lambda unit: readings.put(unit, reading, conversation_id=conversation_id))

    def forget(self) -> None:
        """Begin again: what was to be stored later was never used by anything that is stored."""
        self.messages = None
        for kept in (self.said, self.fresh, self.seen, self.proposed, self.later, self._readings, self._read):
            kept.clear()
