"""The retail benchmark's playbook, measured on the whole of the benchmark's set and served by a whole Callboard."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from callboard.cli import run
from callboard.runtime import Runtime
from callboard.settings import Settings
from evals.conformance import ConformanceReport, measure_conformance
from evals.conformance_rows import read_conformance_set
from graphs.playbook import Playbook, load_playbook
from graphs.results import InboundMessage, TurnResult
from policies.words import ConversationId, Effect

HERE = Path(__file__).parents[2]
PLAYBOOK = HERE / "playbooks" / "tau2_retail"
SHARED_DATA = Path(os.environ.get("CALLBOARD_SHARED_DATA") or HERE.parent / "shared" / "data")
RECORDED = SHARED_DATA / "tau2_retail"

pytestmark = pytest.mark.skipif(
    not (RECORDED / "db.json").is_file(), reason="The benchmark's records are not here; set CALLBOARD_SHARED_DATA."
)


@pytest.fixture(scope="module")
def playbook() -> Playbook:
    return load_playbook(PLAYBOOK)


@pytest.fixture(scope="module")
def report(playbook: Playbook) -> ConformanceReport:
    """The whole set, judged once."""
    return asyncio.run(measure_conformance(playbook, read_conformance_set(RECORDED)))


def test_every_gold_write_that_the_tool_accepts_is_allowed(report: ConformanceReport) -> None:
    stopped = {each.id for each in report.gold or () if each.judgement.effect is not Effect.ALLOW}
    # Task 64 exchanges an order that is still pending, task 105 has a gift card that doesn't cover the difference.
    assert stopped == {"64", "105"}
    assert all(each.worked is not False for each in report.gold or ())


def test_every_gold_task_ends_in_the_stated_records(report: ConformanceReport) -> None:
    assert report.end_states
    assert [task for task, equal in report.end_states.items() if not equal] == []


def test_every_violation_is_stopped_and_by_a_rule_that_it_breaks(report: ConformanceReport) -> None:
    assert report.violations
    assert [each.id for each in report.violations if not each.right_rule] == []


def test_no_legal_twin_is_stopped(report: ConformanceReport) -> None:
    assert report.twins
    assert [(each.id, each.judgement.reasons) for each in report.twins if each.judgement.is_stopped] == []


def test_no_decision_came_from_an_error(report: ConformanceReport) -> None:
    assert [each.id for each in report.rows() if any("could not" in reason for reason in each.judgement.reasons)] == []


def test_of_the_models_writes_those_that_a_tool_refuses_are_stopped_and_those_let_through_work(
    report: ConformanceReport,
) -> None:
    assert report.model
    assert len(report.model) == 295
    assert [each.id for each in report.model if not each.judgement.is_stopped and not each.worked] == []
    carried_out = [each.judgement.rules for each in report.model if each.judgement.is_stopped and each.worked]
    assert len(carried_out) == 16
    assert sum("nothing-after-items-were-modified" in rules for rules in carried_out) == 5


def test_the_command_prints_exactly_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("db.json", "compliant_dev.jsonl"):
        (tmp_path / name).write_bytes((RECORDED / name).read_bytes())
    details = tmp_path / "details.jsonl"
    command = ["eval", "conformance", "--playbook", str(PLAYBOOK), "--data", str(tmp_path), "--json"]
    assert run([*command, "--details", str(details)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"twins_stopped", "twins_total", "yaml_lines", "python_lines"}
    assert (found["twins_stopped"], found["twins_total"]) == (0, 104)
    rows = [json.loads(line) for line in details.read_text(encoding="utf-8").splitlines()]
    assert {(row["kind"], row["effect"]) for row in rows} == {("twin", "allow")}
    assert len(rows) == 104


def test_a_folder_with_nothing_to_measure_is_refused_in_plain_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eval", "conformance", "--playbook", str(PLAYBOOK), "--data", str(tmp_path), "--json"]) != 0
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "NothingToMeasure"


async def test_a_customer_is_identified_and_told_about_their_own_order_without_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLBOARD_SHARED_DATA", str(SHARED_DATA))
    settings = Settings(data_dir=tmp_path / "data", systems_dir=tmp_path / "systems", playbook=PLAYBOOK)
    async with Runtime.open(settings) as runtime:

        async def say(conversation: str, number: int, text: str) -> TurnResult:
            message = InboundMessage(ConversationId(conversation), f"{conversation}-{number}", text)
            return await runtime.runner.handle(message)

        first = await say("own", 1, "what is the status of my order #W6679257?")
        assert first.outcome == "awaiting_customer"
        assert "delivered" not in first.reply
        told = await say("own", 2, "yusuf.rossi7301@example.com - what is the status of order #W6679257")
        assert "#W6679257 is delivered" in told.reply

        strange = await say("strange", 1, "yusuf.rossi7301@example.com, what is the status of order #W8665881")
        assert "pending" not in strange.reply
        assert strange.outcome in {"replied", "escalated", "awaiting_customer", "resolved"}

        change = await say("change", 1, "yusuf.rossi7301@example.com please cancel order #W4776164, no longer needed")
        assert change.outcome == "escalated"
