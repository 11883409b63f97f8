"""The tools of one playbook: looked up by name, their arguments made canonical, their facts read."""

import asyncio
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from policies.documents import closest
from policies.sentences import format_money
from policies.words import Fact, Json, Money, Reversibility, ToolProfile
from tools.circuits import CircuitOpen, Circuits, circuits_of_systems
from tools.errors import ToolArgumentsError, ToolSpecError, ToolUnavailable, UnknownTool
from tools.spec import FactProvider, ToolContext, ToolSpec

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_PROFILE_ARGUMENTS = ("amount_argument", "currency_argument", "record_argument", "reads_record")


@dataclass(frozen=True, slots=True)
class FactsRead:
    """The facts that could be read for one call, and why the others could not."""

    facts: dict[str, Fact]
    missing: dict[str, str]
    """Dotted name → why, in words without data of customers. What is missing is unknown, never false."""
    is_out_of_reach: bool = False
    """Whether some of it is missing because a system could not be asked, not because it doesn't say."""


class Registry:
    """All tools of one playbook.

    Raises:
        ToolSpecError: A declaration contradicts itself, or two tools share a name. Names every mistake.
    """

    def __init__(self, specs: Sequence[ToolSpec]) -> None:
        mistakes = [mistake for spec in specs for mistake in _mistakes_in(spec)]
        names = [spec.name for spec in specs]
        mistakes += [f"Two tools are called {name}." for name in sorted({n for n in names if names.count(n) > 1})]
        mistakes += [mistake for spec in specs for mistake in _mistakes_of_undoing(spec, specs)]
        if mistakes:
            raise ToolSpecError("\n".join(mistakes))
        self._specs = {spec.name: spec for spec in specs}

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __iter__(self) -> Iterator[ToolSpec]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._specs)

    def get(self, name: str) -> ToolSpec:
        """The tool of that name.

        Raises:
            UnknownTool: There is none. Says which one was probably meant.
        """
        spec = self._specs.get(name)
        if spec is None:
            near = closest(name, self._specs)
            raise UnknownTool(f"No tool of that name. {f'Did you mean {near}?' if near else self._known()}")
        return spec

    def profiles(self) -> dict[str, ToolProfile]:
        """What policy must know of each tool, by name."""
        return {name: spec.profile() for name, spec in self._specs.items()}

    def validate(self, tool: str, arguments: Mapping[str, Json], *, coerce: bool = False) -> dict[str, Json]:
        """Make arguments canonical: plain JSON, defaults filled in, optional ones that are null left out.

        Args:
            tool: The tool's name.
            arguments: As proposed.
            coerce: Whether texts may stand for other kinds ("14890" for 14890, '["20418-1"]' for a list), as reviewers'
                tools send edits back. Otherwise nothing is converted.

        Raises:
            UnknownTool: No such tool.
            ToolArgumentsError: They don't fit. Names each argument and what it takes, never its value.
        """
        model = self.get(tool).arguments
        given = {name: _untexted(model, name, value) for name, value in arguments.items()} if coerce else arguments
        try:
            text = json.dumps(dict(given), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ToolArgumentsError(f"The arguments of {tool} are not plain JSON. Send JSON values only.") from error
        try:
            # Parsed from JSON, because strict mode then still takes ISO 8601 for dates, and lists for tuples.
            valid = model.model_validate_json(text, strict=not coerce)
        except ValidationError as error:
            raise ToolArgumentsError(_explain(tool, error)) from error
        canonical: dict[str, Json] = valid.model_dump(mode="json", exclude_none=True)
        return canonical

    def model_of(self, tool: str, arguments: Mapping[str, Json]) -> BaseModel:
        """The arguments as the tool's call takes them; `arguments` must be canonical."""
        return self.get(tool).arguments.model_validate_json(json.dumps(dict(arguments)), strict=True)

    def identity_of(self, tool: str, arguments: Mapping[str, Json]) -> dict[str, Json]:
        """The part of canonical arguments that says which effect is meant; all of them where the tool names none."""
        identity = self.get(tool).identity
        return {name: value for name, value in arguments.items() if not identity or name in identity}

    def summary_of(self, tool: str, arguments: Mapping[str, Json]) -> str:
        """The effect in one sentence for people; secret arguments are not shown."""
        spec = self.get(tool)
        shown = {name: _in_words(value) for name, value in arguments.items() if name not in spec.secret_arguments}
        amount, currency = arguments.get(spec.amount_argument), arguments.get(spec.currency_argument)
        if isinstance(amount, int) and isinstance(currency, str):
            shown["amount"] = format_money(Money(amount, currency))
        sentence = spec.summary or spec.name.replace("_", " ").capitalize()
        return _PLACEHOLDER.sub(lambda place: shown.get(place.group(1), "…"), sentence)

    async def read_facts(
        self,
        tool: str,
        arguments: Mapping[str, Json],
        context: ToolContext,
        *,
        timeout_s: float,
        circuits: Circuits | None = None,
    ) -> FactsRead:
        """Ask all fact providers of a tool at once.

        One that fails or is slow leaves its facts out and the others alone; so does a fact of another type than
        declared.

        Args:
            tool: The tool's name.
            arguments: Canonical.
            context: For whom, and when.
            timeout_s: The most that each provider may take.
            circuits: Where systems that keep failing are known; one that is left alone isn't asked.
        """
        spec = self.get(tool)
        circuits = circuits or circuits_of_systems()
        answers = await asyncio.gather(
            *(
                _read(each, arguments, context, timeout_s, circuits, each.system or spec.system)
                for each in spec.providers
            )
        )
        return FactsRead(
            facts={name: fact for answer in answers for name, fact in answer.facts.items()},
            missing={name: why for answer in answers for name, why in answer.missing.items()},
            is_out_of_reach=any(answer.is_out_of_reach for answer in answers),
        )

    def _known(self) -> str:
        return f"The playbook has: {', '.join(sorted(self._specs))}."


async def _read(
    provider: FactProvider,
    arguments: Mapping[str, Json],
    context: ToolContext,
    timeout_s: float,
    circuits: Circuits,
    system: str,
) -> FactsRead:
    try:
        async with circuits.through(system), asyncio.timeout(timeout_s):
            found = await provider.read(arguments, context)
    except CircuitOpen:
        return FactsRead({}, dict.fromkeys(provider.facts, f"{system} keeps failing and is left alone."), True)
    except TimeoutError:
        return FactsRead({}, dict.fromkeys(provider.facts, f"It could not be read within {timeout_s:g} s."), True)
    except ToolUnavailable:
        return FactsRead({}, dict.fromkeys(provider.facts, "The system of record is out of reach."), True)
    except Exception as error:  # Whatever a provider does, its facts are unknown and the decision goes on without them.
        return FactsRead({}, dict.fromkeys(provider.facts, f"Reading it failed ({type(error).__name__})."), True)
    facts: dict[str, Fact] = {}
    missing: dict[str, str] = {}
    for name, kind in provider.facts.items():
        if name not in found:
            missing[name] = "The system of record doesn't say."
        elif not _is_kind(found[name].value, kind):
            missing[name] = f"The system of record gave something else than {kind}."
        else:
            facts[name] = found[name]
    return FactsRead(facts, missing)


def _is_kind(value: Json, kind: str) -> bool:
    """Whether a fact's value is of its declared type; null is, for what doesn't apply."""
    if value is None:
        return True
    match kind:
        case "string":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        case "timestamp":
            return isinstance(value, str) and _is_moment(value)
        case "map":
            return isinstance(value, dict)
        case _:
            return isinstance(value, list)


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _untexted(model: type[BaseModel], name: str, value: Json) -> Json:
    """A text that stands for a list or a map, as such. Numbers and yes or no are left to pydantic."""
    field = model.model_fields.get(name)
    if field is None or not isinstance(value, str) or value[:1] not in {"[", "{"}:
        return value
    try:
        parsed: Json = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return parsed


def _explain(tool: str, error: ValidationError) -> str:
    parts = []
    for each in error.errors(include_input=False, include_url=False, include_context=False):
        where = ".".join(str(step) for step in each["loc"])
        parts.append(f"{where}: {each['msg']}" if where else each["msg"])
    return f"The arguments of {tool} don't fit. " + "; ".join(parts) + "."


def _in_words(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(_in_words(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(_in_words(each) for each in value.values())
    return str(value)


def _mistakes_of_undoing(spec: ToolSpec, specs: Sequence[ToolSpec]) -> list[str]:
    """What is wrong with how a tool is undone, in sentences."""
    if spec.compensation is None:
        return []
    undoing = next((each for each in specs if each.name == spec.compensation.tool), None)
    if undoing is None:
        return [f"{spec.name}: its compensation names {spec.compensation.tool}, which is no tool of the playbook."]
    mistakes = []
    if spec.kind != "write" or undoing.kind != "write":
        mistakes.append(f"{spec.name}: only a write is undone, and by a write.")
    if spec.reversibility is Reversibility.IRREVERSIBLE:
        mistakes.append(f"{spec.name}: it is irreversible and has a compensation; one of them is wrong.")
    fields = undoing.arguments.model_fields
    mistakes += [
        f"{spec.name}: its compensation gives {name}, which is no argument of {undoing.name}."
        for name in spec.compensation.arguments
        if name not in fields
    ]
    mistakes += [
        f"{spec.name}: its compensation lacks {name} of {undoing.name}."
        for name, field in fields.items()
        if field.is_required() and name not in spec.compensation.arguments
    ]
    mistakes += [
        f'{spec.name}: its compensation reads {path}. Write: "arguments.<name>" or "result.<name>"'
        for path in spec.compensation.arguments.values()
        if path.split(".")[0] not in {"arguments", "result"} or "." not in path
    ]
    return mistakes


def _mistakes_in(spec: ToolSpec) -> list[str]:
    """What is wrong with one declaration, in sentences."""
    fields: dict[str, Any] = dict(spec.arguments.model_fields)
    mistakes = []

    def unknown(role: str, name: str) -> None:
        near = closest(name, fields)
        mistakes.append(f"{spec.name}: {role} names {name}, which is no argument. Write: {near or ', '.join(fields)}")

    if spec.arguments.model_config.get("extra") != "forbid":
        mistakes.append(
            f'{spec.name}: its arguments accept unknown keys. Write: model_config = ConfigDict(extra="forbid")'
        )
    if not re.fullmatch("[a-z][a-z0-9_]*", spec.name) or not re.fullmatch("[a-z][a-z0-9_]*", spec.returns):
        mistakes.append(f"{spec.name}: name and returns must be words of small letters, digits and _.")
    for role in _PROFILE_ARGUMENTS:
        name = getattr(spec, role)
        if name and name not in fields:
            unknown(role, name)
    for name in [*spec.identity, *sorted(spec.secret_arguments)]:
        if name not in fields:
            unknown("identity or secret_arguments", name)
    for name in _PLACEHOLDER.findall(spec.summary):
        if name not in fields and not (name == "amount" and spec.amount_argument):
            unknown("summary", name)
    if bool(spec.amount_argument) != bool(spec.currency_argument):
        mistakes.append(f"{spec.name}: amount_argument and currency_argument go together; one of them is missing.")
    if spec.kind == "write" and not spec.identity:
        mistakes.append(f'{spec.name}: it changes the world and has no identity. Write: identity=("order_id",)')
    names = [name for provider in spec.providers for name in provider.facts]
    mistakes += [
        f"{spec.name}: two providers give the fact {name}." for name in sorted({n for n in names if names.count(n) > 1})
    ]
    for provider in spec.providers:
        for name in sorted(provider.clock_facts - set(provider.facts)):
            mistakes.append(f"{spec.name}: the clock fact {name} is not among its provider's facts.")
        for name in sorted(name for name in provider.values if provider.facts.get(name) != "string"):
            mistakes.append(f"{spec.name}: {name} has values but is no text among its provider's facts.")
        for name in sorted(name for name in provider.tolerances if provider.facts.get(name) not in {"int", "float"}):
            mistakes.append(f"{spec.name}: {name} has a tolerance but is no number among its provider's facts.")
    return mistakes
