"""Erasure: a person out of every record at once, the proof of it, and the holds that forbid it.

`forget` is one transaction: the customer's keys are destroyed and every row that hangs on them is deleted, so that from
its commit on no context, reply or export can hold a word of theirs. What then still lies in freed pages, in the log of
the database and in the vector index goes with the purge. The audit keeps what its chain covers, which names nobody.

The record of an erasure knows the person by a keyed digest: enough to erase them again from a restored backup, not
enough to tell who it was without the master key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, cast

from sqlalchemy import JSON, delete, or_, select
from sqlmodel import Field

from memory import audit, customers, receipts, signing
from memory.conversations import ConversationRow
from memory.errors import ErasureHeld, RecordNotFound
from memory.guards import guard
from memory.receipts import ReceiptRow
from memory.requests import RequestTable
from memory.rows import Moment, Row, table_of
from memory.turns import TurnRow
from memory.unit import Unit
from memory.vault import SYSTEM, conversation_key, customer_key
from policies.words import ConversationId, CustomerId, Json

Reason = Literal["requested", "consent_withdrawn", "unlawful", "retention", "restored"]
"""requested: by the person; restored: done again on a backup from before the erasure."""

CHAIN: Final = "privacy"
"""The audit chain of erasures and holds."""

NOBODYS: Final = frozenset(
    {
        "api_keys",
        "audit",
        "audit_anchors",
        "audit_heads",
        "erasures",
        "guards",
        "key_destructions",
        "keys",
        "legal_holds",
        "passages",
        "policy_engines",
        "policy_terms",
        "policy_versions",
        "review_answers",
        "signing_keys",
        "snapshots",
    }
)
"""Tables whose rows are no person's; `audit` and `keys` are seen to by their own modules."""

_HANGS_ON: Final = ("conversation_id", "customer_id", "turn_id", "request_id", "receipt_id")
"""Columns by which a row is somebody's."""


class ErasureRow(Row, table=True):
    """One erasure."""

    __tablename__ = "erasures"

    id: str = Field(primary_key=True)
    subject: str = Field(index=True)
    by: str
    role: str
    reason: str
    reference: str
    at: datetime = Field(sa_type=Moment)
    purge_by: datetime = Field(sa_type=Moment)
    purged_at: datetime | None = Field(sa_type=Moment)
    removed: dict[str, Any] = Field(sa_type=JSON)
    threads: list[str] = Field(sa_type=JSON)
    receipt: dict[str, Any] | None = Field(sa_type=JSON)


class LegalHoldRow(Row, table=True):
    """A duty to keep somebody's records."""

    __tablename__ = "legal_holds"

    id: str = Field(primary_key=True)
    subject: str = Field(index=True)
    by: str
    reference: str
    at: datetime = Field(sa_type=Moment)
    released_by: str | None
    released_at: datetime | None = Field(sa_type=Moment)


_ERASURES = table_of(ErasureRow)
_HOLDS = table_of(LegalHoldRow)
_CONVERSATIONS = table_of(ConversationRow)
_TURNS = table_of(TurnRow)
_REQUESTS = table_of(RequestTable)
_RECEIPTS = table_of(ReceiptRow)


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure as it stands."""

    id: str
    subject: str
    """Keyed digest of the customer's id."""
    by: str
    role: str
    reason: Reason
    reference: str
    at: datetime
    """Since when the person is out of every context."""
    purge_by: datetime
    """By when no byte of theirs is left."""
    purged_at: datetime | None
    removed: dict[str, int]
    """Rows deleted, by table."""
    threads: tuple[str, ...]
    """Threads whose checkpoints go with the purge."""
    receipt: dict[str, Json] | None
    """The signed statement, once purged."""


@dataclass(frozen=True, slots=True)
class LegalHold:
    """A duty to keep somebody's records."""

    id: str
    by: str
    reference: str
    at: datetime
    released_by: str | None
    released_at: datetime | None


def subject_of(unit: Unit, customer_id: CustomerId) -> str:
    """How the records of erasures and holds name a customer."""
    return unit.vault.mac(SYSTEM, f"subject:{customer_id}".encode())


def conversations_of(unit: Unit, *, customer_id: CustomerId) -> list[ConversationId]:
    """Every conversation that is a customer's."""
    linked = customers.conversations_of(unit, customer_id=customer_id)
    bound = unit.rows(select(_CONVERSATIONS.c.id).where(_CONVERSATIONS.c.customer_id == customer_id))
    return list(dict.fromkeys([*linked, *(ConversationId(row["id"]) for row in bound)]))


