"""A run of chaos: round after round of conversations, each on fresh records, until enough processes were killed."""

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from evals.chaos.books import Books, Customer, customers_in
from evals.chaos.judge import Findings, Witnesses, judge, read_rows
from evals.chaos.keeper import End, Ends, Keeper, Nursery, Role
from evals.chaos.nursery import Life
from evals.chaos.people import Errand, ErrandKind, Log, Talk
from evals.chaos.places import Place, Places
from evals.chaos.wire import Gone, Refused
from graphs.playbook import Playbook
from memory.boundaries import BOUNDARIES
from policies.words import Json

ROUND = 24
"""Conversations on one set of records, at most; never more than processes to be killed."""
AT_ONCE = 3
"""Conversations in hand at the same time."""
MODEL_FAILS = 0.08
TWINS = 0.15
"""How many customers ask for the same thing on two channels at once."""
_LATER_S = 5 * 3600.0
"""Approvals that nobody answered have expired after so long."""
_CUTS_S = (0.5, 2.5)
"""A connection is cut after so long, at least and at most."""
_QUIET = 3
"""How often it is looked whether anything is left to do."""

_KINDS: tuple[tuple[ErrandKind, int], ...] = (
    ("refund", 50),
    ("cancel", 20),
    ("address", 14),
    ("status", 8),
    ("person", 8),
)


@dataclass(slots=True)
class ChaosReport:
    """What came out of a run."""

    backend: str
    seed: int
    conversations: int = 0
    turns: int = 0
    kills: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    pauses: int = 0
    """How many processes were stopped and woke up when others had their work."""
    cuts: int = 0
    """How many connections to the database were cut."""
    failed_processes: int = 0
    """How many processes ended with an error of their own when a connection was cut, and were started again."""
    effects: int = 0
    approvals: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    seconds: float = 0.0

    BAD: ClassVar = (
        "duplicate_effects",
        "unasked_effects",
        "lost_messages",
        "lost_approvals",
        "out_of_order",
        "stuck_turns",
        "unexplained_receipts",
        "untrue_replies",
    )
    """The columns that must be 0; the audit is a question of its own."""

    @property
    def ok(self) -> bool:
        """Whether every bad column is empty."""
        return not any(self.found())

    def found(self) -> list[list[str]]:
        """What is wrong, by kind."""
        return [getattr(self.findings, name) for name in (*self.BAD, "audit_problems")]

    def as_json(self) -> dict[str, Json]:
        """The report as plain JSON."""
        found = self.findings
        missing: list[Json] = [name for name in BOUNDARIES if not self.reached[name]]
        return {
            "backend": self.backend,
            "seed": self.seed,
            "conversations": self.conversations,
            "kills": self.kills,
            "boundaries_covered": len(BOUNDARIES) - len(missing),
            "boundaries_total": len(BOUNDARIES),
            **{name: len(getattr(found, name)) for name in self.BAD},
            "audit_ok": not found.audit_problems,
            "pauses": self.pauses,
            "connections_cut": self.cuts,
            "failed_processes": self.failed_processes,
            "turns": self.turns,
            "effects": self.effects,
            "approvals": self.approvals,
            "outcomes": dict(sorted(self.outcomes.items())),
            "faults": {name or "none": times for name, times in sorted(self.faults.items())},
            "boundaries_missing": missing,
            "findings": {name: list(getattr(found, name)) for name in (*self.BAD, "audit_problems")},
            "seconds": round(self.seconds, 1),
            "kills_per_minute": round(self.kills * 60 / self.seconds, 1) if self.seconds else 0.0,
        }


async def run_chaos(
    *,
    kills: int,
    seed: int,
    playbook: Playbook,
    places: Places,
    command: Sequence[str],
    on_kill: Callable[[], None] = lambda: None,
) -> ChaosReport:
    """Kill so many processes in the middle of conversations, and count what that did.

    Args:
        kills: How many.
        seed: Decides who wants what, which calls go wrong, and where processes die. What of it meets what is up to
            the machine.
        playbook: The business, whose books are kept here.
        places: Gives each round its own records, on the backend that is put to the test.
        command: Starts the process that forks those that are killed.
        on_kill: Told of each kill.

    Raises:
        HarnessBroken: The harness itself failed.
    """
    report = ChaosReport(backend=places.backend, seed=seed)
    begun = time.monotonic()
    ends = Ends(Random(f"{seed}:ends"))  # reproducible on purpose
    with tempfile.TemporaryDirectory(prefix="callboard-chaos-") as scratch:
        template = Path(scratch, "books")
        playbook.build_fixtures(template, now=datetime.now(UTC))
        customers = customers_in(template)
        async with places.opened(Path(scratch)):
            nursery = await Nursery.open(command)
            try:
                number = 0
                while report.kills < kills:
                    number += 1
                    directory = Path(scratch, f"round-{number}")
                    seeded, size = f"{seed}:{number}", min(ROUND, kills)
                    async with places.place(directory) as place:
                        one = _Round(seeded, directory, playbook, place, nursery, ends, size=size)
                        await one.play(report, template, customers, limit=kills, on_kill=on_kill)
                    await asyncio.to_thread(shutil.rmtree, directory)
            finally:
                await nursery.close()
    report.reached = ends.reached
    report.seconds = time.monotonic() - begun
    return report


