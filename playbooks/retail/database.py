"""The shop's two SQLite files, opened together so that one transaction can span orders and payments."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tools.errors import ToolUnavailable

T = TypeVar("T")

SHOP_FILE = "shop.db"
PAYMENTS_FILE = "payments.db"

SHOP_SCHEMA = """
CREATE TABLE customers (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, phone TEXT NOT NULL, since TEXT NOT NULL,
    revision INTEGER NOT NULL
);
CREATE TABLE addresses (
    customer_id TEXT PRIMARY KEY REFERENCES customers (id),
    street TEXT NOT NULL, city TEXT NOT NULL, postcode TEXT NOT NULL, country TEXT NOT NULL
);
CREATE TABLE orders (
    id TEXT PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customers (id), status TEXT NOT NULL,
    placed_at TEXT NOT NULL, cancelled_at TEXT, currency TEXT NOT NULL,
    shipping_minor INTEGER NOT NULL, total_minor INTEGER NOT NULL,
    street TEXT NOT NULL, city TEXT NOT NULL, postcode TEXT NOT NULL, country TEXT NOT NULL
);
CREATE INDEX orders_of_customer ON orders (customer_id, placed_at);
CREATE TABLE items (
    id TEXT PRIMARY KEY, order_id TEXT NOT NULL REFERENCES orders (id), sku TEXT NOT NULL, name TEXT NOT NULL,
    variant TEXT NOT NULL, quantity INTEGER NOT NULL, unit_minor INTEGER NOT NULL, final_sale INTEGER NOT NULL
);
CREATE INDEX items_of_order ON items (order_id);
CREATE TABLE shipments (
    order_id TEXT PRIMARY KEY REFERENCES orders (id), carrier TEXT NOT NULL, tracking_number TEXT NOT NULL,
    status TEXT NOT NULL, shipped_at TEXT NOT NULL, eta TEXT NOT NULL, last_event TEXT NOT NULL,
    last_event_at TEXT NOT NULL, delivered_at TEXT
);
CREATE TABLE returns (
    id TEXT PRIMARY KEY, order_id TEXT NOT NULL UNIQUE REFERENCES orders (id), status TEXT NOT NULL,
    reason TEXT NOT NULL, registered_at TEXT NOT NULL, received_at TEXT
);
CREATE TABLE return_items (
    return_id TEXT NOT NULL REFERENCES returns (id), item_id TEXT NOT NULL REFERENCES items (id),
    PRIMARY KEY (return_id, item_id)
);
CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customers (id), plan TEXT NOT NULL, status TEXT NOT NULL,
    price_minor INTEGER NOT NULL, currency TEXT NOT NULL, next_delivery TEXT, since TEXT NOT NULL
);
CREATE TABLE searches (
    order_id TEXT PRIMARY KEY REFERENCES orders (id), kind TEXT NOT NULL, status TEXT NOT NULL, opened_at TEXT NOT NULL
);
CREATE TABLE slots (
    id TEXT PRIMARY KEY, day TEXT NOT NULL, part TEXT NOT NULL, hours TEXT NOT NULL, capacity INTEGER NOT NULL
);
CREATE TABLE appointments (
    order_id TEXT PRIMARY KEY REFERENCES orders (id), slot_id TEXT NOT NULL REFERENCES slots (id),
    booked_at TEXT NOT NULL
);
CREATE TABLE links (
    id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL, customer_id TEXT, reference TEXT NOT NULL,
    asked_at TEXT NOT NULL
);
CREATE TABLE effects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, record TEXT NOT NULL, reference TEXT NOT NULL,
    at TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX effects_by_reference ON effects (reference);
"""
"""`effects` has one row per change that was made, so that a change made twice can be counted. A customer's `revision`
goes up with each change of their details. `links` has one row per request for a sign-in link; only one with a customer
was sent."""

PAYMENTS_SCHEMA = """
CREATE TABLE payments (
    id TEXT PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, customer_id TEXT NOT NULL, method TEXT NOT NULL,
    label TEXT NOT NULL, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, status TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE charges (
    id TEXT PRIMARY KEY, payment_id TEXT NOT NULL REFERENCES payments (id), kind TEXT NOT NULL,
    amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, at TEXT NOT NULL
);
CREATE INDEX charges_of_payment ON charges (payment_id);
CREATE TABLE refunds (
    id INTEGER PRIMARY KEY AUTOINCREMENT, order_id TEXT NOT NULL, customer_id TEXT NOT NULL, payment_id TEXT NOT NULL,
    amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, reason TEXT NOT NULL, item_ids TEXT NOT NULL,
    reference TEXT NOT NULL, created_at TEXT NOT NULL
);
CREATE INDEX refunds_of_order ON refunds (order_id);
CREATE INDEX refunds_of_customer ON refunds (customer_id, created_at);
CREATE INDEX refunds_by_reference ON refunds (reference);
"""
"""A charge is a `reservation` or a `charge`; two charges of one payment are a mistake of the provider's. A refund's
`reference` is the merchant's own and isn't unique: the provider books what it is told, each time."""


def connect(directory: Path) -> sqlite3.Connection:
    """Open both files: orders as `main`, payments attached as `payments`.

    The rollback journal stays (no WAL): only with it is a commit over two files atomic.

    Raises:
        FileNotFoundError: One of the files isn't there.
    """
    for name in (SHOP_FILE, PAYMENTS_FILE):
        if not (directory / name).is_file():
            raise FileNotFoundError(f"No {name} in the data directory. Build the playbook's fixtures there first.")
    connection = sqlite3.connect(
        f"file:{directory / SHOP_FILE}?mode=rw", uri=True, timeout=5.0, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    connection.execute("ATTACH DATABASE ? AS payments", (f"file:{directory / PAYMENTS_FILE}?mode=rw",))
    return connection


class Database:
    """A connection and the one thread that uses it."""

    def __init__(self, directory: Path) -> None:
        self._connection = connect(directory)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="retail")

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on one consistent state of both files."""
        return await self._run(work, begin="BEGIN")

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction; nothing of it stays if it raises."""
        return await self._run(work, begin="BEGIN IMMEDIATE")

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[sqlite3.Connection], T], *, begin: str) -> T:
        def transaction() -> T:
            try:
                self._connection.execute(begin)
            except sqlite3.OperationalError as error:
                raise ToolUnavailable("The shop's records are busy or out of reach. Try again later.") from error
            try:
                result = work(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return result

        return await asyncio.get_running_loop().run_in_executor(self._thread, transaction)
