"""The gateway: a call that was cut off is settled before it is tried again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from memory import receipts
from memory.receipts import Receipt
from memory.sqlite_store import SqliteStore
from memory.store import Store, Unit
from policies.words import ActionRequest, CaseId, ConversationId, Json, ReceiptId, RequestId, TurnId
from tools.gateway import Gateway, Outcome
from tools.registry import Registry
from tools.spec import ToolContext, ToolResult, ToolSpec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTLING = timedelta(seconds=2)


class Transfer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account: str


@dataclass
class Bank:
    """A system of record in which a call that was sent takes effect some time later."""

    now: datetime = NOW
    arrives: list[datetime] = field(default_factory=list)

    async def transfer(self, arguments: Any, context: ToolContext) -> ToolResult:
        self.arrives.append(self.now)
        return ToolResult({"account": arguments.account})

    async def probe(self, arguments: Mapping[str, Json], context: ToolContext) -> ToolResult | None:
        return ToolResult({**arguments}) if any(at <= self.now for at in self.arrives) else None

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


async def left_executing(store: Store) -> Receipt:
    """A receipt whose call was sent at `NOW` by a process that is gone."""

    def work(unit: Unit) -> Receipt:
        receipts.reserve(
            unit,
            receipt_id=ReceiptId("x1"),
            key="key",
            request=ActionRequest(RequestId("r1"), "transfer", {"account": "A"}, "workflow"),
            turn_id=TurnId("t1"),
            case_id=CaseId("k1"),
            conversation_id=ConversationId("c1"),
            owner="process-1",
            lease_s=60,
            now=NOW,
        )
        return receipts.mark_executing(unit, receipt_id=ReceiptId("x1"), owner="process-1", lease_s=60, now=NOW)

    return await store.write(work)


@pytest.mark.parametrize("arrives_s", [1, 6.5, None])
async def test_p2_a_call_of_a_process_that_was_killed_settles_from_when_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrives_s: float | None
) -> None:
    bank = Bank(arrives=[] if arrives_s is None else [NOW + timedelta(seconds=arrives_s)])
    spec = ToolSpec(
        name="transfer",
        description="Send money.",
        system="bank",
        kind="write",
        arguments=Transfer,
        call=bank.transfer,
        returns="transfer",
        identity=("account",),
        probe=bank.probe,
        settling_time=SETTLING,
    )
    monkeypatch.setattr(asyncio, "sleep", bank.sleep)
    store = await SqliteStore.open(tmp_path / "data")
    receipt = await left_executing(store)
    # Killed 5 seconds into the call; what it sent last may take effect until `SETTLING` later.
    bank.now = NOW + timedelta(seconds=5)
    gateway = Gateway(registry=Registry([spec]), systems={}, clock=lambda: bank.now, owner="process-2")
    outcomes: list[Outcome] = []
    outcome = await gateway.finish(
        receipt, customer_id=None, write=store.write, record=lambda _, each: outcomes.append(each)
    )
    await store.close()
    assert (outcome.state, len(bank.arrives)) == ("committed", 1)
    assert outcomes == [outcome]
