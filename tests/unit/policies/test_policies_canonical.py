"""Canonical JSON, digests and sameness; money in words."""

import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from policies.canonical import canonical_json, digest, is_same
from policies.sentences import format_money, read_sentence
from policies.words import Money


def test_canonical_json_does_not_depend_on_order_or_spelling_of_numbers() -> None:
    assert canonical_json({"b": 1.0, "a": ["é", None]}) == b'{"a":["\xc3\xa9",null],"b":1}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**60, {"a": object()}, "\ud800", {1: 2}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no canonical JSON"):
        digest(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**50), 2**50)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(JSON)
def test_canonical_json_is_what_rfc_8785_says_whichever_way_it_is_written(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [{"\ue000": 1, "\U00010000": 2}, '\x00\x1f\x7f"\\/\b\f\n\r\t\u2028', (1, ["a"]), 2**53 - 1, -0.0, 1e21, [True]],
)
def test_canonical_json_knows_the_odd_ones(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(JSON, JSON)
def test_sameness_is_equality_of_canonical_json(one: Any, other: Any) -> None:
    assert is_same(one, other) == (canonical_json(one) == canonical_json(other))
    assert is_same(one, one)


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (0, False), ([1], [True]), ({"a": 1}, {"a": 1, "b": None}), (2**70, 2**70 + 1)]
)
def test_different_values_are_not_the_same(one: Any, other: Any) -> None:
    assert not is_same(one, other)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (14890, "EUR", "148.90 EUR"),
        (5, "USD", "0.05 USD"),
        (-250, "GBP", "-2.50 GBP"),
        (1500, "JPY", "1500 JPY"),
        (1234, "KWD", "1.234 KWD"),
        (7, "", "7 minor units"),
    ],
)
def test_money_is_shown_as_people_write_it(minor: int, currency: str, text: str) -> None:
    assert format_money(Money(minor, currency)) == text


def test_a_sentence_shows_values_and_says_unknown_for_the_rest() -> None:
    sentence = read_sentence("{order.total_minor} for {args.amount_minor}, {order.gift}, {order.items}, {gone}")
    values = {
        "order.total_minor": 500,
        "order.currency": "USD",
        "args.amount_minor": 400,
        "order.gift": True,
        "order.items": ["a", "b"],
    }
    assert sentence.fill(values, "EUR") == "5.00 USD for 4.00 EUR, yes, a, b, unknown"
