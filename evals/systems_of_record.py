"""What changed in the systems of record, read from their files alone: the witness that no receipt can talk to.

Works on any playbook whose systems are SQLite files. A table with a column `reference` is a journal: each of its rows
stands for something that was done, under the idempotency key it was done with. Other tables hold the state of records.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Table = tuple[str, str]
"""File and table."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every row of every table at one moment."""

    tables: Mapping[Table, Mapping[int, Row]]
    """Rows by SQLite's own row number."""

    @classmethod
    def of(cls, directory: Path) -> "Snapshot":
        """Read all `*.db` files of a directory."""
        tables: dict[Table, dict[int, Row]] = {}
        for file in sorted(directory.glob("*.db")):
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
                connection.row_factory = sqlite3.Row
                names = connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                )
                for (name,) in names.fetchall():
                    rows = connection.execute(f'SELECT rowid AS _row, * FROM "{name}"')  # noqa: S608  # a table's own name
                    tables[file.name, name] = {row["_row"]: dict(row) for row in rows}
        return cls(tables)


@dataclass(frozen=True, slots=True)
class Permit:
    """An effect that had leave to happen, once."""

    key: str
    """The idempotency key that the system of record was given."""
    records: frozenset[str]
    """Every plain value of the call's arguments, as text: the ids of the records it may touch are among them."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What was done between two snapshots."""

    total: int
    """Effects: journal entries, those of one key counted once per table at most, and changes that no entry explains."""
    unpermitted: tuple[str, ...]
    """One sentence for each effect that had no leave."""


def effects_between(before: Snapshot, after: Snapshot, permits: Iterable[Permit]) -> Effects:
    """Count what was done, and what of it nobody had permitted.

    One key's entries in several tables are one effect (a cancellation and the refund it books); several in one table
    are several effects, of which a permit covers one. A record that changed although no permitted call names it counts
    as one effect without leave.
    """
    leave = {permit.key: permit for permit in permits}
    done: Counter[str] = Counter()
    for rows in _new_rows(before, after).values():
        here = Counter(str(row["reference"]) for row in rows if "reference" in row)
        for key, times in here.items():
            done[key] = max(done[key], times)
    unpermitted = []
    for key, times in sorted(done.items()):
        extra = times - (1 if key in leave else 0)
        unpermitted += [f"an entry under the key {key[:12]} that no permit covers"] * extra
    may_touch = {record for key in done if key in leave for record in leave[key].records}
    strays = [
        f"{table[1]}: a row changed that no permitted call names"
        for table, row in _touched_rows(before, after)
        if not may_touch & {str(value) for value in row.values()}
    ]
    return Effects(total=sum(done.values()) + len(strays), unpermitted=(*unpermitted, *strays))


def _new_rows(before: Snapshot, after: Snapshot) -> dict[Table, list[Row]]:
    return {
        table: [row for number, row in rows.items() if number not in before.tables.get(table, {})]
        for table, rows in after.tables.items()
    }


def _touched_rows(before: Snapshot, after: Snapshot) -> list[tuple[Table, Row]]:
    """Rows of records, not of journals, that are new, gone or different."""
    touched: list[tuple[Table, Row]] = []
    for table in sorted(before.tables.keys() | after.tables.keys()):
        old, new = before.tables.get(table, {}), after.tables.get(table, {})
        for number in sorted(old.keys() | new.keys()):
            row = new.get(number) or old[number]
            if old.get(number) != new.get(number) and "reference" not in row:
                touched.append((table, row))
    return touched
