"""The parsed form of a condition, read from what the CEL library itself parsed and checked.

The library gives no tree in Python, but it serializes one (`cel.expr.CheckedExpr`, protocol buffers). Reading that
keeps one grammar in the house: whoever looks into a condition sees what the library will compute.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from policies.errors import ConditionError

Literal: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Constant:
    """A value written in the condition."""

    value: Literal


@dataclass(frozen=True, slots=True)
class Name:
    """A declared name, or a variable of a comprehension."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator: "_&&_", "_>_", "@in", "startsWith". A method's target is its first argument."""

    function: str
    arguments: tuple["Node", ...]
    is_method: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list written in the condition."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Each:
    """A macro over a list: exists, all, filter, map."""

    variable: str
    items: "Node"
    step: "Node"


@dataclass(frozen=True, slots=True)
class Other:
    """Anything else; nobody looks into it."""


Node: TypeAlias = Constant | Name | Call | Items | Each | Other

AND, OR, NOT, IN, CHOICE = "_&&_", "_||_", "!_", "@in", "_?_:_"
COMPARISONS: Final = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})

OTHER: Final = Other()


def read_syntax(program: Any) -> Node:
    """The tree of a compiled program.

    Raises:
        ConditionError: The library serializes in another way than it used to.
    """
    try:
        return _Reader(program.serialize()).root()
    except (ValueError, IndexError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise ConditionError("The condition can't be read back from the library of conditions.") from error


class _Reader:
    """Reads the few message types of a checked expression. Field numbers are those of cel/expr/checked.proto."""

    def __init__(self, packed: bytes) -> None:
        wrapped = _fields(packed)
        checked = _fields(wrapped[2][0])
        self.expression: bytes = checked[4][0]
        self.names: dict[int, str] = {}
        for entry in checked.get(2, []):
            key_value = _fields(entry)
            reference = _fields(key_value[2][0])
            if 1 in reference:
                self.names[key_value[1][0]] = reference[1][0].decode()

    def root(self) -> Node:
        return self._node(self.expression)

    def _node(self, packed: bytes) -> Node:
        fields = _fields(packed)
        if 6 in fields:
            call = _fields(fields[6][0])
            arguments = [self._node(each) for each in call.get(3, [])]
            if 1 in call:
                arguments.insert(0, self._node(call[1][0]))
            return Call(call[2][0].decode(), tuple(arguments), is_method=1 in call)
        name = self.names.get(fields.get(2, [0])[0])
        if name is not None:
            return Name(name)
        if 3 in fields:
            return _constant(fields[3][0])
        if 4 in fields:
            return Name(_fields(fields[4][0])[1][0].decode())
        if 7 in fields:
            items = _fields(fields[7][0])
            return OTHER if 2 in items else Items(tuple(self._node(each) for each in items.get(1, [])))
        if 9 in fields:
            each = _fields(fields[9][0])
            return Each(each[1][0].decode(), self._node(each[2][0]), self._node(each[6][0]))
        return OTHER


def _constant(packed: bytes) -> Node:
    fields = _fields(packed)
    if 2 in fields:
        return Constant(bool(fields[2][0]))
    if 3 in fields:
        number = fields[3][0]
        return Constant(number - 2**64 if number >= 2**63 else number)
    if 5 in fields:
        return Constant(struct.unpack("<d", fields[5][0])[0])
    if 6 in fields:
        return Constant(fields[6][0].decode())
    return OTHER


def _fields(packed: bytes) -> dict[int, list[Any]]:
    """The fields of one message by number: numbers as int, everything else as bytes."""
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(packed):
        tag, at = _varint(packed, at)
        value: Any
        match tag & 7:
            case 0:
                value, at = _varint(packed, at)
            case 1:
                value, at = packed[at : at + 8], at + 8
            case 2:
                length, at = _varint(packed, at)
                value, at = packed[at : at + length], at + length
            case 5:
                value, at = packed[at : at + 4], at + 4
            case kind:
                raise ValueError(kind)
        found.setdefault(tag >> 3, []).append(value)
    return found


def _varint(packed: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = packed[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
