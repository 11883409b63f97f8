"""The arguments of the shop's tools. Strict: nothing is converted, nothing unknown is accepted."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


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


class RegisterReturn(_Arguments):
    """What comes back, and why."""

    order_id: OrderId
    item_ids: ItemIds
    reason: Literal["does_not_fit", "not_as_expected", "changed_mind", "other"] = "other"


class SearchParcel(_Arguments):
    """Which parcel is missing, and how."""

    order_id: OrderId
    kind: Literal["late", "not_received"]
    """As `check_parcel` found it: "late" on its way, "not_received" though the carrier says it was delivered."""


class BookDelivery(_Arguments):
    """When large furniture is brought."""

    order_id: OrderId
    slot_id: Annotated[str, Field(min_length=1, max_length=20, description='From list_delivery_slots: "1125-MO".')]


class OneSubscription(_Arguments):
    """One subscription."""

    subscription_id: Annotated[str, Field(min_length=1, max_length=20, description='"S-1005a".')]


class OneCustomer(_Arguments):
    """The verified customer."""

    customer_id: Annotated[str, Field(min_length=1, max_length=20, description='"C-1005".')]


class ChangePhone(_Arguments):
    """A new phone number for the account as it was read."""

    customer_id: Annotated[str, Field(min_length=1, max_length=20, description='"C-1005".')]
    revision: Annotated[int, Field(ge=1)]
    """The account's revision as get_account said: 1."""
    phone: Annotated[str, Field(pattern=r"^\+[0-9]{7,15}$", description='With the country code: "+4531234567".')]


class OneAddress(_Arguments):
    """The e-mail address of an account."""

    email: Annotated[str, Field(min_length=3, max_length=254, description='"mira.okafor@example.org".')]


class SendLink(_Arguments):
    """Where a link to sign in goes, and the day it is for."""

    email: Annotated[str, Field(min_length=3, max_length=254, description='"mira.okafor@example.org".')]
    day: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description='Today, as sign_in_help said: "2026-11-21".')]
