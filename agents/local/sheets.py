"""What the interpreter works from: a playbook's journeys, voice, verification methods, and its tools at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agents.journeys import Journey, VerificationMethod, Voice
from tools.spec import ToolSpec


@dataclass(frozen=True, slots=True)
class ToolCard:
    """What planning must know of a tool."""

    name: str
    kind: Literal["read", "write"]
    returns: str
    """The name of its result in evidence."""
    required: frozenset[str] = frozenset()
    """Arguments that it can't do without."""
    optional: frozenset[str] = frozenset()
    amount_argument: str = ""
    currency_argument: str = ""
    examples: tuple[str, ...] = ()
    description: str = ""
    """What a model is told of it."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """JSON schema of its arguments."""

    @classmethod
    def of(cls, spec: ToolSpec) -> "ToolCard":
        """The card of a tool."""
        schema = spec.arguments.model_json_schema()
        required = frozenset(schema.get("required", ()))
        return cls(
            name=spec.name,
            kind=spec.kind,
            returns=spec.returns,
            required=required,
            optional=frozenset(schema.get("properties", {})) - required,
            amount_argument=spec.amount_argument,
            currency_argument=spec.currency_argument,
            examples=tuple(spec.examples),
            description=spec.description,
            parameters=schema,
        )


@dataclass(frozen=True, slots=True)
class Sheets:
    """One playbook as the interpreter reads it."""

    journeys: Mapping[str, Journey]
    voice: Voice
    tools: Mapping[str, ToolCard]
    methods: Sequence[VerificationMethod] = field(default=())

    @property
    def verification_tools(self) -> frozenset[str]:
        """Tools that check who the customer is."""
        return frozenset(method.tool for method in self.methods)

    def is_required(self, tool: str, argument: str) -> bool:
        """Whether a call can't be made without this argument; an unknown tool needs all it is given."""
        card = self.tools.get(tool)
        return card is None or argument in card.required
