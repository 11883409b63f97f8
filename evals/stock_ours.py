"""Callboard's side of the comparison with the stock stack: a customer whose refund waits, and people who abuse that."""

import asyncio
import shutil
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.chaos.books import Books
from evals.chaos.keeper import EVERYTHING, End, Keeper, Nursery, Role
from evals.chaos.nursery import Life
from evals.chaos.wire import Gone
from evals.running import Running
from evals.stock_agent import ORDER
from graphs.errors import GraphError
from graphs.playbook import Playbook
from graphs.results import InboundMessage, ReviewDecision, Reviewer, TurnResult
from memory import approvals
from memory.errors import ApprovalError
from policies.words import ApprovalId, ConversationId, CustomerId, Json

CONVERSATION = ConversationId("stock")
SAYS = (f"Hi, I want a refund for order {ORDER}", "mira.okafor@example.org, postcode 10435", "yes")
"""Up to the customer's own yes; the amount is above what the AI may give alone."""

PATIENCE_S = 120.0
"""How long the process that shall die may take to come to the effect."""


class Ours:
    """A Callboard under abuse."""

    def __init__(self, running: Running, data_dir: Path, systems: Path) -> None:
        self._running, self.data_dir, self._systems = running, data_dir, systems
        self._count = 0

    async def say(self, text: str) -> TurnResult:
        """A customer's message."""
        self._count += 1
        return await self._running.runner.handle(InboundMessage(CONVERSATION, f"m{self._count}", text))

    async def ask(self, *, also: str = "") -> ApprovalId:
        """A refund, asked for (with these words too) and confirmed, that waits for a person."""
        await self.say(f"{SAYS[0]}{also}")
        for text in SAYS[1:]:
            result = await self.say(text)
        return result.approvals[0]

    async def approve(self, approval: ApprovalId, by: str) -> str:
        """What stands against a yes; empty if it was taken."""
        return await self._decide(approval, ReviewDecision("approve"), by)

    async def reject(self, approval: ApprovalId) -> None:
        """A no, and what follows from it."""
        await self._decide(approval, ReviewDecision("reject", message="No."), "ana")
        await self.settle()

    async def edit(self, approval: ApprovalId, *, tool: str, arguments: dict[str, Json] | None) -> str:
        """What stands against an edit; empty if it was taken."""
        return await self._decide(approval, ReviewDecision("edit", tool=tool, arguments=arguments), "ana")

    async def row(self, approval: ApprovalId) -> approvals.Approval:
        """The approval as it stands."""
        return await self._running.store.read(lambda unit: approvals.get(unit, approval_id=approval))

    async def waiting(self) -> int:
        """How many approvals wait."""
        return len(await self._running.store.read(lambda unit: approvals.listing(unit, status="pending")))

    async def settle(self) -> None:
        """Wait until nothing is in hand."""
        await self._running.runner.settle(CONVERSATION)

    def sealed_words(self) -> bytes:
        """What the customer said first, as it lies in the records."""
        with closing(sqlite3.connect(f"file:{self.data_dir / 'callboard.db'}?mode=ro", uri=True)) as connection:
            row: tuple[bytes] = connection.execute("SELECT body FROM inbox ORDER BY seq").fetchone()
            return row[0]

    async def erase(self) -> None:
        """Erase the customer, at once."""
        await self._running.forgetting.erase(CustomerId("C-1001"), by="ada", role="admin", reason="requested", now=True)

    def refunds(self) -> int:
        """How often the order was refunded, by the provider's own books."""
        with closing(sqlite3.connect(f"file:{self._systems / 'payments.db'}?mode=ro", uri=True)) as connection:
            row: tuple[int] = connection.execute("SELECT count(*) FROM refunds WHERE order_id = ?", (ORDER,)).fetchone()
            return row[0]

    async def _decide(self, approval: ApprovalId, decision: ReviewDecision, by: str) -> str:
        try:
            await self._running.runner.decide(approval, decision, Reviewer(by, "supervisor"))
        except (ApprovalError, GraphError) as refused:
            return type(refused).__name__
        return ""


class _OneDeath:
    """The first process dies right after the effect, the second lives."""

    def __init__(self) -> None:
        self._left = [End(stop="after_call")]
        self.reached: Counter[str] = Counter()

    def next(self, role: Role) -> End:
        return self._left.pop() if self._left else End()


async def crash_after_effect(directory: Path, playbook: Playbook, command: list[str]) -> tuple[int, int]:
    """Kill the process that refunds right after the effect, and start another; refunds before and after."""
    books_at = directory / "books"
    await asyncio.to_thread(books_at.mkdir, parents=True)
    playbook.build_fixtures(books_at, now=datetime.now(UTC))
    books = Books(await playbook.open_systems(books_at), books_at, seed="")
    books.is_calm = True
    counts: list[int] = []
    ends = _OneDeath()

    def life(role: Role, end: End, offset_s: float) -> Life:
        return Life(role.name, str(directory / "line"), str(directory / "data"), offset_s, "stock", stop=end.stop)

    nursery = await Nursery.open(command)
    keeper = Keeper(
        nursery,
        ends,
        roles=[Role("whole", EVERYTHING)],
        life=life,
        may_kill=lambda: not counts,
        on_kill=lambda: counts.append(len(books.booked)),
        answer=books.call,
        idle_s=PATIENCE_S,
    )
    await keeper.listen(directory / "line")
    keeping = asyncio.create_task(keeper.run())
    try:
        for number, text in enumerate(SAYS, start=1):
            result: TurnResult = await _until_answered(keeper, "say", CONVERSATION, f"m{number}", text)
        with suppress(Gone):
            await keeper.ask("decide", result.approvals[0], ReviewDecision("approve"), Reviewer("ana", "supervisor"))
        while not result.final:
            result = await _until_answered(keeper, "result", result.turn_id)
        keeper.calm()
        await keeper.end()
        await keeping
    finally:
        keeping.cancel()
        await keeper.close()
        await books.close()
        await nursery.close()
        await asyncio.to_thread(shutil.rmtree, directory)
    return counts[0], len(books.booked)


async def _until_answered(keeper: Keeper, name: str, *arguments: Any) -> Any:
    while True:
        with suppress(Gone):
            return await keeper.ask(name, *arguments)
        await asyncio.sleep(0.05)
