"""The retail playbook's policies, decided on its own records: who may have what, and who must agree."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from graphs.playbook import Playbook, load_playbook
from policies.examples import run_examples
from policies.words import (
    ActionRequest,
    Assurance,
    AutonomyLevel,
    CaseId,
    CustomerId,
    Decision,
    Effect,
    HistoryEvent,
    Json,
    Origin,
    PastUse,
    Provenance,
    RequestId,
    Situation,
)
from tools.spec import ToolContext

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
RETAIL = Path(__file__).parents[3] / "playbooks" / "retail"


class Court:
    """Lets the playbook's policies decide on facts read from its records."""

    def __init__(self, playbook: Playbook, systems: dict[str, Any]) -> None:
        self.playbook = playbook
        self.systems = systems

    async def quoted(self, order_id: str, claim: str = "none") -> dict[str, Json]:
        """The arguments of a refund as the quote gives them."""
        quote = await self.call("quote_refund", order_id=order_id, claim=claim)
        amount = quote["amount"]
        assert isinstance(amount, dict)
        return {
            "order_id": order_id,
            "item_ids": quote["item_ids"],
            "amount_minor": amount["amount_minor"],
            "currency": amount["currency"],
            "reason": quote["reason"],
        }

    async def call(self, tool: str, **arguments: Json) -> dict[str, Json]:
        tools = self.playbook.tools
        model = tools.model_of(tool, tools.validate(tool, arguments))
        return (await tools.get(tool).call(model, self.context("C-1001"))).value

    def context(self, customer: str) -> ToolContext:
        return ToolContext(self.systems, CustomerId(customer) if customer else None, "k", NOW)

    async def decide(
        self,
        tool: str,
        arguments: dict[str, Json],
        *,
        customer: str,
        assurance: int = 2,
        specialist: str = "workflow",
        confirmed: bool = True,
        origin: Origin = Origin.EVIDENCE,
        level: AutonomyLevel = AutonomyLevel.SUPERVISED,
        uses: tuple[PastUse, ...] = (),
        history: tuple[HistoryEvent, ...] | None = None,
    ) -> Decision:
        """Decide as the guard would, after the order was read and the refund quoted."""
        read = await self.playbook.tools.read_facts(tool, arguments, self.context(customer), timeout_s=5)
        events = history
        if events is None:
            order = {"order_id": arguments.get("order_id", "")}
            events = tuple(HistoryEvent("call", name, order, at=NOW) for name in ("get_order", "quote_refund"))
        if confirmed:
            events = (*events, HistoryEvent("confirmation", tool, arguments, at=NOW))
        request = ActionRequest(
            RequestId("r-1"),
            tool,
            arguments,
            specialist,
            provenance={name: Provenance(origin, "e-1") for name in arguments},
        )
        situation = Situation(
            now=NOW,
            customer_id=CustomerId(customer) if customer else None,
            assurance=Assurance(assurance),
            level=level,
            case_id=CaseId("case-1"),
            history=events,
        )
        engine = self.playbook.policies
        keys = engine.limits_for(request, read.facts, situation)
        return engine.decide(request, read.facts, replace(situation, uses={key.key: uses for key in keys}))


@pytest.fixture(scope="module")
def playbook() -> Playbook:
    return load_playbook(RETAIL)


@pytest.fixture
async def court(playbook: Playbook, records: Path) -> AsyncIterator[Court]:
    systems = await playbook.open_systems(records)
    yield Court(playbook, dict(systems))
    for system in systems.values():
        await system.close()


def test_every_rule_does_what_its_examples_say(playbook: Playbook) -> None:
    report = run_examples(playbook.policies.policies)
    assert report.failures == ()
    own = {rule: count for rule, count in report.per_rule.items() if not rule.startswith("baseline.")}
    assert {rule for rule, count in own.items() if count == 0} <= {
        "autonomy",
        "tell-about-the-refund",
        "tell-about-aftercare",
    }


