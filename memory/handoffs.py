"""Handoffs to people: the bundle that somebody needs to go on without asking again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlmodel import Field

from memory.errors import RecordNotFound
from memory.rows import Moment, Row, table_of
from memory.unit import Unit
from memory.vault import conversation_key
from policies.words import CaseId, ConversationId, Json, TurnId


class HandoffRow(Row, table=True):
    """One handoff; its bundle is sealed."""

    __tablename__ = "handoffs"

    id: str = Field(primary_key=True)
    case_id: str | None = Field(index=True)
    conversation_id: str = Field(index=True)
    turn_id: str
    queue: str = Field(index=True)
    reason: str
    score: float
    at: datetime = Field(sa_type=Moment)
    taken_by: str | None
    taken_at: datetime | None = Field(sa_type=Moment)
    body: bytes


_TABLE = table_of(HandoffRow)


@dataclass(frozen=True, slots=True)
class Handoff:
    """One escalation to a person."""

    id: str
    case_id: CaseId | None
    conversation_id: ConversationId
    turn_id: TurnId
    queue: str
    reason: str
    """A code: "asked_for_person", "policy", "low_confidence"."""
    score: float
    """How complete the bundle is, 0 to 1."""
    at: datetime
    taken_by: str | None
    taken_at: datetime | None
    bundle: dict[str, Json]


def save(
    unit: Unit,
    *,
    handoff_id: str,
    case_id: CaseId | None,
    conversation_id: ConversationId,
    turn_id: TurnId,
    queue: str,
    reason: str,
    score: float,
    bundle: Mapping[str, Json],
    at: datetime,
) -> Handoff:
    """Store a handoff once per id; the first one stands."""
    known = get(unit, handoff_id=handoff_id)
    if known is not None:
        return known
    unit.insert(
        _TABLE,
        id=handoff_id,
        case_id=case_id,
        conversation_id=conversation_id,
        turn_id=turn_id,
        queue=queue,
        reason=reason,
        score=score,
        at=at,
        taken_by=None,
        taken_at=None,
        body=unit.vault.seal(conversation_key(conversation_id), _place(handoff_id), dict(bundle)),
    )
    return _existing(unit, handoff_id)


def get(unit: Unit, *, handoff_id: str) -> Handoff | None:
    """The handoff, or None."""
    row = unit.row(_TABLE, id=handoff_id)
    return None if row is None else _handoff(unit, row)


def take(unit: Unit, *, handoff_id: str, by: str, now: datetime) -> tuple[Handoff, bool]:
    """Claim a handoff; as it stands, and whether it is the claimer's now. Who came first keeps it."""
    unit.run(
        update(_TABLE)
        .where((_TABLE.c.id == handoff_id) & _TABLE.c.taken_by.is_(None))
        .values(taken_by=by, taken_at=now)
    )
    handoff = _existing(unit, handoff_id)
    return handoff, handoff.taken_by == by


def waiting(unit: Unit, *, queue: str | None = None, limit: int = 50) -> list[Handoff]:
    """Handoffs that nobody took yet, the oldest first."""
    statement = select(_TABLE).where(_TABLE.c.taken_by.is_(None)).order_by(_TABLE.c.at, _TABLE.c.id).limit(limit)
    if queue is not None:
        statement = statement.where(_TABLE.c.queue == queue)
    return [_handoff(unit, row) for row in unit.rows(statement)]


def of_conversation(unit: Unit, *, conversation_id: ConversationId) -> list[Handoff]:
    """A conversation's handoffs, the oldest first."""
    return _many(unit, _TABLE.c.conversation_id == conversation_id)


def of_case(unit: Unit, *, case_id: CaseId) -> list[Handoff]:
    """A case's handoffs, the oldest first."""
    return _many(unit, _TABLE.c.case_id == case_id)


def _many(unit: Unit, condition: Any) -> list[Handoff]:
    return [
        _handoff(unit, row) for row in unit.rows(select(_TABLE).where(condition).order_by(_TABLE.c.at, _TABLE.c.id))
    ]


def _existing(unit: Unit, handoff_id: str) -> Handoff:
    known = get(unit, handoff_id=handoff_id)
    if known is None:
        raise RecordNotFound("handoff", handoff_id)
    return known


def _place(handoff_id: str) -> str:
    return f"handoffs:{handoff_id}"


def _handoff(unit: Unit, row: Mapping[Any, Any]) -> Handoff:
    conversation_id = ConversationId(row["conversation_id"])
    return Handoff(
        id=row["id"],
        case_id=row["case_id"],
        conversation_id=conversation_id,
        turn_id=TurnId(row["turn_id"]),
        queue=row["queue"],
        reason=row["reason"],
        score=row["score"],
        at=row["at"],
        taken_by=row["taken_by"],
        taken_at=row["taken_at"],
        bundle=unit.vault.unseal_object(conversation_key(conversation_id), _place(row["id"]), row["body"]),
    )
