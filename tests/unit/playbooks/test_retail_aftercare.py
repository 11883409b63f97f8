"""What the tools for after the purchase do to the records: once, found again by their key, and nothing when refused."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from playbooks.retail.tools import TOOLS, open_systems
from policies.words import CustomerId, Json
from tools.errors import ToolRefused
from tools.registry import Registry
from tools.spec import ToolContext

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
REGISTRY = Registry(TOOLS)
WRITES: dict[str, dict[str, Json]] = {
    "register_return": {"order_id": "20490", "item_ids": ["20490-2"], "reason": "does_not_fit"},
    "open_carrier_search": {"order_id": "21150", "kind": "late"},
    "book_delivery": {"order_id": "21305", "slot_id": "1124-MO"},
    "end_subscription": {"subscription_id": "S-1005a"},
    "change_phone": {"customer_id": "C-1005", "revision": 1, "phone": "+4531234567"},
    "send_sign_in_link": {"email": "nora.byrne@example.org", "day": "2026-11-21"},
}


@pytest.fixture
async def systems(records: Path) -> AsyncIterator[dict[str, Any]]:
    opened = await open_systems(records)
    yield opened
    for system in opened.values():
        await system.close()


def context(systems: dict[str, Any], key: str, customer: str = "C-1008") -> ToolContext:
    return ToolContext(systems, CustomerId(customer), key, NOW)


async def call(systems: dict[str, Any], tool: str, key: str = "key", **arguments: Json) -> dict[str, Json]:
    model = REGISTRY.model_of(tool, REGISTRY.validate(tool, arguments))
    return (await REGISTRY.get(tool).call(model, context(systems, key))).value


async def facts(systems: dict[str, Any], tool: str, **arguments: Json) -> dict[str, Json]:
    read = await REGISTRY.read_facts(tool, arguments, context(systems, "facts"), timeout_s=30)
    return {name: fact.value for name, fact in read.facts.items()}


@pytest.mark.parametrize("tool", sorted(WRITES))
async def test_p2_a_call_whose_answer_got_lost_is_found_by_its_key_or_repeats_without_effect(
    systems: dict[str, Any], tool: str
) -> None:
    spec = REGISTRY.get(tool)
    if spec.probe is not None:
        assert await spec.probe(WRITES[tool], context(systems, "key")) is None
    first = await call(systems, tool, **WRITES[tool])
    if spec.probe is not None:
        found = await spec.probe(WRITES[tool], context(systems, "key"))
        assert found is not None
        assert found.value == first
        assert await spec.probe(WRITES[tool], context(systems, "another key")) is None
    else:
        assert spec.idempotent
        assert await call(systems, tool, **WRITES[tool]) == first


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("register_return", {"order_id": "21150", "item_ids": ["21150-1"]}, "not_delivered"),
        ("register_return", {"order_id": "20490", "item_ids": ["20490-9"]}, "unknown_item"),
        ("open_carrier_search", {"order_id": "21305", "kind": "late"}, "not_shipped"),
        ("book_delivery", {"order_id": "21150", "slot_id": "1124-MO"}, "not_bookable"),
        ("book_delivery", {"order_id": "21305", "slot_id": "0101-MO"}, "no_such_slot"),
        ("change_phone", {"customer_id": "C-1008", "revision": 2, "phone": "+4531234567"}, "outdated"),
        ("end_subscription", {"subscription_id": "S-9999a"}, "not_found"),
    ],
)
async def test_what_the_systems_refuse_leaves_no_trace(
    systems: dict[str, Any], tool: str, arguments: dict[str, Json], code: str
) -> None:
    with pytest.raises(ToolRefused) as refused:
        await call(systems, tool, **arguments)
    assert refused.value.code == code
    assert await systems["shop"].effects(kind="return", record="20490") == 0


async def test_a_second_return_search_or_end_is_refused(systems: dict[str, Any]) -> None:
    for tool, code in (
        ("register_return", "already_registered"),
        ("open_carrier_search", "already_open"),
        ("end_subscription", "already_ended"),
    ):
        await call(systems, tool, "one", **WRITES[tool])
        with pytest.raises(ToolRefused) as refused:
            await call(systems, tool, "two", **WRITES[tool])
        assert refused.value.code == code


async def test_a_half_day_takes_two_orders_and_a_new_date_frees_the_old_one(systems: dict[str, Any]) -> None:
    free = (await call(systems, "list_delivery_slots", order_id="21305"))["count"]
    await call(systems, "book_delivery", "one", order_id="21305", slot_id="1124-MO")
    await call(systems, "book_delivery", "two", order_id="21305", slot_id="1124-AF")
    logistics = systems["logistics"]
    assert [(await logistics.slot(name)).free for name in ("1124-MO", "1124-AF")] == [2, 1]
    assert (await call(systems, "list_delivery_slots", order_id="21305"))["count"] == int(str(free)) - 1


async def test_p7_a_sign_in_link_says_the_same_whoever_is_asked_for(systems: dict[str, Any]) -> None:
    known = await call(systems, "send_sign_in_link", "one", email="nora.byrne@example.org", day="2026-11-21")
    nobody = await call(systems, "send_sign_in_link", "two", email="nobody@example.org", day="2026-11-21")
    assert known.keys() == nobody.keys()
    assert known["status"] == nobody["status"]
    helped = [await call(systems, "sign_in_help", email=f"{name}@example.org") for name in ("nora.byrne", "nobody")]
    assert helped[0].keys() == helped[1].keys()


async def test_p7_accounts_and_subscriptions_that_do_not_exist_belong_to_nobody(systems: dict[str, Any]) -> None:
    other = await facts(systems, "end_subscription", subscription_id="S-1005a")
    none = await facts(systems, "end_subscription", subscription_id="S-9999z")
    account = await facts(systems, "change_phone", customer_id="C-9999", revision=1, phone="+4531234567")
    assert other["owner.customer_id"] == "C-1005"
    assert none["owner.customer_id"] == account["owner.customer_id"] == ""


async def test_charges_are_explained_by_the_books(systems: dict[str, Any]) -> None:
    found = {
        order: (await call(systems, "list_charges", order_id=order))["finding"]
        for order in ("21063", "20615", "21102", "20105", "20240", "20350")
    }
    assert found == {
        "21063": "pending_line",
        "20615": "duplicate",
        "21102": "reservation",
        "20105": "released",
        "20240": "refunded",
        "20350": "single",
    }
