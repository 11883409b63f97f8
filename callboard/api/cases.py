"""Routes for whoever must know what happened: a case with all its reasons, and whether the record is whole."""

from fastapi import APIRouter, Request

from callboard.api.desk import CasePath, runtime_of
from callboard.api.models import AuditOut, CaseOut
from callboard.views import verify_audit, view_case
from policies.words import CaseId

router = APIRouter(prefix="/v1", tags=["records"])


@router.get("/cases/{case_id}")
async def read_case(case_id: CasePath, request: Request) -> CaseOut:
    """One customer matter: timeline, evidence, decisions with their reasons, receipts, approvals, handoff bundles."""
    return await runtime_of(request).store.read(lambda unit: view_case(unit, case_id=CaseId(case_id)))


@router.get("/audit/verify")
async def verify(request: Request) -> AuditOut:
    """Recompute every audit chain and compare it with the anchors."""
    return await runtime_of(request).store.read(verify_audit)
