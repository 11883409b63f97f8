"""A whole Callboard for tests, on the embedded default: retail playbook, systems of record, a clock that moves."""

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from agents import company
from agents.local.sheets import Sheets
from callboard import runtime as composition
from callboard.runtime import ReasonerFactory, Runtime
from callboard.settings import DEFAULT_PLAYBOOK, Settings
from graphs import playbook as playbooks
from graphs.results import ApprovalState, InboundMessage, ReviewDecision, Reviewer, TurnResult
from memory import approvals, outbox
from memory.approvals import Approval
from memory.outbox import Outgoing
from memory.store import Unit
from policies.words import ApprovalId, ConversationId

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

MIRA = "mira.okafor@example.org, postcode 10435"
JONAS = "jonas.lindqvist@example.org, postcode 411 24"
NORA = "nora.byrne@example.org, postcode D08 X9T2"
SOFIA = "sofia.almeida@example.org, postcode 4050-262"
LUCA = "luca.bianchi@example.org, postcode 40122"
AMELIE = "amelie.laurent@example.org, postcode 69001"

ANA = Reviewer("ana", "reviewer")
BEN = Reviewer("ben", "reviewer")
SAM = Reviewer("sam", "supervisor")
SUE = Reviewer("sue", "supervisor")
YES = ReviewDecision("approve")

T = TypeVar("T")


class Clock:
    """The present moment, moved by hand."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class TestHouse:
    """A running Callboard with what tests ask of it."""

    __test__ = False

    runtime: Runtime
    clock: Clock
    directory: Path
    numbers: Any = field(default_factory=lambda: count(1))
    close: Callable[[], Awaitable[None]] = field(default=None, repr=False)  # type: ignore[assignment]  # set when opened
    """Shut it down, so that another can be opened on the same directory."""

    async def say(self, text: str, *, conversation: str = "c1", message_id: str = "") -> TurnResult:
        """A customer's message and what becomes of it."""
        given = message_id or f"m{next(self.numbers)}"
        return await self.runtime.runner.handle(InboundMessage(ConversationId(conversation), given, text))

    async def ask_refund(self, order: str = "20418", who: str = MIRA, *, conversation: str = "c1") -> TurnResult:
        """A refund up to the customer's yes: it waits for a person, or is made, by what policy says."""
        for text in (f"Hi, I want a refund for order {order}", who, "yes"):
            result = await self.say(text, conversation=conversation)
        return result

    async def pending(self) -> list[Approval]:
        return await self.read(lambda unit: approvals.listing(unit, status="pending"))

    async def only_pending(self) -> Approval:
        (approval,) = await self.pending()
        return approval

    async def approval(self, approval_id: ApprovalId) -> Approval:
        return await self.read(lambda unit: approvals.get(unit, approval_id=approval_id))

    async def decide(
        self, approval: Approval, decision: ReviewDecision = YES, reviewer: Reviewer = ANA
    ) -> ApprovalState:
        """A person's answer, and wait until what follows from it has happened."""
        state = await self.runtime.runner.decide(approval.id, decision, reviewer)
        await self.settle(approval.conversation_id)
        return state

    async def settle(self, conversation: str = "c1") -> None:
        await self.runtime.runner.settle(ConversationId(conversation))

    async def read(self, work: Callable[[Unit], T]) -> T:
        return await self.runtime.store.read(work)

    async def said(self, conversation: str = "c1") -> list[Outgoing]:
        """What was said, in the order of the conversation."""
        return await self.read(lambda unit: outbox.of_conversation(unit, conversation_id=ConversationId(conversation)))

    async def texts(self, conversation: str = "c1") -> list[str]:
        return [outgoing.text for outgoing in await self.said(conversation)]

    @property
    def records(self) -> "Records":
        return Records(self.runtime.settings.systems_directory)


