"""P6: lanes run one at a time per conversation, in order, none holding up another; here and over a queue."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from procrastinate.jobs import Status

from callboard.database import open_pool
from callboard.jobs import JobLanes, count_workers, defer_turns, open_app
from graphs.lanes import Lanes, LocalLanes
from policies.words import ConversationId

A, B = ConversationId("a"), ConversationId("b")
TAKEOVER_S = 1.0


class Work:
    """Items per conversation, run one by one; remembers overlaps and order."""

    def __init__(self) -> None:
        self.waiting: dict[str, deque[int]] = defaultdict(deque)
        self.done: list[tuple[str, int]] = []
        self.running: set[str] = set()
        self.overlaps = 0
        self.stopped = 0
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def run_next(self, conversation_id: ConversationId) -> bool:
        if not self.waiting[conversation_id]:
            await asyncio.sleep(0)
            return False
        item = self.waiting[conversation_id].popleft()
        self.overlaps += conversation_id in self.running
        self.running.add(conversation_id)
        self.begun.set()
        try:
            if conversation_id == A:
                await self.gate.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.waiting[conversation_id].appendleft(item)
            self.stopped += 1
            raise
        finally:
            self.running.discard(conversation_id)
        self.done.append((conversation_id, item))
        return True

    async def has_work(self, conversation_id: ConversationId) -> bool:
        return bool(self.waiting[conversation_id]) or conversation_id in self.running

    async def find(self) -> list[ConversationId]:
        return [ConversationId(name) for name, items in self.waiting.items() if items]


@pytest.fixture
def work() -> Work:
    return Work()


OpenLanes = Callable[[], Awaitable[Lanes]]


@pytest.fixture
async def open_lanes(backend: str, work: Work, request: pytest.FixtureRequest) -> AsyncIterator[OpenLanes]:
    """Lanes of one more process that work on the same items."""
    url = request.getfixturevalue("postgres") if backend == "postgres" else ""

    async def nothing() -> None:
        pass

    async with AsyncExitStack() as stack:

        async def open_one() -> Lanes:
            if not url:
                return LocalLanes(work.run_next)
            app = open_app()
            pool = await stack.enter_async_context(open_pool(url, size=4))
            await stack.enter_async_context(app.open_async(pool))
            lanes = JobLanes(work.run_next, app, work.has_work)
            await lanes.work(concurrency=10, takeover_s=TAKEOVER_S, timer_s=60, find_work=work.find, tick=nothing)
            stack.push_async_callback(lanes.close, patience_s=1.0)
            return lanes

        yield open_one


@pytest.fixture
async def lanes(open_lanes: OpenLanes) -> Lanes:
    return await open_lanes()


async def test_p6_items_of_one_conversation_run_one_at_a_time_in_order(lanes: Lanes, work: Work) -> None:
    for number in range(50):
        work.waiting[A].append(number)
        lanes.wake(A)
        await asyncio.sleep(0)
    await lanes.settle(A)
    assert work.done == [(A, number) for number in range(50)]
    assert work.overlaps == 0


async def test_p6_a_stuck_conversation_does_not_hold_up_another(lanes: Lanes, work: Work) -> None:
    work.gate.clear()
    work.waiting[A].append(1)
    work.waiting[B].append(2)
    lanes.wake(A)
    lanes.wake(B)
    await lanes.settle(B)
    assert work.done == [(B, 2)]
    work.gate.set()
    await lanes.settle(A)
    assert work.done[-1] == (A, 1)


async def test_no_wake_is_lost_while_a_lane_ends(lanes: Lanes, work: Work) -> None:
    for number in range(200):
        work.waiting[A].append(number)
        lanes.wake(A)
        for _ in range(number % 4):
            await asyncio.sleep(0)
    await lanes.settle(A)
    assert not work.waiting[A]


async def test_closing_waits_for_what_is_in_hand_and_stops_what_does_not_end(lanes: Lanes, work: Work) -> None:
    work.gate.clear()
    work.waiting[A].append(1)
    lanes.wake(A)
    await work.begun.wait()
    await lanes.close(patience_s=0.01)
    assert (work.done, work.stopped) == ([], 1)


@pytest.mark.parametrize("backend", ["postgres"])
async def test_p6_two_processes_run_one_conversation_one_at_a_time(open_lanes: OpenLanes, work: Work) -> None:
    both = [await open_lanes() for _ in range(2)]
    for number in range(40):
        for name in (A, B):
            work.waiting[name].append(number)
            both[number % 2].wake(name)
        await asyncio.sleep(0)
    for name in (A, B):
        await both[0].settle(name)
        assert [item for ran, item in work.done if ran == name] == [*range(40)]
    assert work.overlaps == 0


@pytest.mark.parametrize("backend", ["postgres"])
async def test_a_conversation_that_was_handed_back_is_taken_by_another_process_at_once(
    open_lanes: OpenLanes, work: Work
) -> None:
    one = await open_lanes()
    work.gate.clear()
    work.waiting[A].append(1)
    one.wake(A)
    await work.begun.wait()
    other = await open_lanes()
    await one.close(patience_s=0.01)
    work.gate.set()
    await other.settle(A)
    assert work.done == [(A, 1)]


@pytest.mark.parametrize("backend", ["postgres"])
async def test_work_of_which_no_job_speaks_is_found(open_lanes: OpenLanes, work: Work) -> None:
    """As after a crash between the inbox and the queue."""
    work.waiting[A].append(1)
    await (await open_lanes()).settle(A)
    assert work.done == [(A, 1)]


@pytest.mark.parametrize("backend", ["postgres"])
async def test_p6_a_job_of_a_worker_that_is_gone_is_taken_over_and_its_end_frees_no_lock(
    open_lanes: OpenLanes, work: Work, postgres: str
) -> None:
    """The worker that died, or was only paused: it took its job and gives no sign of life."""
    async with open_pool(postgres, size=2) as pool:
        gone = open_app()
        async with gone.open_async(pool):
            await defer_turns(gone, A)
            number = await gone.job_manager.register_worker()
            job = await gone.job_manager.fetch_job(queues=None, worker_id=number)
            assert job is not None
            work.gate.clear()
            work.waiting[A].append(1)
            lanes = await open_lanes()
            await work.begun.wait()
            # It wakes, and ends its job, while the conversation is in other hands.
            await gone.job_manager.finish_job(job, Status.SUCCEEDED, delete_job=True)
            await defer_turns(gone, A)
            assert await gone.job_manager.fetch_job(queues=["turns"], worker_id=number) is None
            work.gate.set()
            await lanes.settle(A)
            assert (work.done, work.overlaps) == ([(A, 1)], 0)
            assert await count_workers(pool, within_s=TAKEOVER_S) >= 1
