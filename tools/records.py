"""A system of record in one JSON file: what was there stays as it lies, what changes is appended beside it."""

import fcntl
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

RECORDS = "db.json"
"""The file of a system's records as they were at the beginning: table → id → record."""
CHANGES = "db.changes.jsonl"
"""One line per effect since: its idempotency key, its result, and the records that it changed, whole."""

Record = dict[str, Any]
Tables = dict[str, dict[str, Record]]


@runtime_checkable
class ShowsChanges(Protocol):
    """A system of record that can say what has become different, so that an end state can be compared."""

    def changed_records(self) -> Tables:
        """The records that differ from the beginning, whole, in the form of the file they came from."""


class RecordsFile:
    """Tables of records behind the tools of a playbook.

    Reading gives copies; only `commit` changes anything, all of it or nothing, and it is on disk when it returns. An
    effect is known by its idempotency key, so that a repeated call finds the first one's result. Several processes may
    work on one directory: each sees what the others have committed.

    Amounts in the file are decimal numbers of the main unit. At this door `price: 148.9` becomes `price_minor: 14890`,
    and on the way out the same backwards.

    Args:
        name: The system's name, as people read it beside facts.
        directory: Where `db.json` lies.
        money: Names of the fields that hold amounts.
    """

    def __init__(self, name: str, directory: Path, *, money: Collection[str] = ()) -> None:
        self.name = name
        self._money = {field: f"{field}_minor" for field in money}
        self._amounts = {inside: field for field, inside in self._money.items()}
        file = directory / RECORDS
        self._base = _read(file, file.stat().st_mtime_ns)
        self._changed: Tables = {}
        self._results: dict[str, Record] = {}
        self._log = directory / CHANGES
        self._known_to = 0
        """How far into the file its effects are known here."""
        if self._log.is_file():
            with _locked(self._log) as log:
                _drop_torn_end(log)
            self._catch_up()

    async def close(self) -> None:
        """Nothing is held open between commits."""

    def get(self, table: str, record_id: str) -> Record | None:
        """A copy of one record as it stands now; None if there is none."""
        self._catch_up()
        record = self._raw(table, record_id)
        return None if record is None else self._inside(record)

    def find(self, table: str, matches: Callable[[Mapping[str, Any]], bool]) -> Iterator[Record]:
        """Copies of the records that match; `matches` sees them as the file has them."""
        self._catch_up()
        for record_id in self._base.get(table, {}).keys() | self._changed.get(table, {}).keys():
            record = self._raw(table, record_id)
            if record is not None and matches(record):
                yield self._inside(record)

    def result_of(self, key: str) -> Record | None:
        """What the effect with this idempotency key gave; None if it never happened."""
        self._catch_up()
        return deepcopy(self._results.get(key))

    def commit(self, key: str, changed: Mapping[str, Mapping[str, Record]], *, result: Record) -> None:
        """Store the records that one effect changed, whole, and its result under its idempotency key, once per key."""
        outside = {
            table: {record_id: self._outside(record) for record_id, record in records.items()}
            for table, records in changed.items()
        }
        entry = {"key": key, "result": result, "changed": outside}
        with _locked(self._log) as log:
            _drop_torn_end(log)
            self._catch_up()
            if key in self._results:
                return
            log.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            log.flush()
            os.fsync(log.fileno())
        self._catch_up()

    def changed_records(self) -> Tables:
        """The records that differ from the beginning, whole, with amounts as the file has them."""
        self._catch_up()
        return {
            table: differing
            for table, records in self._changed.items()
            if (
                differing := {
                    record_id: deepcopy(record)
                    for record_id, record in records.items()
                    if record != self._base.get(table, {}).get(record_id)
                }
            )
        }

    def _raw(self, table: str, record_id: str) -> Record | None:
        return self._changed.get(table, {}).get(record_id) or self._base.get(table, {}).get(record_id)

    def _catch_up(self) -> None:
        """Take in what was committed since the last look, by whatever process."""
        try:
            if self._log.stat().st_size <= self._known_to:
                return
        except FileNotFoundError:
            return
        with self._log.open("rb") as log:
            log.seek(self._known_to)
            new = log.read()
        # A line without its end is being written, or was never acknowledged.
        whole = new[: new.rfind(b"\n") + 1]
        self._known_to += len(whole)
        for line in whole.decode("utf-8").splitlines():
            self._take(json.loads(line))

    def _take(self, entry: Mapping[str, Any]) -> None:
        self._results[entry["key"]] = entry["result"]
        for table, records in entry["changed"].items():
            self._changed.setdefault(table, {}).update(records)

    def _inside(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                self._money.get(name, name): _minor(part) if name in self._money else self._inside(part)
                for name, part in value.items()
            }
        return [self._inside(part) for part in value] if isinstance(value, list) else value

    def _outside(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                self._amounts.get(name, name): _main(part) if name in self._amounts else self._outside(part)
                for name, part in value.items()
            }
        return [self._outside(part) for part in value] if isinstance(value, list) else value


@lru_cache(maxsize=4)
def _read(file: Path, _written: int) -> Tables:
    """The records of a file as it was written last. Shared, so never changed: readers get copies."""
    tables: Tables = json.loads(file.read_text(encoding="utf-8"))
    return tables


@contextmanager
def _locked(file: Path) -> Iterator[BinaryIO]:
    """The file, to append to, while no other process does. The lock goes with the process, however that ends."""
    with file.open("a+b") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield opened


def _drop_torn_end(log: BinaryIO) -> None:
    """Take off a last line without its end: whoever wrote it is gone, and it was never acknowledged."""
    end = log.seek(0, os.SEEK_END)
    log.seek(max(end - 1, 0))
    if log.read() in {b"", b"\n"}:
        return
    log.seek(0)
    log.truncate(log.read().rfind(b"\n") + 1)


def _minor(amount: float | None) -> int | None:
    if amount is None:
        return None
    return int((Decimal(str(amount)) * 100).quantize(Decimal(1), ROUND_HALF_EVEN))


def _main(amount_minor: int | None) -> float | None:
    return None if amount_minor is None else amount_minor / 100
