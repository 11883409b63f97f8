"""What policy reads from the shop before a call is decided: what is. What follows stands in policies/."""

from collections.abc import Mapping

from policies.words import Fact, Facts, Json
from tools.spec import FactProvider, ToolContext

from .reads import find_user, shop
from .records import original_payment


async def read_found(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """Whom the details belong to; "" for nobody."""
    return _facts(context, {"found.customer_id": find_user(shop(context), arguments)})


async def read_user(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """Whose profile is named; "" for nobody's."""
    user_id = str(arguments["user_id"])
    return _facts(context, {"owner.customer_id": user_id if shop(context).get("users", user_id) else ""})


async def read_order(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """The order. One that doesn't exist has the owner "", and nothing else is known of it."""
    order = shop(context).get("orders", str(arguments["order_id"]))
    if order is None:
        return _facts(context, {"owner.customer_id": ""})
    paid = original_payment(order)
    return _facts(
        context,
        {
            "owner.customer_id": order["user_id"],
            "order.status": order["status"],
            "order.item_ids": [item["item_id"] for item in order["items"]],
            "order.paid_with": paid["payment_method_id"],
            "order.paid_minor": paid["amount_minor"],
        },
    )


async def read_method(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """The payment method, if it is the order's owner's: its kind, "" if it isn't; the balance of a gift card."""
    order = shop(context).get("orders", str(arguments["order_id"]))
    method = shop(context).method(order, str(arguments["payment_method_id"])) if order else None
    return _facts(
        context,
        {
            "method.kind": method["source"] if method else "",
            "method.balance_minor": (method or {}).get("balance_minor"),
        },
    )


async def read_swaps(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """Old and new items side by side, and what the new ones cost more in all."""
    order = shop(context).get("orders", str(arguments["order_id"]))
    old, new = arguments["item_ids"], arguments["new_item_ids"]
    if order is None or not isinstance(old, list) or not isinstance(new, list):
        return {}
    pairs = shop(context).pairs(order, [str(each) for each in old], [str(each) for each in new])
    swaps: list[Json] = [
        {
            "old": pair.old_id,
            "new": pair.new_id,
            "old_product": pair.old["product_id"] if pair.old else "",
            "new_product": pair.new["product_id"] if pair.new else "",
            "in_stock": bool(pair.new and pair.new["available"]),
        }
        for pair in pairs
    ]
    difference_minor = sum(pair.difference_minor for pair in pairs)
    return _facts(context, {"order.swaps": swaps, "order.swaps_difference_minor": difference_minor})


FOUND = FactProvider(read=read_found, facts={"found.customer_id": "string"})
USER = FactProvider(read=read_user, facts={"owner.customer_id": "string"})
ORDER = FactProvider(
    read=read_order,
    facts={
        "owner.customer_id": "string",
        "order.status": "string",
        "order.item_ids": "list",
        "order.paid_with": "string",
        "order.paid_minor": "int",
    },
)
METHOD = FactProvider(read=read_method, facts={"method.kind": "string", "method.balance_minor": "int"})
SWAPS = FactProvider(read=read_swaps, facts={"order.swaps": "list", "order.swaps_difference_minor": "int"})


def _facts(context: ToolContext, values: Mapping[str, Json]) -> dict[str, Fact]:
    return {name: Fact(value, shop(context).name, context.now) for name, value in values.items()}
