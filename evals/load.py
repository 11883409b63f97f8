"""Many conversations at once against a model that takes its time: what one machine holds, and what gives way first."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from evals.bench import bytes_in_use
from evals.bench_peers import SLOW_MODEL, percentile
from evals.mock_model import mock_model
from graphs.results import InboundMessage, TurnResult
from policies.words import ConversationId, Json

Backend = Literal["sqlite", "postgres"]

BUSY = 0.85
"""From which share of what it has something counts as used up."""


class Door(Protocol):
    """Where messages go in and results come out; one process of Callboard, or several behind it."""

    async def handle(self, message: InboundMessage) -> TurnResult:
        """Take a message and wait for what becomes of its turn."""

    def processes(self) -> Sequence["Watched"]:
        """The processes that do the work, for their share of the machine."""

    async def bytes_kept(self) -> int:
        """Bytes of all records, in use."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A group of processes whose share of the machine is looked at."""

    name: str
    pids: Sequence[int]
    cores: int
    """How many cores they can use: one for each process of Python."""


OpenDoor = Callable[[Path, str, str, int], AbstractAsyncContextManager[Door]]
"""Opens a Callboard on the meters playbook in a directory, with the model of that name at that base URL, and so many
workers."""


@dataclass(slots=True)
class Load:
    """What one run showed."""

    backend: Backend
    workers: int
    conversations: int
    turns: int
    errors: int
    seconds: float
    times: Sequence[float]
    memory_bytes: int
    """Most that the processes held in memory together."""
    bytes_per_turn: int
    shares: dict[str, float] = field(default_factory=dict)
    """By group of processes: how much of the cores that it can use it used."""

    @property
    def saturated(self) -> str:
        """What gave way first: the busiest part if it was used up, else nothing."""
        name, share = max(self.shares.items(), key=lambda one: one[1])
        return name if share >= BUSY else "nothing"

    def as_json(self) -> dict[str, Json]:
        """The figures as plain JSON."""
        return {
            "backend": self.backend,
            "workers": self.workers,
            "conversations": self.conversations,
            "turns": self.turns,
            "turns_per_second": round(self.turns / self.seconds, 1),
            "p50_s": round(percentile(self.times, 0.50), 2),
            "p95_s": round(percentile(self.times, 0.95), 2),
            "p99_s": round(percentile(self.times, 0.99), 2),
            "errors": self.errors,
            "memory_mb": round(self.memory_bytes / 1e6, 1),
            "bytes_per_turn": self.bytes_per_turn,
            "shares": {name: round(share, 2) for name, share in self.shares.items()},
            "saturated": self.saturated,
        }


async def run_load(
    opens: OpenDoor,
    backend: Backend,
    *,
    workers: int = 1,
    conversations: int = 1_000,
    turns: int = 2,
    pause_s: float = 0.0,
    ramp_s: float = 20.0,
    model: str = SLOW_MODEL,
    on_turn: Callable[[], None] = lambda: None,
) -> Load:
    """Open all conversations; each sends its next message when it has the answer to the one before.

    Args:
        opens: Opens a Callboard.
        backend: Where its records are.
        workers: Processes that run turns.
        conversations: How many at once.
        turns: Messages of each.
        pause_s: How long each customer thinks before the next message.
        ramp_s: Over how long the conversations begin; all at one moment would measure who gets a connection.
        model: The mock model's name, which says how long it takes.
        on_turn: Called after each turn.
    """
    times: list[float] = []
    errors = 0
    with tempfile.TemporaryDirectory(prefix="callboard-load-") as place:
        async with mock_model() as base_url, opens(Path(place), base_url, model, workers) as door:
            warm = InboundMessage(ConversationId("warm"), "m0", "Hello, my meter M-9999 shows 1 today.")
            await door.handle(warm)

            async def converse(number: int) -> None:
                nonlocal errors
                meter = f"M-{number + 1:04}"
                await asyncio.sleep(ramp_s * number / conversations)
                for turn in range(turns):
                    message = InboundMessage(
                        ConversationId(f"c{number}"), f"m{turn}", f"Hello, my meter {meter} shows {turn + 1} today."
                    )
                    begun = time.perf_counter()
                    try:
                        result = await door.handle(message)
                        errors += f"stored {turn + 1} for meter {meter}" not in result.reply
                    except Exception:  # whatever it was, the customer had no answer; how many is the figure
                        errors += 1
                    times.append(time.perf_counter() - begun)
                    on_turn()
                    await asyncio.sleep(pause_s)

            kept = await door.bytes_kept()
            async with _watching(door) as watch:
                begun = time.perf_counter()
                await asyncio.gather(*map(converse, range(conversations)))
                seconds = time.perf_counter() - begun
            grown = await door.bytes_kept() - kept
    made = conversations * turns
    return Load(
        backend=backend,
        workers=workers,
        conversations=conversations,
        turns=made,
        errors=errors,
        seconds=seconds,
        times=times,
        memory_bytes=watch.most_memory,
        bytes_per_turn=grown // made,
        shares=watch.shares,
    )


@dataclass(slots=True)
class _Watch:
    most_memory: int = 0
    shares: dict[str, float] = field(default_factory=dict)


@asynccontextmanager
async def _watching(door: Door) -> AsyncIterator[_Watch]:
    """Look at the processes' memory every now and then, and at what they computed in the end."""
    watch = _Watch()
    before = {one.name: _computed(one.pids) for one in door.processes()}
    begun = time.perf_counter()

    async def look() -> None:
        while True:
            watch.most_memory = max(watch.most_memory, sum(_memory(one.pids) for one in door.processes()))
            await asyncio.sleep(0.5)

    looking = asyncio.create_task(look())
    try:
        yield watch
    finally:
        looking.cancel()
        seconds = time.perf_counter() - begun
        everything = 0.0
        for one in door.processes():
            computed = _computed(one.pids) - before.get(one.name, 0.0)
            everything += computed
            watch.shares[one.name] = computed / seconds / one.cores
        watch.shares["the machine's cores"] = everything / seconds / (os.cpu_count() or 1)


def _computed(pids: Sequence[int]) -> float:
    """Seconds that processes computed so far, where Linux tells."""
    ticks = 0
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _memory(pids: Sequence[int]) -> int:
    """Bytes that processes hold in memory, what they share counted once for each."""
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        except OSError:
            continue
    return total * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def open_here(directory: Path, runtime: "AbstractAsyncContextManager[HasRunner]") -> AsyncIterator[Door]:
    """A Callboard in this process, as its own customers."""
    async with runtime as running:
        yield _Here(directory, running)


class HasRunner(Protocol):
    """What of a running Callboard is needed here."""

    @property
    def runner(self) -> "Handles":
        """The door."""


class Handles(Protocol):
    """A runner."""

    async def handle(self, message: InboundMessage) -> TurnResult:
        """Take a message and wait for what becomes of its turn."""


class _Here:
    def __init__(self, directory: Path, running: HasRunner) -> None:
        self._directory, self._running = directory, running

    async def handle(self, message: InboundMessage) -> TurnResult:
        return await self._running.runner.handle(message)

    def processes(self) -> Sequence[Watched]:
        return [Watched("the process that runs the turns", [os.getpid()], 1)]

    async def bytes_kept(self) -> int:
        return await asyncio.to_thread(bytes_in_use, self._directory)
