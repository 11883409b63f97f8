"""The handoff bundle: seven parts that let a person go on without asking the customer again, and how complete it is."""

from typing import Any

from agents.journeys import Journey
from agents.tasks import IntentReading
from graphs.context import House
from graphs.matter import CANNOT, Matter
from graphs.state import TurnState
from memory import cases, readings, requests
from memory.store import Unit
from policies.canonical import decision_from_json
from policies.words import Json, RequestId, TurnId

PARTS = ("intent", "entities", "steps", "checks", "risk", "next_step", "for_the_customer")
"""What a bundle must have, in the order a person reads it."""

WORDS_KEPT = 6
"""How many of the customer's latest messages a bundle holds; the conversation has them all."""


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
        statement.name: statement.value
        for statement in matter.known
        if statement.kind in {"customer", "person"} and statement.name != CANNOT
    }
    lacks: list[Json] = [row.subject for row in matter.known if row.name == CANNOT]
    if lacks:
        entities["has_not_got"] = lacks
    steps: list[Json] = [
        {"tool": attempt.tool, "state": attempt.state, "code": attempt.code, "request": attempt.request_id}
        for attempt in matter.attempts
    ]
    return {
        "intent": _part(
            {
                "title": journey.title if journey else "Not understood yet",
                "goal": journey.goal if journey else "Find out what the customer wants.",
                "also_wants": _other_matters(unit, house, matter),
                "last_words": said[-1] if said else "",
                "words": [*said[-WORDS_KEPT:]],
                "language": reading.language if reading else "",
            },
            "intent reading" if reading else "message",
        ),
        "entities": _part(
            {"said": entities or "The customer named nothing yet.", "records": _records(matter)},
            "customer's words, turn by turn; systems of record",
        ),
        "steps": _part(steps or "Nothing was done yet.", "receipts and requests of the case"),
        "checks": _part(_checks(unit, matter), "policy decisions"),
        "risk": _part(
            {
                "flags": [*reading.flags] if reading else [],
                "sentiment": reading.sentiment if reading else 0.0,
                "assurance": int(matter.conversation.assurance),
                "verified": "The customer was verified." if matter.conversation.customer_id else "Nobody was verified.",
                "customer_id": matter.conversation.customer_id,
                "waiting_approvals": [attempt.request_id for attempt in matter.pending],
            },
            "intent reading, verification",
        ),
        "next_step": _part({"do": _next_step(matter, journey), "because": reason}, "workflow"),
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


def _other_matters(unit: Unit, house: House, matter: Matter) -> list[Json]:
    """What else the customer wants in this conversation and nobody has come to, by its title."""
    journeys = house.playbook.journeys
    open_cases = cases.agenda(unit, conversation_id=matter.conversation.id)
    others = [case.journey for case in open_cases if case.id != matter.case.id]
    return [journeys[name].title for name in dict.fromkeys(others) if name is not None and name in journeys]


def _records(matter: Matter) -> dict[str, Json]:
    """What the systems of record said in this case, without the long lists that were read to choose from."""
    records: dict[str, Json] = {}
    for row in matter.known:
        if row.kind == "receipt" and isinstance(row.value, dict):
            records[row.name] = {name: part for name, part in row.value.items() if not _is_long(part)}
    return records


def _is_long(part: Json) -> bool:
    return isinstance(part, list) and any(isinstance(each, dict) for each in part)


def _next_step(matter: Matter, journey: Journey | None) -> str:
    stuck = next((one for one in reversed(matter.attempts) if one.state in {"unknown", "failed", "denied"}), None)
    if stuck is not None and stuck.state == "unknown":
        return f"Find out in the system of record whether {stuck.tool} took effect, then tell the customer."
    if stuck is not None:
        return f"Decide about {stuck.tool}, which was {stuck.state}; then answer the customer."
    if journey is None:
        return "Read the conversation and answer the customer."
    verify = "Verify who this is. " if matter.conversation.customer_id is None else ""
    if journey.ends_with_person:
        return f"{verify}{journey.steps[-1].does}"
    return f"{verify}Go on from what was found: {journey.goal}"


def _paragraph(house: House, matter: Matter) -> str:
    journey = house.playbook.journeys.get(matter.case.journey or "")
    about = f" about: {journey.title[:1].lower()}{journey.title[1:]}" if journey else ""
    return (
        f"You've reached a person at {house.playbook.voice.brand}. I have read your conversation{about}, so you don't "
        "need to repeat anything. Give me a moment to look into it."
    )
