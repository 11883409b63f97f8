"""A realistic set of policies to measure with: one tool, 20 facts, 30 rules and 3 tables, made here and not copied."""

from datetime import UTC, datetime, timedelta
from typing import Final

from policies.contents import PolicyContent
from policies.engine import PolicyEngine
from policies.words import (
    ActionRequest,
    Assurance,
    AutonomyLevel,
    CaseId,
    CustomerId,
    Fact,
    HistoryEvent,
    Json,
    Origin,
    Provenance,
    RequestId,
    Reversibility,
    Risk,
    Situation,
    ToolProfile,
)

NOW: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)

VALUES: Final[dict[str, tuple[str, Json]]] = {
    "owner.customer_id": ("string", "C-1"),
    "order.status": ("string", "delivered"),
    "order.total_minor": ("int", 20_000),
    "order.refundable_minor": ("int", 20_000),
    "order.currency": ("string", "EUR"),
    "order.delivered_at": ("timestamp", "2026-11-11T09:00:00Z"),
    "order.days_since_delivery": ("int", 10),
    "order.weight_kg": ("float", 1.5),
    "order.gift": ("bool", False),
    "order.channel": ("string", "web"),
    "order.country": ("string", "DE"),
    "order.item_count": ("int", 3),
    "payment.method": ("string", "card"),
    "payment.captured": ("bool", True),
    "payment.disputed": ("bool", False),
    "customer.tier": ("string", "gold"),
    "customer.refunds_90d": ("int", 1),
    "customer.refunded_90d_minor": ("int", 3_000),
    "customer.blocked": ("bool", False),
    "shipment.state": ("string", "delivered"),
}
"""Fact → type and value."""

TOOL: Final = ToolProfile(
    name="refund_order",
    kind="write",
    risk=Risk.HIGH,
    reversibility=Reversibility.COMPENSABLE,
    argument_types={"order_id": "string", "amount_minor": "int", "currency": "string", "reason": "string"},
    fact_types={name: kind for name, (kind, _) in VALUES.items()},
    amount_argument="amount_minor",
    currency_argument="currency",
    record_argument="order_id",
)
READ: Final = ToolProfile(
    name="get_order",
    kind="read",
    risk=Risk.LOW,
    reversibility=Reversibility.REVERSIBLE,
    argument_types={"order_id": "string"},
    fact_types={"owner.customer_id": "string"},
    record_argument="order_id",
    reads_record="order_id",
)

NEVER: Final = (
    "args.amount_minor > order.refundable_minor",
    "args.amount_minor <= 0",
    "args.currency != order.currency",
    "order.status in ['cancelled', 'refunded', 'pending']",
    "customer.blocked",
    "payment.disputed",
    "!payment.captured",
    "order.days_since_delivery > 60",
    "order.item_count == 0",
    "order.gift && args.reason == 'unwanted'",
    "shipment.state == 'in_transit' && args.reason != 'lost'",
    "order.country in ['XX', 'YY', 'ZZ']",
    "customer.refunds_90d >= 10",
    "order.weight_kg > 100.0",
    "now - order.delivered_at > days(90)",
    "payment.method == 'gift_card' && args.amount_minor > 5000",
)
"""Conditions of hard constraints; none of them holds for the sample."""

THRESHOLDS: Final = (
    "args.amount_minor > 10000",
    "customer.refunded_90d_minor + args.amount_minor > 60000",
    "customer.refunds_90d >= 3",
    "order.total_minor > 200000",
    "args.reason in ['damaged', 'wrong_item']",
    "order.channel == 'marketplace'",
    "customer.tier == 'new' && args.amount_minor > 2000",
)
"""Conditions of thresholds; none of them holds for the sample."""

