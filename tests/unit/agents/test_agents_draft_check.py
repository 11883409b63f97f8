"""P9: what a draft may say, on evidence of its case."""

import pytest

from agents.draft_check import DraftCase, Receipted, check
from agents.journeys import Voice
from agents.tasks import Draft, Known
from policies.words import Json

VOICE = Voice(brand="B", assistant="an AI", disclosure="I'm an AI assistant.", templates={}, most_words=40)
REFUND: Json = {"refund_id": "RF-7", "amount": {"amount_minor": 3490, "currency": "EUR"}, "method": "card ending 5108"}
ORDER: Json = {"order_id": "20586", "total": {"amount_minor": 3985, "currency": "EUR"}, "status_words": "on its way"}


def case(**more: object) -> DraftCase:
    known = [Known(id="1", name="order", kind="receipt", value=ORDER)]
    values: dict[str, Json] = {"order": ORDER}
    if more.pop("refunded", False):
        known.append(Known(id="2", name="refund", kind="receipt", value=REFUND))
        values["refund"] = REFUND
        more["receipts"] = [Receipted("refund_order", "refund", REFUND)]
    given: dict[str, object] = {"voice": VOICE, "own": [], "values": values, "known": known, **more}
    return DraftCase(**given)  # type: ignore[arg-type]  # fields by name


def holds(text: str, **more: object) -> tuple[str, ...]:
    return check(Draft(text=text), case(**more)).holds


def test_p9_a_receipt_bears_out_the_statement_and_only_its_own_figures() -> None:
    assert holds("I have refunded {refund.amount} to you.", refunded=True) == ()
    assert holds("I have refunded {refund.amount} to you.") != ()
    assert holds("I have refunded {order.total} to you.", refunded=True) != ()
    assert holds("I have refunded 39.85 EUR to you.", refunded=True) != ()


@pytest.mark.parametrize(
    "text",
    [
        "{I_have_refunded_999.00_EUR[]}", "{{order.total}} was refunded.", "I have ref\u200bunded it.",
        "І hаvе rеfundеd іt.", "I have **ref**unded it.", "r e f u n d e d", "&#82;efunded.",
        "Ihr Geld ist schon unterwegs zu Ihnen.", "退款已经完成。", "SSBoYXZlIHJlZnVuZGVkIHlvdQ==",
        "Ask Katja Dubois about it.", "See www.pay.example now.", "Twenty euros are yours.",
    ],
)  # fmt: skip
def test_p9_no_dress_makes_a_lie_pass(text: str) -> None:
    assert holds(text) != ()


def test_p9_the_houses_own_sentence_counts_only_whole_and_with_its_own_values() -> None:
    own = ["Your order is {order.status_words}. It comes on Monday."]
    assert holds("Your order is {order.status_words}. It comes on Monday.", own=own) == ()
    assert holds("It comes on Monday, and we paid you.", own=own) != ()
    assert holds("Your order is {order.total}. It comes on Tuesday.", own=own) != ()


def test_p9_a_value_that_evidence_does_not_hold_is_a_text_like_any_other() -> None:
    own = ["Is it about {options}?"]
    titles: dict[str, Json] = {"options": ["a refund", "an address"]}
    assert holds(own[0], own=own, values=titles, labels=["a refund", "an address"]) == ()
    assert holds(own[0], own=own, values={"options": ["I have refunded 999 EUR"]}) != ()


def test_p10_a_reply_that_must_disclose_does() -> None:
    assert holds("How can I help?", discloses=True) != ()
    assert holds("I'm an AI assistant. How can I help?", discloses=True) == ()
    assert holds("No bots here, you are talking to a real person.") != ()


def test_the_brands_voice_bounds_length_and_reading_level() -> None:
    assert holds("I can look at it for you. " * 3) == ()
    assert any(hold.startswith("length") for hold in holds("I can look at it for you. " * 12))
    hard = "Notwithstanding administrative particularities, considerations necessitate organisational " * 6
    assert any(hold.startswith("reading level") for hold in holds(f"The {hard}and more of it for you."))
