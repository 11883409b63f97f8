"""Which models stand behind the specialists, as settings and playbook say."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agents.journeys import Voice
from agents.local.sheets import Sheets
from agents.prompting import Prompt
from agents.reasoners.base import Reasoner
from agents.reasoners.local import LocalReasoner
from agents.tasks import Cue, Draft, DraftTask, IntentReading, IntentTask
from callboard.errors import SettingsInvalid
from callboard.models import open_reasoner
from callboard.settings import Settings
from evals.model_brain import brain_of
from evals.model_server import serving_model
from graphs.playbook import Models

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PROMPT = Prompt("any", "")
LOCAL = LocalReasoner(
    {IntentTask: lambda _: IntentReading(act="request"), DraftTask: lambda _: Draft(text="Your order is on its way.")}
)
SHEETS = Sheets(
    journeys={},
    voice=Voice(brand="Shop", assistant="Bo", disclosure="I'm an AI.", templates={}),
    tools={},
    methods=(),
)
READ = IntentTask(text="where is my order?", transcript=[], question=None, open_journeys=[], now=NOW)
WRITE = DraftTask(cues=[Cue(kind="reply", fulfils=True)], journeys=[None], known=[], text="hi", disclose=False)


async def opened(stack: AsyncExitStack, models: Models | None = None, **settings: Any) -> Reasoner:
    own = Settings(**settings)
    return await open_reasoner(own, models or Models(), SHEETS, LOCAL, clock=lambda: NOW, stack=stack)


async def test_p14_without_a_key_everything_is_local() -> None:
    async with AsyncExitStack() as stack:
        assert await opened(stack) is LOCAL


async def test_each_specialist_asks_the_model_that_the_playbook_names_for_it() -> None:
    models = Models(default="middle", intent="small")
    async with serving_model(brain_of(LOCAL)) as server, AsyncExitStack() as stack:
        reasoner = await opened(stack, models, openai_api_key="k", openai_base_url=server.url, model="other")
        read = await reasoner.solve(READ, IntentReading, prompt=PROMPT)
        written = await reasoner.solve(WRITE, Draft, prompt=PROMPT)
    assert [body["model"] for body in server.asked] == ["small", "middle"]
    assert (read.reasoner, written.reasoner) == ("chat:small", "chat:middle")


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"budget_day_money": Decimal(5)}, "CALLBOARD_MODEL_PRICES"),
        ({"langchain_model": "no_such_module:model"}, "CALLBOARD_LANGCHAIN_MODEL"),
        ({"langchain_model": "json:dumps"}, "CALLBOARD_LANGCHAIN_MODEL"),
        ({"cassette": Path("/nowhere/tape.jsonl")}, "CALLBOARD_CASSETTE"),
    ],
)
async def test_settings_that_cannot_be_followed_are_named(settings: dict[str, Any], names: str) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(SettingsInvalid, match=names):
            await opened(stack, openai_api_key="k", openai_base_url="http://127.0.0.1:9/v1", **settings)


async def test_nothing_can_be_recorded_where_there_is_no_model(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(SettingsInvalid, match="CALLBOARD_CASSETTE_MODE"):
            await opened(stack, cassette=tmp_path / "tape", cassette_mode="record")
