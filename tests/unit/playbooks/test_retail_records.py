"""The retail playbook's systems of record: the fixtures, and what its tools do to them."""

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from playbooks.retail.calls import read_verification
from playbooks.retail.fixtures import build
from playbooks.retail.known_customers import KNOWN
from playbooks.retail.orders import STATUS_WORDS
from playbooks.retail.tools import TOOLS, open_systems
from policies.words import CustomerId, Json
from tools.errors import ToolRefused
from tools.registry import Registry
from tools.spec import ToolContext

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
REGISTRY = Registry(TOOLS)


class Desk:
    """Calls the tools as the gateway would, on one set of records."""

    def __init__(self, directory: Path, systems: dict[str, Any]) -> None:
        self.directory = directory
        self.systems = systems

    async def call(
        self, tool: str, *, key: str = "key-1", customer: str = "C-1001", **arguments: Json
    ) -> dict[str, Json]:
        model = REGISTRY.model_of(tool, REGISTRY.validate(tool, arguments))
        return (await REGISTRY.get(tool).call(model, self.context(key, customer))).value

    async def facts(self, tool: str, **arguments: Json) -> dict[str, Json]:
        read = await REGISTRY.read_facts(tool, arguments, self.context("facts", "C-1001"), timeout_s=5)
        return {name: fact.value for name, fact in read.facts.items()}

    def context(self, key: str, customer: str) -> ToolContext:
        return ToolContext(self.systems, CustomerId(customer) if customer else None, key, NOW)

    def rows(self, file: str, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.directory / file)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


@pytest.fixture
async def desk(records: Path) -> AsyncIterator[Desk]:
    systems = await open_systems(records)
    yield Desk(records, systems)
    for system in systems.values():
        await system.close()


