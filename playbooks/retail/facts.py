"""What policy reads from the shop and its payments before a call is decided."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from policies.words import Fact, Facts, Json
from tools.spec import FactProvider, ToolContext

from .catalogue import COUNTRIES
from .postcodes import country_code, is_postcode
from .refunds import due_for
from .systems import Payments, Shop

ROLLING_WINDOW = timedelta(days=90)
"""Over how long a customer's refunds are counted."""


async def read_owner(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """Whose order is named. An order that doesn't exist has the owner "": nobody's, so never the customer's own."""
    order = await _shop(context).order(str(arguments["order_id"]))
    return facts_of(_shop(context).name, context.now, {"owner.customer_id": order.customer_id if order else ""})


async def read_order(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """The order's state. What doesn't apply to it yet is null."""
    order = await _shop(context).order(str(arguments["order_id"]))
    if order is None:
        return {}
    delivered = order.shipment.delivered_at if order.shipment else None
    values: dict[str, Json] = {
        "order.status": order.status,
        "order.total_minor": order.total_minor,
        "order.currency": order.currency,
        "order.placed_at": order.placed_at.isoformat(),
        "order.delivered_at": delivered.isoformat() if delivered else None,
        "order.days_since_delivery": order.days_since_delivery(context.now) if delivered else None,
        "shipment.status": order.shipment.status if order.shipment else "none",
        "return.status": order.returned.status if order.returned else "none",
        "return.days_after_delivery": order.return_days if order.return_days >= 0 else None,
    }
    return facts_of(_shop(context).name, context.now, values)


async def read_refund(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """What may go back for the items that a refund names, and what went back to this customer before."""
    payments = _payments(context)
    order = await payments.order(str(arguments["order_id"]))
    if order is None:
        return {}
    wanted = arguments.get("item_ids")
    item_ids = [str(item) for item in wanted] if isinstance(wanted, list) else [item.id for item in order.items]
    due = due_for(order, item_ids=item_ids, claim=str(arguments.get("reason", "none")))
    named = [item for item in order.items if item.id in item_ids]
    final_sale = any(item.final_sale for item in named) if named else all(item.final_sale for item in order.items)
    count, total = await payments.refunds_since(order.customer_id, since=context.now - ROLLING_WINDOW)
    values: dict[str, Json] = {
        "refund.reason": due.reason,
        "refund.due_minor": due.amount_minor,
        "refund.refundable_minor": order.payment.refundable_minor,
        "refund.refunded_minor": order.payment.refunded_minor,
        "refund.currency": order.currency,
        "refund.all_items_due": bool(item_ids) and {item.id for item in due.items} == set(item_ids),
        "refund.final_sale": final_sale,
        "refund.count_90d": count,
        "refund.total_90d_minor": total,
    }
    return facts_of(payments.name, context.now, values)


async def read_address(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """Whether the new address is one that the shop delivers to."""
    order = await _shop(context).order(str(arguments["order_id"]))
    address = arguments["address"]
    if order is None or not isinstance(address, dict):
        return {}
    country = country_code(str(address.get("country") or order.address.country))
    values: dict[str, Json] = {
        "address.complete": all(address.get(part) for part in ("street", "city", "postcode")),
        "address.country": country,
        "address.country_supported": country in COUNTRIES,
        "address.postcode_valid": is_postcode(str(address.get("postcode", "")), country),
    }
    return facts_of(_shop(context).name, context.now, values)


OWNER = FactProvider(read=read_owner, facts={"owner.customer_id": "string"})
ORDER = FactProvider(
    read=read_order,
    facts={
        "order.status": "string",
        "order.total_minor": "int",
        "order.currency": "string",
        "order.placed_at": "timestamp",
        "order.delivered_at": "timestamp",
        "order.days_since_delivery": "int",
        "shipment.status": "string",
        "return.status": "string",
        "return.days_after_delivery": "int",
    },
    clock_facts=frozenset({"order.days_since_delivery"}),
)
REFUND = FactProvider(
    read=read_refund,
    facts={
        "refund.reason": "string",
        "refund.due_minor": "int",
        "refund.refundable_minor": "int",
        "refund.refunded_minor": "int",
        "refund.currency": "string",
        "refund.all_items_due": "bool",
        "refund.final_sale": "bool",
        "refund.count_90d": "int",
        "refund.total_90d_minor": "int",
    },
)
ADDRESS = FactProvider(
    read=read_address,
    facts={
        "address.complete": "bool",
        "address.country": "string",
        "address.country_supported": "bool",
        "address.postcode_valid": "bool",
    },
)


def _shop(context: ToolContext) -> Shop:
    shop: Shop = context.systems["shop"]
    return shop


def _payments(context: ToolContext) -> Payments:
    payments: Payments = context.systems["payments"]
    return payments


def facts_of(source: str, now: datetime, values: Mapping[str, Json]) -> dict[str, Fact]:
    """These values as facts of one source, read now."""
    return {name: Fact(value, source, now) for name, value in values.items()}
