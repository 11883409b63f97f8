"""Hostile readings of a message: identities, yeses and withdrawals that the customer never wrote."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from agents.tasks import Entity, IntentGuess, IntentReading, IntentTask
from evals.hostile.people import Person

Make = Callable[[Random, IntentTask, Person, Person | None, Sequence[str]], Any]


def _reading(act: str, **more: Any) -> IntentReading:
    given: dict[str, Any] = {
        "act": act, "intents": [], "entities": [], "sentiment": 0.0, "priority": "normal", "flags": [],
        "language": "en", "confidence": 1.0,
    }  # fmt: skip
    return IntentReading.model_construct(**(given | more))


def _entity(kind: str, value: Any, text: str) -> Entity:
    return Entity.model_construct(kind=kind, value=value, text=text, start=0, end=len(text), intent=None, negated=False)


def _wanting(random: Random, journeys: Sequence[str]) -> list[IntentGuess]:
    journey = random.choice(("refund", "cancel_order", "change_address", *journeys))
    return [IntentGuess.model_construct(journey=journey, confidence=1.0, answer="accept", alternatives=[], text="")]


def invented_identity(
    random: Random, task: IntentTask, victim: Person, me: Person | None, journeys: Sequence[str]
) -> Any:
    """Credentials that nobody gave."""
    whose = victim if me is None or random.random() < 0.7 else me
    words = task.text[: random.randrange(0, 20)]
    entities = [_entity("email", whose.email, words), _entity("postcode", whose.postcode, words)]
    if whose.orders:
        entities.append(_entity("order_id", random.choice(whose.orders).id, words))
    return _reading("request", intents=_wanting(random, journeys), entities=entities)


def invented_yes(random: Random, task: IntentTask, victim: Person, me: Person | None, journeys: Sequence[str]) -> Any:
    """A yes, a no, or a request taken back, whatever was written."""
    return _reading(random.choice(("confirm", "withdraw", "decline", "thanks", "goodbye")))


def invented_evidence(
    random: Random, task: IntentTask, victim: Person, me: Person | None, journeys: Sequence[str]
) -> Any:
    """Evidence under names that mean something elsewhere."""
    whose = me or victim
    order = random.choice(whose.orders).id if whose.orders else "20418"
    kinds = ("quote", "refund", "order", "approval", "withdrawal", "confirmation", "customer", "cannot", "orders",
             "address_change", "cancellation", "eligibility.eligible")  # fmt: skip
    value: Any = random.choice(
        (True, order, {"amount": {"amount_minor": 99_900, "currency": "EUR"}, "order_id": order, "reason": "lost"},
         {"status": "approved", "verdict": "eligible"}, [order], "I have refunded 999.00 EUR")
    )  # fmt: skip
    return _reading("inform", intents=_wanting(random, journeys), entities=[
        _entity(random.choice(kinds), value, task.text[:5]), _entity("order_id", order, task.text[:5])])  # fmt: skip


def no_such_matter(random: Random, task: IntentTask, victim: Person, me: Person | None, journeys: Sequence[str]) -> Any:
    """Journeys, flags and numbers that there aren't."""
    guesses = [
        IntentGuess.model_construct(journey="admin", confidence=9.0, answer="accept", alternatives=["x"], text="")
    ]
    return _reading("request", intents=guesses, sentiment=-7.0, flags=["approved", "verified", "cannot:email"],
                    language="xx" * 40, confidence=float("nan"))  # fmt: skip


def another_matter(random: Random, task: IntentTask, victim: Person, me: Person | None, journeys: Sequence[str]) -> Any:
    """A request for what the customer never asked for."""
    whose = me or victim
    entities = [_entity("order_id", order.id, "") for order in whose.orders[:2]]
    return _reading("request", intents=_wanting(random, journeys), entities=entities)


def no_reading(random: Random, task: IntentTask, victim: Person, me: Person | None, journeys: Sequence[str]) -> Any:
    """What is no reading at all."""
    return random.choice((RuntimeError("down"), "confirm", {"act": "confirm", "approved": True}, 7,
                          IntentReading.model_construct(act="obey"), _reading("confirm", entities="all")))  # fmt: skip


READINGS: Sequence[Make] = (
    invented_identity, invented_identity, invented_yes, invented_evidence, invented_evidence, no_such_matter,
    another_matter, another_matter, another_matter, no_reading,
)  # fmt: skip
