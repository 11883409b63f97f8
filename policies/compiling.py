"""Compiling merged rules into one program per tool, and finding what is wrong in them on the way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from policies.attributes import CHECKS, parse_duration
from policies.conditions import PRESENT, Batch, Names
from policies.coverage import Coverage
from policies.documents import Document, YamlPath, closest
from policies.domains import domain_of
from policies.errors import ConditionError, Mistake
from policies.limits import ResolvedLimit
from policies.parameters import NO_LIMIT, ParameterMistake, Parameters
from policies.programs import (
    LIMIT_NAMES,
    SITUATION_TYPES,
    CompiledRule,
    TableUse,
    ToolProgram,
    TurnProgram,
    needs_of,
    table_types,
    tool_types,
)
from policies.reasoning import never_holds, remarks_on
from policies.rules import (
    RULE_SECTIONS,
    AppliesTo,
    Ask,
    Autonomy,
    Limit,
    ParameterReference,
    Permission,
    Procedure,
    ProseRule,
    ProvenanceDemand,
    Rule,
    Table,
)
from policies.sentences import MINOR, currency_of, read_sentence, unknown_names
from policies.tables import DecisionTable
from policies.words import AutonomyLevel, Effect, Reversibility, Risk, RuleVerdict, ToolProfile


@dataclass(frozen=True, slots=True)
class Located:
    """A rule and the place where it is written."""

    rule: Rule | Table | Autonomy | ProseRule
    section: str
    document: Document
    path: YamlPath
    is_baseline: bool

    def table(self) -> Table:
        """The rule, which is a table."""
        if not isinstance(self.rule, Table):
            raise TypeError(self.section)
        return self.rule

    @property
    def scope(self) -> AppliesTo | None:
        """What it applies to; None for what is not about tools."""
        return None if isinstance(self.rule, ProseRule) else self.rule.applies_to

    def tool_names(self, tools: Mapping[str, ToolProfile]) -> tuple[str, ...]:
        """The tools that it applies to: in its own order if it names them, else sorted."""
        scope = self.scope
        if scope is None:
            return ()
        order = list(scope.tools or sorted(tools))
        return tuple(name for name in order if name in tools and scope.covers(tools[name]))

    def example_lines(self) -> dict[tuple[str, int], int]:
        """Line of each example by side and position; of a table's by ("", position)."""
        examples = getattr(self.rule, "examples", None)
        if isinstance(examples, list):
            return {
                ("", index): self.document.line_of((*self.path, "examples", index)) for index in range(len(examples))
            }
        if examples is None:
            return {}
        return {
            (side, index): self.document.line_of((*self.path, "examples", side, index))
            for side in ("allows", "stops")
            for index in range(len(getattr(examples, side)))
        }


