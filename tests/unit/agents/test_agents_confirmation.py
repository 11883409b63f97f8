"""The customer's yes is a yes only when it is plain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.confirmation import read_confirmation

PLAIN = [
    "yes",
    "Yes.",
    "YES",
    "yes please",
    "Yes please go ahead",
    "I confirm",
    "Yes, that's correct. Please go ahead.",
    "Yes, that all looks good to me! Please go ahead and make those changes. Thank you for your help!",
    "Uh, yes, please go ahead with both of those. Thank you...",
    "A. Yes.\n\nPlease submit now.",
    "ok",
    "sure thing",
    "Looks good to me",
    "That’s right",
    "Perfect, go ahead",
    "Thanks! Yes please.",
    "Yes, go ahead. When will I get my money?",
    "👍",
    "yes ###STOP###",
]
REFUSALS = [
    "no",
    "No thanks",
    "no wait, yes",
    "Don't do it",
    "Please don't",
    "never mind",
    "No, not that one",
    "I changed my mind",
    "stop",
    "Oh no, wait",
]
UNCLEAR = [
    "",
    "maybe",
    "why?",
    "yes?",
    "Yes but send it to my other address",
    "yes, except the boots",
    "Yes, if it's free",
    "yes only the boots",
    "yeah no",
    "not yes",
    "yes 200 EUR",
    "yes, 20419",
    "Yes and also refund 20419",
    "correct, but the amount is wrong",
    "I want to confirm that the amount is right",
    "Right, so what happens then?",
    "Great, but wait",
    "Yes. Actually, no.",
    "yes, not",
    "yes once you have checked with my wife",
    "Yes, is it really free?",
    "no problem",
    "The colleague said yes",
]


@pytest.mark.parametrize("text", PLAIN)
def test_p3_a_plain_yes_is_a_yes(text: str) -> None:
    assert read_confirmation(text) == "yes"


@pytest.mark.parametrize("text", REFUSALS)
def test_p3_a_refusal_first_is_a_no(text: str) -> None:
    assert read_confirmation(text) == "no"


@pytest.mark.parametrize("text", UNCLEAR)
def test_p3_everything_else_is_unclear(text: str) -> None:
    assert read_confirmation(text) == "unclear"


def test_p3_repeating_what_was_shown_is_still_a_yes_and_anything_else_is_not() -> None:
    shown = "I'll cancel order 20418 (walking boots, 148.90 EUR). This can't be undone."
    assert read_confirmation("Yes, cancel order 20418", shown=shown) == "yes"
    assert read_confirmation("Yes, cancel order 20419", shown=shown) == "unclear"
    assert read_confirmation("Yes, cancel the boots but keep 20418", shown=shown) == "unclear"


@given(st.sampled_from(PLAIN), st.sampled_from(["but", "except", "unless", "if", "instead", "not", "only", "without"]))
def test_p3_no_yes_survives_a_word_that_turns_it(yes: str, word: str) -> None:
    assert read_confirmation(f"{yes} {word} order 20418", shown=f"order 20418 {word}") != "yes"


@given(st.text(max_size=200))
def test_any_text_has_one_of_three_readings(text: str) -> None:
    assert read_confirmation(text) in {"yes", "no", "unclear"}


@given(st.integers(min_value=0, max_value=10**9))
def test_p3_a_number_that_was_not_shown_makes_a_yes_unclear(number: int) -> None:
    assert read_confirmation(f"Yes, {number}") == "unclear"
