"""Recordings hold nobody: what came from the task becomes marks that the same task fills again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.errors import CassetteMiss
from agents.prompting import Prompt
from agents.reasoners.recorded import Cassette, RecordedReasoner, cassette_key
from agents.reasoners.scripted import ScriptedReasoner
from agents.tasks import (
    Cue,
    Draft,
    DraftTask,
    Entity,
    IntentGuess,
    IntentReading,
    IntentTask,
    Known,
    Source,
    ToolProposal,
    Typed,
    WorkflowTask,
)

PROMPT = Prompt("any", "Read.")
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
TEXT = "Mira Okafor here, mira.okafor@example.org, my key is sk-livesecret12345678, parcel to Torstraße 12"


def reading_task(text: str = TEXT, now: datetime = NOW) -> IntentTask:
    return IntentTask(text=text, transcript=[], question=None, open_journeys=[], now=now)


def reading(text: str = TEXT) -> IntentReading:
    words = ["Mira Okafor", "mira.okafor@example.org", "Torstraße 12"]
    entities = [
        Entity(kind=kind, value=word, text=word, start=text.index(word), end=text.index(word) + len(word))
        for kind, word in zip(("name", "email", "address"), words, strict=True)
    ]
    guess = IntentGuess(journey="refund", confidence=0.9, answer="accept", text=text)
    return IntentReading(act="inform", intents=[guess], entities=entities)


async def record(path: Path, task: Typed, answer: Typed) -> str:
    model = ScriptedReasoner({type(task): [answer]})
    await RecordedReasoner(Cassette(path), mode="record", inner=model).solve(task, type(answer), prompt=PROMPT)
    return path.read_text()  # noqa: ASYNC240  # a few bytes


async def replay(path: Path, task: Typed, kind: type[Any]) -> Any:
    return await RecordedReasoner(Cassette(path), mode="replay").solve(task, kind, prompt=PROMPT)


async def test_p8_a_recording_holds_no_word_of_a_customer_and_replays_exactly(tmp_path: Path) -> None:
    written = await record(tmp_path / "tape", reading_task(), reading())
    for personal in ("Mira", "Okafor", "example.org", "sk-live", "Torstra"):
        assert personal not in written
    assert (await replay(tmp_path / "tape", reading_task(), IntentReading)).answer == reading()


def planning_task(turn: str, customer: str, now: datetime) -> WorkflowTask:
    known = [
        Known(id=f"ev-turn-{turn}-1", name="email", kind="customer", value=f"{customer}@example.org"),
        Known(
            id=f"ev-turn-{turn}-2",
            name="order",
            kind="tool",
            value={
                "order_id": "20418",
                "name": customer.title(),
                "delivered_at": (now - timedelta(days=3)).isoformat(),
            },
        ),
    ]
    blank: dict[str, Any] = {
        "journey": "browse",
        "text": "what did I pay?",
        "act": "request",
        "flags": [],
        "known": known,
        "attempts": [],
        "eligibility": [],
        "confirmations": [],
        "authentication": {"state": "enough"},
        "asked": {},
        "question": None,
        "now": now,
    }
    return WorkflowTask.model_validate(blank)


def call(turn: str) -> Cue:
    source = Source(origin="evidence", ref=f"ev-turn-{turn}-2")  # type: ignore[arg-type]  # a word of the enum
    return Cue(
        kind="call",
        call=ToolProposal(tool="get_order", arguments={"order_id": "20418"}, provenance={"order_id": source}),
    )


async def test_p13_a_recording_replays_for_another_run_another_day_and_another_customer(tmp_path: Path) -> None:
    written = await record(tmp_path / "tape", planning_task("aaaa1111", "mira", NOW), call("aaaa1111"))
    assert "20418" not in written
    assert "aaaa1111" not in written
    later = planning_task("bbbb2222", "nora", NOW + timedelta(days=9))
    assert (await replay(tmp_path / "tape", later, Cue)).answer == call("bbbb2222")
    other = planning_task("bbbb2222", "nora", NOW).model_copy(update={"text": "where is it?"})
    assert cassette_key(other, Cue, PROMPT) != cassette_key(later, Cue, PROMPT)
    older = later.known[1].model_copy(update={"value": {"order_id": "20418", "delivered_at": NOW.isoformat()}})
    aged = later.model_copy(update={"known": [later.known[0], older]})
    assert cassette_key(aged, Cue, PROMPT) != cassette_key(later, Cue, PROMPT), (
        "how long ago it was is part of the input"
    )


async def test_p8_what_is_personal_and_not_from_the_task_is_masked_for_good(tmp_path: Path) -> None:
    task = DraftTask(cues=[], journeys=[], known=[], text="hello", disclose=False)
    draft = Draft(text="Write to rosa@example.org or call +49 30 1234567, order {order.order_id}.")
    written = await record(tmp_path / "tape", task, draft)
    assert "rosa@" not in written
    assert "1234567" not in written
    solved = await replay(tmp_path / "tape", task, Draft)
    assert solved.answer.text == "Write to ⟦masked⟧ or call ⟦masked⟧, order {order.order_id}."
    assert solved.notes == ("replayed; 2 values are masked",)


async def test_p13_another_prompt_is_another_recording(tmp_path: Path) -> None:
    await record(tmp_path / "tape", reading_task(), reading())
    reasoner = RecordedReasoner(Cassette(tmp_path / "tape"), mode="replay")
    with pytest.raises(CassetteMiss) as missed:
        await reasoner.solve(reading_task(), IntentReading, prompt=Prompt("any", "Read better."))
    assert "Mira" not in str(missed.value)
