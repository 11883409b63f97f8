"""Lanes: one at a time per conversation, in order, none holding up another."""

import asyncio
from collections import defaultdict, deque

from graphs.lanes import LocalLanes
from policies.words import ConversationId

A, B = ConversationId("a"), ConversationId("b")


class Work:
    """Items per conversation, run one by one; remembers overlaps and order."""

    def __init__(self) -> None:
        self.waiting: dict[str, deque[int]] = defaultdict(deque)
        self.done: list[tuple[str, int]] = []
        self.running: set[str] = set()
        self.overlaps = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def run_next(self, conversation_id: ConversationId) -> bool:
        if not self.waiting[conversation_id]:
            await asyncio.sleep(0)
            return False
        item = self.waiting[conversation_id].popleft()
        self.overlaps += conversation_id in self.running
        self.running.add(conversation_id)
        if conversation_id == A:
            await self.gate.wait()
        await asyncio.sleep(0)
        self.running.discard(conversation_id)
        self.done.append((conversation_id, item))
        return True


async def test_p6_items_of_one_conversation_run_one_at_a_time_in_order():
    work = Work()
    lanes = LocalLanes(work.run_next)
    for number in range(50):
        work.waiting[A].append(number)
        lanes.wake(A)
        await asyncio.sleep(0)
    await lanes.settle(A)
    assert work.done == [(A, number) for number in range(50)]
    assert work.overlaps == 0


async def test_p6_a_stuck_conversation_does_not_hold_up_another():
    work = Work()
    lanes = LocalLanes(work.run_next)
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


async def test_no_wake_is_lost_while_a_lane_ends():
    work = Work()
    lanes = LocalLanes(work.run_next)
    for number in range(200):
        work.waiting[A].append(number)
        lanes.wake(A)
        for _ in range(number % 4):
            await asyncio.sleep(0)
    await lanes.settle(A)
    assert not work.waiting[A]


async def test_closing_waits_for_what_is_in_hand_and_stops_what_does_not_end():
    work = Work()
    lanes = LocalLanes(work.run_next)
    work.gate.clear()
    work.waiting[A].append(1)
    lanes.wake(A)
    await asyncio.sleep(0)
    await lanes.close(patience_s=0.01)
    assert work.done == []
    await lanes.settle(A)
