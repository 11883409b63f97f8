"""A whole message is read: matters in order, answers in the light of the question, nothing invented."""

from datetime import UTC, datetime

import pytest

from agents.local.clauses import split_clauses
from agents.local.entities import EntityPatterns
from agents.local.intents import fit_journeys
from agents.local.reading import Reader
from agents.local.sheets import Sheets
from agents.tasks import IntentReading, IntentTask, Question

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
RECORDS = [
    {"value": "20418", "label": "20418 (Walking boots)", "order_id": "20418"},
    {"value": "20419", "label": "20419 (Wool blanket, desk lamp)", "order_id": "20419"},
]


@pytest.fixture(scope="module")
def reader(sheets: Sheets) -> Reader:
    model = fit_journeys(list(sheets.journeys.values()))
    return Reader(sheets.journeys, model, EntityPatterns(patterns={"order_id": [r"\b(2\d{4})\b"]}))


def read(reader: Reader, text: str, question: Question | None = None, **fields: object) -> IntentReading:
    blank = {"text": text, "transcript": [], "question": question, "open_journeys": [], "now": NOW}
    return reader.read(IntentTask.model_validate(blank | fields))


def matters(reading: IntentReading) -> list[str]:
    return [guess.journey for guess in reading.intents if guess.answer == "accept"]


def test_several_matters_are_found_in_order_with_what_belongs_to_each(reader: Reader) -> None:
    reading = read(reader, "I want a refund for order 20418. Also, can you tell me where my order 20419 is?")
    assert matters(reading) == ["refund", "status"]
    assert [(each.value, each.intent) for each in reading.entities if each.kind == "order_id"] == [
        ("20418", 0),
        ("20419", 1),
    ]


def test_what_the_customer_does_not_want_is_no_matter(reader: Reader) -> None:
    reading = read(reader, "I don't want a refund, I just want to know where my order 20419 is")
    assert matters(reading) == ["status"]


def test_one_matter_with_much_talk_around_it_stays_one(reader: Reader) -> None:
    text = "Hi there! I hope you are well. I need help with something.\nI want a refund please. Thanks so much, bye!"
    assert matters(read(reader, text)) == ["refund"]


def test_thanks_greetings_and_goodbyes_are_small_talk(reader: Reader) -> None:
    assert read(reader, "hi").act == "greeting"
    assert read(reader, "Thank you!").act == "thanks"
    assert read(reader, "That's all, thanks").act == "goodbye"
    assert read(reader, "No, that’s all I needed. Thanks for your help! ###STOP###").act == "goodbye"
    assert read(reader, "###STOP###").act == "goodbye"
    assert all(not read(reader, text).intents for text in ["hi", "Thank you!", "That's all, thanks"])


def test_nonsense_is_not_accepted(reader: Reader) -> None:
    reading = read(reader, "asdf qwerty zxcv")
    assert matters(reading) == []
    assert reading.confidence < 0.5


def test_an_answer_to_our_question_opens_no_new_matter(reader: Reader) -> None:
    question = Question(kind="slot", case_id="c", slots=["order_id"], records=RECORDS)
    reading = read(reader, "the one with the boots", question, open_journeys=["refund"])
    assert (reading.act, reading.intents) == ("inform", [])
    assert [(each.kind, each.value) for each in reading.entities] == [("choice", "20418")]


@pytest.mark.parametrize(
    ("text", "value"),
    [("the second one", "20419"), ("20419", "20419"), ("the lamp order", "20419"), ("last one please", "20419")],
)
def test_records_are_picked_by_place_id_or_name(reader: Reader, text: str, value: str) -> None:
    question = Question(kind="slot", case_id="c", slots=["order_id"], records=RECORDS)
    reading = read(reader, text, question, open_journeys=["refund"])
    assert [each.value for each in reading.entities if each.kind == "choice"] == [value]


def test_a_plain_no_to_a_question_is_a_decline_and_a_no_with_an_answer_is_not(reader: Reader) -> None:
    question = Question(kind="slot", case_id="c", slots=["order_id"], records=RECORDS)
    assert read(reader, "No thanks", question, open_journeys=["refund"]).act == "decline"
    assert read(reader, "No, 20419", question, open_journeys=["refund"]).act == "inform"


def test_an_id_that_was_not_offered_is_kept_as_said(reader: Reader) -> None:
    question = Question(kind="slot", case_id="c", slots=["order_id"], records=RECORDS)
    reading = read(reader, "no, it is order 20777", question, open_journeys=["refund"])
    assert [(each.kind, each.value) for each in reading.entities] == [("order_id", "20777")]


