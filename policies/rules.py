"""What a policy file may hold: one model per section, exactly as people write it in YAML."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from policies.attributes import parse_duration
from policies.words import Json, ToolProfile

RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
TableId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,60}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Amount = Annotated[int, Field(ge=0)]
EffectName = Literal["allow", "require_approval", "escalate", "deny"]
RiskName = Literal["low", "medium", "high", "critical"]
ReversibilityName = Literal["reversible", "compensable", "irreversible"]
Ask = Literal["nothing", "sample", "confirm", "approval", "two_approvals", "specialist"]
TypeName = Literal["string", "int", "float", "bool", "list<string>", "map<int>"]
OriginName = Literal["fact", "table", "evidence", "customer", "model", "playbook", "person"]
Example: TypeAlias = dict[str, Any]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _is_duration(value: object) -> object:
    if isinstance(value, str) and value != "none":
        parse_duration(value)
    return value


Duration = Annotated[str, BeforeValidator(_is_duration)]


class Strict(BaseModel):
    """Refuses keys that it doesn't know and values of another kind."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ParameterReference(Strict):
    """Stands for a parameter's value."""

    parameter: str


class AppliesTo(Strict):
    """Which tools a rule is about; everything that is written must hold."""

    all: bool = False
    turn: bool = False
    """Not a tool call at all: the whole turn."""
    tools: list[str] | None = None
    pattern: str | None = None
    kind: Literal["read", "write"] | None = None
    risk: Annotated[list[RiskName], BeforeValidator(_as_list)] | None = None
    reversibility: Annotated[list[ReversibilityName], BeforeValidator(_as_list)] | None = None
    moves_money: bool | None = None
    has_fact: str | None = None
    verifies: bool | None = None
    excluded: Annotated[list[str], Field(alias="except")] = []

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        if value in ("all", "turn"):
            return {str(value): True}
        if isinstance(value, str):
            return {"tools": [value]}
        if isinstance(value, list):
            return {"tools": value}
        if isinstance(value, Mapping) and not value:
            raise ValueError("applies_to says nothing. Write: all, a tool's name, a list of names, or {risk: high}")
        return value

    def covers(self, tool: ToolProfile) -> bool:
        """Whether a rule with this applies to calls of `tool`."""
        if self.turn or tool.name in self.excluded:
            return False
        return (
            (self.tools is None or tool.name in self.tools)
            and (self.pattern is None or fnmatchcase(tool.name, self.pattern))
            and (self.kind is None or tool.kind == self.kind)
            and (self.risk is None or tool.risk.value in self.risk)
            and (self.reversibility is None or tool.reversibility.value in self.reversibility)
            and (self.moves_money is None or bool(tool.amount_argument) == self.moves_money)
            and (self.has_fact is None or self.has_fact in tool.fact_types)
            and (self.verifies is None or tool.verifies == self.verifies)
        )


class ApprovalSpec(Strict):
    """Who is asked, and what happens when nobody answers."""

    role: str = "reviewer"
    count: Annotated[int, Field(ge=1, le=5)] = 1
    queue: str = "approvals"
    expires: Duration = "4h"
    fallback: Literal["reject", "escalate"] = "escalate"

    @field_validator("expires")
    @classmethod
    def _ends(cls, value: str) -> str:
        if value == "none":
            raise ValueError("an approval must expire. Write: 4h")
        return value


class Examples(Strict):
    """Situations that the rule lets pass and that it stops; the check runs them."""

    allows: Annotated[list[Example], Field(min_length=1)]
    stops: Annotated[list[Example], Field(min_length=1)]


class Rule(Strict):
    """What every rule says about itself."""

    id: RuleId
    why: Text
    source: Text
    applies_to: AppliesTo
    when: str | None = None
    unless: str | None = None
    examples: Examples | None = None

    @property
    def needs_examples(self) -> bool:
        """Whether leaving the examples out is a mistake."""
        return True


class Permission(Rule):
    """Which specialists, or roles after an edit, may use which tools."""

    who: Annotated[list[str], Field(min_length=1)]

    def names(self, specialist: str) -> bool:
        """Whether `specialist` is meant: exactly, or by a pattern where someone wrote one."""
        return any(fnmatchcase(specialist, who) if "*" in who else specialist == who for who in self.who)


