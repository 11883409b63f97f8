"""The composition root: opens every part that a running Callboard needs, in order, and closes them in reverse."""

import asyncio
import logging
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

from agents.company import local_reasoner, sheets_of, specialists_of
from agents.local.sheets import Sheets
from agents.reasoners.base import AnswerCheck, Reasoner
from callboard.backends import Backend, open_embedded, open_postgres
from callboard.errors import SystemsMissing
from callboard.models import open_reasoner, spending_of
from callboard.names import check_names
from callboard.settings import Settings
from graphs.context import Clock, House
from graphs.forgetting import Forgetting
from graphs.nodes.act import act_with
from graphs.playbook import Playbook, load_playbook
from graphs.policy_desk import PolicyDesk
from graphs.runner import Runner
from graphs.turn_graph import build_graph
from memory import audit, snapshots
from memory.boundaries import Checkpoint, unwatched
from memory.errors import CaseMemoryError
from memory.inbox import Intake
from memory.knowledge import passages_of
from memory.minilm import open_weights
from memory.retrieval import HASHED_WEIGHT, Retriever
from memory.store import Store, Unit
from memory.vectors import Embedder, HashingEmbedder
from policies.contents import PolicyContent, read_content
from policies.words import Json
from tools.circuits import Circuits, circuits_of_systems
from tools.gateway import Gateway
from tools.spec import BusinessSystem

logger = logging.getLogger("callboard.runtime")

ReasonerFactory = Callable[[Sheets, Reasoner], Reasoner]
"""Takes the playbook's sheets and its local reasoner; gives the reasoner that the specialists ask."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What depends on a playbook's files alone: made once, several openings may share it."""

    playbook: Playbook
    content: PolicyContent
    sheets: Sheets
    local: Reasoner
    weights: Embedder | None = None
    """The sentence model, if there is one."""
    retriever: Retriever | None = None
    """One that holds the playbook's articles already; None opens the data directory's own."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A running Callboard: what the HTTP door, the command line and the evals work on."""

    settings: Settings
    store: Store
    playbook: Playbook
    desk: PolicyDesk
    """Says which policies are in force."""
    systems: Mapping[str, BusinessSystem]
    runner: Runner
    circuits: Circuits
    """Knows which business systems keep failing."""
    forgetting: Forgetting
    """Erases people."""
    clock: Clock
    """Gives the present moment, aware, UTC."""
    new_id: Callable[[], str]
    """Gives a fresh random id."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        *,
        clock: Clock = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        reasoner: ReasonerFactory | None = None,
        check: AnswerCheck | None = None,
        checkpoint: Checkpoint = unwatched,
        prepared: "Prepared | None" = None,
        works: Literal["yes", "no", "alone"] = "yes",
    ) -> AsyncIterator["Runtime"]:
        """Open everything and go on with what a crash or a shutdown left behind.

        Args:
            settings: Where the data is, which playbook, which model.
            clock: Gives the present moment, aware, UTC.
            new_id: Gives a fresh random id.
            reasoner: Puts another reasoner behind the specialists than the settings say: recorded, scripted.
            check: What specialists' answers must stand up to, in place of `AnswerChecks`: a hostile run goes without.
            checkpoint: Told the name of each boundary that is passed; proofs stop the process there.
            prepared: What was made of the playbook before, by this process or the one it was forked from.
            works: On Postgres: whether to run turns and do the clock's work, or to leave them to others; "alone": to
                work only if nobody else does at the moment.

        Raises:
            NamesTaken: Another distribution owns one of our import names.
            PlaybookMistakes: The playbook can't be loaded.
            DataDirectoryHeld: Another process works on the data directory.
            SchemaBehind: The Postgres database must be upgraded first.
            SystemsMissing: The playbook's systems of record aren't there.
            SettingsInvalid: The models can't be set up as the settings say.
            WeightsRefused: Weights were given that are not the published ones.
        """
        if prepared is None:
            made: Prepared = await asyncio.to_thread(prepare, settings.playbook, weights=settings.weights)
            prepared = made
        playbook, content = prepared.playbook, prepared.content
        async with AsyncExitStack() as stack:
            backend = await (open_postgres if settings.postgres_url else open_embedded)(settings, stack)
            store = backend.store
            desk = PolicyDesk(playbook.name, playbook.tools.profiles(), playbook.policies, content.hash)
            adopts = settings.env == "development"
            as_filed = await store.write(lambda unit: _activate(unit, playbook, desk, content, clock(), adopts=adopts))
            if not as_filed:
                logger.warning("the policy files are not what is in force; bring them in with callboard policy draft")
            systems = await _open_systems(settings, playbook, clock())
            for system in systems.values():
                stack.push_async_callback(system.close)
            retriever = prepared.retriever or await _open_retriever(backend, playbook, prepared.weights, stack)
            sheets, local = prepared.sheets, prepared.local
            if reasoner is not None:
                chosen = reasoner(sheets, local)
            else:
                chosen = await open_reasoner(settings, playbook.sheet.models, sheets, local, clock=clock, stack=stack)
            house = House(
                store=store,
                playbook=playbook,
                desk=desk,
                specialists=specialists_of(
                    sheets,
                    reasoner=chosen,
                    decide_table=lambda table, inputs: desk.latest.table(table).decide(inputs),
                    check=check,
                ),
                retriever=retriever,
                systems=dict(systems),
                clock=clock,
                spending=spending_of(settings),
                circuits=circuits_of_systems(),
                checkpoint=checkpoint,
            )
            runner = build_runner(
                house,
                backend=backend,
                new_id=new_id,
                intake=Intake(per_conversation=settings.max_waiting_per_conversation, total=settings.max_waiting),
                most_turns=settings.max_turns,
            )
            stack.push_async_callback(runner.close)
            forgetting = Forgetting(
                house=house,
                runner=runner,
                stores={"checkpoints": backend.checkpoints, "index": retriever},
                purge_within=timedelta(hours=settings.purge_within_h),
                new_id=new_id,
            )
            runtime = cls(
                settings=settings,
                store=store,
                playbook=playbook,
                desk=desk,
                systems=systems,
                runner=runner,
                circuits=house.circuits,
                forgetting=forgetting,
                clock=clock,
                new_id=new_id,
            )
            if backend.queue is None:
                left = await runner.recover()
                if left:
                    logger.info("going on with %d conversations that the last run left behind", left)
            elif works == "yes" or (works == "alone" and not await backend.queue.count_workers()):
                await backend.queue.work(runtime.tick)
            yield runtime

    async def tick(self) -> None:
        """Do what time alone brings about: approvals expire, systems are asked again, people are purged, audit chains
        are anchored."""
        due = await self.runner.tick()
        if due.expired or due.warned or due.followed_up:
            told = "%d approvals expired, %d will soon, %d calls asked about"
            logger.info(told, due.expired, due.warned, due.followed_up)
        purged = await self.forgetting.purge_due()
        if purged:
            logger.info("%d erasures purged", len(purged))
        await self.anchor()

    async def anchor(self) -> None:
        """Anchor the audit chains that moved."""
        now = self.clock()
        await self.store.write(lambda unit: audit.anchor(unit, now=now))

    async def find_unready(self) -> list[str]:
        """The parts that don't answer; empty when all is well."""
        try:
            active = await self.store.read(lambda unit: snapshots.active(unit, name=self.playbook.name))
        except CaseMemoryError:
            return ["the store"]
        return [] if active is not None and active.hash == self.playbook.hash else ["the playbook"]


