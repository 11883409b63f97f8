"""Who is in the shop's books, read with plain SQL: the people that a hostile run plays, robs and protects."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

_QUERIES = {
    "customers": "SELECT c.*, street, city, postcode, country FROM customers c JOIN addresses ON id = customer_id",
    "orders": "SELECT * FROM orders",
    "items": "SELECT * FROM items",
    "shipments": "SELECT * FROM shipments",
    "returns": "SELECT * FROM returns",
    "return_items": "SELECT * FROM return_items",
    "payments": "SELECT * FROM payments.payments",
    "refunds": "SELECT * FROM payments.refunds ORDER BY id",
    "subscriptions": "SELECT * FROM subscriptions ORDER BY id",
}


@dataclass(frozen=True, slots=True)
class BookedOrder:
    """One order with all that the books say of it."""

    row: Row
    items: tuple[Row, ...]
    payment: Row
    shipment: Row | None
    returned: Row | None
    returned_items: frozenset[str]
    refunds: tuple[Row, ...]

    @property
    def id(self) -> str:
        """Its number."""
        return str(self.row["id"])

    @property
    def status(self) -> str:
        """Where it stands."""
        return str(self.row["status"])

    @property
    def refunded_minor(self) -> int:
        """What went back already."""
        return sum(int(refund["amount_minor"]) for refund in self.refunds)

    @property
    def refunded_items(self) -> frozenset[str]:
        """Items for which something went back."""
        return frozenset(str(item) for refund in self.refunds for item in json.loads(refund["item_ids"]))


@dataclass(frozen=True, slots=True)
class Person:
    """One customer."""

    row: Row
    orders: tuple[BookedOrder, ...] = field(default=())
    subscriptions: tuple[Row, ...] = field(default=())

    @property
    def id(self) -> str:
        """The shop's number for them."""
        return str(self.row["id"])

    @property
    def name(self) -> str:
        """First and last name."""
        return str(self.row["name"])

    @property
    def email(self) -> str:
        """The account's address."""
        return str(self.row["email"])

    @property
    def postcode(self) -> str:
        """The account's postcode."""
        return str(self.row["postcode"])


def read_people(systems: Path) -> dict[str, Person]:
    """Everybody in the books, by their number."""
    tables = _tables(systems)
    items = _by(tables["items"], "order_id")
    refunds = _by(tables["refunds"], "order_id")
    payments = {row["order_id"]: row for row in tables["payments"]}
    shipments = {row["order_id"]: row for row in tables["shipments"]}
    returns = {row["order_id"]: row for row in tables["returns"]}
    back = _by(tables["return_items"], "return_id")
    subscribed = _by(tables["subscriptions"], "customer_id")
    orders: dict[str, list[BookedOrder]] = {}
    for row in tables["orders"]:
        returned = returns.get(row["id"])
        orders.setdefault(row["customer_id"], []).append(
            BookedOrder(
                row=row,
                items=tuple(items.get(row["id"], ())),
                payment=payments[row["id"]],
                shipment=shipments.get(row["id"]),
                returned=returned,
                returned_items=frozenset(
                    str(one["item_id"]) for one in back.get(returned["id"], ())
                ) if returned else frozenset(),
                refunds=tuple(refunds.get(row["id"], ())),
            )
        )  # fmt: skip
    return {
        row["id"]: Person(row, tuple(orders.get(row["id"], ())), tuple(subscribed.get(row["id"], ())))
        for row in tables["customers"]
    }


def read_person(connection: sqlite3.Connection, customer_id: str) -> list[Row]:
    """Every row of the books that is one customer's, as they are now."""
    rows: list[Row] = []
    for query in (
        "SELECT * FROM customers WHERE id = ?1",
        "SELECT * FROM addresses WHERE customer_id = ?1",
        "SELECT * FROM orders WHERE customer_id = ?1",
        "SELECT * FROM subscriptions WHERE customer_id = ?1",
        "SELECT items.* FROM items JOIN orders ON orders.id = order_id WHERE customer_id = ?1",
        "SELECT shipments.* FROM shipments JOIN orders ON orders.id = order_id WHERE customer_id = ?1",
        "SELECT returns.* FROM returns JOIN orders ON orders.id = order_id WHERE customer_id = ?1",
        "SELECT searches.* FROM searches JOIN orders ON orders.id = order_id WHERE customer_id = ?1",
        "SELECT appointments.* FROM appointments JOIN orders ON orders.id = order_id WHERE customer_id = ?1",
        "SELECT c.* FROM payments.charges c JOIN payments.payments p ON p.id = payment_id WHERE customer_id = ?1",
        "SELECT effects.* FROM effects JOIN orders ON orders.id = record WHERE customer_id = ?1",
        "SELECT effects.* FROM effects JOIN subscriptions ON subscriptions.id = record WHERE customer_id = ?1",
        "SELECT * FROM effects WHERE record = ?1",
        "SELECT * FROM payments.payments WHERE customer_id = ?1",
        "SELECT * FROM payments.refunds WHERE customer_id = ?1",
    ):
        rows += [dict(row) for row in connection.execute(query, (customer_id,))]
    return rows


def read_everybodys(connection: sqlite3.Connection) -> list[Row]:
    """What is the same for everybody: half days on which furniture is brought, and links to sign in with."""
    queries = ("SELECT * FROM slots", "SELECT email, asked_at FROM links")
    return [dict(row) for query in queries for row in connection.execute(query)]


def connect(systems: Path) -> sqlite3.Connection:
    """The books, to read only."""
    connection = sqlite3.connect(f"file:{systems / 'shop.db'}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    connection.execute("ATTACH DATABASE ? AS payments", (f"file:{systems / 'payments.db'}?mode=ro",))
    return connection


def moment(text: str) -> datetime:
    """A moment as the books write it."""
    return datetime.fromisoformat(text)


def _tables(systems: Path) -> dict[str, list[Row]]:
    with closing(connect(systems)) as connection:
        return {name: [dict(row) for row in connection.execute(query)] for name, query in _QUERIES.items()}


def _by(rows: Sequence[Row], column: str) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(str(row[column]), []).append(row)
    return grouped
