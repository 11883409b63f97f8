"""The classifier knows what it was taught, and knows when it doesn't know."""

import pytest

from agents.errors import TooFewExamples
from agents.local.intents import fit, fit_journeys
from agents.local.pieces import core, pieces
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


def test_who_greets_and_says_their_name_wants_the_same_as_who_does_not() -> None:
    said = "Hi there, my name is Robin Hale and I want a refund"
    assert core(said).strip() == "and i want a refund"
    assert core("Hello, this is Robin") == "hello, this is robin"


def test_a_typo_leaves_most_of_a_word_and_other_forms_of_it_are_the_same() -> None:
    model = fit(EXAMPLES)
    assert model.rank("refnud pleese, money back").best == "refund"
    assert model.rank("whre is my ordr").best == "status"
    stems, concepts = ([pieces(word)[view] for word in ("cancelled", "cancelling")] for view in (3, 4))
    assert stems[0] == stems[1]
    assert "cancel" in concepts[0] & concepts[1]


def test_words_nobody_wrote_down_are_understood_by_the_concept_they_belong_to() -> None:
    assert fit(EXAMPLES).rank("has the package been dispatched").best == "status"


def test_what_people_say_elsewhere_is_not_accepted_and_does_not_hide_an_intent_that_is_about_it() -> None:
    weather = ["will it rain tomorrow", "is it sunny", "weather for monday", "do I need an umbrella", "forecast please"]
    assert fit(EXAMPLES).rank("will it rain this weekend").answer != "accept"
    with_weather = fit(EXAMPLES | {"weather": weather}).rank("will it rain this weekend")
    assert (with_weather.best, with_weather.answer) == ("weather", "accept")


def test_a_text_between_two_intents_is_asked_about_and_names_both() -> None:
    one = ["cancel my order", "cancel the order please", "please cancel order", "order cancel", "I cancel my order"]
    other = ["change my order", "change the order please", "please change order", "order change", "I change my order"]
    model = fit({"cancel": one, "change": other})
    ranking = model.rank("my order please")
    assert ranking.answer != "accept"
    assert set(ranking.alternatives) == {"cancel", "change"}
    assert model.rank("cancel my order").answer == "accept"


def test_the_report_says_what_share_of_uncovered_requests_to_expect_to_be_refused() -> None:
    report = fit(EXAMPLES).report
    assert 0.0 <= report.uncovered_refused <= 1.0
    assert 0.5 <= report.coverage <= 1.0


def test_what_an_intent_is_called_is_one_more_thing_that_customers_say_for_it() -> None:
    renamed = {"GiftVoucher" if name == "refund" else name: texts for name, texts in EXAMPLES.items()}
    assert fit(renamed).rank("gift voucher").best == "GiftVoucher"
    assert fit(EXAMPLES).rank("gift voucher").answer != "accept"


def test_examples_that_were_learned_are_not_learned_again() -> None:
    assert fit(EXAMPLES) is fit({name: list(texts) for name, texts in EXAMPLES.items()})
    assert fit(EXAMPLES) is not fit(EXAMPLES | {"refund": [*EXAMPLES["refund"], "cash back"]})
