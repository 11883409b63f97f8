"""The demo, as somebody runs it who has just cloned the repository."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-c", "import sys; from callboard.cli import run; sys.exit(run())"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "kept"


@pytest.fixture(scope="module")
def played(kept: Path) -> dict[str, Any]:
    done = subprocess.run(
        [*COMMAND, "demo", "--json", "--keep", str(kept)], capture_output=True, text=True, cwd=kept.parent, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(done.stdout))


def test_it_prints_one_object_with_three_conversations_played_to_the_end(played: dict[str, Any]) -> None:
    assert [one["name"] for one in played["conversations"]] == [
        "order_status",
        "refund_above_threshold",
        "asks_for_a_person",
    ]
    for one in played["conversations"]:
        assert one["ended_as_planned"] is True
        assert all(set(turn) >= {"customer", "reply", "outcome"} for turn in one["turns"])
        assert isinstance(one["approvals"], list)
        assert isinstance(one["receipts"], list)


def test_the_order_status_is_answered_by_the_ai_alone(played: dict[str, Any]) -> None:
    conversation = played["conversations"][0]
    assert conversation["approvals"] == []
    assert any("20731" in turn["reply"] and turn["outcome"] == "resolved" for turn in conversation["turns"])
    assert {receipt["tool"] for receipt in conversation["receipts"]} >= {"verify_customer", "get_order"}


def test_p2_the_refund_is_booked_once_with_the_approved_amount_and_the_reply_says_so(
    played: dict[str, Any], kept: Path
) -> None:
    conversation = played["conversations"][1]
    [approval] = conversation["approvals"]
    assert approval["status"] == "spent"
    approved = approval["details"]["arguments"]
    [receipt] = [one for one in conversation["receipts"] if one["tool"] == "refund_order"]
    assert (receipt["state"], receipt["approval_id"]) == ("committed", approval["approval_id"])
    # What the system of record itself holds, read from its own file.
    with closing(sqlite3.connect(kept / "systems" / "payments.db")) as payments:
        booked = payments.execute(
            "SELECT amount_minor, currency FROM refunds WHERE order_id = ?", (approved["order_id"],)
        ).fetchall()
    assert booked == [(approved["amount_minor"], approved["currency"])]
    assert conversation["refunds_booked"] == {"count": 1, "amount_minor": approved["amount_minor"]}
    amount = f"{approved['amount_minor'] // 100}.{approved['amount_minor'] % 100:02d} {approved['currency']}"
    assert amount in conversation["turns"][-1]["reply"]
    assert conversation["turns"][-1]["outcome"] == "resolved"
    assert "awaiting_approval" in [turn["outcome"] for turn in conversation["turns"]]


def test_p10_who_asks_for_a_person_gets_a_bundle_and_then_silence(played: dict[str, Any]) -> None:
    conversation = played["conversations"][2]
    [handoff] = conversation["handoffs"]
    assert len(handoff["bundle"]) == 7
    assert [turn["outcome"] for turn in conversation["turns"]] == ["escalated", "with_person"]
    assert conversation["turns"][-1]["reply"] == ""
    assert [receipt["tool"] for receipt in conversation["receipts"] if receipt["tool"] == "refund_order"] == []


def test_what_the_demo_left_can_be_looked_at_with_the_other_commands(played: dict[str, Any], kept: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--data-dir", str(kept), "audit", "verify", "--json"],
        capture_output=True,
        text=True,
        cwd=kept.parent,
        timeout=60,
    )
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True)


def test_in_a_terminal_it_shows_who_says_what_and_why(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "demo"], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0
    for part in (
        "Mira",
        "Callboard",
        "require_approval",
        "Rosa Lind",
        "refund_order → committed",
        "Handoff to a person",
    ):
        assert part in done.stdout
    assert list(tmp_path.iterdir()) == []