TABLES: Final = """
tables:
  - id: refund_share
    why: The share follows from state and age.
    source: Sample
    hit: first
    applies_to: refund_order
    inputs:
      order.status: {type: string, values: [pending, shipped, delivered, cancelled, refunded]}
      order.days_since_delivery: {type: int, min: 0}
    outputs: {percent: int, effect: effect}
    rows:
      - {if: {order.status: delivered, order.days_since_delivery: "<= 30"}, then: {percent: 100, effect: allow}}
      - {if: {order.status: delivered, order.days_since_delivery: "31..60"}, then: {percent: 50, effect: allow}}
      - {if: {order.status: [pending, shipped]}, then: {percent: 100, effect: allow}}
    otherwise: {percent: 0, effect: deny}
  - id: refund_method
    why: Money goes back the way it came.
    source: Sample
    hit: unique
    applies_to: refund_order
    inputs:
      payment.method: {type: string, values: [card, gift_card, invoice, wallet]}
    outputs: {way: string, effect: effect}
    rows:
      - {if: {payment.method: [card, wallet]}, then: {way: original, effect: allow}}
      - {if: {payment.method: gift_card}, then: {way: voucher, effect: allow}}
      - {if: {payment.method: invoice}, then: {way: transfer, effect: require_approval}}
  - id: refund_care
    why: Heavy and gift orders are looked at.
    source: Sample
    hit: first
    applies_to: refund_order
    inputs:
      order.weight_kg: {type: float, min: 0}
      order.gift: {type: bool}
    outputs: {effect: effect}
    rows:
      - {if: {order.weight_kg: "> 30"}, then: {effect: require_approval}}
      - {if: {order.gift: true}, then: {effect: require_approval}}
    otherwise: {effect: allow}
"""

REQUEST: Final = ActionRequest(
    id=RequestId("req-1"),
    tool="refund_order",
    arguments={"order_id": "W1", "amount_minor": 4_000, "currency": "EUR", "reason": "unwanted"},
    specialist="workflow",
    provenance={"amount_minor": Provenance(Origin.FACT, "order.refundable_minor")},
)
FACTS: Final = {name: Fact(value, "orders database", NOW) for name, (_, value) in VALUES.items()}
SITUATION: Final = Situation(
    now=NOW,
    customer_id=CustomerId("C-1"),
    assurance=Assurance.VERIFIED,
    level=AutonomyLevel.SUPERVISED,
    case_id=CaseId("case-1"),
    history=(
        HistoryEvent("call", "get_order", {"order_id": "W1"}, at=NOW - timedelta(minutes=5)),
        HistoryEvent("confirmation", "refund_order", REQUEST.arguments, at=NOW - timedelta(minutes=1)),
    ),
    uses={"baseline.money-per-customer|C-1": ()},
)


def sample_engine() -> PolicyEngine:
    """The sample's policies, compiled: 30 rules about the refund beside its tables and the matrix."""
    return PolicyEngine(sample_content().load({TOOL.name: TOOL, READ.name: READ}))


def sample_content() -> PolicyContent:
    """The sample as policy files."""
    examples = "    examples: {allows: [{}], stops: [{}]}\n"
    lines = ["never:\n"]
    for number, condition in enumerate(NEVER):
        lines.append(f"  - id: never-{number:02}\n    why: It objects to {{args.amount_minor}}.\n    source: Sample\n")
        lines.append(f"    applies_to: refund_order\n    when: {_quoted(condition)}\n{examples}")
    lines.append("thresholds:\n")
    for number, condition in enumerate(THRESHOLDS):
        lines.append(f"  - id: asks-{number:02}\n    why: It asks about {{args.amount_minor}}.\n    source: Sample\n")
        lines.append(f"    applies_to: refund_order\n    when: {_quoted(condition)}\n{examples}")
    lines.append(
        "permissions:\n  - id: workflow-refunds\n    why: The workflow may refund.\n    source: Sample\n"
        f"    who: [workflow]\n    applies_to: all\n{examples}"
    )
    return PolicyContent(
        {"policies/rules.yaml": "".join(lines), "policies/tables.yaml": TABLES},
        {"money_per_customer": {"EUR": 50_000}},
    )


def _quoted(condition: str) -> str:
    return f'"{condition}"'