def is_acted_for(unit: Unit, *, customer_id: CustomerId, now: datetime) -> bool:
    """Whether an effect for a customer is being made right now: an erasure waits for it, for a while."""
    known = conversations_of(unit, customer_id=customer_id)
    return any(
        receipt.state in {"reserved", "executing"} and receipt.lease_until > now
        for receipt in receipts.unfinished(unit)
        if receipt.conversation_id in known
    )


def forget(
    unit: Unit,
    *,
    erasure_id: str,
    customer_id: CustomerId,
    by: str,
    role: str,
    reason: Reason,
    reference: str,
    threads: Sequence[str],
    purge_by: datetime,
    now: datetime,
) -> Erasure:
    """Take a person out of every record.

    Runs of their turns lose the right to write with this, and their approvals are gone. Nothing remembers that it was
    done to a customer who was never known, but the erasure itself.

    Args:
        unit: The transaction.
        erasure_id: Of the erasure.
        customer_id: Who.
        by: Who does it.
        role: In which role.
        reason: Why.
        reference: A ticket's number or the like; nothing personal.
        threads: Checkpoints of their turns, which go with the purge.
        purge_by: By when the bytes are gone.
        now: When.

    Raises:
        ErasureHeld: A legal hold forbids it; that it was tried is on the record.
    """
    guard(unit, f"customer:{customer_id}")
    subject = subject_of(unit, customer_id)
    held = _hold_of(unit, subject)
    if held is not None:
        raise ErasureHeld(held.id, reference=held.reference)
    known = conversations_of(unit, customer_id=customer_id)
    removed = _delete_rows(unit, customer_id, known)
    removed["audit payloads"] = audit.forget(unit, conversation_ids=known)
    for owner in (customer_key(customer_id), *map(conversation_key, known)):
        unit.vault.destroy(owner)
    unit.insert(
        _ERASURES,
        id=erasure_id,
        subject=subject,
        by=by,
        role=role,
        reason=reason,
        reference=reference,
        at=now,
        purge_by=purge_by,
        purged_at=None,
        removed=removed,
        threads=list(threads),
        receipt=None,
    )
    _note(unit, "erased", erasure_id, by, {"reason": reason, "reference": reference, "removed": {**removed}}, now)
    return get(unit, erasure_id=erasure_id)


def note_refused(unit: Unit, *, hold_id: str, by: str, now: datetime) -> None:
    """Put on the record that an erasure was asked for and a hold forbade it."""
    _note(unit, "erasure_held", hold_id, by, {}, now)


def due(unit: Unit, *, now: datetime | None = None) -> list[Erasure]:
    """Erasures whose bytes are still to go, the most urgent first; with a time, those whose deadline is reached."""
    statement = select(_ERASURES).where(_ERASURES.c.purged_at.is_(None)).order_by(_ERASURES.c.purge_by)
    if now is not None:
        statement = statement.where(_ERASURES.c.purge_by <= now)
    return [_erasure(row) for row in unit.rows(statement)]


def finish(unit: Unit, *, erasure_id: str, stores: Mapping[str, Json], now: datetime) -> Erasure:
    """Record that the bytes are gone, with a signed statement of what was removed from which store."""
    known = get(unit, erasure_id=erasure_id)
    statement: dict[str, Json] = {
        "what": "Callboard erased a person",
        "erasure": known.id,
        "subject": known.subject,
        "asked_at": known.at.isoformat(),
        "purged_at": now.isoformat(),
        "by": known.by,
        "role": known.role,
        "reason": known.reason,
        "reference": known.reference,
        "removed": {**known.removed},
        "stores": dict(stores),
        "kept": "hash chains of the audit without ids of conversations and without payloads",
        "outside": "systems of record, backups made before: restoring one applies this erasure before it serves",
    }
    signed = signing.sign(unit, statement, now=now)
    unit.change(_ERASURES, {"id": erasure_id}, purged_at=now, receipt=signed.as_json(), threads=[])
    _note(unit, "purged", erasure_id, known.by, {"stores": dict(stores)}, now)
    return get(unit, erasure_id=erasure_id)


def get(unit: Unit, *, erasure_id: str) -> Erasure:
    """The erasure with this id.

    Raises:
        RecordNotFound: There is none.
    """
    row = unit.row(_ERASURES, id=erasure_id)
    if row is None:
        raise RecordNotFound("erasure", erasure_id)
    return _erasure(row)


