"""The tools of the shop: eight that read, seven that write, one that asks for a person."""

import os
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from policies.words import Reversibility, Risk
from tools.records import RECORDS
from tools.spec import BusinessSystem, ToolSpec

from . import arguments, reads, writes
from .facts import FOUND, METHOD, ORDER, SWAPS, USER
from .records import Shop

read = partial(ToolSpec, system="shop", kind="read")
write = partial(
    ToolSpec,
    system="shop",
    kind="write",
    risk=Risk.HIGH,
    reversibility=Reversibility.COMPENSABLE,
    probe=writes.probe,
    settling_time=timedelta(seconds=2),  # The records are a file beside us: a call is over or it never was.
)

TOOLS: Sequence[ToolSpec] = (
    read(
        name="find_user_id_by_email",
        description="Find out who is writing by the account's e-mail (noah.brown@example.org). Before anything else.",
        arguments=arguments.Email,
        call=reads.find_user_id,
        returns="customer",
        providers=(FOUND,),
        verification=reads.read_verification,
        summary="Look up a customer by e-mail",
    ),
    read(
        name="find_user_id_by_name_zip",
        description=(
            "Find out who is writing by first name (Noah), last name (Brown) and zip code (80279). First of all,"
            " when the e-mail isn't known or fits nobody."
        ),
        arguments=arguments.NameZip,
        call=reads.find_user_id,
        returns="customer",
        providers=(FOUND,),
        verification=reads.read_verification,
        summary="Look up a customer by name and zip code",
    ),
    read(
        name="get_user_details",
        description="The profile of the customer (noah_brown_6181): name, address, payment methods, order numbers.",
        arguments=arguments.User,
        call=reads.get_user_details,
        returns="user",
        providers=(USER,),
        record_argument="user_id",
        reads_record="user_id",
        summary="Look at the profile of {user_id}",
        examples=(
            "which orders do I have",
            "what is my default address",
            "which payment methods are on my account",
        ),
    ),
    read(
        name="get_order_details",
        description='One order of the customer ("#W2378156"): items, status, address, payments, tracking.',
        arguments=arguments.Order,
        call=reads.get_order_details,
        returns="order",
        providers=(ORDER,),
        record_argument="order_id",
        reads_record="order_id",
        summary="Look at order {order_id}",
        examples=(
            "what is in order #W2378156",
            "what is the status of my order #W2378156",
            "how much was order #W2378156",
        ),
    ),
    read(
        name="get_product_details",
        description="A product (9523456873, a product's id and not an item's) with all its variants, prices and stock.",
        arguments=arguments.Product,
        call=reads.get_product_details,
        returns="product",
        summary="Look at product {product_id}",
        examples=(
            "which colours does product 9523456873 come in",
            "is product 9523456873 in stock",
            "show me all variants of product 9523456873",
        ),
    ),
    read(
        name="get_item_details",
        description="One variant by its item id (9612497925): options, price, stock.",
        arguments=arguments.Item,
        call=reads.get_item_details,
        returns="item",
        summary="Look at item {item_id}",
        examples=(
            "is item 9612497925 available",
            "what does item 9612497925 cost",
            "tell me about item 9612497925",
        ),
    ),
    read(
        name="list_all_product_types",
        description="Names and ids of all products. Takes nothing.",
        arguments=arguments.NoArguments,
        call=reads.list_all_product_types,
        returns="catalogue",
        summary="List all products",
        examples=(
            "what do you sell",
            "list all your products",
            "which kinds of products do you have",
        ),
    ),
    read(
        name="calculate",
        description='Work out a sum to cents ("(12.50 + 3) * 2"). Not for amounts that a record states already.',
        arguments=arguments.Expression,
        call=reads.calculate,
        returns="sum",
        summary="Work out a sum",
        examples=(
            "what is 12.50 plus 3.20",
            "add these prices up",
            "how much is that together",
        ),
    ),
    read(
        name="transfer_to_human_agents",
        description="Ask for a person, with a summary of what the customer wants. Only for what no other tool can do.",
        arguments=arguments.Summary,
        call=reads.transfer_to_human_agents,
        returns="transfer",
        summary="Hand over to a person",
        examples=(
            "none of this can be done here",
            "this is about something else than my orders",
            "I need somebody who can make an exception",
        ),
    ),
    write(
        name="cancel_pending_order",
        description=(
            'Cancel a pending order ("#W2378156") and give back all that was paid. reason: "no longer needed" or'
            ' "ordered by mistake", as the customer said. Not for an order that was processed or delivered.'
        ),
        arguments=arguments.Cancel,
        call=writes.cancel_pending_order,
        returns="order",
        reversibility=Reversibility.IRREVERSIBLE,
        identity=("order_id",),
        providers=(ORDER,),
        record_argument="order_id",
        summary="Cancel order {order_id} ({reason})",
        examples=(
            "cancel order #W2378156",
            "I ordered #W2378156 by mistake, please cancel it",
            "I no longer need order #W2378156",
        ),
    ),
    write(
        name="modify_pending_order_address",
        description='Send a pending order ("#W2378156") to another whole address. Not for the account\'s own address.',
        arguments=arguments.OrderAddress,
        call=writes.modify_pending_order_address,
        returns="order",
        risk=Risk.MEDIUM,
        reversibility=Reversibility.REVERSIBLE,
        identity=tuple(arguments.OrderAddress.model_fields),
        providers=(ORDER,),
        record_argument="order_id",
        summary="Send order {order_id} to {address1}, {address2}, {city}, {state} {zip}, {country}",
        examples=(
            "send order #W2378156 to another address",
            "change the shipping address of order #W2378156",
            "my order #W2378156 should go to my office",
        ),
    ),
    write(
        name="modify_pending_order_payment",
        description=(
            'Pay a pending order ("#W2378156") by another of the customer\'s payment methods ("paypal_5364164"). The'
            " first method gets its money back."
        ),
        arguments=arguments.OrderPayment,
        call=writes.modify_pending_order_payment,
        returns="order",
        identity=("order_id", "payment_method_id"),
        providers=(ORDER, METHOD),
        record_argument="order_id",
        summary="Pay order {order_id} with {payment_method_id}",
        examples=(
            "pay order #W2378156 with my gift card",
            "change the payment method of order #W2378156",
            "use my paypal account for order #W2378156",
        ),
    ),
    write(
        name="modify_pending_order_items",
        description=(
            'Change items of a pending order ("#W2378156") to other variants of the same products, all at once: it'
            " works only once per order, and nothing else can be changed afterwards. Remind the customer of that first."
        ),
        arguments=arguments.Swap,
        call=writes.modify_pending_order_items,
        returns="order",
        reversibility=Reversibility.IRREVERSIBLE,
        identity=("order_id", "item_ids", "new_item_ids"),
        providers=(ORDER, METHOD, SWAPS),
        record_argument="order_id",
        summary="Change items {item_ids} of order {order_id} to {new_item_ids}, paid with {payment_method_id}",
        examples=(
            "change the size in my pending order #W2378156",
            "I want another colour in order #W2378156",
            "modify the items of order #W2378156",
        ),
    ),
    write(
        name="return_delivered_order_items",
        description=(
            'Take back items of a delivered order ("#W2378156"); the refund goes to payment_method_id, the original'
            " method or a gift card of the customer. Once per order, all items at once."
        ),
        arguments=arguments.Return,
        call=writes.return_delivered_order_items,
        returns="order",
        identity=("order_id", "item_ids"),
        providers=(ORDER, METHOD),
        record_argument="order_id",
        summary="Take back items {item_ids} of order {order_id}, refund to {payment_method_id}",
        examples=(
            "return the items of order #W2378156",
            "I want to send back the lamp from order #W2378156",
            "refund the jacket of my delivered order",
        ),
    ),
    write(
        name="exchange_delivered_order_items",
        description=(
            'Exchange items of a delivered order ("#W2378156") for other variants of the same products, all at once: it'
            " works only once per order. Remind the customer of that first."
        ),
        arguments=arguments.Swap,
        call=writes.exchange_delivered_order_items,
        returns="order",
        identity=("order_id", "item_ids", "new_item_ids"),
        providers=(ORDER, METHOD, SWAPS),
        record_argument="order_id",
        summary="Exchange items {item_ids} of order {order_id} for {new_item_ids}, settled with {payment_method_id}",
        examples=(
            "exchange the keyboard from order #W2378156",
            "I received the wrong size and want another one",
            "swap the delivered thermostat for another one",
        ),
    ),
    write(
        name="modify_user_address",
        description="Replace the default address of the customer (noah_brown_6181). Not for an order placed already.",
        arguments=arguments.UserAddress,
        call=writes.modify_user_address,
        returns="user",
        risk=Risk.MEDIUM,
        reversibility=Reversibility.REVERSIBLE,
        identity=tuple(arguments.UserAddress.model_fields),
        providers=(USER,),
        record_argument="user_id",
        summary="Change the address of {user_id} to {address1}, {address2}, {city}, {state} {zip}, {country}",
        examples=(
            "change my default address",
            "I moved, update the address of my account",
            "my profile has an old address",
        ),
    ),
)


async def open_systems(directory: Path) -> dict[str, BusinessSystem]:
    """Open the records that lie in `directory`."""
    return {"shop": Shop(directory)}


def build_fixtures(directory: Path, *, now: datetime) -> None:
    """Put a copy of the benchmark's records into `directory`, if none are there; they hold no dates for `now` to move.

    Raises:
        FileNotFoundError: They aren't there. Says where they were looked for.
    """
    if (directory / RECORDS).is_file():
        return
    here = Path(__file__).resolve().parents[2]
    shared = Path(os.environ.get("CALLBOARD_SHARED_DATA", here.parent / "shared" / "data"))
    records = shared / "tau2_retail" / RECORDS
    if not records.is_file():
        raise FileNotFoundError(f"{records} is missing. Set CALLBOARD_SHARED_DATA to the folder that has it.")
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(records, directory / RECORDS)
    (directory / RECORDS).chmod(0o600)