def dump(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_the_same_date_and_seed_give_the_same_records(tmp_path: Path) -> None:
    for name, seed in (("one", 7), ("two", 7), ("other", 8)):
        build(tmp_path / name, now=NOW, seed=seed)
    for file in ("shop.db", "payments.db"):
        assert dump(tmp_path / "one" / file) == dump(tmp_path / "two" / file)
        assert dump(tmp_path / "one" / file) != dump(tmp_path / "other" / file)


def test_there_are_300_customers_and_1500_orders_in_every_status(desk: Desk) -> None:
    assert desk.rows("shop.db", "SELECT count(*) FROM customers") == [(300,)]
    assert desk.rows("shop.db", "SELECT count(*) FROM orders") == [(1500,)]
    assert {status for (status,) in desk.rows("shop.db", "SELECT DISTINCT status FROM orders")} == set(STATUS_WORDS)
    assert desk.rows("shop.db", "SELECT count(*) FROM subscriptions")[0][0] > 20


def test_the_books_agree_with_each_other(desk: Desk) -> None:
    connection = sqlite3.connect(desk.directory / "shop.db")
    connection.execute("ATTACH DATABASE ? AS pay", (str(desk.directory / "payments.db"),))
    wrong_totals = connection.execute(
        "SELECT id FROM orders WHERE total_minor <> shipping_minor +"
        " (SELECT sum(quantity * unit_minor) FROM items WHERE order_id = orders.id)"
    ).fetchall()
    unpaid = connection.execute(
        "SELECT orders.id FROM orders LEFT JOIN pay.payments p ON p.order_id = orders.id"
        " WHERE p.amount_minor IS NOT orders.total_minor"
    ).fetchall()
    over = connection.execute(
        "SELECT r.order_id FROM pay.refunds r JOIN pay.payments p ON p.order_id = r.order_id"
        " GROUP BY r.order_id HAVING sum(r.amount_minor) > max(p.amount_minor)"
    ).fetchall()
    half = connection.execute(
        "SELECT o.id FROM orders o JOIN pay.refunds r ON r.order_id = o.id"
        " WHERE (o.status = 'refunded') <> (r.amount_minor = o.total_minor)"
    ).fetchall()
    late = connection.execute(
        "SELECT order_id FROM shipments WHERE shipped_at > ?1 OR delivered_at > ?1 OR last_event_at > ?1"
        " OR delivered_at < shipped_at OR last_event_at < shipped_at"
        " UNION SELECT order_id FROM returns WHERE registered_at > ?1 OR received_at > ?1"
        " UNION SELECT order_id FROM returns WHERE received_at < registered_at"
        " UNION SELECT id FROM orders WHERE placed_at > ?1",
        (NOW.isoformat(),),
    ).fetchall()
    connection.close()
    assert (wrong_totals, unpaid, over, half, late) == ([], [], [], [], [])


def test_the_known_customers_are_there_whatever_the_seed(tmp_path: Path) -> None:
    build(tmp_path, now=NOW, seed=99)
    connection = sqlite3.connect(tmp_path / "shop.db")
    for customer in KNOWN:
        row = connection.execute("SELECT name, email FROM customers WHERE id = ?", (customer.id,)).fetchone()
        assert row == (customer.name, customer.email)
        orders = connection.execute("SELECT id, status FROM orders WHERE customer_id = ?", (customer.id,)).fetchall()
        assert set(orders) == {(order.id, order.status) for order in customer.orders}
    connection.close()


def test_records_are_built_anew_in_place_of_old_ones(tmp_path: Path) -> None:
    build(tmp_path, now=NOW)
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute("DELETE FROM orders")
    connection.commit()
    connection.close()
    build(tmp_path, now=NOW)
    connection = sqlite3.connect(tmp_path / "shop.db")
    assert connection.execute("SELECT count(*) FROM orders").fetchone() == (1500,)
    connection.close()


async def test_opening_without_records_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Build the playbook's fixtures"):
        await open_systems(tmp_path)


async def test_a_customer_is_verified_by_email_and_postcode_in_any_spelling(desk: Desk) -> None:
    value = await desk.call("verify_customer", email=" Mira.Okafor@Example.org ", postcode="10 435")
    verification = read_verification(value)
    assert verification is not None
    assert (verification.customer_id, verification.assurance) == ("C-1001", 2)


async def test_a_customer_is_verified_by_an_order_of_theirs(desk: Desk) -> None:
    value = await desk.call("verify_customer", order_id="21102", postcode="69001", name="amelie laurent")
    assert value["customer_id"] == "C-1003"


@pytest.mark.parametrize(
    "given",
    [
        {"postcode": "10435"},
        {"email": "mira.okafor@example.org", "postcode": "99999"},
        {"email": "nobody@example.org", "postcode": "10435"},
        {"order_id": "20731", "postcode": "10435"},
        {"order_id": "99999", "postcode": "10435"},
        {"email": "mira.okafor@example.org", "order_id": "20731", "postcode": "10435"},
        {"email": "mira.okafor@example.org", "postcode": "10435", "name": "Jonas Lindqvist"},
        {"email": "' OR 1=1 --", "postcode": "10435"},
        {"email": "%@%", "postcode": "%%"},
    ],
)
async def test_p7_a_failed_check_never_says_what_was_wrong(desk: Desk, given: dict[str, Json]) -> None:
    with pytest.raises(ToolRefused) as refused:
        await desk.call("verify_customer", customer="", **given)
    assert (refused.value.code, str(refused.value)) == ("not_verified", "These details don't belong together.")


async def test_p7_orders_are_listed_for_the_verified_customer_only(desk: Desk) -> None:
    listed = await desk.call("list_orders", customer="C-1002")
    assert isinstance(listed["orders"], list)
    assert {order["order_id"] for order in listed["orders"]} == {"20731", "20592", "20105"}  # type: ignore[index, call-overload]  # a listed order is a map
    with pytest.raises(ToolRefused, match="Nobody was verified"):
        await desk.call("list_orders", customer="")


async def test_an_order_on_its_way_shows_carrier_tracking_number_and_expected_day(desk: Desk) -> None:
    parcel = await desk.call("track_shipment", order_id="20731")
    assert parcel["status"] == "in_transit"
    assert parcel["tracking_number"]
    assert parcel["eta"] == (NOW + timedelta(days=2)).date().isoformat()
    with pytest.raises(ToolRefused) as refused:
        await desk.call("track_shipment", order_id="21102")
    assert refused.value.code == "not_shipped"


async def test_a_quote_is_what_came_back_at_its_price(desk: Desk) -> None:
    quote = await desk.call("quote_refund", order_id="20418")
    assert quote["amount"] == {"amount_minor": 14890, "currency": "EUR"}
    assert (quote["reason"], quote["method"], quote["item_ids"]) == ("returned", "card ending 4417", ["20418-1"])


async def test_a_quote_for_an_order_that_was_not_sent_back_is_nothing(desk: Desk) -> None:
    quote = await desk.call("quote_refund", order_id="20866")
    assert (quote["reason"], quote["item_ids"]) == ("none", [])
    claimed = await desk.call("quote_refund", order_id="20866", claim="damaged")
    assert (claimed["reason"], claimed["amount"]) == ("damaged", {"amount_minor": 7985, "currency": "EUR"})


async def test_a_lost_parcel_is_due_in_full_or_by_the_item(desk: Desk) -> None:
    whole = await desk.call("quote_refund", order_id="20955")
    assert (whole["reason"], whole["amount"]) == ("lost", {"amount_minor": 17480, "currency": "EUR"})
    part = await desk.call("quote_refund", order_id="20955", item_ids=["20955-2"])
    assert part["amount"] == {"amount_minor": 5490, "currency": "EUR"}


async def test_a_refund_is_booked_and_can_be_found_by_its_key(desk: Desk) -> None:
    arguments: dict[str, Json] = {
        "order_id": "20418",
        "item_ids": ["20418-1"],
        "amount_minor": 14890,
        "currency": "EUR",
        "reason": "returned",
    }
    spec = REGISTRY.get("refund_order")
    assert spec.probe is not None
    assert await spec.probe(arguments, desk.context("key-7", "C-1001")) is None
    refund = await desk.call("refund_order", key="key-7", **arguments)
    assert (refund["status"], refund["amount"]) == ("issued", {"amount_minor": 14890, "currency": "EUR"})
    found = await spec.probe(arguments, desk.context("key-7", "C-1001"))
    assert found is not None
    assert found.value == refund
    assert await spec.probe(arguments, desk.context("key-8", "C-1001")) is None
    assert desk.rows("shop.db", "SELECT status FROM orders WHERE id = '20418'") == [("refunded",)]
    facts = await desk.facts("refund_order", **arguments)
    assert (facts["refund.due_minor"], facts["refund.refundable_minor"]) == (0, 0)
    assert facts["refund.all_items_due"] is False


async def test_p2_the_payment_provider_itself_books_a_repeated_refund_twice(desk: Desk) -> None:
    arguments: dict[str, Json] = {
        "order_id": "20418",
        "item_ids": ["20418-1"],
        "amount_minor": 14890,
        "currency": "EUR",
        "reason": "returned",
    }
    await desk.call("refund_order", **arguments)
    await desk.call("refund_order", **arguments)
    assert desk.rows("payments.db", "SELECT count(*) FROM refunds WHERE order_id = '20418'") == [(2,)]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"order_id": "99999"}, "not_found"),
        ({"item_ids": ["20731-1"]}, "unknown_item"),
        ({"currency": "SEK"}, "wrong_currency"),
        ({"order_id": "21102", "item_ids": ["21102-1"]}, "not_captured"),
    ],
)
async def test_a_refused_refund_leaves_no_trace(desk: Desk, changes: dict[str, Json], code: str) -> None:
    before = dump(desk.directory / "payments.db")
    arguments = {"order_id": "20418", "item_ids": ["20418-1"], "amount_minor": 1, "currency": "EUR", "reason": "lost"}
    with pytest.raises(ToolRefused) as refused:
        await desk.call("refund_order", **(arguments | changes))
    assert refused.value.code == code
    assert dump(desk.directory / "payments.db") == before


