"""The engine's decisions: order of effects, closed by default, every kind of rule."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from policy_builders import MONEY, NOW, PERMIT_ALL, confirmed, decide, engine, facts, request, situation

from policies.canonical import decision_from_json, decision_to_json
from policies.explanation import explain, reasons
from policies.words import (
    ApprovalTerms,
    Assurance,
    AutonomyLevel,
    Decision,
    Effect,
    HistoryEvent,
    Obligation,
    Origin,
    PastUse,
    Provenance,
)

THRESHOLD = """
thresholds:
  - id: above-100
    why: A refund of {args.amount_minor} is above 100.
    source: Refund policy 3
    applies_to: refund_order
    when: args.amount_minor > 10000
    approval: {role: supervisor, queue: refunds, expires: 2h, fallback: reject}
    examples: {allows: [{args.amount_minor: 10000}], stops: [{args.amount_minor: 10001}]}
"""

NEVER = """
never:
  - id: only-delivered
    why: The order is {order.status}.
    source: Refund policy 1
    applies_to: refund_order
    unless: order.status == 'delivered'
    examples: {allows: [{order.status: delivered}], stops: [{order.status: pending}]}
"""


def rule(section: str, body: str) -> str:
    head = f"{section}:\n  - id: under-test\n    why: It objects.\n    source: Test\n    applies_to: refund_order\n"
    return f"{head}{body}\n    examples: {{allows: [{{}}], stops: [{{}}]}}\n"


def amount(minor: int) -> dict[str, Any]:
    return {"order_id": "W1", "amount_minor": minor, "currency": "EUR"}


def test_a_permitted_request_without_objection_is_allowed(tmp_path: Path) -> None:
    decision = decide(engine(tmp_path, PERMIT_ALL, THRESHOLD, NEVER), request(), facts(), situation())
    assert decision.effect is Effect.ALLOW
    assert decision.rules == ("everything",)
    assert [verdict.rule for verdict in decision.passed] == ["above-100", "only-delivered"]
    assert decision.approval is None


def test_without_a_permission_nothing_is_allowed(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL)
    stranger = decide(asked, request(specialist="drafting"), facts(), situation())
    assert (stranger.effect, stranger.rules) == (Effect.DENY, ("callboard.no-permission",))
    assert decide(engine(tmp_path), request(), facts(), situation()).effect is Effect.DENY


def test_an_unknown_tool_is_denied(tmp_path: Path) -> None:
    decision = decide(engine(tmp_path, PERMIT_ALL), request("give_everything"), facts(), situation())
    assert (decision.effect, decision.rules) == (Effect.DENY, ("callboard.unknown-tool",))


def test_permissions_match_exactly_unless_someone_wrote_a_pattern(tmp_path: Path) -> None:
    exact = engine(tmp_path, PERMIT_ALL)
    assert decide(exact, request(specialist="work"), facts(), situation()).effect is Effect.DENY
    assert decide(exact, request(specialist="workflow2"), facts(), situation()).effect is Effect.DENY
    pattern = engine(tmp_path, PERMIT_ALL.replace("[workflow, reviewer]", '["work*"]'))
    assert decide(pattern, request(specialist="workflow2"), facts(), situation()).effect is Effect.ALLOW


def test_a_threshold_asks_for_the_approval_that_it_names(tmp_path: Path) -> None:
    decision = decide(engine(tmp_path, PERMIT_ALL, THRESHOLD), request(arguments=amount(10001)), facts(), situation())
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert decision.approval == ApprovalTerms("supervisor", 1, "refunds", 7200, "reject")
    assert reasons(decision) == ("A refund of 100.01 EUR is above 100.",)


def test_deny_outranks_approval_and_both_stay_on_the_record(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, THRESHOLD, NEVER)
    decision = decide(asked, request(arguments=amount(10001)), facts(order_status="pending"), situation())
    assert (decision.effect, decision.rules) == (Effect.DENY, ("above-100", "only-delivered"))
    assert decision.approval is None
    assert decision.decisive_facts == ("order.status",)


def test_escalate_outranks_approval_and_names_its_queue(tmp_path: Path) -> None:
    escalating = rule(
        "thresholds", "    then: escalate\n    queue: fraud\n    when: args.amount_minor > 20000"
    ).replace("under-test", "big")
    decision = decide(
        engine(tmp_path, PERMIT_ALL, THRESHOLD, escalating), request(arguments=amount(20001)), facts(), situation()
    )
    assert (decision.effect, decision.queue, decision.approval) == (Effect.ESCALATE, "fraud", None)


def test_several_approvals_join_to_terms_that_satisfy_all(tmp_path: Path) -> None:
    second = rule(
        "thresholds",
        "    when: args.amount_minor > 1\n    approval: {role: reviewer, count: 2, queue: night, expires: 1h}",
    )
    asked = engine(tmp_path, PERMIT_ALL, THRESHOLD, second, baseline=True, parameters={"money_per_customer": "none"})
    proposal = request(arguments=amount(10001))
    decision = decide(asked, proposal, facts(), confirmed(proposal))
    assert decision.approval == ApprovalTerms("supervisor", 2, "refunds", 3600, "reject")


def test_p1_a_fact_that_could_not_be_read_is_never_allow(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, NEVER)
    known = facts()
    del known["order.status"]
    decision = decide(asked, request(), known, situation())
    assert decision.effect is Effect.DENY
    assert decision.verdicts[0].kind == "error"
    assert "order.status could not be read" in decision.error


@pytest.mark.parametrize("value", [None, 5, True, ["delivered"], "\ud800", float("nan")])
def test_p1_a_fact_of_another_kind_is_never_allow(tmp_path: Path, value: Any) -> None:
    decision = decide(engine(tmp_path, PERMIT_ALL, NEVER), request(), facts(order_status=value), situation())
    assert decision.effect is Effect.DENY
    assert decision.error


def test_p1_what_a_model_says_is_not_a_fact(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, NEVER)
    proposal = request(why="The order is delivered and the supervisor has approved.")
    proposal = replace(proposal, arguments={**proposal.arguments, "reason": "order.status == 'delivered'"})
    assert decide(asked, proposal, facts(order_status="pending"), situation()).effect is Effect.DENY


def test_a_short_circuit_does_not_hide_a_fact_that_was_not_read(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, rule("never", "    when: args.amount_minor > 999999 && order.gift"))
    known = facts()
    del known["order.gift"]
    assert decide(asked, request(), facts(), situation()).effect is Effect.ALLOW
    assert decide(asked, request(), known, situation()).effect is Effect.DENY


def test_a_null_fact_can_be_asked_for(tmp_path: Path) -> None:
    asked = engine(
        tmp_path,
        PERMIT_ALL,
        rule("never", "    when: order.delivered_at.present && now - order.delivered_at > days(30)"),
    )
    assert decide(asked, request(), facts(order_delivered_at=None), situation()).effect is Effect.ALLOW
    assert decide(asked, request(), facts(), situation()).effect is Effect.ALLOW
    assert decide(asked, request(), facts(order_delivered_at="2026-01-01T00:00:00Z"), situation()).effect is Effect.DENY
    unread = facts()
    del unread["order.delivered_at"]
    assert decide(asked, request(), unread, situation()).effect is Effect.DENY


def test_an_argument_that_was_not_given_can_be_asked_for(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, rule("never", "    when: '!args.reason.present'"))
    assert decide(asked, request(), facts(), situation()).effect is Effect.DENY
    given = request(arguments={**amount(5), "reason": "broken"})
    assert decide(asked, given, facts(), situation()).effect is Effect.ALLOW


@pytest.mark.parametrize(
    "changed",
    [{"amount_minor": "5"}, {"amount_minor": True}, {"amount_minor": 2**70}, {"colour": "red"}, {"item_ids": [1]}],
)
def test_arguments_that_the_tool_does_not_take_are_denied(tmp_path: Path, changed: dict[str, Any]) -> None:
    decision = decide(engine(tmp_path, PERMIT_ALL), request(arguments={**amount(5), **changed}), facts(), situation())
    assert (decision.effect, decision.rules) == (Effect.DENY, ("callboard.arguments",))


def test_a_tool_outside_the_journey_is_denied(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL)
    narrow = situation(allowed_tools=frozenset({"get_order"}))
    assert decide(asked, request(), facts(), narrow).rules == ("callboard.journey-tools",)
    assert decide(asked, request("get_order"), facts(), narrow).effect is Effect.ALLOW


def test_a_soft_constraint_yields_to_a_written_justification_of_a_person(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, rule("prefer", "    when: order.gift\n    approval: {role: supervisor}"))
    gift = facts(order_gift=True)
    assert decide(asked, request(), gift, situation()).effect is Effect.DENY
    assert decide(asked, request(), gift, situation(justification="The model says so")).effect is Effect.DENY
    decision = decide(asked, request(), gift, situation(justification="Wedding.", justified_by="supervisor Ann"))
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert "Overridden by supervisor Ann: Wedding." in reasons(decision)[0]


def test_an_argument_must_come_from_where_policy_demands(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, rule("provenance", "    argument: amount_minor\n    from: [fact, table]"))
    for origin in Origin:
        decision = decide(asked, request(provenance={"amount_minor": Provenance(origin)}), facts(), situation())
        assert (decision.effect is Effect.ALLOW) == (origin in (Origin.FACT, Origin.TABLE))
    assert decide(asked, request(provenance={}), facts(), situation()).effect is Effect.DENY


LIMIT = rule(
    "limits",
    "    per: customer\n    window: 7d\n    max_count: 2\n"
    "    max_amount_minor: {EUR: 10000}\n    past: require_approval",
)


def used(*uses: PastUse) -> dict[str, tuple[PastUse, ...]]:
    return {"under-test|C-1": uses}


def test_a_limit_counts_what_lies_in_its_window(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, LIMIT)
    recent, old = PastUse(NOW - timedelta(days=6), 100, "EUR"), PastUse(NOW - timedelta(days=7), 100, "EUR")
    assert decide(asked, request(), facts(), situation(uses=used(recent, old, old))).effect is Effect.ALLOW
    assert decide(asked, request(), facts(), situation(uses=used(recent, recent))).effect is Effect.REQUIRE_APPROVAL


def test_a_limit_adds_up_money_per_currency(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, LIMIT)
    for spent, currency, effect in (
        (6000, "EUR", Effect.ALLOW),
        (6001, "EUR", Effect.REQUIRE_APPROVAL),
        (9999, "USD", Effect.ALLOW),
    ):
        decision = decide(asked, request(), facts(), situation(uses=used(PastUse(NOW, spent, currency))))
        assert decision.effect is effect
    other = request(arguments={**amount(1), "currency": "GBP"})
    assert decide(asked, other, facts(), situation()).effect is Effect.REQUIRE_APPROVAL


def test_what_a_limit_lets_pass_is_stated_for_reservation(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, LIMIT)
    (use,) = decide(asked, request(), facts(), situation()).limits
    assert (use.key, use.count, use.amount_minor, use.currency) == ("under-test|C-1", 1, 4000, "EUR")
    assert (use.window_s, use.max_count, use.max_amount_minor) == (7 * 86400, 2, 10000)
    (beyond,) = decide(asked, request(), facts(), situation(uses=used(PastUse(NOW, 9000, "EUR")))).limits
    assert (beyond.max_count, beyond.max_amount_minor) == (None, None)


def test_uses_that_were_not_read_are_not_zero(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, LIMIT)
    assert [key.key for key in asked.limits_for(request(), facts(), situation())] == ["under-test|C-1"]
    decision = asked.decide(request(), facts(), situation())
    assert decision.effect is Effect.DENY
    assert "were not read" in decision.error


@pytest.mark.parametrize(
    "arguments", [amount(-1), {"order_id": "W1", "currency": "EUR"}, {"order_id": "W1", "amount_minor": 5}]
)
def test_money_that_can_not_be_counted_is_denied(tmp_path: Path, arguments: dict[str, Any]) -> None:
    assert (
        decide(engine(tmp_path, PERMIT_ALL, LIMIT), request(arguments=arguments), facts(), situation()).effect
        is Effect.DENY
    )


def test_a_limit_without_anybody_to_count_for_is_denied(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, LIMIT)
    assert decide(asked, request(), facts(), situation(customer_id=None)).effect is Effect.DENY


CALL = HistoryEvent("call", "refund_order", amount(4000))


@pytest.mark.parametrize(
    ("demand", "stopped", "passing"),
    [
        ("confirmed: true", (), (HistoryEvent("confirmation", "refund_order", amount(4000)),)),
        (
            "confirmed: true",
            (HistoryEvent("confirmation", "refund_order", amount(4001)),),
            (CALL, HistoryEvent("confirmation", "refund_order", {**amount(4000), "reason": None})),
        ),
        (
            "confirmed: true",
            (HistoryEvent("confirmation", "refund_order", amount(4000)), CALL),
            (HistoryEvent("confirmation", "refund_order", amount(4000)), replace(CALL, ok=False)),
        ),
        ("record_read: true", (), (HistoryEvent("call", "get_order", {"order_id": "W1"}),)),
        (
            "record_read: true",
            (HistoryEvent("call", "get_order", {"order_id": "W2"}),),
            (HistoryEvent("call", "get_order", {"order_id": "W1"}),),
        ),
        (
            "record_read: true",
            (HistoryEvent("call", "get_order", {"order_id": "W1"}, ok=False),),
            (HistoryEvent("call", "get_order", {"order_id": "W1"}),),
        ),
        ("after: [verify_customer]", (), (HistoryEvent("call", "verify_customer", {}),)),
        (
            "before: [cancel_order]",
            (HistoryEvent("call", "cancel_order", {}),),
            (HistoryEvent("call", "cancel_order", {}, ok=False),),
        ),
        ("at_most: 1", (HistoryEvent("call", "refund_order", amount(1)),), (HistoryEvent("call", "get_order", {}),)),
        ("at_most: 1\n    same: [order_id]", (CALL,), (HistoryEvent("call", "refund_order", {"order_id": "W9"}),)),
        ("not_repeated: true", (CALL,), (HistoryEvent("call", "refund_order", amount(4001)),)),
    ],
)
def test_procedure_demands_what_must_have_happened(
    tmp_path: Path, demand: str, stopped: tuple[HistoryEvent, ...], passing: tuple[HistoryEvent, ...]
) -> None:
    asked = engine(tmp_path, PERMIT_ALL, rule("procedure", f"    {demand}"))
    assert decide(asked, request(), facts(), situation(history=stopped)).effect is Effect.DENY
    assert decide(asked, request(), facts(), situation(history=passing)).effect is Effect.ALLOW


def test_an_intended_further_occurrence_is_no_repetition(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, rule("procedure", "    not_repeated: true"))
    again = request(occurrence="step-2")
    assert decide(asked, again, facts(), situation(history=(CALL,))).effect is Effect.ALLOW


def test_a_missing_confirmation_asks_the_customer_unless_it_is_denied_anyway(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, NEVER, rule("procedure", "    confirmed: true"))
    decision = decide(asked, request(), facts(), situation())
    assert (decision.effect, decision.obligations) == (Effect.DENY, (Obligation("confirm"),))
    assert decision.verdicts[0].kind == "procedure"
    assert decide(asked, request(), facts(order_status="pending"), situation()).obligations == ()
    assert decide(asked, request(), facts(), confirmed(request())).effect is Effect.ALLOW


MATRIX = """
autonomy:
  id: matrix
  why: Autonomy follows risk.
  source: Model 1
  applies_to: {kind: write}
  rows:
    - {if: {risk: critical}, asks: specialist}
    - {if: {level: assisted}, asks: two_approvals}
    - {if: {risk: high, level: supervised}, asks: [confirm, approval]}
    - {if: {risk: high}, asks: [confirm, sample]}
    - {if: {}, asks: nothing}
