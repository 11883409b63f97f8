"""The reasoner that asks a model only where nothing written down decides: no form, no table, no journey's next step."""

import re
from collections.abc import Sequence
from dataclasses import replace

from agents.confirmation import read_confirmation
from agents.errors import BudgetSpent
from agents.local.cues import takes_planning
from agents.local.sheets import Sheets
from agents.prompting import Prompt
from agents.reasoners.base import UNWATCHED, A, Reasoner, Solved, Watcher
from agents.tasks import Draft, Drafts, DraftsTask, DraftTask, IntentReading, IntentTask, Typed, WorkflowTask

FORM = "a form decides this; no model was asked"
COURTESY = frozenset({"thanks", "goodbye", "greeting"})
MODEL_DRAFTS = 2
"""How often a model may write one reply: once, and once more if that was held."""
CERTAIN = frozenset({"email", "order_id", "postcode"})
"""Kinds of entities whose form leaves no doubt."""
WORD = re.compile(r"[\w']+")
FREE_CHARACTERS = 600
"""A longer message is more than an answer to a form, whatever its words."""
SMALL_WORDS = frozenset(
    re.findall(
        r"\S+",
        """a an the and or is are was it it's its i i'm im i've my mine me we our you your yours of for in on at to
        from with by that that's this these those here here's there hi hello hey dear ok okay sure yes yeah yep no
        please kindly thanks thank thx cheers great good perfect wonderful lovely much very so many lot lots well
        fine bye goodbye day evening morning afternoon night nice have a was were be will would could can email
        e-mail mail address post postcode postal code zip phone number order orders id ref reference name under
        registered account as under both following details info information follows below attached sent""",
    )
)
"""Words beside what was asked for that change nothing about it."""


class FormsReasoner:
    """Lets the local reasoner answer where a form decides, and asks the other one for everything else."""

    def __init__(self, sheets: Sheets, *, local: Reasoner, otherwise: Reasoner) -> None:
        """Make one.

        Args:
            sheets: The playbook: which journeys are open.
            local: Knows the forms; never calls a model.
            otherwise: Asked where they don't reach.
        """
        self._sheets, self._local, self._otherwise = sheets, local, otherwise

    @property
    def name(self) -> str:
        """Of both: "forms, then chat:gpt-5-mini"."""
        return f"forms, then {self._otherwise.name}"

    async def solve(self, task: Typed, answer: type[A], *, prompt: Prompt, watcher: Watcher = UNWATCHED) -> Solved[A]:
        """Solve by form, or hand on.

        Raises:
            BudgetSpent: A model would be needed to plan, and there is nothing left to spend. A message is read
                locally then, with a flag that says so; the words of a reply come from templates.
        """
        local = await self._local.solve(task, answer, prompt=prompt) if isinstance(task, IntentTask) else None
        if not self._needs_model(task, local.answer if local else None):
            local = local or await self._local.solve(task, answer, prompt=prompt)
            return replace(local, notes=(FORM, *local.notes))
        try:
            solved = await self._otherwise.solve(task, answer, prompt=prompt, watcher=watcher)
        except BudgetSpent as spent:
            if local is not None and isinstance(local.answer, IntentReading):
                # Read all the same, so that the person who takes over knows what it is about.
                flagged = local.answer.model_copy(update={"flags": [*local.answer.flags, spent.flag]})
                return replace(local, answer=flagged, notes=(str(spent), *local.notes))
            if not isinstance(task, DraftTask | DraftsTask):
                raise
            local = await self._local.solve(task, answer, prompt=prompt)
            return replace(local, notes=(str(spent), *local.notes))
        if local is not None and isinstance(solved.answer, IntentReading) and isinstance(local.answer, IntentReading):
            completed = complete(solved.answer, local.answer)
            if completed != solved.answer:
                notes = (*solved.notes, "patterns added what was overlooked")
                solved = replace(solved, answer=completed, notes=notes)  # type: ignore[arg-type]  # a reading, as it was
        return solved

    async def solve_drafts(
        self, tasks: Sequence[DraftTask], *, prompt: Prompt, watcher: Watcher = UNWATCHED
    ) -> list[Solved[Draft]]:
        """Several drafts of one reply: none needs another one's answer, so one call writes all that take a model."""
        wanted = [place for place, task in enumerate(tasks) if self._needs_model(task, None)]
        if len(wanted) < 2:
            return [await self.solve(task, Draft, prompt=prompt, watcher=watcher) for task in tasks]
        together = await self.solve(
            DraftsTask(drafts=[tasks[place] for place in wanted]), Drafts, prompt=prompt, watcher=watcher
        )
        written = dict(zip(wanted, together.answer.drafts, strict=True))
        solved: list[Solved[Draft]] = []
        for place, task in enumerate(tasks):
            if place not in written:
                solved.append(await self.solve(task, Draft, prompt=prompt, watcher=watcher))
                continue
            first = place == wanted[0]
            usage, notes = (together.usage, together.notes) if first else (replace(together.usage, calls=0), ())
            solved.append(
                Solved(
                    answer=written[place],
                    reasoner=together.reasoner,
                    prompt_version=together.prompt_version,
                    usage=usage if first else type(usage)(),
                    notes=(*notes, f"one call for {len(wanted)} drafts"),
                )
            )
        return solved

    def _needs_model(self, task: Typed, read: Typed | None) -> bool:
        match task:
            case IntentTask():
                return not isinstance(read, IntentReading) or not is_form(task, read)
            case WorkflowTask():
                return takes_planning(task, self._sheets)
            case DraftTask():
                # Questions, details to confirm and last words are the playbook's own; what a goal's end or an article
                # comes to is told in the customer's terms.
                return task.rewrites < MODEL_DRAFTS and any(cue.fulfils for cue in task.cues)
            case DraftsTask():
                return any(self._needs_model(each, None) for each in task.drafts)
        return False


def is_form(task: IntentTask, read: IntentReading) -> bool:
    """Whether a message says no more than what a form has a field for: a yes or no, what we asked for, a courtesy."""
    if len(task.text) > FREE_CHARACTERS or read.flags or any(entity.negated for entity in read.entities):
        return False
    question = task.question
    if question is None:
        return read.act in COURTESY and not read.intents and not read.entities and not _rest(task.text, read)
    if read.intents:
        return False
    if question.kind == "confirm":
        shown = next((line.text for line in reversed(task.transcript) if line.author == "assistant"), "")
        answer = read_confirmation(task.text, shown=shown)
        return (answer, read.act) in {("yes", "confirm"), ("no", "decline")}
    if question.kind == "clarify":
        return False
    return bool(read.entities) and read.act in {"inform", "confirm"} and not _rest(task.text, read)


def complete(reading: IntentReading, patterns: IntentReading) -> IntentReading:
    """A model's reading with what patterns see for certain: a wish for a person (P10), ids and addresses as written."""
    missed = [
        entity.model_copy(update={"intent": None})
        for entity in patterns.entities
        if entity.kind in CERTAIN
        and not any(other.start < entity.end and entity.start < other.end for other in reading.entities)
    ]
    flags = list(dict.fromkeys([*reading.flags, *(flag for flag in patterns.flags if flag == "asks_person")]))
    return reading.model_copy(update={"entities": [*reading.entities, *missed], "flags": flags})


def _rest(text: str, read: IntentReading) -> list[str]:
    """The words that are neither part of what was named nor small."""
    kept = list(text)
    for entity in read.entities:
        kept[entity.start : entity.end] = " " * (entity.end - entity.start)
    return [word for word in WORD.findall("".join(kept).lower()) if word not in SMALL_WORDS]
