"""Conditions translated to Python, because that computes them five times faster than the library does.

CEL stays what a condition means: only the part of the language whose meaning is the same in Python is translated
(comparisons, `in`, and, or, not, sums that can't overflow unnoticed, lengths of time), from the tree that the library
parsed and checked. Whenever Python raises, the library is asked; so it alone says what is an error and what `error &&
false` means. A test compares the two on random conditions and values (docs/design/policy-language.md).
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from policies.attributes import INT64
from policies.calendar_time import months_after
from policies.syntax import AND, CHOICE, IN, NOT, OR, Call, Constant, Items, Name, Node

Answers = Callable[[Mapping[str, Any]], tuple[bool, ...]]
"""Takes checked values by name; the answers in order. Raises whatever Python raises: ask the library then."""

ORDERS: Final[Mapping[str, type[ast.cmpop]]] = {
    "_==_": ast.Eq,
    "_!=_": ast.NotEq,
    "_<_": ast.Lt,
    "_<=_": ast.LtE,
    "_>_": ast.Gt,
    "_>=_": ast.GtE,
}
COMPARABLE: Final = frozenset({"int", "float", "string", "timestamp", "duration"})
EQUATABLE: Final = COMPARABLE | {"bool"}
SPANS: Final = {"days": 86_400, "hours": 3_600, "minutes": 60}
METHODS: Final = {"startsWith": "startswith", "endsWith": "endswith"}
LONGEST: Final = timedelta(days=100_000)


class _Untranslatable(Exception):
    """Only the library knows what this means."""


@dataclass(frozen=True, slots=True)
class _Term:
    """A piece of Python with its type in the language."""

    code: ast.expr
    type_name: str


def is_translatable(node: Node, types: Mapping[str, str]) -> bool:
    """Whether a condition over these names means the same in Python."""
    try:
        return _Translator(types, {}).term(node).type_name == "bool"
    except _Untranslatable:
        return False


def translate(nodes: Sequence[Node], types: Mapping[str, str], constants: Mapping[str, Any]) -> Answers:
    """One function for all of these conditions, each translatable.

    Args:
        nodes: The conditions.
        types: Every name with its type.
        constants: Names whose value never changes.
    """
    translator = _Translator(types, constants)
    answers = ast.Tuple([translator.term(node).code for node in nodes], ast.Load())
    arguments = ast.arguments(
        posonlyargs=[], args=[ast.arg("values")], kwonlyargs=[], kw_defaults=[], defaults=[], vararg=None, kwarg=None
    )
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, answers)))
    names = {"_add": _add, "_subtract": _subtract, "_span": _span, "months_after": months_after, "len": len}
    # The tree is made here, node by node, of a closed set; no text of a policy file is ever run.
    made: Answers = eval(compile(tree, "<conditions>", "eval"), {"__builtins__": {}, **names, **translator.held})  # noqa: S307
    return made


class _Translator:
    """Makes Python of the tree of a condition."""

    def __init__(self, types: Mapping[str, str], constants: Mapping[str, Any]) -> None:
        self.types = types
        self.constants = constants
        self.held: dict[str, object] = {}
        """Values that no literal of Python stands for, by the name that the code uses."""

    def term(self, node: Node) -> _Term:
        match node:
            case Constant(value):
                return _constant(value)
            case Name(name) if name in self.types:
                known = self.constants.get(name)
                if isinstance(known, bool | int | str):
                    return _constant(known)
                return _Term(ast.Subscript(_name("values"), ast.Constant(name), ast.Load()), self.types[name])
            case Call(function, arguments):
                return self._call(function, arguments, is_method=node.is_method)
        raise _Untranslatable

    def _call(self, function: str, arguments: Sequence[Node], *, is_method: bool) -> _Term:
        if function == IN:
            return self._membership(*arguments)
        if function in SPANS and len(arguments) == 1 and isinstance(arguments[0], Constant):
            number = arguments[0].value
            if type(number) is int and abs(number * SPANS[function]) < LONGEST.total_seconds():
                return _Term(self._held(timedelta(seconds=number * SPANS[function])), "duration")
            raise _Untranslatable
        terms = [self.term(argument) for argument in arguments]
        kinds = tuple(term.type_name for term in terms)
        codes = [term.code for term in terms]
        if function in (AND, OR) and kinds == ("bool", "bool"):
            return _Term(ast.BoolOp(ast.And() if function == AND else ast.Or(), codes), "bool")
        if function == NOT and kinds == ("bool",):
            return _Term(ast.UnaryOp(ast.Not(), codes[0]), "bool")
        if function == CHOICE and kinds[0] == "bool" and kinds[1] == kinds[2]:
            return _Term(ast.IfExp(*codes), kinds[1])
        if function in ORDERS and len(kinds) == 2 and kinds[0] == kinds[1]:
            allowed = EQUATABLE if function in ("_==_", "_!=_") else COMPARABLE
            if kinds[0] in allowed:
                return _Term(ast.Compare(codes[0], [ORDERS[function]()], [codes[1]]), "bool")
        if is_method and function in METHODS and kinds == ("string", "string"):
            return _Term(_called(ast.Attribute(codes[0], METHODS[function], ast.Load()), codes[1:]), "bool")
        return self._computed(function, kinds, codes)

    def _computed(self, function: str, kinds: tuple[str, ...], codes: list[ast.expr]) -> _Term:
        match function, kinds:
            case "_+_", ("int", "int"):
                return _Term(_called(_name("_add"), codes), "int")
            case "_-_", ("int", "int"):
                return _Term(_called(_name("_subtract"), codes), "int")
            case "_-_", ("timestamp", "timestamp"):
                return _Term(_called(_name("_span"), codes), "duration")
            case "_+_", ("timestamp", "duration"):
                return _Term(ast.BinOp(codes[0], ast.Add(), codes[1]), "timestamp")
            case "_-_", ("timestamp", "duration"):
                return _Term(ast.BinOp(codes[0], ast.Sub(), codes[1]), "timestamp")
            case "months_after", ("timestamp", "int"):
                return _Term(_called(_name("months_after"), codes), "timestamp")
            case "size", ("string" | "list" | "list<string>" | "list<int>",):
                return _Term(_called(_name("len"), codes), "int")
            case "_[_]", ("map<int>", "string"):
                return _Term(ast.Subscript(codes[0], codes[1], ast.Load()), "int")
        raise _Untranslatable

    def _held(self, value: object) -> ast.Name:
        name = f"_held{len(self.held)}"
        self.held[name] = value
        return _name(name)

    def _membership(self, left: Node, right: Node) -> _Term:
        one = self.term(left)
        if isinstance(right, Items) and one.type_name in ("string", "int"):
            values = [item.value for item in right.items if isinstance(item, Constant)]
            same = {"string": str, "int": int}[one.type_name]
            if len(values) != len(right.items) or any(type(value) is not same for value in values):
                raise _Untranslatable
            return _Term(ast.Compare(one.code, [ast.In()], [self._held(frozenset(values))]), "bool")
        other = self.term(right)
        if other.type_name == f"list<{one.type_name}>":
            return _Term(ast.Compare(one.code, [ast.In()], [other.code]), "bool")
        raise _Untranslatable


def _constant(value: bool | int | float | str) -> _Term:
    kind = {bool: "bool", int: "int", float: "float", str: "string"}[type(value)]
    return _Term(ast.Constant(value), kind)


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _called(function: ast.expr, arguments: list[ast.expr]) -> ast.Call:
    return ast.Call(function, arguments, [])


def _add(one: int, other: int) -> int:
    return _whole(one + other)


def _subtract(one: int, other: int) -> int:
    return _whole(one - other)


def _whole(number: int) -> int:
    if number not in INT64:
        raise OverflowError
    return number


def _span(one: datetime, other: datetime) -> timedelta:
    span = one - other
    if abs(span) > LONGEST:
        raise OverflowError
    return span
