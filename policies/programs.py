"""Programs: the rules that concern one tool (or the turn), compiled and with all that they need to read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from policies.conditions import PRESENT, Batch, Condition, Names
from policies.limits import ResolvedLimit
from policies.parameters import Parameters
from policies.rules import Ask, Autonomy, ProseRule, Rule, Table
from policies.sentences import Sentence
from policies.tables import DecisionTable
from policies.words import AutonomyLevel, RuleVerdict, ToolProfile

SITUATION_TYPES: Final[Mapping[str, str]] = {
    "customer.id": "string",
    "customer.assurance": "int",
    "conversation.channel": "string",
    "journey": "string",
    "now": "timestamp",
}
"""Names that every condition may read."""

CALL_TYPES: Final[Mapping[str, str]] = {
    "specialist": "string",
    "autonomy.level": "string",
    "tool.name": "string",
    "tool.kind": "string",
    "tool.risk": "string",
    "tool.reversibility": "string",
    "case.calls": "int",
}
"""Names that conditions about tool calls may read besides."""

LIMIT_NAMES: Final = frozenset({"used.count", "used.amount_minor"})
"""Names that the sentence of a limit may show besides."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule, ready to be asked."""

    id: str
    kind: str
    """Kind of its verdicts: permission, hard, soft, …"""
    rule: Rule
    sentence: Sentence
    condition: Condition | None
    """When it speaks: `when` and not `unless`; None means always."""
    facts: frozenset[str]
    """The facts that it reads or shows."""
    no_objection: RuleVerdict
    """Its verdict where it doesn't speak, made once; of a permission, where it speaks."""
    limit: ResolvedLimit | None = None

    @property
    def reads(self) -> frozenset[str]:
        """The names that must be usable for its condition to be computed."""
        return self.condition.reads if self.condition else frozenset()


@dataclass(frozen=True, slots=True)
class TableUse:
    """A table that takes part in the decisions about one tool."""

    table: DecisionTable
    speaks: bool
    """Whether its `effect` is a verdict, or other rules only read its outputs."""
    sentence: Sentence
    facts: frozenset[str]
    outputs: tuple[tuple[str, str], ...]
    """Each output with its name in conditions."""
    verdicts: Mapping[tuple[int, ...], RuleVerdict]
    """What it says for the rows that matched, where that shows no values; made once."""


NeedKind: TypeAlias = str
"""fact, argument, fact_present, argument_present, calls, or situation."""


@dataclass(frozen=True, slots=True)
class Need:
    """One name whose value a program wants, and where it is found."""

    name: str
    kind: NeedKind
    key: str
    type_name: str


@dataclass(frozen=True, slots=True)
class ToolProgram:
    """Everything that policy has to say of one tool."""

    profile: ToolProfile
    names: Names = field(repr=False)
    rules: tuple[CompiledRule, ...]
    """Sorted by id; those about calls, without triggers."""
    limits: tuple[ResolvedLimit, ...]
    """Those of its rules that are limits; sorted by id."""
    triggers: tuple[CompiledRule, ...]
    """Triggers that name this tool."""
    tables: tuple[TableUse, ...]
    fact_needs: tuple[tuple[str, Callable[[Any], Any]], ...]
    """Each fact that is read as it is, with the check of its type."""
    argument_needs: tuple[tuple[str, str, Callable[[Any], Any]], ...]
    """Each argument that is read as it is: its name in conditions, its own, the check of its type."""
    needs: tuple[Need, ...]
    """Everything else that is read."""
    constants: Mapping[str, Any]
    """Names whose value never changes: parameters and the tool's own profile."""
    facts: frozenset[str]
    """The facts that it reads or shows."""
    batch: Batch = field(repr=False)
    conditional: tuple[CompiledRule, ...]
    """The rules with a condition, in the order of the batch."""
    unconditional: tuple[CompiledRule, ...]
    quiet: tuple[RuleVerdict | None, ...]
    """What each conditional rule says where its condition is false; None where that is nothing, as of permissions."""
    all_quiet: tuple[RuleVerdict, ...]
    """The same without the nothings: what they say where no condition is true."""
    fact_order: tuple[str, ...]
    """Its facts, sorted."""
    autonomy: Autonomy | None
    asks: Mapping[AutonomyLevel, tuple[Ask, ...]]
    """What the autonomy matrix asks at each level; empty where the matrix doesn't apply."""
    about: Mapping[AutonomyLevel, str]
    """What the matrix looked at, in words, at each level."""


