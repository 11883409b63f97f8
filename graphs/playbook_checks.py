"""What the files of a playbook say of each other, checked when it is loaded: names, sources, templates, order."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.journeys import REQUIRED_TEMPLATES, Journey, Need, Step, VerificationMethod, Voice
from policies.documents import Document, Parsed, YamlPath, closest
from policies.errors import Mistake
from policies.programs import PolicySet
from policies.words import Risk
from tools.registry import Registry
from tools.spec import ToolSpec

ENTITY_KINDS = frozenset(
    {"order_id", "email", "postcode", "phone", "name", "date", "amount", "items", "address", "text", "choice"}
)
"""What a slot can be filled with, besides the kinds that the playbook has patterns for."""

TEMPLATE_VALUES = frozenset(
    {"approval", "options", "records", "slots", "reason", "amount", "args", "verdict", "details", "answer", "waiting"}
)
"""What templates may show besides evidence, slots and arguments."""

OPTIONAL_TEMPLATES = frozenset(
    {"acknowledge", "answer", "ask_identity_other", "ask_identity_still", "noted", "not_understood_again"}
)
"""Templates that a playbook may have; so are `ask_identity_<slot>` and, for open journeys, `result_<returns>`."""

TEMPLATES_OF_STEPS = ("confirm", "waiting", "rejected")
_SOURCE = re.compile(r"(slot|evidence|value|fact):(.*)", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PATH = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*")
_PATH_IN_CONDITION = re.compile(r"\b([a-z_][a-z0-9_]*)\.[a-z_]")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything of a playbook that can be read by itself."""

    document: Document
    """`playbook.yaml`."""
    voice: Voice
    verification: Sequence[VerificationMethod]
    kinds: frozenset[str]
    """Kinds of entities that the playbook has patterns for."""
    queues: frozenset[str]
    levels: Mapping[str, object]
    """Journey ids that `autonomy` names."""
    journeys: Sequence[Parsed[Journey]]
    tools: Registry
    policies: PolicySet
    articles: frozenset[str]
    """Ids."""


def cross_check(parts: Parts) -> list[Mistake]:
    """Everything that the files say wrongly of each other."""
    mistakes = [*_sheet(parts), *_utterances(parts), *_templates(parts), *_queues_of_policies(parts)]
    for journey in parts.journeys:
        mistakes += _JourneyCheck(parts, journey).run()
    return mistakes


def _sheet(parts: Parts) -> Iterator[Mistake]:
    document = parts.document
    ids = [journey.value.id for journey in parts.journeys]
    if not ids:
        yield document.mistake((), "The playbook has no journeys.", "journeys/question.yaml, to begin with")
    for name in parts.levels:
        if name not in ids:
            yield document.mistake(("autonomy", "journeys", name), f"There is no journey {name}.", _near(name, ids))
    for index, method in enumerate(parts.verification):
        path: YamlPath = ("verification", index)
        if method.tool not in parts.tools:
            yield document.mistake(
                (*path, "tool"), f"There is no tool {method.tool}.", _near(method.tool, parts.tools.names)
            )
            continue
        spec = parts.tools.get(method.tool)
        if spec.verification is None:
            yield document.mistake(
                (*path, "tool"), f"{method.tool} verifies nobody.", "verification=read_verification in its declaration"
            )
        for argument in _unknown_arguments(spec, method.slots):
            yield document.mistake(
                (*path, "slots", argument),
                f"{method.tool} has no argument {argument}.",
                _near(argument, spec.arguments.model_fields),
            )
        for argument in _left_out(spec, method.slots):
            yield document.mistake((*path, "slots"), f"{method.tool} needs {argument}.", f"{argument}: its slot")
    if not parts.verification and any(journey.value.assurance > 0 for journey in parts.journeys):
        yield document.mistake(
            (), "Journeys need verified customers, and there is no way to verify one.", "verification:"
        )


def _utterances(parts: Parts) -> Iterator[Mistake]:
    first: dict[str, str] = {}
    for journey in parts.journeys:
        for index, utterance in enumerate(journey.value.utterances):
            plain = " ".join(re.sub(r"[^\w\s]", " ", utterance.casefold()).split())
            if plain in first:
                other = first[plain]
                where = "in this journey already" if other == journey.value.id else f"an example of {other} too"
                yield journey.document.mistake(("utterances", index), f"This utterance is {where}.", "another one")
            first.setdefault(plain, journey.value.id)


