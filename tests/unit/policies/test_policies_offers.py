"""Which tools could pass as a conversation stands, so that no other needs to be proposed; it permits nothing."""

from pathlib import Path

from policy_builders import PERMIT_ALL, engine, request, situation

from policies.words import Assurance, Effect

KNOWN_ONLY = """
never:
  - id: known-customers-only
    why: Nobody is verified.
    source: Test
    applies_to: get_order
    when: customer.assurance < 2
    examples: {allows: [{customer.assurance: 2}], stops: [{customer.assurance: 1}]}
  - id: not-this-order
    why: The order is pending.
    source: Test
    applies_to: refund_order
    when: order.status == 'pending'
    examples: {allows: [{order.status: delivered}], stops: [{order.status: pending}]}
"""


def test_a_tool_is_offered_only_where_a_permission_a_journey_and_who_the_customer_is_leave_it_possible(
    tmp_path: Path,
) -> None:
    made = engine(tmp_path, PERMIT_ALL, KNOWN_ONLY)
    assert made.offers("get_order", "workflow", situation())
    assert not made.offers("get_order", "workflow", situation(assurance=Assurance.CLAIMED))
    assert not made.offers("get_order", "drafting", situation())
    assert not made.offers("get_order", "workflow", situation(allowed_tools=frozenset({"refund_order"})))
    assert not made.offers("no_such_tool", "workflow", situation())


def test_what_needs_facts_or_arguments_is_offered_and_decided_on_then(tmp_path: Path) -> None:
    made = engine(tmp_path, PERMIT_ALL, KNOWN_ONLY)
    assert made.offers("refund_order", "workflow", situation())


def test_p1_what_is_not_offered_is_denied_when_it_is_proposed_all_the_same(tmp_path: Path) -> None:
    made = engine(tmp_path, PERMIT_ALL, KNOWN_ONLY)
    unknown = situation(assurance=Assurance.CLAIMED)
    assert made.decide(request("get_order"), {}, unknown).effect is Effect.DENY
