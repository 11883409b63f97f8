"""The store: where memory's rows are. The port, and the fence that every write of a turn passes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from memory.conversations import lock_epoch
from memory.errors import FencedOut
from memory.unit import Unit
from policies.words import ConversationId

__all__ = ["Fence", "Store", "Unit", "check_fence"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fence:
    """A turn's right to write: void once the conversation's epoch has moved on."""

    conversation_id: ConversationId
    epoch: int


class Store(Protocol):
    """Callboard's records.

    A write is a function of a `Unit` that returns plain values. It runs in a transaction, in a thread that isn't the
    caller's, perhaps more than once: only its last run counts. It must not keep the unit, and must not do anything but
    read and write rows: nothing waits for anything else inside a transaction. Writes are as if they ran one after the
    other, whoever else writes; those that decide on what others may add take a guard (`memory/guards.py`).
    """

    async def write(self, work: Callable[[Unit], T], *, fence: Fence | None = None) -> T:
        """Run a write; what it returned, once that is on disk.

        A cancelled caller doesn't undo a write that was handed in.

        Raises:
            FencedOut: The fence's epoch has passed; nothing was written.
            StoreClosed: After `close`.
            StoreUnavailable: The database refused; nothing was written.
        """

    async def read(self, work: Callable[[Unit], T]) -> T:
        """Run a read on one consistent view that holds everything committed before this call. It can't write."""

    async def compact(self) -> None:
        """Leave no byte of deleted rows where rows are kept: freed space is overwritten, logs of ours are cut.

        Raises:
            StoreClosed: After `close`.
            StoreUnavailable: Somebody else reads all the time, or the database refused; ask again later.
        """

    async def close(self) -> None:
        """Finish the writes handed in and let go of the database."""

    def announce(self, url: str) -> None:
        """Tell processes that find the records held where to reach this one; no matter where nobody holds them."""


def check_fence(unit: Unit, fence: Fence) -> None:
    """Refuse to go on once the conversation has another epoch; until the transaction ends, it keeps this one.

    Raises:
        FencedOut: Somebody else runs it now.
    """
    current = lock_epoch(unit, conversation_id=fence.conversation_id)
    if current != fence.epoch:
        raise FencedOut(fence.conversation_id, epoch=fence.epoch, current=current)
