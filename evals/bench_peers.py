"""One turn's work on several stacks in one run: five calls of a model, two of tools, a session that is kept.

Ours does more than the others: ledger, policy, audit, memory, sealed words. The floor does the work with bare parts;
every figure is also given as a ratio to it, since that is what can be compared between machines.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol

import httpx2

from evals.errors import WorkNotDone
from evals.mock_model import mock_model
from evals.peer_floor import open_floor
from evals.peer_tools import OpenBooks
from evals.running import Running
from graphs.results import InboundMessage
from memory.sqlite_store import SYNCHRONOUS
from policies.words import ConversationId, Json

CALLS = 5
"""Calls of the model that a turn makes."""

WARM_UP = 10
"""Turns before anything is measured."""

LEDGERS: tuple[Literal["FULL", "NORMAL", "OFF"], ...] = ("FULL", "NORMAL", "OFF")

MODEL = "mock"
SLOW_MODEL = "mock-300ms"

OpenOurs = Callable[[Path, str, str], AbstractAsyncContextManager[Running]]
"""Opens a Callboard on the meters playbook in a directory, with the model of that name at that base URL."""


class Say(Protocol):
    """A stack under measurement."""

    async def say(self, conversation: str, text: str) -> str:
        """Send a message; the reply."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    conversations: int = 24
    turns: int = 5
    """Of each of them, one after the other: the first row."""
    length: int = 200
    """Turns of one long conversation with us."""
    late: int = 25
    """The last of the five turns that show how a conversation's length tells."""
    crowd: int = 200
    """Conversations at once, with a model that takes 300 ms."""
    crowd_turns: int = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """Turns one after the other."""

    turns_per_second: float
    p50_ms: float
    cpu_ms: float
    """What the process computed per turn, all its threads together; the median of the conversations' means."""


@dataclass(frozen=True, slots=True)
class PeerFigures:
    """What one stack did."""

    name: str
    turns_per_second: float
    p50_ms: float
    cpu_ms: float
    late_ms: float
    """The 21st to 25th turn of one conversation, median."""
    crowd_per_second: float
    crowd_p99_s: float


@dataclass(frozen=True, slots=True)
class PeerBench:
    """All stacks of one run; the first is the floor."""

    figures: tuple[PeerFigures, ...]
    early_ms: float
    """Ours: turns 2 to 11 of one conversation, median."""
    late_ms: float
    """Ours: its last ten turns, median."""
    length: int
    absent: tuple[str, ...]
    """What could not be measured, and what it lacks."""
    ledger: Mapping[str, Pace]
    """Ours, by when SQLite waits for the disk: FULL is what Callboard does, the others show what that costs."""

    def as_json(self) -> dict[str, Json]:
        """The figures as plain JSON, each with its ratio to the floor's of the same run."""
        floor = self.figures[0]
        return {
            "stacks": [
                {
                    "name": one.name,
                    "turns_per_second": round(one.turns_per_second, 1),
                    "turns_per_second_ratio": round(one.turns_per_second / floor.turns_per_second, 3),
                    "p50_ms": round(one.p50_ms, 2),
                    "p50_ms_ratio": round(one.p50_ms / floor.p50_ms, 2),
                    "cpu_ms": round(one.cpu_ms, 2),
                    "cpu_ms_ratio": round(one.cpu_ms / floor.cpu_ms, 2),
                    "turns_21_to_25_ms": round(one.late_ms, 2),
                    "turns_21_to_25_ms_ratio": round(one.late_ms / floor.late_ms, 2),
                    "crowd_turns_per_second": round(one.crowd_per_second, 1),
                    "crowd_turns_per_second_ratio": round(one.crowd_per_second / floor.crowd_per_second, 3),
                    "crowd_p99_s": round(one.crowd_p99_s, 2),
                    "crowd_p99_s_ratio": round(one.crowd_p99_s / floor.crowd_p99_s, 2),
                }
                for one in self.figures
            ],
            "second_turn_ms": round(self.early_ms, 2),
            "last_turn_ms": round(self.late_ms, 2),
            "last_turn": self.length,
            "last_to_second": round(self.late_ms / self.early_ms, 2),
            "ledger_synchronous": {
                name: {
                    "turns_per_second": round(pace.turns_per_second, 1),
                    "p50_ms": round(pace.p50_ms, 2),
                    "cpu_ms": round(pace.cpu_ms, 2),
                }
                for name, pace in self.ledger.items()
            },
            "absent": list(self.absent),
        }