async def test_a_small_refund_that_was_confirmed_needs_nobody_else(court: Court) -> None:
    decision = await court.decide("refund_order", await court.quoted("20586"), customer="C-1005")
    assert decision.effect is Effect.ALLOW, decision.verdicts
    assert {duty.kind for duty in decision.obligations} >= {"notify", "sample"}


async def test_a_refund_above_100_euros_goes_to_a_reviewer(court: Court) -> None:
    decision = await court.decide("refund_order", await court.quoted("20418"), customer="C-1001")
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert decision.rules == ("refund-above-100",)
    assert decision.approval is not None
    assert (decision.approval.role, decision.approval.count, decision.approval.queue) == ("reviewer", 1, "refunds")
    assert "148.90 EUR" in decision.verdicts[0].sentence


@pytest.mark.parametrize(("order_id", "role", "count"), [("20690", "supervisor", 1), ("20701", "supervisor", 2)])
async def test_larger_refunds_go_to_supervisors(court: Court, order_id: str, role: str, count: int) -> None:
    decision = await court.decide("refund_order", await court.quoted(order_id), customer="C-1007")
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert decision.approval is not None
    assert (decision.approval.role, decision.approval.count) == (role, count)


async def test_a_refund_without_the_customers_yes_asks_for_it_first(court: Court) -> None:
    decision = await court.decide("refund_order", await court.quoted("20586"), customer="C-1005", confirmed=False)
    assert decision.effect is Effect.DENY
    assert "confirm" in {duty.kind for duty in decision.obligations}


async def test_p7_somebody_elses_order_is_neither_shown_nor_refunded(court: Court) -> None:
    for tool, arguments in (
        ("get_order", {"order_id": "20418"}),
        ("track_shipment", {"order_id": "20731"}),
        ("quote_refund", {"order_id": "20418", "claim": "none"}),
        ("refund_order", await court.quoted("20418")),
        ("cancel_order", {"order_id": "21102"}),
    ):
        decision = await court.decide(tool, dict(arguments), customer="C-1005")
        assert decision.effect is Effect.DENY, tool
        assert "baseline.own-records" in decision.rules, tool


async def test_p7_an_order_that_does_not_exist_is_refused_in_the_same_words_as_another_customers(court: Court) -> None:
    missing = await court.decide("get_order", {"order_id": "#W8665881"}, customer="C-1005")
    foreign = await court.decide("get_order", {"order_id": "20418"}, customer="C-1005")
    said = [[(each.rule, each.sentence) for each in decision.verdicts] for decision in (missing, foreign)]
    assert said[0] == said[1]


@pytest.mark.parametrize(("customer", "assurance"), [("", 0), ("C-1005", 1)])
async def test_p7_nothing_is_listed_or_read_before_verification(court: Court, customer: str, assurance: int) -> None:
    listed = await court.decide("list_orders", {}, customer=customer, assurance=assurance)
    read = await court.decide("get_order", {"order_id": "20586"}, customer=customer, assurance=assurance)
    assert (listed.effect, read.effect) == (Effect.DENY, Effect.DENY)


async def test_anybody_may_have_their_identity_checked_five_times(court: Court) -> None:
    given: dict[str, Json] = {"email": "x@example.org", "postcode": "10435"}
    failed = HistoryEvent("call", "verify_customer", given, ok=False, at=NOW)
    for failures, effect in ((0, Effect.ALLOW), (4, Effect.ALLOW), (5, Effect.DENY)):
        decision = await court.decide(
            "verify_customer",
            given,
            customer="",
            assurance=0,
            specialist="authentication",
            confirmed=False,
            origin=Origin.CUSTOMER,
            history=(failed,) * failures,
        )
        assert decision.effect is effect, failures


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"amount_minor": 3491}, "refund-at-most-what-is-due"),
        ({"amount_minor": 9_999_999}, "refund-at-most-what-was-paid"),
        ({"currency": "USD"}, "refund-in-the-currency-paid"),
        ({"reason": "lost"}, "refund-for-the-recorded-reason"),
        ({"item_ids": ["20586-1", "20586-9"]}, "refund-only-items-that-are-due"),
        ({"order_id": "20350", "item_ids": ["20350-1"]}, "refund_eligibility"),
    ],
)
async def test_p1_a_refund_that_the_records_do_not_bear_out_is_denied(
    court: Court, changes: dict[str, Json], rule: str
) -> None:
    arguments = await court.quoted("20586") | changes
    decision = await court.decide("refund_order", arguments, customer="C-1005")
    assert decision.effect is Effect.DENY
    assert rule in decision.rules


