"""Keeps a Callboard alive and kills it: one life after the other, each with its own way to die."""

import asyncio
import os
import signal
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol, get_args

from evals.chaos.nursery import FAILED, Life, order_of
from evals.chaos.wire import Gone, Wire
from evals.errors import HarnessBroken
from memory.boundaries import BOUNDARIES, Transition

START_S = 60.0
"""How long a process may take to open; past it the run is broken, not the Callboard."""
SPAN = (20, 280)
"""A life is so many boundaries long, at least and at most; a turn passes some sixty."""
IDLE_S = 6.0
"""A process that doesn't die as planned, because nothing happens, is killed after so long."""
AWAKE_S = 1.5
"""How long a process that was paused lives on when it is awake again."""
SIEGE = ("after_claim", "after_claim", "after_claim")
"""What a turn must die of, one after the other, before it is given up."""


class Nursery:
    """The warm process, seen from outside: it is asked for processes and tells of their births and deaths."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._births: deque[asyncio.Future[int]] = deque()
        self._deaths: dict[int, asyncio.Future[int]] = {}
        self.reached: dict[int, str] = {}
        """Process → the boundary at which it killed or stopped itself."""
        self._halts: dict[int, asyncio.Event] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, command: Sequence[str]) -> "Nursery":
        """Start it and wait until it is warm.

        Raises:
            HarnessBroken: It didn't start.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # One thread of algebra only: the process forks. A session of its own: Ctrl-C is ours to deal with.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        line = await process.stdout.readline()
        if not line.startswith(b"ready"):
            raise HarnessBroken(f"The process that forks the others didn't start: {' '.join(command)}")
        return cls(process)

    async def bear(self, life: Life) -> int:
        """Fork a process; its id."""
        born: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._births.append(born)
        assert self._process.stdin is not None  # noqa: S101  # a pipe was asked for
        self._process.stdin.write(order_of(life))
        return await born

    async def death_of(self, pid: int) -> int:
        """Wait until a process has ended; its exit code, negative for a signal."""
        return await asyncio.shield(self._death(pid))

    def halt_of(self, pid: int) -> asyncio.Event:
        """Set when a process has stopped or killed itself at its boundary."""
        return self._halts.setdefault(pid, asyncio.Event())

    async def close(self) -> None:
        """End it and whatever it forked."""
        self._reading.cancel()
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.stdin.close()  # type: ignore[union-attr]  # a pipe was asked for
                try:
                    await asyncio.wait_for(self._process.wait(), 2)
                except TimeoutError:
                    self._process.kill()
                    await self._process.wait()

    def _death(self, pid: int) -> "asyncio.Future[int]":
        if pid not in self._deaths:
            self._deaths[pid] = asyncio.get_running_loop().create_future()
        return self._deaths[pid]

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        async for line in self._process.stdout:
            what, pid, *detail = line.decode().split(maxsplit=2)
            match what:
                case "born":
                    self._births.popleft().set_result(int(pid))
                case "boom":
                    self.reached[int(pid)] = detail[0].strip()
                    self.halt_of(int(pid)).set()
                case "dead":
                    self._death(int(pid)).set_result(int(detail[0]))
                case _:
                    sys.stderr.write(line.decode())


@dataclass(frozen=True, slots=True)
class End:
    """How one life shall end."""

    stop: str = ""
    """The boundary to die at."""
    grace: int = 0
    """How many boundaries are passed first."""
    latest: int = 0
    """After so many it dies a moment later, wherever it is then; 0 to be left alone."""
    pauses: bool = False
    """Whether it is stopped at that boundary, as by SIGSTOP, wakes up when others have taken its work over, and dies
    some time after that."""


@dataclass(frozen=True, slots=True)
class Role:
    """One of the processes that make up a Callboard."""

    name: str
    """"whole", "front" (takes what comes in), "worker" (runs turns)."""
    transitions: frozenset[Transition]
    """What happens in such a process: where it may die."""
    pauses: float = 0.0
    """How often such a process is stopped for a while instead of killed."""

    @property
    def boundaries(self) -> list[str]:
        """Before and after each of them."""
        return [name for name in BOUNDARIES if name.split("_", 1)[1] in self.transitions]


