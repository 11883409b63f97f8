"""Readings: what reasoners put out, stored before it is used; a turn run again reads them and doesn't think again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlmodel import Field

from memory.errors import RecordNotFound
from memory.rows import Moment, Row, table_of
from memory.turns import TurnRow
from memory.unit import Kept, Unit
from memory.vault import conversation_key
from policies.words import ConversationId, Json, TurnId


class ReadingRow(Row, table=True):
    """One output; sealed under the key of its turn's conversation."""

    __tablename__ = "readings"

    turn_id: str = Field(primary_key=True)
    ordinal: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    task: str
    reasoner: str
    prompt_version: str
    input_digest: str
    at: datetime = Field(sa_type=Moment)
    body: bytes


_TABLE = table_of(ReadingRow)
_TURNS = table_of(TurnRow)
_CONVERSATION = Kept(select(_TURNS.c.conversation_id).where(_TURNS.c.id == bindparam("turn_id")))
_AT = Kept(
    select(*_TABLE.c, _TURNS.c.conversation_id)
    .select_from(_TABLE.join(_TURNS, _TABLE.c.turn_id == _TURNS.c.id))
    .where((_TABLE.c.turn_id == bindparam("turn_id")) & (_TABLE.c.ordinal == bindparam("ordinal")))
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reasoner answered to one task."""

    turn_id: TurnId
    ordinal: int
    """Which task of the turn, counted from 0 in the order they are asked."""
    task: str
    reasoner: str
    prompt_version: str
    input_digest: str
    output: dict[str, Json]
    at: datetime


def save(
    unit: Unit,
    *,
    turn_id: TurnId,
    ordinal: int,
    task: str,
    reasoner: str,
    prompt_version: str,
    input_digest: str,
    output: Mapping[str, Json],
    at: datetime,
) -> Reading:
    """Store a reading; if this place has one already, that one stands and is returned."""
    known = get(unit, turn_id=turn_id, ordinal=ordinal)
    if known is not None:
        return known
    reading = Reading(turn_id, ordinal, task, reasoner, prompt_version, input_digest, dict(output), at)
    return put(unit, reading, conversation_id=_conversation_of(unit, turn_id))


def put(unit: Unit, reading: Reading, *, conversation_id: ConversationId) -> Reading:
    """Store a reading of that conversation's turn at a place of which the caller knows that it is free."""
    owner = conversation_key(conversation_id)
    unit.insert(
        _TABLE,
        turn_id=reading.turn_id,
        ordinal=reading.ordinal,
        task=reading.task,
        reasoner=reading.reasoner,
        prompt_version=reading.prompt_version,
        input_digest=reading.input_digest,
        at=reading.at,
        body=unit.vault.seal(owner, _place(reading.turn_id, reading.ordinal), reading.output),
    )
    return reading


def get(unit: Unit, *, turn_id: TurnId, ordinal: int) -> Reading | None:
    """The reading at this place, or None."""
    row = unit.first(_AT, turn_id=turn_id, ordinal=ordinal)
    return None if row is None else _reading(unit, row, ConversationId(row["conversation_id"]))


def of_turn(unit: Unit, *, turn_id: TurnId) -> list[Reading]:
    """A turn's readings in the order they were asked."""
    rows = unit.many(_TABLE, ("ordinal",), turn_id=turn_id)
    if not rows:
        return []
    conversation_id = _conversation_of(unit, turn_id)
    return [_reading(unit, row, conversation_id) for row in rows]


def _conversation_of(unit: Unit, turn_id: TurnId) -> ConversationId:
    conversation_id = unit.value(_CONVERSATION, turn_id=turn_id)
    if conversation_id is None:
        raise RecordNotFound("turn", turn_id)
    return ConversationId(conversation_id)


def _place(turn_id: str, ordinal: int) -> str:
    return f"readings:{turn_id}:{ordinal}"


def _reading(unit: Unit, row: Mapping[Any, Any], conversation_id: ConversationId) -> Reading:
    place = _place(row["turn_id"], row["ordinal"])
    return Reading(
        turn_id=TurnId(row["turn_id"]),
        ordinal=row["ordinal"],
        task=row["task"],
        reasoner=row["reasoner"],
        prompt_version=row["prompt_version"],
        input_digest=row["input_digest"],
        output=unit.vault.unseal_object(conversation_key(conversation_id), place, row["body"]),
        at=row["at"],
    )
