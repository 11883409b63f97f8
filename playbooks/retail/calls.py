"""What the tools do: each takes its arguments to the shop or its payment provider and tells what came of it."""

from collections.abc import Mapping

from policies.words import CustomerId, Json
from tools.errors import ToolRefused
from tools.spec import ToolContext, ToolResult, Verification

from .arguments import CancelOrder, ChangeAddress, NoArguments, OneOrder, QuoteRefund, RefundOrder, VerifyCustomer
from .orders import SHIPMENT_WORDS, STATUS_WORDS, Address, Order
from .postcodes import country_code, is_postcode
from .refunds import due_for
from .systems import Cancellation, Payments, Refund, Shop

LISTED_ORDERS = 10
"""How many of a customer's latest orders are listed."""


async def verify_customer(arguments: VerifyCustomer, context: ToolContext) -> ToolResult:
    shop: Shop = context.systems["shop"]
    customer = await shop.identify(
        email=arguments.email, order_id=arguments.order_id, postcode=arguments.postcode, name=arguments.name
    )
    if customer is None:
        # The same answer whatever part was wrong, so that nobody can probe for customers.
        raise ToolRefused("not_verified", "These details don't belong together.")
    return ToolResult(
        {"customer_id": customer.id, "name": customer.name, "first_name": customer.name.split()[0], "assurance": 2}
    )


async def list_orders(arguments: NoArguments, context: ToolContext) -> ToolResult:
    shop: Shop = context.systems["shop"]
    if context.customer_id is None:
        raise ToolRefused("not_verified", "Nobody was verified in this conversation.")
    orders = await shop.orders_of(context.customer_id, limit=LISTED_ORDERS)
    listed: list[Json] = [
        {
            "order_id": order.id,
            "placed_on": order.placed_at.date().isoformat(),
            "status": order.status,
            "status_words": STATUS_WORDS[order.status],
            "items": ", ".join(item.label for item in order.items),
            "total": _money(order.total_minor, order.currency),
        }
        for order in orders
    ]
    summary: list[Json] = [f"{order.id} ({', '.join(item.label for item in order.items)})" for order in orders]
    return ToolResult({"count": len(listed), "orders": listed, "summary": summary})


async def get_order(arguments: OneOrder, context: ToolContext) -> ToolResult:
    order = await _order(arguments.order_id, context)
    value: dict[str, Json] = {
        "order_id": order.id,
        "status": order.status,
        "status_words": STATUS_WORDS[order.status],
        "placed_on": order.placed_at.date().isoformat(),
        "items": [
            {
                "item_id": item.id,
                "name": item.name,
                "variant": item.variant,
                "quantity": item.quantity,
                "price": _money(item.total_minor, order.currency),
                "final_sale": item.final_sale,
            }
            for item in order.items
        ],
        "item_names": [item.label for item in order.items],
        "shipping_cost": _money(order.shipping_minor, order.currency),
        "total": _money(order.total_minor, order.currency),
        "address": order.address.as_json(),
        "payment_method": order.payment.label,
        "refunded": _money(order.payment.refunded_minor, order.currency),
    }
    if order.shipment is not None:
        value["shipment"] = _parcel(order)
    if order.returned is not None:
        value["return"] = {
            "return_id": order.returned.id,
            "status": order.returned.status,
            "registered_on": order.returned.registered_at.date().isoformat(),
        }
    return ToolResult(value)


async def track_shipment(arguments: OneOrder, context: ToolContext) -> ToolResult:
    order = await _order(arguments.order_id, context)
    if order.shipment is None:
        raise ToolRefused("not_shipped", "The order has not left the warehouse.")
    return ToolResult({"order_id": order.id, **_parcel(order)})


async def quote_refund(arguments: QuoteRefund, context: ToolContext) -> ToolResult:
    payments: Payments = context.systems["payments"]
    order = await payments.order(arguments.order_id)
    if order is None:
        raise ToolRefused("not_found", "There is no order of that number.")
    known = {item.id for item in order.items}
    if arguments.item_ids is not None and not set(arguments.item_ids) <= known:
        raise ToolRefused("unknown_item", "The order has no such item.")
    due = due_for(order, item_ids=arguments.item_ids, claim=arguments.claim)
    return ToolResult(
        {
            "order_id": order.id,
            "item_ids": [item.id for item in due.items],
            "items": [
                {
                    "item_id": item.id,
                    "name": item.name,
                    "variant": item.variant,
                    "price": _money(item.total_minor, order.currency),
                }
                for item in due.items
            ],
            "item_names": [item.label for item in due.items],
            "amount": _money(due.amount_minor, order.currency),
            "reason": due.reason,
            "method": order.payment.label,
        }
    )