@dataclass(frozen=True, slots=True)
class TurnProgram:
    """What policy has to say of a turn, without a tool call."""

    triggers: tuple[CompiledRule, ...]
    obligations: tuple[CompiledRule, ...]
    constants: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All policies of a playbook, compiled; made by `load_policies`, whole or not at all."""

    version: str
    """Content hash: equal for equal rules, parameters and tools, whatever the files' names and order."""
    tools: Mapping[str, ToolProfile]
    programs: Mapping[str, ToolProgram] = field(repr=False)
    turn: TurnProgram = field(repr=False)
    tables: Mapping[str, DecisionTable] = field(repr=False)
    prose: tuple[ProseRule, ...] = field(repr=False)
    parameters: Parameters = field(repr=False)
    reviewer_roles: tuple[str, ...]
    """Weakest first."""
    signals: Mapping[str, str]
    located: tuple["LocatedRule", ...] = field(repr=False)
    """Every rule with where it is written, sorted by id."""


@dataclass(frozen=True, slots=True)
class LocatedRule:
    """A rule and the place where it is written."""

    rule: Rule | Table | Autonomy | ProseRule
    section: str
    file: str
    line: int
    example_lines: Mapping[tuple[str, int], int]
    """Line of each example by ("allows" or "stops", position)."""
    tools: tuple[str, ...]
    """The tools that it applies to, in the order in which it names them, else sorted."""


def tool_types(
    profile: ToolProfile, *, tools: Sequence[str], parameters: Parameters, tables: Sequence[Table]
) -> dict[str, str]:
    """Every name that conditions about a tool may use, with its type."""
    own: dict[str, str] = {f"args.{name}": kind for name, kind in profile.argument_types.items()}
    own.update(profile.fact_types)
    types = {**own, **{f"{name}{PRESENT}": "bool" for name in own}}
    types.update(SITUATION_TYPES)
    types.update(CALL_TYPES)
    types.update({f"calls.{name}": "int" for name in tools})
    types.update(parameters.types)
    for table in tables:
        if all(types.get(column) == declared.type for column, declared in table.inputs.items()):
            types.update(table_types(table))
    return types


def table_types(table: Table) -> dict[str, str]:
    """The names of a table's outputs in conditions, with their types."""
    types: dict[str, str] = {}
    for output, kind in table.outputs.items():
        plain: str = "string" if kind == "effect" else kind
        if table.hit == "collect":
            plain = f"list<{plain}>" if plain in ("string", "int") else "list"
        types[f"tables.{table.id}.{output}"] = plain
    return types


def needs_of(profile: ToolProfile, wanted: frozenset[str], types: Mapping[str, str]) -> tuple[Need, ...]:
    """Where each wanted name is found; parameters, the tool's profile and tables are not among them."""
    needs = []
    for name in sorted(wanted):
        base = name.removesuffix(PRESENT) if name.endswith(PRESENT) else name
        suffix = "_present" if base != name else ""
        if name in profile.fact_types:
            needs.append(Need(name, "fact", name, types[name]))
        elif base in profile.fact_types:
            needs.append(Need(name, f"fact{suffix}", base, "bool"))
        elif base.startswith("args."):
            key = base.removeprefix("args.")
            if name.removeprefix("args.") in profile.argument_types:
                key, suffix = name.removeprefix("args."), ""
            needs.append(Need(name, f"argument{suffix}", key, types[name]))
        elif name.startswith("calls."):
            needs.append(Need(name, "calls", name.removeprefix("calls."), "int"))
        elif name in SITUATION_TYPES or name in ("specialist", "autonomy.level", "case.calls"):
            needs.append(Need(name, "situation", name, types[name]))
    return tuple(needs)
