"""Orders as the shop and its payment provider record them, read in one go."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import date, datetime

from policies.words import Json

from .catalogue import LARGE

STATUS_WORDS = {
    "pending": "received and waiting for payment to clear",
    "paid": "paid and waiting to be packed",
    "packed": "packed and waiting for the carrier",
    "shipped": "on its way",
    "delivered": "delivered",
    "cancelled": "cancelled",
    "returned": "returned to us",
    "refunded": "refunded",
    "partially_refunded": "partly refunded",
    "lost": "lost by the carrier",
}
"""Every status an order can have, and how a customer hears it."""

SHIPMENT_WORDS = {
    "label_created": "handed over to the carrier soon",
    "in_transit": "in transit",
    "out_for_delivery": "out for delivery",
    "delivered": "delivered",
    "lost": "lost by the carrier",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a parcel goes."""

    street: str
    city: str
    postcode: str
    country: str
    """ISO 3166 code of two letters."""

    def as_json(self) -> dict[str, Json]:
        return {"street": self.street, "postcode": self.postcode, "city": self.city, "country": self.country}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an order."""

    id: str
    sku: str
    name: str
    variant: str
    quantity: int
    unit_minor: int
    final_sale: bool

    @property
    def total_minor(self) -> int:
        return self.quantity * self.unit_minor

    @property
    def label(self) -> str:
        """ "2 × Linen shirt (M)"."""
        times = f"{self.quantity} × " if self.quantity > 1 else ""
        return f"{times}{self.name} ({self.variant})"


@dataclass(frozen=True, slots=True)
class Shipment:
    """A parcel and where the carrier last saw it."""

    carrier: str
    tracking_number: str
    status: str
    shipped_at: datetime
    eta: str
    """ISO date."""
    last_event: str
    last_event_at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Return:
    """Goods on their way back, or back."""

    id: str
    status: str
    """registered, in_transit, received, refunded, rejected."""
    reason: str
    registered_at: datetime
    received_at: datetime | None
    item_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Payment:
    """What was paid for an order, and what of it went back."""

    id: str
    label: str
    """For people: "card ending 4417"."""
    status: str
    """authorised, captured, voided."""
    amount_minor: int
    refunded_minor: int
    refunded_items: frozenset[str]

    @property
    def refundable_minor(self) -> int:
        """What was taken from the customer and not given back; never below 0."""
        return max(0, self.amount_minor - self.refunded_minor) if self.status == "captured" else 0


@dataclass(frozen=True, slots=True)
class Order:
    """One order with everything that hangs on it."""

    id: str
    customer_id: str
    status: str
    placed_at: datetime
    currency: str
    shipping_minor: int
    total_minor: int
    address: Address
    items: tuple[Item, ...]
    shipment: Shipment | None
    returned: Return | None
    payment: Payment

    @property
    def is_large(self) -> bool:
        """Whether anything of it is brought by two people, on a date that is agreed on."""
        return any(item.sku in LARGE for item in self.items)

    def days_late(self, now: datetime) -> int:
        """Whole days since the parcel was expected; 0 if it isn't late, or not on its way."""
        if self.shipment is None or self.status != "shipped":
            return 0
        return max(0, (now.date() - date.fromisoformat(self.shipment.eta)).days)

    def days_since_delivery(self, now: datetime) -> int:
        """Whole days since the parcel arrived; -1 if it hasn't."""
        if self.shipment is None or self.shipment.delivered_at is None:
            return -1
        return (now - self.shipment.delivered_at).days

    @property
    def return_days(self) -> int:
        """Whole days from delivery to the return's registration; -1 without a return."""
        if self.returned is None or self.shipment is None or self.shipment.delivered_at is None:
            return -1
        return (self.returned.registered_at - self.shipment.delivered_at).days


def load_order(connection: sqlite3.Connection, order_id: str) -> Order | None:
    """Read one order from both files; None if there is none of that number."""
    row = connection.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
    if row is None:
        return None
    items = connection.execute("SELECT * FROM items WHERE order_id = ? ORDER BY id", (order_id,)).fetchall()
    return Order(
        id=row["id"],
        customer_id=row["customer_id"],
        status=row["status"],
        placed_at=datetime.fromisoformat(row["placed_at"]),
        currency=row["currency"],
        shipping_minor=row["shipping_minor"],
        total_minor=row["total_minor"],
        address=Address(row["street"], row["city"], row["postcode"], row["country"]),
        items=tuple(
            Item(r["id"], r["sku"], r["name"], r["variant"], r["quantity"], r["unit_minor"], bool(r["final_sale"]))
            for r in items
        ),
        shipment=_load_shipment(connection, order_id),
        returned=_load_return(connection, order_id),
        payment=_load_payment(connection, order_id),
    )


def order_ids_of(connection: sqlite3.Connection, customer_id: str) -> list[str]:
    """The customer's orders, newest first."""
    rows = connection.execute(
        "SELECT id FROM orders WHERE customer_id = ? ORDER BY placed_at DESC, id DESC", (customer_id,)
    )
    return [row["id"] for row in rows]


def _load_shipment(connection: sqlite3.Connection, order_id: str) -> Shipment | None:
    row = connection.execute("SELECT * FROM shipments WHERE order_id = ?", (order_id,)).fetchone()
    if row is None:
        return None
    return Shipment(
        carrier=row["carrier"],
        tracking_number=row["tracking_number"],
        status=row["status"],
        shipped_at=datetime.fromisoformat(row["shipped_at"]),
        eta=row["eta"],
        last_event=row["last_event"],
        last_event_at=datetime.fromisoformat(row["last_event_at"]),
        delivered_at=_when(row["delivered_at"]),
    )


def _load_return(connection: sqlite3.Connection, order_id: str) -> Return | None:
    row = connection.execute("SELECT * FROM returns WHERE order_id = ?", (order_id,)).fetchone()
    if row is None:
        return None
    items = connection.execute("SELECT item_id FROM return_items WHERE return_id = ?", (row["id"],))
    return Return(
        id=row["id"],
        status=row["status"],
        reason=row["reason"],
        registered_at=datetime.fromisoformat(row["registered_at"]),
        received_at=_when(row["received_at"]),
        item_ids=frozenset(item["item_id"] for item in items),
    )


def _load_payment(connection: sqlite3.Connection, order_id: str) -> Payment:
    row = connection.execute("SELECT * FROM payments.payments WHERE order_id = ?", (order_id,)).fetchone()
    if row is None:
        return Payment("", "", "missing", 0, 0, frozenset())
    refunds = connection.execute(
        "SELECT amount_minor, item_ids FROM payments.refunds WHERE order_id = ?", (order_id,)
    ).fetchall()
    return Payment(
        id=row["id"],
        label=row["label"],
        status=row["status"],
        amount_minor=row["amount_minor"],
        refunded_minor=sum(refund["amount_minor"] for refund in refunds),
        refunded_items=frozenset(item for refund in refunds for item in json.loads(refund["item_ids"])),
    )


def _when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
