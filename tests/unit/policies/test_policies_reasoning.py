"""What is found in conditions and rules before anything runs."""

from dataclasses import replace
from pathlib import Path

import pytest
from policy_builders import PERMIT_ALL, TOOLS, mistakes

from policies.conditions import Names
from policies.domains import Domain, domain_of
from policies.errors import Mistake
from policies.reasoning import covers, never_holds, remarks_on
from policies.syntax import Node, read_syntax

NAMES = Names(
    {
        "amount": "int",
        "weight": "float",
        "status": "string",
        "other": "string",
        "gift": "bool",
        "flags": "list<string>",
        "now": "timestamp",
        "delivered_at": "timestamp",
        "delivered_at.present": "bool",
        "tool.kind": "string",
        "customer.assurance": "int",
        "sentiment": "float",
    }
)


def tree(text: str) -> Node:
    return read_syntax(NAMES.compile(text).program)


def never_rule(rule_id: str, body: str, *, section: str = "never") -> str:
    return f"""
{section}:
  - id: {rule_id}
    why: It objects.
    source: T
    applies_to: refund_order
    {body}
    examples: {{allows: [{{}}], stops: [{{}}]}}
"""


@pytest.mark.parametrize(
    "text",
    [
        "amount > 3 && amount < 3",
        "amount > 1 && amount < 2",
        "status == 'a' && status == 'b'",
        "status in ['a', 'b'] && !(status in ['b', 'a', 'c'])",
        "customer.assurance > 3",
        "sentiment < -1.5",
        "size(flags) < 0",
        "now - delivered_at > days(30) && now - delivered_at < hours(24)",
        "gift && !gift",
    ],
)
def test_a_condition_that_no_value_satisfies_is_found(text: str) -> None:
    assert [remark.message for remark in remarks_on(tree(text), domain_of)] == ["This can never hold."]
    assert never_holds(tree(text), domain_of)


@pytest.mark.parametrize(
    "text",
    [
        "amount > 3 || amount <= 3",
        "customer.assurance >= 0",
        "size(flags) >= 0",
        "status != 'a' || status == 'a'",
        "tool.kind == 'read' || tool.kind == 'write'",
        "amount > 1 || amount < 2",
    ],
)
def test_a_condition_that_every_value_satisfies_is_found(text: str) -> None:
    assert [remark.message for remark in remarks_on(tree(text), domain_of)] == ["This always holds."]


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("amount > 100 && amount > 50", "amount > 50"),
        ("amount > 100 || amount > 50", "amount > 100"),
        ("50 < amount && amount > 100", "50 < amount"),
        ("status in ['a', 'b'] || status == 'a'", "status == 'a'"),
        ("status == 'a' && status != 'b'", "status != 'b'"),
        ("gift || (amount > 5 && amount >= 6)", "amount > 5"),
        ("now - delivered_at <= days(30) && now - delivered_at <= hours(48)", "now - delivered_at <= days(30)"),
    ],
)
def test_a_comparison_that_another_one_covers_is_found(text: str, covered: str) -> None:
    (remark,) = remarks_on(tree(text), domain_of)
    assert remark.message == f"{covered} decides nothing: the rest of the condition covers it."
    assert remark.suggestion == f"the condition without {covered}"


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("tool.kind == 'wrote'", "tool.kind is never 'wrote'.", "write"),
        ("'angery' in flags", "There is no flag 'angery'.", "angry"),
        ("flags.exists(flag, flag in ['fraud', 'self_ham'])", "There is no flag 'self_ham'.", "self_harm"),
        ("flags.exists(flag, flag == 'leagl')", "There is no flag 'leagl'.", "legal"),
        ("status == status", "status == status compares a thing with itself.", "two different things"),
        ("1 == 2", "1 == 2 compares two literals.", "a name on one side"),
    ],
)
def test_a_literal_that_means_nothing_is_found_with_what_was_meant(text: str, message: str, suggestion: str) -> None:
    (remark,) = remarks_on(tree(text), domain_of)
    assert (remark.message, remark.suggestion) == (message, suggestion)