async def test_cancelling_gives_back_what_was_taken_in_the_same_step(desk: Desk) -> None:
    done = await desk.call("cancel_order", order_id="21063", key="key-9")
    assert (done["payment"], done["refunded"]) == ("refunded", {"amount_minor": 9990, "currency": "EUR"})
    assert desk.rows("payments.db", "SELECT amount_minor, reason FROM refunds WHERE order_id = '21063'") == [
        (9990, "cancelled")
    ]
    probe = REGISTRY.get("cancel_order").probe
    assert probe is not None
    found = await probe({"order_id": "21063"}, desk.context("key-9", "C-1005"))
    assert found is not None
    assert found.value == done
    with pytest.raises(ToolRefused) as refused:
        await desk.call("cancel_order", order_id="21063", key="key-10")
    assert refused.value.code == "already_cancelled"


async def test_cancelling_before_the_charge_releases_the_reservation(desk: Desk) -> None:
    done = await desk.call("cancel_order", order_id="21102")
    assert done["payment"] == "released"
    assert desk.rows("payments.db", "SELECT status FROM payments WHERE order_id = '21102'") == [("voided",)]
    assert desk.rows("payments.db", "SELECT count(*) FROM refunds WHERE order_id = '21102'") == [(0,)]


async def test_an_order_that_is_packed_can_neither_be_cancelled_nor_redirected(desk: Desk) -> None:
    with pytest.raises(ToolRefused) as cancel:
        await desk.call("cancel_order", order_id="21188")
    address: dict[str, Json] = {"street": "Via Roma 1", "city": "Turin", "postcode": "10121"}
    with pytest.raises(ToolRefused) as change:
        await desk.call("change_shipping_address", order_id="21188", address=address)
    assert (cancel.value.code, change.value.code) == ("too_late", "already_shipped")