EVERYTHING: frozenset[Transition] = frozenset(get_args(Transition))


class Ending(Protocol):
    """Says how lives end."""

    @property
    def reached(self) -> Counter[str]:
        """Boundary → how many processes died there."""

    def next(self, role: Role) -> End:
        """How the next process of this role ends."""


class Ends:
    """Chooses how lives end: at boundaries, those first that were reached least often, or at any moment."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._tried: Counter[str] = Counter()
        self._queues: dict[str, deque[End]] = defaultdict(deque)
        self.reached: Counter[str] = Counter()
        """Boundary → how many processes died there."""

    def next(self, role: Role) -> End:
        """How the next process of this role ends."""
        queue = self._queues[role.name]
        if queue:
            return queue.popleft()
        dice = self._dice
        latest = dice.randint(*SPAN)
        if dice.random() < 0.3:
            return End(latest=latest)
        places = role.boundaries
        least = min(self._spent(name) for name in places)
        stop = dice.choice([name for name in places if self._spent(name) == least])
        self._tried[stop] += 1
        if stop.endswith("give_up"):
            queue.extend([*(End(stop=name) for name in SIEGE[1:]), End(stop=stop)])
            return End(stop=SIEGE[0])
        # A quarter of them die while they still go on with what the one before left behind.
        grace = 0 if dice.random() < 0.25 else latest
        return End(stop, grace, grace + SPAN[1] // 2, pauses=dice.random() < role.pauses)

    def _spent(self, boundary: str) -> int:
        return 3 * self.reached[boundary] + self._tried[boundary]


class Keeper:
    """Keeps the processes of one Callboard: each is reborn when it has died, until it is told to come to an end."""

    def __init__(
        self,
        nursery: Nursery,
        ends: Ending,
        *,
        roles: Sequence[Role],
        life: Callable[[Role, End, float], Life],
        may_kill: Callable[[], bool],
        on_kill: Callable[[], None],
        answer: Callable[[str, tuple[Any, ...], Callable[[], None]], Awaitable[Any]],
        idle_s: float = IDLE_S,
        pause_s: float = 0.0,
        may_fail: bool = False,
    ) -> None:
        """Bind it.

        Args:
            nursery: Forks the processes.
            ends: Says how they die.
            roles: The processes; the first is the one that people reach.
            life: The order for a process that dies this way, with a clock so many seconds ahead.
            may_kill: Whether more shall be killed.
            on_kill: Told of each kill.
            answer: Answers what processes ask of the world, the systems of record; it may kill whoever asks.
            idle_s: How long a process that shall die may live without reaching the place.
            pause_s: How long one that is paused stays so.
            may_fail: Whether a process may end with an error of its own, to be started again: where its connections are
                cut, it need not live through all of it.
        """
        self._nursery, self._ends, self._roles, self._life = nursery, ends, roles, life
        self._may_kill, self._on_kill, self._answer = may_kill, on_kill, answer
        self._idle_s, self._pause_s, self._may_fail = idle_s, pause_s, may_fail
        self._wires: list[asyncio.Future[Wire]] = [asyncio.get_running_loop().create_future() for _ in roles]
        self._expected: dict[int, asyncio.Future[Wire]] = {}
        self._is_last = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[None], Wire] = {}
        self.offset_s = 0.0
        """How far the clocks of new processes are ahead."""
        self.pauses = 0
        """How many were paused and woke up again."""
        self.failures = 0
        """How many ended with an error of their own."""

    async def listen(self, socket: Path) -> None:
        """Let processes connect."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            caller = 0

            async def handle(name: str, arguments: tuple[Any, ...]) -> Any:
                nonlocal caller
                if name == "hello":
                    caller = arguments[0]
                elif name == "up":
                    expected = self._expected.get(caller)
                    if expected is not None and not expected.done():
                        expected.set_result(wire)
                else:
                    return await self._answer(name, arguments, lambda: self._kill(caller))
                return None

            wire = Wire(reader, writer, handle)
            serving = asyncio.create_task(wire.serve())
            self._lines[serving] = wire
            serving.add_done_callback(self._lines.pop)

        self._server = await asyncio.start_unix_server(connected, str(socket))

    async def run(self) -> None:
        """Life after life in each role, until `calm` was called and the last of each has come to its end.

        Raises:
            HarnessBroken: A process ended in a way that wasn't planned.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for place in range(len(self._roles)):
                    group.create_task(self._keep(place))
        except* HarnessBroken as broken:
            raise broken.exceptions[0] from None

    async def _keep(self, place: int) -> None:
        role = self._roles[place]
        while True:
            is_last = self._is_last.is_set() or not self._may_kill()
            end = End() if is_last else self._ends.next(role)
            pid = await self._nursery.bear(self._life(role, end, self.offset_s))
            self._expected[pid] = up = asyncio.get_running_loop().create_future()
            death = asyncio.create_task(self._nursery.death_of(pid))
            await asyncio.wait({up, death}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
            if up.done():
                self._wires[place].set_result(up.result())
                await self._let_live(pid, end, death)
                self._wires[place] = asyncio.get_running_loop().create_future()
            elif not death.done():
                raise HarnessBroken(f"A process didn't come up within {START_S:.0f} s.")
            code = await death
            del self._expected[pid]
            if code == -signal.SIGKILL:
                stop = self._nursery.reached.pop(pid, "")
                if stop:
                    self._ends.reached[stop] += 1
                self._on_kill()
            elif code == 0 and self._is_last.is_set():
                return
            elif code == FAILED and self._may_fail:
                self.failures += 1
            else:
                raise HarnessBroken(f"A process ended with {code} and nobody had killed it.")

    async def _let_live(self, pid: int, end: End, death: "asyncio.Task[int]") -> None:
        stopping = asyncio.create_task(self._is_last.wait())
        halt = asyncio.create_task(self._nursery.halt_of(pid).wait())
        limit = None if end == End() else self._idle_s
        await asyncio.wait({death, stopping, halt}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if end.pauses and halt.done() and not death.done():
            # It sleeps until others have its work, and then goes on as if nothing had been.
            await asyncio.sleep(self._pause_s)
            _signal(pid, signal.SIGCONT)
            self.pauses += 1
            await asyncio.wait({death}, timeout=AWAKE_S)
        if not death.done() and limit is not None:
            _signal(pid, signal.SIGKILL)
        stopping.cancel()
        halt.cancel()
        await asyncio.wait({death})

    def _kill(self, pid: int) -> None:
        """Kill a process in the middle of a call, if more shall be killed."""
        if pid in self._expected and self._may_kill() and not self._is_last.is_set():
            _signal(pid, signal.SIGKILL)

    async def ask(self, name: str, *arguments: Any, place: int = 0) -> Any:
        """Ask the process that lives now, or the next one.

        Raises:
            Gone: It died before it answered.
            Refused: It says no.
        """
        wire = await asyncio.shield(self._wires[place])
        if wire.is_gone:
            # Dead and not yet buried. Whoever tries again at once must not keep the burial from happening.
            await asyncio.sleep(0.02)
        return await wire.call(name, *arguments)

    async def tell_all(self, name: str, *arguments: Any) -> None:
        """Tell every process that lives."""
        for wire in self._wires:
            if wire.done():
                with suppress(Gone):
                    await wire.result().call(name, *arguments)

    def calm(self) -> None:
        """Kill nobody from now on; who lives under a plan is killed once more, the next one lives to the end."""
        self._is_last.set()

    async def end(self) -> None:
        """Close the processes that live, as after a SIGTERM."""
        for place in range(len(self._roles)):
            while True:
                try:
                    await self.ask("end", place=place)
                    break
                except Gone:
                    continue

    async def close(self) -> None:
        """Let nobody connect any more."""
        if self._server is not None:
            self._server.close()
        for wire in self._lines.values():
            wire.close()
        await asyncio.gather(*self._lines, return_exceptions=True)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
