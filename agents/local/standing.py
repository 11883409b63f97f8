"""Where a journey stands: which slots are filled and from what, which arguments that gives, which steps are done."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.journeys import Journey, Need, Step
from agents.local.matching import all_but, label_of, match_records
from agents.tasks import Attempt, EligibilityVerdict, Known, Source, WorkflowTask
from policies.words import Json, Origin

SAID = frozenset({"customer", "person"})
WORDED = frozenset({"items", "text", "choice", "ordinal", "all"})
"""Kinds of needs whose value is words until a list of records says what they mean."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A slot's value and where it is from."""

    value: Json
    source: Source
    label: Json
    """The value as people say it."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A call's arguments as far as evidence gives them."""

    arguments: dict[str, Json]
    provenance: dict[str, Source]
    missing: dict[str, str] = field(default_factory=dict)
    """Argument → source that has no value: "slot:order_id"."""


class Standing:
    """One journey against the rows of one case. Computes from the task alone."""

    def __init__(self, task: WorkflowTask, journey: Journey) -> None:
        self.task, self.journey = task, journey
        self._needs = {need.slot: need for need in journey.needs}
        self._filled: dict[str, Filled | None] = {}
        self._resolving: set[str] = set()

    def need(self, slot: str) -> Need | None:
        """The declared need of a slot."""
        return self._needs.get(slot)

    def slot(self, name: str) -> Filled | None:
        """What fills a slot now; None while nothing does, or several records might."""
        if name in self._resolving:
            return None
        if name not in self._filled:
            self._resolving.add(name)
            try:
                self._filled[name] = self._fill(name)
            finally:
                self._resolving.discard(name)
        return self._filled[name]

    def said(self, name: str) -> Known | None:
        """What the customer, or a person for them, said last for this slot."""
        need = self._needs.get(name)
        rows = [row for row in self.task.known if row.kind in SAID]
        named = [row for row in rows if row.name == name]
        if not named and need is not None:
            named = [row for row in rows if row.name == need.kind]
            if not named and need.choose is not None and need.choose.many:
                named = [row for row in rows if row.name in {"items", "all"}]
        return named[-1] if named else None

    def candidates(self, need: Need) -> list[dict[str, Json]]:
        """The records that a slot is chosen from; empty while its list hasn't been read."""
        if need.choose is None:
            return []
        found = self.evidence(need.choose.source)
        records = found[0] if found else None
        listed = [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []
        likely = [
            record
            for record in listed
            if all(record.get(field) in values for field, values in need.choose.only.items())
        ]
        named = self.said(need.slot)
        unlikely = [record.get(need.choose.value) for record in listed if record not in likely]
        # One that the customer names by its id is looked up all the same, and the check says why it can't be.
        return listed if not likely or (named is not None and named.value in unlikely) else likely

    def to_show(self, need: Need) -> list[dict[str, Json]]:
        """The records to choose from as a question shows them: value and label beside their own fields."""
        choose = need.choose
        if choose is None:
            return []
        records = self.candidates(need)
        doubtful = self._doubtful(need, records)
        return [
            {**record, "value": record.get(choose.value), "label": _shown(need, record)}
            for record in (doubtful or records)
        ]

    def has_list(self, need: Need) -> bool:
        """Whether the list that a slot is chosen from has been read."""
        return need.choose is not None and self.evidence(need.choose.source) is not None

    def evidence(self, path: str) -> tuple[Json, str] | None:
        """The value at a path of evidence and the row's id; of several rows of a name, the one the slots are about."""
        row = self.row(path.split(".", 1)[0])
        if row is None:
            return None
        value: Json = row.value
        for part in path.split(".")[1:]:
            if isinstance(value, dict) and part in value:
                value = value[part]
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value, row.id

    def row(self, name: str) -> Known | None:
        """The row of evidence, not of words, that a name means now."""
        rows = [row for row in self.task.known if row.name == name and row.kind not in SAID]
        if len(rows) > 1:
            subjects = {str(filled.value) for filled in self._scalars()}
            rows = [row for row in rows if row.subject in subjects] or rows
        return rows[-1] if rows else None

    def bind(self, sources: Mapping[str, str]) -> Bound:
        """Arguments and provenance from "slot:", "evidence:" and "value:" sources; "fact:" sources are the caller's."""
        bound = Bound({}, {})
        for name, source in sources.items():
            kind, _, rest = source.partition(":")
            if kind == "value":
                bound.arguments[name], bound.provenance[name] = _literal(rest), Source(origin=Origin.PLAYBOOK)
            elif kind == "slot" and (filled := self.slot(rest)) is not None:
                bound.arguments[name], bound.provenance[name] = filled.value, filled.source
            elif kind == "evidence" and (found := self.evidence(rest)) is not None:
                bound.arguments[name] = found[0]
                bound.provenance[name] = Source(origin=Origin.EVIDENCE, ref=found[1])
            else:
                bound.missing[name] = source
        return bound

    def attempts(self, step: Step) -> list[Attempt]:
        """The requests made for a step, in order."""
        return [
            each
            for each in self.task.attempts
            if each.tool == step.tool and each.step in {step.id, ""} and each.state != "needs_confirmation"
        ]

    def verdict(self, step: Step) -> EligibilityVerdict | None:
        """The check's verdict on the present inputs and for the present call."""
        inputs = self.bind(step.inputs).arguments
        guarded = self.guarded(step)
        about = self.bind(guarded.arguments).arguments if guarded else {}
        for verdict in reversed(self.task.eligibility):
            if verdict.step == step.id:
                same = not verdict.inputs or same_call(inputs, verdict.inputs)
                return verdict if same and (not verdict.about or verdict.about == about) else None
        return None

    def guarded(self, step: Step) -> Step | None:
        """The call that a check is about: the next one of the journey."""
        return next((each for each in self.journey.steps[self.journey.steps.index(step) + 1 :] if each.tool), None)

    def is_done(self, step: Step) -> bool:
        """Whether nothing is left to do for a step: read for these arguments, written at all, or found eligible."""
        if step.check:
            verdict = self.verdict(step)
            return verdict is not None and verdict.verdict == "eligible"
        if not step.tool:
            return False
        if self._has_acted(step):
            # Whatever it was in the end, a reviewer's edit included: it is not done again with what we had proposed.
            return True
        wanted = self.bind(step.arguments).arguments
        return any(each.state == "committed" and same_call(wanted, each.arguments) for each in self.attempts(step))

    def _has_acted(self, step: Step) -> bool:
        """Whether a committed request of a confirmed step changed the world."""
        return bool(step.confirm) and any(each.state == "committed" for each in self.attempts(step))

    def is_skipped(self, step: Step) -> bool:
        """Whether what the step would find out has been said already."""
        return bool(step.unless) and all(self.slot(slot) is not None for slot in step.unless)

    def next_step(self) -> Step | None:
        """The first step, in order, that is not done and whose predecessors are; None when all are."""
        settled = self.settled()
        for step in self.journey.steps:
            if step.id not in settled and set(step.after) <= settled:
                return step
        return None

    def is_complete(self) -> bool:
        """Whether every step is done or skipped."""
        return self.settled() == {step.id for step in self.journey.steps}

    def settled(self) -> set[str]:
        """Ids of the steps that are done or skipped, and of those before one that acted: they are not asked again."""
        settled = {step.id for step in self.journey.steps if self.is_done(step) or self.is_skipped(step)}
        after = {step.id: step.after for step in self.journey.steps}
        acted = [step.id for step in self.journey.steps if step.id in settled and self._has_acted(step)]
        while acted:
            before = [each for each in after.get(acted.pop(), []) if each not in settled]
            settled.update(before)
            acted.extend(before)
        return settled

    def source_step(self, need: Need) -> Step | None:
        """The step that reads the list a slot is chosen from, if it can be taken now and hasn't been."""
        if need.choose is None:
            return None
        for step in self.journey.steps:
            if step.tool and need.slot in step.unless and not self.is_done(step):
                return step if all(self.slot(slot) for slot in step.needs) else None
        return None

    def _fill(self, name: str) -> Filled | None:
        need, row = self._needs.get(name), self.said(name)
        if need is None:
            return Filled(row.value, _of(row), row.value) if row else None
        if need.choose is None:
            return Filled(row.value, _of(row), _label(need, row.value)) if row else None
        return self._choose(need, row)

    def _choose(self, need: Need, row: Known | None) -> Filled | None:
        choose = need.choose
        if choose is None:
            return None
        records = self.candidates(need)
        if not records:
            return Filled(row.value, _of(row), row.value) if row and _is_id(need, row) else None
        places = self._places(need, row, records)
        if not places and row is not None and _is_id(need, row):
            # An id that is not on the list: looking it up says why, politely.
            return Filled(row.value, _of(row), row.value)
        if not places and len(records) == 1 and choose.single == "take" and self._may_take(row):
            places = [0]
        if not places or (len(places) > 1 and not choose.many):
            return None
        listed = self.evidence(choose.source)
        source = Source(origin=Origin.EVIDENCE, ref=listed[1] if listed else "")
        values: list[Json] = [records[place].get(choose.value) for place in places]
        labels: list[Json] = [label_of(records[place], choose.label) for place in places]
        return Filled(values if choose.many else values[0], source, labels if choose.many else labels[0])

    def _places(self, need: Need, row: Known | None, records: Sequence[Mapping[str, Json]]) -> list[int]:
        choose = need.choose
        if choose is None:
            return []
        labels = [label_of(record, choose.label) for record in records]
        values = [record.get(choose.value) for record in records]
        if row is not None:
            said = row.value if isinstance(row.value, list) else [row.value]
            exact = [place for place, value in enumerate(values) if value in said]
            if exact:
                return exact
            if row.name == "all" or row.value is True or (isinstance(row.value, dict) and "except" in row.value):
                return self._all(need, row, labels)
            if isinstance(row.value, int) and not isinstance(row.value, bool):
                place = row.value - 1 if row.value > 0 else len(records) + row.value
                return [place] if 0 <= place < len(records) else []
            phrases = [str(phrase) for phrase in said if isinstance(phrase, str)]
            found = sorted({place for phrase in phrases for place in match_records(phrase, labels, many=choose.many)})
            if found and (choose.many or len(found) == 1):
                return found
        everything = self._row_named("all")
        if choose.many and everything is not None:
            return self._all(need, everything, labels)
        items = self._row_named("items")
        if items is not None and items is not row:
            said = items.value if isinstance(items.value, list) else [items.value]
            found = sorted({place for phrase in said for place in match_records(str(phrase), labels, many=choose.many)})
            if found and (choose.many or len(found) == 1):
                return found
        past = self._acted_on(need.slot)
        taken = [place for place, value in enumerate(values) if past is not None and value in past]
        asked = self.task.question is not None and need.slot in self.task.question.slots
        if taken and not asked:
            return taken
        return match_records(self.task.text, labels, many=choose.many) or taken

    def _acted_on(self, slot: str) -> list[Json] | None:
        """What earlier calls of this case took for a slot: what was chosen once stays chosen."""
        for attempt in reversed(self.task.attempts):
            for step in self.journey.steps:
                if step.tool != attempt.tool or attempt.state != "committed":
                    continue
                for name, source in step.arguments.items():
                    if source == f"slot:{slot}" and attempt.arguments.get(name) is not None:
                        value = attempt.arguments[name]
                        return value if isinstance(value, list) else [value]
        return None

    def _all(self, need: Need, row: Known, labels: Sequence[str]) -> list[int]:
        if need.choose is None or not need.choose.many:
            return [0] if len(labels) == 1 else []
        excluded = row.value.get("except") if isinstance(row.value, dict) else None
        if not isinstance(excluded, list):
            return list(range(len(labels)))
        return all_but("everything except " + ", except ".join(str(each) for each in excluded), labels)

    def _doubtful(self, need: Need, records: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
        """The few records that the customer's words fit equally well, if they fit some but not all."""
        places = self._places(need, self.said(need.slot), records) if records else []
        return [records[place] for place in places] if 1 < len(places) < len(records) else []

    def _may_take(self, row: Known | None) -> bool:
        """One candidate is taken unasked unless the customer named something that isn't it."""
        return row is None or row.name != "items"

    def _row_named(self, name: str) -> Known | None:
        return next((row for row in reversed(self.task.known) if row.kind in SAID and row.name == name), None)

    def _scalars(self) -> list[Filled]:
        filled = [self.slot(name) for name in self._needs]
        return [each for each in filled if each is not None and isinstance(each.value, str | int)]


def same_call(wanted: Mapping[str, Json], made: Mapping[str, Json]) -> bool:
    """Whether a call was made with these arguments; what the tool's defaults added doesn't count."""
    return all(made.get(name) == value for name, value in wanted.items())


def _of(row: Known) -> Source:
    return Source(origin=Origin.PERSON if row.kind == "person" else Origin.CUSTOMER, ref=row.id)


def _is_id(need: Need, row: Known) -> bool:
    return (
        need.kind not in WORDED
        and isinstance(row.value, str)
        and " " not in row.value.strip()
        and any(character.isdigit() for character in row.value)
    )


def _label(need: Need, value: Json) -> Json:
    if isinstance(value, str) and need.options.get(value):
        return need.options[value][0]
    return value


def _shown(need: Need, record: Mapping[str, Json]) -> str:
    """How a record is offered: with its id where customers know it by that."""
    label = label_of(record, need.choose.label) if need.choose else ""
    value = record.get(need.choose.value) if need.choose else None
    return label if need.kind in WORDED or not label or str(value) in label else f"{value} ({label})"


def _literal(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    return value
