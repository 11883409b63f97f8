"""The rules' own examples: each is run against its rule alone, and must pass or be stopped as it says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from policies.asking import Inquiry, ask, ask_trigger
from policies.attributes import parse_timestamp
from policies.canonical import is_same
from policies.detectors.prose import ProseRules
from policies.documents import closest
from policies.errors import ConditionError, Mistake
from policies.findings import Findings
from policies.limits import limit_key
from policies.moments import add_signals, read_moment, read_turn
from policies.programs import CompiledRule, LocatedRule, PolicySet, ToolProgram
from policies.rules import ObligationRule, Permission, ProseRule, Rule, Table
from policies.tables import DecisionTable
from policies.words import (
    ActionRequest,
    Assurance,
    AutonomyLevel,
    CaseId,
    CustomerId,
    Fact,
    HistoryEvent,
    Origin,
    PastUse,
    Provenance,
    RequestId,
    Situation,
)

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
SITUATION: Final = Situation(
    now=NOON,
    customer_id=CustomerId("C-1"),
    assurance=Assurance.VERIFIED,
    level=AutonomyLevel.SUPERVISED,
    case_id=CaseId("case-1"),
)
KEYS: Final = frozenset(
    {
        "tool",
        "specialist",
        "level",
        "history",
        "confirmed",
        "used",
        "provenance",
        "occurrence",
        "justification",
        "customer.id",
        "customer.assurance",
        "conversation.channel",
        "journey",
        "now",
    }
)


@dataclass(frozen=True, slots=True)
class ExampleReport:
    """What came of the examples."""

    ran: int
    failures: tuple[Mistake, ...]
    per_rule: Mapping[str, int]
    """Examples by rule id; a rule without any is there with 0."""
    rows_reached: Mapping[str, tuple[int, ...]]
    """By table, the rows that its examples reach, counted from 1; 0 is `otherwise`."""


class _WrongExampleError(Exception):
    """An example that can't be run."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        self.suggestion = suggestion
        super().__init__(message)


def run_examples(policies: PolicySet) -> ExampleReport:
    """Run every example of every rule."""
    failures: list[Mistake] = []
    per_rule: dict[str, int] = {}
    for located in policies.located:
        per_rule[located.rule.id] = len(located.example_lines)
        for (side, index), line in located.example_lines.items():
            try:
                problem, suggestion = _problem(policies, located, side, index), ""
            except _WrongExampleError as error:
                problem, suggestion = str(error), error.suggestion
            if problem:
                where = f"example {index + 1} of {side}" if side else f"example {index + 1}"
                failures.append(Mistake(located.file, line, f"{located.rule.id}, {where}: {problem}", suggestion))
    rows = {table_id: _rows_reached(table) for table_id, table in policies.tables.items()}
    return ExampleReport(sum(per_rule.values()), tuple(sorted(failures)), per_rule, rows)


def _rows_reached(table: DecisionTable) -> tuple[int, ...]:
    return tuple(sorted({row for example in table.rule.examples for row in table.decide(example.given).rows}))


def _problem(policies: PolicySet, located: LocatedRule, side: str, index: int) -> str:
    """What is wrong with one example; empty if nothing is."""
    rule = located.rule
    match rule:
        case Table():
            return _table_problem(policies, rule, index)
        case ProseRule():
            text = (rule.examples.allows if side == "allows" else rule.examples.stops)[index]
            channel = rule.channels[0] if rule.channels else SITUATION.channel
            stopped = bool(ProseRules([rule]).check(text, channel=channel))
        case Rule() if rule.examples is not None:
            example = (rule.examples.allows if side == "allows" else rule.examples.stops)[index]
            turn = rule.applies_to.turn
            stopped = _stops_turn(policies, rule, example) if turn else _stops_call(policies, located, example)
        case _:
            return ""
    if stopped == (side == "stops"):
        return ""
    return "the rule stops it." if stopped else "the rule has no objection to it."


def _table_problem(policies: PolicySet, rule: Table, index: int) -> str:
    example = rule.examples[index]
    outcome = policies.tables[rule.id].decide(example.given)
    if outcome.error:
        return outcome.error
    wrong = [name for name, value in example.gives.items() if not is_same(outcome.values.get(name), value)]
    return f"it gives {', '.join(f'{name}: {outcome.values.get(name)}' for name in wrong)}." if wrong else ""


def _stops_call(policies: PolicySet, located: LocatedRule, example: Mapping[str, Any]) -> bool:
    tool = example.get("tool", located.tools[0] if located.tools else "")
    program = policies.programs.get(tool)
    if program is None or tool not in located.tools:
        raise _WrongExampleError(f"the rule doesn't apply to {tool}.", closest(str(tool), located.tools))
    compiled = next(each for each in (*program.rules, *program.triggers) if each.id == located.rule.id)
    request, facts = _request(policies, program, compiled, example)
    situation = _situation(policies, program, compiled, example, request)
    moment = read_moment(program, request, facts, situation)
    findings = Findings()
    inquiry = Inquiry(policies, program, request, situation, moment, findings)
    if located.section == "triggers":
        add_signals(moment, situation, policies.signals)
        ask_trigger(inquiry, compiled)
    else:
        ask(inquiry, compiled)
    if findings.errors:
        raise _WrongExampleError(findings.errors[0])
    if isinstance(located.rule, Permission):
        return not findings.grants
    return bool(findings.objections or (isinstance(located.rule, ObligationRule) and findings.obligations))


