"""Recorded decisions made again: exactly, and under other policies."""

from dataclasses import replace
from pathlib import Path

from policy_builders import MONEY, NOW, PERMIT_ALL, confirmed, decide, engine, facts, request

from policies.canonical import decision_from_json, decision_to_json
from policies.engine import PolicyEngine
from policies.replaying import Backtest, Recorded, direction_of, replay
from policies.situations import situation_from_json, situation_to_json
from policies.words import ActionRequest, Effect, Fact

CAP = """
thresholds:
  - id: cap
    why: A refund of {args.amount_minor} needs a person.
    source: T
    applies_to: refund_order
    when: args.amount_minor > %d
    approval: {queue: %s}
    examples: {allows: [{args.amount_minor: 1}], stops: [{args.amount_minor: 900000}]}
"""
NEVER = """
never:
  - id: hard
    why: It is too much.
    source: T
    applies_to: refund_order
    when: %s
    examples: {allows: [{}], stops: [{}]}
"""


def refund(amount: int) -> ActionRequest:
    return request(arguments={"order_id": "W1", "amount_minor": amount, "currency": "EUR"})


def record(asked: PolicyEngine, amount: int, *, counts: bool = True) -> Recorded:
    """A decision as it is read back from the record."""
    of = refund(amount)
    situation = confirmed(of)
    uses = {key.key: () for key in asked.limits_for(of, facts(), situation)}
    situation = situation_from_json(situation_to_json(replace(situation, uses=uses)))
    decision = decision_from_json(decision_to_json(asked.decide(of, facts(), situation)))
    return Recorded(f"r{amount}#0", NOW, of, facts(), frozenset(), situation, decision, counts)


def test_p13_the_same_policy_makes_the_same_decisions_all_of_them(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, MONEY, CAP % (5000, "refunds"), baseline=True)
    report = Backtest(asked)
    report.add(record(asked, amount) for amount in range(100, 20_000, 950))
    found = report.as_json()
    assert (found["decisions"], found["identical"], found["flipped"]) == (21, 21, 0)
    assert found["unreplayable"] == 0
    effects = {record(asked, amount).decision.effect for amount in (100, 9000)}
    assert effects == {Effect.ALLOW, Effect.REQUIRE_APPROVAL}


def test_flips_are_counted_by_rule_and_direction_with_the_money_they_are_about(tmp_path: Path) -> None:
    today = engine(tmp_path, PERMIT_ALL, CAP % (5000, "refunds"))
    stricter = engine(tmp_path, PERMIT_ALL, CAP % (2000, "refunds"), NEVER % "args.amount_minor > 8000")
    report = Backtest(stricter)
    report.add(record(today, amount) for amount in (1000, 3000, 4000, 6000, 9000))
    found = report.as_json()
    assert found["directions"] == {"allow → require_approval": 2, "require_approval → deny": 1}
    assert found["by_rule"] == {"cap": {"allow → require_approval": 2}, "hard": {"require_approval → deny": 1}}
    assert found["money_minor"] == {"allow → require_approval": {"EUR": 7000}, "require_approval → deny": {"EUR": 9000}}
    assert found["approvals_added"] == {"refunds": 2}
    assert found["approvals_saved"] == {"refunds": 1}
    assert (found["same_effect"], found["flipped"]) == (2, 3)
    examples = found["examples"]
    assert isinstance(examples, dict)
    assert [each["decision"] for each in examples["allow → require_approval"]] == ["r3000#0", "r4000#0"]


def test_a_looser_policy_names_the_rule_that_no_longer_objects(tmp_path: Path) -> None:
    today = engine(tmp_path, PERMIT_ALL, CAP % (2000, "refunds"))
    looser = Backtest(engine(tmp_path, PERMIT_ALL, CAP % (5000, "refunds")))
    looser.add([record(today, 3000)])
    assert looser.by_rule == {"cap": {"require_approval → allow": 1}}
    assert looser.approvals_saved == {"refunds": 1}


def test_approvals_that_move_to_another_queue_are_added_there_and_saved_here(tmp_path: Path) -> None:
    today = engine(tmp_path, PERMIT_ALL, CAP % (2000, "refunds"))
    moved = Backtest(engine(tmp_path, PERMIT_ALL, CAP % (2000, "fraud")))
    moved.add([record(today, 3000)])
    assert (moved.fates["same_effect"], moved.approvals_added, moved.approvals_saved) == (
        1,
        {"fraud": 1},
        {"refunds": 1},
    )


def test_a_second_look_at_an_action_moves_no_money_again(tmp_path: Path) -> None:
    today = engine(tmp_path, PERMIT_ALL, CAP % (5000, "refunds"))
    report = Backtest(engine(tmp_path, PERMIT_ALL, NEVER % "args.amount_minor > 100"))
    report.add([record(today, 1000), record(today, 1000, counts=False)])
    assert report.directions == {"allow → deny": 2}
    assert report.money == {"allow → deny": {"EUR": 1000}}


def test_a_fact_that_was_not_recorded_makes_a_class_of_its_own(tmp_path: Path) -> None:
    today = engine(tmp_path, PERMIT_ALL, CAP % (5000, "refunds"))
    candidate = engine(tmp_path, PERMIT_ALL, NEVER % "order.weight_kg > 30.0")
    made = record(today, 1000)
    without = {name: fact for name, fact in made.facts.items() if name != "order.weight_kg"}
    report = Backtest(candidate)
    report.add([made, replace(made, facts=without)])
    found = report.as_json()
    assert (found["identical"], found["same_effect"], found["unreplayable"]) == (0, 1, 1)
    assert found["missing"] == [
        {
            "what": "order.weight_kg",
            "decisions": 1,
            "message": "Can't be replayed: the fact order.weight_kg was not recorded.",
        }
    ]


def test_a_fact_that_could_not_be_read_then_stays_unknown_and_denies(tmp_path: Path) -> None:
    today = engine(tmp_path, PERMIT_ALL)
    candidate = engine(tmp_path, PERMIT_ALL, NEVER % "order.weight_kg > 30.0")
    made = record(today, 1000)
    without = {name: fact for name, fact in made.facts.items() if name != "order.weight_kg"}
    found = replay(candidate, replace(made, facts=without, unread=frozenset({"order.weight_kg"})))
    assert found.after is not None
    assert (found.fate, found.after.effect) == ("flipped", Effect.DENY)


def test_the_past_uses_of_a_new_limit_were_not_recorded(tmp_path: Path) -> None:
    limit = """
limits:
  - id: twice
    why: Twice at most.
    source: T
    applies_to: refund_order
    per: customer
    max_count: 2
    examples: {allows: [{args.amount_minor: 1, args.currency: EUR}], stops: [{used: {count: 2}}]}
"""
    today = engine(tmp_path, PERMIT_ALL)
    found = replay(engine(tmp_path, PERMIT_ALL, limit), record(today, 1000))
    assert (found.fate, found.missing) == ("unreplayable", ("limit twice",))


def test_a_value_that_changed_since_is_read_from_the_record_and_not_from_today(tmp_path: Path) -> None:
    today = engine(tmp_path, PERMIT_ALL, NEVER % "order.gift")
    made = record(today, 1000)
    changed = {**made.facts, "order.gift": Fact(True, "orders database", NOW)}
    again = decide(today, made.request, changed, made.situation)
    assert direction_of(made.decision, again) == "allow → deny"
    assert replay(today, made).fate == "identical"
