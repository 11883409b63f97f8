"""YAML files read into plain data that remembers its lines, and checked against a model, every mistake reported.

Shared by everything that a playbook writes as YAML. Loading is total: any bytes give data or mistakes, never a crash.
Anchors are refused (a few lines of them can grow to gigabytes), and so are NaN and infinity (no comparison survives
them).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Generic, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from rapidfuzz import fuzz, process
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from policies.errors import Mistake, PlaybookMistakes
from policies.words import Json

PathStep: TypeAlias = str | int
YamlPath: TypeAlias = tuple[PathStep, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_BYTES = 2_000_000
MAX_DEPTH = 50
NO_MODEL: tuple[type[BaseModel], ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file as plain data."""

    file: str
    data: Json
    lines: dict[YamlPath, int]
    """Line of every node by its path, counted from 1."""

    def line_of(self, path: Sequence[PathStep]) -> int:
        """The line of the node at `path`, or of its nearest ancestor that exists."""
        steps = tuple(path)
        while steps and steps not in self.lines:
            steps = steps[:-1]
        return self.lines.get(steps, 1)

    def mistake(self, path: Sequence[PathStep], message: str, suggestion: str = "") -> Mistake:
        """A mistake at the line of `path`."""
        return Mistake(self.file, self.line_of(path), message, suggestion)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[ModelT]):
    """A document together with the model that it satisfied."""

    document: Document
    value: ModelT


def read_document(file: Path, name: str | None = None) -> Document:
    """Read one YAML file.

    Args:
        file: The file to read.
        name: What to call it in mistakes; the path as given if None.

    Raises:
        PlaybookMistakes: It can't be read or is not YAML as we take it.
    """
    shown = name or str(file)
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = f"The file can't be read ({error.strerror or type(error).__name__})."
        raise PlaybookMistakes([Mistake(shown, 1, reason)]) from error
    return read_bytes(content, shown)


def read_bytes(content: bytes, file: str) -> Document:
    """Read YAML from bytes; `file` is the name shown in mistakes.

    Raises:
        PlaybookMistakes: The bytes are not YAML as we take it.
    """
    if len(content) > MAX_BYTES:
        raise PlaybookMistakes([Mistake(file, 1, f"The file is larger than {MAX_BYTES} bytes. Split it.")])
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise PlaybookMistakes([Mistake(file, line, "The file is not UTF-8. Save it as UTF-8.")]) from error
    root = _compose(text, file)
    reader = _Reader(file)
    data = None if root is None else reader.plain(root, ())
    if reader.mistakes:
        raise PlaybookMistakes(reader.mistakes)
    return Document(file, data, reader.lines)


def parse(model: type[ModelT], document: Document) -> ModelT:
    """Check a document against a pydantic model that forbids extra keys.

    Raises:
        PlaybookMistakes: One mistake per thing that is wrong, each with line and, where one is close, what was meant.
    """
    if not isinstance(document.data, dict):
        found = "nothing" if document.data is None else f"a {_kind(document.data)}"
        raise PlaybookMistakes([document.mistake((), f"The file must hold keys with values, not {found}.")])
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise PlaybookMistakes([_explain(model, document, dict(each)) for each in error.errors()]) from error


def closest(name: str, known: Iterable[str]) -> str:
    """The known name that `name` was probably meant to be; empty if none is close."""
    match = process.extractOne(name, sorted(set(known)), scorer=fuzz.ratio, score_cutoff=70)
    return str(match[0]) if match else ""