def _stops_turn(policies: PolicySet, rule: Rule, example: Mapping[str, Any]) -> bool:
    for name in example:
        if name not in KEYS and name not in policies.signals:
            raise _WrongExampleError(f"{name} is not known.", closest(name, policies.signals))
    turn = policies.turn
    compiled = next(each for each in (*turn.triggers, *turn.obligations) if each.id == rule.id)
    situation = _plain_situation(example, policies.signals)
    moment = read_turn(turn.constants, situation, policies.signals)
    try:
        return moment.holds(compiled.condition)
    except ConditionError as error:
        raise _WrongExampleError(str(error)) from error


def _request(
    policies: PolicySet, program: ToolProgram, compiled: CompiledRule, example: Mapping[str, Any]
) -> tuple[ActionRequest, dict[str, Fact]]:
    profile = program.profile
    facts: dict[str, Fact] = {}
    known = {*KEYS, *(f"args.{name}" for name in profile.argument_types), *profile.fact_types, *policies.signals}
    for name, value in example.items():
        if name not in known:
            raise _WrongExampleError(f"{name} is not known for {profile.name}.", closest(name, known))
        if name in profile.fact_types:
            facts[name] = Fact(value, "example", NOON)
    try:
        origins = {name: Provenance(Origin(origin)) for name, origin in _mapping(example, "provenance").items()}
    except ValueError as error:
        raise _WrongExampleError("provenance names an unknown origin.", "one of " + ", ".join(Origin)) from error
    request = ActionRequest(
        id=RequestId("example"),
        tool=profile.name,
        arguments=_arguments(example),
        specialist=str(example.get("specialist", "workflow")),
        provenance=origins,
        occurrence=str(example.get("occurrence", "")),
    )
    return request, facts


def _situation(
    policies: PolicySet,
    program: ToolProgram,
    compiled: CompiledRule,
    example: Mapping[str, Any],
    request: ActionRequest,
) -> Situation:
    situation = _plain_situation(example, policies.signals)
    history = list(situation.history)
    if example.get("confirmed") is True:
        history.append(HistoryEvent("confirmation", request.tool, request.arguments))
    uses: dict[str, tuple[PastUse, ...]] = {}
    if compiled.limit is not None:
        try:
            key = limit_key(compiled.limit, request, profile=program.profile, situation=situation)
        except ConditionError as error:
            raise _WrongExampleError(str(error)) from error
        if key is not None:
            uses[key.key] = _uses(_mapping(example, "used"), situation.now)
    return replace(situation, history=tuple(history), uses=uses)


def _plain_situation(example: Mapping[str, Any], signals: Mapping[str, str]) -> Situation:
    try:
        return replace(
            SITUATION,
            now=parse_timestamp(example["now"]) if "now" in example else NOON,
            customer_id=CustomerId(example["customer.id"]) if "customer.id" in example else SITUATION.customer_id,
            assurance=Assurance(example.get("customer.assurance", SITUATION.assurance)),
            level=AutonomyLevel(example.get("level", SITUATION.level)),
            channel=str(example.get("conversation.channel", SITUATION.channel)),
            journey=str(example.get("journey", "")),
            history=tuple(_event(each) for each in example.get("history", ())),
            signals={name: example[name] for name in signals if name in example},
            justification=str(example.get("justification", "")),
            justified_by="supervisor" if example.get("justification") else "",
        )
    except (TypeError, ValueError) as error:
        raise _WrongExampleError("now, customer.assurance, level or history can't be used.") from error


def _event(entry: Any) -> HistoryEvent:
    if not isinstance(entry, dict) or ("call" in entry) == ("confirmed" in entry):
        raise _WrongExampleError("an entry of history names no call.", "{call: get_order, args.order_id: W1}")
    if "call" in entry:
        return HistoryEvent("call", str(entry["call"]), _arguments(entry), ok=entry.get("ok", True) is True)
    return HistoryEvent("confirmation", str(entry["confirmed"]), _arguments(entry))


def _uses(used: Mapping[str, Any], now: datetime) -> tuple[PastUse, ...]:
    """As many past uses as were counted; the first carries the whole amount."""
    count, amount = used.get("count", 1 if used else 0), used.get("amount_minor", 0)
    if type(count) is not int or type(amount) is not int or count < 0:
        raise _WrongExampleError("used can't be read.", "used: {count: 2, amount_minor: 4000, currency: EUR}")
    uses = [PastUse(now, amount, str(used.get("currency", "")))] if count else []
    return (*uses, *(PastUse(now) for _ in range(min(count, 10_000) - 1)))


def _arguments(example: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("args."): value for name, value in example.items() if name.startswith("args.")}


def _mapping(example: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = example.get(name, {})
    if not isinstance(value, dict):
        raise _WrongExampleError(f"{name} must hold keys with values.")
    return value
