"""What all tables of memory share: a registry of their own, aware times, and one way to name a table."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Table
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

SERIAL = BigInteger().with_variant(Integer(), "sqlite")
"""A number that the database gives. SQLite numbers only columns of its own integer type."""


class Row(SQLModel, registry=registry()):
    """Base of every table; its metadata holds nothing but Callboard's own tables."""


class Moment(TypeDecorator[datetime]):
    """An aware time in UTC, also on a database that forgets time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("Times must be aware; pass datetime.now(UTC) or convert first.")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def table_of(row: type[Row]) -> Table:
    """The table behind a row class, for statements."""
    return row.metadata.tables[str(row.__tablename__)]
