"""What a customer names is found where it stands, in a normal form, and nothing is made up."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.local.addresses import find_addresses
from agents.local.entities import EntityPatterns, find_entities
from policies.words import Json

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
PATTERNS = EntityPatterns(
    patterns={"order_id": [r"\b(2\d{4})\b"]}, lookalikes={"order_id": [r"#?\bW\d{6,8}\b"]}, regions=["DE", "GB", "US"]
)


def named(text: str, *asked: str) -> dict[str, Json]:
    return {each.kind: each.value for each in find_entities(text, patterns=PATTERNS, now=NOW, asked=asked)}


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        (
            "My name is Fatima Johnson, and the ZIP code is 78712.",
            (),
            {"name": "Fatima Johnson", "postcode": "78712"},
        ),
        (
            "Sure:\n- First name: Yusuf\n- Last name: Rossi\n- ZIP: 19122",
            (),
            {"name": "Yusuf Rossi", "postcode": "19122"},
        ),
        ("Name: Ethan Garcia. ZIP: 80280.", (), {"name": "Ethan Garcia", "postcode": "80280"}),
        ("Daiki Johnson, 80273, Denver.", ("name", "postcode"), {"name": "Daiki Johnson", "postcode": "80273"}),
        ("it's Mira.Okafor@Example.org and 10115", (), {"email": "mira.okafor@example.org", "postcode": "10115"}),
        ("10115", ("email", "postcode"), {"postcode": "10115"}),
        ("20418", ("order_id",), {"order_id": "20418"}),
        ("I live in San Diego, CA 92133.", (), {"postcode": "92133"}),
        ("SW1A 2AA", (), {"postcode": "SW1A 2AA"}),
        ("Please look at order W5061109", (), {"order_id": "W5061109"}),
        ("I paid 148.90 EUR", (), {"amount": {"amount_minor": 14890, "currency": "EUR"}}),
        ("that is 1.234,56 €", (), {"amount": {"amount_minor": 123456, "currency": "EUR"}}),
        ("$1,126.04 it was", (), {"amount": {"amount_minor": 112604, "currency": "USD"}}),
        ("¥500", (), {"amount": {"amount_minor": 500, "currency": "JPY"}}),
        ("it came last Tuesday", (), {"date": "2026-11-17"}),
        ("since 12 November", (), {"date": "2026-11-12"}),
        ("call me on +49 30 901820", (), {"phone": "+4930901820"}),
        ("the second one", (), {"ordinal": 2}),
        ("both of them please", (), {"all": True}),
        ("everything except the lamp", (), {"all": {"except": ["lamp"]}}),
        ("that's everything, thanks", (), {}),
        ("I'm looking for help with this", (), {}),
        ("you may call me may", (), {}),
    ],
)
def test_entities_in_their_normal_form(text: str, asked: tuple[str, ...], expected: dict[str, Json]) -> None:
    assert named(text, *asked) == expected


def test_things_are_found_by_what_they_are_called() -> None:
    found = find_entities("I want to return the air purifier and the robotic vacuum", patterns=PATTERNS, now=NOW)
    assert [each.value for each in found if each.kind == "items"] == ["air purifier", "robotic vacuum"]


def test_a_correction_negates_what_it_takes_back() -> None:
    found = find_entities("No, not order 20418, order 20419", patterns=PATTERNS, now=NOW)
    assert [(each.value, each.negated) for each in found] == [("20418", True), ("20419", False)]


def test_a_postcode_inside_an_address_is_not_another_entity() -> None:
    assert set(named("Send it to 42 Elm Street, Apt 3, 20115 Berlin")) == {"address"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Please ship it to 42 Elm Street, Apt 3, 10115 Berlin",
            {"street": "42 Elm Street", "line2": "Apt 3", "postcode": "10115", "city": "Berlin"},
        ),
        (
            "It's 445 Maple Drive, Suite 394, Fort Worth, TX 76165, USA.",
            {
                "street": "445 Maple Drive",
                "line2": "Suite 394",
                "city": "Fort Worth",
                "region": "TX",
                "postcode": "76165",
                "country": "US",
            },
        ),
        (
            "- address1: 101 Highway\n- address2: none\n- city: New York\n- state: NY\n- zip: 10001\n- country: US",
            {"street": "101 Highway", "city": "New York", "region": "NY", "postcode": "10001", "country": "US"},
        ),
        (
            "new address is Lindenstraße 12, 10969 Berlin, Germany please",
            {"street": "Lindenstraße 12", "postcode": "10969", "city": "Berlin", "country": "DE"},
        ),
        ("Kerkstraat 5, 1017 GC Amsterdam", {"street": "Kerkstraat 5", "postcode": "1017 GC", "city": "Amsterdam"}),
        (
            "12 rue de la Paix, 75002 Paris, France",
            {"street": "12 rue de la Paix", "postcode": "75002", "city": "Paris", "country": "FR"},
        ),
        (
            "moved to\n7 Birch Lane\nDublin\nD02 X285\nIreland",
            {"street": "7 Birch Lane", "city": "Dublin", "postcode": "D02 X285", "country": "IE"},
        ),
    ],
)
def test_addresses_in_the_ways_people_write_them(text: str, expected: dict[str, str]) -> None:
    assert [each.value for each in find_addresses(text)] == [expected]


@pytest.mark.parametrize("text", ["I live on Elm Street", "change the street to 5 High Street", "Suite 641 instead"])
def test_half_an_address_is_none(text: str) -> None:
    assert find_addresses(text) == []


@given(st.text(max_size=120))
def test_every_entity_stands_where_it_says(text: str) -> None:
    for each in find_entities(text, patterns=PATTERNS, now=NOW, asked=("order_id", "postcode", "name", "phone")):
        assert text[each.start : each.end] == each.text


def test_a_pattern_that_is_no_regular_expression_is_refused() -> None:
    with pytest.raises(ValidationError, match="no regular expression"):
        EntityPatterns(patterns={"order_id": ["(2"]})
