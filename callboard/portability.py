"""A person's data in readable JSON: everything of theirs that is on record, in their own order of events."""

from datetime import datetime
from typing import Any

from callboard.views import view_case, view_conversation
from memory import audit, cases, customers, erasure
from memory.store import Unit
from policies.words import CustomerId, Json


def export_customer(unit: Unit, *, customer_id: CustomerId, now: datetime) -> dict[str, Any]:
    """What is on record of a person: conversations word by word, cases with all reasons, consents with evidence."""
    known = erasure.conversations_of(unit, customer_id=customer_id)
    return {
        "customer_id": customer_id,
        "exported_at": now.isoformat(),
        "conversations": [
            view_conversation(unit, conversation_id=conversation_id).model_dump(mode="json")
            for conversation_id in known
        ],
        "cases": [
            view_case(unit, case_id=case.id).model_dump(mode="json")
            for case in reversed(cases.of_customer(unit, customer_id=customer_id))
        ],
        "consents": [
            {
                "purpose": consent.purpose,
                "channel": consent.channel,
                "granted": consent.granted,
                "at": consent.at.isoformat(),
                "evidence": consent.evidence,
            }
            for consent in customers.consents(unit, customer_id=customer_id)
        ],
        "not_included": "Systems of record (orders, payments) hold data of their own; ask for those there.",
    }


def note_export(unit: Unit, *, customer_id: CustomerId, by: str, now: datetime) -> None:
    """Put on the record that a person's data were handed out, without naming the person."""
    payload: dict[str, Json] = {"subject": erasure.subject_of(unit, customer_id)}
    audit.append_for_system(unit, chain=erasure.CHAIN, kind="exported", ids={"by": by}, payload=payload, at=now)
