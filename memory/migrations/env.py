"""How alembic runs our migrations: on the connection that it is handed, in that connection's transaction."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import DateTime
from sqlmodel.sql.sqltypes import AutoString

from memory.rows import SERIAL, Moment
from memory.schema import METADATA


def is_ours(thing: object, name: str | None, kind: str, reflected: bool, compared: object) -> bool:
    """Whether a table is one of memory's; the database holds those of checkpoints, queue and vectors too."""
    return kind != "table" or name in METADATA.tables


def write(kind: str, thing: Any, _autogenerate: Any) -> str | Literal[False]:
    """Types as they are in a database, so that old migrations don't change with our classes."""
    if kind != "type":
        return False
    if isinstance(thing, Moment):
        return "sa.DateTime(timezone=True)"
    if isinstance(thing, AutoString):
        return "sa.String()"
    return 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")' if thing is SERIAL else False


def is_other_type(_context: Any, _inspected: Any, _column: Any, found: Any, wanted: Any) -> bool | None:
    """Whether a column must change its type. Whether times have zones is unknown to SQLite."""
    return not isinstance(found, DateTime) if isinstance(wanted, Moment) else None


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    include_object=is_ours,
    render_item=write,
    compare_type=is_other_type,
    render_as_batch=True,
)
context.run_migrations()
