"""The two routes that need no key: does the process live, and can it serve."""

from fastapi import APIRouter, Request

from callboard.api.desk import runtime_of
from callboard.api.models import HealthOut
from callboard.api.problems import NotReady

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def lives() -> HealthOut:
    """The process lives."""
    return HealthOut(status="ok")


@router.get("/readyz")
async def is_ready(request: Request) -> HealthOut:
    """Its store answers and its playbook is loaded."""
    missing = await runtime_of(request).find_unready()
    if missing:
        raise NotReady(f"Not ready: {', '.join(missing)}.")
    return HealthOut(status="ok")
