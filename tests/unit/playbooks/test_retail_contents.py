"""The retail playbook's words agree with its records, its policies and each other."""

from pathlib import Path

import pytest

from agents.local.intents import IntentModel, fit_journeys
from graphs.playbook import Playbook, load_playbook
from playbooks.retail.catalogue import COUNTRIES, PRODUCTS, SUBSCRIPTIONS
from playbooks.retail.fixtures import FREE_SHIPPING_FROM_MINOR, SHIPPING_MINOR
from playbooks.retail.known_customers import KNOWN
from policies.detectors.prose import ProseRules
from policies.documents import read_document
from policies.sentences import format_money
from policies.words import Money

RETAIL = Path(__file__).parents[3] / "playbooks" / "retail"


@pytest.fixture(scope="module")
def playbook() -> Playbook:
    return load_playbook(RETAIL)


@pytest.fixture(scope="module")
def model(playbook: Playbook) -> IntentModel:
    return fit_journeys(list(playbook.journeys.values()))


def article(playbook: Playbook, name: str) -> str:
    return next(each.text for each in playbook.articles if each.front.id == name)


def test_knowledge_names_the_shipping_costs_and_countries_of_the_shop(playbook: Playbook) -> None:
    text = article(playbook, "shipping-cost")
    assert format_money(Money(SHIPPING_MINOR, "EUR")) in text
    assert f"{FREE_SHIPPING_FROM_MINOR // 100} EUR" in text
    names = COUNTRIES.values()
    assert [name for name in names if name not in text] == []
    assert len(names) == 14


def test_knowledge_names_the_subscriptions_and_their_prices(playbook: Playbook) -> None:
    text = article(playbook, "subscriptions")
    assert [price for _, price in SUBSCRIPTIONS if format_money(Money(price, "EUR")) not in text] == []


def test_knowledge_names_what_cannot_be_returned(playbook: Playbook) -> None:
    text = article(playbook, "returns").casefold()
    kinds = {
        "LL-1113": "underwear",
        "LL-1114": "swimwear",
        "LL-2003": "pillows",
        "LL-2006": "curtains",
        "LL-5001": "gift cards",
    }
    assert {product.sku for product in PRODUCTS if product.final_sale} == set(kinds)
    assert [kind for kind in kinds.values() if kind not in text] == []


def test_knowledge_and_policy_agree_on_days_and_thresholds(playbook: Playbook) -> None:
    assert "30 days" in article(playbook, "returns")
    assert "100 EUR" in article(playbook, "refunds")
    threshold = next(each for each in playbook.policies.policies.located if each.rule.id == "refund-above-100")
    assert threshold.rule.when == "args.amount_minor > 10000"
    last = next(
        row
        for row in playbook.policies.table("refund_eligibility").rule.rows
        if row.cells.get("refund.reason") == "returned" and row.gives["verdict"] == "eligible"
    )
    assert last.cells["return.days_after_delivery"] == "0..30"


def test_no_template_breaks_the_rules_for_drafts(playbook: Playbook) -> None:
    rules = ProseRules(playbook.policies.prose_rules)
    broken = {
        name: found
        for name, text in playbook.voice.templates.items()
        if (found := [each.rule for each in rules.check(text, channel="chat")])
    }
    assert broken == {}


def test_no_template_is_longer_than_a_customer_reads(playbook: Playbook) -> None:
    limit = 160
    assert [name for name, text in playbook.voice.templates.items() if len(text.split()) > limit] == []


@pytest.mark.parametrize(
    ("text", "journey"),
    [
        ("I returned my walking boots from order 20418 and would like my money back.", "refund"),
        ("Where is order 20731?", "order_status"),
        ("please cancel order 21102", "cancel_order"),
        ("Hi, I need to update the delivery address for an order I placed. Can you help me?", "change_address"),
        ("please send order 21102 to 8 rue Mercière, 69002 Lyon, France", "change_address"),
        ("I want to speak with a human right now", "person"),
        ("how long is the return window?", "returns"),
        ("I'd like to exchange the jacket for a larger size", "change_items"),
        ("what did I pay for my last order", "order_help"),
    ],
)
def test_what_customers_say_in_other_words_is_understood(model: IntentModel, text: str, journey: str) -> None:
    ranking = model.rank(text)
    assert (ranking.best, ranking.answer) == (journey, "accept")


def test_examples_tell_the_journeys_apart(model: IntentModel) -> None:
    assert model.report.accuracy >= 0.8


def test_the_smoke_suite_speaks_of_journeys_tools_and_customers_that_exist(playbook: Playbook) -> None:
    suite = read_document(RETAIL / "suites" / "smoke.yaml").data
    assert isinstance(suite, dict)
    samples = suite["samples"]
    assert isinstance(samples, list)
    emails = {customer.email for customer in KNOWN}
    ids = set()
    for sample in samples:
        assert isinstance(sample, dict)
        ids.add(sample["id"])
        expect = sample["expect"]
        assert isinstance(expect, dict)
        assert expect.get("journey", "person") in playbook.journeys
        effects = expect.get("effects", [])
        assert isinstance(effects, list)
        for effect in effects:
            assert isinstance(effect, dict)
            assert isinstance(effect["arguments"], dict)
            fields = playbook.tools.get(str(effect["tool"])).arguments.model_fields
            assert set(effect["arguments"]) <= set(fields)
        said = " ".join(str(line) for line in sample["says"])  # type: ignore[union-attr]  # a list of texts
        named = {word.strip(",.") for word in said.split() if "@" in word}
        assert named <= emails, sample["id"]
    assert len(ids) == len(samples) >= 8
