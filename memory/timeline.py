"""The timeline: everything that happened in a conversation and its cases, in one order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, cast

from sqlalchemy import Index, UniqueConstraint, bindparam, func, select
from sqlmodel import Field

from memory.rows import Moment, Row, table_of
from memory.unit import Kept, Unit
from memory.vault import conversation_key
from policies.words import CaseId, ConversationId, Json, TurnId

EntryKind = Literal[
    "message_in",
    "message_out",
    "reading",
    "request",
    "decision",
    "approval",
    "receipt",
    "note",
    "handoff",
    "status",
]


class TimelineRow(Row, table=True):
    """One entry; its words are sealed."""

    __tablename__ = "timeline"

    conversation_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    case_id: str | None = Field(index=True)
    turn_id: str | None
    kind: str
    author: str
    at: datetime = Field(sa_type=Moment)
    dedupe_key: str | None
    body: bytes

    __table_args__ = (
        UniqueConstraint("conversation_id", "dedupe_key"),
        Index("timeline_of_turn", "conversation_id", "turn_id"),
    )


_TABLE = table_of(TimelineRow)
_LAST_SEQ = Kept(select(func.max(_TABLE.c.seq)).where(_TABLE.c.conversation_id == bindparam("conversation_id")))


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened."""

    conversation_id: ConversationId
    seq: int
    """1, 2, 3 … within the conversation."""
    case_id: CaseId | None
    turn_id: TurnId | None
    kind: EntryKind
    author: str
    """"customer", a specialist's name, "policy", "gateway", or a person's id."""
    at: datetime
    body: dict[str, Json]


def append(
    unit: Unit,
    *,
    conversation_id: ConversationId,
    kind: EntryKind,
    author: str,
    body: Mapping[str, Json],
    at: datetime,
    case_id: CaseId | None = None,
    turn_id: TurnId | None = None,
    dedupe_key: str | None = None,
) -> Entry:
    """Add an entry; with a dedupe key once per conversation, and then the first one stands."""
    if dedupe_key is not None:
        row = unit.row(_TABLE, conversation_id=conversation_id, dedupe_key=dedupe_key)
        if row is not None:
            return _entry(unit, row)
    last = unit.value(_LAST_SEQ, conversation_id=conversation_id)
    entry = Entry(
        conversation_id=conversation_id,
        seq=(last or 0) + 1,
        case_id=case_id,
        turn_id=turn_id,
        kind=kind,
        author=author,
        at=at,
        body=dict(body),
    )
    unit.insert(
        _TABLE,
        conversation_id=conversation_id,
        seq=entry.seq,
        case_id=case_id,
        turn_id=turn_id,
        kind=kind,
        author=author,
        at=at,
        dedupe_key=dedupe_key,
        body=unit.vault.seal(conversation_key(conversation_id), _place(conversation_id, entry.seq), entry.body),
    )
    return entry


def of_conversation(unit: Unit, *, conversation_id: ConversationId, limit: int | None = None) -> list[Entry]:
    """A conversation's entries in order; with a limit, the latest of them."""
    statement = (
        select(_TABLE).where(_TABLE.c.conversation_id == conversation_id).order_by(_TABLE.c.seq.desc()).limit(limit)
    )
    return [_entry(unit, row) for row in reversed(unit.rows(statement))]


def by_key(unit: Unit, *, conversation_id: ConversationId, dedupe_key: str) -> Entry | None:
    """The entry with this key, or None."""
    row = unit.row(_TABLE, conversation_id=conversation_id, dedupe_key=dedupe_key)
    return None if row is None else _entry(unit, row)


def of_turn(unit: Unit, *, conversation_id: ConversationId, turn_id: TurnId) -> list[Entry]:
    """A turn's entries in order."""
    rows = unit.many(_TABLE, ("seq",), conversation_id=conversation_id, turn_id=turn_id)
    return [_entry(unit, row) for row in rows]


def messages(unit: Unit, *, conversation_id: ConversationId, limit: int | None = None) -> list[Entry]:
    """What was said on both sides, in order; with a limit, the latest of it."""
    return [_entry(unit, row) for row in reversed(unit.rows(_messages(limit), conversation_id=conversation_id))]


def of_case(unit: Unit, *, case_id: CaseId, limit: int | None = None) -> list[Entry]:
    """A case's entries across its conversations, in order of time; with a limit, the latest of them."""
    statement = (
        select(_TABLE)
        .where(_TABLE.c.case_id == case_id)
        .order_by(_TABLE.c.at.desc(), _TABLE.c.conversation_id.desc(), _TABLE.c.seq.desc())
        .limit(limit)
    )
    return [_entry(unit, row) for row in reversed(unit.rows(statement))]


@cache
def _messages(limit: int | None) -> Kept:
    said = (_TABLE.c.kind == "message_in") | (_TABLE.c.kind == "message_out")
    own = _TABLE.c.conversation_id == bindparam("conversation_id")
    return Kept(select(_TABLE).where(own & said).order_by(_TABLE.c.seq.desc()).limit(limit))


def _place(conversation_id: str, seq: int) -> str:
    return f"timeline:{conversation_id}:{seq}"


def _entry(unit: Unit, row: Mapping[Any, Any]) -> Entry:
    conversation_id = ConversationId(row["conversation_id"])
    body = unit.vault.unseal_object(conversation_key(conversation_id), _place(conversation_id, row["seq"]), row["body"])
    return Entry(
        conversation_id=conversation_id,
        seq=row["seq"],
        case_id=row["case_id"],
        turn_id=row["turn_id"],
        kind=cast(EntryKind, row["kind"]),
        author=row["author"],
        at=row["at"],
        body=body,
    )
