"""Parameters: values that rules read and a playbook sets, each declared with its type."""

from collections.abc import Mapping
from typing import Any, Final

from policies.attributes import checked, parse_duration
from policies.errors import ConditionError
from policies.rules import ParameterDeclaration, ParameterReference
from policies.words import Json

NO_LIMIT: Final = "none"
CONDITION_TYPES: Final = frozenset({"string", "int", "float", "bool", "list<string>", "map<int>"})
"""The types of parameters that conditions can read."""

HINTS: Final[Mapping[str, str]] = {
    "amounts": "{EUR: 50000} in minor units, or none for no limit",
    "window": "30d, or none for ever",
    "map<int>": "{name: 1}",
    "list<string>": "[name]",
}


class ParameterMistake(Exception):
    """A parameter's value can't be used."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        self.suggestion = suggestion
        super().__init__(message)


class Parameters:
    """The values in force."""

    def __init__(self, declarations: Mapping[str, ParameterDeclaration], values: Mapping[str, Json]) -> None:
        self.declarations = dict(declarations)
        self.values: dict[str, Any] = {}
        for name, declaration in self.declarations.items():
            value = values.get(name, declaration.default)
            if value is not None:
                self.values[name] = read_value(declaration, value)

    @property
    def types(self) -> dict[str, str]:
        """The types of those that conditions may read, by their full names."""
        return {f"params.{name}": each.type for name, each in self.declarations.items() if each.type in CONDITION_TYPES}

    def resolve(self, reference: ParameterReference, wanted: str) -> Any:
        """The value that a rule refers to.

        Raises:
            ParameterMistake: It is not declared, not set, or of another type than wanted.
        """
        declaration = self.declarations.get(reference.parameter)
        if declaration is None:
            names = sorted(name for name, each in self.declarations.items() if each.type == wanted)
            raise ParameterMistake(
                f"The parameter {reference.parameter} is not declared.", f"one of {', '.join(names)}"
            )
        if declaration.type != wanted:
            raise ParameterMistake(f"The parameter {declaration.name} is of type {declaration.type}, not {wanted}.")
        return self.require(declaration.name)

    def require(self, name: str) -> Any:
        """The value of a declared parameter.

        Raises:
            ParameterMistake: Nobody set it.
        """
        if name not in self.values:
            declaration = self.declarations[name]
            hint = HINTS.get(declaration.type, f"a {declaration.type}")
            raise ParameterMistake(f"The parameter {name} is not set: {declaration.why}", f"{name}: {hint}")
        return self.values[name]


def read_value(declaration: ParameterDeclaration, value: Json) -> Any:
    """A parameter's value, checked.

    Raises:
        ParameterMistake: It is not of the declared type.
    """
    name, kind = declaration.name, declaration.type
    hint = f"{name}: {HINTS.get(kind, f'a {kind}')}"
    if kind == "amounts":
        if value == NO_LIMIT or (isinstance(value, dict) and value and all(map(_is_amount, value, value.values()))):
            return value
        raise ParameterMistake(f"{name} is not an amount per currency.", hint)
    if kind == "window":
        try:
            return None if value == NO_LIMIT else parse_duration(str(value))
        except ValueError as error:
            raise ParameterMistake(f"{name} is not a length of time.", hint) from error
    try:
        return checked(name, kind, value)
    except ConditionError as error:
        raise ParameterMistake(str(error), hint) from error


def _is_amount(currency: str, amount: Json) -> bool:
    return len(currency) == 3 and currency.isalpha() and currency.isupper() and type(amount) is int and amount >= 0
