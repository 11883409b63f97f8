"""The relay between processes: Postgres' NOTIFY carries ids and node names, never a customer's words."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from psycopg import AsyncConnection, Error
from psycopg.sql import SQL, Identifier

from callboard.database import Pool
from graphs.relay import Ended, Event, Hear, LocalRelay
from graphs.results import Progress
from policies.words import ConversationId, TurnId

logger = logging.getLogger("callboard.notices")

CHANNEL: Final = "callboard"
LONGEST: Final = 7_000
"""Bytes of one notice; Postgres takes less than 8,000."""
INTEREST_S: Final = 300.0
"""How long progress is told after somebody asked for it."""
RECONNECT_S: Final = 0.5


class PostgresRelay:
    """Tells all processes on one database. What is said while a connection is down is lost; rows are the truth."""

    patience_s: float | None = 0.5

    def __init__(self, url: str, pool: Pool, own_id: str) -> None:
        """Bind the relay.

        Args:
            url: The database, for the connection that listens.
            pool: For what is told.
            own_id: This process among the others; what it tells it doesn't hear again.
        """
        self._url, self._pool, self._own_id = url, pool, own_id
        self._local = LocalRelay()
        self._interest: dict[str, float] = {}
        """Conversations whose progress somebody elsewhere wants to hear, and until when."""
        self._unsent: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen; what is told by others from now on is heard."""
        ready = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._listen(ready), name="notices heard"),
            asyncio.create_task(self._send(), name="notices told"),
        ]
        await ready.wait()

    async def close(self) -> None:
        """Tell what is still to be told, and stop listening."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._unsent.join(), timeout=1.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def tell(self, conversation_id: ConversationId, event: Event) -> None:
        """Say what happened, here at once and elsewhere a moment later."""
        self._local.tell(conversation_id, event)
        if isinstance(event, Ended):
            self._put(conversation_id, ended=list(event.seqs), problem=event.problem)
        elif event.kind != "draft" and self._interest.get(conversation_id, 0.0) > time.monotonic():
            self._put(conversation_id, turn=event.turn_id, kind=event.kind, node=event.node)

    def is_heard(self, conversation_id: ConversationId) -> bool:
        """Whether somebody in this process listens: a draft is words, and words don't travel by notices."""
        return self._local.is_heard(conversation_id)

    @contextmanager
    def listening(self, conversation_id: ConversationId, hear: Hear, *, to_progress: bool = False) -> Iterator[None]:
        """Hear what happens in a conversation, in whichever process."""
        if to_progress:
            self._put(conversation_id, wanted=True)
        with self._local.listening(conversation_id, hear, to_progress=to_progress):
            yield

    def _put(self, conversation_id: ConversationId, **notice: Any) -> None:
        written = json.dumps({"from": self._own_id, "conversation": conversation_id, **notice})
        if len(written) <= LONGEST:
            self._unsent.put_nowait(written)

    async def _send(self) -> None:
        while True:
            batch = [await self._unsent.get()]
            while not self._unsent.empty():
                batch.append(self._unsent.get_nowait())
            try:
                async with self._pool.connection() as connection:
                    await connection.execute(
                        "SELECT pg_notify(%s, notice) FROM unnest(%s::text[]) AS notice", (CHANNEL, batch)
                    )
            except Error as error:
                logger.warning("%d notices were not told (%s)", len(batch), type(error).__name__)
            finally:
                for _ in batch:
                    self._unsent.task_done()

    async def _listen(self, ready: asyncio.Event) -> None:
        while True:
            try:
                async with await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=10) as connection:
                    await connection.execute(SQL("LISTEN {}").format(Identifier(CHANNEL)))
                    ready.set()
                    async for notice in connection.notifies():
                        self._hear(notice.payload)
            except Error as error:
                logger.warning("not listening for the moment (%s)", type(error).__name__)
            ready.set()
            await asyncio.sleep(RECONNECT_S)

    def _hear(self, written: str) -> None:
        try:
            notice = json.loads(written)
            if notice["from"] == self._own_id:
                return
            conversation_id = ConversationId(notice["conversation"])
            if "wanted" in notice:
                self._want(conversation_id)
            elif "ended" in notice:
                self._local.tell(conversation_id, Ended(tuple(notice["ended"]), notice["problem"]))
            else:
                self._local.tell(
                    conversation_id, Progress(TurnId(notice["turn"]), notice["kind"], node=str(notice["node"]))
                )
        except (ValueError, KeyError, TypeError):
            # Whoever may write to the database may notify; a version to come may say more than we know.
            logger.warning("a notice was not understood")

    def _want(self, conversation_id: ConversationId) -> None:
        now = time.monotonic()
        self._interest = {known: until for known, until in self._interest.items() if until > now}
        self._interest[conversation_id] = now + INTEREST_S
