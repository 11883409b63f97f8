"""What the tools for after the purchase do: returns, searches, delivery dates, charges, subscriptions, accounts."""

from collections.abc import Mapping, Sequence

from policies.words import Json
from tools.errors import ToolRefused
from tools.spec import ToolContext, ToolResult

from .accounts import Account, Accounts, Subscription
from .arguments import (
    BookDelivery,
    ChangePhone,
    NoArguments,
    OneAddress,
    OneOrder,
    OneSubscription,
    RegisterReturn,
    SearchParcel,
    SendLink,
)
from .calls import money, read_order_of
from .logistics import Logistics, Registered, Slot
from .orders import Order
from .systems import Charge, Payments

LATE_FROM_DAYS = 3
"""From how many days after the expected one a parcel counts as late."""


async def check_parcel(arguments: OneOrder, context: ToolContext) -> ToolResult:
    order = await read_order_of(arguments.order_id, context)
    logistics: Logistics = context.systems["logistics"]
    search = await logistics.search(order.id)
    late = order.days_late(context.now)
    value: dict[str, Json] = {
        "order_id": order.id,
        "kind": "not_received" if order.status == "delivered" else "late",
        "is_late": late >= LATE_FROM_DAYS,
        "search": search.status if search else "none",
    }
    if search is not None:
        value["searched_since"] = search.opened_at.date().isoformat()
    if order.shipment is not None:
        value |= {
            "carrier": order.shipment.carrier,
            "tracking_number": order.shipment.tracking_number,
            "eta": order.shipment.eta,
            "last_event": order.shipment.last_event,
            "last_seen_on": order.shipment.last_event_at.date().isoformat(),
        }
        if order.shipment.delivered_at is not None:
            value["delivered_on"] = order.shipment.delivered_at.date().isoformat()
    return ToolResult(value)


async def open_search(arguments: SearchParcel, context: ToolContext) -> ToolResult:
    logistics: Logistics = context.systems["logistics"]
    order = await read_order_of(arguments.order_id, context)
    search = await logistics.open_search(
        arguments.order_id, kind=arguments.kind, reference=context.idempotency_key, now=context.now
    )
    carrier = order.shipment.carrier if order.shipment else ""
    return ToolResult({"order_id": search.order_id, "kind": search.kind, "status": search.status, "carrier": carrier})


async def register_return(arguments: RegisterReturn, context: ToolContext) -> ToolResult:
    logistics: Logistics = context.systems["logistics"]
    done = await logistics.register_return(
        arguments.order_id,
        item_ids=arguments.item_ids,
        reason=arguments.reason,
        reference=context.idempotency_key,
        now=context.now,
    )
    return _registered(done)


async def probe_return(arguments: Mapping[str, Json], context: ToolContext) -> ToolResult | None:
    logistics: Logistics = context.systems["logistics"]
    done = await logistics.return_by_reference(str(arguments["order_id"]), reference=context.idempotency_key)
    return None if done is None else _registered(done)


async def list_delivery_slots(arguments: OneOrder, context: ToolContext) -> ToolResult:
    order = await read_order_of(arguments.order_id, context)
    logistics: Logistics = context.systems["logistics"]
    booked = await logistics.appointment(order.id)
    slots = [slot for slot in await logistics.slots(now=context.now) if booked is None or slot.id != booked.id]
    value: dict[str, Json] = {
        "order_id": order.id,
        "count": len(slots),
        "slots": [{"slot_id": slot.id, "day": slot.day.isoformat(), "label": slot.label} for slot in slots],
    }
    if booked is not None:
        value["booked"] = booked.label
    return ToolResult(value)


async def book_delivery(arguments: BookDelivery, context: ToolContext) -> ToolResult:
    logistics: Logistics = context.systems["logistics"]
    slot = await logistics.book(
        arguments.order_id, slot_id=arguments.slot_id, reference=context.idempotency_key, now=context.now
    )
    return _booking(arguments.order_id, slot)


async def probe_booking(arguments: Mapping[str, Json], context: ToolContext) -> ToolResult | None:
    logistics: Logistics = context.systems["logistics"]
    order_id = str(arguments["order_id"])
    slot = await logistics.booking(order_id, reference=context.idempotency_key)
    return None if slot is None else _booking(order_id, slot)


