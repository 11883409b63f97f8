"""A playbook: one business as a folder, read whole or not at all."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agents.journeys import Journey, VerificationMethod, Voice
from agents.local.entities import EntityPatterns
from graphs.playbook_checks import Parts, cross_check
from graphs.playbook_code import PlaybookCode, load_code
from memory.knowledge import Article, Passage, passages_of, read_article
from policies.documents import Parsed, parse, read_document
from policies.engine import PolicyEngine, load_policies
from policies.errors import Mistake, PlaybookMistakes
from policies.words import AutonomyLevel, Json
from tools.errors import ToolSpecError
from tools.registry import Registry
from tools.spec import BusinessSystem

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(
            "there is no such time zone. Write: Europe/Berlin, or another name of the tz database"
        ) from error
    return name


class _Sheet(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Autonomy(_Sheet):
    """How far the AI acts alone."""

    default: AutonomyLevel = AutonomyLevel.SUPERVISED
    journeys: dict[str, AutonomyLevel] = Field(default_factory=dict)
    """By journey id, where it differs from the default."""


class Models(_Sheet):
    """Which chat model each specialist asks, by the endpoint's names; where nothing is said, the settings' one."""

    default: str = ""
    intent: str = ""
    workflow: str = ""
    drafting: str = ""


class PlaybookFile(_Sheet):
    """`playbook.yaml`."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    title: str
    version: str
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    """ISO 4217; what amounts are in where nothing else is said."""
    time_zone: Annotated[str, AfterValidator(_time_zone)]
    locale: str
    autonomy: Autonomy = Autonomy()
    verification: list[VerificationMethod] = Field(default_factory=list)
    """Ways to find out who is writing, the preferred one first."""
    entities: EntityPatterns = EntityPatterns()
    """How this business writes the things that customers name."""
    queues: Annotated[dict[str, str], Field(min_length=1)]
    """Where people take over: id → what for."""
    voice: Voice
    models: Models = Models()
    parameters: dict[str, Json] = Field(default_factory=dict)
    """Parameters of policies that no policy file sets."""


@dataclass(frozen=True, slots=True)
class Playbook:
    """One business, ready to run."""

    directory: Path
    sheet: PlaybookFile
    journeys: Mapping[str, Journey]
    """By id, sorted."""
    tools: Registry
    policies: PolicyEngine
    articles: tuple[Article, ...]
    """All of them, approved or not."""
    code: PlaybookCode
    hash: str
    """SHA-256 over names and content of all its files."""

    @property
    def name(self) -> str:
        return self.sheet.name

    @property
    def title(self) -> str:
        return self.sheet.title

    @property
    def voice(self) -> Voice:
        return self.sheet.voice

    @property
    def verification(self) -> tuple[VerificationMethod, ...]:
        return tuple(self.sheet.verification)

    @property
    def verification_tools(self) -> frozenset[str]:
        """The tools that may raise assurance; every journey may use them."""
        return frozenset(method.tool for method in self.sheet.verification)

    @property
    def entities(self) -> EntityPatterns:
        return self.sheet.entities

    @property
    def queues(self) -> Mapping[str, str]:
        return self.sheet.queues

    @property
    def default_queue(self) -> str:
        """Where an escalation goes that no journey or rule sends elsewhere: the first one."""
        return next(iter(self.sheet.queues))

    @property
    def returns(self) -> dict[str, str]:
        """Tool → the name under which its result stands in evidence."""
        return {spec.name: spec.returns for spec in self.tools}

    def level_of(self, journey: str | None) -> AutonomyLevel:
        """How far the AI acts alone in a journey; the default where none is in hand."""
        return self.sheet.autonomy.journeys.get(journey or "", self.sheet.autonomy.default)

    def passages_at(self, now: datetime) -> list[Passage]:
        """What may be said from approved articles that are valid on this day, by the business's own calendar."""
        today = now.astimezone(ZoneInfo(self.sheet.time_zone)).date()
        return [
            passage
            for article in self.articles
            if article.front.state == "approved"
            and (article.front.valid_from is None or article.front.valid_from <= today)
            and (article.front.valid_until is None or today <= article.front.valid_until)
            for passage in passages_of(article)
        ]

    @property
    def open_systems(self) -> Callable[[Path], Awaitable[dict[str, BusinessSystem]]]:
        """Opens the systems of record behind the tools; their files lie in the given directory."""
        return self.code.open_systems

    def build_fixtures(self, directory: Path, *, now: datetime) -> None:
        """Write the systems of record as of `now`, for demonstrations and tests, into a directory."""
        self.code.build_fixtures(directory, now=now)