@pytest.mark.parametrize(
    "text",
    [
        "amount > 3 && amount < 5",
        "amount > 1 && amount <= 2",
        "weight > 1.0 && weight < 2.0",
        "status == other",
        "status == 'a' || status == other",
        "delivered_at.present && now - delivered_at > days(30)",
        "delivered_at.present ? amount > 5 : amount > 3",
        "gift || amount > 5",
        "'cannot:email' in flags",
        "sentiment < -0.5 && customer.assurance < 3",
        "amount > 100 && gift || amount > 200",
    ],
)
def test_a_condition_that_depends_on_the_facts_is_left_alone(text: str) -> None:
    assert remarks_on(tree(text), domain_of) == []


def test_what_covers_what_follows_from_the_literals() -> None:
    assert covers(tree("amount > 50"), tree("amount > 100 && gift"), domain_of)
    assert not covers(tree("amount > 50 && gift"), tree("amount > 100"), domain_of)
    assert covers(None, tree("gift"), domain_of)
    assert not covers(tree("gift"), None, domain_of)
    assert covers(tree("status != 'c'"), tree("status == 'a'"), lambda _: Domain(("a", "b", "c")))


def test_mistakes_of_conditions_carry_file_line_and_suggestion(tmp_path: Path) -> None:
    found = mistakes(tmp_path, PERMIT_ALL, never_rule("r", "when: customer.assurance == 2 && customer.assurance < 2"))
    assert found == (Mistake("rules1.yaml", 7, "r: This can never hold.", "a comparison that some value satisfies"),)


def test_an_argument_is_only_compared_with_values_that_its_tool_takes(tmp_path: Path) -> None:
    tools = {**TOOLS, "refund_order": replace(TOOLS["refund_order"], values={"args.reason": ("lost", "damaged")})}
    wrong = mistakes(tmp_path, PERMIT_ALL, never_rule("r", "when: args.reason == 'damagd'"), tools=tools)
    assert [(each.line, each.message, each.suggestion) for each in wrong] == [
        (7, "r: args.reason is never 'damagd'.", "damaged")
    ]
    assert mistakes(tmp_path, PERMIT_ALL, never_rule("r", "when: args.reason == 'damaged'"), tools=tools) == ()


def test_an_unless_that_takes_all_of_when_is_a_mistake(tmp_path: Path) -> None:
    body = "when: args.amount_minor > 500\n    unless: args.amount_minor > 100"
    (found,) = mistakes(tmp_path, PERMIT_ALL, never_rule("r", body))
    assert (found.line, found.message) == (8, "r: it never speaks, unless covers when.")


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (("never", "when: args.amount_minor > 500"), ("never", "when: args.amount_minor > 100")),
        (("thresholds", "when: args.amount_minor > 500"), ("never", "when: args.amount_minor > 100")),
        (("thresholds", "when: order.gift && args.amount_minor > 9"), ("thresholds", "when: order.gift")),
        (("procedure", "when: order.gift\n    record_read: true"), ("procedure", "record_read: true")),
    ],
)
def test_a_rule_that_another_one_always_covers_is_a_mistake(
    tmp_path: Path, narrow: tuple[str, str], wide: tuple[str, str]
) -> None:
    texts = [never_rule("narrow", narrow[1], section=narrow[0]), never_rule("wide", wide[1], section=wide[0])]
    (found,) = mistakes(tmp_path, PERMIT_ALL, *texts)
    assert (found.file, found.line) == ("rules1.yaml", 3)
    assert found.message == "narrow can never matter: wherever it speaks, wide says the same or more."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            ("thresholds", "when: args.amount_minor > 500\n    approval: {role: supervisor}"),
            ("thresholds", "when: args.amount_minor > 100"),
        ),
        (("never", "when: args.amount_minor > 500"), ("thresholds", "when: args.amount_minor > 100")),
        (("procedure", "at_most: 2"), ("procedure", "at_most: 3\n    same: [order_id]")),
    ],
)
def test_a_rule_with_another_consequence_stays(tmp_path: Path, one: tuple[str, str], other: tuple[str, str]) -> None:
    texts = [never_rule("one", one[1], section=one[0]), never_rule("other", other[1], section=other[0])]
    assert mistakes(tmp_path, PERMIT_ALL, *texts) == ()