async def bench_peers(
    open_ours: OpenOurs,
    open_books: Callable[[Path], OpenBooks],
    build_books: Callable[[Path], None],
    *,
    size: Size = Size(),
    on_turn: Callable[[], None] = lambda: None,
) -> PeerBench:
    """Measure all stacks on one core, the model on another one where there is one.

    Args:
        open_ours: Opens a Callboard.
        open_books: Opens the system of record of the meters playbook, for the stacks that aren't ours.
        build_books: Writes fresh ones into a directory.
        size: How much is measured.
        on_turn: Called after each turn.

    Raises:
        WorkNotDone: A stack made other calls than it should have.
    """
    figures: list[PeerFigures] = []
    absent: list[str] = []
    spans: tuple[float, float] = (0.0, 0.0)
    with _one_core() as others:
        async with mock_model(cores=others) as base_url:

            @asynccontextmanager
            async def others_stack(directory: Path, model: str, name: str) -> AsyncIterator[tuple[Say, OpenBooks]]:
                build_books(directory)
                books = open_books(directory)
                if name == "floor":
                    async with open_floor(directory, base_url=base_url, model=model, books=books) as floor:
                        yield floor, books
                    return
                # Slow to import, and an extra.
                from evals.peer_langgraph import open_langgraph

                async with open_langgraph(
                    directory,
                    base_url=base_url,
                    model=model,
                    books=books,
                    durability="sync" if name.endswith("sync") else "exit",
                ) as chat:
                    yield chat, books

            @asynccontextmanager
            async def our_stack(directory: Path, model: str, _name: str) -> AsyncIterator[tuple[Say, OpenBooks]]:
                async with open_ours(directory, base_url, model) as running:
                    yield Ours(running), open_books(directory / "systems")

            names = ["floor", "callboard", "LangGraph + ChatOpenAI, sync", "LangGraph + ChatOpenAI, exit"]
            if find_spec("langchain_openai") is None:
                names = names[:2]
                absent.append("LangGraph + ChatOpenAI: pip install langchain-openai")
            for name in names:
                opens = our_stack if name == "callboard" else others_stack
                one, span = await _measure(opens, name, size, base_url, on_turn)
                figures.append(one)
                spans = span or spans
            ledger = await _ledgers(our_stack, size, base_url, on_turn)
    return PeerBench(tuple(figures), *spans, size.length, tuple(absent), ledger)


