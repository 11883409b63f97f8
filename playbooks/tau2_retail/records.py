"""The shop's records: users, orders and products, and what its tools ask of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.words import Json
from tools.errors import ToolRefused
from tools.records import Record, RecordsFile

MONEY = ("price", "amount", "balance", "exchange_price_difference")
CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Pair:
    """One item of an order and the variant that takes its place. None is what doesn't exist."""

    old_id: str
    new_id: str
    old: Record | None
    """The item as it stands in the order, with the price that was paid."""
    new: Record | None
    """The variant as it stands in the catalogue."""

    @property
    def difference_minor(self) -> int:
        """What the new one costs more; 0 where one of them doesn't exist."""
        return self.new["price_minor"] - self.old["price_minor"] if self.new and self.old else 0


class Shop(RecordsFile):
    """The shop."""

    def __init__(self, directory: Path) -> None:
        super().__init__("shop records", directory, money=MONEY)

    def user(self, user_id: str) -> Record:
        """One user, or a refusal."""
        return self._there("users", user_id)

    def order(self, order_id: str) -> Record:
        """One order, or a refusal."""
        return self._there("orders", order_id)

    def product(self, product_id: str) -> Record:
        """One product with its variants, or a refusal."""
        return self._there("products", product_id)

    def variant(self, item_id: str) -> Record | None:
        """One variant with the name and id of its product."""
        for product in self.find("products", lambda product: item_id in product["variants"]):
            return {"product_id": product["product_id"], "name": product["name"], **product["variants"][item_id]}
        return None

    def method(self, order: Record, method_id: str) -> Record | None:
        """One payment method of the order's user."""
        user = self.get("users", order["user_id"])
        found: Record | None = user["payment_methods"].get(method_id) if user else None
        return found

    def pairs(self, order: Record, old_ids: Sequence[str], new_ids: Sequence[str]) -> list[Pair]:
        """Old and new side by side, as far as both lists go."""
        items = {item["item_id"]: item for item in order["items"]}
        return [Pair(old, new, items.get(old), self.variant(new)) for old, new in zip(old_ids, new_ids, strict=False)]

    def _there(self, table: str, record_id: str) -> Record:
        record = self.get(table, record_id)
        if record is None:
            raise ToolRefused("not_found")
        return record


def original_payment(order: Record) -> Record:
    """The payment that the order was placed with."""
    payment: Record = order["payment_history"][0]
    return payment


def shown(value: Any) -> Any:
    """A record for evidence: amounts with their currency, without what doesn't apply."""
    if isinstance(value, dict):
        return {
            name.removesuffix("_minor"): _money(part) if name.endswith("_minor") else shown(part)
            for name, part in value.items()
            if part is not None
        }
    return [shown(part) for part in value] if isinstance(value, list) else value


def _money(amount_minor: int) -> dict[str, Json]:
    return {"amount_minor": amount_minor, "currency": CURRENCY}