def test_several_items_or_all_but_some_are_picked(reader: Reader) -> None:
    items = [
        {"value": "i1", "label": "Pet bed, grey"},
        {"value": "i2", "label": "Desk lamp, black"},
        {"value": "i3", "label": "Kettle"},
    ]
    question = Question(kind="slot", case_id="c", slots=["item_ids"], records=items)

    def picked(text: str) -> object:
        entities = read(reader, text, question, open_journeys=["refund"]).entities
        return next((each.value for each in entities if each.kind == "choice"), None)

    assert picked("the lamp and the kettle") == ["i2", "i3"]
    assert picked("everything except the pet bed") == ["i2", "i3"]
    assert picked("all of them") == ["i1", "i2", "i3"]
    assert picked("what do you mean by that") is None


def test_a_choice_is_understood_asked_or_unasked(reader: Reader) -> None:
    question = Question(kind="slot", case_id="c", slots=["reason"], options={"damaged": ["broken"], "other": ["other"]})
    asked = read(reader, "it came broken", question, open_journeys=["refund"])
    assert [(each.kind, each.value) for each in asked.entities] == [("choice", "damaged")]
    unasked = read(reader, "I want a refund, I bought it by mistake")
    assert [(each.kind, each.value) for each in unasked.entities if each.kind == "reason"] == [("reason", "mistake")]


def test_a_new_matter_beside_an_answer_needs_to_be_plain(reader: Reader) -> None:
    question = Question(kind="identity", case_id="c", slots=["email", "postcode"])
    reading = read(
        reader, "mira@example.org, 10115. Also I want a refund for order 20419", question, open_journeys=["status"]
    )
    assert matters(reading) == ["refund"]
    assert {"email", "postcode"} <= {each.kind for each in reading.entities}


def test_the_answer_to_a_clarifying_question_is_the_matter(reader: Reader) -> None:
    question = Question(
        kind="clarify",
        case_id="c",
        slots=["clarify"],
        options={"refund": ["a refund"], "status": ["where an order is"]},
    )
    assert matters(read(reader, "the refund", question)) == ["refund"]
    assert matters(read(reader, "the second one", question)) == ["status"]


def test_p3_a_plain_yes_to_a_confirmation_carries_no_new_matter(reader: Reader) -> None:
    question = Question(kind="confirm", case_id="c", slots=["confirmation:refund"])
    yes = read(reader, "Yes please go ahead. When will I have it?", question, open_journeys=["refund"])
    assert (yes.act, yes.intents) == ("confirm", [])
    assert read(reader, "no", question, open_journeys=["refund"]).act == "decline"


def test_p5_taking_a_waiting_request_back_is_withdrawing_it(reader: Reader) -> None:
    assert read(reader, "Forget it, I changed my mind", pending_approval=True).act == "withdraw"
    assert read(reader, "any news?", pending_approval=True).act == "status"
    assert read(reader, "Forget it, I changed my mind").act != "withdraw"


def test_things_named_for_one_matter_stay_together(reader: Reader) -> None:
    reading = read(reader, "I want a refund for the air purifier and the robotic vacuum")
    assert [each.value for each in reading.entities if each.kind == "items"] == [["air purifier", "robotic vacuum"]]


def test_another_language_is_noticed(reader: Reader) -> None:
    assert read(reader, "Hallo, wo ist meine Bestellung und wann kommt sie?").language == "de"
    assert read(reader, "where is my order").language == "en"


def test_priority_rises_with_what_is_at_stake(reader: Reader) -> None:
    assert read(reader, "This is outrageous, I want my money back! I will sue you").priority == "high"
    assert read(reader, "where is my order").priority == "normal"


def test_clauses_know_their_place_and_their_manner() -> None:
    text = "Hi. I don't want to cancel anything, just change the address. If it has shipped, leave it."
    clauses = split_clauses(text)
    assert all(text[each.start : each.end] == each.text for each in clauses)
    assert [each.refuses for each in clauses if "cancel" in each.text] == [True]
    assert [each.supposes for each in clauses if each.text.startswith("If")] == [True]
    assert split_clauses("- one thing\n- another thing")[0].text == "one thing"


def test_a_few_words_that_name_another_record_ask_for_the_same_as_before(reader: Reader) -> None:
    reading = read(reader, "and 20419?", recent_journey="status")
    assert matters(reading) == ["status"]
    assert [each.value for each in reading.entities if each.kind == "order_id"] == ["20419"]


def test_a_record_named_in_a_longer_message_or_as_an_answer_is_no_follow_up(reader: Reader) -> None:
    assert matters(read(reader, "and 20419?")) == []
    question = Question(kind="slot", case_id="c", slots=["order_id"])
    assert matters(read(reader, "20419", question, recent_journey="status", open_journeys=["refund"])) == []
