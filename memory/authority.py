"""Authority: whether a person may give this answer to this approval. Pure; it only refuses."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from memory.errors import (
    AboveLimit,
    ActionNotYours,
    AlreadyVoted,
    JustificationMissing,
    NotAuthorised,
    OwnRequest,
)

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
    actions: Mapping[str, Mapping[str, int] | None] | None = None
    """The tools they may decide on, each with limits of its own or None for the general ones; None for all tools."""

    def limits_for(self, tool: str) -> Mapping[str, int] | None:
        """The limits that hold for an action: its own if it has some, else the general ones."""
        own = self.actions.get(tool) if self.actions is not None else None
        return own if own is not None else self.limits

    def may_decide_on(self, tool: str) -> bool:
        """Whether an action is theirs."""
        return self.actions is None or tool in self.actions


def check(
    *,
    approval_id: str,
    answer: Answer,
    reviewer: Reviewer,
    role: str,
    tool: str,
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
        tool: The action it is about.
        amount_minor: The money that would move; None for none.
        currency: Of the amount.
        authors: Who asked for it.
        voters: Who said yes to this version before.
        note: The reviewer's words.

    Raises:
        NotAuthorised, ActionNotYours, AboveLimit, OwnRequest, AlreadyVoted, JustificationMissing: Checked in this
            order.
    """
    check_reach(approval_id=approval_id, reviewer=reviewer, role=role, tool=tool)
    says_yes = answer in ("approve", "edit")
    if says_yes and not suffices(reviewer, role=role, tool=tool, amount_minor=amount_minor, currency=currency):
        limit = (reviewer.limits_for(tool) or {}).get(currency or "")
        raise AboveLimit(approval_id, amount_minor=amount_minor or 0, currency=currency or "", limit_minor=limit)
    if reviewer.id in authors:
        raise OwnRequest(approval_id)
    if reviewer.id in voters:
        raise AlreadyVoted(approval_id)
    if answer in ("reject", "respond") and not note.strip():
        raise JustificationMissing(approval_id, answer=answer)


def check_reach(*, approval_id: str, reviewer: Reviewer, role: str, tool: str) -> None:
    """Refuse a person to whom this approval is none of their business, whatever they would answer.

    Raises:
        NotAuthorised, ActionNotYours: Checked in this order.
    """
    if not has_role(reviewer.role, at_least=role):
        raise NotAuthorised(approval_id, needed=role, role=reviewer.role)
    if not reviewer.may_decide_on(tool):
        raise ActionNotYours(approval_id, tool=tool)


def suffices(reviewer: Reviewer, *, role: str, tool: str, amount_minor: int | None, currency: str | None) -> bool:
    """Whether a person's yes counts, by role, action and amount."""
    limits = reviewer.limits_for(tool)
    enough = has_role(reviewer.role, at_least=role) and reviewer.may_decide_on(tool)
    if amount_minor is None or limits is None:
        return enough
    return enough and amount_minor <= limits.get(currency or "", -1)


def has_role(role: str, *, at_least: str) -> bool:
    """Whether a role reaches another. A role outside the ladder is reached by itself and by admin only."""
    if role == at_least or role == "admin":
        return True
    return role in _ROLES and at_least in _ROLES and _ROLES.index(role) >= _ROLES.index(at_least)