class Compiler:
    """Makes programs of rules; mistakes are collected, and the programs are worth nothing if there are any."""

    def __init__(
        self,
        tools: Mapping[str, ToolProfile],
        parameters: Parameters,
        signals: Mapping[str, str],
        tables: Mapping[str, tuple[DecisionTable, Located]],
        located: Sequence[Located],
    ) -> None:
        self.tools = tools
        self.parameters = parameters
        self.signals = signals
        self.tables = tables
        self.located = located
        self.mistakes: list[Mistake] = []
        self._own = frozenset(each.rule.id for each in located if not each.is_baseline)
        self._coverage = Coverage()

    def tool_program(self, profile: ToolProfile) -> ToolProgram:
        """All rules that cover one tool."""
        types = tool_types(
            profile,
            tools=list(self.tools),
            parameters=self.parameters,
            tables=[table.rule for table, _ in self.tables.values()],
        )
        names = Names(types)
        rules: list[CompiledRule] = []
        triggers: list[CompiledRule] = []
        trigger_names: Names | None = None
        matrix: Autonomy | None = None
        for each in self.located:
            if each.scope is None or not each.scope.covers(profile):
                continue
            if isinstance(each.rule, Autonomy):
                matrix = each.rule
                self._sentence(each, types)
            elif each.section == "triggers":
                trigger_names = trigger_names or Names({**types, **self.signals})
                triggers.extend(self._compiled(each, trigger_names, profile))
            elif each.section in RULE_SECTIONS:
                rules.extend(self._compiled(each, names, profile))
        self._coverage.note([*rules, *triggers], profile, self._own)
        asked = tuple(rule for rule in rules if rule.condition is not None)
        conditions = [rule.condition for rule in asked if rule.condition is not None]
        quiet = tuple(None if rule.kind in ("permission", "obligation") else rule.no_objection for rule in asked)
        uses = self._table_uses(profile, types, [*rules, *triggers])
        wanted = {name for rule in [*rules, *triggers] for name in (*rule.reads, *rule.sentence.shows)}
        wanted |= {column for use in uses for column in (*use.table.columns, *use.sentence.shows)}
        if matrix is not None:
            wanted |= read_sentence(matrix.why).shows
        # Money is shown with the currency that stands beside it.
        shown = {name for rule in [*rules, *triggers] for name in rule.sentence.shows if name.endswith(MINOR)}
        wanted |= {currency_of(name) for name in shown} & types.keys()
        constants = self._constants(profile, wanted)
        needs = needs_of(profile, frozenset(wanted), {**types, **self.signals})
        facts = frozenset(fact for name in wanted for fact in _facts(name, profile))
        return ToolProgram(
            profile=profile,
            names=names,
            rules=tuple(rules),
            limits=tuple(rule.limit for rule in rules if rule.limit is not None),
            triggers=tuple(triggers),
            tables=tuple(uses),
            fact_needs=tuple((need.name, CHECKS[need.type_name]) for need in needs if need.kind == "fact"),
            argument_needs=tuple(
                (need.name, need.key, CHECKS[need.type_name]) for need in needs if need.kind == "argument"
            ),
            needs=tuple(need for need in needs if need.kind not in ("fact", "argument")),
            constants=constants,
            facts=facts,
            quiet=quiet,
            all_quiet=tuple(verdict for verdict in quiet if verdict is not None),
            fact_order=tuple(sorted(facts)),
            batch=Batch(names, conditions, constants),
            conditional=asked,
            unconditional=tuple(rule for rule in rules if rule.condition is None),
            autonomy=matrix,
            asks=_asks(matrix, profile) if matrix else {},
            about={level: f"{profile.risk} risk, {profile.reversibility}, {level}" for level in AutonomyLevel},
        )

    def turn_program(self) -> TurnProgram:
        """The triggers and obligations of whole turns."""
        names = Names({**SITUATION_TYPES, **self.signals, **self.parameters.types})
        triggers: list[CompiledRule] = []
        obligations: list[CompiledRule] = []
        for each in self.located:
            if each.scope is not None and each.scope.turn:
                if each.section not in ("triggers", "obligations"):
                    self._at(each, ("applies_to",), "Only triggers and obligations apply to a turn.", "all")
                    continue
                compiled = self._compiled(each, names, None)
                (triggers if each.section == "triggers" else obligations).extend(compiled)
        constants = {f"params.{name}": value for name, value in self.parameters.values.items()}
        return TurnProgram(tuple(triggers), tuple(obligations), constants)

    def check_rules(self) -> None:
        """What can be said of rules without looking at a tool's names."""
        places = {each.rule.id: each for each in self.located}
        for covered, by in self._coverage.findings():
            self._at(
                places[covered],
                (),
                f"{covered} can never matter: wherever it speaks, {by} says the same or more.",
                f"one of the two, with both clauses as its source, or a condition that {by} doesn't cover",
            )
        known_facts = {fact for tool in self.tools.values() for fact in tool.fact_types}
        for each in self.located:
            rule, scope = each.rule, each.scope
            if isinstance(rule, Rule) and rule.needs_examples and rule.examples is None and not each.is_baseline:
                self._at(each, (), f"{rule.id} has no examples.", "examples: {allows: [{…}], stops: [{…}]}")
            if isinstance(rule, Autonomy):
                self._check_matrix(each, rule)
            named: list[tuple[str, list[str]]] = []
            if scope is not None:
                named += [("applies_to", [*(scope.tools or ()), *scope.excluded])]
            if isinstance(rule, Procedure):
                named += [("after", rule.after or []), ("before", rule.before or [])]
            for key, tools in named:
                for tool in tools:
                    if tool not in self.tools:
                        close = closest(tool, self.tools) or f"one of {', '.join(self.tools)}"
                        self._at(each, (key,), f"{rule.id}: there is no tool {tool}.", close)
            if scope is None or each.is_baseline or scope.turn or scope.all:
                continue
            if scope.has_fact is not None and scope.has_fact not in known_facts:
                close = closest(scope.has_fact, known_facts)
                self._at(each, ("applies_to", "has_fact"), f"No tool has the fact {scope.has_fact}.", close)
            elif not any(scope.covers(tool) for tool in self.tools.values()):
                self._at(each, ("applies_to",), f"{rule.id} applies to no tool.", "all, or names of tools")

    def _compiled(self, each: Located, names: Names, profile: ToolProfile | None) -> list[CompiledRule]:
        """The rule for these names, or nothing where it has mistakes."""
        before = len(self.mistakes)
        rule = each.rule
        if not isinstance(rule, Rule):
            raise TypeError(each.section)
        parts = []
        domain = partial(domain_of, profile=profile)
        for key, text, negated in (("when", rule.when, False), ("unless", rule.unless, True)):
            if text is None:
                continue
            try:
                compiled = names.compile(text)
            except ConditionError as error:
                about = f" (for {profile.name})" if profile and each.scope and not each.scope.tools else ""
                self._at(each, (key,), f"{rule.id}{about}: {error}", error.suggestion)
            else:
                for remark in () if each.is_baseline else remarks_on(compiled.syntax, domain):
                    self._at(each, (key,), f"{rule.id}: {remark.message}", remark.suggestion)
            parts.append(f"{'!' if negated else ''}({text}\n)")
        self._sentence(each, names.types, extra=LIMIT_NAMES if each.section == "limits" else frozenset())
        limit = self._limit(each, rule, profile) if isinstance(rule, Limit) else None
        if profile is not None:
            self._check_for_tool(each, rule, profile)
        if len(self.mistakes) > before:
            return []
        condition = names.compile(" && ".join(parts)) if parts else None
        if condition and len(parts) > 1 and never_holds(condition.syntax, domain):
            self._at(each, ("unless",), f"{rule.id}: it never speaks, unless covers when.", "a narrower unless")
        for name in sorted(condition.reads if condition else ()):
            if name.startswith("params."):
                self._require(each, name.removeprefix("params."))
        sentence = read_sentence(rule.why)
        read = (condition.reads if condition else frozenset()) | sentence.shows
        facts = frozenset(fact for name in read for fact in _facts(name, profile)) | self._table_facts(read, profile)
        kind = RULE_SECTIONS[each.section]
        # `why` says why it stops; of a rule without an objection it would read as one.
        said = rule.why if isinstance(rule, Permission) else "No objection."
        passing = RuleVerdict(rule.id, Effect.ALLOW, said, rule.source, kind)
        return [CompiledRule(rule.id, kind, rule, sentence, condition, facts, passing, limit)]

    def _check_for_tool(self, each: Located, rule: Rule, profile: ToolProfile) -> None:
        if isinstance(rule, ProvenanceDemand) and rule.argument not in profile.argument_types:
            close = closest(rule.argument, profile.argument_types)
            self._at(each, ("argument",), f"{profile.name} has no argument {rule.argument}.", close)
        if isinstance(rule, Procedure):
            for name in rule.same:
                if name not in profile.argument_types:
                    close = closest(name, profile.argument_types)
                    self._at(each, ("same",), f"{profile.name} has no argument {name}.", close)
            if rule.record_read and not profile.record_argument:
                self._at(
                    each, ("record_read",), f"{profile.name} doesn't say which record it touches.", "record_argument"
                )
            elif rule.record_read and all(tool.reads_record != profile.record_argument for tool in self.tools.values()):
                hint = f'reads_record = "{profile.record_argument}" on a reading tool'
                self._at(each, ("record_read",), f"No tool reads the record of {profile.name}.", hint)

    def _limit(self, each: Located, rule: Limit, profile: ToolProfile | None) -> ResolvedLimit | None:
        if profile is None:
            return None
        if rule.max_amount_minor is not None and not profile.amount_argument:
            self._at(each, ("max_amount_minor",), f"{profile.name} has no amount argument.", "max_count")
        if rule.per == "record" and not profile.record_argument:
            self._at(each, ("per",), f"{profile.name} doesn't say which record it touches.", "per: customer")
        try:
            window = rule.window
            if isinstance(window, ParameterReference):
                window_s = self.parameters.resolve(window, "window")
            else:
                window_s = None if window == NO_LIMIT else parse_duration(window)
            count = rule.max_count
            if isinstance(count, ParameterReference):
                count = self.parameters.resolve(count, "int")
            amounts = rule.max_amount_minor
            if isinstance(amounts, ParameterReference):
                amounts = self.parameters.resolve(amounts, "amounts")
        except ParameterMistake as error:
            self._at(each, (), str(error), error.suggestion)
            return None
        if isinstance(amounts, ParameterReference) or isinstance(count, ParameterReference):
            raise TypeError("references are resolved above")
        return ResolvedLimit(rule, window_s, count, None if amounts is None or amounts == NO_LIMIT else dict(amounts))

    def _table_uses(
        self, profile: ToolProfile, types: Mapping[str, str], rules: Iterable[CompiledRule]
    ) -> list[TableUse]:
        read = {name for rule in rules for name in (*rule.reads, *rule.sentence.shows)}
        uses = []
        for table, each in self.tables.values():
            scope = table.rule.applies_to
            speaks = scope is not None and scope.covers(profile)
            if not speaks and not read & table_types(table.rule).keys():
                continue
            for column, declared in table.rule.inputs.items():
                if types.get(column) != declared.type:
                    found = f"is a {types[column]} there" if column in types else "is not known there"
                    self._at(
                        each,
                        ("inputs", column),
                        f"{table.rule.id} is used for {profile.name}, but {column} {found}.",
                        closest(column, types),
                    )
            self._sentence(each, types)
            sentence = read_sentence(table.rule.why)
            facts = [fact for name in (*table.columns, *sentence.shows) for fact in _facts(name, profile)]
            outputs = tuple((output, f"tables.{table.rule.id}.{output}") for output in table.rule.outputs)
            verdicts = table_verdicts(table) if speaks else {}
            uses.append(TableUse(table, speaks, sentence, frozenset(facts), outputs, verdicts))
        return uses

    def _table_facts(self, names: Iterable[str], profile: ToolProfile | None) -> frozenset[str]:
        """The facts behind the tables that names belong to."""
        ids = {name.split(".")[1] for name in names if name.startswith("tables.")}
        columns = [column for rule_id in ids & self.tables.keys() for column in self.tables[rule_id][0].columns]
        return frozenset(fact for column in columns for fact in _facts(column, profile))

    def _check_matrix(self, each: Located, matrix: Autonomy) -> None:
        reached = set()
        for risk, reversibility, level in product(Risk, Reversibility, AutonomyLevel):
            row = _matrix_row(matrix, risk, reversibility, level)
            if row is None:
                missing = f"risk {risk}, {reversibility}, level {level}"
                self._at(each, ("rows",), f"No row covers {missing}.", "- {if: {}, asks: approval}")
                return
            reached.add(row)
        for index in range(len(matrix.rows)):
            if index not in reached:
                self._at(each, ("rows", index), f"Row {index + 1} can never decide: rows before it cover it.")

    def _sentence(self, each: Located, types: Mapping[str, str], *, extra: frozenset[str] = frozenset()) -> None:
        for name in unknown_names(read_sentence(each.rule.why), types.keys() | extra):
            self._at(
                each, ("why",), f"{each.rule.id}: the sentence shows {name}, which is not known.", closest(name, types)
            )

    def _require(self, each: Located, name: str) -> None:
        try:
            self.parameters.require(name)
        except ParameterMistake as error:
            self._at(each, (), str(error), error.suggestion)

    def _constants(self, profile: ToolProfile, wanted: Iterable[str]) -> dict[str, object]:
        fixed: dict[str, object] = {
            "tool.name": profile.name,
            "tool.kind": profile.kind,
            "tool.risk": profile.risk.value,
            "tool.reversibility": profile.reversibility.value,
        }
        fixed.update({f"params.{name}": value for name, value in self.parameters.values.items()})
        return {name: fixed[name] for name in wanted if name in fixed}

    def _at(self, each: Located, path: Sequence[str | int], message: str, suggestion: str = "") -> None:
        self.mistakes.append(each.document.mistake((*each.path, *path), message, suggestion))


