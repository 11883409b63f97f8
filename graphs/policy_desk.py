"""The policies in force: which version decides for a case at a moment, and which one decides beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from memory import policy_versions
from memory.policy_versions import Term
from memory.unit import Unit
from policies.contents import PolicyContent, content_from_json
from policies.engine import PolicyEngine
from policies.words import CaseId, ToolProfile


@dataclass(frozen=True, slots=True)
class Seats:
    """Who decides for one case at one moment."""

    in_force: PolicyEngine
    shadow: PolicyEngine | None
    """Decides beside it, and nothing follows from what it says."""
    shadow_hash: str = ""


class PolicyDesk:
    """Gives every decision its policies: activated contents by their hash, never files as they lie there."""

    def __init__(self, playbook: str, tools: dict[str, ToolProfile], own: PolicyEngine, own_hash: str) -> None:
        """Bind the desk.

        Args:
            playbook: Whose policies.
            tools: The tools that the rules speak of.
            own: The policies of the playbook's files, as they were read at start; compiled already.
            own_hash: The hash of their content.
        """
        self._playbook = playbook
        self._tools = tools
        self._engines = {own_hash: own}
        self._own_hash = own_hash
        self._latest = own

    @property
    def latest(self) -> PolicyEngine:
        """What was in force for all cases when last asked; for what belongs to no case."""
        return self._latest

    def open(self, unit: Unit, content: PolicyContent, *, adopts: bool, now: datetime) -> bool:
        """Take the desk: bring the files' content into force where nothing is yet, and prepare what is in force.

        Args:
            unit: The transaction.
            content: The files' content.
            adopts: Whether a content that nobody has seen before comes into force by itself, as while developing.
            now: The moment.

        Returns:
            Whether the files say what is in force, or will be.

        Raises:
            PlaybookMistakes: What is in force doesn't fit the tools any more.
        """
        known = policy_versions.find(unit, playbook=self._playbook, content_hash=content.hash)
        running = policy_versions.terms(unit, playbook=self._playbook)
        if not running or (adopts and known is None):
            policy_versions.adopt(
                unit, playbook=self._playbook, content_hash=content.hash, content=content.as_json(), now=now
            )
            running = policy_versions.terms(unit, playbook=self._playbook)
        for term in reachable(running, now):
            self.prepare(unit, term.hash, now=now)
        self._latest = self.seats(unit, case_id=None, now=now).in_force
        return any(term.hash == content.hash for term in running)

    def seats(self, unit: Unit, *, case_id: CaseId | None, now: datetime) -> Seats:
        """Who decides. A share of the cases goes by the case's id, so that one case stays with one version.

        Raises:
            PlaybookMistakes: A content doesn't fit the tools any more.
        """
        running = policy_versions.terms(unit, playbook=self._playbook)
        chosen = next((term for term in running if term.starts_at <= now and falls_into(term, case_id)), None)
        in_force = self.engine_of(unit, chosen.hash) if chosen else self._engines[self._own_hash]
        if case_id is None:
            self._latest = in_force
        shadow = policy_versions.in_shadow(unit, playbook=self._playbook)
        if shadow is None:
            return Seats(in_force, None)
        return Seats(in_force, self.engine_of(unit, shadow.hash), shadow.hash)

    def engine_of(self, unit: Unit, content_hash: str) -> PolicyEngine:
        """The compiled policies of a stored content.

        Raises:
            PlaybookMistakes: They don't fit the tools any more.
            RecordNotFound: There is no such content.
        """
        engine = self._engines.get(content_hash)
        if engine is None:
            version = policy_versions.get(unit, playbook=self._playbook, content_hash=content_hash)
            engine = PolicyEngine(content_from_json(version.content).load(self._tools))
            self._engines[content_hash] = engine
        return engine

    def compile(self, content: PolicyContent) -> PolicyEngine:
        """The policies of a content that is not stored.

        Raises:
            PlaybookMistakes: All that must be changed.
        """
        return self._engines.get(content.hash) or PolicyEngine(content.load(self._tools))

    def prepare(self, unit: Unit, content_hash: str, *, now: datetime) -> None:
        """Compile a content that comes into force, and note under which version its decisions are recorded.

        Raises:
            PlaybookMistakes: It doesn't fit the tools any more.
        """
        engine = self.engine_of(unit, content_hash)
        policy_versions.note_engine(
            unit, playbook=self._playbook, content_hash=content_hash, version=engine.version, now=now
        )


def falls_into(term: Term, case_id: CaseId | None) -> bool:
    """Whether a term is for this case. What belongs to no case goes by the version for all."""
    if term.share >= 100:
        return True
    if case_id is None:
        return False
    return int.from_bytes(sha256(f"{term.hash}:{case_id}".encode()).digest()[:4]) % 100 < term.share


def reachable(running: Sequence[Term], now: datetime) -> list[Term]:
    """The terms that may decide for some case now or later: none below the first that is in force for all."""
    found = []
    for term in running:
        found.append(term)
        if term.share >= 100 and term.starts_at <= now:
            break
    return found
