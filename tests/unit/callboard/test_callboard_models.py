"""Requests are strict: what isn't exactly right is refused at the door."""

import pytest
from pydantic import ValidationError

from callboard.api.models import DecisionIn, HandbackIn, KeyIn, MessageIn

GOOD = {"message_id": "m-1", "channel": "chat", "text": "Where is my order?"}


def test_a_plain_message_passes_and_chat_is_the_channel_when_none_is_named() -> None:
    assert MessageIn.model_validate(GOOD).text == "Where is my order?"
    assert MessageIn.model_validate({"message_id": "m-1", "text": "Hi"}).channel == "chat"
    assert MessageIn.model_validate(GOOD | {"text": "x" * 8000, "message_id": "m" * 128})


@pytest.mark.parametrize(
    "change",
    [
        {"message_id": ""},
        {"message_id": "m" * 129},
        {"message_id": "m\n1"},
        {"message_id": "m\n"},
        {"message_id": "mé"},
        {"message_id": 1},
        {"channel": "fax"},
        {"text": ""},
        {"text": " \n\t"},
        {"text": "x" * 8001},
        {"text": 5},
        {"text": None},
        {"text": "\ud800"},
        {"customer_hint": "x" * 257},
        {"role": "admin"},
    ],
)
def test_a_message_that_is_not_right_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MessageIn.model_validate(GOOD | change)


@pytest.mark.parametrize(
    "decision",
    [
        {"answer": "yes"},
        {"answer": "edit"},
        {"answer": "approve", "arguments": {"amount_minor": 1}},
        {"answer": "approve", "version": "1"},
        {"answer": "approve", "version": 0},
        {"answer": "approve", "note": "x"},
        {"answer": "reject", "message": "x" * 4001},
    ],
)
def test_a_decision_that_is_not_right_is_refused(decision: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DecisionIn.model_validate(decision)


def test_an_edit_carries_arguments() -> None:
    assert DecisionIn.model_validate({"answer": "edit", "arguments": {"a": 1}}).arguments == {"a": 1}


def test_keys_have_a_name_and_limits_in_minor_units() -> None:
    assert KeyIn.model_validate({"name": "Rosa Lind", "role": "reviewer", "limits": {"EUR": 50000}})
    for wrong in ({"name": " x"}, {"name": ""}, {"role": "root"}, {"limits": {"eur": 1}}, {"limits": {"EUR": 1.5}}):
        with pytest.raises(ValidationError):
            KeyIn.model_validate({"name": "Rosa", "role": "reviewer"} | wrong)


def test_a_handback_needs_words() -> None:
    with pytest.raises(ValidationError):
        HandbackIn.model_validate({"summary": "  "})
