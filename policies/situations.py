"""The situation of a decision as plain JSON, so that the decision can be made again from the record (P13)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from policies.words import (
    Assurance,
    AutonomyLevel,
    CaseId,
    CustomerId,
    HistoryEvent,
    Json,
    PastUse,
    Situation,
)


def situation_to_json(situation: Situation) -> dict[str, Json]:
    """A situation as plain JSON, from which `situation_from_json` makes an equal one."""
    allowed: list[Json] | None = None
    if situation.allowed_tools is not None:
        allowed = [*sorted(situation.allowed_tools)]
    return {
        "now": situation.now.isoformat(),
        "customer_id": situation.customer_id,
        "assurance": int(situation.assurance),
        "level": situation.level.value,
        "channel": situation.channel,
        "case_id": situation.case_id,
        "journey": situation.journey,
        "allowed_tools": allowed,
        "history": [_event_to_json(event) for event in situation.history],
        "uses": {
            key: [
                {"at": use.at.isoformat(), "amount_minor": use.amount_minor, "currency": use.currency} for use in uses
            ]
            for key, uses in situation.uses.items()
        },
        "signals": dict(situation.signals),
        "justification": situation.justification,
        "justified_by": situation.justified_by,
    }


def situation_from_json(data: Mapping[str, Any]) -> Situation:
    """The situation that `situation_to_json` wrote."""
    return Situation(
        now=datetime.fromisoformat(data["now"]),
        customer_id=CustomerId(data["customer_id"]) if data["customer_id"] is not None else None,
        assurance=Assurance(data["assurance"]),
        level=AutonomyLevel(data["level"]),
        channel=data["channel"],
        case_id=CaseId(data["case_id"]) if data["case_id"] is not None else None,
        journey=data["journey"],
        allowed_tools=frozenset(data["allowed_tools"]) if data["allowed_tools"] is not None else None,
        history=tuple(_event_from_json(event) for event in data["history"]),
        uses={
            key: tuple(PastUse(datetime.fromisoformat(use["at"]), use["amount_minor"], use["currency"]) for use in uses)
            for key, uses in data["uses"].items()
        },
        signals=data["signals"],
        justification=data["justification"],
        justified_by=data["justified_by"],
    )


def _event_to_json(event: HistoryEvent) -> dict[str, Json]:
    return {
        "kind": event.kind,
        "tool": event.tool,
        "arguments": dict(event.arguments),
        "ok": event.ok,
        "at": event.at.isoformat() if event.at else None,
        "result": event.result,
    }


def _event_from_json(data: Mapping[str, Any]) -> HistoryEvent:
    return HistoryEvent(
        kind=data["kind"],
        tool=data["tool"],
        arguments=data["arguments"],
        ok=data["ok"],
        at=datetime.fromisoformat(data["at"]) if data["at"] else None,
        result=data["result"],
    )
