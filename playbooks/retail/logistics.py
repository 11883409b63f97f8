"""The warehouse's own system: returns, searches for parcels, and the dates on which furniture is brought."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from tools.errors import ToolRefused

from .database import Database
from .effects import effect_of, existing_order, record_effect
from .orders import Item

SEND_BACK_WITHIN = timedelta(days=14)
"""How long the label of a return is good for."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A return that was registered."""

    id: str
    order_id: str
    items: tuple[Item, ...]
    send_by: date


@dataclass(frozen=True, slots=True)
class Search:
    """A parcel that the carrier was asked to search for."""

    order_id: str
    kind: str
    """late, or not_received: the carrier says it was delivered."""
    status: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Slot:
    """Half a day on which large furniture can be brought."""

    id: str
    day: date
    part: str
    hours: str
    free: int
    """How many more orders it takes."""

    @property
    def label(self) -> str:
        """ "Wednesday 25 November, morning (8:00 to 12:00)"."""
        return f"{self.day:%A} {self.day.day} {self.day:%B}, {self.part} ({self.hours})"


class Logistics:
    """Returns, searches and delivery dates."""

    name = "logistics"

    def __init__(self, directory: Path) -> None:
        self._database = Database(directory)

    async def close(self) -> None:
        await self._database.close()

    async def register_return(
        self, order_id: str, *, item_ids: Sequence[str], reason: str, reference: str, now: datetime
    ) -> Registered:
        """Announce goods that come back. An order has one return.

        Raises:
            ToolRefused: "not_found"; "unknown_item"; "not_delivered"; "already_registered".
        """

        def work(connection: sqlite3.Connection) -> Registered:
            order = existing_order(connection, order_id)
            items = tuple(item for item in order.items if item.id in item_ids)
            if len(items) != len(set(item_ids)):
                raise ToolRefused("unknown_item", "The order has no such item.")
            if order.status != "delivered":
                raise ToolRefused("not_delivered", "Only what was delivered can come back.")
            if order.returned is not None:
                raise ToolRefused("already_registered", "A return of this order is registered already.")
            number = f"R-{order_id}"
            connection.execute(
                "INSERT INTO returns VALUES (?, ?, 'registered', ?, ?, NULL)",
                (number, order_id, reason, now.isoformat()),
            )
            connection.executemany("INSERT INTO return_items VALUES (?, ?)", [(number, item.id) for item in items])
            record_effect(connection, "return", order_id, reference, now, {"items": [item.id for item in items]})
            return Registered(number, order_id, items, (now + SEND_BACK_WITHIN).date())

        return await self._database.write(work)

    async def return_by_reference(self, order_id: str, *, reference: str) -> Registered | None:
        """The return that was registered under this reference, if it was."""

        def work(connection: sqlite3.Connection) -> Registered | None:
            effect = effect_of(connection, "return", reference)
            if effect is None or effect["record"] != order_id:
                return None
            chosen = set(json.loads(effect["detail"])["items"])
            items = tuple(item for item in existing_order(connection, order_id).items if item.id in chosen)
            send_by = (datetime.fromisoformat(effect["at"]) + SEND_BACK_WITHIN).date()
            return Registered(f"R-{order_id}", order_id, items, send_by)

        return await self._database.read(work)

    async def search(self, order_id: str) -> Search | None:
        """The search for the order's parcel, if one was begun."""
        return await self._database.read(lambda connection: _search(connection, order_id))

    async def open_search(self, order_id: str, *, kind: str, reference: str, now: datetime) -> Search:
        """Ask the carrier to search; a repeated `reference` changes nothing and answers as the first time.

        Raises:
            ToolRefused: "not_found"; "not_shipped"; "already_open".
        """

        def work(connection: sqlite3.Connection) -> Search:
            order = existing_order(connection, order_id)
            found = _search(connection, order_id)
            if found is not None and effect_of(connection, "search", reference) is not None:
                return found
            if order.shipment is None:
                raise ToolRefused("not_shipped", "The order has not left the warehouse.")
            if found is not None:
                raise ToolRefused("already_open", "The carrier is searching already.")
            connection.execute("INSERT INTO searches VALUES (?, ?, 'open', ?)", (order_id, kind, now.isoformat()))
            record_effect(connection, "search", order_id, reference, now, {"kind": kind})
            return Search(order_id, kind, "open", now)

        return await self._database.write(work)

    async def slots(self, *, now: datetime) -> list[Slot]:
        """Half days from tomorrow on that still take an order, the nearest first."""

        def work(connection: sqlite3.Connection) -> list[Slot]:
            rows = connection.execute(
                "SELECT id FROM slots WHERE day > ? ORDER BY day, part DESC", (now.date().isoformat(),)
            )
            found = [_slot(connection, row["id"]) for row in rows]
            return [slot for slot in found if slot is not None and slot.free > 0]

        return await self._database.read(work)

    async def slot(self, slot_id: str) -> Slot | None:
        """One half day; None if there is none of that id."""
        return await self._database.read(lambda connection: _slot(connection, slot_id))

    async def appointment(self, order_id: str) -> Slot | None:
        """When the order is brought, if a date was agreed on."""

        def work(connection: sqlite3.Connection) -> Slot | None:
            row = connection.execute("SELECT slot_id FROM appointments WHERE order_id = ?", (order_id,)).fetchone()
            return None if row is None else _slot(connection, row["slot_id"])

        return await self._database.read(work)

    async def book(self, order_id: str, *, slot_id: str, reference: str, now: datetime) -> Slot:
        """Agree on a date, in place of the one before.

        Raises:
            ToolRefused: "not_found"; "no_such_slot"; "not_bookable" if nothing of it is large, or it is on its way.
        """

        def work(connection: sqlite3.Connection) -> Slot:
            order = existing_order(connection, order_id)
            if not order.is_large or order.status not in {"paid", "packed"}:
                raise ToolRefused("not_bookable", "No date is agreed on for this order.")
            slot = _slot(connection, slot_id)
            if slot is None or slot.free < 1 or slot.day <= now.date():
                raise ToolRefused("no_such_slot", "That date can't be had.")
            connection.execute(
                "INSERT OR REPLACE INTO appointments VALUES (?, ?, ?)", (order_id, slot_id, now.isoformat())
            )
            record_effect(connection, "appointment", order_id, reference, now, {"slot_id": slot_id})
            return slot

        return await self._database.write(work)

    async def booking(self, order_id: str, *, reference: str) -> Slot | None:
        """The date that was agreed on under this reference, if it was."""

        def work(connection: sqlite3.Connection) -> Slot | None:
            effect = effect_of(connection, "appointment", reference)
            if effect is None or effect["record"] != order_id:
                return None
            return _slot(connection, json.loads(effect["detail"])["slot_id"])

        return await self._database.read(work)


def _search(connection: sqlite3.Connection, order_id: str) -> Search | None:
    row = connection.execute("SELECT * FROM searches WHERE order_id = ?", (order_id,)).fetchone()
    if row is None:
        return None
    return Search(row["order_id"], row["kind"], row["status"], datetime.fromisoformat(row["opened_at"]))


def _slot(connection: sqlite3.Connection, slot_id: str) -> Slot | None:
    row = connection.execute("SELECT * FROM slots WHERE id = ?", (slot_id,)).fetchone()
    if row is None:
        return None
    (taken,) = connection.execute("SELECT count(*) FROM appointments WHERE slot_id = ?", (slot_id,)).fetchone()
    return Slot(row["id"], date.fromisoformat(row["day"]), row["part"], row["hours"], row["capacity"] - taken)
