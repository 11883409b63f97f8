"""One transaction's hands: what every function of memory takes first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Insert,
    RowMapping,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    select,
    update,
)
from sqlalchemy import insert as insert_into

from memory.vault import Vault


@dataclass(frozen=True, slots=True)
class Unit:
    """A connection inside a transaction, and the keys as this transaction sees them. Never outlives its work."""

    connection: Connection
    vault: Vault

    def row(self, table: Table, **equals: Any) -> RowMapping | None:
        """The first row whose columns equal these values (never None), or None."""
        return self.connection.execute(_select(table, tuple(equals)), equals).mappings().first()

    def insert(self, table: Table, **values: Any) -> int | str:
        """Add a row; the first column of its primary key, also where the database gave it."""
        added = self.connection.execute(_insert(table), values)
        key: int | str = added.inserted_primary_key[0] if added.inserted_primary_key else ""
        return key

    def change(self, table: Table, where: Mapping[str, Any], **values: Any) -> int:
        """Set columns of the rows whose columns equal `where` (never None); how many rows that were."""
        parameters = {**values, **{f"where_{name}": value for name, value in where.items()}}
        return self.connection.execute(_update(table, tuple(where)), parameters).rowcount

    def first(self, statement: Executable, **parameters: Any) -> RowMapping | None:
        """The first row of a select, or None."""
        return self.connection.execute(statement, parameters).mappings().first()

    def rows(self, statement: Executable, **parameters: Any) -> Sequence[RowMapping]:
        """All rows of a select."""
        return self.connection.execute(statement, parameters).mappings().all()

    def value(self, statement: Executable, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        return self.connection.execute(statement, parameters).scalar()

    def run(self, statement: Executable) -> int:
        """Run an update or delete; how many rows it touched."""
        return self.connection.execute(statement).rowcount


# Building a statement costs three to five times as much as running it, so the common ones are built once.


@cache
def _select(table: Table, names: tuple[str, ...]) -> Select[Any]:
    return select(table).where(*(table.c[name] == bindparam(name) for name in names))


@cache
def _insert(table: Table) -> Insert:
    return insert_into(table)


@cache
def _update(table: Table, names: tuple[str, ...]) -> Update:
    return update(table).where(and_(*(table.c[name] == bindparam(f"where_{name}") for name in names)))
