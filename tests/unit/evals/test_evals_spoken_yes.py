"""An explicit yes in a recorded customer's own words."""

import pytest

from evals.spoken_yes import has_said_yes


@pytest.mark.parametrize(
    "text",
    [
        "Yes, please go ahead and make that change.",
        "Oh, I see. Yes, please issue the refund to the Mastercard. Just let me know what I need to do next.",
        "Here is my confirmation:\n1) Colour: blue.\n2) Payment: Yes, use PayPal.",
        "A. Yes.\n\nPlease submit now.",
        "I authorize the charge of $3.10.",
        "That's all correct.",
        "No problem, go ahead",
        "Yes — no other items need changes.",
    ],
)
def test_a_yes_counts_whatever_else_is_said(text: str) -> None:
    assert has_said_yes(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Please cancel order #W9348897.",
        "I'd like to swap the lamp. How much would I get back?",
        "No, don't do it. Yes, I am sure.",
        "Wait, is that the right card? Okay.",
        "Not yet. I have to think about it",
        "My name is Mei Davis, zip 80217.",
    ],
)
def test_a_wish_a_question_or_a_refusal_is_no_yes(text: str) -> None:
    assert not has_said_yes(text)
