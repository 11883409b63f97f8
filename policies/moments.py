"""The moment of a decision: the values that conditions read, each checked, and those that can't be used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policies.attributes import checked
from policies.conditions import Condition
from policies.errors import ConditionError
from policies.programs import Need, TableUse, ToolProgram
from policies.tables import TableOutcome
from policies.words import ActionRequest, Facts, Situation


@dataclass(slots=True)
class Moment:
    """Values by name; what is null is in neither mapping."""

    values: dict[str, Any]
    broken: dict[str, str]
    """Name → why it can't be used. A condition that reads one has no answer, whatever else it reads."""
    outcomes: dict[str, TableOutcome]
    """By table."""

    def holds(self, condition: Condition | None) -> bool:
        """Whether a condition is true now.

        Raises:
            ConditionError: It has no answer.
        """
        if condition is None:
            return True
        if self.broken:
            for name in sorted(condition.reads & self.broken.keys()):
                raise ConditionError(self.broken[name])
        return condition.holds(self.values)


def read_moment(program: ToolProgram, request: ActionRequest, facts: Facts, situation: Situation) -> Moment:
    """Collect and check every value that the program reads."""
    values, broken = dict(program.constants), {}
    for name, check in program.fact_needs:
        fact = facts.get(name)
        if fact is None:
            broken[name] = f"The fact {name} could not be read."
        elif fact.value is not None:
            try:
                values[name] = check(fact.value)
            except (TypeError, ValueError, OverflowError):
                broken[name] = f"{name} is not a usable {program.profile.fact_types[name]}."
    for name, key, check in program.argument_needs:
        value = request.arguments.get(key)
        if value is not None:
            try:
                values[name] = check(value)
            except (TypeError, ValueError, OverflowError):
                broken[name] = f"{name} is not a usable {program.profile.argument_types[key]}."
    moment = Moment(values, broken, {})
    for need in program.needs:
        try:
            value = _value(need, request, facts, situation)
            if value is not None:
                values[need.name] = checked(need.name, need.type_name, value)
        except ConditionError as error:
            broken[need.name] = str(error)
    for use in program.tables:
        _read_table(moment, use)
    return moment


def _read_table(moment: Moment, use: TableUse) -> None:
    """Ask a table, and give its outputs their names."""
    table = use.table
    broken = sorted(moment.broken.keys() & table.rule.inputs.keys()) if moment.broken else []
    outcome = TableOutcome({}, (), (), moment.broken[broken[0]]) if broken else table.decide_checked(moment.values)
    moment.outcomes[table.rule.id] = outcome
    for output, name in use.outputs:
        if outcome.error:
            moment.broken[name] = f"The table {table.rule.id} has no answer: {outcome.error}"
        else:
            moment.values[name] = outcome.values[output]


def read_turn(constants: Mapping[str, Any], situation: Situation, signals: Mapping[str, str]) -> Moment:
    """Collect and check what conditions about a turn read; a signal that wasn't read is in neither mapping."""
    moment = Moment(dict(constants), {}, {})
    add_situation(moment, situation)
    add_signals(moment, situation, signals)
    return moment


def add_signals(moment: Moment, situation: Situation, signals: Mapping[str, str]) -> None:
    """Add the readings that triggers use."""
    for name, type_name in signals.items():
        value = situation.signals.get(name)
        if value is None:
            continue
        try:
            moment.values[name] = checked(name, type_name, value)
        except ConditionError as error:
            moment.broken[name] = str(error)


def add_situation(moment: Moment, situation: Situation) -> None:
    """Add what is known of the customer, the channel and the time."""
    known = {
        "customer.id": ("string", situation.customer_id or ""),
        "customer.assurance": ("int", int(situation.assurance)),
        "conversation.channel": ("string", situation.channel),
        "journey": ("string", situation.journey),
        "now": ("timestamp", situation.now),
    }
    for name, (type_name, value) in known.items():
        try:
            moment.values[name] = checked(name, type_name, value)
        except ConditionError as error:
            moment.broken[name] = str(error)


def _value(need: Need, request: ActionRequest, facts: Facts, situation: Situation) -> Any:
    """The raw value; None is null.

    Raises:
        ConditionError: The fact was not read.
    """
    if need.kind == "situation":
        return SITUATION[need.key](request, situation)
    match need.kind:
        case "fact_present":
            fact = facts.get(need.key)
            if fact is None:
                raise ConditionError(f"The fact {need.key} could not be read.")
            return fact.value is not None
        case "argument_present":
            return request.arguments.get(need.key) is not None
        case _:
            return sum(event.kind == "call" and event.ok and event.tool == need.key for event in situation.history)


SITUATION: Final[Mapping[str, Callable[[ActionRequest, Situation], Any]]] = {
    "customer.id": lambda _, situation: situation.customer_id or "",
    "customer.assurance": lambda _, situation: int(situation.assurance),
    "conversation.channel": lambda _, situation: situation.channel,
    "journey": lambda _, situation: situation.journey,
    "now": lambda _, situation: situation.now,
    "specialist": lambda request, _: request.specialist,
    "autonomy.level": lambda _, situation: situation.level.value,
    "case.calls": lambda _, situation: sum(event.kind == "call" for event in situation.history),
}
"""Names that say something of the moment → where it is found."""
