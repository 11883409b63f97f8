"""What an approval is: its row, its record for callers, and what is sealed of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import JSON, BigInteger, UniqueConstraint
from sqlmodel import Field

from memory.authority import Answer
from memory.rows import Moment, Row
from memory.unit import Unit
from memory.vault import conversation_key
from policies.words import ActionRequest, ApprovalId, ApprovalTerms, CaseId, ConversationId, Json, RequestId, TurnId

ApprovalStatus = Literal["pending", "approved", "rejected", "responded", "withdrawn", "expired", "spent", "void"]


class ApprovalRow(Row, table=True):
    """One approval; what it shows and what reviewers wrote is sealed."""

    __tablename__ = "approvals"
    __table_args__ = (UniqueConstraint("turn_id", "first_request_id"),)

    id: str = Field(primary_key=True)
    version: int
    revision: int
    """Grows with every write; the compare in compare-and-set."""
    status: str = Field(index=True)
    request_id: str = Field(index=True)
    first_request_id: str
    """The request it was opened for; an edit replaces `request_id`, and opening again must still find it."""
    turn_id: str = Field(index=True)
    case_id: str | None = Field(index=True)
    conversation_id: str = Field(index=True)
    tool: str
    digest: str
    policy_version: str
    role: str
    count: int
    queue: str = Field(index=True)
    amount_minor: int | None = Field(sa_type=BigInteger)
    currency: str | None
    asked_by: str
    edited_by: str | None
    created_at: datetime = Field(sa_type=Moment)
    asked_at: datetime = Field(sa_type=Moment)
    expires_at: datetime = Field(sa_type=Moment, index=True)
    decided_at: datetime | None = Field(sa_type=Moment)
    fallback: str
    claimed_by: str | None
    claimed_at: datetime | None = Field(sa_type=Moment)
    claimed_until: datetime | None = Field(sa_type=Moment)
    warns_at: datetime = Field(sa_type=Moment)
    warned_at: datetime | None = Field(sa_type=Moment)
    ended_by: str | None
    votes: list[dict[str, Any]] = Field(sa_type=JSON)
    body: bytes


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's answer to one version."""

    reviewer: str
    answer: Answer
    at: datetime
    note: str
    seconds_to_decide: float
    """From when this version was asked."""


@dataclass(frozen=True, slots=True)
class EditedRequest:
    """What a reviewer made of a request, after policy has judged the edit."""

    request: ActionRequest
    digest: str
    terms: ApprovalTerms
    """Who must approve the edited request."""
    body: Mapping[str, Json]
    """What to show of it."""
    needs_more: bool
    """Whether policy wants the approval of somebody else than the editor."""
    amount_minor: int | None
    """The money it moves now; None for none."""
    currency: str | None
    policy_version: str = ""
    """Of the decision on the edit; empty if the policy is still the same."""


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval as it stands."""

    id: ApprovalId
    version: int
    status: ApprovalStatus
    request_id: RequestId
    """The request it is about, in its latest edition."""
    turn_id: TurnId
    case_id: CaseId | None
    conversation_id: ConversationId
    tool: str
    digest: str
    """Over tool, canonical arguments and the facts shown: what a spent approval permits."""
    policy_version: str
    role: str
    count: int
    """How many people must say yes."""
    queue: str
    amount_minor: int | None
    currency: str | None
    asked_by: str
    edited_by: str | None
    """Whose edit waits for somebody else's yes."""
    created_at: datetime
    asked_at: datetime
    """Since when this version is asked."""
    expires_at: datetime
    decided_at: datetime | None
    fallback: str
    """What follows when nobody answers."""
    claimed_by: str | None
    """Who is at it; a claim that has ended may be taken by somebody else."""
    claimed_at: datetime | None
    claimed_until: datetime | None
    warns_at: datetime
    """When it is told that it will expire."""
    warned_at: datetime | None
    """When that was told."""
    ended_by: str | None
    """Who withdrew it, or made it void."""
    votes: tuple[Vote, ...]
    """On this version."""
    body: dict[str, Json] = field(repr=False)
    """What a reviewer sees: summary, arguments, provenance, facts, reasons, passed, consequences_yes, consequences_no,
    difference."""
    ended_because: str = field(default="", repr=False)
    """Why it was withdrawn, in the words of who did."""

    def is_claimed(self, *, now: datetime, by_other_than: str) -> bool:
        """Whether somebody else is at it."""
        if self.claimed_by is None or self.claimed_until is None:
            return False
        return self.claimed_by != by_other_than and now < self.claimed_until

    @property
    def yes_count(self) -> int:
        """How many have said yes to this version."""
        return sum(vote.answer in ("approve", "edit") for vote in self.votes)


def seal_body(
    unit: Unit,
    *,
    approval_id: ApprovalId,
    conversation_id: ConversationId,
    shown: Mapping[str, Json],
    votes: Sequence[Vote] = (),
    ended_because: str = "",
) -> bytes:
    """Seal what reviewers see, and what they wrote."""
    data: dict[str, Json] = {
        "shown": dict(shown),
        "notes": [vote.note for vote in votes],
        "ended_because": ended_because,
    }
    return unit.vault.seal(conversation_key(conversation_id), _place(approval_id), data)


def plain_votes(votes: Sequence[Vote]) -> list[dict[str, Any]]:
    """Votes as stored in clear: without the notes."""
    return [
        {
            "reviewer": vote.reviewer,
            "answer": vote.answer,
            "at": vote.at.isoformat(),
            "seconds_to_decide": vote.seconds_to_decide,
        }
        for vote in votes
    ]


def approval_of(unit: Unit, row: Mapping[Any, Any]) -> Approval:
    """The record of a row."""
    conversation_id = ConversationId(row["conversation_id"])
    sealed = unit.vault.unseal_object(conversation_key(conversation_id), _place(row["id"]), row["body"])
    notes = cast(list[str], sealed["notes"])
    return Approval(
        id=ApprovalId(row["id"]),
        version=row["version"],
        status=cast(ApprovalStatus, row["status"]),
        request_id=RequestId(row["request_id"]),
        turn_id=TurnId(row["turn_id"]),
        case_id=row["case_id"],
        conversation_id=conversation_id,
        tool=row["tool"],
        digest=row["digest"],
        policy_version=row["policy_version"],
        role=row["role"],
        count=row["count"],
        queue=row["queue"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        asked_by=row["asked_by"],
        edited_by=row["edited_by"],
        created_at=row["created_at"],
        asked_at=row["asked_at"],
        expires_at=row["expires_at"],
        decided_at=row["decided_at"],
        fallback=row["fallback"],
        claimed_by=row["claimed_by"],
        claimed_at=row["claimed_at"],
        claimed_until=row["claimed_until"],
        warns_at=row["warns_at"],
        warned_at=row["warned_at"],
        ended_by=row["ended_by"],
        votes=tuple(
            Vote(
                reviewer=vote["reviewer"],
                answer=vote["answer"],
                at=datetime.fromisoformat(vote["at"]),
                note=note,
                seconds_to_decide=vote["seconds_to_decide"],
            )
            for vote, note in zip(row["votes"], notes, strict=True)
        ),
        body=cast(dict[str, Json], sealed["shown"]),
        ended_because=str(sealed.get("ended_because", "")),
    )


def _place(approval_id: str) -> str:
    return f"approvals:{approval_id}"
