"""Statements that are worked out once: SQL text and the ways of their values, run on the driver's own cursor.

Building a statement, looking it up in SQLAlchemy's cache and wrapping its result cost five times what SQLite takes to
run it. A kept statement is compiled by SQLAlchemy for the dialect at hand, and after that is text and tuples.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Executable, Float
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.selectable import ReturnsRows


class Kept:
    """A statement that lives as long as the program. Its values come by name when it is run.

    No list of changing length may stand in it: one text would not do for all lengths.
    """

    __slots__ = ("_prepared", "_statement")

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._prepared: dict[str, Prepared] = {}

    def on(self, connection: Connection) -> "Prepared":
        """The statement in the words of this connection's database."""
        dialect = connection.dialect
        prepared = self._prepared.get(dialect.driver)
        if prepared is None:
            prepared = self._prepared[dialect.driver] = Prepared(self._statement, dialect)
        return prepared


class Prepared:
    """A statement in the words of one driver."""

    __slots__ = ("_fixed", "_names", "_order", "_read", "_write", "returns", "sql")

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled = cast(SQLCompiler, cast(ClauseElement, statement).compile(dialect=dialect))
        self.sql = str(compiled)
        binds = [(name, bind) for bind, name in compiled.bind_names.items()]
        self._order = compiled.positiontup
        self._fixed = {name: bind.effective_value for name, bind in binds if not bind.required}
        self._write = [
            (name, process)
            for name, bind in binds
            if (process := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        ]
        columns = statement.exported_columns.items() if isinstance(statement, ReturnsRows) else []
        self._names = [name for name, _ in columns]
        self._read = [
            (name, process)
            for name, column in columns
            # Both drivers give floats as they are; the processor of one asks for a type that only a result knows.
            if not isinstance(column.type, Float)
            and (process := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        ]
        self.returns = bool(columns)
        """Whether it gives rows."""

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All rows."""
        cursor = self._execute(connection, values)
        found = cursor.fetchall()
        cursor.close()
        return [self._row(row) for row in found]

    def first(self, connection: Connection, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The first row, or None."""
        cursor = self._execute(connection, values)
        found = cursor.fetchone()
        cursor.close()
        return None if found is None else self._row(found)

    def value(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """The first column of the first row; None where there is none."""
        cursor = self._execute(connection, values)
        found = cursor.fetchone() if self.returns else None
        cursor.close()
        return None if found is None else next(iter(self._row(found).values()))

    def run(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """How many rows it touched."""
        cursor = self._execute(connection, values)
        count: int = cursor.rowcount
        cursor.close()
        return count

    def _row(self, values: Sequence[Any]) -> dict[str, Any]:
        row = dict(zip(self._names, values, strict=True))
        for name, process in self._read:
            row[name] = process(row[name])
        return row

    def _execute(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        given = {**self._fixed, **values}
        for name, process in self._write:
            given[name] = process(given[name])
        if not connection.in_transaction():
            connection.begin()  # as SQLAlchemy does by itself, so that its commit is one
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self.sql, given if self._order is None else [given[name] for name in self._order])
        except Exception as error:
            cursor.close()
            raise self._problem(connection, error) from error
        return cursor

    def _problem(self, connection: Connection, error: Exception) -> BaseException:
        """The driver's error as SQLAlchemy names it, without the values: they may be what a customer said."""
        dialect = connection.dialect
        kind = dialect.loaded_dbapi.Error
        if not isinstance(error, kind):
            return error
        is_lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
        if is_lost:
            connection.invalidate(error)
        return DBAPIError.instance(
            self.sql, None, error, kind, hide_parameters=True, connection_invalidated=is_lost, dialect=dialect
        )
