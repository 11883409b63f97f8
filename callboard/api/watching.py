"""Routes for whoever watches: what became of approvals and reconciliations, and how much there is to do."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from callboard.api.desk import runtime_of
from callboard.api.models import EventsOut, LoadOut
from callboard.views import view_events
from memory import inbox

router = APIRouter(prefix="/v1", tags=["watching"])


@router.get("/events")
async def read_events(
    request: Request,
    after: Annotated[int, Query(ge=0, description="`next` of the answer before; 0 for the beginning.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> EventsOut:
    """What became of approvals and reconciliations, oldest first, once each; ids only, no words of customers."""
    return await runtime_of(request).store.read(lambda unit: view_events(unit, after=after, limit=limit))


@router.get("/load")
async def read_load(request: Request) -> LoadOut:
    """How much waits, what is refused, which business systems are left alone."""
    runtime = runtime_of(request)
    load = await runtime.store.read(inbox.load)
    now = runtime.clock()
    return LoadOut(
        waiting=load.waiting,
        running=load.running,
        oldest_waiting_s=None if load.oldest_at is None else max(0.0, (now - load.oldest_at).total_seconds()),
        turns_in_flight=runtime.runner.turns_in_flight,
        refused=dict(runtime.runner.refused),
        limits={
            "turns": runtime.settings.max_turns,
            "waiting": runtime.settings.max_waiting,
            "waiting_per_conversation": runtime.settings.max_waiting_per_conversation,
            "message_chars": runtime.settings.max_message_chars,
        },
        circuits=dict(runtime.circuits.states()),
    )
