"""What a tool is: a named call on a business system, its typed arguments, and what policy and recovery must know."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from policies.words import CustomerId, Facts, Json, Reversibility, Risk, ToolProfile


class BusinessSystem(Protocol):
    """One system of record behind a playbook's tools. Outside of Callboard's own stores."""

    name: str

    async def close(self) -> None:
        """Give back connections."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a call may know besides its arguments."""

    systems: Mapping[str, Any]
    """By name, as the playbook opened them."""
    customer_id: CustomerId | None
    """The customer the conversation authenticated; None before."""
    idempotency_key: str
    """The receipt's key; the same for every attempt at one intended effect."""
    now: datetime


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the system of record answered."""

    value: dict[str, Json]
    """Plain JSON. Money as {"amount_minor": 14890, "currency": "EUR"}; dates as ISO 8601 strings."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verifying tool's result means: who this is and how sure we are. Read from its value, never from prose."""

    customer_id: CustomerId
    assurance: int


ToolCall = Callable[[Any, ToolContext], Awaitable[ToolResult]]
"""Takes the validated arguments model. Raises `ToolRefused` (nothing happened, says why), `ToolUnavailable` (nothing
happened, try later) or anything else: for a write that means the outcome is unknown."""

FactReader = Callable[[Mapping[str, Json], ToolContext], Awaitable[Facts]]
"""Reads what policy needs from the system of record, for given arguments. A fact it can't read is left out."""

Probe = Callable[[Mapping[str, Json], ToolContext], Awaitable["ToolResult | None"]]
"""Asks the system of record whether the effect with this idempotency key happened: its result, or None if not."""


@dataclass(frozen=True, slots=True)
class FactProvider:
    """A reader and the names and types of the facts it can give."""

    read: FactReader
    facts: Mapping[str, str]
    """Dotted name → "string", "int", "float", "bool", "timestamp", "list", "map"."""
    clock_facts: frozenset[str] = frozenset()
    """Those that move with time alone; they don't count as a change after an approval."""
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """All values that a text fact can have, where they are known: a policy that asks for another one is mistaken."""
    system: str = ""
    """Where it reads, if that is another system than the tool's own."""
    tolerances: Mapping[str, float] = field(default_factory=dict)
    """By how much a number may differ from what was shown without being a change: a rate that moves all day."""


@dataclass(frozen=True, slots=True)
class Compensation:
    """The call that undoes an effect, itself proposed, judged and approved like any other."""

    tool: str
    arguments: Mapping[str, str]
    """Argument of that tool → where its value stands in the effect's receipt: "arguments.order_id",
    "result.before.address"."""

    def derive(self, arguments: Mapping[str, Json], result: Mapping[str, Json]) -> dict[str, Json] | None:
        """The undoing call's arguments from a receipt; None if the receipt lacks one of them."""
        derived: dict[str, Json] = {}
        for name, path in self.arguments.items():
            value: Json = {"arguments": dict(arguments), "result": dict(result)}
            for step in path.split("."):
                if not isinstance(value, dict) or step not in value:
                    return None
                value = value[step]
            derived[name] = value
        return derived


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool. Declared by a playbook's `tools.py`."""

    name: str
    description: str
    """Read by a model: an example value for each argument, and when not to use it."""
    system: str
    kind: Literal["read", "write"]
    arguments: type[BaseModel]
    """extra="forbid", strict types; amounts in minor units."""
    call: ToolCall
    returns: str
    """The name under which its result stands in evidence: "order", so that a draft may say {order.total}."""
    risk: Risk = Risk.LOW
    reversibility: Reversibility = Reversibility.REVERSIBLE
    identity: Sequence[str] = ()
    """For a write: the arguments that identify the effect (an order, an item); free text left out."""
    providers: Sequence[FactProvider] = ()
    amount_argument: str = ""
    currency_argument: str = ""
    record_argument: str = ""
    reads_record: str = ""
    idempotent: bool = False
    """Whether the system itself recognises a repeated idempotency key."""
    probe: Probe | None = None
    settling_time: timedelta = timedelta(seconds=30)
    """How long after a lost call an absent effect is certain, so that a repeat is safe."""
    compensation: Compensation | None = None
    """How its effect is undone; None if it can't be."""
    timeout_s: float = 10.0
    verification: Callable[[dict[str, Json]], Verification | None] | None = None
    """For a tool that authenticates: reads who and how sure from its result's value."""
    summary: str = ""
    """The effect in one sentence for people, from its arguments: "Refund {amount} for order {order_id}"."""
    examples: Sequence[str] = ()
    """Utterances that ask for this tool, for open journeys without a model."""
    secret_arguments: frozenset[str] = frozenset()
    """Left out of summaries (codes). They still stand in the sealed request and before the reviewer."""

    def tolerances(self) -> dict[str, float]:
        """By how much each fact may move after an approval without being a change."""
        return {name: allowed for provider in self.providers for name, allowed in provider.tolerances.items()}

    def profile(self) -> ToolProfile:
        """What policy must know of it."""
        fact_types: dict[str, str] = {}
        clock: frozenset[str] = frozenset()
        values = {f"args.{name}": known for name, known in argument_values(self.arguments).items()}
        for provider in self.providers:
            fact_types |= provider.facts
            clock |= provider.clock_facts
            values |= {name: tuple(known) for name, known in provider.values.items()}
        return ToolProfile(
            name=self.name,
            kind=self.kind,
            risk=self.risk,
            reversibility=self.reversibility,
            argument_types=argument_types(self.arguments),
            fact_types=fact_types,
            amount_argument=self.amount_argument,
            currency_argument=self.currency_argument,
            record_argument=self.record_argument,
            reads_record=self.reads_record,
            verifies=self.verification is not None,
            clock_facts=clock,
            values=values,
        )


def argument_types(model: type[BaseModel]) -> dict[str, str]:
    """Argument name → policy type name, from the model's JSON schema ("string" where it can't be told)."""
    schema = model.model_json_schema()
    return {name: _type_name(part, schema) for name, part in schema.get("properties", {}).items()}


def argument_values(model: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """Argument name → all texts that it can be, for arguments whose schema lists them."""
    schema = model.model_json_schema()
    listed = {name: _listed(part, schema) for name, part in schema.get("properties", {}).items()}
    return {name: values for name, values in listed.items() if values}


def _listed(part: dict[str, Any], schema: dict[str, Any]) -> tuple[str, ...]:
    options = [
        schema["$defs"][option["$ref"].rsplit("/", 1)[-1]] if "$ref" in option else option
        for option in part.get("anyOf", [part])
        if option.get("type") != "null"
    ]
    values = [value for option in options for value in option.get("enum", [option.get("const")])]
    return tuple(values) if all(isinstance(value, str) for value in values) else ()


def _list_name(part: dict[str, Any], schema: dict[str, Any]) -> str:
    """A list by what it holds, where policy knows lists of that."""
    items = part.get("items")
    kind = _type_name(items, schema) if isinstance(items, dict) and items else ""
    return f"list<{kind}>" if kind in ("string", "int") else "list"


def _type_name(part: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in part:
        part = schema["$defs"][part["$ref"].rsplit("/", 1)[-1]]
    if "anyOf" in part:
        part = next((option for option in part["anyOf"] if option.get("type") != "null"), {})
        return _type_name(part, schema)
    if part.get("format") in {"date-time", "date"}:
        return "timestamp"
    if part.get("type") == "array":
        return _list_name(part, schema)
    return {
        "integer": "int",
        "number": "float",
        "boolean": "bool",
        "object": "map",
    }.get(part.get("type", "string"), "string")
