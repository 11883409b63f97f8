"""The tools of the meter desk: look a meter up, store what it shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from policies.words import Fact, Facts, Json, Reversibility, Risk
from tools.errors import ToolRefused
from tools.spec import BusinessSystem, FactProvider, ToolContext, ToolResult, ToolSpec

from .records import Books, build


class OneMeter(BaseModel):
    """Which meter."""

    model_config = ConfigDict(extra="forbid", strict=True)

    meter_id: str


class Reading(OneMeter):
    """What it shows."""

    value: int = Field(ge=0)


def _books(context: ToolContext) -> Books:
    books: Books = context.systems["books"]
    return books


async def get_meter(arguments: OneMeter, context: ToolContext) -> ToolResult:
    """Look a meter up."""
    found = _books(context).meter(arguments.meter_id)
    if found is None:
        raise ToolRefused("not_found")
    return ToolResult({"meter_id": arguments.meter_id, "place": found[0], "last_value": found[1]})


async def record_reading(arguments: Reading, context: ToolContext) -> ToolResult:
    """Store a reading."""
    _books(context).store(
        arguments.meter_id, arguments.value, reference=context.idempotency_key, at=context.now.isoformat()
    )
    return _stored(arguments.meter_id, arguments.value)


async def probe_reading(arguments: Mapping[str, Json], context: ToolContext) -> ToolResult | None:
    """Whether the books hold the reading of this call."""
    found = _books(context).stored_as(context.idempotency_key)
    return None if found is None else _stored(*found)


def _stored(meter_id: str, value: int) -> ToolResult:
    return ToolResult({"meter_id": meter_id, "value": value, "stored": True})


async def read_meter(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
    """What policy must know of a meter."""
    found = _books(context).meter(str(arguments["meter_id"]))
    if found is None:
        return {}
    return {"meter.last_value": Fact(found[1], source="meter books", read_at=context.now)}


TOOLS: Sequence[ToolSpec] = (
    ToolSpec(
        name="get_meter",
        description="One meter (M-0042): where it hangs, what it showed last. Not for storing what it shows now.",
        system="books",
        kind="read",
        arguments=OneMeter,
        call=get_meter,
        returns="meter",
        reads_record="meter_id",
        summary="Look up meter {meter_id}",
        examples=("which meter is M-0042", "look up my meter", "where does meter M-0007 hang"),
    ),
    ToolSpec(
        name="record_reading",
        description="Store what a meter (M-0042) shows (4021). Not before the meter was looked up.",
        system="books",
        kind="write",
        arguments=Reading,
        call=record_reading,
        returns="reading",
        risk=Risk.LOW,
        reversibility=Reversibility.COMPENSABLE,
        identity=("meter_id", "value"),
        providers=(FactProvider(read=read_meter, facts={"meter.last_value": "int"}),),
        record_argument="meter_id",
        probe=probe_reading,
        settling_time=timedelta(seconds=1),
        summary="Store {value} for meter {meter_id}",
        examples=("store 4021 for meter M-0042", "my meter shows 17", "take down what meter M-0003 reads"),
    ),
)


async def open_systems(directory: Path) -> dict[str, BusinessSystem]:
    """The utility's books, embedded."""
    return {"books": Books(directory)}


def build_fixtures(directory: Path, *, now: datetime) -> None:
    """Write fresh books."""
    build(directory)
