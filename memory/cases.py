"""Cases: one customer matter, across conversations and channels, with the plan to settle it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import bindparam, func, select, update
from sqlmodel import Field

from memory.errors import RecordNotFound
from memory.rows import Moment, Row, table_of
from memory.unit import Kept, Unit
from memory.vault import conversation_key
from policies.words import CaseId, ConversationId, CustomerId, Json

CaseStatus = Literal["open", "waiting", "escalated", "resolved", "closed"]
_ENDED = ("resolved", "closed")


class CaseRow(Row, table=True):
    """One case; its plan is sealed."""

    __tablename__ = "cases"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(index=True)
    customer_id: str | None = Field(index=True)
    journey: str | None
    status: str
    priority: str
    opened_at: datetime = Field(sa_type=Moment)
    closed_at: datetime | None = Field(sa_type=Moment)
    disposition: str | None
    body: bytes


_TABLE = table_of(CaseRow)
_OWN = _TABLE.c.conversation_id == bindparam("conversation_id")
_AGENDA = Kept(
    select(_TABLE)
    .where(_OWN, *(_TABLE.c.status != status for status in _ENDED))
    .order_by(_TABLE.c.opened_at, _TABLE.c.id)
)
_TIMES_RESOLVED = Kept(
    select(func.count())
    .select_from(_TABLE)
    .where(_OWN & (_TABLE.c.journey == bindparam("journey")) & (_TABLE.c.status == "resolved"))
)
_LAST_JOURNEY = Kept(
    select(_TABLE.c.journey)
    .where(_OWN & _TABLE.c.journey.is_not(None))
    .order_by(_TABLE.c.opened_at.desc(), _TABLE.c.id.desc())
    .limit(1)
)
_ADOPT = Kept(
    update(_TABLE)
    .where((_TABLE.c.conversation_id == bindparam("of")) & _TABLE.c.customer_id.is_(None))
    .values(customer_id=bindparam("customer_id"))
)


@dataclass(frozen=True, slots=True)
class Case:
    """One customer matter."""

    id: CaseId
    conversation_id: ConversationId
    """Where it was opened."""
    customer_id: CustomerId | None
    journey: str | None
    status: CaseStatus
    priority: str
    opened_at: datetime
    closed_at: datetime | None
    disposition: str | None
    """How it ended."""
    plan: dict[str, Json]
    """What the workflow has done of its journey and does next."""


def open_case(
    unit: Unit,
    *,
    case_id: CaseId,
    conversation_id: ConversationId,
    now: datetime,
    customer_id: CustomerId | None = None,
    journey: str | None = None,
    priority: str = "normal",
    plan: Mapping[str, Json] | None = None,
) -> Case:
    """Open a case, or find it opened."""
    known = get(unit, case_id=case_id)
    if known is not None:
        return known
    unit.insert(
        _TABLE,
        id=case_id,
        conversation_id=conversation_id,
        customer_id=customer_id,
        journey=journey,
        status="open",
        priority=priority,
        opened_at=now,
        closed_at=None,
        disposition=None,
        body=unit.vault.seal(conversation_key(conversation_id), _place(case_id), {"plan": dict(plan or {})}),
    )
    return _existing(unit, case_id)


def get(unit: Unit, *, case_id: CaseId) -> Case | None:
    """The case, or None."""
    row = unit.row(_TABLE, id=case_id)
    return None if row is None else _case(unit, row)


def save_plan(
    unit: Unit,
    *,
    case_id: CaseId,
    plan: Mapping[str, Json],
    journey: str | None = None,
    status: CaseStatus | None = None,
    priority: str | None = None,
) -> Case:
    """Store the plan, and whatever else is given; what is None stays as it is."""
    known = _existing(unit, case_id)
    changed = {"journey": journey, "status": status, "priority": priority}
    _change(
        unit,
        case_id,
        body=unit.vault.seal(conversation_key(known.conversation_id), _place(case_id), {"plan": dict(plan)}),
        **{name: value for name, value in changed.items() if value is not None},
    )
    return _existing(unit, case_id)


def set_status(unit: Unit, *, case_id: CaseId, status: CaseStatus) -> None:
    """Say how the case stands; to end it, use `close`."""
    _change(unit, case_id, status=status)


def set_journey(unit: Unit, *, case_id: CaseId, journey: str, priority: str) -> None:
    """Say what the case turned out to be about."""
    _change(unit, case_id, journey=journey, priority=priority)


def close(
    unit: Unit, *, case_id: CaseId, disposition: str, now: datetime, status: Literal["resolved", "closed"] = "closed"
) -> Case:
    """End the case."""
    _change(unit, case_id, status=status, disposition=disposition, closed_at=now)
    return _existing(unit, case_id)


def agenda(unit: Unit, *, conversation_id: ConversationId) -> list[Case]:
    """The cases opened in a conversation that have not ended, in the order they were opened."""
    return [_case(unit, row) for row in unit.rows(_AGENDA, conversation_id=conversation_id)]


def times_resolved(unit: Unit, *, conversation_id: ConversationId, journey: str) -> int:
    """How many matters of a journey came to their goal in a conversation."""
    count: int = unit.value(_TIMES_RESOLVED, conversation_id=conversation_id, journey=journey)
    return count


def of_conversation(unit: Unit, *, conversation_id: ConversationId) -> list[Case]:
    """All cases opened in a conversation, in the order they were opened."""
    rows = unit.many(_TABLE, ("opened_at", "id"), conversation_id=conversation_id)
    return [_case(unit, row) for row in rows]


def last_journey(unit: Unit, *, conversation_id: ConversationId) -> str | None:
    """The journey of the matter that was opened last in a conversation, done or not; None if none had one."""
    journey: str | None = unit.value(_LAST_JOURNEY, conversation_id=conversation_id)
    return journey


def of_customer(unit: Unit, *, customer_id: CustomerId, limit: int | None = None) -> list[Case]:
    """A customer's cases, the latest first."""
    statement = (
        select(_TABLE)
        .where(_TABLE.c.customer_id == customer_id)
        .order_by(_TABLE.c.opened_at.desc(), _TABLE.c.id.desc())
        .limit(limit)
    )
    return [_case(unit, row) for row in unit.rows(statement)]


def adopt(unit: Unit, *, conversation_id: ConversationId, customer_id: CustomerId) -> None:
    """Give a conversation's cases to the customer it turned out to be with."""
    unit.run(_ADOPT, of=conversation_id, customer_id=customer_id)


def _existing(unit: Unit, case_id: CaseId) -> Case:
    known = get(unit, case_id=case_id)
    if known is None:
        raise RecordNotFound("case", case_id)
    return known


def _change(unit: Unit, case_id: CaseId, **values: Any) -> None:
    if unit.change(_TABLE, {"id": case_id}, **values) == 0:
        raise RecordNotFound("case", case_id)


def _place(case_id: str) -> str:
    return f"cases:{case_id}"


def _case(unit: Unit, row: Mapping[Any, Any]) -> Case:
    conversation_id = ConversationId(row["conversation_id"])
    body = unit.vault.unseal_object(conversation_key(conversation_id), _place(row["id"]), row["body"])
    return Case(
        id=CaseId(row["id"]),
        conversation_id=conversation_id,
        customer_id=row["customer_id"],
        journey=row["journey"],
        status=cast(CaseStatus, row["status"]),
        priority=row["priority"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        disposition=row["disposition"],
        plan=cast(dict[str, Json], body["plan"]),
    )
