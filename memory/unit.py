"""One transaction's hands: what every function of memory takes first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Table, and_, bindparam, select, update
from sqlalchemy import insert as insert_into

from memory.statements import Kept, Prepared
from memory.vault import Vault

Found = Mapping[str, Any]
"""A row as it was read, by column."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A connection inside a transaction, and the keys as this transaction sees them. Never outlives its work."""

    connection: Connection
    vault: Vault

    def row(self, table: Table, **equals: Any) -> Found | None:
        """The first row whose columns equal these values (never None), or None."""
        return _select(table, tuple(equals)).on(self.connection).first(self.connection, equals)

    def many(self, table: Table, order: tuple[str, ...], **equals: Any) -> Sequence[Found]:
        """All rows whose columns equal these values (never None), by these columns."""
        return _select(table, tuple(equals), order).on(self.connection).rows(self.connection, equals)

    def insert(self, table: Table, **values: Any) -> int | str:
        """Add a row; the first column of its primary key, also where the database gave it."""
        prepared = _insert(table, tuple(values)).on(self.connection)
        given = prepared.value(self.connection, values)
        key: int | str = given if prepared.returns else values[_key_of(table)]
        return key

    def change(self, table: Table, where: Mapping[str, Any], **values: Any) -> int:
        """Set columns of the rows whose columns equal `where` (never None); how many rows that were."""
        parameters = {**values, **{f"where_{name}": value for name, value in where.items()}}
        return _update(table, tuple(where), tuple(values)).on(self.connection).run(self.connection, parameters)

    def first(self, statement: Executable | Kept, **parameters: Any) -> Found | None:
        """The first row of a select, or None."""
        if isinstance(statement, Kept):
            return statement.on(self.connection).first(self.connection, parameters)
        return self.connection.execute(statement, parameters).mappings().first()  # type: ignore[return-value]  # by name

    def rows(self, statement: Executable | Kept, **parameters: Any) -> Sequence[Found]:
        """All rows of a select."""
        if isinstance(statement, Kept):
            return statement.on(self.connection).rows(self.connection, parameters)
        return self.connection.execute(statement, parameters).mappings().all()  # type: ignore[return-value]  # by name

    def value(self, statement: Executable | Kept, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        if isinstance(statement, Kept):
            return statement.on(self.connection).value(self.connection, parameters)
        return self.connection.execute(statement, parameters).scalar()

    def run(self, statement: Executable | Kept, **parameters: Any) -> int:
        """Run an update or delete; how many rows it touched."""
        if isinstance(statement, Kept):
            return statement.on(self.connection).run(self.connection, parameters)
        return self.connection.execute(statement, parameters).rowcount


@cache
def _select(table: Table, names: tuple[str, ...], order: tuple[str, ...] = ()) -> Kept:
    statement = select(table).where(*(table.c[name] == bindparam(name) for name in names))
    return Kept(statement.order_by(*(table.c[name] for name in order)))


@cache
def _insert(table: Table, names: tuple[str, ...]) -> Kept:
    statement = insert_into(table).values({name: bindparam(name) for name in names})
    key = _key_of(table)
    return Kept(statement if key in names else statement.returning(table.c[key]))


@cache
def _update(table: Table, where: tuple[str, ...], names: tuple[str, ...]) -> Kept:
    same = and_(*(table.c[name] == bindparam(f"where_{name}") for name in where))
    return Kept(update(table).where(same).values({name: bindparam(name) for name in names}))


@cache
def _key_of(table: Table) -> str:
    return next(iter(table.primary_key.columns)).name


__all__ = ["Found", "Kept", "Prepared", "Unit"]
