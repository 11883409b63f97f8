"""The classifier knows what it was taught, and knows when it doesn't know."""

import pytest

from agents.errors import TooFewExamples
from agents.local.intents import fit, fit_journeys
from agents.local.sheets import Sheets

EXAMPLES = {
    "status": [
        "where is my order",
        "track my parcel",
        "when does it arrive",
        "has it shipped",
        "delivery status please",
    ],
    "refund": ["I want a refund", "money back please", "refund my order", "reimburse me", "give me my money back"],
    "address": [
        "change my address",
        "ship it elsewhere",
        "new delivery address",
        "I moved house",
        "wrong street on it",
    ],
}


def test_the_same_examples_give_the_same_model_in_any_order() -> None:
    one = fit(EXAMPLES).rank("please track my package")
    other = fit({name: texts[::-1] for name, texts in reversed(EXAMPLES.items())}).rank("please track my package")
    assert one == other


def test_examples_are_recognised_and_probabilities_add_up() -> None:
    model = fit(EXAMPLES)
    for name, texts in EXAMPLES.items():
        assert all(model.rank(text).best == name for text in texts)
    assert sum(model.rank("my money").probabilities.values()) == pytest.approx(1.0)


def test_what_no_example_is_like_is_not_accepted() -> None:
    model = fit(EXAMPLES)
    for text in ["who won the football match", "sing me a song", "asdf qwerty", ""]:
        assert model.rank(text).answer != "accept"


def test_ids_and_addresses_in_a_message_do_not_change_what_is_wanted() -> None:
    model = fit(EXAMPLES)
    assert model.rank("refund order 20418, mira@example.org").best == model.rank("refund order 31337").best == "refund"


def test_an_intent_with_too_few_examples_is_refused_by_name() -> None:
    with pytest.raises(TooFewExamples, match="sparse"):
        fit({**EXAMPLES, "sparse": ["one", "two"]})
    with pytest.raises(TooFewExamples):
        fit({})
    with pytest.raises(TooFewExamples):
        fit({"alone": EXAMPLES["refund"]})


def test_the_report_names_what_is_confused() -> None:
    muddled = EXAMPLES | {"back": ["I want my money back", "refund please", "refund me", "my money back", "reimburse"]}
    report = fit(muddled).report
    assert report.accuracy < 1.0
    assert {"refund", "back"} <= {name for true, guess, _ in report.confused for name in (true, guess)}
    assert 0.0 <= report.calibration_error <= 1.0


def test_journeys_are_learned_from_their_utterances(sheets: Sheets) -> None:
    model = fit_journeys(list(sheets.journeys.values()))
    assert model.intents == sorted(sheets.journeys)
    assert model.rank("I'd like a refund for the boots").best == "refund"
