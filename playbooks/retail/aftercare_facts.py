"""What policy reads before a return, a search, a delivery date, or a change of subscription or account is decided."""

from collections.abc import Mapping

from policies.words import Facts, Json
from tools.spec import FactProvider, ToolContext

from .accounts import Accounts
from .facts import facts_of
from .logistics import Logistics
from .systems import Shop


async def read_return(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """Whether what comes back may come back."""
    shop: Shop = context.systems["shop"]
    order = await shop.order(str(arguments["order_id"]))
    if order is None:
        return {}
    wanted = arguments.get("item_ids")
    item_ids = {str(item) for item in wanted} if isinstance(wanted, list) else {item.id for item in order.items}
    named = [item for item in order.items if item.id in item_ids]
    values: dict[str, Json] = {
        "goods.are_of_the_order": bool(item_ids) and len(named) == len(item_ids),
        "goods.have_final_sale": any(item.final_sale for item in named),
        "order.is_large": order.is_large,
    }
    return facts_of(shop.name, context.now, values)


async def read_parcel(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """How late the parcel is, and whether somebody searches for it."""
    shop: Shop = context.systems["shop"]
    logistics: Logistics = context.systems["logistics"]
    order = await shop.order(str(arguments["order_id"]))
    if order is None:
        return {}
    search = await logistics.search(order.id)
    values: dict[str, Json] = {
        "parcel.days_late": order.days_late(context.now),
        "search.status": search.status if search else "none",
    }
    return facts_of(logistics.name, context.now, values)


async def read_slot(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """Whether the order is brought by appointment, and whether the half day takes one more."""
    shop: Shop = context.systems["shop"]
    logistics: Logistics = context.systems["logistics"]
    order = await shop.order(str(arguments["order_id"]))
    if order is None:
        return {}
    slot = await logistics.slot(str(arguments.get("slot_id", "")))
    values: dict[str, Json] = {
        "order.is_large": order.is_large,
        "slot.is_free": slot is not None and slot.free > 0 and slot.day > context.now.date(),
    }
    return facts_of(logistics.name, context.now, values)


async def read_subscription(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """Whose subscription it is and when it delivers next. One that doesn't exist belongs to nobody."""
    accounts: Accounts = context.systems["accounts"]
    found = await accounts.subscription(str(arguments["subscription_id"]))
    if found is None:
        return facts_of(accounts.name, context.now, {"owner.customer_id": ""})
    due = found.next_delivery
    values: dict[str, Json] = {
        "owner.customer_id": found.customer_id,
        "subscription.status": found.status,
        "subscription.days_to_delivery": (due - context.now.date()).days if due else None,
    }
    return facts_of(accounts.name, context.now, values)


async def read_account(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """Whose account it is, and whether it is still as it was read."""
    accounts: Accounts = context.systems["accounts"]
    found = await accounts.account(str(arguments["customer_id"]))
    values: dict[str, Json] = {
        "owner.customer_id": found.customer_id if found else "",
        "account.is_current": found is not None and found.revision == arguments.get("revision"),
    }
    return facts_of(accounts.name, context.now, values)


async def read_day(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """The day that a link may be sent for. Nothing about the address: it is the same for every one."""
    return facts_of("clock", context.now, {"link.day": context.now.date().isoformat()})


RETURN = FactProvider(
    read=read_return,
    facts={"goods.are_of_the_order": "bool", "goods.have_final_sale": "bool", "order.is_large": "bool"},
)
PARCEL = FactProvider(
    read=read_parcel,
    facts={"parcel.days_late": "int", "search.status": "string"},
    clock_facts=frozenset({"parcel.days_late"}),
    values={"search.status": ("none", "open", "found", "closed")},
)
SLOT = FactProvider(read=read_slot, facts={"order.is_large": "bool", "slot.is_free": "bool"})
SUBSCRIPTION = FactProvider(
    read=read_subscription,
    facts={
        "owner.customer_id": "string",
        "subscription.status": "string",
        "subscription.days_to_delivery": "int",
    },
    clock_facts=frozenset({"subscription.days_to_delivery"}),
    values={"subscription.status": ("active", "paused", "cancelled")},
)
ACCOUNT = FactProvider(read=read_account, facts={"owner.customer_id": "string", "account.is_current": "bool"})
DAY = FactProvider(read=read_day, facts={"link.day": "string"}, clock_facts=frozenset({"link.day"}))