class Ours:
    """A Callboard as the others are asked."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._number = 0

    async def say(self, conversation: str, text: str) -> str:
        """Send a message; the reply."""
        self._number += 1
        message = InboundMessage(ConversationId(conversation), f"m{self._number}", text)
        return (await self._running.runner.handle(message)).reply


Opens = Callable[[Path, str, str], AbstractAsyncContextManager[tuple[Say, OpenBooks]]]


async def _measure(
    opens: Opens, name: str, size: Size, base_url: str, on_turn: Callable[[], None]
) -> tuple[PeerFigures, tuple[float, float] | None]:
    is_ours = name == "callboard"
    with tempfile.TemporaryDirectory(prefix="callboard-peers-") as place:
        async with _checked(opens, Path(place), MODEL, name, base_url) as talk:
            pace = await _walk(talk, size, on_turn)
            long: list[float] = []
            for turn in range(size.length if is_ours else size.late):
                long.append(await talk("long", turn))
                on_turn()
    with tempfile.TemporaryDirectory(prefix="callboard-peers-") as place:
        async with _checked(opens, Path(place), SLOW_MODEL, name, base_url) as talk:
            await talk("warm", 0)

            async def converse(number: int) -> list[float]:
                spent = []
                for turn in range(size.crowd_turns):
                    spent.append(await talk(f"c{number}", turn))
                    on_turn()
                return spent

            begun = time.perf_counter()
            crowd = [one for each in await asyncio.gather(*map(converse, range(size.crowd))) for one in each]
            crowd_wall = time.perf_counter() - begun
    figures = PeerFigures(
        name=name,
        turns_per_second=pace.turns_per_second,
        p50_ms=pace.p50_ms,
        cpu_ms=pace.cpu_ms,
        late_ms=statistics.median(long[size.late - 5 : size.late]) * 1000,
        crowd_per_second=len(crowd) / crowd_wall,
        crowd_p99_s=percentile(crowd, 0.99),
    )
    span = (statistics.median(long[1:11]) * 1000, statistics.median(long[-10:]) * 1000) if is_ours else None
    return figures, span


async def _walk(talk: Callable[[str, int], Awaitable[float]], size: Size, on_turn: Callable[[], None]) -> Pace:
    """Conversations one after the other, and their turns one after the other."""
    for turn in range(WARM_UP):
        await talk("warm", turn)
    times: list[float] = []
    computed: list[float] = []
    begun = time.perf_counter()
    for number in range(size.conversations):
        cpu = time.process_time()
        for turn in range(size.turns):
            times.append(await talk(f"c{number}", turn))
            on_turn()
        computed.append((time.process_time() - cpu) / size.turns)
    wall = time.perf_counter() - begun
    return Pace(len(times) / wall, statistics.median(times) * 1000, statistics.median(computed) * 1000)


async def _ledgers(opens: Opens, size: Size, base_url: str, on_turn: Callable[[], None]) -> dict[str, Pace]:
    """Ours once for each way of waiting for the disk."""
    paces: dict[str, Pace] = {}
    for when in LEDGERS:
        token = SYNCHRONOUS.set(when)
        try:
            with tempfile.TemporaryDirectory(prefix="callboard-peers-") as place:
                async with _checked(opens, Path(place), MODEL, "callboard", base_url) as talk:
                    paces[when] = await _walk(talk, size, on_turn)
        finally:
            SYNCHRONOUS.reset(token)
    return paces


@asynccontextmanager
async def _checked(
    opens: Opens, directory: Path, model: str, name: str, base_url: str
) -> AsyncIterator[Callable[[str, int], Awaitable[float]]]:
    """A way to make one turn, which gives its time; afterwards it is checked that each did all its work."""
    made = 0
    meters: dict[str, str] = {}
    before = await _calls(base_url)
    async with opens(directory, model, name) as (stack, books):

        async def turn(conversation: str, number: int) -> float:
            nonlocal made
            made += 1
            meter = meters.setdefault(conversation, f"M-{len(meters) + 1:04}")
            begun = time.perf_counter()
            reply = await stack.say(conversation, f"Hello, my meter {meter} shows {number + 1} today.")
            spent = time.perf_counter() - begun
            if f"stored {number + 1} for meter {meter}" not in reply:
                raise WorkNotDone(name, did=f"replied something else than that the reading is stored: {reply[:200]!r}")
            return spent

        yield turn
        stored, calls = books.count(), await _calls(base_url) - before
        if (stored, calls) != (made, CALLS * made):
            raise WorkNotDone(name, did=f"made {calls} calls of the model and {stored} effects in {made} turns")


async def _calls(base_url: str) -> int:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return int((await client.get(f"{base_url}/count")).json()["calls"])


def percentile(times: Sequence[float], share: float) -> float:
    """The time that this share of them keeps within."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def _one_core() -> Iterator[list[int]]:
    """Keep this process on one core for the while; gives the other ones. Where that can't be done, nothing changes."""
    if not hasattr(os, "sched_setaffinity"):
        yield []
        return
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    try:
        yield cores[1:]
    finally:
        os.sched_setaffinity(0, cores)
