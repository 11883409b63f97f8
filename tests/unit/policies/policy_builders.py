"""Tools of a small shop, and short ways to load policies and to ask them, for the tests of the policies floor."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from policies.engine import PolicyEngine, load_policies
from policies.errors import Mistake, PlaybookMistakes
from policies.loading import BASELINE
from policies.words import (
    ActionRequest,
    Assurance,
    AutonomyLevel,
    CaseId,
    CustomerId,
    Decision,
    Fact,
    HistoryEvent,
    Origin,
    Provenance,
    RequestId,
    Reversibility,
    Risk,
    Situation,
    ToolProfile,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

ORDER_FACTS = {
    "owner.customer_id": "string",
    "order.status": "string",
    "order.total_minor": "int",
    "order.refundable_minor": "int",
    "order.currency": "string",
    "order.delivered_at": "timestamp",
    "order.days_since_delivery": "int",
    "order.weight_kg": "float",
    "order.gift": "bool",
}

TOOLS = {
    profile.name: profile
    for profile in (
        ToolProfile(
            name="get_order",
            kind="read",
            risk=Risk.LOW,
            reversibility=Reversibility.REVERSIBLE,
            argument_types={"order_id": "string"},
            fact_types={"owner.customer_id": "string"},
            record_argument="order_id",
            reads_record="order_id",
        ),
        ToolProfile(
            name="verify_customer",
            kind="write",
            risk=Risk.LOW,
            reversibility=Reversibility.REVERSIBLE,
            argument_types={"email": "string", "postcode": "string"},
            verifies=True,
        ),
        ToolProfile(
            name="refund_order",
            kind="write",
            risk=Risk.HIGH,
            reversibility=Reversibility.COMPENSABLE,
            argument_types={
                "order_id": "string",
                "item_ids": "list<string>",
                "amount_minor": "int",
                "currency": "string",
                "reason": "string",
            },
            fact_types=ORDER_FACTS,
            amount_argument="amount_minor",
            currency_argument="currency",
            record_argument="order_id",
        ),
        ToolProfile(
            name="change_shipping_address",
            kind="write",
            risk=Risk.MEDIUM,
            reversibility=Reversibility.REVERSIBLE,
            argument_types={"order_id": "string", "street": "string", "postcode": "string", "city": "string"},
            fact_types={"owner.customer_id": "string", "order.status": "string"},
            record_argument="order_id",
        ),
        ToolProfile(
            name="cancel_order",
            kind="write",
            risk=Risk.HIGH,
            reversibility=Reversibility.IRREVERSIBLE,
            argument_types={"order_id": "string", "reason": "string"},
            fact_types={"owner.customer_id": "string", "order.status": "string"},
            record_argument="order_id",
        ),
    )
}

PERMIT_ALL = """
permissions:
  - id: everything
    why: Tests may use every tool.
    source: Tests
    who: [workflow, reviewer]
    applies_to: all
    examples:
      allows: [{specialist: workflow}]
      stops: [{specialist: drafting}]
"""

EXAMPLES = "    examples: {allows: [{args.order_id: W1}], stops: [{args.order_id: W2}]}"

MONEY = """
parameters: {money_per_customer: {EUR: 50000}}
"""

REFUND = {"order_id": "W1", "amount_minor": 4000, "currency": "EUR"}

ORDER = {
    "owner.customer_id": "C-1",
    "order.status": "delivered",
    "order.total_minor": 20000,
    "order.refundable_minor": 20000,
    "order.currency": "EUR",
    "order.delivered_at": "2026-11-11T09:00:00Z",
    "order.days_since_delivery": 10,
    "order.weight_kg": 1.5,
    "order.gift": False,
}


def engine(
    directory: Path,
    *texts: str,
    tools: Mapping[str, ToolProfile] = TOOLS,
    baseline: bool = False,
    parameters: Mapping[str, Any] | None = None,
) -> PolicyEngine:
    """An engine for policy files with these texts."""
    files = []
    for index, text in enumerate(texts):
        file = directory / f"rules{index}.yaml"
        file.write_text(text, encoding="utf-8")
        files.append(file)
    return PolicyEngine(
        load_policies(files, tools, parameters, baseline=BASELINE if baseline else None, root=directory)
    )


def mistakes(directory: Path, *texts: str, **options: Any) -> tuple[Mistake, ...]:
    """The mistakes in policy files with these texts; empty if they load."""
    try:
        engine(directory, *texts, **options)
    except PlaybookMistakes as error:
        return error.mistakes
    return ()


def request(tool: str = "refund_order", /, **changes: Any) -> ActionRequest:
    """A proposal of the workflow specialist: a refund of 40.00 EUR unless said otherwise."""
    made = ActionRequest(
        id=RequestId("r-1"),
        tool=tool,
        arguments=REFUND if tool == "refund_order" else {"order_id": "W1"},
        specialist="workflow",
        provenance={"amount_minor": Provenance(Origin.FACT, "order.refundable_minor")},
    )
    return replace(made, **changes)


def facts(**changes: Any) -> dict[str, Fact]:
    """The facts of an order delivered ten days ago; `order_status=…` for "order.status", None for null."""
    values = {**ORDER, **{name.replace("_", ".", 1): value for name, value in changes.items()}}
    return {name: Fact(value, "orders database", NOW) for name, value in values.items()}


def situation(**changes: Any) -> Situation:
    """A verified customer in a case where the order was read."""
    made = Situation(
        now=NOW,
        customer_id=CustomerId("C-1"),
        assurance=Assurance.VERIFIED,
        level=AutonomyLevel.SUPERVISED,
        case_id=CaseId("case-1"),
        history=(HistoryEvent("call", "get_order", {"order_id": "W1"}, at=NOW - timedelta(minutes=5)),),
    )
    return replace(made, **changes)


def confirmed(of: ActionRequest, **changes: Any) -> Situation:
    """The same, and the customer said yes to this request."""
    made = situation(**changes)
    return replace(made, history=(*made.history, HistoryEvent("confirmation", of.tool, of.arguments)))


def decide(asked: PolicyEngine, of: ActionRequest, known: Mapping[str, Fact], when: Situation) -> Decision:
    """The decision, with no past uses but those that the situation holds."""
    uses = {key.key: () for key in asked.limits_for(of, known, when)}
    return asked.decide(of, known, replace(when, uses={**uses, **when.uses}))
