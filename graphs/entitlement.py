"""Which of the house's own sentences may be said now: each template that states something needs the row that it states.

A template is chosen by the workflow specialist, and who chooses may be wrong or hostile: "I have refunded it" is true
only where a receipt says so. What each template means follows from where the playbook uses it.
"""

from collections.abc import Collection

from agents.journeys import REQUIRED_TEMPLATES, Journey, Step
from agents.tasks import Attempt, Cue
from graphs.context import House
from graphs.matter import Matter
from policies.detectors.claims import find_claims

HANDING_OVER = frozenset({"escalated", "unavailable", "identity_locked", "with_person_soon"})
"""Say that a person takes over: true only with a cue that hands over."""
BY_STATE = {
    "withdrawn": "withdrawn",
    "rejected": "rejected",
    "responded": "responded",
    "expired": "expired",
    "waiting": "waiting",
    "reconciling": "unknown",
}
"""Template of every playbook → the state of an attempt that it tells."""
CLAIMING = frozenset({"action", "status"})
"""What a template of no journey must not state: nothing says when it would be so."""
REFUSED = frozenset({"failed", "denied"})


def unearned(cue: Cue, matter: Matter, house: House) -> str:
    """Why a cue's templates may not be said in this case, in a sentence for the record; empty if they may."""
    for template in filter(None, (cue.lead, cue.template)):
        if not is_earned(template, cue, matter, house):
            return f"the reply {template!r} says what nothing in the case bears out"
    return ""


def is_earned(template: str, cue: Cue, matter: Matter, house: House) -> bool:
    """Whether the rows of a case bear out what a template says."""
    journeys = house.playbook.journeys
    journey = journeys.get(matter.case.journey or "")
    attempts = matter.attempts
    if template in HANDING_OVER:
        return cue.kind == "escalate"
    if template == "expired" and cue.kind == "escalate":
        return any(attempt.state == "expired" for attempt in attempts)
    if template == "still_waiting":
        return bool(matter.pending)
    if template in BY_STATE:
        return any(attempt.state == BY_STATE[template] for attempt in attempts)
    if template == "declined":
        return not _has_written(attempts, house, this_turn=True)
    if template == "already_done":
        return any(attempt.code == "already_done" for attempt in attempts) or _has_written(
            attempts, house, this_turn=False
        )
    if template == "verified":
        return matter.conversation.customer_id is not None
    if template == "confirm_again":
        return cue.kind == "confirm"
    if template in REQUIRED_TEMPLATES:
        return True
    if journey is not None and cue.kind == "ask" and template in asking(journey):
        return True
    if journey is not None and template in stating(journey):
        return _bears_out(template, cue, journey, matter)
    if template.startswith("result_"):
        returns = {spec.name: spec.returns for spec in house.tools}
        return any(
            attempt.state == "committed" and template == f"result_{returns.get(attempt.tool, '')}"
            for attempt in attempts
        )
    if any(template in stating(other) for other in journeys.values()):
        return False
    return not any(claim.kind in CLAIMING for claim in find_claims(house.playbook.voice.templates.get(template, "")))


def stating(journey: Journey) -> frozenset[str]:
    """The templates of a journey that state how its steps went."""
    found = {journey.done, *(reply for replies in journey.done_by.values() for reply in replies.values())}
    for step in journey.steps:
        found |= {step.confirm, step.waiting, step.rejected, *step.refusals.values()}
    if journey.kind == "answer":
        found.discard(journey.done)
    return frozenset(found - {""})


def asking(journey: Journey) -> frozenset[str]:
    """The questions of a journey: they state nothing, whatever words they are put in."""
    return frozenset(template for need in journey.needs for template in (need.ask, need.ask_again) if template)


def _bears_out(template: str, cue: Cue, journey: Journey, matter: Matter) -> bool:
    done = {journey.done, *(reply for replies in journey.done_by.values() for reply in replies.values())}
    if template in done and _is_complete(journey, matter):
        return True
    for step in journey.steps:
        own = [attempt for attempt in matter.attempts if step.tool and attempt.tool == step.tool]
        if template == step.confirm and cue.kind == "confirm":
            return True
        if template == step.waiting and step.owner == "person" and cue.kind == "escalate":
            return True
        if template == step.waiting and any(attempt.state == "waiting" for attempt in own):
            return True
        if template == step.rejected and any(attempt.state == "rejected" for attempt in own):
            return True
        if template in step.refusals.values() and _was_refused(step, template, own, matter):
            return True
    return False


def _is_complete(journey: Journey, matter: Matter) -> bool:
    """Whether the steps that completion names are receipted; where none are named, the last one with a tool."""
    named = journey.completion.steps if journey.completion else [step.id for step in journey.steps if step.tool][-1:]
    tools = [step.tool for step in journey.steps if step.id in named and step.tool]
    committed = {attempt.tool for attempt in matter.attempts if attempt.state == "committed"}
    return set(tools) <= committed


def _was_refused(step: Step, template: str, own: Collection[Attempt], matter: Matter) -> bool:
    codes = {code for code, reply in step.refusals.items() if reply == template}
    said = {attempt.code for attempt in own if attempt.state in REFUSED}
    if step.check:
        said |= {verdict.verdict for verdict in matter.verdicts if verdict.step == step.id}
    return bool(said & codes) or ("*" in codes and bool(said - step.refusals.keys()))


def _has_written(attempts: Collection[Attempt], house: House, *, this_turn: bool) -> bool:
    writes = {spec.name for spec in house.tools if spec.kind == "write"}
    return any(
        attempt.tool in writes and attempt.state == "committed" and (attempt.this_turn or not this_turn)
        for attempt in attempts
    )
