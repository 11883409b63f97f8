"""What the tools take. Values are checked by policy, not here, so that a refusal names the rule it comes from."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Text = Annotated[str, Field(max_length=200)]
OrderId = Annotated[
    str,
    Field(max_length=40, description='The order\'s number with its sign, for example "#W2378156".'),
    AfterValidator(lambda order_id: f"#{order_id}" if order_id.startswith("W") else order_id),
]
UserId = Annotated[str, Field(max_length=80, description='The user\'s id, for example "yusuf_rossi_9620".')]
ItemIds = Annotated[
    list[Annotated[str, Field(max_length=40)]],
    Field(max_length=100, description='Ids of items, one for each piece, for example ["1151293680"].'),
]
NewItemIds = Annotated[
    list[Annotated[str, Field(max_length=40)]],
    Field(max_length=100, description='Ids of the new variants, in the order of item_ids, for example ["7706410293"].'),
]
PaymentMethodId = Annotated[
    str, Field(max_length=80, description='One of the user\'s payment methods, for example "credit_card_9513926".')
]


class NoArguments(_Arguments):
    """Nothing."""


class Email(_Arguments):
    """An account by its e-mail."""

    email: Annotated[str, Field(max_length=254, description='For example "noah.brown7922@example.com".')]


class NameZip(_Arguments):
    """An account by name and zip code."""

    first_name: Text
    last_name: Text
    zip: Text


class User(_Arguments):
    """One user."""

    user_id: UserId


class Order(_Arguments):
    """One order."""

    order_id: OrderId


class Product(_Arguments):
    """One kind of product."""

    product_id: Text


class Item(_Arguments):
    """One variant of a product."""

    item_id: Text


class Expression(_Arguments):
    """A sum to work out."""

    expression: Annotated[str, Field(max_length=200, description='Numbers, + - * / and brackets: "(12.50 + 3) * 2".')]


class Summary(_Arguments):
    """What a person must know."""

    summary: Annotated[str, Field(max_length=2000)]


class Cancel(Order):
    """An order, and why it is cancelled."""

    reason: Annotated[Text, Field(description='"no longer needed" or "ordered by mistake".')]


class Address(_Arguments):
    """A whole address."""

    address1: Text
    address2: Text
    city: Text
    state: Text
    country: Text
    zip: Text


class OrderAddress(Address, Order):
    """An order, and where it goes instead."""


class UserAddress(Address, User):
    """A user, and the new default address."""


class OrderPayment(Order):
    """An order, and how it is paid instead."""

    payment_method_id: PaymentMethodId


class Return(OrderPayment):
    """Items that come back, and where the refund goes."""

    item_ids: ItemIds


class Swap(Return):
    """Items, and the variants that take their places."""

    new_item_ids: NewItemIds
