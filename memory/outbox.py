"""The outbox: what we say to customers, stored with its turn, delivered in the order of the conversation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint, bindparam, func, select, update
from sqlmodel import Field

from memory.errors import RecordNotFound
from memory.rows import Moment, Row, table_of
from memory.unit import Kept, Unit
from memory.vault import conversation_key
from policies.words import ConversationId, TurnId


class OutboxRow(Row, table=True):
    """One part of a reply; its text is sealed."""

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("turn_id", "part"), UniqueConstraint("conversation_id", "seq"))

    id: str = Field(primary_key=True)
    conversation_id: str
    seq: int
    place: int
    turn_id: str
    part: int
    created_at: datetime = Field(sa_type=Moment)
    delivered_at: datetime | None = Field(sa_type=Moment, index=True)
    body: bytes


_TABLE = table_of(OutboxRow)
_LAST_SEQ = Kept(select(func.max(_TABLE.c.seq)).where(_TABLE.c.conversation_id == bindparam("conversation_id")))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One part of a reply."""

    id: str
    conversation_id: ConversationId
    seq: int
    """1, 2, 3 … within the conversation as they were stored; for readers who ask what is new."""
    place: int
    """The inbox number of its turn: a reply that had to wait for an approval keeps its turn's place."""
    turn_id: TurnId
    part: int
    text: str
    created_at: datetime
    delivered_at: datetime | None


def put(
    unit: Unit,
    *,
    conversation_id: ConversationId,
    turn_id: TurnId,
    part: int,
    text: str,
    place: int,
    now: datetime,
) -> Outgoing:
    """Say something, once per turn and part: said again, the first text stands."""
    outgoing_id = f"{turn_id}:{part}"
    known = _get(unit, outgoing_id)
    if known is not None:
        return known
    last = unit.value(_LAST_SEQ, conversation_id=conversation_id)
    unit.insert(
        _TABLE,
        id=outgoing_id,
        conversation_id=conversation_id,
        seq=(last or 0) + 1,
        place=place,
        turn_id=turn_id,
        part=part,
        created_at=now,
        delivered_at=None,
        body=unit.vault.seal(conversation_key(conversation_id), _place(outgoing_id), text),
    )
    stored = _get(unit, outgoing_id)
    assert stored is not None  # noqa: S101  inserted above
    return stored


def undelivered(unit: Unit, *, conversation_id: ConversationId | None = None, limit: int = 100) -> list[Outgoing]:
    """What is still to be delivered, each conversation's in its order."""
    statement = select(_TABLE).where(_TABLE.c.delivered_at.is_(None))
    if conversation_id is not None:
        statement = statement.where(_TABLE.c.conversation_id == conversation_id)
    statement = statement.order_by(_TABLE.c.conversation_id, _TABLE.c.place, _TABLE.c.part).limit(limit)
    return [_outgoing(unit, row) for row in unit.rows(statement)]


def mark_delivered(unit: Unit, *, outgoing_id: str, now: datetime) -> None:
    """Record that the channel took it; the first time stands.

    Raises:
        RecordNotFound: There is no such part.
    """
    if _get(unit, outgoing_id) is None:
        raise RecordNotFound("outgoing message", outgoing_id)
    unit.run(
        update(_TABLE).where((_TABLE.c.id == outgoing_id) & _TABLE.c.delivered_at.is_(None)).values(delivered_at=now)
    )


def of_conversation(
    unit: Unit, *, conversation_id: ConversationId, after: int = 0, limit: int | None = None
) -> list[Outgoing]:
    """What was said in a conversation, in its order.

    Args:
        unit: The transaction.
        conversation_id: Whose.
        after: Only what was stored after this `seq`. A late reply of an early turn has a high `seq` and a low `place`.
        limit: How many at most.
    """
    statement = (
        select(_TABLE)
        .where((_TABLE.c.conversation_id == conversation_id) & (_TABLE.c.seq > after))
        .order_by(_TABLE.c.place, _TABLE.c.part)
        .limit(limit)
    )
    return [_outgoing(unit, row) for row in unit.rows(statement)]


def of_turn(unit: Unit, *, turn_id: TurnId) -> list[Outgoing]:
    """What a turn said, part by part."""
    return [_outgoing(unit, row) for row in unit.many(_TABLE, ("part",), turn_id=turn_id)]


def _get(unit: Unit, outgoing_id: str) -> Outgoing | None:
    row = unit.row(_TABLE, id=outgoing_id)
    return None if row is None else _outgoing(unit, row)


def _place(outgoing_id: str) -> str:
    return f"outbox:{outgoing_id}"


def _outgoing(unit: Unit, row: Mapping[Any, Any]) -> Outgoing:
    conversation_id = ConversationId(row["conversation_id"])
    return Outgoing(
        id=row["id"],
        conversation_id=conversation_id,
        seq=row["seq"],
        place=row["place"],
        turn_id=TurnId(row["turn_id"]),
        part=row["part"],
        text=str(unit.vault.unseal(conversation_key(conversation_id), _place(row["id"]), row["body"])),
        created_at=row["created_at"],
        delivered_at=row["delivered_at"],
    )
