"""Evidence: what a case knows, where it is from, and how far it can be trusted."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, cast

from sqlalchemy import Column, UniqueConstraint, bindparam, false, or_, select, update
from sqlmodel import Field

from memory.errors import EvidenceSpent, RecordNotFound
from memory.guards import guard
from memory.rows import SERIAL, Moment, Row, table_of
from memory.unit import Kept, Unit
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
_STANDING = Kept(
    select(_TABLE)
    .where((_TABLE.c.case_id == bindparam("case_id")) & _TABLE.c.superseded_by.is_(None))
    .order_by(_TABLE.c.seq)
)
_SUPERSEDE = Kept(
    update(_TABLE)
    .where(
        (_TABLE.c.case_id == bindparam("of_case"))
        & (_TABLE.c.kind == bindparam("of_kind"))
        & (_TABLE.c.name == bindparam("of_name"))
        & (_TABLE.c.subject == bindparam("of_subject"))
        & _TABLE.c.superseded_by.is_(None)
    )
    .values(superseded_by=bindparam("superseded_by"))
)
_ADOPT = Kept(
    update(_TABLE)
    .where((_TABLE.c.conversation_id == bindparam("of")) & _TABLE.c.customer_id.is_(None))
    .values(customer_id=bindparam("customer_id"))
)


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
    guard(unit, f"evidence:{case_id}")
    unit.run(_SUPERSEDE, of_case=case_id, of_kind=kind, of_name=name, of_subject=subject, superseded_by=evidence_id)
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
    return Evidence(
        id=evidence_id,
        case_id=case_id,
        conversation_id=conversation_id,
        customer_id=customer_id,
        kind=kind,
        name=name,
        subject=subject,
        value=value,
        source=source,
        trust=trust,
        at=at,
        superseded_by=None,
        spent=False,
        dedupe_key=dedupe_key,
    )


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
    if not include_superseded:
        return [_evidence(unit, row) for row in unit.rows(_STANDING, case_id=case_id)]
    return [_evidence(unit, row) for row in unit.many(_TABLE, ("seq",), case_id=case_id)]


def visible(unit: Unit, *, case_id: CaseId, conversation_id: ConversationId, shared: frozenset[str]) -> list[Evidence]:
    """What stands for a case: its conversation's evidence of the shared names, then its own, each as it came in."""
    rows = unit.rows(_visible(tuple(sorted(shared))), case_id=case_id, conversation_id=conversation_id)
    return [_evidence(unit, row) for row in sorted(rows, key=lambda row: row["case_id"] == case_id)]


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
    wanted = _named(None if names is None else tuple(sorted(names)), include_superseded)
    return [_evidence(unit, row) for row in unit.rows(wanted, conversation_id=conversation_id)]


def spend(unit: Unit, *, evidence_id: EvidenceId) -> None:
    """Use up a confirmation.

    Raises:
        EvidenceSpent: It was used before.
        RecordNotFound: There is none.
    """
    if unit.change(_TABLE, {"id": evidence_id, "spent": False}, spent=True) == 0:
        get(unit, evidence_id=evidence_id)
        raise EvidenceSpent(evidence_id)


def adopt(unit: Unit, *, conversation_id: ConversationId, customer_id: CustomerId) -> None:
    """Give a conversation's evidence to the customer it turned out to be with."""
    unit.run(_ADOPT, of=conversation_id, customer_id=customer_id)


@cache
def _visible(shared: tuple[str, ...]) -> Kept:
    everywhere = (_TABLE.c.conversation_id == bindparam("conversation_id")) & or_(
        false(), *(_TABLE.c.name == name for name in shared)
    )
    own = _TABLE.c.case_id == bindparam("case_id")
    return Kept(select(_TABLE).where((own | everywhere) & _TABLE.c.superseded_by.is_(None)).order_by(_TABLE.c.seq))


@cache
def _named(names: tuple[str, ...] | None, include_superseded: bool) -> Kept:
    """A conversation's evidence of some names: a playbook's slots, so the number of such statements is small."""
    condition = _TABLE.c.conversation_id == bindparam("conversation_id")
    if names is not None:
        condition &= or_(false(), *(_TABLE.c.name == name for name in names))
    if not include_superseded:
        condition &= _TABLE.c.superseded_by.is_(None)
    return Kept(select(_TABLE).where(condition).order_by(_TABLE.c.seq))


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
