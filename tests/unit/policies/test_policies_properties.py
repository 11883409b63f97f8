"""Properties that hold for whatever is asked and however rules are written down."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policy_builders import MONEY, NOW, PERMIT_ALL, TOOLS, decide, engine

from policies.engine import PolicyEngine
from policies.words import (
    ActionRequest,
    Assurance,
    AutonomyLevel,
    CustomerId,
    Decision,
    Effect,
    Fact,
    HistoryEvent,
    Origin,
    PastUse,
    Provenance,
    RequestId,
    Situation,
)

RULES = {
    "never": [
        "when: args.amount_minor > 9000",
        "unless: order.status == 'delivered'",
        "when: order.gift && customer.assurance < 3",
    ],
    "thresholds": [
        "when: args.amount_minor > 5000",
        "when: calls.get_order == 0\n    then: escalate",
        "when: order.weight_kg > 20.0",
    ],
    "prefer": ["when: conversation.channel == 'sms'", "when: order.total_minor < 500\n    otherwise: escalate"],
    "procedure": ["record_read: true", "confirmed: true", "at_most: 2", "not_repeated: true"],
    "limits": [
        "per: customer\n    max_count: 1",
        "per: case\n    max_amount_minor: {EUR: 5000}\n    past: require_approval",
    ],
    "provenance": ["argument: amount_minor\n    from: [fact]"],
}
CHOICES = [(section, body) for section, bodies in RULES.items() for body in bodies]
DENIALS = [choice for choice in CHOICES if choice[0] in ("never", "procedure", "provenance")]


def text(choices: Sequence[tuple[str, str]]) -> str:
    """A file with these rules; ids follow from the rule, not from its place."""
    sections: dict[str, list[str]] = {}
    for section, body in choices:
        number = CHOICES.index((section, body))
        head = f"  - id: {section}-{number}\n    why: It objects to {{args.amount_minor}}.\n    source: T\n"
        tail = f"    applies_to: refund_order\n    {body}\n    examples: {{allows: [{{}}], stops: [{{}}]}}\n"
        sections.setdefault(section, []).append(head + tail)
    return "".join(f"{section}:\n{''.join(rules)}" for section, rules in sections.items())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["W1", "EUR", "delivered", 4000, 9001]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
PLAUSIBLE_ARGUMENTS = st.fixed_dictionaries(
    {
        "order_id": st.sampled_from(["W1", "W2"]),
        "amount_minor": st.integers(0, 12000),
        "currency": st.sampled_from(["EUR", "USD"]),
    }
)
PLAUSIBLE_FACTS = st.fixed_dictionaries(
    {
        "owner.customer_id": st.sampled_from(["C-1", "C-2"]),
        "order.status": st.sampled_from(["delivered", "pending"]),
        "order.gift": st.booleans(),
        "order.weight_kg": st.floats(0, 50),
        "order.total_minor": st.integers(0, 20000),
    }
)


def fact_map(values: dict[str, Any]) -> dict[str, Fact]:
    return {name: Fact(value, "orders", NOW) for name, value in values.items()}


EVENTS = st.builds(
    HistoryEvent,
    st.sampled_from(["call", "confirmation"]),
    st.sampled_from(["get_order", "refund_order"]),
    PLAUSIBLE_ARGUMENTS,
    st.booleans(),
)


@st.composite
def plausible(draw: st.DrawFn) -> tuple[ActionRequest, dict[str, Fact], Situation]:
    arguments = draw(PLAUSIBLE_ARGUMENTS)
    request = ActionRequest(
        RequestId("r"),
        "refund_order",
        arguments,
        "workflow",
        provenance={"amount_minor": Provenance(draw(st.sampled_from(Origin)))},
    )
    read = HistoryEvent("call", "get_order", {"order_id": arguments["order_id"]})
    said_yes = HistoryEvent("confirmation", "refund_order", arguments)
    history = [*draw(st.lists(EVENTS, max_size=3)), *draw(st.sampled_from([[], [read], [read, said_yes]]))]
    uses = draw(st.lists(st.builds(PastUse, st.just(NOW), st.integers(0, 3000), st.just("EUR")), max_size=2))
    situation = Situation(
        now=NOW,
        customer_id=CustomerId("C-1"),
        assurance=draw(st.sampled_from(Assurance)),
        level=draw(st.sampled_from(AutonomyLevel)),
        channel=draw(st.sampled_from(["chat", "sms"])),
        history=tuple(history),
        uses={"limits-12|C-1": tuple(uses), "baseline.money-per-customer|C-1": tuple(uses)},
        case_id=draw(st.sampled_from([None, "case"])),
    )
    return request, fact_map(draw(PLAUSIBLE_FACTS)), situation


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policies")


SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(
    st.lists(st.sampled_from(CHOICES), unique=True, max_size=5),
    st.sampled_from(DENIALS),
    st.lists(plausible(), min_size=1, max_size=6),
)
def test_adding_a_denying_rule_never_allows_more(
    folder: Path,
    rules: list[tuple[str, str]],
    added: tuple[str, str],
    asked: list[tuple[ActionRequest, dict[str, Fact], Situation]],
) -> None:
    before = engine(folder, PERMIT_ALL, text(rules))
    after = engine(folder, PERMIT_ALL, text([*rules, added] if added not in rules else rules))
    for case in asked:
        assert decide(after, *case).effect.rank >= decide(before, *case).effect.rank


@SLOW
@given(st.permutations(CHOICES), st.integers(1, len(CHOICES) - 1), st.lists(plausible(), min_size=1, max_size=4))
def test_the_order_of_files_and_rules_means_nothing(
    folder: Path,
    shuffled: list[tuple[str, str]],
    cut: int,
    asked: list[tuple[ActionRequest, dict[str, Fact], Situation]],
) -> None:
    plain = engine(folder, PERMIT_ALL, text(CHOICES))
    spread = engine(folder, text(shuffled[:cut]), text(shuffled[cut:]), PERMIT_ALL)
    assert spread.version == plain.version
    for case in asked:
        assert decide(spread, *case) == decide(plain, *case)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> PolicyEngine:
    return engine(tmp_path_factory.mktemp("full"), PERMIT_ALL, MONEY, text(CHOICES), baseline=True)


WILD = st.builds(
    ActionRequest,
    id=st.just(RequestId("r")),
    tool=st.sampled_from([*TOOLS, "unknown"]) | JSON,
    arguments=st.dictionaries(
        st.sampled_from(["order_id", "amount_minor", "currency", "item_ids"]) | st.text(max_size=3), JSON, max_size=5
    ),
    specialist=st.sampled_from(["workflow", "drafting"]),
    provenance=st.just({}) | st.just({"amount_minor": Provenance(Origin.FACT)}),
)
WILD_SITUATION = st.builds(
    Situation,
    now=st.just(NOW) | st.just(datetime(2026, 1, 1)) | JSON,  # noqa: DTZ001  # a naive one is part of the attack
    customer_id=st.sampled_from([None, "", "C-1"]) | JSON,
    assurance=st.sampled_from(Assurance) | JSON,
    level=st.sampled_from(AutonomyLevel) | JSON,
    history=st.lists(
        st.builds(
            HistoryEvent,
            st.sampled_from(["call", "confirmation"]),
            st.sampled_from(list(TOOLS)),
            st.dictionaries(st.text(max_size=5), JSON, max_size=2),
        ),
        max_size=2,
    ).map(tuple)
    | JSON,
    uses=st.just({}) | JSON,
    signals=st.dictionaries(st.sampled_from(["sentiment", "failures", "flags", "asked_for_person"]), JSON, max_size=4)
    | JSON,
    allowed_tools=st.none() | JSON,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    WILD, st.dictionaries(st.sampled_from(sorted(TOOLS["refund_order"].fact_types)), JSON, max_size=6), WILD_SITUATION
)
def test_no_input_makes_decide_raise_or_allow_on_error(
    full: PolicyEngine, asked: ActionRequest, values: dict[str, Any], situation: Situation
) -> None:
    decision = full.decide(asked, fact_map(values), situation)
    assert isinstance(decision, Decision)
    assert decision.effect is not Effect.ALLOW or not decision.error
    triggered = full.trigger(situation)
    assert triggered is None or triggered.effect is Effect.ESCALATE
