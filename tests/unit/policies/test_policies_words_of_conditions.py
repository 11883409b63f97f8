"""Functions of conditions, money in sentences, and clauses for Callboard's own rules."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from policy_builders import MONEY, PERMIT_ALL, TOOLS, confirmed, decide, engine, facts, mistakes, request, situation

from policies.conditions import Names
from policies.errors import ConditionError
from policies.words import Effect

NAMES = Names({"wanted": "list<string>", "had": "list<string>", "sums": "list<int>", "swaps": "list"})


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("sum(sums) == 6", {"sums": [1, 2, 3]}, True),
        ("sum(sums) == 0", {"sums": []}, True),
        (
            "sum(swaps.map(swap, swap.new - swap.old)) > 2",
            {"swaps": [{"new": 5, "old": 1}, {"new": 1, "old": 2}]},
            True,
        ),
        ("within(wanted, had)", {"wanted": ["a", "a"], "had": ["a", "b", "a"]}, True),
        ("within(wanted, had)", {"wanted": ["a", "a"], "had": ["a", "b"]}, False),
        ("within(wanted, had)", {"wanted": [], "had": []}, True),
    ],
)
def test_lists_are_summed_and_contained(text: str, values: dict[str, Any], expected: bool) -> None:
    assert NAMES.compile(text).holds(values) is expected


@pytest.mark.parametrize("numbers", [["a"], [1, None], [True], [1.5], [2**62, 2**62, 2**62]])
def test_a_sum_of_what_is_no_whole_number_is_an_error(numbers: list[Any]) -> None:
    with pytest.raises(ConditionError):
        NAMES.compile("sum(swaps) >= 0").holds({"swaps": numbers})


def test_money_takes_the_currency_beside_it(tmp_path: Path) -> None:
    rule = """
never:
  - id: cap
    why: The order was {order.total_minor}.
    source: T
    applies_to: refund_order
    when: order.gift
    examples: {allows: [{order.gift: false}], stops: [{order.gift: true}]}
"""
    asked = engine(tmp_path, PERMIT_ALL, rule)
    known = facts(order_gift=True, order_currency="JPY", order_total_minor=1500)
    assert decide(asked, request(), known, situation()).verdicts[0].sentence == "The order was 1500 JPY."


def test_a_baseline_rule_carries_the_companys_clause(tmp_path: Path) -> None:
    text = MONEY + "sources: {baseline.own-records: Handbook 7.2, baseline.autonomy: Handbook 8}\n"
    asked = engine(tmp_path, PERMIT_ALL, text, baseline=True)
    of = request()
    stranger = decide(asked, of, facts(owner_customer_id="C-2"), confirmed(of))
    assert (stranger.effect, stranger.verdicts[0].source) == (Effect.DENY, "Handbook 7.2; Callboard baseline 1")
    unconfirmed = decide(asked, of, facts(), situation())
    assert unconfirmed.verdicts[0].source.startswith("Handbook 8;")
    assert asked.version != engine(tmp_path, PERMIT_ALL, MONEY, baseline=True).version


def test_a_clause_for_a_rule_that_is_not_callboards_is_a_mistake(tmp_path: Path) -> None:
    text = MONEY + "sources: {baseline.own-record: Handbook 7.2}\n"
    (found,) = mistakes(tmp_path, PERMIT_ALL, text, baseline=True)
    assert found.message == "baseline.own-record is no rule of Callboard's own."
    assert found.suggestion == "baseline.own-records"


def test_tables_see_lists_by_what_they_hold(tmp_path: Path) -> None:
    tools = {**TOOLS, "refund_order": replace(TOOLS["refund_order"], fact_types={"order.ids": "list<string>"})}
    rule = """
never:
  - id: only-ordered
    why: Something was not ordered.
    source: T
    applies_to: refund_order
    unless: within(args.item_ids, order.ids)
    examples: {allows: [{}], stops: [{}]}
"""
    asked = engine(tmp_path, PERMIT_ALL, rule, tools=tools)
    of = request(arguments={"order_id": "W1", "amount_minor": 1, "currency": "EUR", "item_ids": ["i1"]})
    known = {"order.ids": replace(facts()["order.status"], value=["i1", "i2"])}
    assert decide(asked, of, known, situation()).effect is Effect.ALLOW
    other = {"order.ids": replace(known["order.ids"], value=["i2"])}
    assert decide(asked, of, other, situation()).effect is Effect.DENY