class Never(Rule):
    """A hard constraint."""


class Prefer(Rule):
    """A soft constraint, which a person's written justification turns into an approval."""

    otherwise: Literal["deny", "escalate"] = "deny"
    approval: ApprovalSpec = ApprovalSpec()
    queue: str = ""


class Threshold(Rule):
    """Past it a person decides."""

    then: Literal["require_approval", "escalate"] = "require_approval"
    approval: ApprovalSpec = ApprovalSpec()
    queue: str = ""


class Limit(Rule):
    """How often, or how much money, in a rolling window."""

    per: Literal["action", "case", "customer", "record", "business"]
    window: Duration | ParameterReference = "none"
    max_count: Annotated[int, Field(ge=0)] | ParameterReference | None = None
    max_amount_minor: dict[Currency, Amount] | Literal["none"] | ParameterReference | None = None
    past: Literal["deny", "require_approval", "escalate"] = "deny"
    approval: ApprovalSpec = ApprovalSpec()
    queue: str = ""

    @model_validator(mode="after")
    def _limits_something(self) -> "Limit":
        if self.max_count is None and self.max_amount_minor is None:
            raise ValueError("the limit limits nothing. Write: max_count: 3, or max_amount_minor: {EUR: 50000}")
        return self


DEMANDS: Final = ("confirmed", "record_read", "after", "before", "at_most", "not_repeated")


