"""The tools of Linden & Loom: what the AI may ask the shop and its payment provider to do."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from policies.words import Reversibility, Risk
from tools.spec import BusinessSystem, Compensation, ToolSpec

from .arguments import (
    CancelOrder,
    ChangeAddress,
    NoArguments,
    OneOrder,
    QuoteRefund,
    RefundOrder,
    VerifyCustomer,
)
from .calls import (
    cancel_order,
    change_shipping_address,
    get_order,
    list_orders,
    probe_cancellation,
    probe_refund,
    quote_refund,
    read_verification,
    refund_order,
    track_shipment,
    verify_customer,
)
from .facts import ADDRESS, ORDER, OWNER, REFUND
from .fixtures import build
from .systems import Payments, Shop

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
        compensation=Compensation(
            "change_shipping_address", {"order_id": "arguments.order_id", "address": "result.before"}
        ),
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
