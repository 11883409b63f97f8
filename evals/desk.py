"""A desk to try calls at: one playbook over records of its own, its policies asked, its tools called, nobody served."""

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from evals.conformance_rows import Call
from graphs.playbook import Playbook
from policies.engine import ARGUMENTS, UNKNOWN_TOOL
from policies.words import (
    ActionRequest,
    Assurance,
    AutonomyLevel,
    CaseId,
    CustomerId,
    Effect,
    HistoryEvent,
    Json,
    PastUse,
    RequestId,
    Situation,
)
from tools.errors import ToolArgumentsError, ToolError, UnknownTool
from tools.records import RECORDS, ShowsChanges, Tables
from tools.spec import BusinessSystem, ToolContext, ToolSpec

MOMENT = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""When calls are made whose row states no time."""
FACTS_TIMEOUT_S = 10.0
SPECIALIST = "workflow"
"""Who proposes the calls: the one that plans in a served conversation."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What policy says of one call."""

    effect: Effect
    rules: tuple[str, ...]
    """Ids of the rules that decided, sorted."""
    sources: tuple[str, ...]
    """The clauses that those rules come from."""
    reasons: tuple[str, ...]

    @property
    def is_stopped(self) -> bool:
        """Whether neither the AI alone nor a person's yes would let it run."""
        return self.effect not in {Effect.ALLOW, Effect.REQUIRE_APPROVAL}


class Records:
    """A playbook's systems of record in a directory of their own, as they were at the beginning as often as wanted.

    Args:
        playbook: Whose tools they are behind.
        directory: An empty one.
        records: A `db.json` to begin from: it lies in the directory before the playbook builds its fixtures there.
    """

    def __init__(self, playbook: Playbook, directory: Path, *, records: Path | None) -> None:
        self._playbook = playbook
        self._pristine = directory / "pristine"
        self._used = directory / "used"
        for each in (self._pristine, self._used):
            each.mkdir(parents=True)
        if records is not None:
            shutil.copyfile(records, self._pristine / RECORDS)
        playbook.build_fixtures(self._pristine, now=MOMENT)

    @property
    def verifying_tools(self) -> frozenset[str]:
        """The playbook's tools that find out who somebody is."""
        return frozenset(spec.name for spec in self._playbook.tools if spec.verification is not None)

    @asynccontextmanager
    async def open(self, now: datetime | None = None) -> AsyncIterator["Desk"]:
        """A desk over records as they were at the beginning, at a moment or at the usual one."""
        self._restore()
        systems = await self._playbook.open_systems(self._used)
        try:
            yield Desk(self._playbook, systems, now or MOMENT)
        finally:
            for system in systems.values():
                await system.close()

    def _restore(self) -> None:
        """Make the used files those of the beginning; what didn't change stays as it lies."""
        for file in [each for each in self._used.rglob("*") if each.is_file()]:
            if not (self._pristine / file.relative_to(self._used)).is_file():
                file.unlink()
        for file in [each for each in self._pristine.rglob("*") if each.is_file()]:
            used = self._used / file.relative_to(self._pristine)
            if not used.is_file() or _stamp(used) != _stamp(file):
                used.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, used)


