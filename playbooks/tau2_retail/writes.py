"""What the writing tools do: the shop's own steps, which refuse what they can't do, whatever policy said."""

from typing import Any, Literal

from tools.errors import ToolRefused
from tools.records import Record
from tools.spec import ToolContext, ToolResult

from .arguments import Address, Cancel, OrderAddress, OrderPayment, Return, Swap, UserAddress
from .reads import shop
from .records import Pair, Shop, original_payment, shown

REASONS = ("no longer needed", "ordered by mistake")


async def cancel_pending_order(arguments: Cancel, context: ToolContext) -> ToolResult:
    """Cancel, and give back what was paid and hasn't gone back already."""
    records = shop(context)
    order = records.order(arguments.order_id)
    _must(order["status"] == "pending", "not_pending")
    _must(arguments.reason in REASONS, "reason")
    user = records.user(order["user_id"])
    refunded = [_paid(entry) for entry in order["payment_history"] if entry["transaction_type"] == "refund"]
    for entry in list(order["payment_history"]):
        if entry["transaction_type"] != "payment":
            continue
        if _paid(entry) in refunded:
            refunded.remove(_paid(entry))
            continue
        _book(order, user, "refund", *_paid(entry))
    order |= {"status": "cancelled", "cancel_reason": arguments.reason}
    return _store(context, order, user)


async def modify_pending_order_address(arguments: OrderAddress, context: ToolContext) -> ToolResult:
    """Send the order elsewhere."""
    order = shop(context).order(arguments.order_id)
    _must("pending" in order["status"], "not_pending")
    order["address"] = _address(arguments)
    return _store(context, order)


async def modify_user_address(arguments: UserAddress, context: ToolContext) -> ToolResult:
    """Replace the default address."""
    user = shop(context).user(arguments.user_id)
    user["address"] = _address(arguments)
    shop(context).commit(context.idempotency_key, {"users": {user["user_id"]: user}}, result=shown(user))
    return ToolResult(shown(user))


async def modify_pending_order_payment(arguments: OrderPayment, context: ToolContext) -> ToolResult:
    """Take the payment by another method and give the first one back."""
    records = shop(context)
    order = records.order(arguments.order_id)
    _must("pending" in order["status"], "not_pending")
    _must([entry["transaction_type"] for entry in order["payment_history"]] == ["payment"], "payment_changed_before")
    method_id, amount_minor = _paid(original_payment(order))
    _must(arguments.payment_method_id != method_id, "same_method")
    user = _charged(records, order, arguments.payment_method_id, amount_minor)
    _book(order, user, "payment", arguments.payment_method_id, amount_minor)
    _book(order, user, "refund", method_id, amount_minor)
    return _store(context, order, user)


async def modify_pending_order_items(arguments: Swap, context: ToolContext) -> ToolResult:
    """Put other variants in the places of items, and take or give the difference."""
    records = shop(context)
    order = records.order(arguments.order_id)
    _must(order["status"] == "pending", "not_pending")
    pairs = _fitting(records, order, arguments)
    _must(all(pair.old_id != pair.new_id for pair in pairs), "same_variant")
    difference_minor = sum(pair.difference_minor for pair in pairs)
    user = _charged(records, order, arguments.payment_method_id, difference_minor)
    kind: Literal["payment", "refund"] = "payment" if difference_minor > 0 else "refund"
    _book(order, user, kind, arguments.payment_method_id, abs(difference_minor))
    last = pairs[-1].new or {}
    for pair in pairs:
        item = next(item for item in order["items"] if item["item_id"] == pair.old_id)
        # This shop writes the last variant's price and options to every item. Its records are compared with what
        # it does, so it does so here (docs/evaluation.md).
        item |= {"item_id": pair.new_id, "price_minor": last["price_minor"], "options": last["options"]}
    order["status"] = "pending (item modified)"
    return _store(context, order, user)