def table_verdicts(table: DecisionTable) -> dict[tuple[int, ...], RuleVerdict]:
    """What a table says for each row that decides alone, where its sentence shows no values."""
    rule = table.rule
    found = {}
    for answer in table.answers:
        effect, reason = answer.values.get("effect"), answer.reasons[0]
        if rule.hit != "collect" and isinstance(effect, str) and not read_sentence(reason).shows:
            found[answer.rows] = RuleVerdict(rule.id, Effect(effect), reason, rule.source, "table")
    return found


def _facts(name: str, profile: ToolProfile | None) -> list[str]:
    """The fact behind a name, if it is one."""
    if profile is None:
        return []
    base = name if name in profile.fact_types else name.removesuffix(PRESENT)
    return [base] if base in profile.fact_types else []


def _asks(matrix: Autonomy, profile: ToolProfile) -> dict[AutonomyLevel, tuple[Ask, ...]]:
    asks: dict[AutonomyLevel, tuple[Ask, ...]] = {}
    for level in AutonomyLevel:
        row = _matrix_row(matrix, profile.risk, profile.reversibility, level)
        asks[level] = tuple(matrix.rows[row].asks) if row is not None else ("specialist",)
    return asks


def _matrix_row(matrix: Autonomy, risk: Risk, reversibility: Reversibility, level: AutonomyLevel) -> int | None:
    for index, row in enumerate(matrix.rows):
        cells = row.cells
        if (
            (cells.risk is None or risk.value in cells.risk)
            and (cells.reversibility is None or reversibility.value in cells.reversibility)
            and (cells.level is None or level.value in cells.level)
        ):
            return index
    return None
