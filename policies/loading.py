"""Loading a playbook's policies: read all files, merge them, check and compile everything; whole or not at all."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from policies.attributes import CEL_TYPES
from policies.compiling import Compiler, Located
from policies.documents import Document, closest, parse, read_bytes, read_document
from policies.errors import Mistake, PlaybookMistakes
from policies.parameters import ParameterMistake, Parameters, read_value
from policies.programs import CALL_TYPES, SITUATION_TYPES, LocatedRule, PolicySet
from policies.rules import RULE_SECTIONS, SIGNALS, ParameterDeclaration, PolicyFile
from policies.tables import DecisionTable, compile_table
from policies.words import Json, ToolProfile

BASELINE: Final = Path(__file__).with_name("baseline.yaml")
BASELINE_PREFIX: Final = "baseline."
LANGUAGE: Final = 1
"""Raised when the same file begins to mean something else; part of the content hash."""

LIST_SECTIONS: Final = (*RULE_SECTIONS, "tables", "prose")


def load_policies(
    files: Sequence[Path],
    tools: Mapping[str, ToolProfile],
    parameters: Mapping[str, Json] | None = None,
    *,
    baseline: Path | None = BASELINE,
    root: Path | None = None,
) -> PolicySet:
    """Load policies, whole or not at all. Their order and how rules are spread over the files mean nothing.

    Args:
        files: The playbook's policy files.
        tools: By name, the tools that rules may speak of.
        parameters: Values set elsewhere (`playbook.yaml`); setting one here and in a file is a mistake.
        baseline: Callboard's own rules, read before; None leaves them out, for tests of single rules.
        root: Mistakes name files relative to this directory.

    Raises:
        PlaybookMistakes: All that must be changed, each with file and line.
    """
    readers = [partial(read_document, file, _shown(file, root)) for file in sorted(files)]
    return _load(readers, tools, parameters, baseline)


def load_policy_texts(
    texts: Mapping[str, str],
    tools: Mapping[str, ToolProfile],
    parameters: Mapping[str, Json] | None = None,
    *,
    baseline: Path | None = BASELINE,
) -> PolicySet:
    """Load policies from the texts of their files; otherwise as `load_policies`.

    Args:
        texts: By the name that mistakes show.
        tools: By name, the tools that rules may speak of.
        parameters: Values set elsewhere.
        baseline: Callboard's own rules.

    Raises:
        PlaybookMistakes: All that must be changed, each with file and line.
    """
    readers = [
        partial(read_bytes, text.encode("utf-8", errors="surrogatepass"), name) for name, text in sorted(texts.items())
    ]
    return _load(readers, tools, parameters, baseline)


def _load(
    readers: Sequence[Callable[[], Document]],
    tools: Mapping[str, ToolProfile],
    parameters: Mapping[str, Json] | None,
    baseline: Path | None,
) -> PolicySet:
    own: list[tuple[Callable[[], Document], bool]] = []
    if baseline is not None:
        own.append((partial(read_document, baseline, f"callboard:{baseline.name}"), True))
    mistakes: list[Mistake] = []
    parsed: list[tuple[Document, PolicyFile, bool]] = []
    for reader, is_baseline in [*own, *((reader, False) for reader in readers)]:
        try:
            document = reader()
            empty = Document(document.file, {}, document.lines) if document.data is None else document
            parsed.append((empty, parse(PolicyFile, empty), is_baseline))
        except PlaybookMistakes as error:
            mistakes.extend(error.mistakes)
    if mistakes:
        raise PlaybookMistakes(mistakes)
    return _Loader(parsed, tools, dict(parameters or {})).load()


class _Loader:
    """Merges parsed files and collects every mistake."""

    def __init__(
        self,
        parsed: Sequence[tuple[Document, PolicyFile, bool]],
        tools: Mapping[str, ToolProfile],
        given: dict[str, Json],
    ) -> None:
        self.parsed = parsed
        self.tools = dict(sorted(tools.items()))
        self.given = given
        self.mistakes: list[Mistake] = []

    def load(self) -> PolicySet:
        self._check_tools()
        parameters = self._parameters()
        signals = self._signals()
        located = self._located()
        tables = self._tables(located)
        self._stop_if_wrong()
        compiler = Compiler(self.tools, parameters, signals, tables, located)
        programs = {name: compiler.tool_program(profile) for name, profile in self.tools.items()}
        turn = compiler.turn_program()
        compiler.check_rules()
        self.mistakes.extend(compiler.mistakes)
        self._check_owners(parameters)
        self._stop_if_wrong()
        return PolicySet(
            version=self._version(parameters),
            tools=self.tools,
            programs=programs,
            turn=turn,
            tables={rule_id: table for rule_id, (table, _) in sorted(tables.items())},
            prose=tuple(each.rule for each in located if each.section == "prose"),  # type: ignore[misc]  # by section
            parameters=parameters,
            reviewer_roles=tuple(parameters.values.get("reviewer_roles", ())),
            signals=signals,
            located=tuple(
                LocatedRule(
                    each.rule,
                    each.section,
                    each.document.file,
                    each.document.line_of(each.path),
                    each.example_lines(),
                    each.tool_names(self.tools),
                )
                for each in located
            ),
        )

    def _check_tools(self) -> None:
        fixed = {**SITUATION_TYPES, **CALL_TYPES}
        for tool in self.tools.values():
            for name, kind in [*tool.argument_types.items(), *tool.fact_types.items()]:
                if kind not in CEL_TYPES:
                    known = ", ".join(sorted(CEL_TYPES))
                    self._wrong("tools", 1, f"{tool.name}: {name} has the unknown type {kind}.", f"one of {known}")
            for name in tool.fact_types:
                if name in fixed or name.split(".")[0] in ("args", "params", "tables", "calls"):
                    self._wrong("tools", 1, f"{tool.name}: a fact can't be called {name}, the name is taken.")
            for field in ("amount_argument", "currency_argument", "record_argument", "reads_record"):
                argument = getattr(tool, field)
                if argument and argument not in tool.argument_types:
                    close = closest(argument, tool.argument_types)
                    self._wrong("tools", 1, f"{tool.name}: its {field} {argument} is not an argument.", close)

    def _parameters(self) -> Parameters:
        declarations: dict[str, ParameterDeclaration] = {}
        values: dict[str, Json] = dict(self.given)
        places: dict[str, tuple[str, int]] = dict.fromkeys(values, ("playbook.yaml", 1))
        for document, file, _ in self.parsed:
            for index, declaration in enumerate(file.declares):
                if declaration.name in declarations:
                    self.mistakes.append(
                        document.mistake(("declares", index), f"{declaration.name} is declared twice.")
                    )
                declarations[declaration.name] = declaration
            for name, value in file.parameters.items():
                if name in places:
                    self.mistakes.append(document.mistake(("parameters", name), f"{name} is set twice.", "it once"))
                places[name] = (document.file, document.line_of(("parameters", name)))
                values[name] = value
        for name in sorted(values):
            place = places[name]
            if name not in declarations:
                close = closest(name, declarations) or f"one of {', '.join(sorted(declarations))}"
                self._wrong(*place, f"The parameter {name} is not declared.", close)
                values.pop(name)
            elif (mistake := self._value_wrong(declarations[name], values[name])) is not None:
                self._wrong(*place, str(mistake), mistake.suggestion)
                values.pop(name)
        for document, file, _ in self.parsed:
            for index, declaration in enumerate(file.declares):
                if declaration.default is not None and (wrong := self._value_wrong(declaration, declaration.default)):
                    self.mistakes.append(document.mistake(("declares", index, "default"), str(wrong), wrong.suggestion))
        self._stop_if_wrong()
        return Parameters(declarations, values)

    @staticmethod
    def _value_wrong(declaration: ParameterDeclaration, value: Json) -> ParameterMistake | None:
        try:
            read_value(declaration, value)
        except ParameterMistake as mistake:
            return mistake
        return None

    def _signals(self) -> dict[str, str]:
        signals = dict(SIGNALS)
        for document, file, _ in self.parsed:
            for name, kind in file.signals.items():
                taken = name in SITUATION_TYPES or name in CALL_TYPES
                if taken or signals.get(name, kind) != kind:
                    self.mistakes.append(
                        document.mistake(("signals", name), f"The name {name} is taken.", f"another_{name}")
                    )
                signals[name] = kind
        for tool in self.tools.values():
            for name in sorted(signals.keys() & tool.fact_types.keys()):
                self._wrong("tools", 1, f"{tool.name}: the fact {name} has the name of a signal.")
        return signals

    def _located(self) -> list[Located]:
        found: list[Located] = []
        own_matrix = any(file.autonomy for _, file, is_baseline in self.parsed if not is_baseline)
        for document, file, is_baseline in self.parsed:
            for section in LIST_SECTIONS:
                for index, rule in enumerate(getattr(file, section)):
                    found.append(Located(rule, section, document, (section, index), is_baseline))
            if file.autonomy and not (is_baseline and own_matrix):
                found.append(Located(file.autonomy, "autonomy", document, ("autonomy",), is_baseline))
        found = self._with_sources(found)
        seen: dict[str, Located] = {}
        matrix: Located | None = None
        for each in found:
            rule_id = each.rule.id
            if rule_id in seen:
                first = seen[rule_id]
                line = first.document.line_of(first.path)
                self._at(
                    each, ("id",), f"The id {rule_id} is used already in {first.document.file}:{line}.", "another id"
                )
            if rule_id.startswith(BASELINE_PREFIX) and not each.is_baseline:
                self._at(each, ("id",), f"Ids beginning with {BASELINE_PREFIX} are not yours.", "another id")
            if each.section == "autonomy":
                if matrix is not None:
                    self._at(each, (), f"There is a matrix already in {matrix.document.file}.", "one matrix")
                matrix = each
            seen.setdefault(rule_id, each)
        return sorted(found, key=lambda each: each.rule.id)

    def _with_sources(self, found: list[Located]) -> list[Located]:
        """The company's own clauses for Callboard's rules."""
        clauses: dict[str, str] = {}
        baseline = {each.rule.id for each in found if each.is_baseline}
        for document, file, _ in self.parsed:
            for rule_id, clause in file.sources.items():
                if rule_id not in baseline or rule_id in clauses:
                    what = "is given twice" if rule_id in clauses else "is no rule of Callboard's own"
                    hint = "it once" if rule_id in clauses else closest(rule_id, baseline)
                    self.mistakes.append(document.mistake(("sources", rule_id), f"{rule_id} {what}.", hint))
                clauses[rule_id] = clause
        return [
            replace(each, rule=each.rule.model_copy(update={"source": f"{clauses[each.rule.id]}; {each.rule.source}"}))
            if each.rule.id in clauses and each.is_baseline
            else each
            for each in found
        ]

    def _tables(self, located: Iterable[Located]) -> dict[str, tuple[DecisionTable, Located]]:
        tables: dict[str, tuple[DecisionTable, Located]] = {}
        for each in located:
            if each.section == "tables":
                table, wrong = compile_table(each.table())
                for mistake in wrong:
                    self._at(each, mistake.path, f"{each.rule.id}: {mistake.message}", mistake.suggestion)
                if table is not None:
                    tables[each.rule.id] = (table, each)
        return tables

    def _check_owners(self, parameters: Parameters) -> None:
        """Whatever changes a record must be able to say whose it is."""
        if "ownerless_tools" not in parameters.values:
            return
        for tool in self.tools.values():
            named = tool.name in parameters.values["ownerless_tools"]
            changes = tool.kind == "write" and tool.record_argument and not tool.verifies
            if changes and not named and "owner.customer_id" not in tool.fact_types:
                hint = f"the fact owner.customer_id, or parameters: ownerless_tools: [{tool.name}]"
                self._wrong("tools", 1, f"{tool.name} changes a record and doesn't say whose it is.", hint)

    def _version(self, parameters: Parameters) -> str:
        sections: dict[str, list[Any]] = {}
        for document, _, _ in self.parsed:
            data = document.data if isinstance(document.data, dict) else {}
            for section, content in data.items():
                if section != "parameters":
                    items: list[Any] = content if isinstance(content, list) else [content]
                    if section in ("signals", "sources") and isinstance(content, dict):
                        items = [[name, kind] for name, kind in content.items()]
                    sections.setdefault(section, []).extend(json.dumps(item, sort_keys=True) for item in items)
        merged: dict[str, Any] = {
            "language": LANGUAGE,
            "sections": {section: sorted(items) for section, items in sections.items()},
            "parameters": parameters.values,
            "tools": {
                name: {**asdict(tool), "clock_facts": sorted(tool.clock_facts)} for name, tool in self.tools.items()
            },
        }
        return sha256(json.dumps(merged, sort_keys=True).encode("ascii")).hexdigest()

    def _at(self, located: Located, path: Sequence[str | int], message: str, suggestion: str = "") -> None:
        self.mistakes.append(located.document.mistake((*located.path, *path), message, suggestion))

    def _wrong(self, file: str, line: int, message: str, suggestion: str = "") -> None:
        self.mistakes.append(Mistake(file, line, message, suggestion))

    def _stop_if_wrong(self) -> None:
        if self.mistakes:
            raise PlaybookMistakes(self.mistakes)


def _shown(file: Path, root: Path | None) -> str:
    if root is not None and file.is_relative_to(root):
        return file.relative_to(root).as_posix()
    return str(file)
