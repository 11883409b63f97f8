"""What effects used of limits: reserved with their receipt, released when they certainly did not happen."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Column, delete, func, select
from sqlmodel import Field

from memory.errors import LimitExceeded
from memory.guards import guard
from memory.rows import SERIAL, Moment, Row, table_of
from memory.unit import Unit
from policies.words import LimitUse, PastUse, ReceiptId


class LimitUseRow(Row, table=True):
    """One receipt's use of one limit."""

    __tablename__ = "limit_uses"

    seq: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))
    receipt_id: str = Field(index=True)
    rule: str
    key: str = Field(index=True)
    at: datetime = Field(sa_type=Moment)
    count: int
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str


_TABLE = table_of(LimitUseRow)


def use(unit: Unit, *, receipt_id: ReceiptId, uses: Sequence[LimitUse], now: datetime) -> None:
    """Check each limit against what was used in its window up to now, and use it.

    Raises:
        LimitExceeded: One of them doesn't reach; the caller's transaction must not go on.
    """
    for wanted in uses:
        guard(unit, f"limit:{wanted.key}")
        condition = _TABLE.c.key == wanted.key
        if wanted.window_s is not None:
            condition &= _TABLE.c.at > now - timedelta(seconds=wanted.window_s)
        if wanted.max_count is not None:
            used = unit.value(select(func.coalesce(func.sum(_TABLE.c.count), 0)).where(condition))
            if int(used) + wanted.count > wanted.max_count:
                raise LimitExceeded(limit=wanted.limit, key=wanted.key)
        if wanted.max_amount_minor is not None:
            condition &= _TABLE.c.currency == wanted.currency
            used = unit.value(select(func.coalesce(func.sum(_TABLE.c.amount_minor), 0)).where(condition))
            if int(used) + wanted.amount_minor > wanted.max_amount_minor:
                raise LimitExceeded(limit=wanted.limit, key=wanted.key)
        unit.insert(
            _TABLE,
            receipt_id=receipt_id,
            rule=wanted.limit,
            key=wanted.key,
            at=now,
            count=wanted.count,
            amount_minor=wanted.amount_minor,
            currency=wanted.currency,
        )


def release(unit: Unit, *, receipt_id: ReceiptId) -> None:
    """Give back what a receipt used."""
    unit.run(delete(_TABLE).where(_TABLE.c.receipt_id == receipt_id))


def uses(unit: Unit, *, keys: Sequence[str], since: datetime | None = None) -> dict[str, list[PastUse]]:
    """What counts against these limit keys, oldest first; every key is in the answer.

    Args:
        unit: The transaction.
        keys: `LimitUse.key` of each limit.
        since: Leave out what is older; None for all.
    """
    statement = select(_TABLE).where(_TABLE.c.key.in_(list(keys))).order_by(_TABLE.c.at, _TABLE.c.seq)
    if since is not None:
        statement = statement.where(_TABLE.c.at >= since)
    found: dict[str, list[PastUse]] = {key: [] for key in keys}
    for row in unit.rows(statement):
        found[row["key"]].append(PastUse(row["at"], row["amount_minor"], row["currency"]))
        # A use that counts more than once is one amount and so many counts.
        found[row["key"]].extend(PastUse(row["at"], 0, row["currency"]) for _ in range(row["count"] - 1))
    return found
