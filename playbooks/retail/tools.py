"""The tools of Linden & Loom: what the AI may ask the shop and its payment provider to do."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from policies.words import CustomerId, Json, Reversibility, Risk
from tools.errors import ToolRefused
from tools.spec import BusinessSystem, ToolContext, ToolResult, ToolSpec, Verification

from .facts import ADDRESS, ORDER, OWNER, REFUND
from .fixtures import build
from .orders import SHIPMENT_WORDS, STATUS_WORDS, Address, Order
from .postcodes import country_code, is_postcode
from .refunds import due_for
from .systems import Cancellation, Payments, Refund, Shop

LISTED_ORDERS = 10
"""How many of a customer's latest orders are listed."""


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


OrderId = Annotated[str, Field(min_length=1, max_length=40, description='The order\'s number, for example "20418".')]
ItemIds = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=40)]],
    Field(min_length=1, max_length=100, description='Ids of items of the order, for example ["20418-1"].'),
    AfterValidator(lambda ids: sorted(set(ids))),
]


class VerifyCustomer(_Arguments):
    """Who the customer says they are."""

    postcode: Annotated[str, Field(min_length=2, max_length=16, description='Postcode of the account, "10435".')]
    email: Annotated[str, Field(min_length=3, max_length=254)] | None = None
    """E-mail of the account, "mira.okafor@example.org"; this or `order_id`."""
    order_id: OrderId | None = None
    name: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    """First and last name, if the customer gave both: "Mira Okafor"."""


class NoArguments(_Arguments):
    """Nothing: the customer is the one who was verified."""


class OneOrder(_Arguments):
    """One order."""

    order_id: OrderId


class QuoteRefund(_Arguments):
    """What a refund is asked for."""

    order_id: OrderId
    item_ids: ItemIds | None = None
    """Only these items; all that may go back if left out."""
    claim: Literal["damaged", "wrong_item", "none"] = "none"
    """What the customer says is wrong with the goods."""


class RefundOrder(_Arguments):
    """A refund exactly as it was quoted."""

    order_id: OrderId
    item_ids: ItemIds
    amount_minor: Annotated[int, Field(gt=0, le=10_000_000, description="In minor units: 14890 is 148.90.")]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", description='"EUR".')]
    reason: Literal["returned", "lost", "damaged", "wrong_item"]


class NewAddress(_Arguments):
    """A full address."""

    street: Annotated[str, Field(min_length=2, max_length=120)]
    """With house number: "42 Elm Street"."""
    line2: Annotated[str, Field(max_length=80)] | None = None
    """What else belongs to it: "Apt 3"."""
    city: Annotated[str, Field(min_length=1, max_length=80)]
    postcode: Annotated[str, Field(min_length=2, max_length=16)]
    region: Annotated[str, Field(max_length=60)] | None = None
    """Where addresses have one: "TX"."""
    country: Annotated[str, Field(min_length=2, max_length=60)] | None = None
    """Name or code, "Germany" or "DE"; the order's own country if left out."""


class ChangeAddress(_Arguments):
    """Where an order should go instead."""

    order_id: OrderId
    address: NewAddress


class CancelOrder(_Arguments):
    """Which order, and why."""

    order_id: OrderId
    reason: Annotated[str, Field(max_length=200)] | None = None
    """In the customer's words, if they gave one: "found it cheaper"."""


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
    return ToolResult({"order_id": order.id, "status": "changed", "address": changed.as_json()})


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
    return Verification(CustomerId(customer_id), assurance, str(value.get("name", "")))


