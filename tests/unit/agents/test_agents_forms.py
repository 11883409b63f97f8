"""Few calls: a model is asked only where no form, table or journey's step decides."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.errors import BudgetSpent
from agents.local.sheets import Sheets
from agents.prompting import Prompt
from agents.reasoners.base import Solved
from agents.reasoners.briefs import Briefs
from agents.reasoners.forms import FormsReasoner, complete, is_form
from agents.reasoners.local import LocalReasoner
from agents.reasoners.scripted import ScriptedReasoner
from agents.tasks import (
    AuthenticationAdvice,
    Cue,
    Draft,
    Drafts,
    DraftsTask,
    DraftTask,
    Entity,
    IntentGuess,
    IntentReading,
    IntentTask,
    Known,
    Line,
    Question,
    WorkflowTask,
)

PROMPT = Prompt("any", "")
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def message(text: str, question: Question | None = None, *, shown: str = "") -> IntentTask:
    said = [Line(author="assistant", text=shown)] if shown else []
    return IntentTask(text=text, transcript=said, question=question, open_journeys=[], now=NOW)


def named(text: str, *words: str, kind: str = "email") -> list[Entity]:
    places = [(word, text.index(word)) for word in words]
    return [Entity(kind=kind, value=word, text=word, start=at, end=at + len(word)) for word, at in places]


IDENTITY = Question(kind="identity", case_id="c", slots=["email", "postcode"])
CONFIRM = Question(kind="confirm", case_id="c", request_digest="d")


@pytest.mark.parametrize(
    ("text", "words", "question", "act", "decides"),
    [
        ("Sure: mira@example.org, postcode 10435", ("mira@example.org", "10435"), IDENTITY, "inform", True),
        ("mira@example.org but I also lost my card", ("mira@example.org",), IDENTITY, "inform", False),
        ("I have no e-mail", (), IDENTITY, "inform", False),
        ("Great, thank you very much!", (), None, "thanks", True),
        ("Thanks, and where is my order?", (), None, "thanks", False),
        ("yes please", (), CONFIRM, "confirm", True),
        ("yes, but only the boots", (), CONFIRM, "confirm", False),
        ("no, leave it", (), CONFIRM, "decline", True),
    ],
)
def test_a_message_that_says_no_more_than_a_form_has_a_field_for_asks_no_model(
    text: str, words: tuple[str, ...], question: Question | None, act: Any, decides: bool
) -> None:
    reading = IntentReading(act=act, entities=named(text, *words))
    assert is_form(message(text, question), reading) is decides


def test_a_message_with_a_matter_or_a_flag_is_no_form() -> None:
    task = message("yes please", CONFIRM)
    assert not is_form(task, IntentReading(act="confirm", flags=["angry"]))
    guess = IntentGuess(journey="refund", confidence=0.9, answer="accept")
    assert not is_form(message("10435", IDENTITY), IntentReading(act="inform", intents=[guess]))


def test_p10_patterns_add_what_a_model_overlooks_and_a_wish_for_a_person() -> None:
    text = "order 20418 for mira@example.org, get me a human"
    seen = IntentReading(act="request", entities=named(text, "20418", kind="order_id"))
    local = IntentReading(
        act="request",
        flags=["asks_person", "angry"],
        entities=[*named(text, "20418", kind="order_id"), *named(text, "mira@example.org")],
    )
    read = complete(seen, local)
    assert [entity.text for entity in read.entities] == ["20418", "mira@example.org"]
    assert read.flags == ["asks_person"]


def forms(sheets: Sheets, model: ScriptedReasoner) -> FormsReasoner:
    def write(task: DraftTask) -> Draft:
        return Draft(text="By template.")

    local = LocalReasoner(
        {
            WorkflowTask: lambda task: Cue(kind="ask", template="ask_order", slots=["order_id"]),
            DraftTask: write,
            DraftsTask: lambda task: Drafts(drafts=[write(each) for each in task.drafts]),
        }
    )
    return FormsReasoner(sheets, local=local, otherwise=model)


def drafting(kind: Any, *, fulfils: bool = False) -> DraftTask:
    cue = Cue(kind=kind, template="answer", fulfils=fulfils)
    return DraftTask(cues=[cue], journeys=["refund"], known=[], text="hi", disclose=False)


async def test_steps_are_walked_and_only_an_open_journey_is_planned(
    sheets: Sheets, task: Callable[..., WorkflowTask]
) -> None:
    model = ScriptedReasoner({WorkflowTask: lambda each: Cue(kind="reply", template="anything_else")})
    reasoner = forms(sheets, model)
    walked = await reasoner.solve(task(journey="refund"), Cue, prompt=PROMPT)
    assert (walked.answer.kind, walked.reasoner, model.asked) == ("ask", "local", [])
    ask = AuthenticationAdvice(state="ask", ask=["email"])
    await reasoner.solve(task(journey="browse", authentication=ask), Cue, prompt=PROMPT)
    assert model.asked == [], "who it is comes before any plan"
    planned = await reasoner.solve(task(journey="browse"), Cue, prompt=PROMPT)
    assert (planned.reasoner, len(model.asked)) == ("scripted", 1)


async def test_questions_and_last_words_are_the_playbooks_own_and_drafts_of_one_reply_are_one_call(
    sheets: Sheets,
) -> None:
    both = Drafts(drafts=[Draft(text="One."), Draft(text="Two.")])
    model = ScriptedReasoner({DraftsTask: [both], DraftTask: [Draft(text="Alone.")]})
    reasoner = forms(sheets, model)
    for kind in ("ask", "confirm", "escalate", "wait"):
        assert (await reasoner.solve(drafting(kind), Draft, prompt=PROMPT)).answer.text == "By template."
    tasks = [drafting("reply", fulfils=True), drafting("ask"), drafting("reply", fulfils=True)]
    written: list[Solved[Draft]] = await reasoner.solve_drafts(tasks, prompt=PROMPT)
    assert [solved.answer.text for solved in written] == ["One.", "By template.", "Two."]
    assert len(model.asked) == 1
    assert (await reasoner.solve_drafts([tasks[0]], prompt=PROMPT))[0].answer.text == "Alone."


async def test_a_spent_budget_leaves_words_to_templates_and_everything_else_to_a_person(
    sheets: Sheets, task: Callable[..., WorkflowTask]
) -> None:
    model = ScriptedReasoner(
        {WorkflowTask: lambda _: BudgetSpent("case", "tokens"), DraftTask: lambda _: BudgetSpent("day", "money")}
    )
    reasoner = forms(sheets, model)
    worded = await reasoner.solve(drafting("reply", fulfils=True), Draft, prompt=PROMPT)
    assert (worded.answer.text, worded.notes) == (
        "By template.",
        ("The budget of the day for models is spent (money).",),
    )
    with pytest.raises(BudgetSpent):
        await reasoner.solve(task(journey="browse"), Cue, prompt=PROMPT)


def test_a_tool_call_becomes_a_cue_whose_arguments_say_where_they_are_from(
    sheets: Sheets, task: Callable[..., WorkflowTask]
) -> None:
    known = [
        Known(id="e1", name="order_id", kind="customer", value="20418"),
        Known(id="e2", name="orders", kind="tool", value={"orders": [{"order_id": "20377"}]}),
    ]
    briefs = Briefs(sheets)
    planning = task(journey="browse", known=known, tools=["get_order"])
    assert [offer.name for offer in briefs.offers(planning)] == ["get_order"]
    assert briefs.offers(task(journey="refund", tools=["get_order"])) == ()
    for value, origin, ref in (("20418", "customer", "e1"), ("20377", "evidence", "e2")):
        cue = briefs.answer_of(planning, "get_order", {"order_id": value, "note": None})
        assert isinstance(cue, Cue)
        assert cue.call is not None
        assert cue.call.arguments == {"order_id": value}
        assert (cue.call.provenance["order_id"].origin.value, cue.call.provenance["order_id"].ref) == (origin, ref)
    invented = briefs.answer_of(planning, "get_order", {"order_id": "99999"})
    assert isinstance(invented, Cue)
    assert invented.call is not None
    assert invented.call.provenance == {}


def test_a_models_entities_are_put_where_their_words_stand() -> None:
    task = message("Order 20418, no: 20377")
    entities = [
        {"kind": "order_id", "value": "20377", "text": "20377", "start": 0, "end": 0},
        {"kind": "name", "value": "x", "text": "not there", "start": 1, "end": 2},
    ]
    placed = Briefs.__new__(Briefs).amended(task, {"entities": entities})["entities"]
    assert (placed[0]["start"], placed[0]["end"]) == (17, 22)
    assert placed[1] == entities[1]
