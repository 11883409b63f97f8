"""One row for each change that was made to the shop's records, so that a change is known by its reference."""

import json
import sqlite3
from datetime import datetime

from policies.words import Json
from tools.errors import ToolRefused

from .orders import Order, load_order


def existing_order(connection: sqlite3.Connection, order_id: str) -> Order:
    """The order. Raises `ToolRefused` "not_found"."""
    order = load_order(connection, order_id)
    if order is None:
        raise ToolRefused("not_found", "There is no order of that number.")
    return order


def effect_of(connection: sqlite3.Connection, kind: str, reference: str) -> sqlite3.Row | None:
    """The change of this kind that was made under this reference, if any was."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM effects WHERE kind = ? AND reference = ? ORDER BY id", (kind, reference)
    ).fetchone()
    return row


def record_effect(
    connection: sqlite3.Connection, kind: str, record: str, reference: str, now: datetime, detail: dict[str, Json]
) -> None:
    """Note a change that is made in the same transaction."""
    connection.execute(
        "INSERT INTO effects (kind, record, reference, at, detail) VALUES (?, ?, ?, ?, ?)",
        (kind, record, reference, now.isoformat(), json.dumps(detail)),
    )
