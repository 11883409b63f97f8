"""Turns: from what happened to its outcome, with the versions it ran on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import JSON, select
from sqlmodel import Field

from memory import inbox
from memory.errors import RecordNotFound
from memory.rows import Moment, Row, table_of
from memory.unit import Unit
from policies.words import ApprovalId, CaseId, ConversationId, TurnId

TurnState = Literal["running", "parked", "done"]


class TurnRow(Row, table=True):
    """One turn; what it said stands in the outbox."""

    __tablename__ = "turns"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(index=True)
    case_id: str | None = Field(index=True)
    item_seqs: list[int] = Field(sa_type=JSON)
    first_seq: int
    state: str
    outcome: str | None
    threads: int
    approval_id: str | None = Field(index=True)
    versions: dict[str, str] = Field(sa_type=JSON)
    started_at: datetime = Field(sa_type=Moment)
    ended_at: datetime | None = Field(sa_type=Moment)


_TABLE = table_of(TurnRow)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as it stands."""

    id: TurnId
    conversation_id: ConversationId
    case_id: CaseId | None
    item_seqs: tuple[int, ...]
    """The inbox items that began it; the lowest is its place in the conversation's order."""
    state: TurnState
    outcome: str | None
    """One of the seven; of a parked turn, what the customer was told meanwhile."""
    threads: int
    """How many LangGraph threads it has used."""
    approval_id: ApprovalId | None
    """What a parked turn waits for."""
    versions: dict[str, str]
    """Of playbook, policy and prompts: what replay needs."""
    started_at: datetime
    ended_at: datetime | None


def start(
    unit: Unit,
    *,
    turn_id: TurnId,
    conversation_id: ConversationId,
    item_seqs: Sequence[int],
    versions: Mapping[str, str],
    now: datetime,
    case_id: CaseId | None = None,
) -> Turn:
    """Begin a turn on these inbox items, or find it begun; the items are its own from then on."""
    known = get(unit, turn_id=turn_id)
    if known is not None:
        return known
    unit.insert(
        _TABLE,
        id=turn_id,
        conversation_id=conversation_id,
        case_id=case_id,
        item_seqs=list(item_seqs),
        first_seq=min(item_seqs),
        state="running",
        outcome=None,
        threads=1,
        approval_id=None,
        versions=dict(versions),
        started_at=now,
        ended_at=None,
    )
    inbox.assign(unit, seqs=item_seqs, turn_id=turn_id)
    return _existing(unit, turn_id)


def get(unit: Unit, *, turn_id: TurnId) -> Turn | None:
    """The turn, or None."""
    row = unit.row(_TABLE, id=turn_id)
    return None if row is None else _turn(row)


def by_item(unit: Unit, *, seq: int) -> Turn | None:
    """The turn that runs, or ran, this inbox item."""
    turn_id = inbox.get(unit, seq=seq).turn_id
    return None if turn_id is None else get(unit, turn_id=turn_id)


def set_case(unit: Unit, *, turn_id: TurnId, case_id: CaseId) -> None:
    """Say which case the turn works on."""
    _change(unit, turn_id, case_id=case_id)


def park(
    unit: Unit, *, turn_id: TurnId, approval_id: ApprovalId, now: datetime, outcome: str = "awaiting_approval"
) -> Turn:
    """Let the turn wait for an approval; later turns of the conversation may run meanwhile."""
    _change(unit, turn_id, state="parked", approval_id=approval_id, outcome=outcome, ended_at=now)
    return _existing(unit, turn_id)


def resume(unit: Unit, *, turn_id: TurnId) -> int:
    """Go on with a turn in a new thread; how many threads that makes."""
    known = _existing(unit, turn_id)
    _change(unit, turn_id, state="running", threads=known.threads + 1, ended_at=None)
    return known.threads + 1


def finish(unit: Unit, *, turn_id: TurnId, outcome: str, now: datetime) -> Turn:
    """End the turn."""
    _change(unit, turn_id, state="done", outcome=outcome, ended_at=now)
    return _existing(unit, turn_id)


def of_conversation(unit: Unit, *, conversation_id: ConversationId, limit: int | None = None) -> list[Turn]:
    """A conversation's turns in order of arrival; with a limit, the latest of them."""
    statement = (
        select(_TABLE)
        .where(_TABLE.c.conversation_id == conversation_id)
        .order_by(_TABLE.c.first_seq.desc())
        .limit(limit)
    )
    return [_turn(row) for row in reversed(unit.rows(statement))]


def parked(unit: Unit, *, conversation_id: ConversationId) -> list[Turn]:
    """The turns of a conversation that wait for an approval, in order of arrival."""
    rows = unit.many(_TABLE, ("first_seq",), conversation_id=conversation_id, state="parked")
    return [_turn(row) for row in rows]


def by_approval(unit: Unit, *, approval_id: ApprovalId) -> Turn | None:
    """The turn that waits, or waited last, for this approval."""
    found = unit.many(_TABLE, ("first_seq",), approval_id=approval_id)
    return _turn(found[-1]) if found else None


def _existing(unit: Unit, turn_id: TurnId) -> Turn:
    known = get(unit, turn_id=turn_id)
    if known is None:
        raise RecordNotFound("turn", turn_id)
    return known


def _change(unit: Unit, turn_id: TurnId, **values: Any) -> None:
    if unit.change(_TABLE, {"id": turn_id}, **values) == 0:
        raise RecordNotFound("turn", turn_id)


def _turn(row: Mapping[Any, Any]) -> Turn:
    return Turn(
        id=TurnId(row["id"]),
        conversation_id=ConversationId(row["conversation_id"]),
        case_id=row["case_id"],
        item_seqs=tuple(row["item_seqs"]),
        state=cast(TurnState, row["state"]),
        outcome=row["outcome"],
        threads=row["threads"],
        approval_id=row["approval_id"],
        versions=dict(row["versions"]),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
    )
