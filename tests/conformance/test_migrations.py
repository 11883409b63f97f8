"""The schema's versions: what the migrations come to is what the tables say, on each backend, and nothing is lost."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import NewDatabase
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url

from callboard.database import upgrade
from memory import inbox, migrating
from memory.errors import DatabaseUnreachable, SchemaAhead, SchemaBehind
from memory.postgres_store import DatabaseLimits, PostgresStore, engine_of
from memory.schema import METADATA
from memory.sqlite_store import SqliteStore
from policies.words import ConversationId

KEY = b"k" * 32


@pytest.fixture
def engine(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if backend == "postgres":
        new_database: NewDatabase = request.getfixturevalue("new_database")
        made = engine_of(new_database(), DatabaseLimits())
    else:
        made = create_engine(f"sqlite:///{tmp_path / 'one.db'}")
    yield made
    made.dispose()


def _migrate(connection: Connection, to: str) -> None:
    command.upgrade(migrating._config(connection), to)


def _described(connection: Connection) -> dict[str, Any]:
    """Every table as the database itself describes it."""
    seen = inspect(connection)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"]) for column in seen.get_columns(table)
            },
            "key": seen.get_pk_constraint(table)["constrained_columns"],
            "indexes": sorted(
                (str(one["name"]), one["column_names"], one["unique"]) for one in seen.get_indexes(table)
            ),
            "unique": sorted(one["column_names"] for one in seen.get_unique_constraints(table)),
        }
        for table in sorted(seen.get_table_names())
    }


def test_all_migrations_come_to_the_tables_as_they_are_declared(engine: Engine) -> None:
    with engine.begin() as connection:
        _migrate(connection, "head")
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, METADATA) == []
        migrated = _described(connection)
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
        assert _described(connection) == migrated


def test_the_last_migration_is_the_version_that_is_asked_for(engine: Engine) -> None:
    with engine.connect() as connection:
        assert ScriptDirectory.from_config(migrating._config(connection)).get_current_head() == migrating.HEAD


def test_a_new_database_gets_everything_at_once_and_is_left_alone_afterwards(engine: Engine) -> None:
    with engine.begin() as connection:
        assert migrating.version_of(connection) is None
        with pytest.raises(SchemaBehind, match="callboard db upgrade"):
            migrating.check(connection)
        migrating.prepare(connection)
        made = _described(connection)
        migrating.prepare(connection)
        migrating.check(connection)
        assert _described(connection) == made


def test_a_database_of_a_newer_version_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        migrating.prepare(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for refuse in (migrating.check, migrating.prepare):
            with pytest.raises(SchemaAhead):
                refuse(connection)


async def test_a_data_directory_from_before_versions_is_upgraded_when_it_is_opened(
    tmp_path: Path, now: datetime
) -> None:
    (tmp_path / "data").mkdir()
    old = create_engine(f"sqlite:///{tmp_path / 'data' / 'callboard.db'}")
    with old.begin() as connection:
        _migrate(connection, migrating.FIRST)
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(
            text("INSERT INTO snapshots VALUES ('h', 'playbook', 'retail', '{}', '2026-01-01 00:00:00', NULL, 0)")
        )
    old.dispose()
    store = await SqliteStore.open(tmp_path / "data", master_key=KEY)
    c1 = ConversationId("c1")
    await store.write(
        lambda unit: inbox.put_message(unit, conversation_id=c1, message_id="m", text="hi", channel="chat", now=now)
    )
    assert await store.read(lambda unit: migrating.version_of(unit.connection)) == migrating.HEAD
    assert await store.read(lambda unit: unit.value(text("SELECT hash FROM snapshots"))) == "h"
    await store.close()


async def test_a_postgres_database_is_refused_until_it_is_upgraded_and_upgrading_twice_is_no_matter(
    new_database: NewDatabase,
) -> None:
    url = new_database()
    with pytest.raises(SchemaBehind, match="callboard db upgrade"):
        await PostgresStore.open(url, master_key=KEY)
    for _ in range(2):
        assert await upgrade(url) == migrating.HEAD
    store = await PostgresStore.open(url, master_key=KEY)
    await store.close()


async def test_a_database_that_is_not_there_is_named_as_what_it_is(postgres_server: str) -> None:
    nowhere = make_url(postgres_server).set(database="nowhere").render_as_string(hide_password=False)
    for reach in (lambda: PostgresStore.open(nowhere, master_key=KEY), lambda: upgrade(nowhere)):
        with pytest.raises(DatabaseUnreachable, match="CALLBOARD_DATABASE_URL"):
            await reach()