def _templates(parts: Parts) -> Iterator[Mistake]:
    templates = parts.voice.templates
    path: YamlPath = ("voice", "templates")
    for name in sorted(REQUIRED_TEMPLATES - set(templates)):
        yield parts.document.mistake(path, f"The template {name} is missing.", f"{name}: …")
    used = REQUIRED_TEMPLATES | OPTIONAL_TEMPLATES
    used |= {name for journey in parts.journeys for _, name in _templates_of(journey.value)}
    used |= {f"ask_identity_{slot}" for method in parts.verification for slot in method.slots.values()}
    used |= {f"result_{spec.returns}" for journey in parts.journeys for spec in _tools_of(parts, journey.value)}
    slots = {need.slot for journey in parts.journeys for need in journey.value.needs}
    slots |= {slot for method in parts.verification for slot in method.slots.values()}
    arguments = {name for spec in parts.tools for name in spec.arguments.model_fields}
    known = {spec.returns for spec in parts.tools} | slots | arguments | TEMPLATE_VALUES
    for name, text in templates.items():
        if name not in used:
            yield parts.document.mistake((*path, name), f"Nothing uses the template {name}.", _near(name, used))
        if "{" in _PLACEHOLDER.sub("", text) or "}" in _PLACEHOLDER.sub("", text):
            yield parts.document.mistake((*path, name), f"{name}: a brace has no partner.", "{order.total}")
        for shown in _PLACEHOLDER.findall(text):
            root = shown.partition(".")[0]
            if not _PATH.fullmatch(shown) or root not in known:
                yield parts.document.mistake(
                    (*path, name), f"{name}: nothing is known under {{{shown}}}.", _near(root, known)
                )


def _tools_of(parts: Parts, journey: Journey) -> Iterator[ToolSpec]:
    """The tools that an open journey names and that exist."""
    return (parts.tools.get(name) for name in journey.tools if journey.kind == "open" and name in parts.tools)


def _queues_of_policies(parts: Parts) -> Iterator[Mistake]:
    for located in parts.policies.located:
        if located.rule.id.startswith("baseline."):
            continue
        approval = getattr(located.rule, "approval", None)
        asked = {getattr(located.rule, "queue", "")}
        if approval is not None and "queue" in approval.model_fields_set:
            asked.add(approval.queue)
        for queue in sorted(asked - {""} - parts.queues):
            yield Mistake(
                located.file, located.line, f"{located.rule.id}: there is no queue {queue}.", _near(queue, parts.queues)
            )


def _templates_of(journey: Journey) -> Iterator[tuple[YamlPath, str]]:
    """Every template that a journey names, and where."""
    for index, need in enumerate(journey.needs):
        yield ("needs", index, "ask"), need.ask
        if need.ask_again:
            yield ("needs", index, "ask_again"), need.ask_again
    for index, step in enumerate(journey.steps):
        for field in TEMPLATES_OF_STEPS:
            if name := getattr(step, field):
                yield ("steps", index, field), name
        for code, name in step.refusals.items():
            yield ("steps", index, "refusals", code), name
    if journey.done:
        yield ("done",), journey.done
    for path, by_value in journey.done_by.items():
        for value, name in by_value.items():
            yield ("done_by", path, value), name


