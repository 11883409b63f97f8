"""Asking for what is missing: what can be looked up is offered, what was asked too often goes to a person."""

from agents.journeys import Need
from agents.local.sheets import Sheets
from agents.local.standing import Standing
from agents.local.wording import worded
from agents.tasks import Cue
from policies.words import Json

MOST_SHOWN = 8
"""Records offered in one question."""


def ask_for(standing: Standing, sheets: Sheets, slot: str) -> Cue:
    """The question for one slot, or a person when asking makes no sense any more."""
    task, need = standing.task, standing.need(slot)
    if need is None:
        return Cue(kind="escalate", template="escalated", reason=f"Nobody says how to ask for {slot}.")
    asked = task.asked.get(slot, 0)
    if asked >= need.at_most:
        return Cue(kind="escalate", template="escalated", reason=f"{slot} was asked for {asked} times.")
    records = standing.to_show(need)[:MOST_SHOWN]
    if need.choose is not None and standing.has_list(need) and not standing.candidates(need):
        return Cue(kind="escalate", template="escalated", reason=f"There is nothing to choose {slot} from.")
    if _has_not_got(standing, need) and not records and asked and not need.ask_again:
        return Cue(kind="escalate", template="escalated", reason=f"The customer hasn't got the {slot}.")
    template = need.ask_again if need.ask_again and asked else need.ask
    labels: list[Json] = [str(record["label"]) for record in records]
    cue = Cue(
        kind="ask",
        template=template,
        slots=[slot],
        records=records,
        options=dict(need.options),
        values={"records": labels} if labels else {},
        reason=f"{slot} is missing.",
    )
    return worded(task, sheets, standing, cue)


def _has_not_got(standing: Standing, need: Need) -> bool:
    flags = standing.task.flags
    if f"cannot:{need.slot}" in flags or f"cannot:{need.kind}" in flags:
        return True
    question = standing.task.question
    named = any(flag.startswith("cannot:") for flag in flags)
    return "cannot_answer" in flags and not named and question is not None and need.slot in question.slots
