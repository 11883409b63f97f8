"""Cells of decision tables: what they match, and the atoms that a column falls into.

An atom is a set of values that no cell of the column tells apart; one sample stands for all of it.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from policies.documents import closest
from policies.rules import TableInput

COMPARISON = re.compile(r"^\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)\s*$")
BETWEEN = re.compile(r"^\s*(-?\d+(?:\.\d+)?)\s*\.\.\s*(-?\d+(?:\.\d+)?)\s*$")


class _Marker:
    """A value that no input can have."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


ABSENT: Final = _Marker("absent")
OTHER: Final = _Marker("another value")


@dataclass(frozen=True, slots=True)
class Atom:
    """One indistinguishable part of a column."""

    sample: Any
    label: str
    """For a message: "= delivered", "31..60", "any"."""


class CellError(Exception):
    """A cell that its column can't have."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        self.suggestion = suggestion
        super().__init__(message)


def compile_cell(column: TableInput, cell: Any) -> Callable[[Any], bool]:
    """The test that a cell means.

    Raises:
        CellError: The cell doesn't fit the column's type or values.
    """
    if isinstance(cell, list):
        if not cell:
            raise CellError("An empty list matches nothing.", "at least one value, or leave the column out")
        tests = [compile_cell(column, each) for each in cell]
        return lambda value: any(test(value) for test in tests)
    if isinstance(cell, dict):
        if set(cell) != {"not"}:
            raise CellError("A cell can't be this mapping.", "{not: [values]}")
        inner = compile_cell(column, cell["not"])
        return lambda value: value is not ABSENT and not inner(value)
    if cell == "absent" and column.optional:
        return lambda value: value is ABSENT
    if column.type in ("int", "float"):
        return _number_cell(column, cell)
    if column.type == "bool":
        if type(cell) is not bool:
            raise CellError("The column is a yes or no.", "true or false")
        return lambda value: value is cell
    if type(cell) is not str:
        raise CellError("The column is a text.", f'"{cell}"')
    if column.values is not None and cell not in column.values:
        raise CellError(
            f"{cell} is not among the column's values.",
            closest(cell, column.values) or f"one of {', '.join(column.values)}",
        )
    return lambda value: bool(value == cell)


def atoms(column: TableInput, cells: Iterable[Any]) -> list[Atom]:
    """The atoms of a column, given all cells that constrain it; every value the column allows lies in one."""
    found: list[Atom]
    leaves = [leaf for cell in cells for leaf in _leaves(cell)]
    if column.type == "bool":
        found = [Atom(True, "= true"), Atom(False, "= false")] if leaves else [Atom(True, "any")]
    elif column.type == "string":
        mentioned = {leaf for leaf in leaves if not (leaf == "absent" and column.optional)}
        values = column.values if column.values is not None else sorted(mentioned)
        found = [Atom(value, f"= {value}") for value in values] if leaves else [Atom(OTHER, "any")]
        if leaves and column.values is None:
            found.append(Atom(OTHER, "= another value"))
    else:
        found = _number_atoms(column, leaves)
    if column.optional and leaves:
        found.append(Atom(ABSENT, "absent"))
    return found


def is_in_range(column: TableInput, value: Any) -> bool:
    """Whether a value of the right type is one that the column declares."""
    if column.values is not None and value not in column.values:
        return False
    return not ((column.min is not None and value < column.min) or (column.max is not None and value > column.max))


def _number_cell(column: TableInput, cell: Any) -> Callable[[Any], bool]:
    low, high, low_open, high_open = _interval(column, cell)

    def matches(value: Any) -> bool:
        if value is ABSENT:
            return False
        above = low is None or (value > low if low_open else value >= low)
        below = high is None or (value < high if high_open else value <= high)
        return above and below

    return matches


def _interval(column: TableInput, cell: Any) -> tuple[Any, Any, bool, bool]:
    """Low end, high end (None is unbounded), and whether each end is excluded."""
    whole = column.type == "int"
    if type(cell) is int or (type(cell) is float and not whole):
        return cell, cell, False, False
    if isinstance(cell, str):
        if match := COMPARISON.match(cell):
            number = _number(match[2], whole)
            if match[1].startswith("<"):
                return None, number, False, match[1] == "<"
            return number, None, match[1] == ">", False
        if match := BETWEEN.match(cell):
            low, high = _number(match[1], whole), _number(match[2], whole)
            if low > high:
                raise CellError(f"{cell} holds no number.", f"{match[2]}..{match[1]}")
            return low, high, False, False
    raise CellError(f"The column is {'an int' if whole else 'a float'}.", '30, "<= 30" or "10..20"')


def _number(text: str, whole: bool) -> int | float:
    if not whole:
        return float(text)
    if "." in text:
        raise CellError(f"The column is an int, {text} is not.", text.split(".")[0])
    return int(text)


def _number_atoms(column: TableInput, leaves: list[Any]) -> list[Atom]:
    """Points and the gaps between them; the range's ends are points too, so every atom lies wholly in it or out."""
    ends: set[int | float] = set()
    for leaf in leaves:
        if not (leaf == "absent" and column.optional):
            low, high, _, _ = _interval(column, leaf)
            ends.update(end for end in (low, high) if end is not None)
    if not ends:
        return [Atom(column.min if column.min is not None else (column.max or 0), "any")]
    ends.update(end for end in (column.min, column.max) if end is not None)
    points = sorted(ends)
    whole = column.type == "int"
    found = [Atom(points[0] - 1 if whole else math.nextafter(points[0], -math.inf), f"below {points[0]}")]
    for index, point in enumerate(points):
        found.append(Atom(point, f"= {point}"))
        if index + 1 < len(points):
            after = points[index + 1]
            if not whole:
                found.append(Atom((point + after) / 2, f"between {point} and {after}"))
            elif after - point > 1:
                found.append(Atom(point + 1, f"= {point + 1}..{after - 1}"))
    found.append(Atom(points[-1] + 1 if whole else math.nextafter(points[-1], math.inf), f"above {points[-1]}"))
    return [atom for atom in found if is_in_range(column, atom.sample)]


def _leaves(cell: Any) -> list[Any]:
    if isinstance(cell, list):
        return [leaf for each in cell for leaf in _leaves(each)]
    if isinstance(cell, dict):
        return [leaf for each in cell.values() for leaf in _leaves(each)]
    return [cell]