"""


def test_the_matrix_asks_by_risk_and_level(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, MATRIX)

    def at(level: AutonomyLevel) -> Decision:
        return decide(asked, request(), facts(), confirmed(request(), level=level))

    assert at(AutonomyLevel.ASSISTED).approval == ApprovalTerms(count=2)
    assert at(AutonomyLevel.SUPERVISED).approval == ApprovalTerms()
    assert (at(AutonomyLevel.AUTONOMOUS).effect, at(AutonomyLevel.AUTONOMOUS).obligations) == (
        Effect.ALLOW,
        (Obligation("sample", "refund_order"),),
    )
    unconfirmed = decide(asked, request(), facts(), situation(level=AutonomyLevel.AUTONOMOUS))
    assert (unconfirmed.effect, unconfirmed.obligations[0]) == (Effect.DENY, Obligation("confirm"))
    address = request("change_shipping_address")
    assert decide(asked, address, facts(), situation()).effect is Effect.ALLOW


TABLE = """
tables:
  - id: share
    why: The share depends on age.
    source: Refund policy 4
    hit: first
    inputs: {order.days_since_delivery: {type: int, optional: true}}
    outputs: {effect: effect, percent: int}
    rows:
      - {if: {order.days_since_delivery: "<= 30"}, then: {effect: allow, percent: 100}, why: Young enough.}
      - if: {order.days_since_delivery: "31..60"}
        then: {effect: require_approval, percent: 50}
        why: "{order.days_since_delivery} days old."
    otherwise: {effect: deny, percent: 0}
    applies_to: refund_order
    approval: {role: supervisor}
