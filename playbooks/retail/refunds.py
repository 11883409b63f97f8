"""What is due back for an order: which items, how much and for what reason. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from .orders import Item, Order

FAULTS = frozenset({"damaged", "wrong_item"})
"""Reasons that only the customer can tell; a person looks at them before money moves."""


@dataclass(frozen=True, slots=True)
class Due:
    """What the records say may go back."""

    items: tuple[Item, ...]
    amount_minor: int
    reason: str
    """returned, lost, damaged, wrong_item; "none" when nothing of it is due."""


def due_for(order: Order, *, item_ids: Collection[str] | None = None, claim: str = "none") -> Due:
    """Work out what is due, from the records first and the customer's claim second.

    Goods that came back are due by their price, without those that can't be returned where there are others. A lost
    parcel, and goods that are faulty as the customer says, are due with the shipping cost when everything in the order
    is. Whether the time limits hold is policy's to say.

    Args:
        order: As recorded now.
        item_ids: The items asked for; None means all that may go back.
        claim: The customer's own reason: "damaged", "wrong_item", or "none".
    """
    open_items = [item for item in order.items if item.id not in order.payment.refunded_items]
    if order.status == "lost":
        reason, candidates = "lost", open_items
    elif order.returned is not None and order.returned.status == "received":
        back = [item for item in open_items if item.id in order.returned.item_ids]
        reason, candidates = "returned", [item for item in back if not item.final_sale] or back
    elif claim in FAULTS and order.shipment is not None and order.shipment.delivered_at is not None:
        reason, candidates = claim, open_items
    else:
        return Due((), 0, "none")
    items = tuple(item for item in candidates if item_ids is None or item.id in item_ids)
    amount = sum(item.total_minor for item in items)
    if reason != "returned" and len(items) == len(order.items):
        amount += order.shipping_minor
    amount = min(amount, order.payment.refundable_minor)
    return Due(items, amount, reason if amount else "none")
