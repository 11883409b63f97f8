"""Wishes for a person, anger, missing details and risks are heard; what only sounds like them isn't."""

import pytest

from agents.local.mood import flags, sentiment


@pytest.mark.parametrize(
    "text",
    [
        "I want to talk to a human",
        "Transfer me now.",
        "###TRANSFER###",
        "agent",
        "I don't want to talk to a bot",
        "Get me a human rep.",
        "I’d like to speak with your manager",
        "Please connect me to a real person",
        "can someone call me back, have somebody call me",
    ],
)
def test_p10_a_wish_for_a_person_is_heard(text: str) -> None:
    assert "asks_person" in flags(text)


@pytest.mark.parametrize(
    "text",
    [
        "Please hold off on transferring me to a human for now",
        "are you a real person?",
        "the person who delivered it was rude",
        "give me the agent ID",
        "No need to transfer for SMS",
        "If not, I’d like to talk to a human agent.",
        "I want a refund",
    ],
)
def test_what_only_sounds_like_a_wish_for_a_person_is_not_one(text: str) -> None:
    assert "asks_person" not in flags(text)


def test_a_person_only_if_it_can_not_be_done_is_another_wish() -> None:
    assert "asks_person_otherwise" in flags("Can you do that? If not, I'd like to talk to a human agent.")


def test_p10_asking_whether_this_is_a_machine_is_noticed() -> None:
    assert "asks_if_ai" in flags("Wait, am I talking to a robot?")


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("I don’t remember the email on my account", "email"),
        ("I don't have the order id, can you look it up?", "order_id"),
        ("Order ID… no clue.", "order_id"),
        ("I’m not sure about the order number", "order_id"),
        ("I’d rather not share my address directly", "address"),
        ("I lost my phone number", "phone"),
    ],
)
def test_what_the_customer_has_not_got_is_named(text: str, slot: str) -> None:
    assert {"cannot_answer", f"cannot:{slot}"} <= set(flags(text))


def test_not_having_it_is_read_in_the_light_of_the_question() -> None:
    assert "cannot:order_id" in flags("I don't have it", asked=["order_id"])
    assert "cannot_answer" not in flags("I don't have it")
    assert "cannot:address" not in flags("I don't remember the email address I used")


def test_anger_needs_more_than_a_bad_day() -> None:
    assert "angry" in flags("This is ridiculous. Total BS. I'm fed up!")
    assert "angry" not in flags("The laptop arrived broken and I am a bit disappointed.")
    assert "angry" not in flags("You are damn good, thank you so much!")


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("I will take this to my lawyer", "legal_threat"),
        ("someone used my account", "fraud"),
        ("I never placed this order", "fraud"),
        ("stop emailing me", "opt_out"),
        ("my mother passed away", "vulnerable"),
    ],
)
def test_risks_are_flagged(text: str, flag: str) -> None:
    assert flag in flags(text)


def test_sentiment_is_between_minus_one_and_one_and_neutral_for_facts() -> None:
    assert sentiment("Order 20418") == 0.0
    assert -1.0 <= sentiment("I hate this, it is horrible!") < -0.4
    assert 0.4 < sentiment("Great, thank you so much!") <= 1.0