never:
  - id: at-most-the-share
    why: More than {tables.share.percent} percent.
    source: Refund policy 4
    applies_to: refund_order
    when: args.amount_minor * 100 > order.total_minor * tables.share.percent
    examples: {allows: [{}], stops: [{}]}
"""


def test_a_table_gives_verdicts_and_values_to_other_rules(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, TABLE)
    for days, minor, effect in (
        (30, 20000, Effect.ALLOW),
        (31, 10000, Effect.REQUIRE_APPROVAL),
        (31, 10001, Effect.DENY),
        (61, 0, Effect.DENY),
    ):
        decision = decide(asked, request(arguments=amount(minor)), facts(order_days_since_delivery=days), situation())
        assert decision.effect is effect
    approved = decide(asked, request(), facts(order_days_since_delivery=31), situation())
    assert (reasons(approved), approved.approval) == (("31 days old.",), ApprovalTerms("supervisor"))
    assert approved.decisive_facts == ("order.days_since_delivery",)
    assert asked.facts_needed("refund_order") == {"order.days_since_delivery", "order.total_minor"}


TRIGGERS = """
triggers:
  - id: unhappy
    why: It failed {failures} times.
    source: Standard 5
    when: sentiment < -0.5 && failures >= 2
    queue: complaints
    examples: {allows: [{sentiment: 0.0, failures: 2}], stops: [{sentiment: -0.6, failures: 2}]}
  - id: unsure
    why: The reading is not sure enough for money.
    source: Standard 6
    applies_to: refund_order
    when: intent.confidence < 0.5
    examples: {allows: [{intent.confidence: 0.5}], stops: [{intent.confidence: 0.4}]}
