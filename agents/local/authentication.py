"""Which check of who the customer is comes next: decided by the verification methods, never by a model."""

from collections.abc import Sequence

from agents.journeys import VerificationMethod
from agents.tasks import AuthenticationAdvice, AuthenticationTask, Source, ToolProposal
from policies.words import Json, Origin

MOST_ASKED = 3
MOST_FAILED = 3


def next_check(task: AuthenticationTask, methods: Sequence[VerificationMethod]) -> AuthenticationAdvice:
    """Enough, verify, ask, or give up.

    Verifies as soon as one method's slots are known and that very combination has not failed. Else asks, once,
    for what the nearest method still needs; a method with a slot that the customer hasn't got is left out.
    """
    if task.current >= task.needed:
        return AuthenticationAdvice(state="enough")
    if len(task.failed) >= MOST_FAILED:
        return AuthenticationAdvice(state="give_up")
    fitting = [method for method in methods if int(method.assurance) >= task.needed]
    for method in fitting:
        arguments = {argument: task.known.get(slot) for argument, slot in method.slots.items()}
        if all(_is_given(value) for value in arguments.values()) and not _has_failed(arguments, task.failed):
            return AuthenticationAdvice(state="verify", call=_check(method, arguments))
    asked_for = _to_ask(task, fitting)
    if task.asked >= MOST_ASKED or not asked_for:
        return AuthenticationAdvice(state="give_up")
    return AuthenticationAdvice(state="ask", ask=asked_for)


def _to_ask(task: AuthenticationTask, methods: Sequence[VerificationMethod]) -> list[str]:
    """The slots of the next question: the missing ones, or all of a method whose values were wrong together."""
    best: list[str] = []
    for method in methods:
        slots = list(dict.fromkeys(method.slots.values()))
        missing = [slot for slot in slots if not _is_given(task.known.get(slot))]
        if set(missing) & set(task.cannot):
            continue
        if missing and (not best or len(missing) < len(best)):
            best = missing
    if best and not task.failed:
        return best
    # After a failed check what is known may be wrong itself, so the whole combination is asked for.
    for method in methods:
        slots = list(dict.fromkeys(method.slots.values()))
        if not set(slots) & set(task.cannot) and (not best or set(best) <= set(slots)):
            return slots
    return best


def _check(method: VerificationMethod, arguments: dict[str, Json]) -> ToolProposal:
    return ToolProposal(
        tool=method.tool,
        arguments=arguments,
        provenance={name: Source(origin=Origin.CUSTOMER) for name in arguments},
        why=f"Verify who the customer is ({method.id}).",
    )


def _has_failed(arguments: dict[str, Json], failed: Sequence[dict[str, Json]]) -> bool:
    """Whether this very combination failed; arguments that the tool filled in itself don't count."""
    return any(all(past.get(name) == value for name, value in arguments.items()) for past in failed)


def _is_given(value: Json) -> bool:
    return value not in (None, "", [], {})
