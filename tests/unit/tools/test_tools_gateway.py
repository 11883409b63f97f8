"""The gateway: a call that was cut off is settled before it is tried again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from memory import receipts
from memory.errors import FencedOut
from memory.receipts import Receipt
from memory.sqlite_store import SqliteStore
from memory.store import Store, Unit
from policies.words import ActionRequest, CaseId, ConversationId, Json, ReceiptId, RequestId, TurnId
from tools.circuits import circuits_of_systems
from tools.errors import ToolSpecError, ToolUnavailable
from tools.gateway import Gateway, Outcome
from tools.registry import Registry
from tools.spec import Compensation, ToolContext, ToolResult, ToolSpec

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


def reserve(unit: Unit, *, lease_s: float = 60, now: datetime = NOW) -> Receipt:
    return receipts.reserve(
        unit,
        receipt_id=ReceiptId("x1"),
        key="key",
        request=ActionRequest(RequestId("r1"), "transfer", {"account": "A"}, "workflow"),
        turn_id=TurnId("t1"),
        case_id=CaseId("k1"),
        conversation_id=ConversationId("c1"),
        owner="process-1",
        lease_s=lease_s,
        now=now,
    )


async def left_executing(store: Store) -> Receipt:
    """A receipt whose call was sent at `NOW` by a process that is gone."""

    def work(unit: Unit) -> Receipt:
        reserve(unit)
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
        receipt,
        customer_id=None,
        write=unfenced(store),
        record=lambda _, each: outcomes.append(each),
    )
    await store.close()
    assert (outcome.state, len(bank.arrives)) == ("committed", 1)
    assert outcomes == [outcome]


def transfers(**declared: Any) -> Registry:
    return Registry(
        [
            ToolSpec(
                name="transfer",
                description="Send money.",
                system="bank",
                kind="write",
                arguments=Transfer,
                returns="transfer",
                identity=("account",),
                **declared,
            )
        ]
    )


async def reserved(store: Store) -> Receipt:
    return await store.write(partial(reserve, lease_s=0.2, now=datetime.now(UTC)))


def unfenced(store: Store) -> Any:
    """A turn's write, without a turn."""
    return lambda work, at="note": store.write(work)


async def test_p2_a_long_call_keeps_its_lease_so_that_nobody_takes_it_for_lost(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(arguments: Any, context: ToolContext) -> ToolResult:
        begun.set()
        await go_on.wait()
        return ToolResult({"account": "A"})

    store = await SqliteStore.open(tmp_path / "data")
    gateway = Gateway(
        registry=transfers(call=slow), systems={}, clock=lambda: datetime.now(UTC), owner="process-1", lease_s=0.2
    )
    receipt = await reserved(store)
    call = asyncio.create_task(
        gateway.finish(receipt, customer_id=None, write=unfenced(store), record=lambda _, __: None)
    )
    await begun.wait()
    first = (await store.read(lambda unit: receipts.get(unit, receipt_id=receipt.id))).lease_until
    for _ in range(200):
        standing = await store.read(lambda unit: receipts.get(unit, receipt_id=receipt.id))
        if standing.lease_until > first:
            break
        await asyncio.sleep(0.02)
    assert (standing.state, standing.lease_until > first) == ("executing", True)
    go_on.set()
    outcome = await call
    await store.close()
    assert outcome.state == "committed"


async def test_p2_a_call_that_settled_without_effect_long_ago_is_not_made_on_an_old_permit(tmp_path: Path) -> None:
    bank = Bank()
    registry = transfers(call=bank.transfer, probe=bank.probe, settling_time=SETTLING)
    store = await SqliteStore.open(tmp_path / "data")
    await left_executing(store)
    lost = await store.write(
        lambda unit: receipts.mark_unknown(unit, receipt_id=ReceiptId("x1"), error_code="lost", now=NOW)
    )
    bank.now = NOW + timedelta(hours=1)
    gateway = Gateway(registry=registry, systems={}, clock=lambda: bank.now, owner="process-2")
    outcome = await gateway.finish(lost, customer_id=None, write=unfenced(store), record=lambda _, __: None)
    await store.close()
    assert (outcome.state, outcome.code, outcome.was_unknown, bank.arrives) == ("failed", "did_not_happen", True, [])


async def test_p12_a_system_that_is_left_alone_is_not_called_and_nothing_happened(tmp_path: Path) -> None:
    bank = Bank()
    circuits = circuits_of_systems(failures=1, pause_s=60)
    with pytest.raises(ToolUnavailable):
        async with circuits.through("bank"):
            raise ToolUnavailable
    store = await SqliteStore.open(tmp_path / "data")
    gateway = Gateway(
        registry=transfers(call=bank.transfer),
        systems={},
        clock=lambda: datetime.now(UTC),
        owner="p",
        circuits=circuits,
    )
    outcome = await gateway.finish(
        await reserved(store), customer_id=None, write=unfenced(store), record=lambda _, __: None
    )
    await store.close()
    assert (outcome.state, outcome.code, outcome.circuit, bank.arrives) == ("failed", "unavailable", "opened", [])


@pytest.mark.parametrize(
    ("compensation", "mistake"),
    [
        (Compensation("refund", {"account": "arguments.account"}), "names refund, which is no tool"),
        (Compensation("transfer", {"account": "receipt.account"}), "reads receipt.account"),
        (Compensation("transfer", {}), "lacks account"),
        (Compensation("transfer", {"account": "arguments.account", "note": "result.x"}), "gives note"),
    ],
)
def test_a_compensation_that_can_not_be_made_is_a_mistake_of_the_playbook(
    compensation: Compensation, mistake: str
) -> None:
    with pytest.raises(ToolSpecError, match=mistake):
        transfers(call=Bank().transfer, compensation=compensation)


def test_a_compensation_takes_its_arguments_from_the_receipt() -> None:
    undo = Compensation("transfer", {"account": "result.from.account", "why": "arguments.why"})
    result: dict[str, Json] = {"from": {"account": "B"}}
    assert undo.derive({"why": "x"}, result) == {"account": "B", "why": "x"}
    assert undo.derive({}, result) is None


@pytest.mark.parametrize("was_taken_over", [True, False])
async def test_p2_a_process_that_was_stopped_before_its_call_asks_first_whether_it_is_still_its_own(
    tmp_path: Path, was_taken_over: bool
) -> None:
    bank = Bank()
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
    store = await SqliteStore.open(tmp_path / "data")
    receipt = await store.write(reserve)
    stopped: list[str] = []

    def stop_before_the_call(boundary: str) -> None:
        if boundary == "before_call" and not stopped:
            stopped.append(boundary)
            bank.now += timedelta(hours=1)

    async def write(work: Any, *, at: str = "note") -> Any:
        if stopped and was_taken_over:
            raise FencedOut("c1", epoch=1, current=2)
        return await store.write(work)

    gateway = Gateway(
        registry=Registry([spec]),
        systems={},
        clock=lambda: bank.now,
        owner="process-1",
        checkpoint=stop_before_the_call,
    )
    finishing = gateway.finish(receipt, customer_id=None, write=write, record=lambda *_: None)
    if was_taken_over:
        with pytest.raises(FencedOut):
            await finishing
        assert bank.arrives == []
    else:
        assert ((await finishing).state, len(bank.arrives)) == ("committed", 1)
    await store.close()