"""


def test_triggers_call_a_person_without_any_request(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, TRIGGERS)
    decision = asked.trigger(situation(signals={"sentiment": -0.8, "failures": 2}))
    assert decision is not None
    assert (decision.effect, decision.queue, reasons(decision)) == (
        Effect.ESCALATE,
        "complaints",
        ("It failed 2 times.",),
    )
    assert asked.trigger(situation(signals={"sentiment": 0.1, "failures": 2})) is None
    assert asked.trigger(situation(signals={"failures": 9})) is None


@pytest.mark.parametrize("broken", [float("nan"), "angry", True, [], 2**70 * 1.0e300])
def test_a_broken_signal_calls_a_person(tmp_path: Path, broken: Any) -> None:
    decision = engine(tmp_path, PERMIT_ALL, TRIGGERS).trigger(situation(signals={"sentiment": broken, "failures": 0}))
    assert decision is not None
    assert decision.effect is Effect.ESCALATE


def test_a_trigger_of_a_tool_speaks_at_its_calls_only(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, TRIGGERS)
    unsure = situation(signals={"intent.confidence": 0.4})
    assert asked.trigger(unsure) is None
    assert decide(asked, request(), facts(), unsure).effect is Effect.ESCALATE
    assert decide(asked, request("get_order"), facts(), unsure).effect is Effect.ALLOW
    assert decide(asked, request(), facts(), situation()).effect is Effect.ALLOW
    assert decide(asked, request(), facts(), situation(signals={"intent.confidence": "no"})).effect is Effect.DENY


def test_the_baseline_lets_nobody_touch_what_is_not_theirs(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, MONEY, baseline=True)
    mine = confirmed(request())
    assert decide(asked, request(), facts(), mine).effect is Effect.ALLOW
    for tool in ("get_order", "refund_order", "cancel_order", "change_shipping_address"):
        other = decide(asked, request(tool), facts(owner_customer_id="C-2"), confirmed(request(tool)))
        assert other.effect is Effect.DENY
        assert "baseline.own-records" in other.rules


def test_the_baseline_wants_assurance_by_risk(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, MONEY, baseline=True)
    for assurance in Assurance:
        decision = decide(asked, request(), facts(), confirmed(request(), assurance=assurance))
        assert (decision.effect is Effect.ALLOW) == (assurance >= Assurance.VERIFIED)
    anonymous = situation(customer_id=None, assurance=Assurance.ANONYMOUS)
    verify = request("verify_customer", arguments={"email": "a@b.example"})
    assert decide(asked, verify, {}, anonymous).effect is Effect.ALLOW
    assert decide(asked, request("get_order"), facts(owner_customer_id=""), anonymous).effect is Effect.DENY


def test_the_baseline_limits_money_and_refuses_repetition(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, MONEY, baseline=True)
    key = "baseline.money-per-customer|C-1"
    spent = confirmed(request(), uses={key: (PastUse(NOW, 46001, "EUR"),)})
    assert decide(asked, request(), facts(), spent).rules == ("baseline.money-per-customer",)
    done = confirmed(request(), history=(CALL,))
    assert "baseline.no-effect-twice" in decide(asked, request(), facts(), done).rules


def test_the_baseline_reaches_a_person_and_says_that_it_is_an_ai(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, MONEY, baseline=True)
    person = asked.trigger(situation(signals={"asked_for_person": True}))
    danger = asked.trigger(situation(signals={"flags": ["self_harm"]}))
    assert person is not None
    assert danger is not None
    assert (person.queue, danger.queue) == ("people", "urgent")
    assert asked.turn_obligations(situation()) == (Obligation("disclose", "ai"),)


def test_p11_a_decision_explains_itself(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, THRESHOLD, NEVER, LIMIT)
    proposal = request(arguments=amount(10001), why="The parcel was damaged.")
    decision = decide(asked, proposal, facts(order_status="pending"), situation())
    words = explain(decision, proposal)
    for part in (
        "refund_order must not run.",
        "Proposed by workflow: The parcel was damaged.",
        "deny, only-delivered: The order is pending.",
        "[Refund policy 1]",
        "Fact order.status = pending, orders database",
        "(decisive)",
        asked.version[:12],
    ):
        assert part in words


def test_p13_a_decision_survives_json_and_can_be_made_again(tmp_path: Path) -> None:
    asked = engine(tmp_path, PERMIT_ALL, THRESHOLD, NEVER, LIMIT, TABLE.replace("never:", "prefer:"))
    for minor in (4000, 10001):
        decision = decide(asked, request(arguments=amount(minor)), facts(), situation())
        recorded = decision_from_json(decision_to_json(decision))
        assert recorded == decision
        assert decide(asked, request(arguments=amount(minor)), recorded.facts, situation()) == decision
