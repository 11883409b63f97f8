"""Conversations: one session on one channel, who it is with, and who runs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import bindparam, select, update
from sqlmodel import Field

from memory import cases, customers, evidence
from memory.errors import CustomerConflict, RecordNotFound
from memory.guards import guard
from memory.rows import Moment, Row, table_of
from memory.unit import Kept, Unit
from memory.vault import conversation_key
from policies.words import Assurance, CaseId, ConversationId, CustomerId

ConversationStatus = Literal["ai", "person"]


class ConversationRow(Row, table=True):
    """A conversation; what the channel hinted about the customer is sealed."""

    __tablename__ = "conversations"

    id: str = Field(primary_key=True)
    channel: str
    status: str
    case_id: str | None
    customer_id: str | None = Field(index=True)
    assurance: int
    assurance_at: datetime | None = Field(sa_type=Moment)
    epoch: int
    disclosed: bool
    created_at: datetime = Field(sa_type=Moment, index=True)
    body: bytes


_TABLE = table_of(ConversationRow)
_LOCKED = Kept(select(_TABLE).where(_TABLE.c.id == bindparam("conversation_id")).with_for_update())
_LOCKED_EPOCH = Kept(select(_TABLE.c.epoch).where(_TABLE.c.id == bindparam("conversation_id")).with_for_update())
# On SQLite, where there is one writer, these lock nothing.
_ADVANCE = Kept(
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("conversation_id"))
    .values(epoch=_TABLE.c.epoch + 1)
    .returning(_TABLE.c.epoch)
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One session on one channel."""

    id: ConversationId
    channel: str
    status: ConversationStatus
    """Who speaks: after a takeover, "person" until control is handed back."""
    case_id: CaseId | None
    """The case in hand."""
    customer_id: CustomerId | None
    assurance: Assurance
    assurance_at: datetime | None
    epoch: int
    """The fencing token: who runs this conversation holds the current one."""
    disclosed: bool
    """Whether the customer was told that it is an AI."""
    created_at: datetime
    customer_hint: str
    """What the channel says about who this is. A claim, never a fact."""


def ensure(
    unit: Unit, *, conversation_id: ConversationId, channel: str, now: datetime, customer_hint: str = ""
) -> Conversation:
    """The conversation, made if it isn't there; locked until the transaction ends."""
    row = unit.first(_LOCKED, conversation_id=conversation_id)
    if row is not None:
        return _conversation(unit, row)
    body = unit.vault.seal(
        conversation_key(conversation_id), _place(conversation_id), {"customer_hint": customer_hint or ""}
    )
    unit.insert(
        _TABLE,
        id=conversation_id,
        channel=channel,
        status="ai",
        case_id=None,
        customer_id=None,
        assurance=int(Assurance.ANONYMOUS),
        assurance_at=None,
        epoch=0,
        disclosed=False,
        created_at=now,
        body=body,
    )
    return _existing(unit, conversation_id)


def get(unit: Unit, *, conversation_id: ConversationId) -> Conversation | None:
    """The conversation, or None."""
    row = unit.row(_TABLE, id=conversation_id)
    return None if row is None else _conversation(unit, row)


def bind(
    unit: Unit, *, conversation_id: ConversationId, customer_id: CustomerId, assurance: int, now: datetime
) -> Conversation:
    """Say who the conversation is with, and link its key, its open cases and its evidence to that customer.

    A weaker check doesn't take back what a stronger one reached.

    Raises:
        CustomerConflict: It is bound to somebody else; one conversation never serves two customers.
    """
    guard(unit, f"customer:{customer_id}")
    known = _existing(unit, conversation_id)
    if known.customer_id not in (None, customer_id):
        raise CustomerConflict(conversation_id)
    unit.vault.link(conversation_id=conversation_id, customer_id=customer_id)
    customers.link(unit, customer_id=customer_id, conversation_id=conversation_id, now=now)
    cases.adopt(unit, conversation_id=conversation_id, customer_id=customer_id)
    evidence.adopt(unit, conversation_id=conversation_id, customer_id=customer_id)
    _change(
        unit,
        conversation_id,
        customer_id=customer_id,
        assurance=max(int(assurance), int(known.assurance)),
        assurance_at=now,
    )
    return _existing(unit, conversation_id)


