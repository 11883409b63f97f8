"""What differs between two sets of policies, in words."""

from pathlib import Path

import pytest
from policy_builders import MONEY, PERMIT_ALL, TOOLS, engine

from policies.contents import PolicyContent, content_from_json, read_content
from policies.differences import Difference, differences
from policies.errors import PlaybookMistakes

RULE = """
thresholds:
  - id: cap
    why: Too much.
    source: T
    applies_to: %s
    when: args.amount_minor > %d
    examples: {allows: [{}], stops: [{}]}
"""


def compare(folder: Path, one: str, other: str, **options: object) -> tuple[Difference, ...]:
    before = engine(folder, PERMIT_ALL, one, **options)  # type: ignore[arg-type]  # options of the builder
    return differences(before.policies, engine(folder, PERMIT_ALL, other, **options).policies)  # type: ignore[arg-type]  # same


def test_equal_policies_differ_in_nothing(tmp_path: Path) -> None:
    assert compare(tmp_path, RULE % ("refund_order", 5), RULE % ("refund_order", 5)) == ()


def test_a_changed_condition_is_shown_with_what_it_means(tmp_path: Path) -> None:
    (found,) = compare(tmp_path, RULE % ("refund_order", 500), RULE % ("refund_order", 900))
    assert (found.subject, found.kind) == ("cap", "changed")
    assert found.sentences == (
        "when was `args.amount_minor > 500` and is `args.amount_minor > 900` now.",
        "It speaks in fewer cases than it did, and in no new ones.",
    )


def test_another_spelling_of_a_condition_speaks_in_the_same_cases(tmp_path: Path) -> None:
    one = RULE.replace("args.amount_minor > %d", "args.amount_minor > 500") % "refund_order"
    other = RULE.replace("args.amount_minor > %d", "500 < args.amount_minor") % "refund_order"
    (found,) = compare(tmp_path, one, other)
    assert found.sentences[-1] == "It speaks in the same cases as it did."


def test_new_and_lost_rules_are_named_with_what_they_say(tmp_path: Path) -> None:
    rule = RULE % ("refund_order", 500)
    (added,) = compare(tmp_path, "", rule)
    assert added == Difference("cap", "added", ("New threshold: Too much. It applies to refund_order.",))
    (removed,) = compare(tmp_path, rule, "")
    assert removed == Difference("cap", "removed", ("No longer a threshold: Too much.",))


def test_a_rule_that_reaches_other_tools_says_which(tmp_path: Path) -> None:
    gift = "unless: order.gift"
    one = RULE.replace("when: args.amount_minor > %d", "when: customer.assurance < 3") % "[refund_order]"
    other = RULE.replace("when: args.amount_minor > %d", "when: customer.assurance < 3") % "[cancel_order]"
    (found,) = compare(tmp_path, one, other)
    assert found.sentences == ("It applies to cancel_order too.", "It no longer applies to refund_order.")
    assert gift not in str(found)


def test_changed_money_is_shown_as_money(tmp_path: Path) -> None:
    found = compare(tmp_path, MONEY, MONEY.replace("50000", "75000"), baseline=True)
    assert found == (Difference("params.money_per_customer", "changed", ("It was 500.00 EUR and is 750.00 EUR now.",)),)


def test_rows_of_a_table_are_compared_by_what_they_are_for(tmp_path: Path) -> None:
    table = """
tables:
  - id: share
    why: By status.
    source: T
    hit: first
    inputs: {order.status: {type: string, values: [a, b, c]}}
    outputs: {percent: int}
    rows:
      - {if: {order.status: a}, then: {percent: %d}}
      - {if: {order.status: b}, then: {percent: 50}}
    otherwise: {percent: 0}
"""
    more = "      - {if: {order.status: b}, then: {percent: 50}}\n"
    other = (table % 80).replace(more, more + "      - {if: {order.status: c}, then: {percent: 10}}\n")
    (found,) = compare(tmp_path, table % 100, other.replace("    otherwise: {percent: 0}\n", ""))
    assert "The row order.status: a gave percent: 100 and gives percent: 80 now." in found.sentences
    assert "New row order.status: c: percent: 10." in found.sentences


def test_a_content_is_known_by_what_it_says_and_loads_without_its_files(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULE % ("refund_order", 5), encoding="utf-8")
    (tmp_path / "who.yaml").write_text(PERMIT_ALL, encoding="utf-8")
    content = read_content(tmp_path)
    again = content_from_json(content.as_json())
    assert again.hash == content.hash
    (tmp_path / "rules.yaml").write_text(RULE % ("refund_order", 6), encoding="utf-8")
    assert read_content(tmp_path).hash != content.hash
    again = PolicyContent(again.files, {"money_per_customer": "none"})
    assert [each.rule.id for each in again.load(TOOLS).located if each.rule.id == "cap"] == ["cap"]


def test_mistakes_of_a_content_name_its_files() -> None:
    content = PolicyContent({"policies/a.yaml": "never: [{id: x}]"}, {"money_per_customer": "none"})
    with pytest.raises(PlaybookMistakes) as found:
        content.load(TOOLS)
    assert {mistake.file for mistake in found.value.mistakes} == {"policies/a.yaml"}


def test_what_is_no_content_of_policies_is_refused(tmp_path: Path) -> None:
    for data in ({}, {"files": ["a"]}, {"files": {"a": 1}}, {"files": {}, "parameters": []}):
        with pytest.raises(PlaybookMistakes):
            content_from_json(data)
    with pytest.raises(PlaybookMistakes):
        read_content(tmp_path)
