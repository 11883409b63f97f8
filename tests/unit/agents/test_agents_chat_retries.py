"""What a model's endpoint may do, and what becomes of it: over loopback, with the client as it ships."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from agents.errors import AnswerInvalid, BudgetSpent, ReasonerUnavailable
from agents.prompting import Prompt
from agents.reasoners.base import UNWATCHED, ModelCall, Solved, Watcher
from agents.reasoners.chat import ChatReasoner
from agents.reasoners.fallback import FallbackReasoner
from agents.reasoners.local import LocalReasoner
from agents.reasoners.openai_model import OpenAIModel, openai_client
from agents.tasks import Draft, DraftTask
from evals.model_server import Body, Fault, ModelServer, Said, serving_model

PROMPT = Prompt("drafting", "Write the reply.")
TASK = DraftTask(cues=[], journeys=[], known=[], text="hello", disclose=False)
TEXT = "Your parcel is on its way. It comes soon. Bye."


async def good(body: Body) -> Said:
    return Said(content=f'{{"text": "{TEXT}", "cites": []}}')


class Watching:
    """Hears everything; allows so many calls."""

    def __init__(self, *, calls: int = 99, left_s: float | None = None, shows: bool = False) -> None:
        self.allowed, self.left_s, self.wants_text = calls, left_s, shows
        self.calls: list[ModelCall] = []
        self.shown: list[str] = []

    async def before_call(self, model: str) -> float | None:
        if len(self.calls) >= self.allowed:
            raise BudgetSpent("turn", "tokens")
        return self.left_s

    async def after_call(self, call: ModelCall) -> None:
        self.calls.append(call)

    async def show(self, text: str) -> None:
        self.shown.append(text)


def planned(*faults: Fault) -> Sequence[Fault]:
    return [*faults, *("none" for _ in range(9))]  # type: ignore[list-item]  # a literal


async def ask(
    server: ModelServer, *, watcher: Watcher = UNWATCHED, timeout_s: float = 5.0, attempts: int = 3
) -> Solved[Draft]:
    async with openai_client(api_key="k", base_url=server.url, timeout_s=timeout_s) as client:
        chat = ChatReasoner(OpenAIModel(client, "m"), timeout_s=timeout_s, attempts=attempts, chance=random.Random(1))
        return await chat.solve(TASK, Draft, prompt=PROMPT, watcher=watcher)


@pytest.mark.parametrize("fault", ["rate_limit_short", "server_error", "drop", "html", "not_json", "no_choices"])
async def test_p12_what_may_pass_is_asked_again_and_every_call_is_counted(fault: Fault) -> None:
    watcher = Watching()
    async with serving_model(good, plan=lambda number: planned(fault)[number]) as server:
        solved = await ask(server, watcher=watcher)
    assert solved.answer.text == TEXT
    assert len(server.asked) == 2
    assert [bool(call.problem) for call in watcher.calls] == [True, False]
    assert watcher.calls[1].usage.prompt_tokens > 0


async def test_p12_what_will_not_pass_is_asked_once() -> None:
    async with serving_model(good, plan=lambda _: "unauthorised") as server:
        with pytest.raises(ReasonerUnavailable, match="status 401"):
            await ask(server)
    assert len(server.asked) == 1


async def test_p12_a_pause_longer_than_the_time_that_is_left_is_not_waited_for() -> None:
    async with serving_model(good, plan=lambda _: "rate_limit_long") as server:
        with pytest.raises(ReasonerUnavailable, match="rate limit") as caught:
            await ask(server)
    assert caught.value.retry_after_s == 3600
    assert len(server.asked) == 1


async def test_p12_a_model_that_asked_to_be_left_alone_is_left_alone_for_that_long() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    moments = [now]
    async with (
        serving_model(good, plan=lambda number: planned("rate_limit_long")[number]) as server,
        openai_client(api_key="k", base_url=server.url, timeout_s=5) as client,
    ):
        chat = ChatReasoner(OpenAIModel(client, "m"), timeout_s=5)
        local = LocalReasoner({DraftTask: lambda task: Draft(text="Local.")})
        reasoner = FallbackReasoner(chat, local, clock=lambda: moments[-1])
        said = []
        for later in (0, 30, 599, 601):
            moments.append(now + timedelta(seconds=later))
            said.append((await reasoner.solve(TASK, Draft, prompt=PROMPT)).answer.text)
    assert said == ["Local.", "Local.", "Local.", TEXT], "ten minutes at most, whatever it asked for"
    assert len(server.asked) == 2


@pytest.mark.parametrize(("left_s", "asked"), [(0.05, 5), (4.0, 3)])
async def test_p12_a_call_that_had_but_the_rest_of_a_turns_time_does_not_count_against_the_model(
    left_s: float, asked: int
) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    async with (
        serving_model(good, plan=lambda _: "hang") as server,
        openai_client(api_key="k", base_url=server.url, timeout_s=5) as client,
    ):
        chat = ChatReasoner(OpenAIModel(client, "m"), timeout_s=0.1 if left_s > 1 else 5)
        local = LocalReasoner({DraftTask: lambda task: Draft(text="Local.")})
        reasoner = FallbackReasoner(chat, local, clock=lambda: now)
        for _ in range(5):
            await reasoner.solve(TASK, Draft, prompt=PROMPT, watcher=Watching(left_s=left_s))
    assert len(server.asked) == asked


@pytest.mark.parametrize("fault", ["huge", "endless"])
async def test_p12_an_answer_without_an_end_is_not_read_to_its_end(fault: Fault) -> None:
    for shows in (False, True):
        async with serving_model(good, plan=lambda _: fault) as server:
            with pytest.raises((ReasonerUnavailable, AnswerInvalid)):
                await ask(server, watcher=Watching(shows=shows), attempts=1)


async def test_p12_no_call_takes_longer_than_models_may_still_take_for_the_turn() -> None:
    watcher = Watching(left_s=0.05)
    async with serving_model(good, plan=lambda _: "hang") as server:
        with pytest.raises(ReasonerUnavailable, match="no answer in time"):
            await ask(server, watcher=watcher, timeout_s=60)
    [call] = watcher.calls
    assert (call.usage.calls, call.usage.prompt_tokens > 0) == (1, True), "what was sent may be billed"


@pytest.mark.parametrize("fault", ["invalid_json", "wrong_schema", "empty", "refusal", "cut_off", "unknown_tool"])
async def test_p12_an_answer_that_does_not_hold_is_repaired_once_streamed_or_not(fault: Fault) -> None:
    for shows in (False, True):
        watcher = Watching(shows=shows)
        async with serving_model(good, plan=lambda number: planned(fault)[number]) as server:
            solved = await ask(server, watcher=watcher)
        assert (solved.answer.text, len(server.asked), len(watcher.calls)) == (TEXT, 2, 2)
        assert "repaired" in solved.notes[0]


async def test_a_repair_is_a_call_and_needs_a_budget_too() -> None:
    async with serving_model(good, plan=lambda _: "empty") as server:
        with pytest.raises(BudgetSpent):
            await ask(server, watcher=Watching(calls=1))
    assert len(server.asked) == 1


async def test_a_draft_is_told_while_it_is_written_to_who_wants_to_see_it() -> None:
    watcher = Watching(shows=True)
    async with serving_model(good) as server:
        solved = await ask(server, watcher=watcher)
        assert solved.usage.prompt_tokens == watcher.calls[0].usage.prompt_tokens
        await ask(server, watcher=Watching())
    assert [body.get("stream", False) for body in server.asked] == [True, False]
    assert len(watcher.shown) > 2
    assert all(TEXT.startswith(text) for text in watcher.shown)


async def test_p12_a_stream_that_breaks_off_is_no_answer() -> None:
    async with serving_model(good, plan=lambda number: planned("drop_mid_stream")[number]) as server:
        solved = await ask(server, watcher=Watching(shows=True))
    assert (solved.answer.text, len(server.asked)) == (TEXT, 2)
