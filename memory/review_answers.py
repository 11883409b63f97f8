"""Reviewers' answers, kept for measures of how carefully they are given: an approval loses its votes when it reopens.

Nothing of a customer is in it: who answered what, when, after how long.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import cast

from sqlalchemy import Column, select
from sqlmodel import Field

from memory.authority import Answer
from memory.rows import SERIAL, Moment, Row, table_of
from memory.unit import Unit
from policies.words import ApprovalId

QUICK_S = 10.0
"""An answer faster than this was hardly read."""


class ReviewAnswerRow(Row, table=True):
    """One answer that was taken."""

    __tablename__ = "review_answers"

    seq: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))
    approval_id: str = Field(index=True)
    version: int
    tool: str
    reviewer: str = Field(index=True)
    answer: str
    at: datetime = Field(sa_type=Moment, index=True)
    seconds_to_decide: float
    seconds_of_claim: float | None


_TABLE = table_of(ReviewAnswerRow)


@dataclass(frozen=True, slots=True)
class Measures:
    """How one reviewer answered one action in a window."""

    reviewer: str
    tool: str
    answers: int
    approved: int
    edited: int
    rejected: int
    responded: int
    share_approved: float
    """Of the answers, those that let it run as it was asked; near 1 with quick answers is a rubber stamp."""
    share_quick: float
    """Of the answers, those given within `QUICK_S` of being asked, or of being claimed where it was claimed."""
    median_seconds_to_decide: float
    """From when it was asked; the time in the queue counts."""
    median_seconds_of_claim: float | None
    """From when it was claimed; None where nothing was."""


def keep(
    unit: Unit,
    *,
    approval_id: ApprovalId,
    version: int,
    tool: str,
    reviewer: str,
    answer: Answer,
    seconds_to_decide: float,
    seconds_of_claim: float | None,
    now: datetime,
) -> None:
    """Keep an answer, in the transaction that takes it."""
    unit.insert(
        _TABLE,
        approval_id=approval_id,
        version=version,
        tool=tool,
        reviewer=reviewer,
        answer=answer,
        at=now,
        seconds_to_decide=seconds_to_decide,
        seconds_of_claim=seconds_of_claim,
    )


def measures(
    unit: Unit,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    reviewer: str | None = None,
    tool: str | None = None,
) -> list[Measures]:
    """How answers were given, by reviewer and action.

    Args:
        unit: The transaction.
        since: Only answers at or after this moment.
        until: Only answers before it.
        reviewer: Only theirs.
        tool: Only on this action.
    """
    columns = (_TABLE.c.reviewer, _TABLE.c.tool, _TABLE.c.answer, _TABLE.c.seconds_to_decide, _TABLE.c.seconds_of_claim)
    statement = select(*columns).order_by(_TABLE.c.reviewer, _TABLE.c.tool, _TABLE.c.seq)
    if since is not None:
        statement = statement.where(_TABLE.c.at >= since)
    if until is not None:
        statement = statement.where(_TABLE.c.at < until)
    if reviewer is not None:
        statement = statement.where(_TABLE.c.reviewer == reviewer)
    if tool is not None:
        statement = statement.where(_TABLE.c.tool == tool)
    groups: dict[tuple[str, str], list[_Given]] = {}
    for row in unit.rows(statement):
        given = _Given(cast(Answer, row["answer"]), row["seconds_to_decide"], row["seconds_of_claim"])
        groups.setdefault((row["reviewer"], row["tool"]), []).append(given)
    return [_measured(who, what, answers) for (who, what), answers in groups.items()]


@dataclass(frozen=True, slots=True)
class _Given:
    answer: Answer
    since_asked_s: float
    since_claimed_s: float | None

    @property
    def looked_s(self) -> float:
        return self.since_asked_s if self.since_claimed_s is None else self.since_claimed_s


def _measured(reviewer: str, tool: str, given: Sequence[_Given]) -> Measures:
    claimed = [one.since_claimed_s for one in given if one.since_claimed_s is not None]
    return Measures(
        reviewer=reviewer,
        tool=tool,
        answers=len(given),
        approved=_count(given, "approve"),
        edited=_count(given, "edit"),
        rejected=_count(given, "reject"),
        responded=_count(given, "respond"),
        share_approved=_count(given, "approve") / len(given),
        share_quick=sum(one.looked_s < QUICK_S for one in given) / len(given),
        median_seconds_to_decide=median(one.since_asked_s for one in given),
        median_seconds_of_claim=median(claimed) if claimed else None,
    )


def _count(given: Iterable[_Given], answer: Answer) -> int:
    return sum(one.answer == answer for one in given)
