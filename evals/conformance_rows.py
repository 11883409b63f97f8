"""Rows of a conformance set: calls that policy must stop or let through, gold tasks, calls of language models."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from evals.errors import NothingToMeasure, SamplesUnreadable
from policies.words import CustomerId, Json

Row = TypeVar("Row")
EndStates: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Gold task → table → id → record, for the records that differ after its calls."""


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call as somebody made it."""

    tool: str
    arguments: Mapping[str, Json]
    writes: bool | None = None
    """Whether it is meant to change records; None where the row doesn't say."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call in a stated situation: a violation, or its legal twin."""

    id: str
    rule: str
    """The rule that it breaks; empty for a legal twin."""
    rules: frozenset[str]
    """All rules that it breaks."""
    customer_id: CustomerId | None
    """Who is authenticated; None for nobody."""
    confirmed: bool
    """Whether the customer said yes to this very call."""
    setup: tuple[Call, ...]
    """Calls that were made before, whatever policy says of them."""
    call: Call
    now: datetime | None = None
    """When, aware; None where the row doesn't say."""


@dataclass(frozen=True, slots=True)
class GoldTask:
    """What a perfect agent would have called, in order."""

    id: str
    calls: tuple[Call, ...]
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing in a recorded conversation: a text of the customer or the assistant, or a call."""

    speaker: str
    """user, assistant or call."""
    text: str = ""
    call: Call | None = None
    failed: bool = False
    """Whether the recorded call ended in an error."""


@dataclass(frozen=True, slots=True)
class RecordedCalls:
    """One conversation that a language model held, with the calls it made."""

    id: str
    events: tuple[Event, ...]
    customer_id: CustomerId | None = None
    """Who it was, if the row says so."""
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConformanceSet:
    """Everything that a folder holds; None where the file isn't there."""

    records: Path | None
    """`db.json`, the records that all rows begin from."""
    gold: Sequence[GoldTask] | None
    end_states: EndStates | None
    violations: Sequence[Attempt] | None
    twins: Sequence[Attempt] | None
    conversations: Sequence[RecordedCalls] | None


def read_conformance_set(directory: Path) -> ConformanceSet:
    """Read a folder.

    Its files are `db.json`, `gold.jsonl`, `gold_end_states.jsonl`, `violations*.jsonl`, `compliant*.jsonl` and
    `conversations.jsonl`; any of them may be absent.

    Raises:
        SamplesUnreadable: A line isn't what its form says. Names it.
        NothingToMeasure: None of the files is there.
    """
    records = directory / "db.json"
    end_states = _read(directory, "gold_end_states.jsonl", lambda row: (str(row["task_id"]), dict(row["changed"])))
    found = ConformanceSet(
        records=records if records.is_file() else None,
        gold=_read(directory, "gold.jsonl", _gold_task),
        end_states=None if end_states is None else dict(end_states),
        violations=_read(directory, "violations*.jsonl", _attempt),
        twins=_read(directory, "compliant*.jsonl", _attempt),
        conversations=_read(directory, "conversations.jsonl", _conversation),
    )
    if all(part is None for part in (found.gold, found.violations, found.twins, found.conversations)):
        raise NothingToMeasure(directory)
    return found


def _read(directory: Path, pattern: str, parse: Callable[[dict[str, Any]], Row]) -> list[Row] | None:
    files = sorted(directory.glob(pattern))
    return [row for file in files for row in _rows(file, parse)] if files else None


def _rows(file: Path, parse: Callable[[dict[str, Any]], Row]) -> Iterator[Row]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield parse(json.loads(line))
            except json.JSONDecodeError as error:
                raise SamplesUnreadable(file, number, problem=f"not JSON ({error.msg})") from None
            except KeyError as error:
                raise SamplesUnreadable(file, number, problem=f"no {error.args[0]}") from None
            except (AttributeError, TypeError, ValueError):
                raise SamplesUnreadable(file, number, problem="a field is of another kind than its form says") from None


def _attempt(row: dict[str, Any]) -> Attempt:
    context = row["context"]
    user = context.get("user_id")
    rule = str(row.get("rule_id") or "")
    return Attempt(
        id=str(row["id"]),
        rule=rule,
        rules=frozenset(str(each) for each in row.get("oracle_rules") or ([rule] if rule else [])),
        customer_id=CustomerId(str(user)) if user and context.get("authenticated", True) else None,
        confirmed=bool(context.get("confirmed")),
        setup=tuple(_call(each, tool=each.get("tool") or each["name"]) for each in row.get("setup_calls") or ()),
        call=_call(row, tool=row["tool"]),
        now=_moment(row.get("now") or context.get("now")),
    )


def _gold_task(row: dict[str, Any]) -> GoldTask:
    calls = tuple(_call(each, tool=each["name"]) for each in row["actions"] or ())
    return GoldTask(str(row["task_id"]), calls, now=_moment(row.get("now")))


def _conversation(row: dict[str, Any]) -> RecordedCalls:
    user = row.get("user_id")
    return RecordedCalls(
        id=str(row["run"]),
        events=tuple(_event(each) for each in row["events"]),
        customer_id=CustomerId(str(user)) if user else None,
        now=_moment(row.get("now")),
    )


def _event(event: dict[str, Any]) -> Event:
    if event["t"] != "call":
        return Event(str(event["t"]), text=str(event["text"] or ""))
    return Event("call", call=_call(event, tool=event["name"]), failed=bool(event.get("error")))


def _moment(text: str | None) -> datetime | None:
    """A time as ISO 8601; without an offset it is UTC."""
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _call(row: dict[str, Any], *, tool: str) -> Call:
    writes = row.get("write")
    return Call(str(tool), dict(row["args"] or {}), None if writes is None else bool(writes))
