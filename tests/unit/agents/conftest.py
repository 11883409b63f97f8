"""A small shop that the agents' tests share: two journeys with steps, one of each other kind, and its voice."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from agents.journeys import REQUIRED_TEMPLATES, Journey, VerificationMethod, Voice
from agents.local.sheets import Sheets, ToolCard
from agents.tasks import AuthenticationAdvice, WorkflowTask

ORDER_NEED = {
    "slot": "order_id",
    "kind": "order_id",
    "ask": "ask_order",
    "choose": {"source": "orders.orders", "value": "order_id", "label": ["items"]},
}
LIST = {"id": "list", "does": "List orders.", "tool": "list_orders", "unless": ["order_id"]}
LOOK = {
    "id": "look",
    "does": "Read the order.",
    "after": ["list"],
    "needs": ["order_id"],
    "tool": "get_order",
    "arguments": {"order_id": "slot:order_id"},
    "refusals": {"not_found": "order_not_found"},
}
JOURNEYS = [
    {
        "id": "status",
        "title": "where an order is",
        "goal": "The customer knows where the order is.",
        "owner": "Service",
        "assurance": 2,
        "utterances": [
            "where is my order",
            "when will my parcel arrive",
            "track my package please",
            "has my order shipped yet",
            "what is the status of order 20418",
            "my delivery is late, where is it",
        ],
        "needs": [ORDER_NEED],
        "steps": [LIST, LOOK],
        "done_by": {"order.status": {"shipped": "status_shipped", "*": "status_other"}},
    },
    {
        "id": "refund",
        "title": "a refund",
        "goal": "The customer has the money back.",
        "owner": "Money",
        "assurance": 2,
        "utterances": [
            "I want a refund",
            "give me my money back",
            "please refund order 20418",
            "refund the boots I sent back",
            "I returned the jacket and want to be reimbursed",
            "can I get a refund for this item",
        ],
        "needs": [
            ORDER_NEED,
            {
                "slot": "item_ids",
                "kind": "items",
                "ask": "ask_items",
                "choose": {"source": "order.items", "value": "item_id", "label": ["name", "variant"], "many": True},
            },
            {
                "slot": "reason",
                "kind": "choice",
                "ask": "ask_reason",
                "optional": True,
                "options": {"damaged": ["damaged", "broken"], "mistake": ["by mistake", "wrong size"]},
            },
        ],
        "steps": [
            LIST,
            LOOK,
            {
                "id": "eligible",
                "does": "See whether it is due.",
                "after": ["look"],
                "needs": ["item_ids"],
                "check": "refund_table",
                "inputs": {"order.status": "evidence:order.status", "days": "fact:order.days"},
                "refusals": {"too_late": "refund_too_late", "*": "refund_no"},
            },
            {
                "id": "refund",
                "does": "Pay it back.",
                "after": ["eligible"],
                "needs": ["item_ids"],
                "tool": "refund_order",
                "arguments": {
                    "order_id": "slot:order_id",
                    "item_ids": "slot:item_ids",
                    "amount_minor": "evidence:order.total.amount_minor",
                    "currency": "value:EUR",
                    "reason": "slot:reason",
                },
                "confirm": "refund_confirm",
                "waiting": "refund_waiting",
                "rejected": "refund_rejected",
                "refusals": {"already_refunded": "refund_already"},
            },
        ],
        "done": "refund_done",
    },
    {
        "id": "question",
        "title": "a question",
        "goal": "The question is answered.",
        "kind": "answer",
        "owner": "Content",
        "utterances": [
            "what is your return policy",
            "how long does shipping take",
            "which payment methods do you accept",
            "do you deliver to Norway",
            "how do I wash the wool jumper",
            "what are your opening hours",
        ],
        "done": "answer",
    },
    {
        "id": "browse",
        "title": "looking things up",
        "goal": "The customer knows what they bought.",
        "kind": "open",
        "owner": "Service",
        "assurance": 2,
        "tools": ["get_order", "list_orders"],
        "utterances": [
            "what did I buy last month",
            "list all my purchases",
            "how much did I pay for order 20418",
            "which items were in that order",
            "what did I order last time",
        ],
    },
    {
        "id": "person",
        "title": "a person",
        "goal": "The customer talks to a person.",
        "kind": "person",
        "owner": "Service",
        "utterances": [
            "I want to talk to a human",
            "get me a real person",
            "connect me with an agent",
            "let me speak to your manager",
            "I need a human being",
        ],
    },
]
TEMPLATES = {name: f"<{name}>" for name in REQUIRED_TEMPLATES} | {
    "ask_order": "Which order?",
    "ask_items": "Which items?",
    "ask_reason": "Why?",
    "ask_identity": "Your e-mail and postcode, please?",
    "ask_identity_postcode": "And your postcode?",
    "order_not_found": "I can't find that order. Which one is it?",
    "status_shipped": "Order {order.order_id} is on its way.",
    "status_other": "Order {order.order_id} is {order.status}.",
    "refund_confirm": "Refund {amount} for {item_ids} of order {order_id}?",
    "refund_waiting": "A colleague looks at the {amount}.",
    "refund_rejected": "No refund: {approval.message}",
    "refund_too_late": "Too late for order {order_id}.",
    "refund_no": "No refund for order {order_id}.",
    "refund_already": "Order {order_id} was refunded before.",
    "refund_done": "Refunded {refund.amount}.",
    "answer": "{answer}",
    "clarify": "Is it {options}?",
    "result_order": "Order {order.order_id}: {order.total}.",
}
METHODS = [
    {"id": "email", "tool": "verify", "slots": {"email": "email", "postcode": "postcode"}, "assurance": 2},
    {"id": "order", "tool": "verify", "slots": {"order_id": "order_id", "postcode": "postcode"}, "assurance": 2},
]


def card(name: str, kind: str, returns: str, required: str = "", optional: str = "", **more: object) -> ToolCard:
    return ToolCard(name, kind, returns, frozenset(required.split()), frozenset(optional.split()), **more)  # type: ignore[arg-type]  # literal kinds


@pytest.fixture(scope="session")
def sheets() -> Sheets:
    tools = [
        card("verify", "read", "customer", "postcode", "email order_id"),
        card("list_orders", "read", "orders", examples=("list all my orders", "show me what I bought")),
        card(
            "get_order", "read", "order", "order_id", examples=("how much did I pay for order 20418", "what was in it")
        ),
        card(
            "refund_order",
            "write",
            "refund",
            "order_id item_ids amount_minor currency",
            "reason",
            amount_argument="amount_minor",
            currency_argument="currency",
        ),
    ]
    voice = Voice(brand="Shop", assistant="Bo, an AI", disclosure="I'm Bo, an AI assistant.", templates=TEMPLATES)
    journeys = [Journey.model_validate(each) for each in JOURNEYS]
    return Sheets(
        journeys={journey.id: journey for journey in journeys},
        voice=voice,
        tools={tool.name: tool for tool in tools},
        methods=tuple(VerificationMethod.model_validate(each) for each in METHODS),
    )


@pytest.fixture
def task() -> Callable[..., WorkflowTask]:
    """A workflow task of a verified customer; what a test doesn't say is empty."""

    def make(**fields: object) -> WorkflowTask:
        blank = {
            "journey": "refund",
            "text": "",
            "act": "inform",
            "flags": [],
            "known": [],
            "attempts": [],
            "eligibility": [],
            "confirmations": [],
            "authentication": AuthenticationAdvice(state="enough"),
            "asked": {},
            "question": None,
            "now": datetime(2026, 11, 21, 10, tzinfo=UTC),
        }
        return WorkflowTask.model_validate(blank | fields)

    return make
