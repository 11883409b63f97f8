"""What every stack of the comparison has in common: the prompt, the two tools, the books behind them."""

from datetime import UTC, datetime
from typing import Any, Protocol

SYSTEM_PROMPT = (
    "You are the assistant of a utility. Customers send what their meters show. Look the meter up, store the reading, "
    "and tell the customer. Never store a reading that is lower than the one before."
)

_METER = {"meter_id": {"type": "string", "description": "M-0042"}}

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_meter",
            "description": "One meter: where it hangs, what it showed last.",
            "parameters": {"type": "object", "properties": _METER, "required": ["meter_id"]},
        },
    },
    {
        "type": "function",
        "function": {
            "name": "record_reading",
            "description": "Store what a meter shows.",
            "parameters": {
                "type": "object",
                "properties": {**_METER, "value": {"type": "integer", "description": "4021"}},
                "required": ["meter_id", "value"],
            },
        },
    },
]


class OpenBooks(Protocol):
    """The books of the meters playbook, opened."""

    def meter(self, meter_id: str) -> tuple[str, int] | None:
        """Where a meter hangs and what it showed last."""

    def store(self, meter_id: str, value: int, *, reference: str, at: str) -> None:
        """Take a reading down."""

    def count(self) -> int:
        """How many readings were stored."""


async def call_tool(books: OpenBooks, name: str, arguments: dict[str, Any], *, key: str) -> dict[str, Any]:
    """Call one of the two tools."""
    meter_id = str(arguments["meter_id"])
    if name == "record_reading":
        books.store(meter_id, int(arguments["value"]), reference=key, at=datetime.now(UTC).isoformat())
        return {"meter_id": meter_id, "value": arguments["value"], "stored": True}
    found = books.meter(meter_id)
    return {"meter_id": meter_id, "place": found[0], "last_value": found[1]} if found else {"error": "not_found"}
