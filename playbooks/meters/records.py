"""The utility's books: meters, and one row per reading that was stored, also if it was stored twice."""

import sqlite3
from contextlib import closing
from pathlib import Path

FILE = "meters.db"
METERS = 9_999
SCHEMA = """
PRAGMA journal_mode=WAL;
CREATE TABLE meters (id TEXT PRIMARY KEY, place TEXT NOT NULL, last_value INTEGER NOT NULL);
CREATE TABLE readings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, meter_id TEXT NOT NULL REFERENCES meters (id), value INTEGER NOT NULL,
    reference TEXT NOT NULL, at TEXT NOT NULL
);
CREATE INDEX readings_by_reference ON readings (reference);
"""
"""A reading's `reference` isn't unique: the books take what they are told, each time."""


class Books:
    """The utility's system of record, in one SQLite file.

    Calls are a look at one row, so they run where they are asked for, without a thread between.
    """

    name = "meter books"

    def __init__(self, directory: Path) -> None:
        self._connection = sqlite3.connect(directory / FILE, isolation_level=None)
        self._connection.execute("PRAGMA synchronous=NORMAL")

    async def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def meter(self, meter_id: str) -> tuple[str, int] | None:
        """Where a meter hangs and what it showed last; None if there is none."""
        found: tuple[str, int] | None = self._connection.execute(
            "SELECT place, last_value FROM meters WHERE id = ?", (meter_id,)
        ).fetchone()
        return found

    def store(self, meter_id: str, value: int, *, reference: str, at: str) -> None:
        """Take a reading down."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.execute(
                "INSERT INTO readings (meter_id, value, reference, at) VALUES (?, ?, ?, ?)",
                (meter_id, value, reference, at),
            )
            self._connection.execute("UPDATE meters SET last_value = ? WHERE id = ?", (value, meter_id))
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def stored_as(self, reference: str) -> tuple[str, int] | None:
        """Meter and value of the reading with this reference; None if it was never stored."""
        found: tuple[str, int] | None = self._connection.execute(
            "SELECT meter_id, value FROM readings WHERE reference = ?", (reference,)
        ).fetchone()
        return found

    def count(self) -> int:
        """How many readings were stored."""
        counted: int = self._connection.execute("SELECT count(*) FROM readings").fetchone()[0]
        return counted


def build(directory: Path) -> None:
    """Write books with meters that all stand at 0."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / FILE).unlink(missing_ok=True)
    with closing(sqlite3.connect(directory / FILE)) as connection, connection:
        connection.executescript(SCHEMA)
        rows = [(f"M-{number:04}", f"Canal Street {number}", 0) for number in range(1, METERS + 1)]
        connection.executemany("INSERT INTO meters VALUES (?, ?, ?)", rows)
