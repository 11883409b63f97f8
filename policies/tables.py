"""Decision tables: rows of cells with a declared hit policy, whose gaps and overlaps are found when loaded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from policies.attributes import checked
from policies.cells import ABSENT, Atom, CellError, atoms, compile_cell, is_in_range
from policies.documents import closest
from policies.errors import ConditionError
from policies.rules import Table
from policies.words import Effect, Json

MAX_STATES = 200_000


@dataclass(frozen=True, slots=True)
class TableOutcome:
    """What a table says of some inputs."""

    values: Mapping[str, Json]
    """By output; lists where the table collects. Empty after an error."""
    rows: tuple[int, ...]
    """The rows that matched, counted from 1; 0 is `otherwise`."""
    reasons: tuple[str, ...]
    """One sentence per row that matched."""
    error: str = ""
    """Why there is no answer; empty if there is one."""


class TableMistake(Exception):
    """A table that contradicts itself; the path leads to the wrong part below the table."""

    def __init__(self, path: Sequence[str | int], message: str, suggestion: str = "") -> None:
        self.path = tuple(path)
        self.message = message
        self.suggestion = suggestion
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """One table, ready to decide."""

    rule: Table
    columns: tuple[str, ...]
    tests: tuple[Mapping[str, Callable[[Any], bool]], ...] = field(repr=False)
    """Per row, the test of each column that it constrains."""
    ordered_tests: tuple[tuple[tuple[int, Callable[[Any], bool]], ...], ...] = field(repr=False)
    """The same by the column's place."""
    answers: tuple[TableOutcome, ...] = field(repr=False)
    """What each row gives where it alone decides; at the end `otherwise`, if there is one."""

    def decide(self, inputs: Mapping[str, Json]) -> TableOutcome:
        """Say what the table gives for these inputs. Never raises.

        Args:
            inputs: By column. Null or absent is an error unless the column is optional; other names are ignored.
        """
        values: dict[str, Any] = {}
        for column in self.columns:
            given = inputs.get(column)
            if given is not None:
                try:
                    values[column] = checked(column, self.rule.inputs[column].type, given)
                except ConditionError as error:
                    return _no_answer(str(error))
        return self.decide_checked(values)

    def decide_checked(self, values: Mapping[str, Any]) -> TableOutcome:
        """The same for values that were checked to be of their columns' types; null ones are left out."""
        row: list[Any] = []
        for column, declared in self.rule.inputs.items():
            value = values.get(column)
            if value is None:
                if not declared.optional:
                    return _no_answer(f"{column} is not known.")
                value = ABSENT
            elif not is_in_range(declared, value):
                return _no_answer(f"{column} is outside the values that the table declares.")
            row.append(value)
        matches = []
        for index, tests in enumerate(self.ordered_tests):
            for place, test in tests:
                if not test(row[place]):
                    break
            else:
                matches.append(index)
                if self.rule.hit == "first":
                    break
        return self._outcome(matches)

    def _outcome(self, matches: Sequence[int]) -> TableOutcome:
        rule = self.rule
        if not matches:
            if rule.otherwise is None and rule.hit != "collect":
                return _no_answer("No row matches.")
            other = rule.otherwise
            if rule.hit == "collect":
                gives: dict[str, Json] = {name: [] if other is None else [other[name]] for name in rule.outputs}
            else:
                return self.answers[-1]
            return TableOutcome(gives, (0,), (rule.why,))
        if len(matches) == 1 and rule.hit != "collect":
            return self.answers[matches[0]]
        if rule.hit == "unique":
            return _no_answer("More than one row matches.")
        if rule.hit != "collect":
            matches = matches[:1]
        reasons = tuple(rule.rows[index].why or rule.why for index in matches)
        rows = tuple(index + 1 for index in matches)
        if rule.hit == "collect":
            lists: dict[str, Json] = {name: [rule.rows[i].gives[name] for i in matches] for name in rule.outputs}
            return TableOutcome(lists, rows, reasons)
        return TableOutcome(dict(rule.rows[matches[0]].gives), rows, reasons)


def compile_table(rule: Table) -> tuple[DecisionTable | None, list[TableMistake]]:
    """Check a table and make it ready; None with at least one mistake if it can't be used."""
    mistakes = list(_outputs_wrong(rule))
    tests: list[dict[str, Callable[[Any], bool]]] = []
    for index, row in enumerate(rule.rows):
        row_tests: dict[str, Callable[[Any], bool]] = {}
        for name, cell in row.cells.items():
            path = ("rows", index, "if", name)
            if name not in rule.inputs:
                suggestion = closest(name, rule.inputs) or f"one of {', '.join(sorted(rule.inputs))}"
                mistakes.append(TableMistake(path, f"The table has no input {name}.", suggestion))
                continue
            try:
                row_tests[name] = compile_cell(rule.inputs[name], cell)
            except CellError as error:
                mistakes.append(TableMistake(path, str(error), error.suggestion))
        tests.append(row_tests)
    if mistakes:
        return None, mistakes
    places = {name: place for place, name in enumerate(rule.inputs)}
    ordered = tuple(tuple((places[name], test) for name, test in row.items()) for row in tests)
    answers = tuple(
        TableOutcome(dict(row.gives), (number,), (row.why or rule.why,))
        for number, row in enumerate(rule.rows, start=1)
    )
    if rule.otherwise is not None:
        answers += (TableOutcome(dict(rule.otherwise), (0,), (rule.why,)),)
    table = DecisionTable(rule, tuple(rule.inputs), tuple(tests), ordered, answers)
    mistakes = list(_coverage_wrong(table))
    return (None if mistakes else table), mistakes


