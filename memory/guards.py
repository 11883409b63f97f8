"""Guards: where two transactions decide on what they read and write different rows, both also write one and the same.

On Postgres a transaction sees one snapshot, and of two that write the same row the later one fails and runs again. That
settles every race over a row; it doesn't settle a sum that fits twice because neither sees what the other adds. Whoever
decides so guards what the decision is about, and the two meet in a row.
"""

from zlib import crc32

from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field

from memory.rows import Row, table_of
from memory.unit import Kept, Unit

ROWS = 4096
"""How many there are: few enough to be nothing, enough that two names seldom share one. Sharing costs a retry."""


class GuardRow(Row, table=True):
    """One row to meet in. It names nothing and nobody."""

    __tablename__ = "guards"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    times: int


_TABLE = table_of(GuardRow)
_PASS = Kept(
    insert(_TABLE)
    .values(id=bindparam("id"), times=1)
    .on_conflict_do_update(index_elements=[_TABLE.c.id], set_={"times": (_TABLE.c.times + 1) % 1_000_000_000})
)


def guard(unit: Unit, what: str) -> None:
    """Let no other transaction decide about the same thing unseen: call it before reading what decides.

    Args:
        unit: The transaction. On SQLite, where there is one writer, nothing is done.
        what: "limit:…", "customer:…": what is decided about.
    """
    if unit.connection.dialect.name != "sqlite":
        unit.run(_PASS, id=crc32(what.encode()) % ROWS)
