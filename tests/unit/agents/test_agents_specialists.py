"""Specialists believe no answer unchecked, and ask no model where a table or a method decides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.company import local_reasoner, specialists_of
from agents.errors import AnswerInvalid
from agents.local.entities import EntityPatterns
from agents.local.sheets import Sheets
from agents.reasoners.scripted import ScriptedReasoner
from agents.specialists import Specialists
from agents.tasks import (
    AuthenticationTask,
    Cue,
    Draft,
    DraftTask,
    EligibilityTask,
    Entity,
    IntentGuess,
    IntentReading,
    IntentTask,
    Known,
    ToolProposal,
    Typed,
    WorkflowTask,
)

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
INTENT = IntentTask(text="order 20418 please", transcript=[], question=None, open_journeys=[], now=NOW)
DRAFT = DraftTask(
    cues=[],
    journeys=[],
    known=[Known(id="e1", name="order", kind="receipt", value={"status": "paid"})],
    text="",
    disclose=False,
)


@dataclass
class Outcome:
    values: Mapping[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    error: str = ""


def company(sheets: Sheets, scripts: Mapping[type[Typed], Any], outcome: Outcome | None = None) -> Specialists:
    reasoner = ScriptedReasoner(scripts)
    return specialists_of(sheets, reasoner=reasoner, decide_table=lambda table, inputs: outcome or Outcome())


LIES = [
    IntentReading(act="request", intents=[IntentGuess(journey="rob_the_bank", confidence=1, answer="accept")]),
    IntentReading(act="inform", entities=[Entity(kind="order_id", value="1", text="99999", start=6, end=11)]),
    IntentReading(act="inform", entities=[Entity(kind="order_id", value="1", text="x", start=900, end=901)]),
    IntentReading(act="inform", entities=[Entity(kind="a", value="1", text="order", start=0, end=5, intent=3)]),
    IntentReading.model_construct(act="obey"),
    {"act": "inform", "confidence": 7},
]


@pytest.mark.parametrize("lie", LIES)
async def test_p1_a_reading_that_is_not_in_the_message_is_refused(sheets: Sheets, lie: object) -> None:
    with pytest.raises(AnswerInvalid):
        await company(sheets, {IntentTask: [lie]}).intent.solve(INTENT)


async def test_an_honest_reading_passes(sheets: Sheets) -> None:
    honest = IntentReading(
        act="inform", entities=[Entity(kind="order_id", value="20418", text="20418", start=6, end=11)]
    )
    assert (await company(sheets, {IntentTask: [honest]}).intent.solve(INTENT)).answer == honest


@pytest.mark.parametrize(
    "lie",
    [
        Cue(kind="call"),
        Cue(kind="reply", template="done", call=ToolProposal(tool="get_order", arguments={})),
        Cue(kind="call", call=ToolProposal(tool="drop_tables", arguments={})),
        Cue(kind="reply", template="no_such_template"),
        Cue(kind="reply", template="responded", values={"approval": {"message": "We pay you a million."}}),
        Cue(kind="reply", template="thanks", evidence={"order": "e-of-somebody-else"}),
        Cue(kind="ask", template="ask_order", records=[{"value": "31337", "label": "yours"}]),
    ],
)
async def test_p1_p9_a_cue_that_its_task_does_not_hold_is_refused(
    sheets: Sheets, task: Callable[..., WorkflowTask], lie: Cue
) -> None:
    with pytest.raises(AnswerInvalid):
        await company(sheets, {WorkflowTask: [lie]}).workflow.solve(task(tools=["get_order"]))


async def test_a_cue_within_its_task_passes(sheets: Sheets, task: Callable[..., WorkflowTask]) -> None:
    row = Known(
        id="e1", name="orders", kind="receipt", value={"orders": [{"order_id": "20418", "items": "Walking boots"}]}
    )
    cue = Cue(
        kind="ask",
        template="ask_order",
        slots=["order_id"],
        records=[{"value": "20418", "label": "20418 (Walking boots)"}],
    )
    solved = await company(sheets, {WorkflowTask: [cue]}).workflow.solve(task(known=[row], tools=["get_order"]))
    assert solved.answer == cue


@pytest.mark.parametrize("text", ["", "You get {refund.amount}", "{order.total}"])
async def test_p9_a_draft_that_refers_to_nothing_is_refused(sheets: Sheets, text: str) -> None:
    with pytest.raises(AnswerInvalid):
        await company(sheets, {DraftTask: [Draft(text=text)]}).drafting.solve(DRAFT)


async def test_p9_a_draft_may_refer_to_evidence_and_cite_only_what_it_was_given(sheets: Sheets) -> None:
    fine = Draft(text="It is {order.status}.")
    assert (await company(sheets, {DraftTask: [fine]}).drafting.solve(DRAFT)).answer == fine
    with pytest.raises(AnswerInvalid):
        await company(sheets, {DraftTask: [Draft(text="Hi", cites=["p9"])]}).drafting.solve(DRAFT)


async def test_tables_and_methods_decide_without_a_model(sheets: Sheets) -> None:
    outcome = Outcome(values={"verdict": "eligible", "amount": 5}, reasons=["Returned in time."])
    team = company(sheets, {}, outcome)
    verdict = await team.eligibility.solve(
        EligibilityTask(journey="refund", step="eligible", table="t", inputs={"days": 3}, about={"order_id": "20418"})
    )
    assert (verdict.answer.verdict, verdict.answer.inputs, verdict.answer.about) == (
        "eligible",
        {"days": 3},
        {"order_id": "20418"},
    )
    advice = await team.authentication.solve(AuthenticationTask(needed=2, current=0, known={}, failed=[], asked=0))
    assert (advice.answer.state, advice.reasoner) == ("ask", "methods")


async def test_p1_a_table_that_can_not_decide_is_never_eligible(sheets: Sheets) -> None:
    outcome = Outcome(values={"verdict": "eligible"}, error="an input is missing")
    task = EligibilityTask(journey="refund", step="eligible", table="t", inputs={})
    solved = await company(sheets, {}, outcome).eligibility.solve(task)
    assert solved.answer.verdict == "unknown"
    assert "an input is missing" in solved.notes[0]


async def test_p14_the_whole_company_works_without_a_model(sheets: Sheets, task: Callable[..., WorkflowTask]) -> None:
    reasoner = local_reasoner(sheets, EntityPatterns(patterns={"order_id": [r"\b(2\d{4})\b"]}))
    team = specialists_of(sheets, reasoner=reasoner, decide_table=lambda table, inputs: Outcome())
    reading = await team.intent.solve(
        IntentTask(text="I want a refund for order 20418", transcript=[], question=None, open_journeys=[], now=NOW)
    )
    assert [guess.journey for guess in reading.answer.intents] == ["refund"]
    cue = await team.workflow.solve(task(tools=["list_orders", "get_order", "refund_order"]))
    assert cue.answer.call is not None
    assert cue.answer.call.tool == "list_orders"
    draft = await team.drafting.solve(
        DraftTask(cues=[Cue(kind="reply", template="thanks")], journeys=[None], known=[], text="thanks", disclose=False)
    )
    assert draft.answer.text == "<thanks>"


def test_prompts_tell_a_model_the_playbook_and_have_versions(sheets: Sheets) -> None:
    team = company(sheets, {})
    assert "refund: a refund" in team.intent.prompt.text
    assert "The customer knows what they bought." in team.workflow.prompt.text
    assert "refund_table" not in team.workflow.prompt.text, "steps that are walked need no planning"
    assert "I'm Bo, an AI assistant." in team.drafting.prompt.text
    assert set(team.prompt_versions) == {"intent", "workflow", "drafting"}