async def test_p1_an_amount_that_a_model_or_the_customer_named_is_not_paid(court: Court) -> None:
    arguments = await court.quoted("20586")
    for origin in (Origin.MODEL, Origin.CUSTOMER):
        decision = await court.decide("refund_order", arguments, customer="C-1005", origin=origin)
        assert decision.effect is Effect.DENY
        assert "refund-amounts-are-not-invented" in decision.rules


async def test_p2_what_was_refunded_is_not_refunded_again(court: Court) -> None:
    arguments = await court.quoted("20586")
    await court.call("refund_order", **arguments)
    decision = await court.decide("refund_order", arguments, customer="C-1005")
    assert decision.effect is Effect.DENY
    assert {"refund-at-most-what-is-due", "refund-only-items-that-are-due"} <= set(decision.rules)


async def test_faulty_goods_are_looked_at_by_a_person(court: Court) -> None:
    decision = await court.decide("refund_order", await court.quoted("20866", "damaged"), customer="C-1003")
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert decision.rules == ("faulty-goods-are-looked-at",)


async def test_a_customer_with_three_refunds_in_the_books_needs_an_approval_for_the_fourth(court: Court) -> None:
    decision = await court.decide("refund_order", await court.quoted("20812"), customer="C-1006")
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert decision.rules == ("many-refunds-in-the-books",)


async def test_our_own_refunds_count_against_the_customers_limit(court: Court) -> None:
    arguments = await court.quoted("20586")
    three = (PastUse(NOW, 1000, "EUR"),) * 3
    decision = await court.decide("refund_order", arguments, customer="C-1005", uses=three)
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert "refunds-per-customer" in decision.rules
    assert {use.limit for use in decision.limits} == {"refunds-per-customer", "baseline.money-per-customer"}


async def test_assisted_work_is_always_approved_by_a_person(court: Court) -> None:
    arguments = await court.quoted("20586")
    decision = await court.decide("refund_order", arguments, customer="C-1005", level=AutonomyLevel.ASSISTED)
    assert decision.effect is Effect.REQUIRE_APPROVAL


async def test_a_refund_without_a_quote_in_this_case_is_denied(court: Court) -> None:
    looked = (HistoryEvent("call", "get_order", {"order_id": "20586"}, at=NOW),)
    decision = await court.decide("refund_order", await court.quoted("20586"), customer="C-1005", history=looked)
    assert decision.effect is Effect.DENY
    assert "quote-before-refund" in decision.rules


async def test_only_specialists_who_may_propose_a_tool_get_it(court: Court) -> None:
    for specialist in ("drafting", "intent", "eligibility", "authentication", ""):
        decision = await court.decide(
            "refund_order", await court.quoted("20586"), customer="C-1005", specialist=specialist
        )
        assert decision.effect is Effect.DENY, specialist


@pytest.mark.parametrize(
    ("order_id", "customer", "effect"),
    [
        ("21102", "C-1003", Effect.ALLOW),
        ("21063", "C-1005", Effect.ALLOW),
        ("21188", "C-1004", Effect.DENY),
        ("20731", "C-1002", Effect.DENY),
        ("20105", "C-1002", Effect.DENY),
    ],
)
async def test_orders_are_cancelled_until_they_are_packed(
    court: Court, order_id: str, customer: str, effect: Effect
) -> None:
    decision = await court.decide("cancel_order", {"order_id": order_id}, customer=customer)
    assert decision.effect is effect, decision.verdicts


