"""Customers as memory knows them: their conversations, and what they consented to or opted out of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, select
from sqlmodel import Field

from memory.rows import SERIAL, Moment, Row, table_of
from memory.unit import Unit
from memory.vault import customer_key
from policies.words import ConversationId, CustomerId, Json

ANY = "*"
"""Every purpose, or every channel."""


class CustomerLinkRow(Row, table=True):
    """Which conversations are a customer's."""

    __tablename__ = "customer_links"

    customer_id: str = Field(primary_key=True)
    conversation_id: str = Field(primary_key=True, index=True)
    at: datetime = Field(sa_type=Moment)


class ConsentRow(Row, table=True):
    """One statement of a customer's will; what they said is sealed. Rows are added, never changed."""

    __tablename__ = "consents"

    seq: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))
    customer_id: str = Field(index=True)
    purpose: str
    channel: str
    granted: bool
    at: datetime = Field(sa_type=Moment)
    body: bytes


_LINKS = table_of(CustomerLinkRow)
_CONSENTS = table_of(ConsentRow)


@dataclass(frozen=True, slots=True)
class Consent:
    """What a customer allowed or refused, and the evidence of it."""

    customer_id: CustomerId
    purpose: str
    """"marketing", "service" … or `ANY`."""
    channel: str
    """"email", "sms" … or `ANY`."""
    granted: bool
    at: datetime
    evidence: dict[str, Json]


def link(unit: Unit, *, customer_id: CustomerId, conversation_id: ConversationId, now: datetime) -> None:
    """Note that a conversation is this customer's, once."""
    condition = (_LINKS.c.customer_id == customer_id) & (_LINKS.c.conversation_id == conversation_id)
    if unit.first(select(_LINKS).where(condition)) is None:
        unit.insert(_LINKS, customer_id=customer_id, conversation_id=conversation_id, at=now)


def conversations_of(unit: Unit, *, customer_id: CustomerId) -> list[ConversationId]:
    """A customer's conversations in the order they were linked."""
    statement = select(_LINKS.c.conversation_id).where(_LINKS.c.customer_id == customer_id)
    rows = unit.rows(statement.order_by(_LINKS.c.at, _LINKS.c.conversation_id))
    return [ConversationId(row["conversation_id"]) for row in rows]


def record_consent(
    unit: Unit,
    *,
    customer_id: CustomerId,
    purpose: str,
    channel: str,
    granted: bool,
    evidence: Mapping[str, Json],
    at: datetime,
) -> Consent:
    """Record a customer's yes or no; it holds from the next query on, in this transaction too."""
    consent = Consent(customer_id, purpose, channel, granted, at, dict(evidence))
    unit.insert(
        _CONSENTS,
        customer_id=customer_id,
        purpose=purpose,
        channel=channel,
        granted=granted,
        at=at,
        body=unit.vault.seal(customer_key(customer_id), _place(consent), consent.evidence),
    )
    return consent


def opt_out(
    unit: Unit, *, customer_id: CustomerId, evidence: Mapping[str, Json], at: datetime, purpose: str = ANY
) -> Consent:
    """Record that a customer wants no more of this purpose, on any channel."""
    return record_consent(
        unit, customer_id=customer_id, purpose=purpose, channel=ANY, granted=False, evidence=evidence, at=at
    )


def consents(unit: Unit, *, customer_id: CustomerId) -> list[Consent]:
    """All that a customer said about it, oldest first."""
    rows = unit.rows(select(_CONSENTS).where(_CONSENTS.c.customer_id == customer_id).order_by(_CONSENTS.c.seq))
    found = []
    for row in rows:
        bare = Consent(customer_id, row["purpose"], row["channel"], row["granted"], row["at"], {})
        evidence = unit.vault.unseal_object(customer_key(customer_id), _place(bare), row["body"])
        found.append(Consent(bare.customer_id, bare.purpose, bare.channel, bare.granted, bare.at, evidence))
    return found


def suppressed(unit: Unit, *, customer_id: CustomerId, purpose: str, channel: str = ANY) -> bool:
    """Whether a customer's latest word on this purpose is no.

    Args:
        unit: The transaction.
        customer_id: Who.
        purpose: For what.
        channel: On which; `ANY` asks whether any channel at all is refused for it.
    """
    statement = (
        select(_CONSENTS.c.purpose, _CONSENTS.c.channel, _CONSENTS.c.granted)
        .where((_CONSENTS.c.customer_id == customer_id) & _CONSENTS.c.purpose.in_((purpose, ANY)))
        .order_by(_CONSENTS.c.seq)
    )
    refused: dict[str, bool] = {}
    for row in unit.rows(statement):
        if row["channel"] == ANY:
            refused = {ANY: not row["granted"]}
        else:
            refused[row["channel"]] = not row["granted"]
    if channel == ANY:
        return any(refused.values())
    return refused.get(channel, refused.get(ANY, False))


def _place(consent: Consent) -> str:
    return (
        f"consents:{consent.customer_id}:{consent.purpose}:{consent.channel}:{consent.granted}:{consent.at.isoformat()}"
    )
