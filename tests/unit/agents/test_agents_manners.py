"""What recorded customers taught: no question twice in the same words, no half sentences, farewells."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agents.journeys import VerificationMethod
from agents.local.acts import act_of
from agents.local.cues import next_cue
from agents.local.drafting import draft
from agents.local.sheets import Sheets
from agents.tasks import AuthenticationAdvice, Cue, DraftTask, Entity, IntentTask, Passage, Question, WorkflowTask

Make = Callable[..., WorkflowTask]
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
IDENTITY = Question(kind="identity", case_id="case-1", slots=["email", "postcode"])


def templates(sheets: Sheets, **more: str) -> Sheets:
    return replace(sheets, voice=sheets.voice.model_copy(update={"templates": sheets.voice.templates | more}))


def passage(name: str, text: str, score: float = 0.0) -> Passage:
    return Passage(id=name, article=name, version="1", title=name, text=text, score=score)


def answered(sheets: Sheets, passages: list[Passage], text: str, asked: str = "") -> str:
    task = DraftTask(
        cues=[Cue(kind="reply", template="answer", fulfils=True)],
        journeys=["question"],
        known=[],
        passages=passages,
        text=text,
        asked=asked,
        disclose=False,
    )
    return draft(task, journeys=sheets.journeys, voice=sheets.voice).text


@pytest.mark.parametrize(
    ("text", "asks", "act"),
    [
        ("Thanks, it is all sorted. I'm all set!", False, "goodbye"),
        ("The change to order 20418 looks good. ###STOP###", False, "goodbye"),
        ("The number is 20418, that's all I have", False, "inform"),
        ("Is that all? ###STOP###", True, "inform"),
    ],
)
def test_a_farewell_is_a_farewell_whatever_else_it_names(text: str, asks: bool, act: str) -> None:
    task = IntentTask(text=text, transcript=[], question=IDENTITY, open_journeys=["refund"], now=NOW)
    number = Entity(kind="order_id", value="20418", text="20418", start=0, end=0)
    named = [number] if "20418" in text else []
    assert act_of(task, text.replace("###STOP###", ""), [], named, [], asks=asks) == act


def test_the_same_question_is_not_asked_again_in_the_same_words(sheets: Sheets, task: Make) -> None:
    sheets = templates(sheets, ask_identity_still="I still need it.")
    advice = AuthenticationAdvice(state="ask", ask=["email", "postcode"])
    assert next_cue(task(authentication=advice), sheets).template == "ask_identity"
    assert next_cue(task(authentication=advice, question=IDENTITY), sheets).template == "ask_identity_still"


def test_details_of_another_method_are_asked_for_in_its_own_words(sheets: Sheets, task: Make) -> None:
    email = VerificationMethod(id="email", tool="verify", slots={"email": "email", "postcode": "postcode"}, assurance=2)
    sheets = replace(templates(sheets, ask_identity_other="Your order and postcode?"), methods=[email])
    advice = AuthenticationAdvice(state="ask", ask=["order_id", "postcode"])
    assert next_cue(task(authentication=advice), sheets).template == "ask_identity_other"


def test_not_understanding_twice_says_what_we_can_do(sheets: Sheets, task: Make) -> None:
    sheets = templates(sheets, not_understood_again="I can do this and that.")
    assert next_cue(task(journey=None, act="other"), sheets).template == "not_understood"
    again = task(journey=None, act="other", asked={"not_understood": 1})
    assert next_cue(again, sheets).template == "not_understood_again"


def test_an_answer_that_was_not_enough_goes_to_a_person(sheets: Sheets, task: Make) -> None:
    limited = sheets.journeys["question"].model_copy(update={"at_most": 1})
    sheets = replace(sheets, journeys={**sheets.journeys, "question": limited})
    first = task(journey="question", passages=["p"])
    assert next_cue(first, sheets).kind == "reply"
    second = task(journey="question", passages=["p"], asked={"answered:question": 1})
    assert next_cue(second, sheets).kind == "escalate"


def test_an_answer_does_not_begin_in_the_middle_of_a_thought(sheets: Sheets) -> None:
    long = (
        "The address can be changed until the order is packed. After that, use the carrier's page to redirect the"
        " parcel. A parcel shop is fine too. Neighbours are asked by the carrier."
    )
    assert answered(sheets, [passage("p", long)], "redirect the parcel by the carrier").startswith("The address can be")


def test_of_several_matters_each_is_answered_from_its_own_passage(sheets: Sheets) -> None:
    passages = [passage("cards", "Cards are valid for three years.", 1.0), passage("boots", "Boots run small.", 0.5)]
    text = "How long are cards valid? And do the boots run small?"
    assert answered(sheets, passages, text, asked="And do the boots run small?").startswith("Boots run small.")
    assert answered(sheets, passages, text).startswith("Cards are valid")
