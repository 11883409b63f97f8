"""Forgetting: a person out of every context at once, and their last byte out of every store by a stated deadline."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, Protocol

from graphs.context import House
from graphs.runner import Runner, thread_ids
from memory import erasure, turns
from memory.erasure import Erasure, Reason
from memory.errors import ErasureHeld
from memory.store import Unit
from policies.words import ConversationId, CustomerId, Json

log = logging.getLogger("callboard.forgetting")

PATIENCE_S: Final = 10.0
"""How long an erasure waits for effects of the person that are being made right now. Afterwards their outcome is for
the system of record to tell."""
PAUSE_S: Final = 0.05


class Purgeable(Protocol):
    """A store beside the records that may hold something of a person."""

    async def purge(self, threads: Sequence[str]) -> dict[str, Json]:
        """Leave no byte of deleted things, and nothing of these threads; what was done, for the receipt."""


class Forgetting:
    """Erases people from everything of ours."""

    def __init__(
        self,
        *,
        house: House,
        runner: Runner,
        stores: dict[str, Purgeable],
        purge_within: timedelta,
        new_id: Callable[[], str],
    ) -> None:
        """Bind it.

        Args:
            house: Records and clock.
            runner: Its runs of an erased person's turns are ended.
            stores: By name, what else is purged.
            purge_within: By when after an erasure no byte is left.
            new_id: Gives a fresh random id.
        """
        self._house = house
        self._runner = runner
        self._stores = stores
        self._purge_within = purge_within
        self._new_id = new_id
        self._purging = asyncio.Lock()

    async def erase(
        self, customer_id: CustomerId, *, by: str, role: str, reason: Reason, reference: str = "", now: bool = False
    ) -> Erasure:
        """Take a person out of every context at once; with `now`, their last byte out of every store too.

        An effect that is being made for them right now is waited for, for `PATIENCE_S`; their turns end, what waits for
        a reviewer is gone, and whoever waits for an answer is told.

        Raises:
            ErasureHeld: A legal hold forbids it.
        """
        house = self._house
        waited = 0.0
        while waited < PATIENCE_S and await house.store.read(
            lambda unit: erasure.is_acted_for(unit, customer_id=customer_id, now=house.clock())
        ):
            await asyncio.sleep(PAUSE_S)
            waited += PAUSE_S
        at = house.clock()

        def work(unit: Unit) -> tuple[Erasure, list[ConversationId]]:
            known = erasure.conversations_of(unit, customer_id=customer_id)
            done = erasure.forget(
                unit,
                erasure_id=f"era-{self._new_id()}",
                customer_id=customer_id,
                by=by,
                role=role,
                reason=reason,
                reference=reference,
                threads=[thread for one in known for turn in _turns(unit, one) for thread in thread_ids(turn)],
                purge_by=at + self._purge_within,
                now=at,
            )
            return done, known

        try:
            done, known = await house.store.write(work)
        except ErasureHeld as held:
            await house.store.write(partial(erasure.note_refused, hold_id=held.hold_id, by=by, now=at))
            raise
        for conversation_id in known:
            await self._runner.dismiss(conversation_id)
        if now:
            purged = {one.id: one for one in await self.purge()}
            done = purged.get(done.id, done)
        return done

    async def purge_due(self) -> list[Erasure]:
        """Purge if some erasure's deadline is reached; then all that wait go with it."""
        late = await self._house.store.read(lambda unit: erasure.due(unit, now=self._house.clock()))
        return await self.purge() if late else []

    async def purge(self) -> list[Erasure]:
        """Leave no byte of those who were erased in any store, and sign the receipts."""
        async with self._purging:
            waiting = await self._house.store.read(erasure.due)
            if not waiting:
                return []
            threads = [thread for one in waiting for thread in one.threads]
            done: dict[str, Json] = {}
            for name, store in self._stores.items():
                done[name] = await store.purge(threads)
            await self._house.store.compact()
            done["records"] = {"freed space": "overwritten", "log": "cut"}
            finished = [
                await self._house.store.write(
                    partial(erasure.finish, erasure_id=one.id, stores=done, now=self._house.clock())
                )
                for one in waiting
            ]
            log.info("purged what was left of %d erasures", len(finished))
            return finished


def _turns(unit: Unit, conversation_id: ConversationId) -> list[turns.Turn]:
    return turns.of_conversation(unit, conversation_id=conversation_id)
