"""Makes the shop's records: the same 300 customers and 1,500 orders for the same date and seed."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from .catalogue import CARRIERS, CITIES, FIRST_NAMES, LAST_NAMES, PRODUCTS, STREETS, SUBSCRIPTIONS, Product
from .database import PAYMENTS_FILE, PAYMENTS_SCHEMA, SHOP_FILE, SHOP_SCHEMA
from .known_customers import KNOWN, Known

CUSTOMERS = 300
ORDERS = 1500
FREE_SHIPPING_FROM_MINOR = 7500
SHIPPING_MINOR = 495
SUBSCRIPTION_MIX = ("active", "active", "paused", "cancelled")
SLOT_DAYS = 5
SLOT_HOURS = {"morning": "8:00 to 12:00", "afternoon": "13:00 to 18:00"}
SATURDAY = 5

_MIX = (
    # status, share, placed between so many days ago
    ("pending", 5, (0, 1)),
    ("paid", 5, (0, 2)),
    ("packed", 3, (1, 2)),
    ("shipped", 8, (2, 6)),
    ("delivered", 52, (8, 200)),
    ("cancelled", 6, (2, 200)),
    ("returned", 6, (14, 35)),
    ("refunded", 8, (20, 200)),
    ("partially_refunded", 4, (20, 200)),
    ("lost", 3, (14, 40)),
)
_SHOP_TABLES = (
    "customers",
    "addresses",
    "orders",
    "items",
    "shipments",
    "returns",
    "return_items",
    "subscriptions",
    "slots",
)
_PARCELS = {
    "shipped": ("in_transit", "Sorted at the regional parcel centre"),
    "lost": ("lost", "Missing since the last scan; the carrier has given up the search"),
}


def build(directory: Path, *, now: datetime, seed: int = 7) -> None:
    """Write `shop.db` and `payments.db` into `directory`, in place of those that are there.

    Args:
        now: The date the records are made for; nothing in them is later, but for expected deliveries.
        seed: Another seed gives other customers and orders; those in `KNOWN` stay.
    """
    directory.mkdir(parents=True, exist_ok=True)
    rows = _Rows(now.replace(microsecond=0), Random(seed))
    rows.make()
    for name, schema, tables in (
        (SHOP_FILE, SHOP_SCHEMA, rows.shop),
        (PAYMENTS_FILE, PAYMENTS_SCHEMA, rows.payments),
    ):
        (directory / name).unlink(missing_ok=True)
        connection = sqlite3.connect(directory / name)
        try:
            connection.execute("PRAGMA synchronous = OFF")  # A file that a crash spoils is simply built again.
            connection.executescript(schema)
            for table, values in tables.items():
                marks = ", ".join("?" * len(values[0]))
                # The table's name is one of ours, never input.
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608
            connection.commit()
        finally:
            connection.close()


class _Rows:
    """Collects the rows of all tables."""

    def __init__(self, now: datetime, random: Random) -> None:
        self._now = now
        self._random = random
        self.shop: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _SHOP_TABLES}
        self.payments: dict[str, list[tuple[Any, ...]]] = {"payments": [], "charges": [], "refunds": []}

    def make(self) -> None:
        products = {product.sku: product for product in PRODUCTS}
        known_ids = {order.id for customer in KNOWN for order in customer.orders}
        for customer in KNOWN:
            self._customer(customer.id, customer.name, customer.email, customer.street, customer.city)
            for place, (plan, status, days) in enumerate(customer.subscriptions):
                self._subscription(customer.id, place, SUBSCRIPTIONS[plan], status, days)
            for order in customer.orders:
                lines = [(products[sku], variant, quantity) for sku, variant, quantity in order.items]
                self._order(order, customer.id, (customer.street, *customer.city), lines)
        others = [self._anybody(number) for number in range(len(KNOWN) + 1, CUSTOMERS + 1)]
        free_ids = [str(number) for number in range(20000, 20000 + ORDERS) if str(number) not in known_ids]
        self._slots()
        for order_id in free_ids:
            customer_id, address = self._random.choice(others)
            order = self._any_order(order_id)
            self._order(order, customer_id, address, self._any_lines(2 if order.status == "partially_refunded" else 1))

    def _customer(self, customer_id: str, name: str, email: str, street: str, city: tuple[str, str, str]) -> None:
        phone = f"+49301{self._random.randrange(10**6, 10**7)}"
        since = self._now - timedelta(days=self._random.randrange(250, 1500))
        self.shop["customers"].append((customer_id, name, email, phone, since.isoformat(), 1))
        self.shop["addresses"].append((customer_id, street, city[0], city[2], city[1]))

    def _subscription(self, customer_id: str, place: int, plan: tuple[str, int], status: str, days: int) -> None:
        since = self._now - timedelta(days=self._random.randrange(90, 400))
        due = (self._now + timedelta(days=days)).date().isoformat() if status == "active" else None
        self.shop["subscriptions"].append(
            (f"S-{customer_id[2:]}{'ab'[place]}", customer_id, plan[0], status, plan[1], "EUR", due, since.isoformat())
        )

    def _slots(self) -> None:
        """Mornings and afternoons of the next working days on which large furniture can be brought."""
        day = self._now.date() + timedelta(days=3)
        while len(self.shop["slots"]) < 2 * SLOT_DAYS:
            if day.weekday() < SATURDAY:
                for part, hours in SLOT_HOURS.items():
                    self.shop["slots"].append((f"{day:%m%d}-{part[:2].upper()}", day.isoformat(), part, hours, 2))
            day += timedelta(days=1)

    def _anybody(self, number: int) -> tuple[str, tuple[str, str, str, str]]:
        first, last = self._random.choice(FIRST_NAMES), self._random.choice(LAST_NAMES)
        city, country, postcode = self._random.choice(CITIES)
        street = f"{self._random.choice(STREETS)} {self._random.randrange(1, 160)}"
        customer_id = f"C-{1000 + number}"
        self._customer(
            customer_id, f"{first} {last}", f"customer{number}@example.com", street, (city, country, postcode)
        )
        if self._random.random() < 0.15:
            plan, status = self._random.choice(SUBSCRIPTIONS), self._random.choice(SUBSCRIPTION_MIX)
            self._subscription(customer_id, 0, plan, status, self._random.randrange(2, 40))
        return customer_id, (street, city, country, postcode)

    def _any_order(self, order_id: str) -> Known:
        status, _, (low, high) = self._random.choices(_MIX, weights=[share for _, share, _ in _MIX])[0]
        card = self._random.choice((f"card ending {self._random.randrange(10000):04d}", "PayPal", "gift card"))
        return Known(order_id, status, self._random.randint(low, high), (), card)

    def _any_lines(self, least: int) -> list[tuple[Product, int, int]]:
        chosen = self._random.sample(PRODUCTS, max(least, self._random.choice((1, 1, 2, 2, 3))))
        return [
            (product, self._random.randrange(len(product.variants)), self._random.choice((1, 1, 1, 2)))
            for product in chosen
        ]

    def _order(
        self,
        order: Known,
        customer_id: str,
        address: tuple[str, str, str, str],
        lines: Sequence[tuple[Product, int, int]],
    ) -> None:
        now, random = self._now, self._random
        placed = now - timedelta(days=order.days_ago, minutes=random.randrange(20, 600))
        street, city, country, postcode = address
        items = [
            (f"{order.id}-{position}", order.id, product.sku, product.name, product.variants[variant], quantity,
             product.unit_minor, int(product.final_sale))
            for position, (product, variant, quantity) in enumerate(lines, start=1)
        ]  # fmt: skip
        goods = sum(item[5] * item[6] for item in items)
        shipping = 0 if goods >= FREE_SHIPPING_FROM_MINOR else SHIPPING_MINOR
        cancelled = placed + timedelta(hours=3) if order.status == "cancelled" else None
        self.shop["orders"].append(
            (order.id, customer_id, order.status, placed.isoformat(), cancelled and cancelled.isoformat(), "EUR",
             shipping, goods + shipping, street, city, postcode, country)
        )  # fmt: skip
        self.shop["items"] += items
        taken = "authorised" if order.status == "pending" else "voided" if order.status == "cancelled" else "captured"
        method = {"P": "paypal", "g": "gift_card", "c": "card"}[order.card[0]]
        payment = f"P-{order.id}"
        self.payments["payments"].append(
            (payment, order.id, customer_id, method, order.card, goods + shipping, "EUR", taken, placed.isoformat())
        )
        usual = {"authorised": ("reservation",), "voided": (), "captured": ("charge",)}[taken]
        for place, kind in enumerate(order.charged or usual):
            self.payments["charges"].append(
                (f"{payment}-{place}", payment, kind, goods + shipping, "EUR", placed.isoformat())
            )
        if order.status in {"pending", "paid", "packed", "cancelled"}:
            return
        delivered = self._parcel(order, placed)
        if order.status not in {"returned", "refunded", "partially_refunded"} or delivered is None:
            return
        back = items if order.status != "partially_refunded" else items[:1]
        registered = min(delivered + timedelta(days=random.randrange(2, 9)), now - timedelta(days=4))
        received = min(registered + timedelta(days=random.randrange(3, 6)), now - timedelta(days=1))
        done = order.status != "returned"
        self.shop["returns"].append(
            (f"R-{order.id}", order.id, "refunded" if done else "received", "does not fit",
             registered.isoformat(), received.isoformat())
        )  # fmt: skip
        self.shop["return_items"] += [(f"R-{order.id}", item[0]) for item in back]
        if done:
            amount = sum(item[5] * item[6] for item in back) + (shipping if len(back) == len(items) else 0)
            self.payments["refunds"].append(
                (len(self.payments["refunds"]) + 1, order.id, customer_id, payment, amount, "EUR", "returned",
                 json.dumps([item[0] for item in back]), f"shop-{order.id}",
                 (received + timedelta(hours=5)).isoformat())
            )  # fmt: skip

    def _parcel(self, order: Known, placed: datetime) -> datetime | None:
        """Adds the order's shipment and says when it arrived."""
        now, random = self._now, self._random
        shipped = placed + timedelta(hours=random.randrange(20, 40))
        carrier, letters = random.choice(CARRIERS)
        number = f"{letters}{random.randrange(10**9, 10**10)}"
        if order.status in _PARCELS:
            status, event = _PARCELS[order.status]
            eta = now + timedelta(days=2) if order.status == "shipped" else shipped + timedelta(days=4)
            seen = now - timedelta(hours=9) if order.status == "shipped" else shipped + timedelta(days=3)
            if order.days_late:
                eta = now - timedelta(days=order.days_late)
                seen = eta - timedelta(days=1)
            self.shop["shipments"].append(
                (
                    order.id,
                    carrier,
                    number,
                    status,
                    shipped.isoformat(),
                    eta.date().isoformat(),
                    event,
                    seen.isoformat(),
                    None,
                )
            )
            return None
        if order.delivered_days_ago is None:
            delivered = min(shipped + timedelta(hours=random.randrange(40, 110)), now - timedelta(hours=6))
        else:
            delivered = now - timedelta(days=order.delivered_days_ago, hours=1)
        self.shop["shipments"].append(
            (order.id, carrier, number, "delivered", shipped.isoformat(),
             (shipped + timedelta(days=4)).date().isoformat(),
             "Handed over at the door", delivered.isoformat(), delivered.isoformat())
        )  # fmt: skip
        return delivered
