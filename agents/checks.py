"""What an answer can't be, whoever gave it: a journey, tool, template, value or citation that its task doesn't hold."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agents.local.sheets import Sheets
from agents.rendering import placeholders, value_at, values_of
from agents.tasks import (
    Cue,
    Draft,
    Drafts,
    DraftsTask,
    DraftTask,
    IntentReading,
    IntentTask,
    Typed,
    WorkflowTask,
)

NEEDS_CALL = frozenset({"call", "confirm"})
GIVEN = re.compile(r"[^\w@.+#-]+")


@dataclass(frozen=True, slots=True)
class AnswerChecks:
    """Deterministic checks of answers against their tasks; the same for every reasoner."""

    sheets: Sheets

    def __call__(self, task: Typed, answer: Typed) -> tuple[str, ...]:
        """Faults in words of ours, empty when there are none."""
        if isinstance(task, IntentTask) and isinstance(answer, IntentReading):
            return tuple(self._reading(task, answer))
        if isinstance(task, WorkflowTask) and isinstance(answer, Cue):
            return tuple(self._cue(task, answer))
        if isinstance(task, DraftTask) and isinstance(answer, Draft):
            return tuple(self._draft(task, answer))
        if isinstance(task, DraftsTask) and isinstance(answer, Drafts):
            return tuple(self._drafts(task, answer))
        return ()

    def _reading(self, task: IntentTask, reading: IntentReading) -> Iterator[str]:
        for place, guess in enumerate(reading.intents):
            named = {guess.journey, *guess.alternatives}
            if guess.answer != "abstain" and not named <= set(self.sheets.journeys):
                yield f"intents.{place}: no such journey"
        for place, entity in enumerate(reading.entities):
            if not 0 <= entity.start <= entity.end <= len(task.text):
                yield f"entities.{place}: its place is outside of the text"
            elif task.text[entity.start : entity.end] != entity.text:
                yield f"entities.{place}: its text is not what stands at its place"
            if entity.intent is not None and not 0 <= entity.intent < len(reading.intents):
                yield f"entities.{place}: no such intent"

    def _cue(self, task: WorkflowTask, cue: Cue) -> Iterator[str]:
        if cue.kind in NEEDS_CALL and cue.call is None:
            yield "call: missing"
        if cue.kind not in NEEDS_CALL and cue.call is not None:
            yield "call: only for the kinds call and confirm"
        if cue.call is not None:
            permitted = set(task.tools) | self.sheets.verification_tools
            if cue.call.tool not in permitted:
                yield "call.tool: not permitted in this journey"
        if cue.lead and cue.lead not in self.sheets.voice.templates:
            yield "lead: not in the voice's templates"
        if cue.kind != "call" and cue.template not in self.sheets.voice.templates:
            yield "template: not in the voice's templates"
        if not set(cue.evidence.values()) <= {row.id for row in task.known}:
            yield "evidence: no such row"
        shown = _leaves([cue.values, cue.records])
        if not shown:
            return
        known = _leaves(task.model_dump(mode="json"))
        known |= {journey.title for journey in self.sheets.journeys.values()}
        known |= set(self.sheets.journeys)
        if cue.call is not None:
            # What the customer is asked to confirm is judged by policy; here it only may be shown.
            known |= _leaves(cue.call.arguments)
        if not all(_is_grounded(leaf, known) for leaf in shown):
            yield "values: something that the task doesn't hold"

    def _drafts(self, task: DraftsTask, answer: Drafts) -> Iterator[str]:
        if len(answer.drafts) != len(task.drafts):
            yield "drafts: not one for each task"
            return
        for place, (each, draft) in enumerate(zip(task.drafts, answer.drafts, strict=True)):
            yield from (f"drafts.{place}.{fault}" for fault in self._draft(each, draft))

    def _draft(self, task: DraftTask, draft: Draft) -> Iterator[str]:
        if not draft.text.strip():
            yield "text: empty"
        if not set(draft.cites) <= {passage.id for passage in task.passages}:
            yield "cites: a passage that wasn't given"
        values = values_of(task.known, task.cues)
        if any(value_at(values, path) is None for path in placeholders(draft.text)):
            yield "text: refers to evidence that isn't there"


def _leaves(value: object) -> set[str]:
    """Every scalar in a JSON value, as text."""
    if isinstance(value, Mapping):
        return set().union(*(_leaves(each) for each in value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return set().union(*(_leaves(each) for each in value))
    return set() if value is None or isinstance(value, bool) else {str(value)}


def _is_grounded(leaf: str, known: set[str]) -> bool:
    """Whether a value is in the task, or is put together from values that are, as a record's label is."""
    if leaf in known:
        return True
    words = {word for word in GIVEN.split(leaf) if word}
    return bool(words) and words <= {word for each in known for word in GIVEN.split(each)}
