"""How far a playbook's policies agree with a set of calls that somebody else judged: gold, violations, twins, models.

Nothing here knows a business. Who is authenticated and what was confirmed is supplied as rows say (docs/evaluation.md).
"""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.conformance_rows import Attempt, Call, ConformanceSet, EndStates, GoldTask, RecordedCalls
from evals.desk import Desk, Judgement, Records
from evals.playbook_size import python_lines, yaml_lines
from evals.spoken_yes import has_said_yes
from graphs.playbook import Playbook
from policies.words import Effect, Json
from tools.records import Tables

CENT = 0.005
"""Numbers nearer to each other than this are equal: amounts in sets were added up as floats."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One call of the set, and what policy said of it."""

    kind: str
    """gold, violation, twin or model."""
    id: str
    call: Call
    judgement: Judgement
    rule: str = ""
    """For a violation: the rule that it breaks."""
    right_rule: bool = False
    """For a violation: whether a rule that stopped it comes from one of the clauses that it breaks."""
    worked: bool | None = None
    """For gold calls and those of models: whether the tool did it; None if it wasn't asked."""

    def as_json(self) -> dict[str, Json]:
        """As a row of the details file."""
        return {
            "kind": self.kind,
            "id": self.id,
            "tool": self.call.tool,
            "args": dict(self.call.arguments),
            "effect": self.judgement.effect.value,
            "rules": list(self.judgement.rules),
            "reasons": list(self.judgement.reasons),
            "rule_id": self.rule,
            "right_rule": self.right_rule,
            "worked": self.worked,
        }


@dataclass(slots=True)
class ConformanceReport:
    """What came of all rows."""

    yaml_lines: int
    python_lines: int
    gold: list[Judged] | None = None
    end_states: dict[str, bool] | None = None
    """Gold task → whether the records ended as the set says."""
    violations: list[Judged] | None = None
    twins: list[Judged] | None = None
    model: list[Judged] | None = None

    @property
    def stopped_because(self) -> Counter[str]:
        """Rule → how many of the language models' calls it stopped; a call may be stopped by several."""
        return Counter(rule for each in self.model or () if each.judgement.is_stopped for rule in each.judgement.rules)

    def as_json(self) -> dict[str, Json]:
        """The figures; those of absent files are left out."""
        found: dict[str, Json] = {}
        if self.gold is not None:
            found["gold_allowed"] = sum(each.judgement.effect is Effect.ALLOW for each in self.gold)
            found["gold_total"] = len(self.gold)
        if self.end_states is not None:
            found["end_states_equal"] = sum(self.end_states.values())
            found["end_states_total"] = len(self.end_states)
        if self.violations is not None:
            found["violations_stopped"] = _stopped(self.violations)
            found["violations_total"] = len(self.violations)
            found["right_rule"] = sum(each.right_rule for each in self.violations)
            found["by_rule"] = self._by_rule(self.violations)
        if self.twins is not None:
            found["twins_stopped"] = _stopped(self.twins)
            found["twins_total"] = len(self.twins)
        if self.model is not None:
            found["model_writes"] = len(self.model)
            found["model_writes_stopped"] = _stopped(self.model)
        return found | {"yaml_lines": self.yaml_lines, "python_lines": self.python_lines}

    def rows(self) -> Sequence[Judged]:
        """Every call that was judged."""
        return [*(self.gold or ()), *(self.violations or ()), *(self.twins or ()), *(self.model or ())]

    @staticmethod
    def _by_rule(violations: Sequence[Judged]) -> dict[str, Json]:
        return {
            rule: {
                "stopped": _stopped(rows),
                "total": len(rows),
                "right_rule": sum(each.right_rule for each in rows),
            }
            for rule in sorted({each.rule for each in violations})
            if (rows := [each for each in violations if each.rule == rule])
        }


async def measure_conformance(
    playbook: Playbook, rows: ConformanceSet, *, on_row: Callable[[], None] = lambda: None
) -> ConformanceReport:
    """Judge every row of a set by a playbook's policies, each on records as they were at the beginning.

    Args:
        playbook: Whose policies and tools. Its records are `db.json` of the set where there is one, else its fixtures.
        rows: The set.
        on_row: Called after each row.
    """
    report = ConformanceReport(yaml_lines(playbook.directory), python_lines(playbook.directory))
    with tempfile.TemporaryDirectory(prefix="callboard-conformance-") as directory:
        records = Records(playbook, Path(directory), records=rows.records)
        if rows.gold is not None:
            report.gold, report.end_states = await _measure_gold(records, rows.gold, rows.end_states or {}, on_row)
        if rows.violations is not None:
            report.violations = await _measure_attempts(records, rows.violations, "violation", on_row)
        if rows.twins is not None:
            report.twins = await _measure_attempts(records, rows.twins, "twin", on_row)
        if rows.conversations is not None:
            report.model = await _measure_models(records, rows.conversations, on_row)
    return report


