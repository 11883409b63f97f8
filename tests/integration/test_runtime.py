"""The composition root: what it opens, what it survives, and what it refuses."""

import secrets
import shutil
import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from callboard.errors import SystemsMissing
from callboard.runtime import Runtime
from callboard.settings import Settings
from callboard.views import view_conversation
from graphs.results import InboundMessage, ReviewDecision, Reviewer, TurnResult
from memory.errors import DataDirectoryHeld
from policies.words import ConversationId

CONVERSATION = ConversationId("c")
REFUND = ("I sent the walking boots from order 20418 back, refund please", "mira.okafor@example.org, 10435", "yes")


async def say(runtime: Runtime, *lines: str) -> TurnResult:
    result = None
    for line in lines:
        result = await runtime.runner.handle(InboundMessage(CONVERSATION, secrets.token_hex(8), line))
    assert result is not None
    return result


async def test_p5_an_approval_outlives_a_restart_and_is_decided_in_the_next_process(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    async with Runtime.open(settings) as runtime:
        waiting = await say(runtime, *REFUND)
    assert waiting.outcome == "awaiting_approval"
    async with Runtime.open(settings) as runtime:
        await runtime.runner.decide(waiting.approvals[0], ReviewDecision("approve"), Reviewer("Rosa", "reviewer"))
        await runtime.runner.settle(CONVERSATION)
        ended = await runtime.runner.result(waiting.turn_id)
    assert ended.outcome == "resolved"
    assert "148.90 EUR" in ended.parts[-1]


async def test_p12_a_model_that_does_not_answer_leaves_the_conversation_to_the_local_reasoner(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    settings = Settings(
        data_dir=tmp_path / "data", openai_api_key=SecretStr("sk-none"), openai_base_url=url, model_timeout_s=2
    )
    async with Runtime.open(settings) as runtime:
        result = await say(runtime, "Where is my order 20731?", "jonas.lindqvist@example.org, 411 24")
    assert result.outcome == "resolved"
    assert "20731" in result.reply


async def test_p12_an_index_that_is_broken_or_lost_is_made_anew(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    async with Runtime.open(settings) as runtime:
        first = await say(runtime, "What does shipping cost?")
    index = tmp_path / "data" / "index"
    for database in index.glob("*.sqlite3"):
        database.write_bytes(b"this is no database")
    async with Runtime.open(settings) as runtime:
        assert await runtime.find_unready() == []
        second = await say(runtime, "And what does shipping cost?")
    assert second.outcome == first.outcome
    shutil.rmtree(index)
    async with Runtime.open(settings) as runtime:
        third = await say(runtime, "Once more, what does shipping cost?")
    assert third.outcome == first.outcome


async def test_outside_development_no_demo_data_is_made(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", env="production")
    with pytest.raises(SystemsMissing, match="CALLBOARD_SYSTEMS_DIR"):
        async with Runtime.open(settings):
            pass
    assert not (tmp_path / "data" / "systems").exists()
    # What was opened before it failed was closed again: another process may take the directory.
    async with Runtime.open(Settings(data_dir=tmp_path / "data")) as runtime:
        assert await runtime.find_unready() == []


async def test_a_data_directory_is_for_one_at_a_time(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    async with Runtime.open(settings) as runtime:
        runtime.store.announce("http://127.0.0.1:1")
        with pytest.raises(DataDirectoryHeld) as held:
            async with Runtime.open(settings):
                pass
        assert held.value.url == "http://127.0.0.1:1"


async def test_the_data_directory_holds_no_word_of_the_customer_in_clear(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    async with Runtime.open(settings) as runtime:
        await say(runtime, *REFUND)
        conversation = await runtime.store.read(lambda unit: view_conversation(unit, conversation_id=CONVERSATION))
        assert "walking boots" in conversation.messages[0].text
    own = [file for file in (tmp_path / "data").rglob("*") if file.is_file() and "systems" not in file.parts]
    assert own
    for file in own:
        content = file.read_bytes()
        for words in (b"walking boots from", b"mira.okafor", b"Mira Okafor"):
            assert words not in content, f"{words!r} in {file.name}"
