"""The shop's accounts: contact details, subscriptions, and the links that customers sign in with."""

import sqlite3
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from tools.errors import ToolRefused

from .database import Database
from .effects import effect_of, record_effect


@dataclass(frozen=True, slots=True)
class Account:
    """A customer's own details."""

    customer_id: str
    name: str
    email: str
    phone: str
    revision: int
    """Goes up with each change."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Goods that come again and again."""

    id: str
    customer_id: str
    plan: str
    status: str
    """active, paused, cancelled."""
    price_minor: int
    currency: str
    next_delivery: date | None


class Accounts:
    """Who the customers are and what they subscribed to."""

    name = "accounts"

    def __init__(self, directory: Path) -> None:
        self._database = Database(directory)

    async def close(self) -> None:
        await self._database.close()

    async def account(self, customer_id: str) -> Account | None:
        """The customer's details as recorded now."""
        return await self._database.read(lambda connection: _account(connection, customer_id))

    async def change_phone(
        self, customer_id: str, *, revision: int, phone: str, reference: str, now: datetime
    ) -> Account:
        """Change the phone number; a repeated `reference` changes nothing and answers as the first time.

        Args:
            revision: The one that the change was made up from; with another one nothing is changed.

        Raises:
            ToolRefused: "not_found"; "outdated".
        """

        def work(connection: sqlite3.Connection) -> Account:
            account = _account(connection, customer_id)
            if account is None:
                raise ToolRefused("not_found", "There is no such customer.")
            if effect_of(connection, "contact", reference) is not None:
                return account
            if account.revision != revision:
                raise ToolRefused("outdated", "The details were changed meanwhile.")
            connection.execute(
                "UPDATE customers SET phone = ?, revision = ? WHERE id = ?", (phone, revision + 1, customer_id)
            )
            record_effect(connection, "contact", customer_id, reference, now, {"changed": "phone"})
            return replace(account, phone=phone, revision=revision + 1)

        return await self._database.write(work)

    async def subscriptions_of(self, customer_id: str) -> list[Subscription]:
        """All of a customer's subscriptions, ended ones too."""

        def work(connection: sqlite3.Connection) -> list[Subscription]:
            rows = connection.execute("SELECT * FROM subscriptions WHERE customer_id = ? ORDER BY id", (customer_id,))
            return [_subscription(row) for row in rows.fetchall()]

        return await self._database.read(work)

    async def subscription(self, subscription_id: str) -> Subscription | None:
        """One subscription, whosever it is."""

        def work(connection: sqlite3.Connection) -> Subscription | None:
            row = connection.execute("SELECT * FROM subscriptions WHERE id = ?", (subscription_id,)).fetchone()
            return None if row is None else _subscription(row)

        return await self._database.read(work)

    async def end_subscription(self, subscription_id: str, *, reference: str, now: datetime) -> Subscription:
        """End a subscription; a repeated `reference` changes nothing and answers as the first time.

        Raises:
            ToolRefused: "not_found"; "already_ended".
        """

        def work(connection: sqlite3.Connection) -> Subscription:
            row = connection.execute("SELECT * FROM subscriptions WHERE id = ?", (subscription_id,)).fetchone()
            if row is None:
                raise ToolRefused("not_found", "There is no such subscription.")
            if effect_of(connection, "subscription_end", reference) is not None:
                return _subscription(row)
            if row["status"] == "cancelled":
                raise ToolRefused("already_ended", "It has ended already.")
            connection.execute(
                "UPDATE subscriptions SET status = 'cancelled', next_delivery = NULL WHERE id = ?", (subscription_id,)
            )
            record_effect(connection, "subscription_end", subscription_id, reference, now, {"was": row["status"]})
            return _subscription(
                connection.execute("SELECT * FROM subscriptions WHERE id = ?", (subscription_id,)).fetchone()
            )

        return await self._database.write(work)

    async def send_link(self, email: str, *, reference: str, now: datetime) -> None:
        """Send a link to sign in with, if the address belongs to a customer. Nobody is told whether it does.

        Like many mail systems this one sends what it is told, each time it is told.
        """
        address = email.strip().lower()

        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute("SELECT id FROM customers WHERE email = ?", (address,)).fetchone()
            connection.execute(
                "INSERT INTO links (email, customer_id, reference, asked_at) VALUES (?, ?, ?, ?)",
                (address, row["id"] if row else None, reference, now.isoformat()),
            )

        await self._database.write(work)

    async def was_asked(self, *, reference: str) -> bool:
        """Whether a link was asked for under this reference."""

        def work(connection: sqlite3.Connection) -> bool:
            return connection.execute("SELECT 1 FROM links WHERE reference = ?", (reference,)).fetchone() is not None

        return await self._database.read(work)


def _account(connection: sqlite3.Connection, customer_id: str) -> Account | None:
    row = connection.execute("SELECT * FROM customers WHERE id = ?", (customer_id,)).fetchone()
    if row is None:
        return None
    return Account(row["id"], row["name"], row["email"], row["phone"], row["revision"])


def _subscription(row: sqlite3.Row) -> Subscription:
    return Subscription(
        id=row["id"],
        customer_id=row["customer_id"],
        plan=row["plan"],
        status=row["status"],
        price_minor=row["price_minor"],
        currency=row["currency"],
        next_delivery=date.fromisoformat(row["next_delivery"]) if row["next_delivery"] else None,
    )
