"""A person wants an effect undone: checked here, then an item of the conversation, whose turn proposes it to policy."""

from datetime import datetime

from graphs.context import House
from graphs.errors import NothingToUndo
from graphs.nodes.compensate import undoable
from graphs.results import Reviewer
from memory import audit, inbox, receipts
from memory.receipts import Receipt
from memory.store import Unit
from policies.words import CaseId, ReceiptId


def ask_to_undo(
    unit: Unit, house: House, receipt_id: ReceiptId, *, reviewer: Reviewer, reason: str, now: datetime
) -> Receipt:
    """Put the wish into the inbox, on the record. One that was refused may be uttered again.

    Raises:
        RecordNotFound: There is no such receipt.
        NothingToUndo: It can't be undone.
    """
    receipt = receipts.get(unit, receipt_id=receipt_id)
    if receipt.case_id is None or not undoable(unit, house, receipt):
        raise NothingToUndo(NothingToUndo.__doc__)
    inbox.put(
        unit,
        conversation_id=receipt.conversation_id,
        kind="decision",
        dedupe_key=f"undo:{receipt.id}:{now.isoformat()}",
        body={"compensate": receipt.id, "by": reviewer.id, "reason": reason},
        now=now,
    )
    audit.append(
        unit,
        case_id=CaseId(receipt.case_id),
        conversation_id=receipt.conversation_id,
        kind="undo_asked",
        ids={"receipt": receipt.id, "by": reviewer.id, "role": reviewer.role},
        payload={"reason": reason},
        at=now,
    )
    return receipt
