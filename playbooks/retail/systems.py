"""The two systems of record behind the tools: the shop's order management and its payment provider."""

import json
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from policies.words import Json
from tools.errors import ToolRefused

from .database import Database
from .orders import Address, Order, load_order, order_ids_of


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer whose identity was checked."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Rerouting:
    """An order that goes elsewhere, and where it went before."""

    address: Address
    before: Address


@dataclass(frozen=True, slots=True)
class Cancellation:
    """An order that was cancelled, and the money that went back with it."""

    order_id: str
    refunded_minor: int
    currency: str
    method: str


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund in the payment provider's books."""

    id: str
    order_id: str
    amount_minor: int
    currency: str
    method: str
    item_ids: tuple[str, ...]
    reason: str
    created_at: datetime


class Shop:
    """Order management: customers, orders, parcels, returns."""

    name = "orders database"

    def __init__(self, directory: Path) -> None:
        self._database = Database(directory)

    async def close(self) -> None:
        await self._database.close()

    async def order(self, order_id: str) -> Order | None:
        """The order as recorded now, whosever it is."""
        return await self._database.read(lambda connection: load_order(connection, order_id))

    async def orders_of(self, customer_id: str, *, limit: int) -> list[Order]:
        """The customer's latest orders, newest first."""

        def work(connection: sqlite3.Connection) -> list[Order]:
            orders = [load_order(connection, order_id) for order_id in order_ids_of(connection, customer_id)[:limit]]
            return [order for order in orders if order is not None]

        return await self._database.read(work)

    async def identify(
        self, *, email: str | None, order_id: str | None, postcode: str, name: str | None
    ) -> Customer | None:
        """Find the one customer to whom everything that was given belongs; None if anything doesn't fit."""

        def work(connection: sqlite3.Connection) -> Customer | None:
            rows = connection.execute(
                "SELECT DISTINCT customers.id, customers.name, customers.email, addresses.postcode FROM customers"
                " JOIN addresses ON addresses.customer_id = customers.id"
                " LEFT JOIN orders ON orders.customer_id = customers.id"
                " WHERE (?1 IS NULL OR customers.email = ?1) AND (?2 IS NULL OR orders.id = ?2)"
                " AND NOT (?1 IS NULL AND ?2 IS NULL)",
                (None if email is None else email.strip().lower(), order_id),
            ).fetchall()
            fitting = [
                row
                for row in rows
                if _plain(row["postcode"]) == _plain(postcode) and (name is None or _same_name(name, row["name"]))
            ]
            return Customer(fitting[0]["id"], fitting[0]["name"]) if len(fitting) == 1 else None

        return await self._database.read(work)

    async def change_address(self, order_id: str, *, address: Address, reference: str, now: datetime) -> Rerouting:
        """Send an order elsewhere; a repeated `reference` changes nothing and answers as the first time.

        Raises:
            ToolRefused: "not_found", or "already_shipped" once the parcel is packed.
        """

        def work(connection: sqlite3.Connection) -> Rerouting:
            order = _existing(connection, order_id)
            known = _effect(connection, "address_change", reference)
            if known is not None:
                return Rerouting(address, before=Address(**json.loads(known["detail"])["before"]))
            if order.status not in {"pending", "paid"}:
                raise ToolRefused("already_shipped", "The order is packed or gone; its address can't be changed.")
            connection.execute(
                "UPDATE orders SET street = ?, city = ?, postcode = ?, country = ? WHERE id = ?",
                (address.street, address.city, address.postcode, address.country, order_id),
            )
            detail: dict[str, Json] = {**address.as_json(), "before": order.address.as_json()}
            _record(connection, "address_change", order_id, reference, now, detail)
            return Rerouting(address, before=order.address)

        return await self._database.write(work)

    async def cancel(self, order_id: str, *, reason: str, reference: str, now: datetime) -> Cancellation:
        """Cancel an order and give back what was paid for it, both or neither.

        Raises:
            ToolRefused: "not_found", "already_cancelled", or "too_late" once the order is packed.
        """

        def work(connection: sqlite3.Connection) -> Cancellation:
            order = _existing(connection, order_id)
            if order.status == "cancelled":
                raise ToolRefused("already_cancelled", "The order is cancelled already.")
            if order.status not in {"pending", "paid"}:
                raise ToolRefused("too_late", "The order is packed or gone; it can't be cancelled.")
            back = order.payment.refundable_minor
            connection.execute(
                "UPDATE orders SET status = 'cancelled', cancelled_at = ? WHERE id = ?", (now.isoformat(), order_id)
            )
            if back:
                _book_refund(
                    connection,
                    order,
                    back,
                    "cancelled",
                    [item.id for item in order.items],
                    reference=reference,
                    now=now,
                )
            else:
                connection.execute("UPDATE payments.payments SET status = 'voided' WHERE order_id = ?", (order_id,))
            detail: dict[str, Json] = {"reason": reason, "refunded_minor": back, "method": order.payment.label}
            _record(connection, "cancellation", order_id, reference, now, detail)
            return Cancellation(order_id, back, order.currency, order.payment.label)

        return await self._database.write(work)

    async def cancellation(self, order_id: str, *, reference: str) -> Cancellation | None:
        """The cancellation that was made under this reference, if it was."""

        def work(connection: sqlite3.Connection) -> Cancellation | None:
            effect = _effect(connection, "cancellation", reference)
            order = load_order(connection, order_id)
            if effect is None or order is None:
                return None
            detail = json.loads(effect["detail"])
            return Cancellation(order_id, detail["refunded_minor"], order.currency, detail["method"])

        return await self._database.read(work)

    async def effects(self, *, kind: str, record: str) -> int:
        """How many changes of this kind were made to this record."""
        return await self._database.read(
            lambda connection: connection.execute(
                "SELECT count(*) FROM effects WHERE kind = ? AND record = ?", (kind, record)
            ).fetchone()[0]
        )