async def refund_order(arguments: RefundOrder, context: ToolContext) -> ToolResult:
    payments: Payments = context.systems["payments"]
    refund = await payments.refund(
        arguments.order_id,
        amount_minor=arguments.amount_minor,
        currency=arguments.currency,
        reason=arguments.reason,
        item_ids=arguments.item_ids,
        reference=context.idempotency_key,
        now=context.now,
    )
    return _refund_result(refund)


async def probe_refund(arguments: Mapping[str, Json], context: ToolContext) -> ToolResult | None:
    payments: Payments = context.systems["payments"]
    refund = await payments.refund_by_reference(str(arguments["order_id"]), reference=context.idempotency_key)
    return None if refund is None else _refund_result(refund)


async def change_shipping_address(arguments: ChangeAddress, context: ToolContext) -> ToolResult:
    shop: Shop = context.systems["shop"]
    order = await _order(arguments.order_id, context)
    given = arguments.address
    country = country_code(given.country) if given.country else order.address.country
    if not is_postcode(given.postcode, country):
        raise ToolRefused("invalid_address", "The postcode doesn't fit the country.")
    address = Address(
        street=f"{given.street}, {given.line2}" if given.line2 else given.street,
        city=f"{given.city}, {given.region}" if given.region else given.city,
        postcode=given.postcode,
        country=country,
    )
    changed = await shop.change_address(order.id, address=address, reference=context.idempotency_key, now=context.now)
    return ToolResult(
        {
            "order_id": order.id,
            "status": "changed",
            "address": changed.address.as_json(),
            "before": changed.before.as_json(),
        }
    )


async def cancel_order(arguments: CancelOrder, context: ToolContext) -> ToolResult:
    shop: Shop = context.systems["shop"]
    done = await shop.cancel(
        arguments.order_id, reason=arguments.reason or "", reference=context.idempotency_key, now=context.now
    )
    return _cancellation_result(done)


async def probe_cancellation(arguments: Mapping[str, Json], context: ToolContext) -> ToolResult | None:
    shop: Shop = context.systems["shop"]
    done = await shop.cancellation(str(arguments["order_id"]), reference=context.idempotency_key)
    return None if done is None else _cancellation_result(done)


def read_verification(value: dict[str, Json]) -> Verification | None:
    """Who a successful check says this is."""
    customer_id, assurance = value.get("customer_id"), value.get("assurance")
    if not isinstance(customer_id, str) or not isinstance(assurance, int):
        return None
    return Verification(CustomerId(customer_id), assurance)


async def _order(order_id: str, context: ToolContext) -> Order:
    shop: Shop = context.systems["shop"]
    order = await shop.order(order_id)
    if order is None:
        raise ToolRefused("not_found", "There is no order of that number.")
    return order


def _parcel(order: Order) -> dict[str, Json]:
    shipment = order.shipment
    if shipment is None:
        return {}
    value: dict[str, Json] = {
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "status": shipment.status,
        "status_words": SHIPMENT_WORDS[shipment.status],
        "shipped_on": shipment.shipped_at.date().isoformat(),
        "eta": shipment.eta,
        "last_event": shipment.last_event,
        "last_seen_on": shipment.last_event_at.date().isoformat(),
    }
    if shipment.delivered_at is not None:
        value["delivered_on"] = shipment.delivered_at.date().isoformat()
    return value


def _refund_result(refund: Refund) -> ToolResult:
    return ToolResult(
        {
            "refund_id": refund.id,
            "order_id": refund.order_id,
            "status": "issued",
            "amount": _money(refund.amount_minor, refund.currency),
            "method": refund.method,
            "item_ids": list(refund.item_ids),
            "reason": refund.reason,
        }
    )


def _cancellation_result(done: Cancellation) -> ToolResult:
    return ToolResult(
        {
            "order_id": done.order_id,
            "status": "cancelled",
            "payment": "refunded" if done.refunded_minor else "released",
            "refunded": _money(done.refunded_minor, done.currency),
            "method": done.method,
        }
    )


def _money(amount_minor: int, currency: str) -> dict[str, Json]:
    return {"amount_minor": amount_minor, "currency": currency}
