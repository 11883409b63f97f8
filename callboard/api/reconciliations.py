"""Routes for effects: those of which nobody knows whether they happened, and those that shall be undone."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from callboard.api.access import principal_of
from callboard.api.desk import ReceiptPath, ReconciliationPath, runtime_of
from callboard.api.models import CaseOut, OutcomeIn, ReconciliationOut, ReconciliationsOut, UndoIn
from callboard.views import view_case, view_reconciliation
from memory import receipts, reconciliations
from memory.errors import RecordNotFound
from policies.words import ReceiptId

router = APIRouter(prefix="/v1", tags=["effects"])

Status = Literal["open", "happened", "did_not_happen", "settled"]


@router.get("/reconciliations")
async def read_reconciliations(
    request: Request,
    status: Annotated[Status | None, Query(description="Only those in this state.")] = None,
    queue: Annotated[str | None, Query(max_length=128, description="Only those of this queue.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ReconciliationsOut:
    """Effects of unknown outcome with what it takes to find out, the longest open first."""
    found = await runtime_of(request).store.read(
        lambda unit: reconciliations.listing(unit, status=status, queue=queue, limit=limit)
    )
    return ReconciliationsOut(reconciliations=[view_reconciliation(one) for one in found])


@router.get("/reconciliations/{reconciliation_id}")
async def read_reconciliation(reconciliation_id: ReconciliationPath, request: Request) -> ReconciliationOut:
    """One of them."""
    return view_reconciliation(
        await runtime_of(request).store.read(
            lambda unit: reconciliations.get(unit, reconciliation_id=reconciliation_id)
        )
    )


@router.post("/reconciliations/{reconciliation_id}/answer")
async def answer(reconciliation_id: ReconciliationPath, outcome: OutcomeIn, request: Request) -> ReconciliationOut:
    """Say that it happened, with its result, or that it did not. The conversation goes on from that.

    Nothing is called again. An answer that can't be taken changes nothing.
    """
    answered = await runtime_of(request).runner.reconcile(
        reconciliation_id,
        verdict=outcome.answer,
        result=outcome.result,
        note=outcome.note,
        reviewer=principal_of(request).as_reviewer(),
    )
    return view_reconciliation(answered)


@router.post("/receipts/{receipt_id}/undo")
async def undo(receipt_id: ReceiptPath, wish: UndoIn, request: Request) -> CaseOut:
    """Have an effect undone: a request that policy judges, and that people approve where it says so.

    The answer is the case as it stands then, with what policy said of it.
    """
    runtime = runtime_of(request)
    await runtime.runner.compensate(
        ReceiptId(receipt_id), reviewer=principal_of(request).as_reviewer(), reason=wish.reason
    )
    receipt = await runtime.store.read(lambda unit: receipts.get(unit, receipt_id=ReceiptId(receipt_id)))
    case_id = receipt.case_id
    if case_id is None:
        raise RecordNotFound("case of receipt", receipt_id)
    return await runtime.store.read(lambda unit: view_case(unit, case_id=case_id))
