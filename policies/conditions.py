"""Conditions in CEL: checked against declared names when loaded, guarded when computed.

Traps of cel-expr-python that this module exists for: an error comes back as a *value* (and a truthy one), so only a
value whose type is BOOL counts; `ERROR && false` is false, so what a condition reads is checked before it runs; a list
with one failing element fails whole, so a batch that fails is computed singly; numbers of different kinds don't
compare; an unknown attribute is an error only when it is reached. A name with a dot is declared flat
("order.total_minor"), and the longest declared name wins.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cel_expr_python import cel

from policies.attributes import CEL_TYPES, checked
from policies.calendar_time import days_between, months_after, months_after_in
from policies.canonical import is_same
from policies.documents import closest
from policies.errors import ConditionError
from policies.syntax import Node, read_syntax
from policies.translation import is_translatable, translate

MAX_LENGTH = 4_000
NOISE = re.compile(
    r"""//[^\n]*|[rRbB]{0,2}(?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
)
CHAIN = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*")
PRESENT = ".present"


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled condition."""

    text: str
    reads: frozenset[str]
    """The declared names that it mentions; `x.present` counts as itself and not as `x`."""
    program: Any
    syntax: Node
    """What it says, for whoever reasons about it or translates it."""

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true of these checked values.

        Raises:
            ConditionError: It has no answer, because a value is null or an operation failed.
        """
        try:
            answer = self.program.eval(data=values)
            value, is_bool = answer.value(), answer.type() == cel.Type.BOOL
        except Exception as error:  # Whatever the native library raises, a condition without an answer is an error.
            raise ConditionError("A condition could not be computed.") from error
        if is_bool and isinstance(value, bool):
            return value
        raise ConditionError(f"A condition has no answer: {_reason(value)}")


class Batch:
    """Several conditions over the same names, computed in one step: in Python where it means the same, else in CEL."""

    def __init__(
        self, names: "Names", conditions: Sequence[Condition], constants: Mapping[str, Any] | None = None
    ) -> None:
        """Prepare the batch.

        Args:
            names: What the conditions may read.
            conditions: In the order of the answers.
            constants: Names whose value never changes.
        """
        self.conditions = tuple(conditions)
        self.reads = frozenset(name for condition in conditions for name in condition.reads)
        quick = [index for index, each in enumerate(conditions) if is_translatable(each.syntax, names.types)]
        slow = [index for index in range(len(conditions)) if index not in set(quick)]
        self._translated = translate([conditions[index].syntax for index in quick], names.types, constants or {})
        text = ", ".join(f"({conditions[index].text}\n)" for index in slow)
        self._program = names.environment.compile(f"[{text}]") if slow else None
        places = {index: place for place, index in enumerate([*quick, *slow])}
        self._order = [places[index] for index in range(len(conditions))] if slow else None

    def hold(self, values: Mapping[str, Any]) -> list[bool] | None:
        """The answers in order, or None if any has none: ask them singly then."""
        try:
            quick = self._translated(values)
            if self._program is None or self._order is None:
                return list(quick)
            slow = self._program.eval(data=values).plain_value()
        except Exception:  # Whatever is raised, here or in the native library: the caller asks singly and reports.
            return None
        if not isinstance(slow, list) or any(type(answer) is not bool for answer in slow):
            return None
        answers = [*quick, *slow]
        return [answers[place] for place in self._order] if len(answers) == len(self._order) else None