class Payments:
    """The payment provider: what was paid, what went back."""

    name = "payments"

    def __init__(self, directory: Path) -> None:
        self._database = Database(directory)

    async def close(self) -> None:
        await self._database.close()

    async def order(self, order_id: str) -> Order | None:
        """The order with its payment as booked now."""
        return await self._database.read(lambda connection: load_order(connection, order_id))

    async def refund(
        self,
        order_id: str,
        *,
        amount_minor: int,
        currency: str,
        reason: str,
        item_ids: Sequence[str],
        reference: str,
        now: datetime,
    ) -> Refund:
        """Book a refund to the way the order was paid.

        Like many providers this one books what it is told, as often as it is told, and compares with nothing: that the
        sum stays within what is due, and that it is told once, is its caller's business.

        Raises:
            ToolRefused: "not_found"; "unknown_item"; "not_captured" if nothing was taken; "wrong_currency".
        """

        def work(connection: sqlite3.Connection) -> Refund:
            order = _existing(connection, order_id)
            if not set(item_ids) <= {item.id for item in order.items}:
                raise ToolRefused("unknown_item", "The order has no such item.")
            if order.payment.status != "captured":
                raise ToolRefused("not_captured", "No payment was taken for the order.")
            if order.currency != currency:
                raise ToolRefused("wrong_currency", "The order was paid in another currency.")
            number = _book_refund(connection, order, amount_minor, reason, item_ids, reference=reference, now=now)
            whole = order.payment.refunded_minor + amount_minor >= order.payment.amount_minor
            connection.execute(
                "UPDATE orders SET status = ? WHERE id = ?", ("refunded" if whole else "partially_refunded", order_id)
            )
            open_returned = (order.returned.item_ids if order.returned else frozenset()) - order.payment.refunded_items
            if open_returned and open_returned <= set(item_ids):
                connection.execute("UPDATE returns SET status = 'refunded' WHERE order_id = ?", (order_id,))
            return _refund(connection, number, order.payment.label)

        return await self._database.write(work)

    async def refund_by_reference(self, order_id: str, *, reference: str) -> Refund | None:
        """The first refund that was booked under this reference, if any was."""

        def work(connection: sqlite3.Connection) -> Refund | None:
            row = connection.execute(
                "SELECT id FROM payments.refunds WHERE reference = ? AND order_id = ? ORDER BY id",
                (reference, order_id),
            ).fetchone()
            order = load_order(connection, order_id)
            return None if row is None or order is None else _refund(connection, row["id"], order.payment.label)

        return await self._database.read(work)

    async def refunds_since(self, customer_id: str, *, since: datetime) -> tuple[int, int]:
        """How many refunds the customer had since then, and their sum in minor units."""

        def work(connection: sqlite3.Connection) -> tuple[int, int]:
            row = connection.execute(
                "SELECT count(*), coalesce(sum(amount_minor), 0) FROM payments.refunds"
                " WHERE customer_id = ? AND created_at >= ? AND reason <> 'cancelled'",
                (customer_id, since.isoformat()),
            ).fetchone()
            return row[0], row[1]

        return await self._database.read(work)

    async def refunds(self, *, order_id: str) -> int:
        """How many refunds are booked on the order."""
        return await self._database.read(
            lambda connection: connection.execute(
                "SELECT count(*) FROM payments.refunds WHERE order_id = ?", (order_id,)
            ).fetchone()[0]
        )


def _existing(connection: sqlite3.Connection, order_id: str) -> Order:
    order = load_order(connection, order_id)
    if order is None:
        raise ToolRefused("not_found", "There is no order of that number.")
    return order


def _effect(connection: sqlite3.Connection, kind: str, reference: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM effects WHERE kind = ? AND reference = ? ORDER BY id", (kind, reference)
    ).fetchone()
    return row


def _record(
    connection: sqlite3.Connection, kind: str, record: str, reference: str, now: datetime, detail: dict[str, Json]
) -> None:
    connection.execute(
        "INSERT INTO effects (kind, record, reference, at, detail) VALUES (?, ?, ?, ?, ?)",
        (kind, record, reference, now.isoformat(), json.dumps(detail)),
    )


def _book_refund(
    connection: sqlite3.Connection,
    order: Order,
    amount_minor: int,
    reason: str,
    item_ids: Sequence[str],
    *,
    reference: str,
    now: datetime,
) -> int:
    cursor = connection.execute(
        "INSERT INTO payments.refunds (order_id, customer_id, payment_id, amount_minor, currency, reason, item_ids,"
        " reference, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            order.id,
            order.customer_id,
            order.payment.id,
            amount_minor,
            order.currency,
            reason,
            json.dumps(list(item_ids)),
            reference,
            now.isoformat(),
        ),
    )
    assert cursor.lastrowid is not None  # noqa: S101  # an INSERT always sets it
    return cursor.lastrowid


def _refund(connection: sqlite3.Connection, number: int, method: str) -> Refund:
    row = connection.execute("SELECT * FROM payments.refunds WHERE id = ?", (number,)).fetchone()
    return Refund(
        id=f"RF-{row['id']:06d}",
        order_id=row["order_id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        method=method,
        item_ids=tuple(json.loads(row["item_ids"])),
        reason=row["reason"],
        created_at=datetime.fromisoformat(row["created_at"]),
    )


def _plain(text: str) -> str:
    return "".join(text.split()).replace("-", "").upper()


def _same_name(given: str, recorded: str) -> bool:
    return _fold(given) == _fold(recorded)


def _fold(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())
