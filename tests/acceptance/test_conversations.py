"""Conversations as customers really have them: several matters, follow-ups, what they haven't got, changes of mind."""

import pytest
from houses import TestHouse

# How it talks doesn't depend on where it keeps its records.
pytestmark = pytest.mark.parametrize("backend", ["sqlite"])

AMELIE = "amelie.laurent@example.org, 69001"


async def test_who_cannot_be_identified_is_asked_three_times_in_different_words_and_then_gets_a_person(
    house: TestHouse,
) -> None:
    outcomes = []
    for text in (
        "Please change the delivery address of my order",
        "I can't remember my e-mail address",
        "My postcode is 32169",
        "It is a nice new flat, you know",
        "And the kitchen is blue",
    ):
        outcomes.append((await house.say(text)).outcome)
    assert outcomes == ["awaiting_customer"] * 3 + ["escalated", "with_person"]
    texts = await house.texts()
    assert len(set(texts)) == len(texts)


async def test_two_matters_of_one_message_are_both_attended_to(house: TestHouse) -> None:
    await house.say(f"Where is my parcel? And please cancel order 21102. I'm {AMELIE}")
    both = await house.say("21102")
    assert both.outcome == "awaiting_customer"
    assert "payment is still being confirmed" in both.reply
    assert "I'll cancel order 21102" in both.reply
    done = await house.say("yes")
    assert (done.outcome, house.records.amounts("21102")) == ("resolved", [])
    assert "I have cancelled order 21102" in done.reply


async def test_a_few_words_about_another_order_ask_for_the_same(house: TestHouse) -> None:
    await house.say("where is order 20731?")
    await house.say("jonas.lindqvist@example.org, 411 24")
    again = await house.say("and 20592?")
    assert "Order 20592 was delivered" in again.reply


async def test_only_an_order_that_can_still_be_cancelled_is_offered(house: TestHouse) -> None:
    await house.say("please cancel my order")
    offered = await house.say(AMELIE)
    assert "I'll cancel order 21102" in offered.reply
    refused = await house.say("no, I mean 20866")
    assert "20866 is delivered" in refused.reply


async def test_a_question_that_no_article_answers_gets_no_invented_answer(house: TestHouse) -> None:
    asked = await house.say("what is the capital of France?")
    assert "reliable answer" in asked.reply
