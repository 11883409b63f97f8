"""One request as a JSON line: what it may hold, and the request, facts and situation that it says."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, Final

from graphs.playbook import Playbook
from policies.attributes import parse_timestamp
from policies.words import (
    ActionRequest,
    Assurance,
    AutonomyLevel,
    CaseId,
    CustomerId,
    Fact,
    HistoryEvent,
    Json,
    Origin,
    PastUse,
    Provenance,
    RequestId,
    Situation,
)

MAX_LINE: Final = 1_000_000
"""Bytes; a longer line is refused without being read as a whole."""

RECORDED: Final = "recorded"
"""The source of facts that come without one."""


class LineUnusable(Exception):
    """A line is not a request. The message never quotes it."""

    def __init__(self, problem: str, line_id: Json = None) -> None:
        self.line_id = line_id
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class RequestLine:
    """What one line says."""

    id: Json
    request: ActionRequest
    facts: Mapping[str, Fact]
    situation: Situation
    says_uses: bool
    """Whether it states the past uses of limits itself."""


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file, in constant memory: of one that is too long only the beginning, which is no JSON."""
    while line := stream.readline(MAX_LINE + 1):
        rest = line
        while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE + 1)
        yield line


def read_line(line: bytes, *, playbook: Playbook, now: datetime) -> RequestLine:
    """Read one line; docs/guides/policies.md says what it may hold. Keys that it doesn't know are left alone.

    Args:
        line: One JSON object.
        playbook: Says how far the AI acts alone where the line doesn't.
        now: The moment of lines that don't say one.

    Raises:
        LineUnusable: It is not a request.
    """
    data = _object(line)
    line_id = data.get("id")
    if isinstance(line_id, (dict, list)):
        line_id = None
    try:
        return _read(data, line_id, playbook, now)
    except _Wrong as problem:
        raise LineUnusable(str(problem), line_id) from problem


class _Wrong(Exception):
    """A part of the line can't be used."""


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise LineUnusable(f"It is longer than {MAX_LINE} bytes.")
    try:
        data = json.loads(line, parse_constant=_no_number, object_pairs_hook=_no_doubles)
    except (ValueError, RecursionError) as error:
        raise LineUnusable("It is not JSON that can be used.") from error
    if not isinstance(data, dict):
        raise LineUnusable("It is not a JSON object.")
    return data


def _read(data: Mapping[str, Any], line_id: Json, playbook: Playbook, now: datetime) -> RequestLine:
    tool = data.get("tool")
    if not isinstance(tool, str) or not tool:
        raise _Wrong('It names no tool. Write: "tool": "get_order"')
    arguments = _mapping(data, "args")
    case = data.get("case")
    about = case if isinstance(case, dict) else {"id": case}
    at = _moment(data["now"], "now") if data.get("now") is not None else now
    journey = _text(data, "journey") or _text(about, "journey")
    request = ActionRequest(
        id=RequestId(str(line_id)),
        tool=tool,
        arguments=arguments,
        specialist=_text(data, "specialist") or "workflow",
        why=_text(data, "why"),
        provenance={name: _provenance(value) for name, value in _mapping(data, "provenance").items()},
        occurrence=_text(data, "occurrence"),
    )
    situation = Situation(
        now=at,
        customer_id=CustomerId(_text(data, "customer_id")) if data.get("customer_id") is not None else None,
        assurance=_assurance(data.get("assurance", 0)),
        level=_level(data.get("level"), playbook.level_of(journey)),
        channel=_text(data, "channel") or _text(about, "channel") or "chat",
        case_id=CaseId(_text(about, "id")) if about.get("id") is not None else None,
        journey=journey,
        history=tuple(_event(entry) for entry in _list(data, "history")),
        uses={key: tuple(_use(use) for use in _each(uses, "uses")) for key, uses in _mapping(data, "uses").items()},
        signals=_mapping(data, "signals"),
        justification=_text(data, "justification"),
        justified_by=_text(data, "justified_by"),
    )
    facts = {name: _fact(value, at) for name, value in _mapping(data, "facts").items()}
    return RequestLine(line_id, request, facts, situation, says_uses="uses" in data)


def _event(entry: Any) -> HistoryEvent:
    """{"call": "get_order", "args": {…}, "ok": true, "result": {…}, "at": "…"} or {"confirmed": "refund_order", …}."""
    if not isinstance(entry, dict) or ("call" in entry) == ("confirmed" in entry):
        raise _Wrong('An entry of history names no call. Write: {"call": "get_order", "args": {"order_id": "W1"}}')
    kind, tool = ("call", entry["call"]) if "call" in entry else ("confirmation", entry["confirmed"])
    ok = entry.get("ok", True)
    if not isinstance(tool, str) or not isinstance(ok, bool):
        raise _Wrong("An entry of history can't be used: the tool is a text, ok is true or false.")
    return HistoryEvent(
        kind="call" if kind == "call" else "confirmation",
        tool=tool,
        arguments=_mapping(entry, "args"),
        ok=ok,
        at=_moment(entry["at"], "history") if entry.get("at") is not None else None,
        result=entry.get("result"),
    )


def _fact(value: Any, now: datetime) -> Fact:
    """A plain value, or {"value": …, "source": "orders", "read_at": "…"}."""
    if isinstance(value, dict) and "value" in value and value.keys() <= {"value", "source", "read_at"}:
        read_at = _moment(value["read_at"], "facts") if value.get("read_at") is not None else now
        return Fact(value["value"], _text(value, "source") or RECORDED, read_at)
    return Fact(value, RECORDED, now)


def _provenance(value: Any) -> Provenance:
    """ "fact", or {"origin": "fact", "ref": "order.total_minor"}."""
    origin, ref = (_text(value, "origin"), _text(value, "ref")) if isinstance(value, dict) else (value, "")
    try:
        return Provenance(Origin(origin), ref)
    except ValueError as error:
        raise _Wrong(f"provenance names an unknown origin. Write one of: {', '.join(Origin)}") from error


def _use(use: Any) -> PastUse:
    if not isinstance(use, dict) or type(use.get("amount_minor", 0)) is not int:
        raise _Wrong('uses can\'t be read. Write: {"at": "…", "amount_minor": 4000, "currency": "EUR"}')
    return PastUse(_moment(use.get("at"), "uses"), use.get("amount_minor", 0), _text(use, "currency"))


def _assurance(value: Any) -> Assurance:
    if type(value) is int and value in (0, 1, 2, 3):
        return Assurance(value)
    raise _Wrong("assurance is not 0, 1, 2 or 3.")


def _level(value: Any, default: AutonomyLevel) -> AutonomyLevel:
    if value is None:
        return default
    try:
        return AutonomyLevel(value)
    except ValueError as error:
        raise _Wrong(f"level is unknown. Write one of: {', '.join(AutonomyLevel)}") from error


def _moment(value: Any, name: str) -> datetime:
    try:
        return parse_timestamp(value).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise _Wrong(f"{name} holds no moment with an offset. Write: 2026-11-21T10:00:00Z") from error


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Wrong(f"{name} is not a text.")
    return value


def _mapping(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Wrong(f"{name} is not an object.")
    return value


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    return _each(data[name], name) if data.get(name) is not None else []


def _each(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise _Wrong(f"{name} is not a list.")
    return value


def _no_number(name: str) -> float:
    raise ValueError(name)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a key is there twice")
    return data