async def test_p2_a_repeated_address_change_changes_nothing_the_second_time(desk: Desk) -> None:
    address: dict[str, Json] = {"street": "8 rue Mercière", "line2": "Apt 3", "city": "Lyon", "postcode": "69002"}
    first = await desk.call("change_shipping_address", order_id="21102", address=address, key="key-a")
    second = await desk.call("change_shipping_address", order_id="21102", address=address, key="key-a")
    assert first == second
    assert first["address"] == {"street": "8 rue Mercière, Apt 3", "postcode": "69002", "city": "Lyon", "country": "FR"}
    assert desk.rows("shop.db", "SELECT count(*) FROM effects WHERE record = '21102'") == [(1,)]


@pytest.mark.parametrize(
    ("address", "supported", "valid"),
    [
        ({"street": "Hauptstrasse 1", "city": "Bern", "postcode": "3011", "country": "Switzerland"}, False, False),
        ({"street": "Elm Street 4", "city": "Berlin", "postcode": "10115", "country": "Germany"}, True, True),
        ({"street": "Elm Street 4", "city": "Berlin", "postcode": "1011", "country": "DE"}, True, False),
        ({"street": "rue 1", "city": "Lyon", "postcode": "69 002"}, True, True),
        ({"street": "Calle 1", "city": "Porto", "postcode": "4050-123", "country": "portugal"}, True, True),
    ],
)
async def test_an_address_is_checked_by_country_and_postcode(
    desk: Desk, address: dict[str, Json], supported: bool, valid: bool
) -> None:
    facts = await desk.facts("change_shipping_address", order_id="21102", address=address)
    assert facts["address.country_supported"] is supported
    assert facts["address.postcode_valid"] is valid
    assert facts["address.complete"] is True


async def test_p7_an_order_that_does_not_exist_belongs_to_nobody(desk: Desk) -> None:
    assert await desk.facts("get_order", order_id="#W8665881") == {"owner.customer_id": ""}
    assert (await desk.facts("get_order", order_id="20731"))["owner.customer_id"] == "C-1002"


async def test_facts_count_the_refunds_of_the_last_ninety_days(desk: Desk) -> None:
    facts = await desk.facts(
        "refund_order", order_id="20812", item_ids=["20812-1"], amount_minor=2490, currency="EUR", reason="returned"
    )
    assert facts["refund.count_90d"] == 3
    assert facts["refund.due_minor"] == 2490


async def test_goods_that_cannot_be_returned_are_not_part_of_a_quote_for_returned_ones(desk: Desk) -> None:
    connection = sqlite3.connect(desk.directory / "shop.db")
    connection.execute("INSERT INTO returns VALUES ('R-20780', '20780', 'received', 'x', ?, ?)", (NOW.isoformat(),) * 2)
    connection.executemany("INSERT INTO return_items VALUES ('R-20780', ?)", [("20780-1",), ("20780-2",)])
    connection.commit()
    connection.close()
    assert (await desk.call("quote_refund", order_id="20780"))["item_ids"] == ["20780-2"]