def prepare(directory: Path, *, weights: str) -> Prepared:
    """Load a playbook and fit what is fitted to it.

    Args:
        directory: The playbook's folder.
        weights: The sentence model's, as settings name them.

    Raises:
        NamesTaken: Another distribution owns one of our import names.
        PlaybookMistakes: The playbook can't be loaded.
        WeightsRefused: Weights were given that are not the published ones.
    """
    check_names()
    playbook = load_playbook(directory)
    embedder = open_weights(weights)
    sheets = sheets_of(playbook.journeys, playbook.voice, methods=playbook.verification, tools=list(playbook.tools))
    return Prepared(
        playbook=playbook,
        content=read_content(directory),
        sheets=sheets,
        local=local_reasoner(sheets, playbook.entities, embedder=embedder),
        weights=embedder,
    )


def build_runner(
    house: House,
    *,
    backend: Backend,
    new_id: Callable[[], str],
    intake: Intake | None = None,
    most_turns: int | None = None,
) -> Runner:
    """Wire the graph: the gateway behind its one door, the turn's state machine, the runner in front."""
    gateway = Gateway(
        registry=house.tools,
        systems=house.systems,
        clock=house.clock,
        owner=f"{os.getpid()}-{new_id()}",
        checkpoint=house.checkpoint,
        circuits=house.circuits,
    )
    return Runner(
        house=house,
        graph=build_graph(act_with(gateway), backend.checkpoints.saver),
        new_id=new_id,
        open_lanes=backend.open_lanes,
        relay=backend.relay,
        wait_s=backend.wait_s,
        intake=intake,
        most_turns=most_turns,
    )


def _activate(
    unit: Unit, playbook: Playbook, desk: PolicyDesk, content: PolicyContent, now: datetime, *, adopts: bool
) -> bool:
    """Bring the playbook into force, and its policies where nothing is yet; whether its policy files are in force."""
    manifest: dict[str, Json] = {
        "title": playbook.title,
        "version": playbook.sheet.version,
        "policy": playbook.policies.version,
        "journeys": [*sorted(playbook.journeys)],
    }
    snapshots.save(unit, hash=playbook.hash, name=playbook.name, content=manifest, now=now)
    snapshots.activate(unit, hash=playbook.hash, now=now)
    return desk.open(unit, content, adopts=adopts, now=now)


async def _open_systems(settings: Settings, playbook: Playbook, now: datetime) -> dict[str, BusinessSystem]:
    directory = settings.systems_directory
    if not directory.exists():
        if settings.env != "development":
            raise SystemsMissing(
                f"The systems of record of {playbook.title} should be in {directory}, and there is nothing. "
                "Set CALLBOARD_SYSTEMS_DIR to where they are."
            )
        _build_systems(directory, playbook, now)
    return await playbook.open_systems(directory)


def _build_systems(directory: Path, playbook: Playbook, now: datetime) -> None:
    """Build the demo data aside and move it into place: an interrupted start leaves nothing half-made behind, and of
    two processes that start at once one builds it for both."""
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=f"{directory.name}.new-", dir=directory.parent))
    try:
        playbook.build_fixtures(draft, now=now)
        draft.rename(directory)
    except OSError:
        if not directory.exists():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


async def _open_retriever(
    backend: Backend, playbook: Playbook, weights: Embedder | None, stack: AsyncExitStack
) -> Retriever:
    embedder = weights or HashingEmbedder()
    index = await backend.open_index(embedder)
    stack.push_async_callback(index.close)
    # Vectors of meaning deserve more of the score than hashed spelling does.
    retriever = Retriever(embedder, index, vector_weight=0.7 if weights else HASHED_WEIGHT)
    await retriever.sync([passage for article in playbook.articles for passage in passages_of(article)])
    return retriever
