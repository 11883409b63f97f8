"""What customers add while their request waits for a person: notes beside the approval, never changes of it.

They are rows of their own, so that a message leaves the approval exactly as it was (P5) and can't come between a
reviewer's reading and their answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, UniqueConstraint, select
from sqlmodel import Field

from memory.rows import SERIAL, Moment, Row, table_of
from memory.unit import Unit
from memory.vault import conversation_key
from policies.words import ApprovalId, ConversationId, TurnId


class ApprovalNoteRow(Row, table=True):
    """One addition; its words are sealed."""

    __tablename__ = "approval_notes"
    __table_args__ = (UniqueConstraint("approval_id", "turn_id"),)

    seq: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))
    approval_id: str
    conversation_id: str = Field(index=True)
    turn_id: str
    at: datetime = Field(sa_type=Moment)
    body: bytes


_TABLE = table_of(ApprovalNoteRow)


@dataclass(frozen=True, slots=True)
class ApprovalNote:
    """What a customer said about a request that waits."""

    approval_id: ApprovalId
    turn_id: TurnId
    at: datetime
    text: str


def add(
    unit: Unit,
    *,
    approval_id: ApprovalId,
    conversation_id: ConversationId,
    turn_id: TurnId,
    text: str,
    now: datetime,
) -> None:
    """Keep what a turn's message adds, once per turn."""
    if unit.row(_TABLE, approval_id=approval_id, turn_id=turn_id) is not None:
        return
    unit.insert(
        _TABLE,
        approval_id=approval_id,
        conversation_id=conversation_id,
        turn_id=turn_id,
        at=now,
        body=unit.vault.seal(conversation_key(conversation_id), _place(approval_id, turn_id), {"text": text}),
    )


def of_approvals(unit: Unit, *, approval_ids: Sequence[ApprovalId]) -> dict[ApprovalId, list[ApprovalNote]]:
    """The additions to each of these approvals, in the order they were made."""
    statement = select(_TABLE).where(_TABLE.c.approval_id.in_(list(approval_ids))).order_by(_TABLE.c.seq)
    found: dict[ApprovalId, list[ApprovalNote]] = {}
    for row in unit.rows(statement):
        found.setdefault(ApprovalId(row["approval_id"]), []).append(_note(unit, row))
    return found


def _note(unit: Unit, row: Mapping[Any, Any]) -> ApprovalNote:
    key = conversation_key(ConversationId(row["conversation_id"]))
    body = unit.vault.unseal_object(key, _place(row["approval_id"], row["turn_id"]), row["body"])
    return ApprovalNote(ApprovalId(row["approval_id"]), TurnId(row["turn_id"]), row["at"], str(body["text"]))


def _place(approval_id: str, turn_id: str) -> str:
    return f"approval_notes:{approval_id}:{turn_id}"