async def return_delivered_order_items(arguments: Return, context: ToolContext) -> ToolResult:
    """Ask for items back; the money follows when they have arrived."""
    records = shop(context)
    order = records.order(arguments.order_id)
    _must(order["status"] == "delivered", "not_delivered")
    method = records.method(order, arguments.payment_method_id)
    _must(method is not None, "unknown_method")
    original = original_payment(order)["payment_method_id"]
    _must(arguments.payment_method_id == original or _is_gift_card(method), "other_method")
    _must(_are_in(order, arguments.item_ids), "not_in_order")
    order |= {
        "status": "return requested",
        "return_items": sorted(arguments.item_ids),
        "return_payment_method_id": arguments.payment_method_id,
    }
    return _store(context, order)


async def exchange_delivered_order_items(arguments: Swap, context: ToolContext) -> ToolResult:
    """Ask for items back and promise other variants; the difference is settled later."""
    records = shop(context)
    order = records.order(arguments.order_id)
    _must(order["status"] == "delivered", "not_delivered")
    difference_minor = sum(pair.difference_minor for pair in _fitting(records, order, arguments))
    _charged(records, order, arguments.payment_method_id, difference_minor)
    order |= {
        "status": "exchange requested",
        "exchange_items": sorted(arguments.item_ids),
        "exchange_new_items": sorted(arguments.new_item_ids),
        "exchange_payment_method_id": arguments.payment_method_id,
        "exchange_price_difference_minor": difference_minor,
    }
    return _store(context, order)


async def probe(_: Any, context: ToolContext) -> ToolResult | None:
    """What the effect with this key gave, if it happened."""
    result = shop(context).result_of(context.idempotency_key)
    return None if result is None else ToolResult(result)


def _fitting(records: Shop, order: Record, arguments: Swap) -> list[Pair]:
    """Old and new items; refused unless each new one is there and of the same product."""
    _must(len(arguments.item_ids) == len(arguments.new_item_ids) > 0, "lists_differ")
    _must(_are_in(order, arguments.item_ids), "not_in_order")
    pairs = records.pairs(order, arguments.item_ids, arguments.new_item_ids)
    for pair in pairs:
        _must(pair.new is not None and pair.old is not None, "no_such_variant")
        if pair.new and pair.old:
            _must(pair.new["product_id"] == pair.old["product_id"], "other_product")
            _must(pair.new["available"], "out_of_stock")
    return pairs


def _charged(records: Shop, order: Record, method_id: str, amount_minor: int) -> Record:
    """The order's user; refused unless the method is theirs and can bear the amount."""
    method = records.method(order, method_id)
    _must(method is not None, "unknown_method")
    _must(not _is_gift_card(method) or (method or {})["balance_minor"] >= amount_minor, "balance")
    return records.user(order["user_id"])


def _book(order: Record, user: Record, kind: Literal["payment", "refund"], method_id: str, amount_minor: int) -> None:
    """Note a payment or refund on the order; a gift card's balance follows at once."""
    order["payment_history"].append(
        {"transaction_type": kind, "amount_minor": amount_minor, "payment_method_id": method_id}
    )
    method = user["payment_methods"].get(method_id)
    if _is_gift_card(method):
        method["balance_minor"] += amount_minor if kind == "refund" else -amount_minor


def _paid(entry: Record) -> tuple[str, int]:
    return entry["payment_method_id"], entry["amount_minor"]


def _is_gift_card(method: Record | None) -> bool:
    return method is not None and method["source"] == "gift_card"


def _are_in(order: Record, item_ids: list[str]) -> bool:
    """Whether the order has each item as often as it is named."""
    there = [item["item_id"] for item in order["items"]]
    return all(item_ids.count(item_id) <= there.count(item_id) for item_id in item_ids)


def _address(arguments: Address) -> Record:
    return arguments.model_dump(include=set(Address.model_fields))


def _must(holds: bool, code: str) -> None:
    if not holds:
        raise ToolRefused(code)


def _store(context: ToolContext, order: Record, user: Record | None = None) -> ToolResult:
    """Write the order, and the user whose gift card moved with it."""
    changed = {"orders": {order["order_id"]: order}}
    if user is not None:
        changed["users"] = {user["user_id"]: user}
    shop(context).commit(context.idempotency_key, changed, result=shown(order))
    return ToolResult(shown(order))
