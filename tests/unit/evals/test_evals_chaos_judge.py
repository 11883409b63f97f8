"""The judge of chaos finds each kind of lie in a round that is otherwise as it should be."""

from dataclasses import replace
from typing import Any

import pytest

from evals.chaos.books import Booked, Customer
from evals.chaos.judge import Findings, Witnesses, judge
from evals.chaos.people import YES, Answered, Delivery, Errand, Log


def round_() -> Witnesses:
    """A refund above the threshold: asked for, confirmed, approved, made once and said so."""
    log = Log()
    for number, (text, turn) in enumerate([("I want a refund for order 20418", "t1"), (YES, "t2")], start=1):
        log.deliveries["c1", f"m{number}"] = Delivery("c1", f"m{number}", text, 2 * number, 2 * number + 1, {turn})
    log.approvals["a1"] = Answered(6, ["approve"], ["approved"])
    rows: dict[str, list[dict[str, Any]]] = {
        "inbox": [
            {
                "seq": 1,
                "conversation_id": "c1",
                "kind": "message",
                "dedupe_key": "m1",
                "state": "done",
                "turn_id": "t1",
            },
            {
                "seq": 2,
                "conversation_id": "c1",
                "kind": "message",
                "dedupe_key": "m2",
                "state": "done",
                "turn_id": "t2",
            },
            {
                "seq": 3,
                "conversation_id": "c1",
                "kind": "decision",
                "dedupe_key": "a1:1",
                "state": "done",
                "turn_id": "",
            },
        ],
        "turns": [
            {
                "id": "t1",
                "first_seq": 1,
                "item_seqs": "[1]",
                "state": "done",
                "outcome": "replied",
                "approval_id": None,
            },
            {
                "id": "t2",
                "first_seq": 2,
                "item_seqs": "[2]",
                "state": "done",
                "outcome": "resolved",
                "approval_id": "a1",
            },
        ],
        "outbox": [
            {"conversation_id": "c1", "seq": 1, "place": 1, "turn_id": "t1", "part": 0},
            {"conversation_id": "c1", "seq": 2, "place": 2, "turn_id": "t2", "part": 0},
            {"conversation_id": "c1", "seq": 3, "place": 2, "turn_id": "t2", "part": 1},
        ],
        "receipts": [
            {
                "id": "r1",
                "key": "k1",
                "approval_id": "a1",
                "turn_id": "t2",
                "case_id": "case1",
                "conversation_id": "c1",
                "tool": "refund_order",
                "state": "committed",
                "error_code": "",
            }
        ],
        "approvals": [{"id": "a1", "status": "spent", "turn_id": "t2", "conversation_id": "c1"}],
        "handoffs": [],
        "reconciliations": [],
    }
    errand = Errand("c1", "refund", Customer("20418", "returned", "m@example.org", "10435"), "seed")
    said = {"c1": ["Shall I go ahead?", "A colleague looks at it.", "Done. I have refunded 148.90 EUR."]}
    return Witnesses([errand], log, [Booked(1, "refund", "20418", "20418-1", "k1", False)], rows, said)


def found(seen: Witnesses) -> dict[str, list[str]]:
    findings = judge(seen)
    return {name: getattr(findings, name) for name in Findings.__dataclass_fields__ if getattr(findings, name)}


def changed(seen: Witnesses, table: str, at: int = 0, **values: Any) -> Witnesses:
    rows = {name: [dict(row) for row in some] for name, some in seen.rows.items()}
    rows[table][at].update(values)
    return replace(seen, rows=rows)


def test_a_round_as_it_should_be_has_no_findings() -> None:
    assert found(round_()) == {}


def test_p2_a_second_refund_in_the_books_is_a_duplicate() -> None:
    seen = round_()
    again = Booked(2, "refund", "20418", "20418-1", "k1", True)
    assert set(found(replace(seen, booked=[*seen.booked, again]))) == {"duplicate_effects"}


def test_p1_an_effect_without_the_customers_yes_or_a_reviewers_is_unasked() -> None:
    seen = round_()
    seen.log.deliveries["c1", "m2"].text = "no"
    seen.log.approvals["a1"].given[:] = ["reject"]
    assert len(found(seen)["unasked_effects"]) == 2


@pytest.mark.parametrize(
    ("table", "at", "values", "column"),
    [
        ("inbox", 0, {"dedupe_key": "other"}, "lost_messages"),
        ("inbox", 1, {"turn_id": "t1"}, "lost_messages"),
        ("inbox", 2, {"state": "running"}, "stuck_turns"),
        ("turns", 1, {"state": "parked"}, "stuck_turns"),
        ("turns", 1, {"item_seqs": "[1, 2]"}, "out_of_order"),
        ("inbox", 0, {"seq": 9}, "out_of_order"),
        ("outbox", 0, {"seq": 5}, "out_of_order"),
        ("approvals", 0, {"status": "pending"}, "lost_approvals"),
        ("approvals", 0, {"status": "withdrawn"}, "lost_approvals"),
        ("approvals", 0, {"id": "a2"}, "lost_approvals"),
        ("receipts", 0, {"approval_id": None}, "lost_approvals"),
        ("receipts", 0, {"state": "executing"}, "unexplained_receipts"),
        ("receipts", 0, {"state": "failed"}, "unexplained_receipts"),
        ("receipts", 0, {"state": "unknown"}, "unexplained_receipts"),
        ("receipts", 0, {"key": "other"}, "unexplained_receipts"),
    ],
)
def test_a_row_that_is_not_what_the_world_was_told_is_found(
    table: str, at: int, values: dict[str, Any], column: str
) -> None:
    assert column in found(changed(round_(), table, at, **values))


def test_p5_a_yes_of_which_nothing_came_is_lost_unless_it_had_been_done_already() -> None:
    seen = changed(round_(), "approvals", status="approved")
    assert "lost_approvals" not in found(seen)
    assert "lost_approvals" in found(replace(seen, booked=[]))


def test_p6_a_message_that_two_turns_answered_is_found() -> None:
    seen = round_()
    seen.log.deliveries["c1", "m1"].turns.add("t9")
    assert set(found(seen)) == {"lost_messages"}


def test_p9_a_refund_that_was_said_twice_or_never_made_is_untrue() -> None:
    seen = round_()
    twice = {"c1": [*seen.replies["c1"], "I have refunded 148.90 EUR."]}
    assert set(found(replace(seen, replies=twice))) == {"untrue_replies"}
    assert "untrue_replies" in found(replace(seen, booked=[]))


def test_an_unknown_outcome_that_a_person_was_told_of_is_explained() -> None:
    seen = changed(round_(), "receipts", 0, state="unknown")
    seen.rows["reconciliations"].append({"id": "rec1", "receipt_id": "r1", "status": "open"})  # type: ignore[attr-defined]  # a list
    assert "unexplained_receipts" not in found(seen)