async def _measure_gold(
    records: Records, tasks: Sequence[GoldTask], wanted: EndStates, on_row: Callable[[], None]
) -> tuple[list[Judged], dict[str, bool] | None]:
    """The writes of all tasks, and which tasks ended as wanted; None if no end state could be compared."""
    writes: list[Judged] = []
    equal: dict[str, bool] = {}
    for task in tasks:
        async with records.open(task.now) as desk:
            writes += await _play_gold(desk, task)
            changed = desk.changed_records()
            if changed is not None and task.id in wanted:
                equal[task.id] = is_same_state(changed, wanted[task.id])
        on_row()
    return writes, equal or None


async def _measure_attempts(
    records: Records, attempts: Sequence[Attempt], kind: str, on_row: Callable[[], None]
) -> list[Judged]:
    judged = []
    for attempt in attempts:
        async with records.open(attempt.now) as desk:
            judged.append(await _judge_attempt(desk, attempt, kind=kind))
        on_row()
    return judged


async def _measure_models(
    records: Records, conversations: Sequence[RecordedCalls], on_row: Callable[[], None]
) -> list[Judged]:
    tools = {event.call.tool for each in conversations for event in each.events if event.call is not None}
    by_calls = bool(tools & records.verifying_tools)
    judged: list[Judged] = []
    for conversation in conversations:
        async with records.open(conversation.now) as desk:
            if not by_calls:
                desk.sign_in(conversation.customer_id)
            judged += await _replay(desk, conversation)
        on_row()
    return judged


async def _play_gold(desk: Desk, task: GoldTask) -> list[Judged]:
    """Put every gold call through policy, then its tool.

    Whom a task doesn't authenticate before the first record is touched is taken for the owner of that record.
    """
    writes = []
    for call in task.calls:
        if desk.customer_id is None and not desk.verifies(call):
            desk.sign_in(await desk.owner_of(call))
        judgement = await desk.judge(call, confirmed=desk.is_write(call))
        worked = await desk.make(call) if judgement.effect is Effect.ALLOW else None
        if desk.is_write(call):
            writes.append(Judged("gold", task.id, call, judgement, worked=worked))
    return writes


async def _judge_attempt(desk: Desk, attempt: Attempt, *, kind: str) -> Judged:
    desk.sign_in(attempt.customer_id)
    for call in attempt.setup:
        await desk.make(call)
    desk.sign_in(attempt.customer_id)
    judgement = await desk.judge(attempt.call, confirmed=attempt.confirmed)
    right = judgement.is_stopped and any(_names(source, attempt.rules) for source in judgement.sources)
    return Judged(kind, attempt.id, attempt.call, judgement, rule=attempt.rule, right_rule=right)


async def _replay(desk: Desk, conversation: RecordedCalls) -> list[Judged]:
    """Judge the writes of a recorded conversation at the moment they were made.

    Authentication comes from the recorded calls that verify. A yes confirms the calls that follow it, until the
    customer speaks again. What worked then is done here too, so that the records
    are at every call what they were.
    """
    judged = []
    said_yes = False
    for event in conversation.events:
        if event.call is None:
            if event.speaker == "user":
                said_yes = has_said_yes(event.text)
            continue
        is_write = desk.is_write(event.call)
        judgement = await desk.judge(event.call, confirmed=said_yes) if is_write else None
        worked = not event.failed and await desk.make(event.call)
        if judgement is not None:
            judged.append(Judged("model", conversation.id, event.call, judgement, worked=worked))
    return judged


def is_same_state(changed: Tables, wanted: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the same records ended the same. A field that is null isn't there; numbers agree to a cent."""
    return _is_same({name: part for name, part in changed.items() if part}, {k: v for k, v in wanted.items() if v})


def _is_same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        names = {name for side in (ours, theirs) for name, value in side.items() if value is not None}
        return all(_is_same(ours.get(name), theirs.get(name)) for name in names)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_is_same, ours, theirs))
    if _is_number(ours) and _is_number(theirs):
        return bool(abs(ours - theirs) < CENT)
    return type(ours) is type(theirs) and bool(ours == theirs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _names(source: str, rules: frozenset[str]) -> bool:
    """Whether a clause is one of the rules: its id stands in the rule's `source` as a whole word."""
    return any(re.search(rf"(?<![\w-]){re.escape(rule)}(?![\w-])", source) for rule in rules)


def _stopped(rows: Sequence[Judged]) -> int:
    return sum(each.judgement.is_stopped for each in rows)