async def list_charges(arguments: OneOrder, context: ToolContext) -> ToolResult:
    payments: Payments = context.systems["payments"]
    order = await read_order_of(arguments.order_id, context)
    charges = await payments.charges(payment_id=order.payment.id)
    return ToolResult(
        {
            "order_id": order.id,
            "finding": _finding(order, charges),
            "amount": money(order.payment.amount_minor, order.currency),
            "refunded": money(order.payment.refunded_minor, order.currency),
            "method": order.payment.label,
            "paid_on": order.placed_at.date().isoformat(),
            "lines": [
                {
                    "kind": charge.kind,
                    "amount": money(charge.amount_minor, charge.currency),
                    "on": charge.at.date().isoformat(),
                }
                for charge in charges
            ],
        }
    )


async def list_subscriptions(arguments: NoArguments, context: ToolContext) -> ToolResult:
    accounts: Accounts = context.systems["accounts"]
    if context.customer_id is None:
        raise ToolRefused("not_verified", "Nobody was verified in this conversation.")
    found = [each for each in await accounts.subscriptions_of(context.customer_id) if each.status != "cancelled"]
    if not found:
        raise ToolRefused("none", "The customer has no subscription.")
    return ToolResult({"count": len(found), "subscriptions": [_subscription(each) for each in found]})


async def end_subscription(arguments: OneSubscription, context: ToolContext) -> ToolResult:
    accounts: Accounts = context.systems["accounts"]
    ended = await accounts.end_subscription(
        arguments.subscription_id, reference=context.idempotency_key, now=context.now
    )
    return ToolResult({"subscription_id": ended.id, "plan": ended.plan, "status": "ended"})


async def get_account(arguments: NoArguments, context: ToolContext) -> ToolResult:
    return ToolResult(_account(await _own_account(context)))


async def change_phone(arguments: ChangePhone, context: ToolContext) -> ToolResult:
    accounts: Accounts = context.systems["accounts"]
    changed = await accounts.change_phone(
        arguments.customer_id,
        revision=arguments.revision,
        phone=arguments.phone,
        reference=context.idempotency_key,
        now=context.now,
    )
    return ToolResult({"customer_id": changed.customer_id, "phone": changed.phone, "status": "changed"})


async def sign_in_help(arguments: OneAddress, context: ToolContext) -> ToolResult:
    # The same for every address: whether it belongs to a customer is nobody's business.
    return ToolResult({"email": arguments.email, "day": context.now.date().isoformat()})


async def send_sign_in_link(arguments: SendLink, context: ToolContext) -> ToolResult:
    accounts: Accounts = context.systems["accounts"]
    await accounts.send_link(arguments.email, reference=context.idempotency_key, now=context.now)
    return _link(arguments.email)


async def probe_link(arguments: Mapping[str, Json], context: ToolContext) -> ToolResult | None:
    accounts: Accounts = context.systems["accounts"]
    done = await accounts.was_asked(reference=context.idempotency_key)
    return _link(str(arguments["email"])) if done else None


def _finding(order: Order, charges: Sequence[Charge]) -> str:
    """What the lines on the statement mean: duplicate, pending_line, reservation, released, single, refunded."""
    taken = sum(charge.kind == "charge" for charge in charges)
    reserved = sum(charge.kind == "reservation" for charge in charges)
    if taken > 1:
        return "duplicate"
    if order.payment.status == "voided":
        return "released"
    if taken and reserved:
        return "pending_line"
    if reserved:
        return "reservation"
    return "refunded" if order.payment.refunded_minor else "single"


async def _own_account(context: ToolContext) -> Account:
    accounts: Accounts = context.systems["accounts"]
    account = await accounts.account(context.customer_id or "")
    if account is None:
        raise ToolRefused("not_verified", "Nobody was verified in this conversation.")
    return account


def _account(account: Account) -> dict[str, Json]:
    return {
        "customer_id": account.customer_id,
        "name": account.name,
        "email": account.email,
        "phone": account.phone,
        "revision": account.revision,
    }


def _subscription(subscription: Subscription) -> dict[str, Json]:
    value: dict[str, Json] = {
        "subscription_id": subscription.id,
        "plan": subscription.plan,
        "status": subscription.status,
        "price": money(subscription.price_minor, subscription.currency),
    }
    if subscription.next_delivery is not None:
        value["next_delivery"] = subscription.next_delivery.isoformat()
    return value


def _registered(done: Registered) -> ToolResult:
    return ToolResult(
        {
            "return_id": done.id,
            "order_id": done.order_id,
            "status": "registered",
            "item_names": [item.label for item in done.items],
            "send_by": done.send_by.isoformat(),
        }
    )


def _booking(order_id: str, slot: Slot) -> ToolResult:
    return ToolResult({"order_id": order_id, "slot_id": slot.id, "when": slot.label, "status": "booked"})


def _link(email: str) -> ToolResult:
    return ToolResult({"email": email, "status": "sent_if_known"})
