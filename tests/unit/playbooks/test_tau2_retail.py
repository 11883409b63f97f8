"""The retail benchmark's playbook over the benchmark's own records; skips where those are absent."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from graphs.playbook import Playbook, load_playbook
from policies.examples import run_examples
from policies.words import CustomerId
from tools.errors import ToolRefused
from tools.records import RecordsFile
from tools.spec import ToolContext

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
HERE = Path(__file__).parents[3]
SHARED_DATA = Path(os.environ.get("CALLBOARD_SHARED_DATA") or HERE.parent / "shared" / "data")

needs_records = pytest.mark.skipif(
    not (SHARED_DATA / "tau2_retail" / "db.json").is_file(),
    reason="The benchmark's records are not here; set CALLBOARD_SHARED_DATA.",
)

YUSUF = "yusuf_rossi_9620"
PENDING = "#W4776164"


@pytest.fixture(scope="module")
def playbook() -> Playbook:
    return load_playbook(HERE / "playbooks" / "tau2_retail")


class Counter:
    """Calls the playbook's tools on records of its own, as somebody whom policy let through."""

    def __init__(self, playbook: Playbook, systems: dict[str, Any]) -> None:
        self.playbook, self.systems, self.calls = playbook, systems, 0

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        self.calls += 1
        tools = self.playbook.tools
        model = tools.model_of(tool, tools.validate(tool, arguments))
        return (await tools.get(tool).call(model, self.context())).value

    def context(self) -> ToolContext:
        return ToolContext(self.systems, CustomerId(YUSUF), f"key-{self.calls}", NOW)

    @property
    def shop(self) -> RecordsFile:
        shop: RecordsFile = self.systems["shop"]
        return shop


@pytest.fixture
async def counter(playbook: Playbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Counter]:
    monkeypatch.setenv("CALLBOARD_SHARED_DATA", str(SHARED_DATA))
    playbook.build_fixtures(tmp_path, now=NOW)
    systems = await playbook.open_systems(tmp_path)
    yield Counter(playbook, dict(systems))
    for system in systems.values():
        await system.close()


def test_every_rule_agrees_with_its_own_examples(playbook: Playbook) -> None:
    report = run_examples(playbook.policies.policies)
    assert report.ran > 50
    assert report.failures == ()


def test_without_the_records_it_says_where_they_were_looked_for(
    playbook: Playbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLBOARD_SHARED_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="CALLBOARD_SHARED_DATA"):
        playbook.build_fixtures(tmp_path, now=NOW)


@needs_records
async def test_a_cancelled_order_gives_back_what_was_paid_and_only_once(counter: Counter) -> None:
    order = await counter.call("cancel_pending_order", order_id=PENDING, reason="no longer needed")
    first = order["payment_history"][0]
    assert order["payment_history"] == [first, first | {"transaction_type": "refund"}]
    with pytest.raises(ToolRefused):
        await counter.call("cancel_pending_order", order_id=PENDING, reason="no longer needed")


@needs_records
async def test_an_order_whose_payment_was_changed_gives_back_each_payment_once_when_cancelled(counter: Counter) -> None:
    users = {user["user_id"]: user for user in counter.shop.find("users", lambda user: True)}
    pending = counter.shop.find("orders", lambda order: order["status"] == "pending")
    order = next(order for order in pending if _other_than_gift_card(users[order["user_id"]], order))
    other = _other_than_gift_card(users[order["user_id"]], order)
    await counter.call("modify_pending_order_payment", order_id=order["order_id"], payment_method_id=other)
    done = await counter.call("cancel_pending_order", order_id=order["order_id"], reason="ordered by mistake")
    sums: dict[str, int] = {}
    for entry in done["payment_history"]:
        sign = 1 if entry["transaction_type"] == "payment" else -1
        sums[entry["payment_method_id"]] = (
            sums.get(entry["payment_method_id"], 0) + sign * entry["amount"]["amount_minor"]
        )
    assert sums == dict.fromkeys(sums, 0)
    assert len(sums) == 2


def _other_than_gift_card(user: dict[str, Any], order: dict[str, Any]) -> str:
    paid_with = order["payment_history"][0]["payment_method_id"]
    methods = (key for key in user["payment_methods"] if key != paid_with and not key.startswith("gift_card"))
    return next(methods, "")


@needs_records
async def test_p2_a_repeated_call_is_recognised_by_its_key(counter: Counter) -> None:
    spec = counter.playbook.tools.get("cancel_pending_order")
    assert spec.probe is not None
    arguments = {"order_id": PENDING, "reason": "no longer needed"}
    counter.calls = 1
    assert await spec.probe(arguments, counter.context()) is None
    counter.calls = 0
    order = await counter.call("cancel_pending_order", **arguments)
    found = await spec.probe(arguments, counter.context())
    assert found is not None
    assert found.value == order


@needs_records
async def test_every_failed_identification_reads_the_same(counter: Counter) -> None:
    refusals = []
    for tool, arguments in (
        ("find_user_id_by_email", {"email": "nobody@example.com"}),
        ("find_user_id_by_name_zip", {"first_name": "Yusuf", "last_name": "Rossi", "zip": "00000"}),
        ("find_user_id_by_name_zip", {"first_name": "No", "last_name": "Body", "zip": "19122"}),
    ):
        with pytest.raises(ToolRefused) as refused:
            await counter.call(tool, **arguments)
        refusals.append((refused.value.code, str(refused.value)))
    assert len(set(refusals)) == 1
    found = await counter.call("find_user_id_by_name_zip", first_name="YUSUF", last_name="rossi", zip="19122")
    assert found["user_id"] == YUSUF


@needs_records
@pytest.mark.parametrize(
    ("expression", "result"),
    [("(12.50 + 3) * 2", "31.00"), ("-5.05 + 0.1 / 4", "-5.02"), ("0.1 + 0.2", "0.30")],
)
async def test_sums_are_exact_to_cents(counter: Counter, expression: str, result: str) -> None:
    assert (await counter.call("calculate", expression=expression))["result"] == result


@needs_records
@pytest.mark.parametrize("expression", ["2 ** 99", "__import__('os')", "1 / 0", "a + 1", "(" * 90, ""])
async def test_what_is_no_sum_is_refused(counter: Counter, expression: str) -> None:
    with pytest.raises(ToolRefused):
        await counter.call("calculate", expression=expression)