def _compose(text: str, file: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    try:
        root: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        line = mark.line + 1 if mark else 1
        raise PlaybookMistakes([Mistake(file, line, f"This is not valid YAML: {problem}.")]) from error
    except RecursionError as error:
        raise PlaybookMistakes([Mistake(file, 1, "The YAML is nested too deeply.")]) from error
    except Exception as error:  # The parser is known to raise others than its own on odd bytes; loading must be total.
        raise PlaybookMistakes([Mistake(file, 1, f"This is not valid YAML ({type(error).__name__}).")]) from error
    return root


class _Reader:
    """Turns composed nodes into plain data and collects lines and mistakes."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[YamlPath, int] = {}
        self.mistakes: list[Mistake] = []
        self._seen: set[int] = set()

    def plain(self, node: Node, path: YamlPath) -> Json:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if node.anchor or id(node) in self._seen:
            return self._refused(line, "Anchors and aliases (& and *) are not supported.", "the value itself, twice")
        self._seen.add(id(node))
        if len(path) > MAX_DEPTH:
            return self._refused(line, "The YAML is nested too deeply.")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.plain(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, line)

    def _mapping(self, node: MappingNode, path: YamlPath) -> Json:
        data: dict[str, Json] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode) or key_node.anchor:
                self._wrong(line, "A key must be a plain word.")
                continue
            key = str(key_node.value)
            if not _is_text_key(key_node):
                self._wrong(line, f"The key {key} is not a text.", f'"{key}":')
            elif key in data:
                self._wrong(line, f"The key {key} is written twice here.")
            else:
                self.lines[(*path, key)] = line
                data[key] = self.plain(value_node, (*path, key))
        return data

    def _scalar(self, node: Node, line: int) -> Json:
        value, tag = str(node.value), str(node.tag)
        if tag == "tag:yaml.org,2002:null":
            return None
        if tag == "tag:yaml.org,2002:bool":
            return value.lower() == "true"
        try:
            if tag == "tag:yaml.org,2002:int":
                return (
                    int(value.replace("_", ""), 0)
                    if value[:1] == "0" and len(value) > 1 and not value.isdigit()
                    else int(value)
                )
            if tag == "tag:yaml.org,2002:float":
                number = float(value.replace("_", ""))
                if math.isfinite(number):
                    return number
                raise ValueError
        except ValueError:
            return self._refused(line, "This is not a number that can be used.", "a finite number, or quote it as text")
        if tag in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp"):
            return value
        return self._refused(line, f"The tag {tag} is not supported.", "plain YAML without tags")

    def _refused(self, line: int, message: str, suggestion: str = "") -> Json:
        self._wrong(line, message, suggestion)
        return None

    def _wrong(self, line: int, message: str, suggestion: str = "") -> None:
        self.mistakes.append(Mistake(self.file, line, message, suggestion))


def _is_text_key(node: ScalarNode) -> bool:
    return str(node.tag) in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp") and str(node.value) != "<<"


def _explain(model: type[BaseModel], document: Document, error: dict[str, Any]) -> Mistake:
    path = _real_path(document.data, error["loc"])
    where = ".".join(str(step) for step in path) or "The file"
    match error["type"]:
        case "extra_forbidden":
            known = _fields_at(model, path[:-1])
            close = closest(str(path[-1]), known)
            suggestion = close or (f"one of {', '.join(sorted(known))}" if known else "nothing here")
            return document.mistake(path, f"{where}: this key is not known.", suggestion)
        case "missing":
            missing = error["loc"][-1]
            return document.mistake(path, f"{where}: {missing} is missing.", f"{missing}: …")
        case "literal_error" | "enum":
            expected = str(error.get("ctx", {}).get("expected", ""))
            names = [name.strip("' ") for name in expected.replace(" or ", ", ").split(",")]
            close = closest(str(error["input"]), names)
            return document.mistake(path, f"{where}: this value is not known.", close or f"one of {', '.join(names)}")
        case "value_error":
            return document.mistake(path, f"{where}: {error['ctx']['error']}")
        case _:
            return document.mistake(path, f"{where}: {error['msg']}.")


def _real_path(data: Json, loc: Sequence[PathStep]) -> YamlPath:
    """The part of a pydantic location that exists in the data; union branches leave steps that don't."""
    path: list[PathStep] = []
    at: Any = data
    for step in loc:
        in_mapping = isinstance(at, dict) and step in at
        in_list = isinstance(at, list) and isinstance(step, int) and step < len(at)
        if in_mapping or in_list:
            at = at[step]
            path.append(step)
    return tuple(path)


def _fields_at(model: type[BaseModel], path: YamlPath) -> set[str]:
    """The keys that models allow at `path`."""
    models: tuple[type[BaseModel], ...] = (model,)
    for step in path:
        if isinstance(step, str):
            found = NO_MODEL
            for each in models:
                for name, info in each.model_fields.items():
                    if step in (name, info.alias):
                        found += _models_in(info.annotation)
            models = found or models
    return {info.alias or name for each in models for name, info in each.model_fields.items()}


def _models_in(annotation: Any) -> tuple[type[BaseModel], ...]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    if get_origin(annotation) in (list, tuple, dict, Union, UnionType) or get_args(annotation):
        return tuple(model for part in get_args(annotation) for model in _models_in(part))
    return NO_MODEL


def _kind(data: Json) -> str:
    return {list: "list", str: "text", bool: "yes or no", int: "number", float: "number"}.get(type(data), "value")
