"""Routes for whoever answers for people's data: erase them, hold them, give them their data."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from callboard.api.access import principal_of
from callboard.api.desk import runtime_of
from callboard.api.models import (
    IDENTIFIER,
    ErasureIn,
    ErasureOut,
    ErasuresOut,
    HoldIn,
    HoldOut,
    HoldsOut,
    JsonObject,
)
from callboard.portability import export_customer, note_export
from memory import erasure
from policies.words import CustomerId

router = APIRouter(prefix="/v1", tags=["privacy"])

CustomerPath = Annotated[str, Path(pattern=IDENTIFIER, description="The customer's id in the systems of record.")]
RecordPath = Annotated[str, Path(pattern=IDENTIFIER)]


@router.post("/customers/{customer_id}/erasure")
async def erase(customer_id: CustomerPath, given: ErasureIn, request: Request) -> ErasureOut:
    """Take a person out of every context at once; their last byte goes with the next purge, or with `now` before the
    answer.

    Their turns end, what waits for a reviewer about them is gone, and nobody can read a word of theirs any more. A
    legal hold forbids it.
    """
    principal = principal_of(request)
    done = await runtime_of(request).forgetting.erase(
        CustomerId(customer_id),
        by=principal.name,
        role=principal.role,
        reason=given.reason,
        reference=given.reference,
        now=given.now,
    )
    return ErasureOut.of(done)


@router.get("/erasures")
async def read_erasures(request: Request) -> ErasuresOut:
    """Erasures, the latest first, with their signed receipts. They name nobody."""
    found = await runtime_of(request).store.read(erasure.listing)
    return ErasuresOut(erasures=[ErasureOut.of(one) for one in found])


@router.post("/erasures/purge")
async def purge(request: Request) -> ErasuresOut:
    """Purge now what erasures have left in files, before their deadline."""
    done = await runtime_of(request).forgetting.purge()
    return ErasuresOut(erasures=[ErasureOut.of(one) for one in done])


@router.get("/customers/{customer_id}/export")
async def export(customer_id: CustomerPath, request: Request) -> JsonObject:
    """Everything on record of a person, for them. That it was handed out is on the record."""
    runtime = runtime_of(request)
    now: datetime = runtime.clock()
    customer = CustomerId(customer_id)
    found: dict[str, Any] = await runtime.store.read(partial(export_customer, customer_id=customer, now=now))
    await runtime.store.write(partial(note_export, customer_id=customer, by=principal_of(request).name, now=now))
    return found


@router.post("/customers/{customer_id}/hold")
async def hold(customer_id: CustomerPath, given: HoldIn, request: Request) -> HoldOut:
    """Forbid a person's erasure, because of a duty to keep their records."""
    runtime = runtime_of(request)
    held = await runtime.store.write(
        partial(
            erasure.hold,
            hold_id=f"hold-{runtime.new_id()}",
            customer_id=CustomerId(customer_id),
            by=principal_of(request).name,
            reference=given.reference,
            now=runtime.clock(),
        )
    )
    return HoldOut.of(held)


@router.get("/holds")
async def read_holds(request: Request) -> HoldsOut:
    """Legal holds, released ones too, the latest first. They name nobody."""
    found = await runtime_of(request).store.read(erasure.holds)
    return HoldsOut(holds=[HoldOut.of(one) for one in found])


@router.post("/holds/{hold_id}/release")
async def release(hold_id: RecordPath, request: Request) -> HoldOut:
    """End a legal hold."""
    runtime = runtime_of(request)
    released = await runtime.store.write(
        partial(erasure.release, hold_id=hold_id, by=principal_of(request).name, now=runtime.clock())
    )
    return HoldOut.of(released)