class _Round:
    """Some conversations on records of their own."""

    def __init__(
        self,
        seed: str,
        directory: Path,
        playbook: Playbook,
        place: Place,
        nursery: Nursery,
        ends: Ends,
        *,
        size: int,
    ) -> None:
        self._seed, self._directory, self._playbook, self._place = seed, directory, playbook, place
        self._nursery, self._ends = nursery, ends
        self._dice = Random(seed)  # reproducible on purpose
        self._log = Log()
        self._size = size
        self._lives = 0

    async def play(
        self,
        report: ChaosReport,
        template: Path,
        customers: Sequence[Customer],
        *,
        limit: int,
        on_kill: Callable[[], None],
    ) -> None:
        systems = self._directory / "books"
        await asyncio.to_thread(shutil.copytree, template, systems)

        def killed() -> None:
            report.kills += 1
            on_kill()

        books = Books(await self._playbook.open_systems(systems), systems, seed=self._seed)
        keeper = Keeper(
            self._nursery,
            self._ends,
            roles=self._place.roles,
            life=self._life,
            may_kill=lambda: report.kills < limit,
            on_kill=killed,
            answer=books.call,
            pause_s=self._place.pause_s,
            may_fail=self._place.cuts,
        )
        await keeper.listen(self._directory / "line")
        keeping = asyncio.create_task(keeper.run())
        cutting = asyncio.create_task(self._cut(report, keeper))
        errands = self._errands(customers)
        try:
            await _while(keeping, self._talk_all(errands, keeper, books))
            books.is_calm = True
            cutting.cancel()
            keeper.calm()
            witnesses = await _while(keeping, self._come_to_rest(errands, keeper, books))
            await keeper.end()
            await keeping
            with self._place.engine() as engine:
                rows = read_rows(engine)
        finally:
            cutting.cancel()
            keeping.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await keeping
            await keeper.close()
            await books.close()
        seen = Witnesses(errands, self._log, books.booked, rows, *witnesses)
        report.findings.add(judge(seen))
        report.conversations += len(errands)
        report.turns += len(rows["turns"])
        report.effects += len(books.booked)
        report.approvals += len(rows["approvals"])
        report.outcomes.update(str(turn["outcome"]) for turn in rows["turns"])
        report.faults.update(books.faults)
        report.pauses += keeper.pauses
        report.failed_processes += keeper.failures

    async def _cut(self, report: ChaosReport, keeper: Keeper) -> None:
        """Cut a connection to the database now and then, where there is such a thing."""
        while True:
            await asyncio.sleep(self._dice.uniform(*_CUTS_S))
            report.cuts += await self._place.cut()

    def _life(self, role: Role, end: End, offset_s: float) -> Life:
        self._lives += 1
        return Life(
            role=role.name,
            socket=str(self._directory / "line"),
            data_dir=str(self._directory / "data"),
            offset_s=offset_s,
            seed=f"{self._seed}:{self._lives}",
            stop=end.stop,
            grace=end.grace,
            latest=end.latest,
            pauses=end.pauses,
            model_fails=MODEL_FAILS,
            database=self._place.url,
        )

    def _errands(self, customers: Sequence[Customer]) -> list[Errand]:
        dice = self._dice
        free = {
            "refund": [one for one in customers if one.status in {"returned", "lost"}],
            "cancel": [one for one in customers if one.status in {"pending", "paid"}],
        }
        for some in free.values():
            dice.shuffle(some)
        errands: list[Errand] = []
        while len(errands) < self._size:
            kind = dice.choices([kind for kind, _ in _KINDS], [weight for _, weight in _KINDS])[0]
            customer = free["cancel" if kind in {"cancel", "address"} else "refund"].pop()
            for _ in range(2 if kind in {"refund", "cancel"} and dice.random() < TWINS else 1):
                name = f"c{len(errands) + 1}"
                errands.append(Errand(name, kind, customer, f"{self._seed}:{name}"))
        return errands

    async def _talk_all(self, errands: Sequence[Errand], keeper: Keeper, books: Books) -> None:
        at_once, world = asyncio.Semaphore(AT_ONCE), _World(keeper, books)

        async def talk(errand: Errand) -> None:
            async with at_once:
                await Talk(errand, world, self._log).run()

        async with asyncio.TaskGroup() as group:
            for errand in errands:
                group.create_task(talk(errand))

    async def _come_to_rest(
        self, errands: Sequence[Errand], keeper: Keeper, books: Books
    ) -> tuple[dict[str, list[str]], list[str]]:
        """Let time pass, and everything that is left run to its end; what was said, and what the audit finds."""
        world = _World(keeper, books)
        await world.pass_hours()
        while True:
            try:
                for _ in range(_QUIET):
                    await keeper.ask("recover")
                    for errand in errands:
                        await keeper.ask("settle", errand.conversation)
                said = {errand.conversation: await keeper.ask("replies", errand.conversation) for errand in errands}
                return said, await keeper.ask("verify")
            except (Gone, Refused):
                await asyncio.sleep(0.05)


class _World:
    """What people of a round can reach."""

    def __init__(self, keeper: Keeper, books: Books) -> None:
        self._keeper, self._books = keeper, books
        self.ask, self.drift = keeper.ask, books.drift

    async def look_up(self, key: str) -> dict[str, Json] | None:
        """What the books have under a key, when nothing more can come."""
        await self._books.wait_until_quiet()
        return self._books.found(key)

    async def pass_hours(self) -> None:
        """Move the clocks of this process and the next ones ahead, and have it looked for what expired."""
        # A call under way must not look settled because the clock was moved.
        await self._books.wait_until_quiet()
        self._keeper.offset_s += _LATER_S
        await self._keeper.tell_all("forward", _LATER_S)
        while True:
            try:
                await self._keeper.ask("expire")
                return
            except (Gone, Refused):
                await asyncio.sleep(0.05)


async def _while(keeping: "asyncio.Task[None]", work: Any) -> Any:
    """Wait for work, but no longer than somebody keeps the Callboard alive."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({keeping, task}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            keeping.result()
        return await task
    finally:
        task.cancel()