class Procedure(Rule):
    """What must have happened before in this case."""

    confirmed: Literal[True] | None = None
    record_read: Literal[True] | None = None
    after: list[str] | None = None
    before: list[str] | None = None
    at_most: Annotated[int, Field(ge=0)] | None = None
    same: list[str] = []
    """Arguments in which counted calls must agree; only with `at_most`."""
    not_repeated: Literal[True] | None = None

    @cached_property
    def demand(self) -> str:
        """The one demand that it makes."""
        return next(name for name in DEMANDS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_demand(self) -> "Procedure":
        if sum(getattr(self, name) is not None for name in DEMANDS) != 1:
            raise ValueError(f"a procedure demands exactly one thing. Write one of: {', '.join(DEMANDS)}")
        if self.same and self.at_most is None:
            raise ValueError("same only goes with at_most")
        return self


class ProvenanceDemand(Rule):
    """Where an argument must come from."""

    argument: str
    origins: Annotated[list[OriginName], Field(alias="from", min_length=1)]
    then: Literal["deny", "require_approval", "escalate"] = "deny"
    approval: ApprovalSpec = ApprovalSpec()
    queue: str = ""


class Trigger(Rule):
    """A reading of the conversation that calls a person."""

    applies_to: AppliesTo = AppliesTo(turn=True)
    when: str
    queue: str = ""


class ObligationRule(Rule):
    """What must be done along with an effect, or in every turn."""

    oblige: Literal["disclose", "notify", "mask", "sample"]
    detail: str = ""

    @property
    def needs_examples(self) -> bool:
        """An obligation without a condition holds always and can't show what it lets pass."""
        return self.when is not None or self.unless is not None


class ProseExamples(Strict):
    """Texts that may be sent and that may not."""

    allows: Annotated[list[str], Field(min_length=1)]
    stops: Annotated[list[str], Field(min_length=1)]


class ProseRule(Strict):
    """What a draft must not say, or must say."""

    id: RuleId
    why: Text
    source: Text
    forbid: list[Text] = []
    require: list[Text] = []
    channels: list[str] | None = None
    write: str = ""
    """What to say instead."""
    examples: ProseExamples

    @model_validator(mode="after")
    def _one_of(self) -> "ProseRule":
        if bool(self.forbid) == bool(self.require):
            raise ValueError("a prose rule either forbids or requires. Write: forbid: [phrases]")
        return self


class TableInput(Strict):
    """One column's type and range."""

    type: Literal["string", "int", "float", "bool"]
    values: list[str] | None = None
    """All values that a string can have; without it there may be any other."""
    min: int | float | None = None
    max: int | float | None = None
    optional: bool = False


class TableRow(Strict):
    """One row: cells, and what they give."""

    cells: Annotated[dict[str, Any], Field(alias="if")]
    gives: Annotated[dict[str, Any], Field(alias="then")]
    why: str = ""


class TableExample(Strict):
    """Inputs, and some of the outputs that they must give."""

    given: dict[str, Any]
    gives: dict[str, Any]


class Table(Strict):
    """A decision table with a declared hit policy."""

    id: TableId
    why: Text
    source: Text
    hit: Literal["unique", "first", "collect"]
    inputs: Annotated[dict[str, TableInput], Field(min_length=1)]
    outputs: Annotated[dict[str, Literal["string", "int", "bool", "effect"]], Field(min_length=1)]
    rows: Annotated[list[TableRow], Field(min_length=1)]
    otherwise: dict[str, Any] | None = None
    applies_to: AppliesTo | None = None
    approval: ApprovalSpec = ApprovalSpec()
    queue: str = ""
    examples: list[TableExample] = []

    @model_validator(mode="after")
    def _verdict_needs_effect(self) -> "Table":
        if self.applies_to is not None and self.outputs.get("effect") != "effect":
            raise ValueError("a table with applies_to needs the output effect. Write: outputs: {effect: effect}")
        return self


class MatrixCells(Strict):
    """One row's cells of the autonomy matrix."""

    risk: Annotated[list[RiskName], BeforeValidator(_as_list)] | None = None
    reversibility: Annotated[list[ReversibilityName], BeforeValidator(_as_list)] | None = None
    level: Annotated[list[Literal["assisted", "supervised", "autonomous"]], BeforeValidator(_as_list)] | None = None


class MatrixRow(Strict):
    """One row of the autonomy matrix."""

    cells: Annotated[MatrixCells, Field(alias="if")]
    asks: Annotated[list[Ask], BeforeValidator(_as_list), Field(min_length=1)]


class Autonomy(Strict):
    """How far the AI acts alone, by risk, reversibility and level; the first matching row counts."""

    id: RuleId
    why: Text
    source: Text
    applies_to: AppliesTo
    rows: Annotated[list[MatrixRow], Field(min_length=1)]
    approval: ApprovalSpec = ApprovalSpec()
    queue: str = ""


class ParameterDeclaration(Strict):
    """A value that playbooks set and rules read."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
    type: TypeName | Literal["amounts", "window"]
    why: Text
    default: Any = None
    """None: must be set as soon as a rule that reads it applies to some tool."""


class PolicyFile(Strict):
    """One file of `policies/`; every section may be left out."""

    parameters: dict[str, Any] = {}
    declares: list[ParameterDeclaration] = []
    signals: dict[str, TypeName] = {}
    sources: dict[str, Text] = {}
    """A rule of Callboard's own → the company's clause that says the same."""
    permissions: list[Permission] = []
    never: list[Never] = []
    prefer: list[Prefer] = []
    thresholds: list[Threshold] = []
    limits: list[Limit] = []
    tables: list[Table] = []
    autonomy: Autonomy | None = None
    procedure: list[Procedure] = []
    provenance: list[ProvenanceDemand] = []
    triggers: list[Trigger] = []
    obligations: list[ObligationRule] = []
    prose: list[ProseRule] = []


RULE_SECTIONS: Final[Mapping[str, str]] = {
    "permissions": "permission",
    "never": "hard",
    "prefer": "soft",
    "thresholds": "threshold",
    "limits": "limit",
    "procedure": "procedure",
    "provenance": "provenance",
    "triggers": "trigger",
    "obligations": "obligation",
}
"""Section of a file → kind of the verdicts of its rules."""

SIGNALS: Final[Mapping[str, str]] = {
    "intent.confidence": "float",
    "sentiment": "float",
    "asked_for_person": "bool",
    "failures": "int",
    "repeats": "int",
    "turns": "int",
    "flags": "list<string>",
}
"""The signals that every playbook's triggers may read; absent ones are silent."""

PlainParameters: TypeAlias = Mapping[str, Json]