TOOLS: Sequence[ToolSpec] = (
    ToolSpec(
        name="verify_customer",
        description=(
            "Check who is writing: postcode (10435) with the account's e-mail (mira.okafor@example.org) or with the"
            " number of one of their orders (20418). Use it before anything about orders. Not for a customer who is"
            " verified."
        ),
        system="shop",
        kind="read",
        arguments=VerifyCustomer,
        call=verify_customer,
        returns="customer",
        verification=read_verification,
        summary="Check a customer's identity",
    ),
    ToolSpec(
        name="list_orders",
        description=(
            "The verified customer's latest orders. Takes nothing. Not when the order's number is known: get_order."
        ),
        system="shop",
        kind="read",
        arguments=NoArguments,
        call=list_orders,
        returns="orders",
        summary="List the customer's latest orders",
        examples=(
            "show me my orders",
            "what did I order recently",
            "list everything I bought from you",
            "can you look up my recent orders",
            "which orders are on my account",
        ),
    ),
    ToolSpec(
        name="get_order",
        description=(
            "One order (20418): its items, state, total, address, payment and parcel. Not for what could be refunded:"
            " quote_refund."
        ),
        system="shop",
        kind="read",
        arguments=OneOrder,
        call=get_order,
        returns="order",
        providers=(OWNER, ORDER),
        reads_record="order_id",
        record_argument="order_id",
        summary="Look at order {order_id}",
        examples=(
            "what was in order 20418",
            "how much did I pay for order 20418",
            "which address does order 20418 go to",
            "what did I pay with for that order",
            "show me the details of order 20418",
        ),
    ),
    ToolSpec(
        name="track_shipment",
        description="Where the parcel of one order (20731) is. Not for an order that hasn't left: get_order says so.",
        system="shop",
        kind="read",
        arguments=OneOrder,
        call=track_shipment,
        returns="shipment",
        providers=(OWNER,),
        record_argument="order_id",
        summary="Track the parcel of order {order_id}",
        examples=(
            "what is the tracking number for order 20731",
            "which carrier brings order 20731",
            "where was my parcel last scanned",
            "give me the tracking link for order 20731",
            "who is delivering order 20731",
        ),
    ),
    ToolSpec(
        name="quote_refund",
        description=(
            "What could be refunded for one order (20418), all of it or some items (20418-1), and to which card."
            ' claim: "damaged" or "wrong_item" if the customer says so, else "none". Moves nothing; always before'
            " refund_order."
        ),
        system="payments",
        kind="read",
        arguments=QuoteRefund,
        call=quote_refund,
        returns="quote",
        providers=(OWNER,),
        reads_record="order_id",
        record_argument="order_id",
        summary="Work out what can be refunded for order {order_id}",
        examples=(
            "how much would I get back for order 20418",
            "what could be refunded on order 20418",
            "to which card would the money go back",
            "is there anything left to refund on order 20418",
            "how much of order 20418 can I get back",
        ),
    ),
    ToolSpec(
        name="refund_order",
        description=(
            "Give money back for items (20418-1) of an order (20418), with amount_minor (14890), currency (EUR) and"
            " reason (returned) exactly as quote_refund said. Not before the customer confirmed them. Not for a"
            " cancellation: cancel_order gives the money back itself."
        ),
        system="payments",
        kind="write",
        arguments=RefundOrder,
        call=refund_order,
        returns="refund",
        risk=Risk.HIGH,
        reversibility=Reversibility.IRREVERSIBLE,
        identity=("order_id", "item_ids"),
        providers=(OWNER, ORDER, REFUND),
        amount_argument="amount_minor",
        currency_argument="currency",
        record_argument="order_id",
        probe=probe_refund,
        settling_time=timedelta(seconds=2),
        summary="Refund {amount} for order {order_id}",
    ),
    ToolSpec(
        name="change_shipping_address",
        description=(
            'Send an order (21102) to another address: street ("42 Elm Street"), line2 ("Apt 3"), city, postcode,'
            " country (DE). Not once it is packed, and not for the account's own address."
        ),
        system="shop",
        kind="write",
        arguments=ChangeAddress,
        call=change_shipping_address,
        returns="address_change",
        risk=Risk.MEDIUM,
        reversibility=Reversibility.REVERSIBLE,
        identity=("order_id", "address"),
        providers=(OWNER, ORDER, ADDRESS),
        record_argument="order_id",
        idempotent=True,
        settling_time=timedelta(seconds=2),
        summary="Send order {order_id} to {address}",
    ),
    ToolSpec(
        name="cancel_order",
        description=(
            "Cancel an order (21102) that isn't packed yet and give back what was paid for it. Not for an order that"
            " was shipped: that is a return."
        ),
        system="shop",
        kind="write",
        arguments=CancelOrder,
        call=cancel_order,
        returns="cancellation",
        risk=Risk.MEDIUM,
        reversibility=Reversibility.IRREVERSIBLE,
        identity=("order_id",),
        providers=(OWNER, ORDER),
        record_argument="order_id",
        probe=probe_cancellation,
        settling_time=timedelta(seconds=2),
        summary="Cancel order {order_id}",
    ),
)


async def open_systems(directory: Path) -> dict[str, BusinessSystem]:
    """Open the systems of record whose files `build_fixtures` wrote into `directory`."""
    return {"shop": Shop(directory), "payments": Payments(directory)}


def build_fixtures(directory: Path, *, now: datetime) -> None:
    """Write the shop's records as of `now`."""
    build(directory, now=now)


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
