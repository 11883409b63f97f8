"""What a chat model is told beside its task, from the playbook: the journey in hand, its tools, the templates meant."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.local.cues import takes_planning
from agents.local.sheets import Sheets, ToolCard
from agents.reasoners.models import ToolOffer
from agents.reasoners.wire import strict_parameters
from agents.tasks import Cue, DraftsTask, DraftTask, IntentTask, Known, Source, ToolProposal, Typed, WorkflowTask
from policies.words import Json, Origin

RESULT = "result_"
ALWAYS = ("anything_else", "not_understood", "no_answer", "escalated")
"""Templates that an open journey may always end with."""


@dataclass(frozen=True, slots=True)
class Briefs:
    """Briefings from one playbook's sheets."""

    sheets: Sheets

    def extras(self, task: Typed) -> Mapping[str, Json]:
        """The templates that a draft's cues name; for planning, the journey and what may be said."""
        templates = self.sheets.voice.templates
        if isinstance(task, DraftTask | DraftsTask):
            drafts = task.drafts if isinstance(task, DraftsTask) else [task]
            named = {name for each in drafts for cue in each.cues for name in (cue.lead, cue.template)}
            return {"templates": {name: templates[name] for name in sorted(named & templates.keys())}}
        if isinstance(task, WorkflowTask) and (journey := self.sheets.journeys.get(task.journey or "")) is not None:
            shown = [f"{RESULT}{card.returns}" for card in self._cards(task)]
            shown += [need.ask for need in journey.needs] + [*ALWAYS]
            return {
                "goal": journey.goal,
                "needs": {need.slot: need.ask for need in journey.needs},
                "templates": {name: templates[name] for name in dict.fromkeys(shown) if name in templates},
            }
        return {}

    def offers(self, task: Typed) -> Sequence[ToolOffer]:
        """Of an open journey's tools those that are permitted at this step; a step of any other is no choice."""
        if not isinstance(task, WorkflowTask) or not takes_planning(task, self.sheets):
            return ()
        return [
            ToolOffer(card.name, card.description, strict_parameters(card.parameters)) for card in self._cards(task)
        ]

    def answer_of(self, task: Typed, tool: str, arguments: Mapping[str, Json]) -> object:
        """The call as a cue. Where each argument came from is looked up, not asked."""
        if not isinstance(task, WorkflowTask):
            return None
        # Strict schemas make every argument required; null then stands for "left out".
        given: dict[str, Json] = {name: value for name, value in arguments.items() if value is not None}
        goal = self.extras(task).get("goal")
        call = ToolProposal(
            tool=tool,
            arguments=given,
            provenance={name: found for name, value in given.items() if (found := _origin(task.known, value))},
            why=goal if isinstance(goal, str) else "",
        )
        return Cue(kind="call", call=call, reason=f"The model asks for {tool}.")

    def amended(self, task: Typed, answer: Any) -> Any:
        """A reading's entities with their places looked up: models name things well and count letters badly."""
        if not isinstance(task, IntentTask) or not isinstance(answer, dict):
            return answer
        entities = answer.get("entities")
        if not isinstance(entities, list):
            return answer
        return {**answer, "entities": [_placed(task.text, entity) for entity in entities]}

    def _cards(self, task: WorkflowTask) -> Iterator[ToolCard]:
        return (self.sheets.tools[name] for name in task.tools if name in self.sheets.tools)


def _placed(text: str, entity: Any) -> Any:
    """An entity at the place nearest to its own where its words stand; as it is where they don't."""
    words = entity.get("text") if isinstance(entity, dict) else None
    if not isinstance(words, str) or not words:
        return entity
    found = [match.start() for match in re.finditer(re.escape(words), text)]
    found = found or [match.start() for match in re.finditer(re.escape(words), text, re.IGNORECASE)]
    if not found:
        return entity
    own = entity.get("start")
    start = min(found, key=lambda place: abs(place - own)) if isinstance(own, int) else found[0]
    return {**entity, "text": text[start : start + len(words)], "start": start, "end": start + len(words)}


def _origin(known: Sequence[Known], value: Json) -> Source | None:
    """The latest row that holds a value: said by the customer or a person, or read from a system."""
    for row in reversed(known):
        if _holds(row.value, value):
            origin = {"customer": Origin.CUSTOMER, "person": Origin.PERSON}.get(row.kind, Origin.EVIDENCE)
            return Source(origin=origin, ref=row.id)
    return None


def _holds(stated: Any, value: Json) -> bool:
    if isinstance(value, list) and value and stated != value:
        return all(_holds(stated, part) for part in value)
    if stated == value and type(stated) is type(value):
        return True
    if isinstance(stated, Mapping):
        return any(_holds(part, value) for part in stated.values())
    return isinstance(stated, list) and any(_holds(part, value) for part in stated)