def set_status(unit: Unit, *, conversation_id: ConversationId, status: ConversationStatus) -> None:
    """Give the word to the AI or to a person."""
    _change(unit, conversation_id, status=status)


def set_case(unit: Unit, *, conversation_id: ConversationId, case_id: CaseId | None) -> None:
    """Say which case is in hand."""
    _change(unit, conversation_id, case_id=case_id)


def mark_disclosed(unit: Unit, *, conversation_id: ConversationId, disclosed: bool = True) -> None:
    """Record that the customer was told it is an AI; after a person spoke with them it must be said again."""
    _change(unit, conversation_id, disclosed=disclosed)


def advance_epoch(unit: Unit, *, conversation_id: ConversationId) -> int:
    """Take the conversation over: whoever ran it before is fenced out. The new epoch."""
    epoch: int | None = unit.value(_ADVANCE, conversation_id=conversation_id)
    if epoch is None:
        raise RecordNotFound("conversation", conversation_id)
    return epoch


def lock_epoch(unit: Unit, *, conversation_id: ConversationId) -> int | None:
    """The current epoch, or None if there is no such conversation. Nobody else changes it in this transaction."""
    epoch: int | None = unit.value(_LOCKED_EPOCH, conversation_id=conversation_id)
    return epoch


def listing(unit: Unit, *, limit: int, after: ConversationId | None = None) -> list[Conversation]:
    """A page of conversations, newest first.

    Args:
        unit: The transaction.
        limit: How many at most.
        after: The last id of the page before.
    """
    statement = select(_TABLE).order_by(_TABLE.c.created_at.desc(), _TABLE.c.id.desc()).limit(limit)
    if after is not None:
        last = unit.first(select(_TABLE.c.created_at).where(_TABLE.c.id == after))
        if last is None:
            raise RecordNotFound("conversation", after)
        at = last["created_at"]
        statement = statement.where((_TABLE.c.created_at < at) | ((_TABLE.c.created_at == at) & (_TABLE.c.id < after)))
    return [_conversation(unit, row) for row in unit.rows(statement)]


def of_customer(unit: Unit, *, customer_id: CustomerId) -> list[Conversation]:
    """A customer's conversations, oldest first."""
    statement = select(_TABLE).where(_TABLE.c.customer_id == customer_id).order_by(_TABLE.c.created_at, _TABLE.c.id)
    return [_conversation(unit, row) for row in unit.rows(statement)]


def _existing(unit: Unit, conversation_id: ConversationId) -> Conversation:
    known = get(unit, conversation_id=conversation_id)
    if known is None:
        raise RecordNotFound("conversation", conversation_id)
    return known


def _change(unit: Unit, conversation_id: ConversationId, **values: Any) -> None:
    if unit.change(_TABLE, {"id": conversation_id}, **values) == 0:
        raise RecordNotFound("conversation", conversation_id)


def _place(conversation_id: str) -> str:
    return f"conversations:{conversation_id}"


def _conversation(unit: Unit, row: Mapping[Any, Any]) -> Conversation:
    conversation_id = ConversationId(row["id"])
    body = unit.vault.unseal_object(conversation_key(conversation_id), _place(conversation_id), row["body"])
    return Conversation(
        id=conversation_id,
        channel=row["channel"],
        status=cast(ConversationStatus, row["status"]),
        case_id=row["case_id"],
        customer_id=row["customer_id"],
        assurance=Assurance(row["assurance"]),
        assurance_at=row["assurance_at"],
        epoch=row["epoch"],
        disclosed=row["disclosed"],
        created_at=row["created_at"],
        customer_hint=str(body["customer_hint"]),
    )
