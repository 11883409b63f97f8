"""What every relay tells, within a process and between processes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

import psycopg
import pytest

from callboard.database import open_pool
from callboard.notices import PostgresRelay
from graphs.relay import Ended, Event, LocalRelay, Relay
from graphs.results import Progress
from policies.words import ConversationId, TurnId

C1, C2 = ConversationId("c1"), ConversationId("c2")
STEP = Progress(TurnId("t1"), "node", node="guard")


class Ends(NamedTuple):
    """Where something happens, and where somebody listens."""

    here: Relay
    there: Relay


@pytest.fixture
async def ends(backend: str, request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    if backend == "sqlite":
        one = LocalRelay()
        yield Ends(one, one)
        return
    url = request.getfixturevalue("postgres")
    async with AsyncExitStack() as stack:
        made = []
        for name in ("here", "there"):
            pool = await stack.enter_async_context(open_pool(url, size=2))
            relay = PostgresRelay(url, pool, name)
            await relay.start()
            stack.push_async_callback(relay.close)
            made.append(relay)
        yield Ends(*made)


async def _until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  another process may make it true
        await asyncio.sleep(0.005)


async def test_who_listens_to_a_conversation_hears_how_its_items_ended(ends: Ends) -> None:
    heard: list[Event] = []
    with ends.there.listening(C1, heard.append):
        ends.here.tell(C2, Ended((7,)))
        ends.here.tell(C1, Ended((1, 2)))
        ends.here.tell(C1, Ended(problem="failed"))
        await _until(lambda: len(heard) == 2)
    assert heard == [Ended((1, 2)), Ended(problem="failed")]
    ends.here.tell(C1, Ended((3,)))
    with ends.there.listening(C2, heard.append):
        ends.here.tell(C2, Ended((4,)))
        await _until(lambda: heard[-1] == Ended((4,)))
    assert Ended((3,)) not in heard


async def test_progress_is_told_to_those_who_asked_for_it(ends: Ends) -> None:
    ended: list[Event] = []
    everything: list[Event] = []
    with ends.there.listening(C1, ended.append), ends.there.listening(C1, everything.append, to_progress=True):
        # Asking for it takes a moment to get there.
        while STEP not in everything:
            ends.here.tell(C1, STEP)
            await asyncio.sleep(0.005)
        ends.here.tell(C1, Ended((1,)))
        await _until(lambda: Ended((1,)) in everything)
    assert ended == [Ended((1,))]


@pytest.mark.parametrize("backend", ["postgres"])
async def test_notices_go_on_after_the_connection_was_cut_and_nonsense_is_no_matter(ends: Ends, postgres: str) -> None:
    heard: list[Event] = []
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as other:
        await other.execute("SELECT pg_notify('callboard', '{\"nonsense\": 1}')")
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database() AND query LIKE 'LISTEN%'"
        )
    with ends.there.listening(C1, heard.append):
        while not heard:
            ends.here.tell(C1, Ended((1,)))
            await asyncio.sleep(0.05)
    assert heard[0] == Ended((1,))
