"""What an argument's claimed origin is worth, and what counts as a change after an approval."""

from datetime import UTC, datetime

import pytest

from graphs.judging import Judged, checked, differences
from policies.words import (
    ActionRequest,
    ApprovalTerms,
    Assurance,
    AutonomyLevel,
    Decision,
    Effect,
    Fact,
    Facts,
    Json,
    Obligation,
    Origin,
    Provenance,
    RequestId,
    Situation,
)

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def facts(**values: Json) -> Facts:
    return {name.replace("__", "."): Fact(value, "orders database", NOW) for name, value in values.items()}


STATEMENTS: dict[str, tuple[Origin, Json]] = {
    "ev1": (Origin.CUSTOMER, "20418"),
    "ev2": (Origin.EVIDENCE, {"amount": {"amount_minor": 14890, "currency": "EUR"}, "item_ids": ["a", "b"]}),
}


@pytest.mark.parametrize(
    ("claim", "value", "origin"),
    [
        (None, 5, Origin.MODEL),
        (Provenance(Origin.CUSTOMER, "ev1"), "20418", Origin.CUSTOMER),
        (Provenance(Origin.CUSTOMER, "ev1"), "20419", Origin.MODEL),
        (Provenance(Origin.EVIDENCE, "ev2"), 14890, Origin.EVIDENCE),
        (Provenance(Origin.EVIDENCE, "ev2"), 99999, Origin.MODEL),
        (Provenance(Origin.EVIDENCE, "ev2"), ["a"], Origin.EVIDENCE),
        (Provenance(Origin.EVIDENCE, "ev2"), ["a", "z"], Origin.MODEL),
        (Provenance(Origin.EVIDENCE, "ev1"), "20418", Origin.CUSTOMER),
        (Provenance(Origin.EVIDENCE, "nowhere"), "20418", Origin.MODEL),
        (Provenance(Origin.FACT, "order.total_minor"), 14890, Origin.FACT),
        (Provenance(Origin.FACT, "order.total_minor"), 14891, Origin.MODEL),
        (Provenance(Origin.FACT, "order.secret"), 14890, Origin.MODEL),
        (Provenance(Origin.PLAYBOOK), "EUR", Origin.MODEL),
        (Provenance(Origin.PERSON, "ana"), 1, Origin.MODEL),
    ],
)
def test_p1_a_claimed_origin_counts_only_if_a_row_or_a_fact_bears_it_out(claim, value, origin):
    assert checked(claim, value, facts(order__total_minor=14890), STATEMENTS).origin is origin


def test_a_constant_of_the_playbook_is_one_only_if_the_journey_says_so():
    assert checked(Provenance(Origin.PLAYBOOK), "EUR", {}, {}, "EUR").origin is Origin.PLAYBOOK
    assert checked(Provenance(Origin.PLAYBOOK), "USD", {}, {}, "EUR").origin is Origin.MODEL


def decision(effect: Effect = Effect.REQUIRE_APPROVAL, read: Facts | None = None, **changes) -> Decision:
    values = {
        "effect": effect,
        "verdicts": (),
        "passed": (),
        "obligations": (Obligation("notify"),),
        "facts": read or {},
        "policy_version": "v1",
        "approval": ApprovalTerms(),
    } | changes
    return Decision(**values)


def judged(made: Decision, read: Facts) -> Judged:
    situation = Situation(NOW, None, Assurance.VERIFIED, AutonomyLevel.SUPERVISED)
    return Judged(ActionRequest(RequestId("r"), "refund_order", {}, "workflow"), made, read, situation, {})


SHOWN = facts(order__status="returned", order__age=3)


def test_p3_an_approval_stands_if_nothing_moved_but_the_clock():
    now = facts(order__status="returned", order__age=4)
    assert differences(decision(read=SHOWN), SHOWN, judged(decision(read=now), now), frozenset({"order.age"})) == {}


@pytest.mark.parametrize(
    ("after", "read", "what"),
    [
        (decision(), facts(order__status="refunded", order__age=3), "order.status"),
        (decision(), facts(order__age=3), "order.status"),
        (decision(), facts(order__status="returned", order__age=9), "order.age"),
        (decision(Effect.ALLOW, approval=None), SHOWN, "effect"),
        (decision(approval=ApprovalTerms(role="supervisor")), SHOWN, "reviewers"),
        (decision(approval=ApprovalTerms(count=2)), SHOWN, "reviewers"),
        (decision(obligations=()), SHOWN, "obligations"),
    ],
)
def test_p3_whatever_else_moved_reopens_it(after, read, what):
    assert what in differences(decision(read=SHOWN), SHOWN, judged(after, read), frozenset())
