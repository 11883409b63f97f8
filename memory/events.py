"""Events for whoever watches from outside: what became of approvals and reconciliations, in order, once each.

A console, a pager or a webhook's sender reads on from the last number it saw. There are ids and names in it, no words.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, Column, select
from sqlmodel import Field

from memory.rows import SERIAL, Moment, Row, table_of
from memory.unit import Unit
from policies.words import ConversationId

EventKind = Literal[
    "approval_opened", "approval_reopened", "approval_noted", "approval_warned", "approval_ended",
    "reconciliation_opened", "reconciliation_settled",
]  # fmt: skip


class EventRow(Row, table=True):
    """One event."""

    __tablename__ = "events"

    seq: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))
    kind: str
    conversation_id: str = Field(index=True)
    at: datetime = Field(sa_type=Moment)
    ids: dict[str, Any] = Field(sa_type=JSON)


_TABLE = table_of(EventRow)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    seq: int
    """Grows; read on from the last one."""
    kind: EventKind
    at: datetime
    ids: dict[str, str]
    """What it is about: approval, status, queue, role; never a customer's words."""


def put(unit: Unit, *, kind: EventKind, conversation_id: ConversationId, ids: dict[str, str], now: datetime) -> None:
    """Tell of something in a conversation, in the transaction that makes it so."""
    told = {"conversation": str(conversation_id), **ids}
    unit.insert(_TABLE, kind=kind, conversation_id=conversation_id, at=now, ids=told)


def after(unit: Unit, *, seq: int, limit: int) -> list[Event]:
    """What came after an event, oldest first."""
    rows = unit.rows(select(_TABLE).where(_TABLE.c.seq > seq).order_by(_TABLE.c.seq).limit(limit))
    return [Event(row["seq"], row["kind"], row["at"], row["ids"]) for row in rows]
