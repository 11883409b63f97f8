"""The handoff bundle: seven parts that let a person go on without asking the customer again, and how complete it is."""

from typing import Any

from agents.tasks import IntentReading
from graphs.context import House
from graphs.matter import Matter
from graphs.state import TurnState
from memory import readings, requests
from memory.store import Unit
from policies.canonical import decision_from_json
from policies.words import Json, RequestId, TurnId

PARTS = ("intent", "entities", "steps", "checks", "risk", "next_step", "for_the_customer")
"""What a bundle must have, in the order a person reads it."""


def build(unit: Unit, house: House, matter: Matter, state: TurnState, *, reason: str) -> dict[str, Json]:
    """Gather the bundle from rows; every field says where it comes from.

    Returns:
        By part: {"value": …, "source": …}. A value is empty only where there is nothing to say and that is said.
    """
    row = readings.get(unit, turn_id=TurnId(state["turn_id"]), ordinal=state["reading"]) if "reading" in state else None
    reading = IntentReading.model_validate(row.output) if row else None
    journey = house.playbook.journeys.get(matter.case.journey or "")
    said = [line.text for line in matter.transcript if line.author == "customer"]
    entities: dict[str, Json] = {
        statement.name: statement.value for statement in matter.known if statement.kind in {"customer", "person"}
    }
    steps: list[Json] = [
        {"tool": attempt.tool, "state": attempt.state, "code": attempt.code, "request": attempt.request_id}
        for attempt in matter.attempts
    ]
    return {
        "intent": _part(
            {
                "title": journey.title if journey else "Not understood yet",
                "goal": journey.goal if journey else "Find out what the customer wants.",
                "last_words": said[-1] if said else "",
            },
            "intent reading" if reading else "message",
        ),
        "entities": _part(entities, "customer's words, turn by turn"),
        "steps": _part(steps or "Nothing was done yet.", "receipts and requests of the case"),
        "checks": _part(_checks(unit, matter), "policy decisions"),
        "risk": _part(
            {
                "flags": [*reading.flags] if reading else [],
                "sentiment": reading.sentiment if reading else 0.0,
                "assurance": int(matter.conversation.assurance),
                "customer_id": matter.conversation.customer_id,
                "waiting_approvals": [attempt.request_id for attempt in matter.pending],
            },
            "intent reading, verification",
        ),
        "next_step": _part({"do": _next_step(matter, journey is not None), "because": reason}, "workflow"),
        "for_the_customer": _part(_paragraph(house, matter), "the brand's templates"),
    }


def score(bundle: dict[str, Json]) -> float:
    """The share of the seven parts that say something, 0 to 1."""
    return sum(_says(bundle.get(name)) for name in PARTS) / len(PARTS)


def _part(value: Any, source: str) -> dict[str, Json]:
    return {"value": value, "source": source}


def _says(part: Json) -> bool:
    if not isinstance(part, dict):
        return False
    value = part.get("value")
    return any(value.values()) if isinstance(value, dict) else bool(value)


def _checks(unit: Unit, matter: Matter) -> list[Json]:
    found: list[Json] = []
    for attempt in matter.attempts:
        for row in requests.decisions_of(unit, request_id=RequestId(attempt.request_id)):
            sentences: list[Json] = [verdict.sentence for verdict in decision_from_json(row.decision).verdicts]
            found.append({"tool": attempt.tool, "effect": row.effect, "phase": row.phase, "reasons": sentences})
    verdicts: list[Json] = [
        {"check": verdict.step, "verdict": verdict.verdict, "reasons": [*verdict.reasons]}
        for verdict in matter.verdicts
    ]
    none: list[Json] = [{"effect": "none", "reasons": ["Nothing was proposed yet, so nothing had to be decided."]}]
    return found + verdicts or none


def _next_step(matter: Matter, understood: bool) -> str:
    stuck = next((one for one in reversed(matter.attempts) if one.state in {"unknown", "failed", "denied"}), None)
    if stuck is not None and stuck.state == "unknown":
        return f"Find out in the system of record whether {stuck.tool} took effect, then tell the customer."
    if stuck is not None:
        return f"Decide about {stuck.tool}, which was {stuck.state}; then answer the customer."
    if matter.conversation.customer_id is None and understood:
        return "Verify who this is, then go on with the journey."
    return "Read the conversation and answer the customer." if not understood else "Go on with the journey's next step."


def _paragraph(house: House, matter: Matter) -> str:
    journey = house.playbook.journeys.get(matter.case.journey or "")
    about = f" about: {journey.title[:1].lower()}{journey.title[1:]}" if journey else ""
    return (
        f"You've reached a person at {house.playbook.voice.brand}. I have read your conversation{about}, so you don't "
        "need to repeat anything. Give me a moment to look into it."
    )
