"""Which cases a message is about: the ones it continues, and the new ones it opens. Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from agents.tasks import Entity, IntentReading, Question
from policies.words import CaseId

MOST_NEW = 4
"""New matters that one message may open; what is beyond waits for the next message."""


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case that is not done, as the agenda needs it."""

    id: CaseId
    journey: str | None


@dataclass(slots=True)
class Item:
    """One case to attend to in this turn."""

    case_id: CaseId | None
    """None for a case that is opened now."""
    journey: str | None
    """Set on a new case, and on an open one that had none."""
    entities: list[Entity] = field(default_factory=list)


def plan(
    reading: IntentReading,
    *,
    current: OpenCase,
    open_cases: Sequence[OpenCase],
    question: Question | None,
    rank_of: Callable[[str], tuple[int, ...]],
    people: Collection[str] = (),
) -> list[Item]:
    """Order the cases of this turn: the answer to our question, then new matters, those that nothing holds up first.

    A question to knowledge waits for nobody's postcode, and what may have to wait for a person comes last.

    Args:
        reading: What the message says.
        current: The case in hand.
        open_cases: All open cases of the conversation, the current one among them.
        question: What our last reply asked.
        rank_of: What comes first has the lowest.
        people: Journeys that are nothing but a wish for a person. Beside another matter the wish is no case of its
            own: the person gets the matter.

    Returns:
        At least one item; the first is the one to begin with. Each entity stands with the case it belongs to, and
        those of no particular matter with the first.
    """
    by_id = {case.id: case for case in open_cases}
    asked = by_id.get(CaseId(question.case_id)) if question else None
    accepted = [(index, guess) for index, guess in enumerate(reading.intents) if guess.answer == "accept"]
    matters = [one for one in accepted if one[1].journey not in people]
    accepted = matters if matters and "asks_person" in reading.flags else accepted
    accepted.sort(key=lambda one: rank_of(one[1].journey))
    items: list[Item] = []
    if asked and (not accepted or _answers(reading, question)):
        items.append(Item(asked.id, None))
    for index, guess in accepted:
        own = [entity for entity in reading.entities if entity.intent == index]
        for bundle in _one_record_each(own):
            if sum(item.case_id is None for item in items) >= MOST_NEW:
                break
            items.append(_place(guess.journey, bundle, current, open_cases, items))
    if not items:
        items.append(Item(asked.id if asked else current.id, None))
    items = _merged(items)
    placed = {id(entity) for item in items for entity in item.entities}
    items[0].entities += [entity for entity in reading.entities if id(entity) not in placed]
    return items


def _answers(reading: IntentReading, question: Question | None) -> bool:
    """Whether the message answers our question besides asking for something."""
    if question is None or reading.act in {"thanks", "goodbye", "greeting"}:
        return False
    kinds = {entity.kind for entity in reading.entities if entity.intent is None}
    return reading.act in {"confirm", "decline", "inform"} or bool(kinds & set(question.slots))


def _one_record_each(entities: list[Entity]) -> list[list[Entity]]:
    """Two orders named for one wish are two matters."""
    orders = [entity for entity in entities if entity.kind == "order_id" and not entity.negated]
    if len({str(order.value) for order in orders}) < 2:
        return [entities]
    rest = [entity for entity in entities if entity.kind != "order_id"]
    unique = {str(order.value): order for order in orders}
    return [[order, *rest] for order in unique.values()]


def _place(
    journey: str, entities: list[Entity], current: OpenCase, open_cases: Sequence[OpenCase], items: list[Item]
) -> Item:
    taken = {item.case_id for item in items}
    several = any(item.journey == journey for item in items)
    for case in open_cases:
        if case.journey == journey and case.id not in taken and not several:
            return Item(case.id, None, entities)
    if current.journey is None and current.id not in taken:
        return Item(current.id, journey, entities)
    return Item(None, journey, entities)


def _merged(items: list[Item]) -> list[Item]:
    """One item a case, in order."""
    merged: list[Item] = []
    for item in items:
        same = next((one for one in merged if item.case_id is not None and one.case_id == item.case_id), None)
        if same is None:
            merged.append(item)
        else:
            same.entities += item.entities
            same.journey = same.journey or item.journey
    return merged
