"""The typed values that conditions may read: their types, and the check that a value really is of its type.

The engine of conditions takes `True` for an int, fails in odd ways on lone surrogates, and compares NaN as false. So
nothing reaches it that was not checked here first.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel

from policies.errors import ConditionError
from policies.words import Json

MAX_DEPTH = 32
INT64 = range(-(2**63), 2**63)

CEL_TYPES: Final[Mapping[str, Any]] = {
    "string": cel.Type.STRING,
    "int": cel.Type.INT,
    "float": cel.Type.DOUBLE,
    "bool": cel.Type.BOOL,
    "timestamp": cel.Type.TIMESTAMP,
    "list": cel.Type.List(cel.Type.DYN),
    "map": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "list<string>": cel.Type.List(cel.Type.STRING),
    "list<int>": cel.Type.List(cel.Type.INT),
    "map<int>": cel.Type.Map(cel.Type.STRING, cel.Type.INT),
}
"""Our name of each type → the condition engine's."""


def checked(name: str, type_name: str, value: Any) -> Any:
    """The value as conditions take it: timestamps aware and in UTC, everything else unchanged.

    Args:
        name: The attribute's name, for the message only.
        type_name: One of `CEL_TYPES`.
        value: Plain JSON, or an aware datetime for a timestamp. Not None.

    Raises:
        ConditionError: It is not of that type, not finite, or out of range.
    """
    try:
        return CHECKS[type_name](value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConditionError(f"{name} is not a usable {type_name}.") from error


def parse_timestamp(value: Any) -> datetime:
    """An aware UTC datetime from one, or from ISO 8601 text with an offset ("2026-11-21T10:00:00Z").

    Raises:
        ValueError: It has no offset or is no point in time.
        TypeError: It is neither text nor datetime.
    """
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(at, datetime):
        raise TypeError
    if at.tzinfo is None or at.year < 2:  # The condition engine knows no time before the second year.
        raise ValueError
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def _string(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    if not value.isascii():
        value.encode("utf-8")  # A lone surrogate raises UnicodeEncodeError, which is a ValueError.
    return value


def _int(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    if value not in INT64:
        raise ValueError
    return value


def _float(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _bool(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    _walk(value, 0)
    return value


def _map(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    _walk(value, 0)
    return value


def _strings(value: Any) -> list[str]:
    return [_string(item) for item in _list(value)]


def _ints(value: Any) -> list[int]:
    return [_int(item) for item in _list(value)]


def _int_map(value: Any) -> dict[str, int]:
    return {_string(key): _int(item) for key, item in _map(value).items()}


def _walk(value: Json, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError
    match value:
        case None | bool():
            return
        case int():
            _int(value)
        case float():
            _float(value)
        case str():
            _string(value)
        case list():
            for item in value:
                _walk(item, depth + 1)
        case dict():
            for key, item in value.items():
                _string(key)
                _walk(item, depth + 1)
        case _:
            raise TypeError


CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "string": _string,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "timestamp": parse_timestamp,
    "list": _list,
    "map": _map,
    "list<string>": _strings,
    "list<int>": _ints,
    "map<int>": _int_map,
}

DURATION = re.compile(r"^(\d{1,6})\s*([mhdw])$")
SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@lru_cache(maxsize=1024)
def parse_duration(text: str) -> int:
    """Seconds of "30m", "4h", "30d" or "2w".

    Raises:
        ValueError: It is written in another way.
    """
    match = DURATION.match(text)
    if not match:
        raise ValueError(f"{text!r} is no length of time. Write: 30m, 4h, 30d or 2w")
    return int(match[1]) * SECONDS[match[2]]
