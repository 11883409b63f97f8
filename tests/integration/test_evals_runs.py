"""Transcripts and bench on the whole of Callboard, with the retail playbook and its own systems of record."""

import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callboard.runtime import Runtime
from callboard.settings import DEFAULT_PLAYBOOK, Settings
from evals.bench import Script, bench_turns, read_script
from evals.conversations import Recorded, read_conversations
from evals.errors import FellSilent
from evals.running import Running
from evals.transcripts import play_transcripts
from graphs.results import InboundMessage, TurnResult

SHARED_DATA = Path(os.environ.get("CALLBOARD_SHARED_DATA") or Path(__file__).parents[3] / "shared" / "data")
RECORDED = SHARED_DATA / "tau2_retail" / "conversations.jsonl"

STATUS = Recorded(
    "status",
    (
        "Hello, I'd like to know where my order 20731 is.",
        "jonas.lindqvist@example.org and the postcode is 411 24",
        "Great, thank you, that's all! ###STOP###",
    ),
)
CANCELLED = Recorded(
    "cancelled",
    ("please cancel order 21102", "amelie.laurent@example.org, 69001", "yes, cancel it"),
)
STRANGER = Recorded(
    "stranger",
    (
        "I want my money back for order #W1234567",
        "I don't remember my email, I'm Jo March, zip 01742",
        "I have no order number either",
        "are you still there?",
    ),
)


@asynccontextmanager
async def opened(data_dir: Path, systems_dir: Path) -> AsyncIterator[Running]:
    async with Runtime.open(Settings(data_dir=data_dir, systems_dir=systems_dir)) as runtime:
        yield runtime


async def test_recorded_customers_are_played_and_what_was_done_is_counted_in_the_systems_of_record() -> None:
    told: list[str] = []
    report = await play_transcripts(
        opened, [STATUS, CANCELLED, STRANGER], workers=2, on_played=lambda one: told.append(one.id)
    )
    rows = report.as_json()
    assert (rows["conversations"], rows["turns"], rows["crashes"]) == (3, 10, 0)
    assert (rows["effects"], rows["receipts_committed"], rows["effects_without_permit"]) == (1, 1, 0)
    assert (rows["audit_ok"], rows["repeated_questions"], report.ok) == (True, 0, True)
    by_id = {one.id.split("-", 1)[1]: [turn.outcome for turn in one.turns] for one in report.played}
    assert by_id["status"] == ["awaiting_customer", "resolved", "resolved"]
    assert by_id["cancelled"] == ["awaiting_customer", "awaiting_customer", "resolved"]
    assert by_id["stranger"][-2:] == ["escalated", "with_person"]
    assert sorted(told) == sorted(one.id for one in report.played)


async def test_a_change_behind_our_back_is_an_effect_without_permit() -> None:
    @asynccontextmanager
    async def meddled(data_dir: Path, systems_dir: Path) -> AsyncIterator[Running]:
        async with opened(data_dir, systems_dir) as running:
            yield Meddling(running, systems_dir)

    report = await play_transcripts(meddled, [STATUS])
    assert len(report.effects.unpermitted) == 1
    assert not report.ok


async def test_a_failing_message_is_a_crash_and_the_conversation_goes_on() -> None:
    class Broken:
        def __init__(self, running: Running) -> None:
            self.running, self.store, self.playbook, self.clock = (
                running,
                running.store,
                running.playbook,
                running.clock,
            )
            self.runner = self

        async def handle(self, message: InboundMessage) -> TurnResult:
            if message.message_id == "m1":
                raise RuntimeError("broken")
            return await self.running.runner.handle(message)

    @asynccontextmanager
    async def broken(data_dir: Path, systems_dir: Path) -> AsyncIterator[Running]:
        async with opened(data_dir, systems_dir) as running:
            yield Broken(running)

    report = await play_transcripts(broken, [STATUS])
    assert report.as_json()["crash_kinds"] == {"unhandled RuntimeError": {"times": 1, "example": "0000-status"}}
    assert len(report.played[0].turns) == 3


async def test_the_bench_measures_both_sides_at_every_point() -> None:
    script = read_script(DEFAULT_PLAYBOOK / "suites" / "turns.yaml")
    bench = await bench_turns(opened, script, points=(1, 3), window=1)
    for figures in (bench.ours, bench.plain):
        assert [(one.turn, one.first, one.last) for one in figures] == [(1, 1, 1), (3, 3, 3)]
        assert all(one.milliseconds > 0 for one in figures)
    assert all(row["ms_ratio"] == 1.0 for row in (bench.as_json()[side][0] for side in ("ours", "plain")))


async def test_a_bench_whose_conversation_goes_to_a_person_says_so() -> None:
    with pytest.raises(FellSilent):
        await bench_turns(opened, Script(opening=[], mix=["I want to talk to a human"]), points=(1,), window=1)


@pytest.mark.skipif(not RECORDED.exists(), reason=f"no {RECORDED}; say where it is with CALLBOARD_SHARED_DATA")
async def test_recorded_conversations_end_well() -> None:
    report = await play_transcripts(opened, read_conversations(RECORDED, limit=6))
    assert report.ok, json.dumps(report.as_json(), indent=1)
    assert report.as_json()["effects"] == 0


class Meddling:
    """A runtime during whose first turn somebody else cancels an order."""

    def __init__(self, running: Running, systems: Path) -> None:
        self.running, self.store, self.playbook, self.clock = running, running.store, running.playbook, running.clock
        self.systems, self.runner = systems, self

    async def handle(self, message: InboundMessage) -> TurnResult:
        if message.message_id == "m0":
            with closing(sqlite3.connect(self.systems / "shop.db")) as connection, connection:
                moment = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
                connection.execute(
                    "UPDATE orders SET status = 'cancelled', cancelled_at = ? WHERE id = '21102'", [moment]
                )
        return await self.running.runner.handle(message)
