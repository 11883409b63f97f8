"""The tools for after the purchase: returns, searches, delivery dates, charges, subscriptions, accounts."""

from collections.abc import Sequence
from datetime import timedelta

from policies.words import Reversibility, Risk
from tools.spec import ToolSpec

from .aftercare_calls import (
    book_delivery,
    change_phone,
    check_parcel,
    end_subscription,
    get_account,
    list_charges,
    list_delivery_slots,
    list_subscriptions,
    open_search,
    probe_booking,
    probe_link,
    probe_return,
    register_return,
    send_sign_in_link,
    sign_in_help,
)
from .aftercare_facts import ACCOUNT, DAY, PARCEL, RETURN, SLOT, SUBSCRIPTION
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
from .facts import ORDER, OWNER

SETTLES = timedelta(seconds=2)

AFTERCARE: Sequence[ToolSpec] = (
    ToolSpec(
        name="check_parcel",
        description=(
            "Whether the parcel of one order (21150) is late, was delivered, or is being searched for. Not for an order"
            " that hasn't left: get_order says so."
        ),
        system="logistics",
        kind="read",
        arguments=OneOrder,
        call=check_parcel,
        returns="parcel",
        providers=(OWNER,),
        record_argument="order_id",
        summary="See whether the parcel of order {order_id} is late",
    ),
    ToolSpec(
        name="open_carrier_search",
        description=(
            "Have the carrier search for the parcel of an order (21150); kind as check_parcel said (late). Not for a"
            " parcel that the carrier has given up: that is a refund."
        ),
        system="logistics",
        kind="write",
        arguments=SearchParcel,
        call=open_search,
        returns="search",
        risk=Risk.MEDIUM,
        identity=("order_id",),
        providers=(OWNER, ORDER, PARCEL),
        record_argument="order_id",
        idempotent=True,
        settling_time=SETTLES,
        summary="Have the carrier search for the parcel of order {order_id}",
    ),
    ToolSpec(
        name="register_return",
        description=(
            "Announce that items (20866-1) of an order (20866) come back, so that the customer gets a label. Not for"
            " goods that are faulty: those are refunded. Pays nothing back by itself."
        ),
        system="logistics",
        kind="write",
        arguments=RegisterReturn,
        call=register_return,
        returns="registered_return",
        risk=Risk.MEDIUM,
        identity=("order_id", "item_ids"),
        providers=(OWNER, ORDER, RETURN),
        record_argument="order_id",
        probe=probe_return,
        settling_time=SETTLES,
        summary="Register the return of items of order {order_id}",
    ),
    ToolSpec(
        name="list_delivery_slots",
        description="The half days on which the large furniture of an order (21305) can be brought. Not for parcels.",
        system="logistics",
        kind="read",
        arguments=OneOrder,
        call=list_delivery_slots,
        returns="slots",
        providers=(OWNER,),
        record_argument="order_id",
        summary="List delivery dates for order {order_id}",
    ),
    ToolSpec(
        name="book_delivery",
        description=(
            "Agree on a date (slot 1125-MO, from list_delivery_slots) for large furniture of an order (21305), in place"
            " of one before. Not for parcels: the carrier brings those when it can."
        ),
        system="logistics",
        kind="write",
        arguments=BookDelivery,
        call=book_delivery,
        returns="appointment",
        risk=Risk.MEDIUM,
        identity=("order_id", "slot_id"),
        providers=(OWNER, ORDER, SLOT),
        record_argument="order_id",
        probe=probe_booking,
        settling_time=SETTLES,
        summary="Bring order {order_id} at {slot_id}",
    ),
    ToolSpec(
        name="list_charges",
        description="What the bank shows for an order (21063), and what that means. Not for refunds: quote_refund.",
        system="payments",
        kind="read",
        arguments=OneOrder,
        call=list_charges,
        returns="charges",
        providers=(OWNER,),
        record_argument="order_id",
        summary="Look at the charges for order {order_id}",
    ),
    ToolSpec(
        name="list_subscriptions",
        description="The verified customer's subscriptions that haven't ended. Takes nothing.",
        system="accounts",
        kind="read",
        arguments=NoArguments,
        call=list_subscriptions,
        returns="subscriptions",
        summary="List the customer's subscriptions",
    ),
    ToolSpec(
        name="end_subscription",
        description="End a subscription (S-1005a). Not for a single order: cancel_order.",
        system="accounts",
        kind="write",
        arguments=OneSubscription,
        call=end_subscription,
        returns="subscription_end",
        risk=Risk.MEDIUM,
        reversibility=Reversibility.COMPENSABLE,
        identity=("subscription_id",),
        providers=(SUBSCRIPTION,),
        record_argument="subscription_id",
        idempotent=True,
        settling_time=SETTLES,
        summary="End the subscription {subscription_id}",
    ),
    ToolSpec(
        name="get_account",
        description="Name, e-mail, phone and revision of the verified customer's account. Takes nothing.",
        system="accounts",
        kind="read",
        arguments=NoArguments,
        call=get_account,
        returns="account",
        summary="Look at the customer's account",
    ),
    ToolSpec(
        name="change_phone",
        description=(
            "Put a new phone number (+4531234567) into the account (C-1005) as get_account read it (revision 1). Not"
            " for e-mail addresses and names: people change those."
        ),
        system="accounts",
        kind="write",
        arguments=ChangePhone,
        call=change_phone,
        returns="phone_change",
        risk=Risk.MEDIUM,
        identity=("customer_id", "revision"),
        providers=(ACCOUNT,),
        record_argument="customer_id",
        idempotent=True,
        settling_time=SETTLES,
        summary="Change the phone number of {customer_id} to {phone}",
    ),
    ToolSpec(
        name="sign_in_help",
        description="What can be done for an address (mira.okafor@example.org) that can't sign in. The same for all.",
        system="accounts",
        kind="read",
        arguments=OneAddress,
        call=sign_in_help,
        returns="sign_in",
        summary="See how somebody can sign in again",
    ),
    ToolSpec(
        name="send_sign_in_link",
        description=(
            "Send a link to sign in with to an account's own address (mira.okafor@example.org), for the day that"
            " sign_in_help said. Never says whether there is such an account. Not for somebody who can't read that"
            " mailbox."
        ),
        system="accounts",
        kind="write",
        arguments=SendLink,
        call=send_sign_in_link,
        returns="link",
        risk=Risk.LOW,
        identity=("email", "day"),
        providers=(DAY,),
        probe=probe_link,
        settling_time=SETTLES,
        summary="Send a link to sign in with to {email}",
    ),
)