@pytest.mark.parametrize(
    ("order_id", "customer", "country", "effect"),
    [
        ("21102", "C-1003", "France", Effect.ALLOW),
        ("21102", "C-1003", "CH", Effect.DENY),
        ("21188", "C-1004", "France", Effect.DENY),
    ],
)
async def test_addresses_change_until_packing_and_within_our_countries(
    court: Court, order_id: str, customer: str, country: str, effect: Effect
) -> None:
    address: dict[str, Json] = {"street": "8 rue Mercière", "city": "Lyon", "postcode": "69002", "country": country}
    decision = await court.decide(
        "change_shipping_address", {"order_id": order_id, "address": address}, customer=customer
    )
    assert decision.effect is effect, decision.verdicts


async def test_an_order_is_looked_at_before_it_is_changed(court: Court) -> None:
    other = (HistoryEvent("call", "get_order", {"order_id": "20866"}, at=NOW),)
    decision = await court.decide("cancel_order", {"order_id": "21102"}, customer="C-1003", history=other)
    assert decision.effect is Effect.DENY
    assert "look-before-you-change" in decision.rules


@pytest.mark.parametrize(
    ("order_id", "customer", "claim", "verdict"),
    [
        ("20418", "C-1001", "none", "eligible"),
        ("20955", "C-1004", "none", "eligible"),
        ("20866", "C-1003", "wrong_item", "eligible"),
        ("20866", "C-1003", "none", "return_first"),
        ("20377", "C-1001", "none", "too_late"),
        ("20240", "C-1003", "none", "already_refunded"),
        ("21102", "C-1003", "none", "not_delivered"),
        ("20731", "C-1002", "damaged", "not_delivered"),
        ("20105", "C-1002", "none", "cancelled"),
    ],
)
async def test_what_a_customer_hears_about_a_refund_follows_from_the_records(
    court: Court, order_id: str, customer: str, claim: str, verdict: str
) -> None:
    arguments = await court.quoted(order_id, claim)
    read = await court.playbook.tools.read_facts("refund_order", arguments, court.context(customer), timeout_s=5)
    table = court.playbook.policies.table("refund_eligibility")
    outcome = table.decide({name: read.facts[name].value for name in table.rule.inputs if name in read.facts})
    assert not outcome.error
    assert outcome.values["verdict"] == verdict


async def test_every_order_of_the_shop_gets_a_verdict_on_every_check(court: Court) -> None:
    shop = court.systems["shop"]
    for number in range(20000, 21500, 7):
        order = await shop.order(str(number))
        arguments = await court.quoted(order.id)
        read = await court.playbook.tools.read_facts("refund_order", arguments, court.context("C-1001"), timeout_s=5)
        inputs = {name: fact.value for name, fact in read.facts.items()}
        for name in ("refund_eligibility", "cancel_eligibility", "change_window"):
            outcome = court.playbook.policies.table(name).decide(inputs)
            assert not outcome.error, (number, name, outcome)
            assert outcome.values["verdict"] != "unclear", (number, name)


def test_an_unhappy_customer_whose_matter_failed_twice_goes_to_a_person(playbook: Playbook) -> None:
    calm = Situation(now=NOW, customer_id=None, assurance=Assurance.ANONYMOUS, level=AutonomyLevel.SUPERVISED)
    signals: dict[str, Json] = {"sentiment": -0.8, "failures": 2}
    decision = playbook.policies.trigger(replace(calm, signals=signals))
    assert decision is not None
    assert decision.rules == ("very-unhappy",)
    assert playbook.policies.trigger(replace(calm, signals={"sentiment": -0.8, "failures": 0})) is None
