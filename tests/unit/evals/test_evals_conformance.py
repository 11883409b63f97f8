"""Conformance of a playbook to judged calls, on a business made up here: a library that lends books."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

from agents.journeys import REQUIRED_TEMPLATES
from evals.conformance import measure_conformance
from evals.conformance_rows import read_conformance_set
from evals.errors import NothingToMeasure, SamplesUnreadable
from graphs.playbook import Playbook, load_playbook

TOOLS = '''
"""The library's tools."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from policies.words import Assurance, CustomerId, Fact, Risk
from tools.errors import ToolRefused
from tools.records import RecordsFile
from tools.spec import FactProvider, ToolResult, ToolSpec, Verification


class Card(BaseModel):
    model_config = ConfigDict(extra="forbid")
    card: str


class Loan(BaseModel):
    model_config = ConfigDict(extra="forbid")
    loan: str
    days: int


async def show_card(arguments, context):
    reader = context.systems["library"].get("readers", arguments.card)
    if reader is None:
        raise ToolRefused("not_found")
    return ToolResult(reader)


async def extend(arguments, context):
    library = context.systems["library"]
    loan = library.get("loans", arguments.loan)
    if loan["extended"] >= 2:
        raise ToolRefused("too_often")
    loan |= {"days": loan["days"] + arguments.days, "extended": loan["extended"] + 1}
    loan["fee_minor"] = 10 * loan["extended"]
    library.commit(context.idempotency_key, {"loans": {loan["id"]: loan}}, result=loan)
    return ToolResult(loan)


async def read_loan(arguments, context):
    loan = context.systems["library"].get("loans", arguments["loan"])
    if loan is None:
        return {"owner.customer_id": Fact("", "library", context.now)}
    values = {"owner.customer_id": loan["card"], "loan.reserved": loan["reserved"]}
    return {name: Fact(value, "library", context.now) for name, value in values.items()}


TOOLS = (
    ToolSpec(name="show_card", description="A card.", system="library", kind="read", arguments=Card, call=show_card,
             returns="reader", verification=lambda value: Verification(CustomerId(value["id"]), 2)),
    ToolSpec(name="extend", description="Extend a loan.", system="library", kind="write", arguments=Loan, call=extend,
             returns="loan", risk=Risk.MEDIUM, record_argument="loan", identity=("loan", "days"),
             examples=("extend my loan",),
             providers=(FactProvider(read_loan, {"owner.customer_id": "string", "loan.reserved": "bool"}),)),
)


async def open_systems(directory: Path):
    return {"library": RecordsFile("library", directory, money=("fee",))}


def build_fixtures(directory: Path, *, now) -> None:
    if not (directory / "db.json").is_file():
        raise FileNotFoundError("no records")