class _JourneyCheck:
    """Collects the mistakes of one journey."""

    def __init__(self, parts: Parts, parsed: Parsed[Journey]) -> None:
        self.parts = parts
        self.document = parsed.document
        self.journey = parsed.value
        self.mistakes: list[Mistake] = []
        self.slots = [need.slot for need in self.journey.needs]
        self.returns = {parts.tools.get(name).returns for name in self.journey.allowed_tools if name in parts.tools} | {
            spec.returns for spec in parts.tools if spec.verification is not None
        }

    def run(self) -> list[Mistake]:
        self._head()
        for index, need in enumerate(self.journey.needs):
            self._need(index, need)
        for index, step in enumerate(self.journey.steps):
            self._step(index, step)
        self._order()
        for path, name in _templates_of(self.journey):
            if name not in self.parts.voice.templates:
                self._wrong(path, f"There is no template {name}.", _near(name, self.parts.voice.templates))
        self._end()
        return self.mistakes

    def _wrong(self, path: YamlPath, message: str, suggestion: str = "") -> None:
        self.mistakes.append(self.document.mistake(path, message, suggestion))

    def _head(self) -> None:
        journey = self.journey
        name = self.document.file.rpartition("/")[2].removesuffix(".yaml")
        if journey.id != name:
            self._wrong(("id",), f"The journey {journey.id} stands in {name}.yaml.", f"id: {name}")
        if journey.queue not in self.parts.queues:
            self._wrong(("queue",), f"There is no queue {journey.queue}.", _near(journey.queue, self.parts.queues))
        if journey.kind == "steps" and not journey.steps:
            self._wrong((), "A journey of kind steps has steps.", "steps: [...], or another kind")
        if journey.kind == "open" and not journey.tools:
            self._wrong((), "An open journey says which tools it may use.", "tools: [...]")
        if journey.kind != "steps" and journey.steps:
            self._wrong(("steps",), f"A journey of kind {journey.kind} has no fixed steps.", "kind: steps")
        if journey.articles and journey.kind != "answer":
            self._wrong(("articles",), "Only a journey of kind answer answers from articles.", "kind: answer")
        for index, article in enumerate(journey.articles):
            if article not in self.parts.articles:
                self._wrong(("articles", index), f"There is no article {article}.", _near(article, self.parts.articles))
        if journey.kind == "answer" and not self.parts.articles:
            self._wrong(("kind",), "There is no knowledge to answer from.", "knowledge/*.md")
        for index, tool in enumerate(journey.tools):
            if tool not in self.parts.tools:
                self._wrong(("tools", index), f"There is no tool {tool}.", _near(tool, self.parts.tools.names))
            elif journey.kind == "open" and not self.parts.tools.get(tool).examples:
                self._wrong(("tools", index), f"{tool} has no examples to be chosen by.", "examples=(…) in tools.py")

    def _need(self, index: int, need: Need) -> None:
        path: YamlPath = ("needs", index)
        kinds = ENTITY_KINDS | self.parts.kinds
        if self.slots.index(need.slot) != index:
            self._wrong((*path, "slot"), f"The slot {need.slot} is declared twice.")
        if need.kind not in kinds:
            self._wrong((*path, "kind"), f"Nothing finds entities of kind {need.kind}.", _near(need.kind, kinds))
        if need.kind == "choice" and not need.options:
            self._wrong(path, f"The choice {need.slot} has no options.", "options: {value: [phrases]}")
        if need.choose is not None:
            self._evidence((*path, "choose", "source"), need.choose.source)

    def _step(self, index: int, step: Step) -> None:
        path: YamlPath = ("steps", index)
        does = [bool(step.tool), bool(step.check), step.owner == "person"]
        if sum(does) != 1:
            self._wrong(path, f"The step {step.id} has exactly one of: a tool, a check, a person as owner.", "tool: …")
        for field in ("needs", "unless"):
            for place, slot in enumerate(getattr(step, field)):
                if slot not in self.slots:
                    self._wrong((*path, field, place), f"The slot {slot} is not declared.", _near(slot, self.slots))
        if step.tool:
            self._tool(path, step)
        elif step.arguments:
            self._wrong((*path, "arguments"), f"The step {step.id} has no tool to give arguments to.", "inputs")
        if step.check:
            self._check(path, index, step)
        elif step.inputs:
            self._wrong((*path, "inputs"), f"The step {step.id} has no check to give inputs to.", "arguments")

    def _tool(self, path: YamlPath, step: Step) -> None:
        if step.tool not in self.parts.tools:
            self._wrong((*path, "tool"), f"There is no tool {step.tool}.", _near(step.tool, self.parts.tools.names))
            return
        spec = self.parts.tools.get(step.tool)
        for argument in _unknown_arguments(spec, step.arguments):
            self._wrong(
                (*path, "arguments", argument),
                f"{step.tool} has no argument {argument}.",
                _near(argument, spec.arguments.model_fields),
            )
        for argument in _left_out(spec, step.arguments):
            self._wrong((*path, "arguments"), f"{step.tool} needs {argument}.", f"{argument}: slot:{argument}")
        for argument, source in step.arguments.items():
            self._source((*path, "arguments", argument), source, facts=None)
        if spec.kind == "write" and spec.risk is not Risk.LOW and not step.confirm:
            self._wrong(
                path, f"{step.tool} changes something, and nothing asks the customer first.", "confirm: template"
            )
        if spec.kind == "read" and step.confirm:
            self._wrong((*path, "confirm"), f"{step.tool} only reads; there is nothing to confirm.")

    def _check(self, path: YamlPath, index: int, step: Step) -> None:
        tables = self.parts.policies.tables
        if step.check not in tables:
            self._wrong((*path, "check"), f"There is no decision table {step.check}.", _near(step.check, tables))
            return
        rule = tables[step.check].rule
        if "verdict" not in rule.outputs:
            self._wrong(
                (*path, "check"), f"The table {step.check} has no output verdict.", "outputs: {verdict: string}"
            )
        for name in step.inputs:
            if name not in rule.inputs:
                self._wrong(
                    (*path, "inputs", name), f"The table {step.check} has no input {name}.", _near(name, rule.inputs)
                )
        for name, column in rule.inputs.items():
            if name not in step.inputs and not column.optional:
                self._wrong((*path, "inputs"), f"The table {step.check} needs {name}.", f"{name}: fact:{name}")
        following = (later.tool for later in self.journey.steps[index + 1 :] if later.tool in self.parts.tools)
        writes = (self.parts.tools.get(tool) for tool in following)
        guarded = next((spec for spec in writes if spec.kind == "write"), None)
        facts = guarded.profile().fact_types if guarded else {}
        for name, source in step.inputs.items():
            self._source((*path, "inputs", name), source, facts=facts)

    def _source(self, path: YamlPath, source: str, *, facts: Mapping[str, str] | None) -> None:
        found = _SOURCE.fullmatch(source)
        if found is None or (found[1] == "fact" and facts is None):
            words = "slot:…, evidence:… or value:…" if facts is None else "slot:…, evidence:…, fact:… or value:…"
            self._wrong(path, f"{source} doesn't say where it comes from.", words)
        elif found[1] == "slot" and found[2] not in self.slots:
            self._wrong(path, f"The slot {found[2]} is not declared.", _near(found[2], self.slots))
        elif found[1] == "evidence":
            self._evidence(path, found[2])
        elif found[1] == "fact" and facts is not None and found[2] not in facts:
            self._wrong(path, f"The next writing step's tool has no fact {found[2]}.", _near(found[2], facts))

    def _evidence(self, path: YamlPath, source: str) -> None:
        root = source.partition(".")[0]
        if not _PATH.fullmatch(source) or root not in self.returns:
            self._wrong(path, f"No tool of this journey returns {root}.", _near(root, self.returns))

    def _order(self) -> None:
        steps = {step.id: step for step in self.journey.steps}
        for name, count in Counter(step.id for step in self.journey.steps).items():
            if count > 1:
                self._wrong(("steps",), f"Two steps are called {name}.")
        for index, step in enumerate(self.journey.steps):
            for place, before in enumerate(step.after):
                if before not in steps:
                    self._wrong(("steps", index, "after", place), f"There is no step {before}.", _near(before, steps))
            if step.id in _ancestors(step.id, steps):
                self._wrong(("steps", index, "after"), f"The step {step.id} waits for itself.", "an earlier step")

    def _end(self) -> None:
        journey = self.journey
        if journey.kind == "steps" and not journey.done and not journey.done_by:
            self._wrong((), "Nothing is said when the journey is complete.", "done: template")
        for path, by_value in journey.done_by.items():
            self._evidence(("done_by", path), path)
            if "*" not in by_value and not journey.done:
                self._wrong(("done_by", path), "Nothing is said for other values.", '"*": template')
        completion = journey.completion
        if completion is None:
            if journey.kind == "steps":
                self._wrong((), "The journey doesn't say how completion is verified.", "completion: {steps: [...]}")
            return
        known = [step.id for step in journey.steps]
        for index, name in enumerate(completion.steps):
            if name not in known:
                self._wrong(("completion", "steps", index), f"There is no step {name}.", _near(name, known))
        for root in _PATH_IN_CONDITION.findall(_QUOTED.sub("", completion.verify)):
            if root not in self.returns:
                self._wrong(
                    ("completion", "verify"), f"No tool of this journey returns {root}.", _near(root, self.returns)
                )


def _ancestors(step_id: str, steps: Mapping[str, Step]) -> set[str]:
    """The steps that must be done before one."""
    found: set[str] = set()
    ahead = list(steps[step_id].after)
    while ahead:
        name = ahead.pop()
        if name not in found and name in steps:
            found.add(name)
            ahead += steps[name].after
    return found


def _unknown_arguments(spec: ToolSpec, given: Mapping[str, Any]) -> list[str]:
    return [name for name in given if name not in spec.arguments.model_fields]


def _left_out(spec: ToolSpec, given: Mapping[str, Any]) -> list[str]:
    return [name for name, field in spec.arguments.model_fields.items() if field.is_required() and name not in given]


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    return closest(name, names) or (f"one of {', '.join(names)}" if names else "")
