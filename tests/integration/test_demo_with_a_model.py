"""The demo with a key and a model: unchanged, over the real protocol, streaming included."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import houses
import pytest

from callboard.demo import Audience, Played, play
from callboard.models import load_model
from callboard.settings import DEFAULT_PLAYBOOK, Settings
from evals.model_brain import brain_of, local_of
from evals.model_server import ModelServer, serving_model

OWN_WORDS = "Thank you for your patience."


@pytest.fixture(scope="module")
def local() -> Any:
    return local_of(houses.load_playbook(DEFAULT_PLAYBOOK))


@pytest.fixture
async def server(local: Any) -> AsyncIterator[ModelServer]:
    async with serving_model(brain_of(local, accent=lambda text: f"{text} {OWN_WORDS}")) as server:
        yield server


async def demo(directory: Path, **settings: Any) -> list[Played]:
    numbers = count(1)
    return await play(
        Settings(data_dir=directory, **settings),
        clock=lambda: datetime.now(UTC),
        new_id=lambda: f"{next(numbers):032x}",
        audience=Audience(),
    )


@pytest.fixture(autouse=True)
def _warm(monkeypatch: pytest.MonkeyPatch) -> None:
    houses.warm(monkeypatch.setattr)


async def test_the_demo_runs_unchanged_with_a_key_and_a_model_and_shows_drafts_while_they_are_written(
    server: ModelServer, tmp_path: Path
) -> None:
    model = {"openai_api_key": "sk-loopback", "openai_base_url": server.url}
    tape = tmp_path / "tape.jsonl"
    played = await demo(tmp_path / "a", **model, cassette=tape, cassette_mode="record")
    assert [one.ended_as_planned for one in played] == [True, True, True]
    assert played[1].refunds_booked == {"count": 1, "amount_minor": 14890}
    # The model worded the results: its own words stand in them, and evidence's amount does too.
    told = [turn["reply"] for turn in played[0].turns]
    assert OWN_WORDS in told[1]
    assert "148.90 EUR" in played[1].turns[-1]["reply"]
    # Streamed: whole sentences that came before the reply, values filled in, each the beginning of what was said.
    drafts = played[0].turns[1]["drafts"]
    assert len(drafts) >= 2
    assert all(told[1].startswith(draft) and "{" not in draft for draft in drafts)
    assert [body.get("stream") for body in server.asked].count(True) >= 1
    # Asked little: what forms, tables and journeys decide was asked of nobody.
    calls = [sum(turn["model_calls"] for turn in one.turns) for one in played]
    assert calls == [2, 2, 1]
    assert {body["model"] for body in server.asked} == {"gpt-5-mini"}

    asked = len(server.asked)
    written = tape.read_text()
    for personal in ("Mira", "mira.okafor", "jonas.lindqvist", "411 24", "10435", "20418", "walking boots from"):
        assert personal not in written, personal
    # P13: the recording replays for another run on records of another moment, and asks nobody.
    again = await demo(tmp_path / "b", cassette=tape)
    assert [one.ended_as_planned for one in again] == [True, True, True]
    assert [turn["reply"] for turn in again[0].turns] == told
    assert len(server.asked) == asked


def test_a_setting_names_a_model_object_of_langchain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "shop_models.py").write_text(
        "from langchain_core.language_models import FakeListChatModel\n"
        f"def talker():\n    return FakeListChatModel(responses=[{json.dumps('hello')}])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert type(load_model("shop_models:talker")).__name__ == "FakeListChatModel"
