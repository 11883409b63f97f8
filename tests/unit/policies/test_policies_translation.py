"""Conditions computed in Python mean what the library of conditions says they mean."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.conditions import Batch, Condition, Names
from policies.errors import ConditionError
from policies.translation import is_translatable, translate

TYPES = {
    "a.count": "int",
    "a.other": "int",
    "a.weight": "float",
    "a.gift": "bool",
    "a.status": "string",
    "a.name": "string",
    "a.at": "timestamp",
    "now": "timestamp",
    "a.tags": "list<string>",
    "a.limits": "map<int>",
}
NAMES = Names(TYPES)

INT64 = 2**63
INTS = st.integers(-3, 3) | st.sampled_from([-INT64, INT64 - 1, 0, 10_000])
TEXTS = st.sampled_from(["", "a", "b", "ab", "é", "z"])
FIRST, BEGIN, END = datetime(2, 1, 1), datetime(2025, 1, 1), datetime(2027, 1, 1)  # noqa: DTZ001  # by its API
MOMENTS = st.datetimes(FIRST, timezones=st.just(UTC)) | st.datetimes(BEGIN, END, timezones=st.just(UTC))
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "a.count": INTS,
        "a.other": INTS,
        "a.weight": st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.5]),
        "a.gift": st.booleans(),
        "a.status": TEXTS,
        "a.name": TEXTS,
        "a.at": MOMENTS,
        "now": MOMENTS,
        "a.tags": st.lists(TEXTS, max_size=3),
        "a.limits": st.dictionaries(TEXTS, INTS, max_size=3),
    },
)

INT_TERMS = st.recursive(
    st.sampled_from(["a.count", "a.other", "size(a.tags)", "size(a.name)", "a.limits[a.status]", "3", "0", "-1"]),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-"]), inner).map(lambda made: f"({' '.join(made)})"),
    max_leaves=3,
)
TIMES = st.sampled_from(["a.at", "now", "(now - days(30))", "(a.at + hours(5))", "months_after(a.at, 6)"])
SPANS = st.sampled_from(["days(3)", "hours(-2)", "minutes(90)", "(now - a.at)"])
ORDER = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
LEAVES = st.one_of(
    st.tuples(INT_TERMS, ORDER, INT_TERMS).map(" ".join),
    st.tuples(st.sampled_from(["a.weight", "1.5", "0.0"]), ORDER, st.sampled_from(["a.weight", "2.5"])).map(" ".join),
    st.tuples(st.sampled_from(["a.status", "a.name", "'a'"]), ORDER, st.sampled_from(["a.status", "'ab'"])).map(
        " ".join
    ),
    st.tuples(TIMES, ORDER, TIMES).map(" ".join),
    st.tuples(SPANS, ORDER, SPANS).map(" ".join),
    st.sampled_from(
        [
            "a.gift",
            "!a.gift",
            "a.gift == true",
            "a.status in ['a', 'b']",
            "a.count in [1, 2, -3]",
            "'a' in a.tags",
            "a.status in a.tags",
            "a.name.startsWith('a')",
            "a.name.endsWith(a.status)",
        ]
    ),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda made: f"({' '.join(made)})"),
        inner.map(lambda text: f"!({text})"),
        st.tuples(inner, inner, inner).map(lambda made: f"({made[0]} ? {made[1]} : {made[2]})"),
    ),
    max_leaves=4,
)


def by_library(condition: Condition, values: dict[str, Any]) -> bool | None:
    """What the library says; None for an error."""
    try:
        return condition.holds(values)
    except ConditionError:
        return None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CONDITIONS, VALUES)
def test_python_answers_as_the_library_does_or_not_at_all(text: str, values: dict[str, Any]) -> None:
    condition = NAMES.compile(text)
    assert is_translatable(condition.syntax, TYPES), text
    expected = by_library(condition, values)
    try:
        (answer,) = translate([condition.syntax], TYPES, {})(values)
    except Exception:  # Then the library is asked.
        return
    assert type(answer) is bool
    assert answer is expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CONDITIONS | st.just("a.tags.exists(tag, tag == a.status)"), min_size=1, max_size=4), VALUES)
def test_a_batch_has_all_answers_of_the_library_or_none(texts: list[str], values: dict[str, Any]) -> None:
    conditions = [NAMES.compile(text) for text in texts]
    answers = Batch(NAMES, conditions).hold(values)
    if answers is not None:
        assert answers == [by_library(condition, values) for condition in conditions]


@pytest.mark.parametrize(
    "text",
    [
        "a.tags.exists(tag, tag == 'a')",
        "a.name.matches('^a+$')",
        "a.count * 2 > 3",
        "a.count / 2 > 3",
        "a.count % 2 == 1",
        "a.weight + 1.0 > 2.0",
        "now.getHours('Europe/Berlin') > 8",
        "now > timestamp('2026-01-01T00:00:00Z')",
    ],
)
def test_what_might_mean_something_else_in_python_is_left_to_the_library(text: str) -> None:
    assert not is_translatable(NAMES.compile(text).syntax, TYPES)
    moment = datetime(2026, 11, 21, 12, tzinfo=UTC)
    values = {"a.tags": ["a"], "a.name": "aa", "a.count": 7, "a.weight": 2.0, "now": moment}
    condition = NAMES.compile(text)
    assert Batch(NAMES, [condition, NAMES.compile("a.count > 3")]).hold(values) == [condition.holds(values), True]


def test_a_sum_beyond_64_bits_is_an_error_and_no_number() -> None:
    condition = NAMES.compile("a.count + a.other > 0")
    values = {"a.count": INT64 - 1, "a.other": 1}
    with pytest.raises(OverflowError):
        translate([condition.syntax], TYPES, {})(values)
    assert Batch(NAMES, [condition]).hold(values) is None


def test_no_text_of_a_condition_is_run_as_python() -> None:
    names = Names({"__import__": "string", "x": "string"})
    condition = names.compile("x == '__import__(\"os\").abort()' || __import__ == 'y'")
    assert translate([condition.syntax], names.types, {})({"x": "a", "__import__": "y"}) == (True,)


def test_a_span_of_centuries_is_left_to_the_library() -> None:
    condition = NAMES.compile("now - a.at > days(1)")
    values = {"now": datetime(9000, 1, 1, tzinfo=UTC), "a.at": datetime(9000, 1, 1, tzinfo=UTC) - timedelta(days=2)}
    assert translate([condition.syntax], TYPES, {})(values) == (True,)
    with pytest.raises(OverflowError):
        translate([condition.syntax], TYPES, {})({**values, "a.at": datetime(2, 1, 1, tzinfo=UTC)})