'''
POLICIES = {
    "permissions": [
        {
            "id": "all",
            "why": "The assistant serves readers.",
            "source": "House 1",
            "who": ["workflow"],
            "applies_to": "all",
            "examples": {
                "allows": [{"specialist": "workflow", "tool": "extend"}],
                "stops": [{"specialist": "drafting", "tool": "extend"}],
            },
        }
    ],
    "never": [
        {
            "id": "not-when-reserved",
            "why": "Somebody waits for it.",
            "source": "House 2 (L-RES-1)",
            "applies_to": "extend",
            "when": "loan.reserved",
            "examples": {"allows": [{"loan.reserved": False}], "stops": [{"loan.reserved": True}]},
        },
        {
            "id": "open-since-2025",
            "why": "The library is open since 2025.",
            "source": "House 3",
            "applies_to": "extend",
            "when": "now < timestamp('2025-01-01T00:00:00Z')",
            "examples": {"allows": [{"now": "2025-06-01T00:00:00Z"}], "stops": [{"now": "2024-06-01T00:00:00Z"}]},
        },
    ],
}
DB: dict[str, dict[str, dict[str, Any]]] = {
    "readers": {"A": {"id": "A"}, "B": {"id": "B"}},
    "loans": {
        "L1": {"id": "L1", "card": "A", "days": 14, "extended": 0, "reserved": False, "fee": 0.0},
        "L2": {"id": "L2", "card": "A", "days": 14, "extended": 0, "reserved": True, "fee": 0.0},
        "L3": {"id": "L3", "card": "B", "days": 14, "extended": 0, "reserved": False, "fee": 0.0},
    },
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    directory = tmp_path_factory.mktemp("library")
    sheet = {
        "name": "library",
        "title": "Library",
        "version": "1",
        "currency": "EUR",
        "time_zone": "UTC",
        "locale": "en",
        "queues": {"desk": "The desk", "people": "People", "urgent": "Danger", "fraud": "Fraud"},
        "verification": [{"id": "card", "tool": "show_card", "slots": {"card": "card"}, "assurance": 2}],
        "voice": {
            "brand": "Library",
            "assistant": "the assistant",
            "disclosure": "I am an AI.",
            "templates": dict.fromkeys(REQUIRED_TEMPLATES, "All right."),
        },
    }
    journey = {
        "id": "loans",
        "title": "loans",
        "goal": "Loans are extended.",
        "kind": "open",
        "owner": "Desk",
        "queue": "desk",
        "tools": ["extend"],
        "utterances": [f"extend loan number {number}" for number in range(5)],
    }
    for folder in ("journeys", "policies"):
        (directory / folder).mkdir()
    (directory / "playbook.yaml").write_text(yaml.safe_dump(sheet), encoding="utf-8")
    (directory / "journeys" / "loans.yaml").write_text(yaml.safe_dump(journey), encoding="utf-8")
    (directory / "policies" / "loans.yaml").write_text(yaml.safe_dump(POLICIES), encoding="utf-8")
    (directory / "tools.py").write_text(TOOLS, encoding="utf-8")
    return load_playbook(directory)


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "args": arguments, "write": name == "extend"}


def attempt(loan: str, *, reader: str | None, confirmed: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "id": f"row-{loan}",
        "context": {"authenticated": reader is not None, "confirmed": confirmed, "user_id": reader},
        "setup_calls": [],
        "tool": "extend",
        "args": {"loan": loan, "days": 7},
        **more,
    }


def write_set(directory: Path, **files: Sequence[Mapping[str, Any]]) -> Path:
    (directory / "db.json").write_text(json.dumps(DB), encoding="utf-8")
    for name, rows in files.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (directory / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return directory


async def figures(library: Playbook, directory: Path) -> dict[str, Any]:
    return (await measure_conformance(library, read_conformance_set(directory))).as_json()


async def test_gold_calls_run_through_policy_and_tool_and_their_end_states_are_compared(
    library: Playbook, tmp_path: Path
) -> None:
    extended = DB["loans"]["L1"] | {"days": 21, "extended": 1, "fee": 0.1000000001, "note": None}
    found = await figures(
        library,
        write_set(
            tmp_path,
            gold=[
                {"task_id": 1, "actions": [call("show_card", card="A"), call("extend", loan="L1", days=7)]},
                {"task_id": 2, "actions": [call("extend", loan="L3", days=7)]},
                {"task_id": 3, "actions": [call("extend", loan="L2", days=7)]},
                {"task_id": 4, "actions": [call("show_card", card="B"), call("extend", loan="L1", days=7)]},
            ],
            gold_end_states=[
                {"task_id": "1", "changed": {"loans": {"L1": extended}}},
                {"task_id": "2", "changed": {}},
                {"task_id": "3", "changed": {}},
                {"task_id": "4", "changed": {"loans": {}}},
            ],
        ),
    )
    assert (found["gold_allowed"], found["gold_total"]) == (2, 4)
    assert (found["end_states_equal"], found["end_states_total"]) == (3, 4)
    assert not {"violations_total", "by_rule", "twins_total", "model_writes"} & set(found)


async def test_violations_count_as_stopped_and_by_the_right_rule_through_its_source(
    library: Playbook, tmp_path: Path
) -> None:
    found = await figures(
        library,
        write_set(
            tmp_path,
            violations_dev=[
                attempt("L2", reader="A", rule_id="L-RES-1", oracle_rules=["L-RES-1"]),
                attempt("L2", reader="A", rule_id="L-RES-11", oracle_rules=["L-RES-11"]),
                attempt("L3", reader="A", rule_id="L-OWN-1", oracle_rules=["L-OWN-1"]),
                attempt("L1", reader=None, rule_id="L-OWN-1"),
                attempt("L1", reader="A", rule_id="L-NOT-1"),
                attempt("L1", reader="A", rule_id="L-OFT-1", confirmed=False),
            ],
            violations_more=[attempt("L2", reader="A", rule_id="L-RES-1")],
        ),
    )
    assert (found["violations_stopped"], found["violations_total"], found["right_rule"]) == (6, 7, 2)
    assert found["by_rule"]["L-RES-1"] == {"stopped": 2, "total": 2, "right_rule": 2}
    assert found["by_rule"]["L-RES-11"] == {"stopped": 1, "total": 1, "right_rule": 0}
    assert found["by_rule"]["L-NOT-1"] == {"stopped": 0, "total": 1, "right_rule": 0}


async def test_setup_calls_are_made_first_and_each_row_begins_from_the_same_records(
    library: Playbook, tmp_path: Path
) -> None:
    before = [{"tool": "extend", "args": {"loan": "L1", "days": 7}}]
    found = await figures(
        library,
        write_set(
            tmp_path,
            compliant=[
                attempt("L1", reader="A"),
                attempt("L1", reader="A", setup_calls=before),
                attempt("L1", reader="A"),
                attempt("L1", reader="A", tool="no_such_tool"),
                attempt("L1", reader="A", args={"loan": "L1", "days": "soon"}),
            ],
        ),
    )
    assert (found["twins_stopped"], found["twins_total"]) == (3, 5)


async def test_calls_of_models_are_judged_when_they_were_made_with_the_customers_own_yes(
    library: Playbook, tmp_path: Path
) -> None:
    def event(**one: Any) -> dict[str, Any]:
        return {"t": "call", "error": False, **one} if "name" in one else one

    extend = call("extend", loan="L1", days=7)
    found = await measure_conformance(
        library,
        read_conformance_set(
            write_set(
                tmp_path,
                conversations=[
                    {
                        "run": "r1",
                        "events": [
                            {"t": "user", "text": "yes"},
                            event(**extend),
                            {"t": "user", "text": "Card A, extend L1 please"},
                            event(**call("show_card", card="A")),
                            event(**extend),
                            {"t": "assistant", "text": "Extend L1 by 8 days?"},
                            {"t": "user", "text": "Yes, and thank you!"},
                            event(**call("extend", loan="L1", days=8), error=True),
                        ],
                    }
                ],
            )
        ),
    )
    assert found.model is not None
    assert [each.judgement.is_stopped for each in found.model] == [True, True, False]
    rows = found.as_json()
    assert (rows["model_writes"], rows["model_writes_stopped"]) == (3, 2)
    assert found.stopped_because["baseline.autonomy.confirm"] == 1
    assert found.stopped_because["baseline.own-records"] == 1


def test_a_folder_without_any_rows_and_a_broken_row_are_refused_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(NothingToMeasure):
        read_conformance_set(write_set(tmp_path))
    write_set(tmp_path, gold=[{"task_id": 1, "actions": []}, {"task_id": 2}])
    with pytest.raises(SamplesUnreadable, match="line 2: no actions"):
        read_conformance_set(tmp_path)


async def test_a_row_may_state_its_time_and_a_set_without_verifying_calls_its_customers(
    library: Playbook, tmp_path: Path
) -> None:
    events = [{"t": "user", "text": "yes"}, {"t": "call", **call("extend", loan="L1", days=7)}]
    rows = read_conformance_set(
        write_set(
            tmp_path,
            compliant=[attempt("L1", reader="A", now="2024-05-15T15:00:00-05:00"), attempt("L1", reader="A")],
            conversations=[{"run": run, "user_id": run, "events": events} for run in ("A", "B")],
        )
    )
    assert rows.twins is not None
    assert [each.now and each.now.isoformat() for each in rows.twins] == ["2024-05-15T15:00:00-05:00", None]
    report = await measure_conformance(library, rows)
    assert report.twins is not None
    assert [each.judgement.is_stopped for each in report.twins] == [True, False]
    assert report.model is not None
    assert [each.judgement.is_stopped for each in report.model] == [False, True]
