"""Addresses as people type them, and parts that correct the one before."""

import pytest

from agents.local.address_parts import find_corrected
from agents.local.addresses import find_addresses
from agents.tasks import Line

LYON = {"street": "8 rue Mercière", "postcode": "69002", "city": "Lyon", "country": "FR"}
SHOWN = [
    Line(author="customer", text="please send order 21102 to 8 rue Mercière, 69002 Lyon, France"),
    Line(author="customer", text="amelie.laurent@example.org, 69001"),
    Line(author="assistant", text="I'll send order 21102 to 8 rue Mercière, 69002 Lyon, FR instead. Is that right?"),
]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("send it to mill lane 4, 8010 graz, austria", ("Mill Lane 4", "8010", "Graz")),
        ("i moved to lindenstraße 12, 10115 berlin", ("Lindenstraße 12", "10115", "Berlin")),
        ("ship order 21102 to 8 rue mercière, 69002 lyon, france", ("8 Rue Mercière", "69002", "Lyon")),
        ("calle mayor 5, 28004 madrid please", ("Calle Mayor 5", "28004", "Madrid")),
        ("Linden Street 4, 10115 Berlin, Germany", ("Linden Street 4", "10115", "Berlin")),
    ],
)
def test_an_address_is_found_with_and_without_capitals(text: str, address: tuple[str, ...]) -> None:
    (found,) = find_addresses(text)
    assert (found.value["street"], found.value["postcode"], found.value["city"]) == address


@pytest.mark.parametrize(
    "text",
    [
        "my order 21102 is at the post office in mill lane",
        "12 elm street, i moved yesterday",
        "it should go to my parents in graz",
        "where is order 21102 for the park in 2019",
    ],
)
def test_without_capitals_a_street_and_some_words_are_no_address(text: str) -> None:
    assert find_addresses(text) == []


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("yes, but apartment 4", {"line2": "apartment 4"}),
        ("no, the postcode is 69003", {"postcode": "69003"}),
        ("69003", {"postcode": "69003"}),
        ("no, number 10, not number 8", {"street": "10 rue Mercière"}),
        ("in Paris, not in Lyon", {"city": "Paris"}),
        ("yes please, 2nd floor", {"line2": "2nd floor"}),
        ("it's 12 rue Oberkampf", {"street": "12 rue Oberkampf"}),
    ],
)
def test_a_part_replaces_its_own_in_the_address_before(text: str, change: dict[str, str]) -> None:
    found = find_corrected(text, SHOWN)
    assert found is not None
    assert found.value == LYON | change
    assert text[found.start : found.end]


@pytest.mark.parametrize("text", ["yes", "no thanks", "can you also cancel order 20866", "no, order number 20866"])
def test_what_is_no_part_of_an_address_changes_none(text: str) -> None:
    assert find_corrected(text, SHOWN) is None


def test_an_address_may_come_in_pieces() -> None:
    earlier = [Line(author="customer", text="change the address"), Line(author="customer", text="Mill Lane 4")]
    found = find_corrected("8010 graz", earlier)
    assert found is not None
    assert found.value == {"street": "Mill Lane 4", "postcode": "8010", "city": "Graz"}


def test_p7_the_postcode_that_says_who_is_writing_is_no_correction_of_the_address() -> None:
    found = find_corrected("yes, but apartment 4", SHOWN)
    assert found is not None
    assert found.value["postcode"] == "69002"
