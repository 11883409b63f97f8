"""The schema's versions: which one a database has, and the way from there to ours."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, String, Table, create_engine, inspect, select

from memory.errors import SchemaAhead, SchemaBehind
from memory.schema import METADATA

if TYPE_CHECKING:
    from alembic.config import Config

FIRST = "0001"
"""What databases hold that were made before versions were written down."""
HEAD = "0002"
"""The version that the tables of memory make together; the last of `migrations/versions`, which a test compares."""

_DIRECTORY = Path(__file__).parent / "migrations"
_VERSIONS = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
_OUR_FIRST_TABLE = "conversations"


def version_of(connection: Connection) -> str | None:
    """The schema's version, or None for a database that holds nothing of ours."""
    tables = inspect(connection)
    if tables.has_table(_VERSIONS.name):
        version: str | None = connection.execute(select(_VERSIONS.c.version_num)).scalar()
        return version
    return FIRST if tables.has_table(_OUR_FIRST_TABLE) else None


def check(connection: Connection) -> None:
    """Make sure that the schema is ours.

    Raises:
        SchemaBehind: It must be upgraded first.
        SchemaAhead: A newer version has upgraded it.
    """
    found = version_of(connection)
    if found == HEAD:
        return
    if found is None or found < HEAD:
        raise SchemaBehind(found=found, needed=HEAD)
    raise SchemaAhead(found=found, needed=HEAD)


def prepare(connection: Connection) -> None:
    """Make the schema ours, from nothing or from an earlier version, in the connection's transaction.

    Raises:
        SchemaAhead: A newer version has upgraded it.
    """
    found = version_of(connection)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise SchemaAhead(found=found, needed=HEAD)
    if not inspect(connection).has_table(_VERSIONS.name):
        _VERSIONS.create(connection)
        connection.execute(_VERSIONS.insert().values(version_num=found or HEAD))
    if found is None:
        # All at once is what all migrations come to; a test compares the two.
        METADATA.create_all(connection)
        return
    # A third of a second to import: only for those who need it.
    from alembic import command

    command.upgrade(_config(connection), HEAD)


def revise(message: str) -> Path:
    """Write the migration that leads from the last one to the tables as they are declared now; where it is."""
    from alembic import command
    from alembic.script import ScriptDirectory

    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        config = _config(connection)
        command.upgrade(config, "head")
        last = ScriptDirectory.from_config(config).get_current_head() or "0000"
        made = command.revision(config, message, autogenerate=True, rev_id=f"{int(last) + 1:04}")
    engine.dispose()
    assert made is not None and not isinstance(made, list)  # noqa: S101, PT018  one revision was asked for
    return Path(made.path)


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_DIRECTORY))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


if __name__ == "__main__":
    print(revise(" ".join(sys.argv[1:]) or "changes"))
