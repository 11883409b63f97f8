"""Questions too many: for what the customer had said already, or asked word for word a second time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from agents.local.cues import NO_ANSWER, NOT_UNDERSTOOD
from agents.tasks import Question
from memory import evidence, receipts, requests, timeline, turns
from memory.store import Unit
from policies.words import ConversationId, Json, TurnId

FAILING = frozenset({"deny", "escalate"})
NO_SLOTS = frozenset({NOT_UNDERSTOOD, NO_ANSWER})
"""What a question that asks for nothing in particular is counted under."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of ours."""

    place: int
    """The place of its turn in the conversation, from 0."""
    question: Question
    text: str
    """The whole reply that it ended."""


@dataclass(frozen=True, slots=True)
class Given:
    """One thing the customer told us."""

    place: int
    name: str
    value: Json


@dataclass(frozen=True, slots=True)
class Repeated:
    """One question too many."""

    place: int
    kind: Literal["given", "verbatim"]
    slots: tuple[str, ...]


def repeated_questions(
    asked: Sequence[Asked], given: Sequence[Given], refused: Sequence[tuple[int, frozenset[str]]]
) -> list[Repeated]:
    """The questions of one conversation that were asked without need; each counts once.

    given: a slot was asked for although the customer had told it in this conversation, in the same turn or before,
        about whatever matter; unless a call with the very value they told last was refused or failed (details that
        don't match, an order that isn't found), for then another value is needed. A question that shows records
        to choose from is exempt: it asks which, not what. Of a question for several slots, one that was given already
        is enough.
    verbatim: the reply is the same, word for word, as an earlier one of this conversation that asked something.

    Args:
        asked: Our questions, in order. Confirmations and clarifications have no slots, and can only be verbatim.
        given: What the customer told, in order.
        refused: Place of the turn and the plain values of the arguments of each call that didn't go through.
    """
    found: list[Repeated] = []
    texts: set[str] = set()
    for one in asked:
        slots = tuple(
            slot
            for slot in one.question.slots
            if not one.question.records and _is_known(slot, one.place, given=given, refused=refused)
        )
        if slots:
            found.append(Repeated(one.place, "given", slots))
        elif one.text in texts:
            found.append(Repeated(one.place, "verbatim", tuple(one.question.slots)))
        texts.add(one.text)
    return found


def _is_known(slot: str, place: int, *, given: Sequence[Given], refused: Sequence[tuple[int, frozenset[str]]]) -> bool:
    told = [one for one in given if one.name == slot and one.place <= place]
    if not told:
        return False
    used = plain_values(told[-1].value)
    return not any(used & values for at, values in refused if at <= place)


def plain_values(value: Json) -> frozenset[str]:
    """Every plain value inside a JSON value, as text."""
    if isinstance(value, Mapping):
        return frozenset().union(*(plain_values(each) for each in value.values()))
    if isinstance(value, list):
        return frozenset().union(*(plain_values(each) for each in value))
    return frozenset() if value is None else frozenset({str(value)})


def questions_of(
    unit: Unit, *, conversation_id: ConversationId
) -> tuple[list[Asked], list[Given], list[tuple[int, frozenset[str]]]]:
    """A conversation's questions, what its customer told, and the calls that didn't go through, from the rows."""
    ordered = turns.of_conversation(unit, conversation_id=conversation_id)
    places: dict[TurnId, int] = {turn.id: place for place, turn in enumerate(ordered)}
    asked = [
        Asked(places[entry.turn_id], Question.model_validate(entry.body["question"]), str(entry.body["text"]))
        for entry in timeline.messages(unit, conversation_id=conversation_id)
        if entry.kind == "message_out" and entry.turn_id in places and entry.body.get("question")
    ]
    given = [
        Given(places[turn_id], row.name, row.value)
        for row in evidence.of_conversation(unit, conversation_id=conversation_id, include_superseded=True)
        if row.kind == "customer"
        and row.name not in NO_SLOTS
        and (turn_id := cast(TurnId, row.source.removeprefix("customer, turn "))) in places
    ]
    refused = [
        (places[turn.id], plain_values(dict(row.request.arguments)))
        for turn in ordered
        for row in requests.of_turn(unit, turn_id=turn.id)
        if _did_not_go_through(unit, row)
    ]
    return asked, given, refused


def _did_not_go_through(unit: Unit, row: requests.RequestRow) -> bool:
    receipt = receipts.of_request(unit, request_id=row.request.id)
    if receipt is not None:
        return receipt.state == "failed"
    made = requests.decisions_of(unit, request_id=row.request.id)
    return bool(made) and made[-1].effect in FAILING and made[-1].phase != "confirm"
