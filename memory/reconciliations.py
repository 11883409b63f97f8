"""Reconciliations: effects whose outcome is unknown and that a person finds out, where no system can say it.

open ──► happened (with this result) | did_not_happen   a person answered
     └─► settled                                        the system of record answered after all

The receipt stays unknown, its key and limits taken, until one of them has. Nothing is called again meanwhile. Every
refusal is a `ReconciliationError` raised before anything is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import select
from sqlmodel import Field

from memory import authority, events, inbox, receipts
from memory.authority import Reviewer
from memory.errors import OutcomeUnclear, ReconcilerLacksRole, ReconciliationClosed, RecordNotFound
from memory.receipts import Receipt
from memory.rows import Moment, Row, table_of
from memory.unit import Unit
from memory.vault import conversation_key
from policies.words import CaseId, ConversationId, Json, ReceiptId, TurnId

ReconciliationStatus = Literal["open", "happened", "did_not_happen", "settled"]
Verdict = Literal["happened", "did_not_happen"]

FOLLOW_UPS = 12
"""How often the system of record is asked again by itself; each time after twice as long, at most a day."""


class ReconciliationRow(Row, table=True):
    """One item; what is known and what was found out is sealed."""

    __tablename__ = "reconciliations"

    id: str = Field(primary_key=True)
    revision: int
    status: str = Field(index=True)
    receipt_id: str = Field(unique=True)
    turn_id: str = Field(index=True)
    case_id: str | None = Field(index=True)
    conversation_id: str = Field(index=True)
    tool: str
    queue: str = Field(index=True)
    role: str
    created_at: datetime = Field(sa_type=Moment)
    decided_at: datetime | None = Field(sa_type=Moment)
    decided_by: str | None
    asks_at: datetime | None = Field(sa_type=Moment, index=True)
    asked: int
    body: bytes


_TABLE = table_of(ReconciliationRow)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """An effect that somebody must find out about."""

    id: str
    status: ReconciliationStatus
    receipt_id: ReceiptId
    turn_id: TurnId
    case_id: CaseId | None
    conversation_id: ConversationId
    tool: str
    queue: str
    role: str
    """The least role that may answer."""
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    asks_at: datetime | None
    """When the system of record is asked again; None where it can't be asked, or no more."""
    asked: int
    """How often it was asked since."""
    known: dict[str, Json] = field(repr=False)
    """What a person needs: summary, arguments, idempotency key, when it was called, how it was lost."""
    note: str = field(default="", repr=False)
    """How the person who answered knows."""


def id_of(receipt_id: ReceiptId) -> str:
    """The reconciliation of a receipt: there is at most one."""
    return f"rec-{receipt_id.removeprefix('rcp-')}"


def open_for(
    unit: Unit,
    *,
    receipt: Receipt,
    queue: str,
    role: str,
    known: Mapping[str, Json],
    asks_in: timedelta | None,
    now: datetime,
) -> Reconciliation:
    """Ask a person about an unknown outcome, once per receipt; asked again, the item that stands.

    Args:
        unit: The transaction.
        receipt: Unknown.
        queue: Whose work it is.
        role: The least role that may answer.
        known: What a person needs to find out.
        asks_in: When the system of record is asked again by itself; None if it can't be.
        now: When.
    """
    reconciliation_id = id_of(receipt.id)
    if unit.row(_TABLE, id=reconciliation_id) is None:
        unit.insert(
            _TABLE,
            id=reconciliation_id,
            revision=1,
            status="open",
            receipt_id=receipt.id,
            turn_id=receipt.turn_id,
            case_id=receipt.case_id,
            conversation_id=receipt.conversation_id,
            tool=receipt.tool,
            queue=queue,
            role=role,
            created_at=now,
            decided_at=None,
            decided_by=None,
            asks_at=None if asks_in is None else now + asks_in,
            asked=0,
            body=_sealed(unit, reconciliation_id, receipt.conversation_id, known, ""),
        )
        _announce(unit, get(unit, reconciliation_id=reconciliation_id), "reconciliation_opened", now)
    return get(unit, reconciliation_id=reconciliation_id)


def get(unit: Unit, *, reconciliation_id: str) -> Reconciliation:
    """The item with this id.

    Raises:
        RecordNotFound: There is none.
    """
    return _item(unit, _row(unit, reconciliation_id))


def listing(
    unit: Unit, *, status: ReconciliationStatus | None = None, queue: str | None = None, limit: int = 50
) -> list[Reconciliation]:
    """Items, the longest open first."""
    statement = select(_TABLE).order_by(_TABLE.c.created_at, _TABLE.c.id).limit(limit)
    if status is not None:
        statement = statement.where(_TABLE.c.status == status)
    if queue is not None:
        statement = statement.where(_TABLE.c.queue == queue)
    return [_item(unit, row) for row in unit.rows(statement)]