class Names:
    """The names that conditions of one kind may use, each with its type."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self.types = dict(types)
        self.environment = cel.NewEnv(
            variables={name: CEL_TYPES[kind] for name, kind in self.types.items()}, functions=FUNCTIONS
        )

    def compile(self, text: str) -> Condition:
        """Check and compile one condition.

        Raises:
            ConditionError: It uses unknown names, compares different kinds, is not a yes or no, or is not CEL.
        """
        if len(text) > MAX_LENGTH:
            raise ConditionError(f"A condition is longer than {MAX_LENGTH} characters.", "several rules")
        if "`" in text:
            raise ConditionError("A condition holds a backtick.", "names without backticks")
        try:
            program = self.environment.compile(text)
        except Exception as error:  # The library raises RuntimeError; anything else is as much a mistake in the file.
            raise self._explain(text, str(error)) from error
        kind = program.return_type()
        if kind != cel.Type.BOOL:
            raise ConditionError(f"The condition is a {kind.name().lower()}, not a yes or no.", f"{text} == …")
        return Condition(text, self.mentioned(text), program, read_syntax(program))

    def mentioned(self, text: str) -> frozenset[str]:
        """The declared names in a text; the longest declared beginning of every dotted chain."""
        found = set()
        for chain in CHAIN.findall(NOISE.sub("''", text)):
            parts = re.split(r"\s*\.\s*", chain)
            for length in range(len(parts), 0, -1):
                name = ".".join(parts[:length])
                if name in self.types:
                    found.add(name)
                    break
        return frozenset(found)

    def _explain(self, text: str, problem: str) -> ConditionError:
        if match := re.search(r"undeclared reference to '([^']+)'", problem):
            name = match[1]
            chains = [re.sub(r"\s", "", chain) for chain in CHAIN.findall(NOISE.sub("''", text))]
            whole = next((chain for chain in chains if chain.startswith(name)), name)
            return ConditionError(
                f"The name {whole} is not known here.", closest(whole, self.types) or self._near(whole)
            )
        if match := re.search(r"no matching overload for '([^']+)' applied to '\(([^']*)\)'", problem):
            operator = match[1].strip("_[]@").replace("!_", "not") or match[1]
            hint = "both sides of one kind"
            if "double" in match[2] and "int" in match[2]:
                hint = "a number with a decimal point beside a float (3.0), without one beside an int (3)"
            return ConditionError(f"{operator} can't be used between {match[2]}.", hint)
        first = problem.removeprefix("INVALID_ARGUMENT: ").splitlines()[0] if problem else "no reason given"
        return ConditionError(f"This is not a condition: {first.removeprefix('ERROR: <input>:')}", "a CEL expression")

    def _near(self, name: str) -> str:
        root = name.split(".")[0] + "."
        same = sorted(known for known in self.types if known.startswith(root) and not known.endswith(PRESENT))
        return f"one of {', '.join(same[:8])}" if same else ""


def total(numbers: Sequence[Any]) -> int:
    """The sum of whole numbers; 0 of none.

    Raises:
        TypeError: Something among them is no whole number.
    """
    if any(type(number) is not int for number in numbers):
        raise TypeError
    return checked("sum", "int", sum(numbers))  # type: ignore[no-any-return]  # checked as an int


def is_within(some: Sequence[Any], all_of_them: Sequence[Any]) -> bool:
    """Whether the first list is part of the second, each item at most as often as there."""
    left = list(all_of_them)
    for item in some:
        place = next((index for index, each in enumerate(left) if is_same(item, each)), None)
        if place is None:
            return False
        del left[place]
    return True


def _reason(value: object) -> str:
    """What the library says of an error value, without anything in quotes that may be a customer's."""
    text = str(value)
    if match := re.search(r'No value with name "([\w.]+)"', text):
        return f"{match[1]} is null or missing."
    return re.sub(r"[\"'].*[\"']", "…", text)[:120]


def _function(name: str, implementation: Any, returns: Any, *takes: Any) -> Any:
    overload = cel.Overload(f"{name}_{len(takes)}", return_type=returns, parameters=list(takes), impl=implementation)
    return cel.FunctionDecl(name, [overload])


def _length(unit: str) -> Any:
    def length(number: int) -> timedelta:
        return timedelta(**{unit: number})

    return _function(unit, length, cel.Type.DURATION, cel.Type.INT)


FUNCTIONS = [
    _length("days"),
    _length("hours"),
    _length("minutes"),
    cel.FunctionDecl(
        "months_after",
        [
            cel.Overload(
                "months_after_2",
                return_type=cel.Type.TIMESTAMP,
                parameters=[cel.Type.TIMESTAMP, cel.Type.INT],
                impl=months_after,
            ),
            cel.Overload(
                "months_after_3",
                return_type=cel.Type.TIMESTAMP,
                parameters=[cel.Type.TIMESTAMP, cel.Type.INT, cel.Type.STRING],
                impl=months_after_in,
            ),
        ],
    ),
    _function("sum", total, cel.Type.INT, cel.Type.List(cel.Type.DYN)),
    _function("within", is_within, cel.Type.BOOL, cel.Type.List(cel.Type.DYN), cel.Type.List(cel.Type.DYN)),
    _function("days_between", days_between, cel.Type.INT, cel.Type.TIMESTAMP, cel.Type.TIMESTAMP, cel.Type.STRING),
]
