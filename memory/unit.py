"""One transaction's hands: what every function of memory takes first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, Executable, RowMapping
from sqlalchemy.orm import Session

from memory.vault import Vault


@dataclass(frozen=True, slots=True)
class Unit:
    """A session inside a transaction, and the keys as this transaction sees them. Never outlives its work."""

    session: Session
    vault: Vault

    def first(self, statement: Executable) -> RowMapping | None:
        """The first row of a select, or None."""
        return self.session.execute(statement).mappings().first()

    def rows(self, statement: Executable) -> Sequence[RowMapping]:
        """All rows of a select."""
        return self.session.execute(statement).mappings().all()

    def value(self, statement: Executable) -> Any:
        """The first column of the first row, or None."""
        return self.session.execute(statement).scalar()

    def run(self, statement: Executable) -> int:
        """Run an insert, update or delete; how many rows it touched."""
        return cast("CursorResult[Any]", self.session.execute(statement)).rowcount