def decide(
    unit: Unit,
    *,
    reconciliation_id: str,
    verdict: Verdict,
    result: Mapping[str, Json] | None,
    note: str,
    reviewer: Reviewer,
    now: datetime,
) -> tuple[Reconciliation, Receipt]:
    """Take a person's word for what happened: the receipt ends with it, and the turn hears of it through the inbox.

    Args:
        unit: The transaction; item, receipt and inbox item stand or fall together.
        reconciliation_id: Which.
        verdict: Whether the effect happened.
        result: With `happened`, what the system of record shows for it, in the tool's own form.
        note: How that is known.
        reviewer: Who found it out.
        now: When.

    Raises:
        ReconciliationError: One of its kinds; item and receipt are untouched.
    """
    row = _row(unit, reconciliation_id)
    known = _item(unit, row)
    if known.status != "open":
        raise ReconciliationClosed(reconciliation_id, status=known.status)
    if not authority.has_role(reviewer.role, at_least=known.role) or not reviewer.may_decide_on(known.tool):
        raise ReconcilerLacksRole(reconciliation_id, needed=known.role, role=reviewer.role)
    if not note.strip():
        raise OutcomeUnclear(reconciliation_id, lacks="a note on how that is known")
    if (verdict == "happened") != (result is not None):
        lacks = "the result, with `happened` and with nothing else"
        raise OutcomeUnclear(reconciliation_id, lacks=lacks)
    if result is not None:
        receipt = receipts.commit(unit, receipt_id=known.receipt_id, result=result, now=now)
    else:
        receipt = receipts.fail(unit, receipt_id=known.receipt_id, error_code="did_not_happen", now=now)
    _close(unit, row, known, status=verdict, by=reviewer.id, note=note, now=now)
    answered = get(unit, reconciliation_id=reconciliation_id)
    inbox.put(
        unit,
        conversation_id=known.conversation_id,
        kind="decision",
        dedupe_key=reconciliation_id,
        body={"reconciliation_id": reconciliation_id, "turn_id": known.turn_id, "answer": verdict, "by": reviewer.id},
        now=now,
    )
    return answered, receipt


def settle(unit: Unit, *, receipt_id: ReceiptId, now: datetime) -> None:
    """Close the item of a receipt that the system of record has answered for; nothing if there is none open."""
    row = unit.row(_TABLE, receipt_id=receipt_id)
    if row is not None and row["status"] == "open":
        _close(unit, row, _item(unit, row), status="settled", by=None, note="", now=now)


def follow_up_due(unit: Unit, *, now: datetime) -> list[Reconciliation]:
    """Have the system of record asked again about what is due: a timer item in each conversation, and the next date."""
    due = select(_TABLE).where((_TABLE.c.status == "open") & (_TABLE.c.asks_at <= now))
    followed = []
    for row in unit.rows(due.order_by(_TABLE.c.asks_at, _TABLE.c.id)):
        known = _item(unit, row)
        asked = known.asked + 1
        pause = min((now - known.created_at) * 2, timedelta(days=1))
        _change(unit, row, asked=asked, asks_at=now + pause if asked < FOLLOW_UPS else None)
        inbox.put(
            unit,
            conversation_id=known.conversation_id,
            kind="timer",
            dedupe_key=f"{known.id}:{asked}",
            body={"reconciliation_id": known.id, "turn_id": known.turn_id},
            now=now,
        )
        followed.append(get(unit, reconciliation_id=known.id))
    return followed


def _close(
    unit: Unit,
    row: Mapping[Any, Any],
    known: Reconciliation,
    *,
    status: ReconciliationStatus,
    by: str | None,
    note: str,
    now: datetime,
) -> None:
    body = _sealed(unit, known.id, known.conversation_id, known.known, note)
    _change(unit, row, status=status, decided_at=now, decided_by=by, asks_at=None, body=body)
    _announce(unit, get(unit, reconciliation_id=known.id), "reconciliation_settled", now)


def _change(unit: Unit, row: Mapping[Any, Any], **values: Any) -> None:
    """Compare and set: only if nobody wrote since the row was read."""
    changed = unit.change(
        _TABLE, {"id": row["id"], "revision": row["revision"]}, revision=row["revision"] + 1, **values
    )
    if changed != 1:
        raise ReconciliationClosed(row["id"], status="answered meanwhile")


def _announce(unit: Unit, item: Reconciliation, kind: events.EventKind, now: datetime) -> None:
    ids = {
        "reconciliation": item.id,
        "receipt": str(item.receipt_id),
        "status": str(item.status),
        "queue": item.queue,
        "role": item.role,
    }
    events.put(unit, kind=kind, conversation_id=item.conversation_id, ids=ids, now=now)


def _row(unit: Unit, reconciliation_id: str) -> Mapping[Any, Any]:
    row = unit.row(_TABLE, id=reconciliation_id)
    if row is None:
        raise RecordNotFound("reconciliation", reconciliation_id)
    return row


def _sealed(
    unit: Unit, reconciliation_id: str, conversation_id: ConversationId, known: Mapping[str, Json], note: str
) -> bytes:
    data: dict[str, Json] = {"known": dict(known), "note": note}
    return unit.vault.seal(conversation_key(conversation_id), _place(reconciliation_id), data)


def _place(reconciliation_id: str) -> str:
    return f"reconciliations:{reconciliation_id}"


def _item(unit: Unit, row: Mapping[Any, Any]) -> Reconciliation:
    conversation_id = ConversationId(row["conversation_id"])
    body = unit.vault.unseal_object(conversation_key(conversation_id), _place(row["id"]), row["body"])
    return Reconciliation(
        id=row["id"],
        status=cast(ReconciliationStatus, row["status"]),
        receipt_id=ReceiptId(row["receipt_id"]),
        turn_id=TurnId(row["turn_id"]),
        case_id=row["case_id"],
        conversation_id=conversation_id,
        tool=row["tool"],
        queue=row["queue"],
        role=row["role"],
        created_at=row["created_at"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        asks_at=row["asks_at"],
        asked=row["asked"],
        known=cast(dict[str, Json], body["known"]),
        note=str(body["note"]),
    )