def listing(unit: Unit, *, limit: int = 100) -> list[Erasure]:
    """Erasures, the latest first."""
    statement = select(_ERASURES).order_by(_ERASURES.c.at.desc(), _ERASURES.c.id).limit(limit)
    return [_erasure(row) for row in unit.rows(statement)]


def hold(unit: Unit, *, hold_id: str, customer_id: CustomerId, by: str, reference: str, now: datetime) -> LegalHold:
    """Forbid the erasure of a person until the hold is released; it stands once, asked again."""
    guard(unit, f"customer:{customer_id}")
    subject = subject_of(unit, customer_id)
    standing = _hold_of(unit, subject)
    if standing is not None:
        return standing
    unit.insert(
        _HOLDS,
        id=hold_id,
        subject=subject,
        by=by,
        reference=reference,
        at=now,
        released_by=None,
        released_at=None,
    )
    _note(unit, "held", hold_id, by, {"reference": reference}, now)
    return LegalHold(hold_id, by, reference, now, None, None)


def release(unit: Unit, *, hold_id: str, by: str, now: datetime) -> LegalHold:
    """End a hold.

    Raises:
        RecordNotFound: There is none that stands under this id.
    """
    where = {"id": hold_id}
    row = unit.row(_HOLDS, **where)
    if row is None or row["released_at"] is not None:
        raise RecordNotFound("legal hold", hold_id)
    unit.change(_HOLDS, where, released_by=by, released_at=now)
    _note(unit, "released", hold_id, by, {}, now)
    return LegalHold(row["id"], row["by"], row["reference"], row["at"], by, now)


def holds(unit: Unit) -> list[LegalHold]:
    """Every hold, the latest first."""
    return [_legal_hold(row) for row in unit.rows(select(_HOLDS).order_by(_HOLDS.c.at.desc(), _HOLDS.c.id))]


def _delete_rows(unit: Unit, customer_id: CustomerId, known: Sequence[ConversationId]) -> dict[str, int]:
    """Delete every row of every table that hangs on a person; how many, by table."""
    conversations = list(known)
    somebodys: dict[str, Any] = {
        "conversation_id": conversations,
        "customer_id": [customer_id],
        "turn_id": select(_TURNS.c.id).where(_TURNS.c.conversation_id.in_(conversations)),
        "request_id": select(_REQUESTS.c.id).where(_REQUESTS.c.conversation_id.in_(conversations)),
        "receipt_id": select(_RECEIPTS.c.id).where(_RECEIPTS.c.conversation_id.in_(conversations)),
    }
    tables = [table for table in Row.metadata.sorted_tables if table.name not in NOBODYS]
    # First the rows that are found through others, then the others.
    tables.sort(key=lambda table: "conversation_id" in table.c or "customer_id" in table.c)
    removed: dict[str, int] = {}
    for table in tables:
        conditions = [table.c[name].in_(somebodys[name]) for name in _HANGS_ON if name in table.c]
        if table is _CONVERSATIONS:
            conditions.append(table.c.id.in_(conversations))
        count = unit.run(delete(table).where(or_(*conditions)))
        if count:
            removed[table.name] = count
    return removed


def _hold_of(unit: Unit, subject: str) -> LegalHold | None:
    row = unit.first(select(_HOLDS).where((_HOLDS.c.subject == subject) & _HOLDS.c.released_at.is_(None)))
    return None if row is None else _legal_hold(row)


def _note(unit: Unit, kind: str, record_id: str, by: str, payload: dict[str, Json], now: datetime) -> None:
    audit.append_for_system(unit, chain=CHAIN, kind=kind, ids={"record": record_id, "by": by}, payload=payload, at=now)


def _legal_hold(row: Mapping[Any, Any]) -> LegalHold:
    return LegalHold(row["id"], row["by"], row["reference"], row["at"], row["released_by"], row["released_at"])


def _erasure(row: Mapping[Any, Any]) -> Erasure:
    return Erasure(
        id=row["id"],
        subject=row["subject"],
        by=row["by"],
        role=row["role"],
        reason=cast(Reason, row["reason"]),
        reference=row["reference"],
        at=row["at"],
        purge_by=row["purge_by"],
        purged_at=row["purged_at"],
        removed=dict(row["removed"]),
        threads=tuple(row["threads"]),
        receipt=row["receipt"],
    )
