"""Lanes: one worker per conversation, so that its items run one at a time, in order, and never hold up another's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from policies.words import ConversationId

RunNext = Callable[[ConversationId], Awaitable[bool]]
"""Runs the next item of a conversation. False if there was none."""


class Lanes(Protocol):
    """Who runs a conversation's items, one at a time. Should two ever run at once, the epoch fences one of them."""

    def wake(self, conversation_id: ConversationId) -> None:
        """Say that a conversation has work. What was written before this call is seen."""

    async def settle(self, conversation_id: ConversationId) -> None:
        """Wait until nothing is in hand for a conversation."""

    async def close(self, *, patience_s: float) -> None:
        """Begin nothing more, and let what is in hand finish, for a while; then stop it. Items stay in the inbox."""


OpenLanes = Callable[[RunNext], Lanes]


class LocalLanes:
    """Workers that live as long as their conversation has work, all in this process."""

    def __init__(self, run_next: RunNext) -> None:
        self._run_next = run_next
        self._workers: dict[ConversationId, asyncio.Task[None]] = {}
        self._woken: set[ConversationId] = set()

    def wake(self, conversation_id: ConversationId) -> None:
        """Say that a conversation has work. What was written before this call is seen."""
        self._woken.add(conversation_id)
        if conversation_id not in self._workers:
            self._workers[conversation_id] = asyncio.create_task(
                self._drain(conversation_id), name=f"lane {conversation_id}"
            )

    async def settle(self, conversation_id: ConversationId) -> None:
        """Wait until nothing is in hand for a conversation."""
        while (worker := self._workers.get(conversation_id)) is not None:
            await asyncio.wait([worker])

    async def close(self, *, patience_s: float) -> None:
        """Let what is in hand finish, for a while; then stop it. Nothing is lost: items stay in the inbox."""
        workers = list(self._workers.values())
        if not workers:
            return
        _, late = await asyncio.wait(workers, timeout=patience_s)
        for worker in late:
            worker.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _drain(self, conversation_id: ConversationId) -> None:
        try:
            while conversation_id in self._woken:
                # Cleared before looking: a wake that comes while we look makes us look again.
                self._woken.discard(conversation_id)
                while await self._run_next(conversation_id):
                    pass
        finally:
            # No await between the last look at `_woken` and this, so no wake falls in between.
            self._workers.pop(conversation_id, None)
            self._woken.discard(conversation_id)
