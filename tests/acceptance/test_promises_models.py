"""With a chat model: little is asked of it, it is held to its budgets, and the turn says who answered and why."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import houses
import pytest
from houses import JONAS, NORA, TestHouse

from callboard.models import spending_of
from callboard.runtime import Runtime
from callboard.settings import DEFAULT_PLAYBOOK, Settings
from callboard.views import view_case
from evals.model_brain import brain_of, local_of
from evals.model_faults import play_faults, read_samples
from evals.model_server import ModelServer, serving_model
from graphs.results import InboundMessage
from memory import conversations, handoffs, model_usage, turns
from policies.words import ConversationId

PRICES = {"gpt-5-mini": {"input": 1, "output": 4}}


@pytest.fixture(scope="module")
def local() -> Any:
    return local_of(houses.load_playbook(DEFAULT_PLAYBOOK))


@pytest.fixture
async def server(local: Any) -> AsyncIterator[ModelServer]:
    async with serving_model(brain_of(local)) as server:
        yield server


@asynccontextmanager
async def opened(
    directory: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, template: Path, **settings: Any
) -> AsyncIterator[TestHouse]:
    houses.warm(monkeypatch.setattr)
    own = Settings(data_dir=directory, openai_api_key="sk", openai_base_url=server.url, **settings)
    clock = houses.Clock()
    if not (directory / "systems").exists():
        shutil.copytree(houses.fixtures(template), directory / "systems")
    async with Runtime.open(own, clock=clock) as runtime:
        yield TestHouse(runtime, clock, directory)


async def test_p11_the_turn_and_the_decision_say_who_answered_under_which_prompt_and_what_it_took(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop_template: Path
) -> None:
    async with opened(tmp_path / "a", server, monkeypatch, shop_template, model_prices=PRICES) as house:
        asked = await house.say(f"How much did I pay for order 20731? I'm {JONAS}")
        assert "179.90 EUR" in asked.reply
        assert asked.case_id is not None
        case = await house.read(lambda unit: view_case(unit, case_id=asked.case_id))  # type: ignore[arg-type]  # checked above
        by_task = {answer.task: answer for answer in case.model_answers}
        versions = (await house.read(lambda unit: turns.get(unit, turn_id=asked.turn_id))).versions  # type: ignore[union-attr]  # it ran
        for task, name in (("IntentTask", "intent"), ("DraftTask", "drafting")):
            answer = by_task[task]
            assert (answer.reasoner, answer.calls, answer.prompt_version) == (
                "chat:gpt-5-mini",
                1,
                versions[f"prompt:{name}"],
            )
            assert Decimal(answer.cost) == (Decimal(answer.prompt_tokens + 4 * answer.completion_tokens) / 1_000_000)
        # The plan's call was proposed by the model's own tool call, and each decision on it names the prompt.
        read = [made for made in case.decisions if made.tool == "get_order"]
        assert {(made.reasoner, made.prompt_version) for made in read} == {
            ("chat:gpt-5-mini", versions["prompt:workflow"])
        }
        offered = [{tool["function"]["name"] for tool in body["tools"]} for body in server.asked if body.get("tools")]
        assert offered[0] == {"get_order", "list_orders", "quote_refund", "track_shipment"}


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"budget_turn_tokens": 1}, "The budget of the turn for models is spent (tokens)."),
        ({"budget_case_tokens": 1}, "The budget of the case for models is spent (tokens)."),
        ({"budget_day_money": Decimal("0.000001")}, "The budget of the day for models is spent (money)."),
    ],
)
async def test_p12_past_a_budget_the_case_goes_to_a_person_also_after_a_restart(
    server: ModelServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shop_template: Path,
    budget: dict[str, Any],
    reason: str,
) -> None:
    limits = {"model_prices": PRICES, **budget}
    async with opened(tmp_path / "a", server, monkeypatch, shop_template, **limits) as house:
        first = await house.say(f"How much did I pay for order 20731? I'm {JONAS}")
        if "budget_day_money" not in budget:
            # Intent was read; the plan of the same case is past its budget.
            assert first.outcome == "escalated"
    async with opened(tmp_path / "a", server, monkeypatch, shop_template, **limits) as house:
        conversation = "c2" if "budget_day_money" in budget else "c1"
        if conversation == "c2":
            first = await house.say(f"How much did I pay for order 20586? I'm {NORA}", conversation=conversation)
        assert first.outcome == "escalated"
        assert first.case_id is not None
        [handoff] = await house.read(lambda unit: handoffs.of_case(unit, case_id=first.case_id))  # type: ignore[arg-type]  # checked above
        assert (handoff.reason, handoff.score) == (reason, 1.0)


async def test_p12_what_forms_decide_goes_on_past_a_budget(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop_template: Path
) -> None:
    async with opened(tmp_path / "a", server, monkeypatch, shop_template, budget_case_tokens=1) as house:
        await house.say("Hi, I want a refund for order 20586")
        await house.say(NORA)
        done = await house.say("yes")
        assert (done.outcome, house.records.amounts("20586")) == ("resolved", [3490])
        assert "34.90 EUR" in done.reply
        notes = await house.read(lambda unit: model_usage.answers_of_turn(unit, turn_id=done.turn_id))
        assert any("budget of the case" in note for answer in notes for note in answer.notes)
        assert len(server.asked) == 1


async def test_several_matters_of_one_message_are_worded_in_one_call(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop_template: Path
) -> None:
    async with opened(tmp_path / "a", server, monkeypatch, shop_template) as house:
        both = await house.say(f"Where is order 20731? How long do I have to return something? I'm {JONAS}")
        assert "PostNord" in both.reply
        assert "30 days" in both.reply
        names = [body["response_format"]["json_schema"]["name"] for body in server.asked]
        assert names.count("Drafts") == 1
        assert "Draft" not in names


async def test_p9_what_is_shown_of_a_draft_has_passed_the_checks_of_a_reply(
    local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop_template: Path
) -> None:
    lies = " I have refunded 999.00 EUR to you. Bye for now. It was a pleasure. See you."
    async with (
        serving_model(brain_of(local, accent=lambda text: f"{text} Thank you. {lies}")) as server,
        opened(tmp_path / "a", server, monkeypatch, shop_template) as house,
    ):
        message = InboundMessage(ConversationId("c1"), "m1", f"Where is order 20731? I'm {JONAS}")
        heard = [progress async for progress in house.runtime.runner.stream(message)]
    drafts = [progress.text for progress in heard if progress.kind == "draft"]
    assert any("PostNord" in text and "Thank you." in text for text in drafts)
    said = next(progress.result for progress in heard if progress.result is not None).reply
    assert not any("999" in text for text in [*drafts, said])
    assert "20731" in said


async def test_p10_a_draft_is_shown_to_nobody_once_a_person_has_the_conversation(
    local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop_template: Path
) -> None:
    brain = brain_of(local, accent=lambda text: f"{text} Thank you. Bye now.")
    taking: list[TestHouse] = []

    async def say(body: Any) -> Any:
        if body.get("stream"):
            await taking[0].runtime.store.write(
                lambda unit: conversations.set_status(unit, conversation_id=ConversationId("c1"), status="person")
            )
        return await brain(body)

    async with serving_model(say) as server, opened(tmp_path / "a", server, monkeypatch, shop_template) as house:
        taking.append(house)
        message = InboundMessage(ConversationId("c1"), "m1", f"Where is order 20731? I'm {JONAS}")
        heard = [progress async for progress in house.runtime.runner.stream(message)]
    assert [progress.text for progress in heard if progress.kind in {"draft", "reply"}] == []


async def test_p12_a_second_model_answers_where_the_first_one_fails(
    local: Any, server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop_template: Path
) -> None:
    async with serving_model(brain_of(local), plan=lambda _: "unauthorised") as broken:
        second = {"second_model": "spare", "second_model_url": server.url}
        async with opened(tmp_path / "a", broken, monkeypatch, shop_template, **second) as house:
            asked = await house.say("Where is order 20731?")
            answers = await house.read(lambda unit: model_usage.answers_of_turn(unit, turn_id=asked.turn_id))
    read = answers[0]
    assert (read.task, read.reasoner, read.calls) == ("IntentTask", "chat:spare", 2)
    assert any("status 401" in note for note in read.notes)
    assert server.asked[0]["model"] == "spare"


async def test_p12_whatever_an_endpoint_does_each_conversation_ends_well_and_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    houses.warm(monkeypatch.setattr)

    def open_runtime(url: str, data_dir: Path, systems_dir: Path) -> Any:
        own = {"openai_api_key": "k", "openai_base_url": url, "model_timeout_s": 0.6, "model_turn_s": 1.5}
        return Runtime.open(Settings(data_dir=data_dir, systems_dir=systems_dir, **own))  # type: ignore[arg-type]  # as named

    report = await play_faults(
        open_runtime,
        houses.load_playbook(DEFAULT_PLAYBOOK),
        read_samples(DEFAULT_PLAYBOOK / "suites" / "models.yaml"),
        faults=["lies"],
        turn_budget_s=1.5,
    )
    figures = report.as_json()
    assert (figures["conversations"], figures["neither"], figures["hung"]) == (14, 0, 0), figures["problems"]
    assert report.requests["lies"] > 7


def test_a_budget_of_money_needs_prices() -> None:
    spending = spending_of(Settings(model_prices=PRICES, budget_case_money=Decimal("0.5")))  # type: ignore[arg-type]  # as read from JSON
    assert (spending.case.money_nano, spending.prices["gpt-5-mini"].output) == (500_000_000, Decimal(4))
    assert replace(spending.turn, tokens=None).exceeded_by(model_usage.Spent(tokens=10**9)) == ""
