"""Evidence: what a case knows, where it is from, and how far it can be trusted."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Column, UniqueConstraint, select, update
from sqlmodel import Field

from memory.errors import EvidenceSpent, RecordNotFound
from memory.rows import SERIAL, Moment, Row, table_of
from memory.unit import Unit
from memory.vault import conversation_key
from policies.words import CaseId, ConversationId, CustomerId, EvidenceId, Json

EvidenceKind = Literal["receipt", "fact", "passage", "customer", "person", "confirmation", "eligibility"]


class EvidenceRow(Row, table=True):
    """One statement; its value is sealed."""

    __tablename__ = "evidence"
    __table_args__ = (UniqueConstraint("conversation_id", "dedupe_key"),)

    seq: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))
    id: str = Field(unique=True)
    case_id: str = Field(index=True)
    conversation_id: str
    customer_id: str | None
    kind: str
    name: str
    subject: str
    source: str
    trust: int
    at: datetime = Field(sa_type=Moment)
    superseded_by: str | None
    spent: bool
    dedupe_key: str | None
    body: bytes


_TABLE = table_of(EvidenceRow)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One statement with its provenance."""

    id: EvidenceId
    case_id: CaseId
    conversation_id: ConversationId
    customer_id: CustomerId | None
    kind: EvidenceKind
    name: str
    """What it is about: "order", "refund", "email"."""
    subject: str
    """The record's id, "" where there is none."""
    value: Json
    source: str
    """The receipt, message, article or person it is from."""
    trust: int
    """0 a model's guess, 1 a customer's word, 2 written knowledge, 3 a person of ours, 4 a system of record."""
    at: datetime
    superseded_by: EvidenceId | None
    """What is known now instead; None for what stands."""
    spent: bool
    """Whether a confirmation was used up."""
    dedupe_key: str | None


def add(
    unit: Unit,
    *,
    evidence_id: EvidenceId,
    case_id: CaseId,
    conversation_id: ConversationId,
    kind: EvidenceKind,
    name: str,
    value: Json,
    source: str,
    trust: int,
    at: datetime,
    subject: str = "",
    customer_id: CustomerId | None = None,
    dedupe_key: str | None = None,
) -> Evidence:
    """Add a statement, with a dedupe key once per conversation; it supersedes what stood for the same thing.

    The same thing is the same case, kind, name and subject.
    """
    if dedupe_key is not None:
        row = unit.row(_TABLE, conversation_id=conversation_id, dedupe_key=dedupe_key)
        if row is not None:
            return _evidence(unit, row)
    unit.run(
        update(_TABLE)
        .where(
            (_TABLE.c.case_id == case_id)
            & (_TABLE.c.kind == kind)
            & (_TABLE.c.name == name)
            & (_TABLE.c.subject == subject)
            & _TABLE.c.superseded_by.is_(None)
        )
        .values(superseded_by=evidence_id)
    )
    unit.insert(
        _TABLE,
        id=evidence_id,
        case_id=case_id,
        conversation_id=conversation_id,
        customer_id=customer_id,
        kind=kind,
        name=name,
        subject=subject,
        source=source,
        trust=trust,
        at=at,
        superseded_by=None,
        spent=False,
        dedupe_key=dedupe_key,
        body=unit.vault.seal(conversation_key(conversation_id), _place(evidence_id), value),
    )
    return get(unit, evidence_id=evidence_id)


def get(unit: Unit, *, evidence_id: EvidenceId) -> Evidence:
    """The evidence with this id.

    Raises:
        RecordNotFound: There is none.
    """
    row = unit.row(_TABLE, id=evidence_id)
    if row is None:
        raise RecordNotFound("evidence", evidence_id)
    return _evidence(unit, row)


def of_case(unit: Unit, *, case_id: CaseId, include_superseded: bool = False) -> list[Evidence]:
    """A case's evidence as it stands, in the order it came in."""
    return _many(unit, _TABLE.c.case_id == case_id, include_superseded)


def of_conversation(
    unit: Unit,
    *,
    conversation_id: ConversationId,
    names: Collection[str] | None = None,
    include_superseded: bool = False,
) -> list[Evidence]:
    """A conversation's evidence as it stands, of some names or all, in the order it came in.

    All of it grows with the conversation: a turn reads what it needs by name.
    """
    condition = _TABLE.c.conversation_id == conversation_id
    if names is not None:
        condition &= _TABLE.c.name.in_(sorted(names))
    return _many(unit, condition, include_superseded)


def spend(unit: Unit, *, evidence_id: EvidenceId) -> None:
    """Use up a confirmation.

    Raises:
        EvidenceSpent: It was used before.
        RecordNotFound: There is none.
    """
    if unit.run(update(_TABLE).where((_TABLE.c.id == evidence_id) & ~_TABLE.c.spent).values(spent=True)) == 0:
        get(unit, evidence_id=evidence_id)
        raise EvidenceSpent(evidence_id)


def adopt(unit: Unit, *, conversation_id: ConversationId, customer_id: CustomerId) -> None:
    """Give a conversation's evidence to the customer it turned out to be with."""
    unit.run(
        update(_TABLE)
        .where((_TABLE.c.conversation_id == conversation_id) & _TABLE.c.customer_id.is_(None))
        .values(customer_id=customer_id)
    )


def _many(unit: Unit, condition: Any, include_superseded: bool) -> list[Evidence]:
    if not include_superseded:
        condition &= _TABLE.c.superseded_by.is_(None)
    return [_evidence(unit, row) for row in unit.rows(select(_TABLE).where(condition).order_by(_TABLE.c.seq))]


def _place(evidence_id: str) -> str:
    return f"evidence:{evidence_id}"


def _evidence(unit: Unit, row: Mapping[Any, Any]) -> Evidence:
    conversation_id = ConversationId(row["conversation_id"])
    return Evidence(
        id=EvidenceId(row["id"]),
        case_id=CaseId(row["case_id"]),
        conversation_id=conversation_id,
        customer_id=row["customer_id"],
        kind=cast(EvidenceKind, row["kind"]),
        name=row["name"],
        subject=row["subject"],
        value=unit.vault.unseal(conversation_key(conversation_id), _place(row["id"]), row["body"]),
        source=row["source"],
        trust=row["trust"],
        at=row["at"],
        superseded_by=row["superseded_by"],
        spent=row["spent"],
        dedupe_key=row["dedupe_key"],
    )
