"""What a customer is said to have said must stand in the message, numbers too."""

import pytest

from agents.tasks import Entity
from graphs.sayings import is_said
from policies.words import Json


def _named(value: Json) -> Entity:
    return Entity(kind="reading", value=value, text="", start=0, end=0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4021, "My meter shows 4021."),
        (4021, "My meter shows 4,021 today"),
        (4021, "Der Zähler zeigt 4.021 kWh"),
        (12.5, "It weighs 12,5 kg"),
        (0, "it shows 0"),
        (-5, "it shows -5 degrees"),
        (4021, "4021kWh"),
        ([4021, 7], "4021 and 7"),
    ],
)
def test_p1_a_number_that_stands_in_the_message_is_the_customers(value: Json, text: str) -> None:
    assert is_said(_named(value), text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (402, "My meter shows 4021."),
        (21, "My meter shows 4,021"),
        (4022, "My meter shows 4021."),
        (42, "meter M-0042 has a new reading"),
        (5, "it shows -5 degrees"),
        (1, "no number at all"),
        (True, "1 is what it shows"),
        ([4021, 8], "4021 and 7"),
    ],
)
def test_p1_a_number_that_nobody_wrote_is_not_the_customers(value: Json, text: str) -> None:
    assert not is_said(_named(value), text)
