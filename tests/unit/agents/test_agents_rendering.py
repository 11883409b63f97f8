"""Placeholders are filled from evidence, in people's words, and no brace reaches a customer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.journeys import Voice
from agents.rendering import money, placeholders, render, values_of
from agents.tasks import Cue, Known
from policies.words import Json

VOICE = Voice(brand="Shop", assistant="Bo", disclosure="I'm an AI.", templates={}, date_format="%-d %B %Y")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"amount_minor": 14890, "currency": "EUR"}, "148.90 EUR"),
        ({"amount_minor": -5, "currency": "EUR"}, "-0.05 EUR"),
        ({"amount_minor": 500, "currency": "JPY"}, "500 JPY"),
        ("2026-11-02", "2 November 2026"),
        ("2026-11-02T10:00:00Z", "2 November 2026"),
        ("2026-99-99", "2026-99-99"),
        (["boots", "lamp", "kettle"], "boots, lamp and kettle"),
        (["boots"], "boots"),
        (True, "yes"),
        (3, "3"),
        (
            {"street": "42 Elm Street", "line2": "Apt 3", "city": "Berlin", "postcode": "10115", "country": "DE"},
            "42 Elm Street, Apt 3, 10115 Berlin, DE",
        ),
        ([{"name": "boots"}, {"name": "lamp"}], "boots and lamp"),
    ],
)  # fmt: skip
def test_values_in_peoples_words(value: Json, words: str) -> None:
    assert render("{it}", {"it": value}, VOICE).text == words


def test_p9_a_missing_value_is_named_and_leaves_no_brace() -> None:
    rendered = render("Order {order.id} costs {order.total} {", {"order": {"id": "20418"}}, VOICE)
    assert rendered.text == "Order 20418 costs  "
    assert (rendered.used, rendered.missing) == (("order.id",), ("order.total",))


def test_p9_free_text_and_filled_in_values_are_told_apart() -> None:
    rendered = render("Refunded {amount}. Bye.", {"amount": {"amount_minor": 100, "currency": "EUR"}}, VOICE)
    assert [rendered.text[start:end] for start, end in rendered.free_spans] == ["Refunded ", ". Bye."]


def test_a_value_with_braces_is_filled_in_as_it_is_and_only_once() -> None:
    rendered = render("{name}", {"name": "{secret}", "secret": "hidden"}, VOICE)
    assert rendered.text == "{secret}"
    assert rendered.free_spans == ()


@given(st.text(max_size=80), st.text(max_size=20))
def test_p9_free_spans_are_exactly_what_values_did_not_fill(text: str, value: str) -> None:
    rendered = render(f"{text}{{a.b}}{text}", {"a": {"b": value}}, VOICE)
    free = "".join(rendered.text[start:end] for start, end in rendered.free_spans)
    assert "{" not in free
    assert "}" not in free


def test_what_the_customer_said_is_no_evidence_to_render() -> None:
    rows = [
        Known(id="1", name="amount", kind="customer", value="999"),
        Known(id="2", name="order", kind="receipt", value={"status": "paid"}),
    ]
    values = values_of(rows, [])
    assert "amount" not in values
    assert values["order"] == {"status": "paid"}


def test_each_cue_sees_the_rows_that_it_means() -> None:
    rows = [
        Known(id="1", name="order", kind="receipt", subject="1", value={"status": "paid"}),
        Known(id="2", name="order", kind="receipt", subject="2", value={"status": "lost"}),
    ]
    cues = [
        Cue(kind="reply", template="t", evidence={"order": "1"}),
        Cue(kind="ask", template="t", records=[{"value": "1", "label": "first"}], values={"slots": ["x"]}),
    ]
    values = values_of(rows, cues)
    text = "{cue1.order.status} {order.status} {cue2.records.0} {cue2.slots}"
    assert render(text, values, VOICE).text == "paid lost first x"


def test_placeholders_are_listed_in_order() -> None:
    assert placeholders("{a.b} and { c } but not {} or {1}") == ("a.b", "c")


def test_money_keeps_every_digit() -> None:
    assert money(123456789012345, "EUR") == "1234567890123.45 EUR"
    assert money(1500, "KWD") == "1.500 KWD"
