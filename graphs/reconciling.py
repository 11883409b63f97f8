"""A person's word on an effect whose outcome is unknown: receipt, evidence, record and turn go on from it together."""

from collections.abc import Mapping
from datetime import datetime

from graphs.context import House, TurnContext
from graphs.recording import keep_outcome
from graphs.results import Reviewer
from graphs.reviewing import as_authority
from memory import audit, reconciliations, requests
from memory.errors import OutcomeUnclear
from memory.reconciliations import Reconciliation, Verdict
from memory.store import Unit
from policies.canonical import is_canonical
from policies.words import CaseId, Json


async def answer_outcome(
    house: House,
    reconciliation_id: str,
    *,
    verdict: Verdict,
    result: Mapping[str, Json] | None,
    note: str,
    reviewer: Reviewer,
    now: datetime,
) -> Reconciliation:
    """Take the answer, or refuse it with everything exactly as it was.

    Raises:
        ReconciliationError: Why the answer can't be taken, by kind.
        RecordNotFound: There is no such item.
    """
    if result is not None and not is_canonical(dict(result)):
        raise OutcomeUnclear(reconciliation_id, lacks="a result in plain JSON")

    def work(unit: Unit) -> Reconciliation:
        answered, receipt = reconciliations.decide(
            unit,
            reconciliation_id=reconciliation_id,
            verdict=verdict,
            result=result,
            note=note,
            reviewer=as_authority(reviewer),
            now=now,
        )
        row = requests.get_request(unit, request_id=receipt.request_id)
        assert row.case_id is not None  # noqa: S101  # every effect of a turn belongs to a case
        case_id = CaseId(row.case_id)
        keep_outcome(
            unit,
            TurnContext(house, receipt.conversation_id, epoch=0),
            row,
            receipt.turn_id,
            case_id,
            state=receipt.state,
            result=receipt.result or {},
            code=receipt.error_code,
            receipt=receipt,
            found_by=reviewer.id,
        )
        audit.append(
            unit,
            case_id=case_id,
            conversation_id=receipt.conversation_id,
            kind="reconciled",
            ids={
                "reconciliation": reconciliation_id,
                "receipt": receipt.id,
                "answer": verdict,
                "reviewer": reviewer.id,
                "role": reviewer.role,
            },
            payload={"note": note, "result": receipt.result},
            at=now,
        )
        return answered

    return await house.store.write(work)