OUTPUT_TYPES: Final = {"string": str, "int": int, "bool": bool, "effect": str}


def _outputs_wrong(rule: Table) -> Iterator[TableMistake]:
    places: list[tuple[tuple[str | int, ...], Mapping[str, Any]]] = [
        (("rows", index, "then"), row.gives) for index, row in enumerate(rule.rows)
    ]
    if rule.otherwise is not None:
        places.append((("otherwise",), rule.otherwise))
    effects = [effect.value for effect in Effect]
    for path, gives in places:
        for name, kind in rule.outputs.items():
            if name not in gives:
                yield TableMistake(path, f"The output {name} is missing.", f"{name}: …")
            elif type(gives[name]) is not OUTPUT_TYPES[kind]:
                yield TableMistake((*path, name), f"The output {name} is not a {kind}.", f"a {kind}")
            elif kind == "effect" and gives[name] not in effects:
                suggestion = closest(gives[name], effects) or f"one of {', '.join(effects)}"
                yield TableMistake((*path, name), f"{gives[name]} is not an effect.", suggestion)
        for name in gives:
            if name not in rule.outputs:
                suggestion = closest(name, rule.outputs) or f"one of {', '.join(sorted(rule.outputs))}"
                yield TableMistake((*path, name), f"The table has no output {name}.", suggestion)


def _coverage_wrong(table: DecisionTable) -> Iterator[TableMistake]:
    """Walk through all combinations of the columns' atoms, as bit masks of the rows that still match.

    Two ways to the same mask at the same column lead to the same ends, so each is walked once.
    """
    rule = table.rule
    masks: list[list[tuple[Atom, int]]] = []
    for column in table.columns:
        cells = [row.cells[column] for row in rule.rows if column in row.cells]
        masks.append([(atom, _mask(table, column, atom.sample)) for atom in atoms(rule.inputs[column], cells)])
    ends: dict[int, tuple[str, ...]] = {}
    seen: set[tuple[int, int]] = set()
    stack: list[tuple[int, int, tuple[str, ...]]] = [(0, (1 << len(rule.rows)) - 1, ())]
    while stack:
        depth, mask, labels = stack.pop()
        if depth == len(masks) or mask == 0:
            ends.setdefault(mask, labels)
            continue
        if (depth, mask) in seen:
            continue
        seen.add((depth, mask))
        if len(seen) > MAX_STATES:
            yield TableMistake((), "The table has too many combinations to be checked.", "two tables")
            return
        for atom, matching in reversed(masks[depth]):
            stack.append((depth + 1, mask & matching, (*labels, atom.label)))
    yield from _report(table, ends)


def _report(table: DecisionTable, ends: Mapping[int, tuple[str, ...]]) -> Iterator[TableMistake]:
    rule = table.rule
    if 0 in ends and rule.otherwise is None and rule.hit != "collect":
        missing = _combination(table, ends[0])
        yield TableMistake(("rows",), f"No row covers {missing}.", "a row for it, or otherwise: {…}")
    if rule.hit == "unique":
        for mask, labels in sorted(ends.items()):
            if mask.bit_count() > 1:
                both = [index for index in range(len(rule.rows)) if mask >> index & 1]
                where = _combination(table, labels)
                rows = " and ".join(str(index + 1) for index in both)
                yield TableMistake(
                    ("rows", both[1]), f"Rows {rows} both match {where}.", "hit: first, or narrower cells"
                )
                break
    reached = 0
    for mask in ends:
        reached |= mask & -mask if rule.hit == "first" else mask
    for index in range(len(rule.rows)):
        if not reached >> index & 1:
            yield TableMistake(
                ("rows", index),
                f"Row {index + 1} can never decide: rows before it cover it.",
                "it earlier, or not at all",
            )


def _mask(table: DecisionTable, column: str, sample: Any) -> int:
    mask = 0
    for index, tests in enumerate(table.tests):
        test = tests.get(column)
        if test is None or test(sample):
            mask |= 1 << index
    return mask


def _combination(table: DecisionTable, labels: Sequence[str]) -> str:
    parts = [f"{column} {label}" for column, label in zip(table.columns, labels, strict=False) if label != "any"]
    return ", ".join(parts) or "anything"


def _no_answer(error: str) -> TableOutcome:
    return TableOutcome({}, (), (), error)
