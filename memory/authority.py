"""Authority: whether a person may give this answer to this approval. Pure; it only refuses."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from memory.errors import AboveLimit, AlreadyVoted, JustificationMissing, NotAuthorised, OwnRequest

Answer = Literal["approve", "edit", "reject", "respond"]

_ROLES = ("reviewer", "supervisor", "admin")
"""Lowest first; each may do what those before it may."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A person who answers approvals."""

    id: str
    role: str
    limits: Mapping[str, int] | None = None
    """Highest amount by currency, in minor units; None for no limits. A currency left out can't be approved."""


def check(
    *,
    approval_id: str,
    answer: Answer,
    reviewer: Reviewer,
    role: str,
    amount_minor: int | None,
    currency: str | None,
    authors: Collection[str],
    voters: Collection[str],
    note: str,
) -> None:
    """Refuse an answer that this person may not give.

    Args:
        approval_id: For the refusal.
        answer: What they answer. An amount binds those who say yes; anybody with the role may say no to any amount.
        reviewer: Who answers.
        role: The lowest role that may.
        amount_minor: The money that would move; None for none.
        currency: Of the amount.
        authors: Who asked for it.
        voters: Who said yes to this version before.
        note: The reviewer's words.

    Raises:
        NotAuthorised, AboveLimit, OwnRequest, AlreadyVoted, JustificationMissing: Checked in this order.
    """
    if not has_role(reviewer.role, at_least=role):
        raise NotAuthorised(approval_id, needed=role, role=reviewer.role)
    if answer in ("approve", "edit") and amount_minor is not None and reviewer.limits is not None:
        limit = reviewer.limits.get(currency or "")
        if limit is None or amount_minor > limit:
            raise AboveLimit(approval_id, amount_minor=amount_minor, currency=currency or "", limit_minor=limit)
    if reviewer.id in authors:
        raise OwnRequest(approval_id)
    if reviewer.id in voters:
        raise AlreadyVoted(approval_id)
    if answer in ("reject", "respond") and not note.strip():
        raise JustificationMissing(approval_id, answer=answer)


def has_role(role: str, *, at_least: str) -> bool:
    """Whether a role reaches another. A role outside the ladder is reached by itself and by admin only."""
    if role == at_least or role == "admin":
        return True
    return role in _ROLES and at_least in _ROLES and _ROLES.index(role) >= _ROLES.index(at_least)
