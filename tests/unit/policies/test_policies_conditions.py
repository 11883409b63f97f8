"""Conditions: typed when loaded, guarded when computed."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.attributes import CEL_TYPES, checked, parse_duration
from policies.conditions import Batch, Names, months_after
from policies.errors import ConditionError

NAMES = Names(
    {
        "order.total_minor": "int",
        "order.status": "string",
        "order.at": "timestamp",
        "order.at.present": "bool",
        "order.weight": "float",
        "args.items": "list<string>",
        "args.any": "map",
        "now": "timestamp",
    }
)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("order.total_minor > 100", {"order.total_minor": 101}, True),
        ("order.total_minor > 100", {"order.total_minor": 100}, False),
        ("order.status in ['a', 'b']", {"order.status": "b"}, True),
        ("now - order.at <= days(30)", {"now": NOON, "order.at": datetime(2026, 10, 22, 12, tzinfo=UTC)}, True),
        ("now - order.at <= days(30)", {"now": NOON, "order.at": datetime(2026, 10, 22, 11, tzinfo=UTC)}, False),
        ("months_after(order.at, 1) >= now", {"now": NOON, "order.at": datetime(2026, 10, 21, 12, tzinfo=UTC)}, True),
        ("now.getHours('Europe/Berlin') == 13", {"now": NOON}, True),
        ("args.items.exists(order, order == 'x')", {"args.items": ["x"]}, True),
        ("order.at.present && order.at < now", {"order.at.present": False, "now": NOON}, False),
        ("order.status == 'a // b' // the rest is a remark", {"order.status": "a // b"}, True),
    ],
)
def test_conditions_say_yes_or_no(text: str, values: dict[str, Any], expected: bool) -> None:
    assert NAMES.compile(text).holds(values) is expected


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("order.totl_minor > 1", "The name order.totl_minor is not known here.", "order.total_minor"),
        ("order.status > 1", "> can't be used between string, int.", "both sides of one kind"),
        ("order.weight > 1", "> can't be used between double, int.", "a number with a decimal point"),
        ("order.total_minor", "The condition is a int, not a yes or no.", "order.total_minor == …"),
        ("order.total_minor >", "This is not a condition", "a CEL expression"),
        ("`order.status` == 'a'", "backtick", "names without"),
        ("true), (true", "This is not a condition", "a CEL expression"),
    ],
)
def test_a_wrong_condition_is_found_before_anything_runs(text: str, message: str, suggestion: str) -> None:
    with pytest.raises(ConditionError) as raised:
        NAMES.compile(text)
    assert message in str(raised.value)
    assert suggestion in raised.value.suggestion


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("order.total_minor > 1", {}),
        ("order.total_minor / 0 > 1", {"order.total_minor": 1}),
        ("order.total_minor + 9223372036854775807 > 1", {"order.total_minor": 1}),
        ("args.any.missing == 1", {"args.any": {}}),
        ("months_after(order.at, 999999999) > now", {"order.at": NOON, "now": NOON}),
    ],
)
def test_a_condition_without_an_answer_is_an_error_and_never_true(text: str, values: dict[str, Any]) -> None:
    condition = NAMES.compile(text)
    with pytest.raises(ConditionError):
        condition.holds(values)
    assert Batch(NAMES, [NAMES.compile("true"), condition]).hold(values) is None


def test_an_error_does_not_repeat_a_customers_words() -> None:
    with pytest.raises(ConditionError) as raised:
        NAMES.compile("args.any[order.status] == 1").holds({"args.any": {}, "order.status": "my secret diary"})
    assert "diary" not in str(raised.value)


def test_the_longest_declared_name_is_what_a_condition_reads() -> None:
    assert NAMES.compile("order.at.present && now > order.at").reads == {"order.at.present", "now", "order.at"}
    assert NAMES.compile("order.at.present").reads == {"order.at.present"}
    assert NAMES.compile("args.any.now.deep == 'order.status'").reads == {"args.any"}


def test_a_batch_answers_like_its_conditions_singly() -> None:
    conditions = [NAMES.compile(f"order.total_minor > {limit}") for limit in range(5)]
    values = {"order.total_minor": 3}
    assert Batch(NAMES, conditions).hold(values) == [condition.holds(values) for condition in conditions]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", True),
        ("int", 1.0),
        ("int", "1"),
        ("int", 2**63),
        ("float", math.nan),
        ("float", math.inf),
        ("float", "1"),
        ("bool", 1),
        ("string", 1),
        ("string", "\ud800"),
        ("timestamp", "2026-01-01"),
        ("timestamp", 5),
        ("list", "ab"),
        ("list<string>", [1]),
        ("list<int>", [True]),
        ("list", [math.nan]),
        ("map", {"a": [{"b": 2**64}]}),
        ("map", {1: 2}),
        ("map<int>", {"a": "b"}),
        ("list", [object()]),
    ],
)
def test_a_value_of_another_kind_is_not_usable(kind: str, value: Any) -> None:
    with pytest.raises(ConditionError, match="x is not a usable"):
        checked("x", kind, value)


def test_a_value_nested_without_end_is_not_usable() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ConditionError):
        checked("x", "list", value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(CEL_TYPES)), JSON)
def test_every_value_is_taken_or_refused(kind: str, value: Any) -> None:
    try:
        taken = checked("x", kind, value)
    except ConditionError:
        return
    assert NAMES.compile("order.status == 'a'").holds({"order.status": "a", "x": taken})


@pytest.mark.parametrize(
    ("at", "months", "expected"),
    [
        ((2026, 1, 31), 1, (2026, 2, 28)),
        ((2024, 1, 31), 1, (2024, 2, 29)),
        ((2026, 11, 15), 2, (2027, 1, 15)),
        ((2026, 3, 31), -1, (2026, 2, 28)),
        ((2026, 1, 15), -1, (2025, 12, 15)),
        ((2026, 12, 31), 12, (2027, 12, 31)),
    ],
)
def test_calendar_months_end_where_people_expect(at: tuple[int, ...], months: int, expected: tuple[int, ...]) -> None:
    assert months_after(datetime(*at, tzinfo=UTC), months) == datetime(*expected, tzinfo=UTC)  # type: ignore[arg-type, misc]


def test_durations_are_written_with_one_unit() -> None:
    assert [parse_duration(text) for text in ("30m", "4h", "30d", "2w")] == [1800, 14400, 2592000, 1209600]
    for wrong in ("30", "1 month", "-1d", "1.5h", ""):
        with pytest.raises(ValueError, match="no length of time"):
            parse_duration(wrong)