def load_playbook(directory: Path) -> Playbook:
    """Read a playbook, whole or not at all.

    Its `tools.py` is run: load only playbooks whose code you trust.

    Raises:
        PlaybookMistakes: Everything that must be changed in any of its files, each with file, line and what to write.
    """
    directory = directory.resolve()
    mistakes: list[Mistake] = []

    def attempt(work: Callable[[], T]) -> T | None:
        try:
            return work()
        except PlaybookMistakes as error:
            mistakes.extend(error.mistakes)
            return None

    if not (directory / "playbook.yaml").is_file():
        raise PlaybookMistakes([Mistake("playbook.yaml", 1, "There is no such file; this folder is no playbook.")])
    content = hash_of(directory)
    sheet = attempt(lambda: _read(PlaybookFile, directory, directory / "playbook.yaml"))
    code = attempt(lambda: load_code(directory, content))
    tools = attempt(lambda: _registry(code)) if code else None
    journeys = [
        journey
        for file in sorted((directory / "journeys").glob("*.yaml"))
        if (journey := attempt(lambda file=file: _read(Journey, directory, file)))  # type: ignore[misc]  # bound at once
    ]
    articles = [
        article
        for file in sorted((directory / "knowledge").glob("*.md"))
        if (article := attempt(lambda file=file: read_article(file, _name(directory, file))))  # type: ignore[misc]  # same
    ]
    policies = None
    if tools is not None:
        files = sorted((directory / "policies").glob("*.yaml"))
        parameters = sheet.value.parameters if sheet else {}
        policies = attempt(lambda: load_policies(files, tools.profiles(), parameters, root=directory))
    if sheet is not None and tools is not None and policies is not None:
        mistakes += cross_check(
            Parts(
                document=sheet.document,
                voice=sheet.value.voice,
                verification=sheet.value.verification,
                kinds=frozenset(sheet.value.entities.patterns),
                queues=frozenset(sheet.value.queues),
                levels=sheet.value.autonomy.journeys,
                journeys=journeys,
                tools=tools,
                policies=policies,
                articles=frozenset(article.front.id for article in articles),
            )
        )
    if mistakes or sheet is None or code is None or tools is None or policies is None:
        raise PlaybookMistakes(mistakes)
    return Playbook(
        directory=directory,
        sheet=sheet.value,
        journeys={journey.value.id: journey.value for journey in sorted(journeys, key=lambda each: each.value.id)},
        tools=tools,
        policies=PolicyEngine(policies),
        articles=tuple(articles),
        code=code,
        hash=content,
    )


def hash_of(directory: Path) -> str:
    """SHA-256 over the names and contents of a playbook's files, without databases, caches and hidden files."""
    digest = hashlib.sha256()
    for file in sorted(directory.rglob("*")):
        parts = file.relative_to(directory).parts
        if not file.is_file() or file.suffix in {".db", ".pyc"} or any(part[0] in "._" for part in parts[:-1]):
            continue
        if parts[-1].startswith("."):
            continue
        content = file.read_bytes()
        digest.update(f"{'/'.join(parts)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _read(model: type[ModelT], directory: Path, file: Path) -> Parsed[ModelT]:
    document = read_document(file, _name(directory, file))
    return Parsed(document, parse(model, document))


def _registry(code: PlaybookCode) -> Registry:
    try:
        return Registry(code.tools)
    except ToolSpecError as error:
        raise PlaybookMistakes(
            [Mistake("tools.py", code.line_of(line), line) for line in str(error).splitlines()]
        ) from error


def _name(directory: Path, file: Path) -> str:
    return file.relative_to(directory).as_posix()