@dataclass(frozen=True)
class Records:
    """The shop's own books, read and changed past Callboard."""

    directory: Path

    def refunds(self, order: str) -> list[tuple[int, str, str]]:
        """Amount, reason and reference of each refund on the order."""
        return [
            (row["amount_minor"], row["reason"], row["reference"])
            for row in self.query("SELECT * FROM payments.refunds WHERE order_id = ? ORDER BY id", order)
        ]

    def amounts(self, order: str) -> list[int]:
        return [amount for amount, _, _ in self.refunds(order)]

    def order(self, order: str) -> dict[str, Any]:
        (row,) = self.query("SELECT * FROM orders WHERE id = ?", order)
        return row

    def query(self, sql: str, *values: object) -> list[dict[str, Any]]:
        connection = sqlite3.connect(self.directory / "shop.db")
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("ATTACH DATABASE ? AS payments", (str(self.directory / "payments.db"),))
            return [dict(row) for row in connection.execute(sql, values).fetchall()]
        finally:
            connection.close()

    def change(self, sql: str, *values: object) -> None:
        """What somebody else does in the shop meanwhile."""
        connection = sqlite3.connect(self.directory / "shop.db")
        try:
            connection.execute("ATTACH DATABASE ? AS payments", (str(self.directory / "payments.db"),))
            connection.execute(sql, values)
            connection.commit()
        finally:
            connection.close()

    def everything(self) -> str:
        """All rows of all tables that Callboard could change, to compare before with after."""
        tables = ("orders", "items", "returns", "effects", "payments.payments", "payments.refunds", "addresses")
        return json.dumps({table: self.query(f"SELECT * FROM {table} ORDER BY 1") for table in tables})


@cache
def load_playbook(directory: Path) -> playbooks.Playbook:
    return playbooks.load_playbook(directory)


_FITTED: dict[int, tuple[Any, Any]] = {}
"""Reasoners by the voice they speak with, which they keep alive."""


def local_reasoner(sheets: Sheets, entities: Any, *, embedder: Any = None) -> Any:
    """Fitted once per playbook: it is a pure function of its files, and takes seconds."""
    key = id(sheets.voice)
    if key not in _FITTED:
        _FITTED[key] = (sheets, company.local_reasoner(sheets, entities, embedder=embedder))
    return _FITTED[key][1]


def fit(playbook: playbooks.Playbook) -> None:
    """Fit the local reasoner ahead of its first use."""
    methods, tools = playbook.verification, list(playbook.tools)
    local_reasoner(
        company.sheets_of(playbook.journeys, playbook.voice, methods=methods, tools=tools), playbook.entities
    )


def warm(patch: Callable[[object, str, object], None]) -> None:
    """Share between the houses of one process what depends on the playbook's files alone."""
    patch(composition, "load_playbook", load_playbook)
    patch(composition, "local_reasoner", local_reasoner)
    patch(composition, "check_names", lambda: None)


@cache
def fixtures(template: Path) -> Path:
    """The shop's records as of `NOW`, built once to be copied."""
    load_playbook(DEFAULT_PLAYBOOK).build_fixtures(template, now=NOW)
    return template


@asynccontextmanager
async def opened(
    directory: Path,
    *,
    clock: Clock | None = None,
    template: Path | None = None,
    reasoner: ReasonerFactory | None = None,
    checkpoint: Callable[[str], None] = lambda _: None,
    numbers: Any = None,
    database: str = "",
    **settings: Any,
) -> AsyncIterator[TestHouse]:
    """A house in this directory, or this Postgres database; opened again it goes on with what is there."""
    clock = clock or Clock()
    systems = directory / "systems"
    if template is not None and not systems.exists():
        shutil.copytree(fixtures(template), systems)
    if database:
        settings = {"database_url": SecretStr(database), "takeover_s": 1.0, "database_connections": 4, **settings}
    async with Runtime.open(
        Settings(data_dir=directory, **settings), clock=clock, reasoner=reasoner, checkpoint=checkpoint
    ) as runtime:
        yield TestHouse(runtime, clock, directory, numbers or count(1))


OpenHouse = Callable[..., Awaitable[TestHouse]]