@dataclass(slots=True)
class Desk:
    """One case in which calls are judged and made, in order."""

    playbook: Playbook
    systems: Mapping[str, BusinessSystem]
    now: datetime
    customer_id: CustomerId | None = None
    assurance: Assurance = Assurance.ANONYMOUS
    history: list[HistoryEvent] = field(default_factory=list)
    uses: dict[str, list[PastUse]] = field(default_factory=dict)
    """What counts against limits so far, by limit key."""

    def sign_in(self, customer_id: CustomerId | None) -> None:
        """Take somebody for authenticated as well as the playbook can; None for nobody."""
        best = max((method.assurance for method in self.playbook.verification), default=Assurance.VERIFIED)
        self.customer_id = customer_id
        self.assurance = Assurance.ANONYMOUS if customer_id is None else best

    def is_write(self, call: Call) -> bool:
        """Whether it would change records: as its row says, else as the tool is declared; an unknown tool would."""
        if call.writes is not None:
            return call.writes
        return call.tool not in self.playbook.tools or self.playbook.tools.get(call.tool).kind == "write"

    def verifies(self, call: Call) -> bool:
        """Whether it finds out who somebody is."""
        return call.tool in self.playbook.tools and self.playbook.tools.get(call.tool).verification is not None

    async def owner_of(self, call: Call) -> CustomerId | None:
        """The customer whose record a call names, by the fact that all playbooks call the same."""
        try:
            arguments = self.playbook.tools.validate(call.tool, call.arguments)
        except ToolError:
            return None
        read = await self.playbook.tools.read_facts(
            call.tool, arguments, self._context(call), timeout_s=FACTS_TIMEOUT_S
        )
        owner = read.facts.get("owner.customer_id")
        return CustomerId(str(owner.value)) if owner and owner.value else None

    async def judge(self, call: Call, *, confirmed: bool) -> Judgement:
        """Ask policy, at the autonomous level, about facts read from the records just now.

        Args:
            call: As somebody proposes it.
            confirmed: Whether the customer said yes to it.
        """
        try:
            arguments = self.playbook.tools.validate(call.tool, call.arguments)
        except UnknownTool as error:
            return Judgement(Effect.DENY, (UNKNOWN_TOOL,), (), (str(error),))
        except ToolArgumentsError as error:
            return Judgement(Effect.DENY, (ARGUMENTS,), (), (str(error),))
        if confirmed:
            self.history.append(HistoryEvent("confirmation", call.tool, arguments, at=self.now))
        request, situation = self._request(call.tool, arguments), self._situation()
        read = await self.playbook.tools.read_facts(
            call.tool, arguments, self._context(call), timeout_s=FACTS_TIMEOUT_S
        )
        engine = self.playbook.policies
        keys = engine.limits_for(request, read.facts, situation)
        uses = {key.key: tuple(self.uses.get(key.key, ())) for key in keys}
        decision = engine.decide(request, read.facts, replace(situation, uses=uses))
        return Judgement(
            effect=decision.effect,
            rules=decision.rules,
            sources=tuple(verdict.source for verdict in decision.verdicts),
            reasons=tuple(verdict.sentence for verdict in decision.verdicts),
        )

    async def make(self, call: Call) -> bool:
        """Make the call, whatever policy says of it; whether it worked."""
        tools = self.playbook.tools
        try:
            arguments = tools.validate(call.tool, call.arguments)
            spec = tools.get(call.tool)
        except ToolError:
            return False
        try:
            result = await spec.call(tools.model_of(call.tool, arguments), self._context(call))
        except (
            Exception
        ):  # Whatever a tool raises, the call didn't work, and the rows after it are measured all the same.
            self.history.append(HistoryEvent("call", call.tool, arguments, ok=False, at=self.now))
            return False
        self._count(spec, arguments)
        self.history.append(HistoryEvent("call", call.tool, arguments, at=self.now, result=result.value))
        if spec.verification is not None and (found := spec.verification(result.value)) is not None:
            self.customer_id, self.assurance = found.customer_id, Assurance(found.assurance)
        return True

    def changed_records(self) -> Tables | None:
        """What has become different in all systems together; None if none of them can say."""
        showing = [system for system in self.systems.values() if isinstance(system, ShowsChanges)]
        changed: Tables = {}
        for system in showing:
            for table, records in system.changed_records().items():
                changed.setdefault(table, {}).update(records)
        return changed if showing else None

    def _count(self, spec: ToolSpec, arguments: Mapping[str, Json]) -> None:
        """Note what an effect used of the limits that count it."""
        amount, currency = arguments.get(spec.amount_argument), arguments.get(spec.currency_argument)
        use = PastUse(self.now, amount if isinstance(amount, int) else 0, str(currency or ""))
        request = self._request(spec.name, arguments)
        for key in self.playbook.policies.limits_for(request, {}, self._situation()):
            self.uses.setdefault(key.key, []).append(use)

    def _request(self, tool: str, arguments: Mapping[str, Json]) -> ActionRequest:
        return ActionRequest(RequestId(f"request-{len(self.history)}"), tool, arguments, SPECIALIST)

    def _situation(self) -> Situation:
        return Situation(
            now=self.now,
            customer_id=self.customer_id,
            assurance=self.assurance,
            level=AutonomyLevel.AUTONOMOUS,
            case_id=CaseId("conformance"),
            history=tuple(self.history),
        )

    def _context(self, call: Call) -> ToolContext:
        return ToolContext(
            systems=self.systems,
            customer_id=self.customer_id,
            idempotency_key=f"{len(self.history)}-{call.tool}",
            now=self.now,
        )


def _stamp(file: Path) -> tuple[int, int]:
    """Size and time of the last change."""
    found = file.stat()
    return found.st_size, found.st_mtime_ns
