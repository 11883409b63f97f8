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

from langgraph.checkpoint.base import BaseCheckpointSaver
from openai import AsyncOpenAI

from agents.checks import AnswerChecks
from agents.company import local_reasoner, sheets_of, specialists_of
from agents.local.sheets import Sheets
from agents.reasoners.base import Reasoner
from agents.reasoners.chat import ChatReasoner
from agents.reasoners.fallback import FallbackReasoner
from callboard.errors import SystemsMissing
from callboard.names import check_names
from callboard.settings import Settings
from graphs.checkpoints import Checkpoints
from graphs.context import Clock, House
from graphs.forgetting import Forgetting
from graphs.nodes.act import act_with
from graphs.playbook import Playbook, load_playbook
from graphs.policy_desk import PolicyDesk
from graphs.runner import Runner
from graphs.turn_graph import build_graph
from memory import snapshots
from memory.errors import CaseMemoryError, EmbedderMismatch
from memory.index import ChromaIndex, InMemoryIndex, VectorIndex
from memory.knowledge import passages_of
from memory.minilm import open_weights
from memory.retrieval import Retriever
from memory.sqlite_store import SqliteStore
from memory.store import Store, Unit
from memory.vectors import Embedder, HashingEmbedder
from policies.contents import PolicyContent, read_content
from policies.words import Json
from tools.gateway import Gateway
from tools.spec import BusinessSystem

logger = logging.getLogger("callboard.runtime")

ReasonerFactory = Callable[[Sheets, Reasoner], Reasoner]
"""Takes the playbook's sheets and its local reasoner; gives the reasoner that the specialists ask."""


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
        checkpoint: Callable[[str], None] = lambda _: None,
    ) -> AsyncIterator["Runtime"]:
        """Open everything and go on with what a crash or a shutdown left behind.

        Args:
            settings: Where the data is, which playbook, which model.
            clock: Gives the present moment, aware, UTC.
            new_id: Gives a fresh random id.
            reasoner: Puts another reasoner behind the specialists than the settings say: recorded, scripted.
            checkpoint: Called with the name of each boundary of an effect; the crash tests stop the process there.

        Raises:
            NamesTaken: Another distribution owns one of our import names.
            PlaybookMistakes: The playbook can't be loaded.
            DataDirectoryHeld: Another process works on the data directory.
            SystemsMissing: The playbook's systems of record aren't there.
            WeightsRefused: Weights were given that are not the published ones.
        """
        check_names()
        playbook = load_playbook(settings.playbook)
        async with AsyncExitStack() as stack:
            store = await SqliteStore.open(settings.data_dir, master_key=settings.master_key_bytes)
            stack.push_async_callback(store.close)
            content = read_content(settings.playbook)
            desk = PolicyDesk(playbook.name, playbook.tools.profiles(), playbook.policies, content.hash)
            adopts = settings.env == "development"
            as_filed = await store.write(lambda unit: _activate(unit, playbook, desk, content, clock(), adopts=adopts))
            if not as_filed:
                logger.warning("the policy files are not what is in force; bring them in with callboard policy draft")
            systems = await _open_systems(settings, playbook, clock())
            for system in systems.values():
                stack.push_async_callback(system.close)
            weights = await asyncio.to_thread(open_weights, settings.weights)
            retriever = await _open_retriever(settings.data_dir / "index", playbook, weights, stack)
            checkpoints = await stack.enter_async_context(Checkpoints.open(settings.data_dir / "checkpoints.db"))
            sheets = sheets_of(
                playbook.journeys, playbook.voice, methods=playbook.verification, tools=list(playbook.tools)
            )
            local = local_reasoner(sheets, playbook.entities, embedder=weights)
            chosen = reasoner(sheets, local) if reasoner else _choose_reasoner(settings, sheets, local, clock, stack)
            house = House(
                store=store,
                playbook=playbook,
                desk=desk,
                specialists=specialists_of(
                    sheets,
                    reasoner=chosen,
                    decide_table=lambda table, inputs: desk.latest.table(table).decide(inputs),
                ),
                retriever=retriever,
                systems=dict(systems),
                clock=clock,
            )
            runner = build_runner(house, saver=checkpoints.saver, new_id=new_id, checkpoint=checkpoint)
            stack.push_async_callback(runner.close)
            forgetting = Forgetting(
                house=house,
                runner=runner,
                stores={"checkpoints": checkpoints, "index": retriever},
                purge_within=timedelta(hours=settings.purge_within_h),
                new_id=new_id,
            )
            left = await runner.recover()
            if left:
                logger.info("going on with %d conversations that the last run left behind", left)
            yield cls(
                settings=settings,
                store=store,
                playbook=playbook,
                desk=desk,
                systems=systems,
                runner=runner,
                forgetting=forgetting,
                clock=clock,
                new_id=new_id,
            )

    async def find_unready(self) -> list[str]:
        """The parts that don't answer; empty when all is well."""
        try:
            active = await self.store.read(lambda unit: snapshots.active(unit, name=self.playbook.name))
        except CaseMemoryError:
            return ["the store"]
        return [] if active is not None and active.hash == self.playbook.hash else ["the playbook"]


def build_runner(
    house: House, *, saver: BaseCheckpointSaver[str], new_id: Callable[[], str], checkpoint: Callable[[str], None]
) -> Runner:
    """Wire the graph: the gateway behind its one door, the turn's state machine, the runner in front."""
    gateway = Gateway(
        registry=house.tools,
        systems=house.systems,
        clock=house.clock,
        owner=f"{os.getpid()}-{new_id()}",
        checkpoint=checkpoint,
    )
    return Runner(house=house, graph=build_graph(act_with(gateway), saver), new_id=new_id)


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
        # Built aside and moved into place, so that an interrupted start leaves nothing half-made behind.
        draft = directory.with_name(f"{directory.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        playbook.build_fixtures(draft, now=now)
        draft.rename(directory)
    return await playbook.open_systems(directory)


async def _open_retriever(
    directory: Path, playbook: Playbook, weights: Embedder | None, stack: AsyncExitStack
) -> Retriever:
    embedder = weights or HashingEmbedder()
    index = await _open_index(directory, embedder)
    stack.push_async_callback(index.close)
    # Vectors of meaning deserve more of the score than hashed spelling does.
    retriever = Retriever(embedder, index, vector_weight=0.7 if weights else 0.3)
    await retriever.sync([passage for article in playbook.articles for passage in passages_of(article)])
    return retriever


async def _open_index(directory: Path, embedder: Embedder) -> VectorIndex:
    """The index in its directory; made anew where it can't be used, for it is derived from the articles."""
    try:
        return await ChromaIndex.open(directory, embedder=embedder)
    except EmbedderMismatch:
        logger.warning("the vector index is of another embedder; it is rebuilt")
    except Exception as error:  # Chroma raises many kinds, from its own and from Rust.
        logger.warning("the vector index can't be opened (%s); it is rebuilt", type(error).__name__)
    shutil.rmtree(directory, ignore_errors=True)
    try:
        return await ChromaIndex.open(directory, embedder=embedder)
    except Exception as error:
        logger.warning("no vector index on disk (%s); it is kept in memory", type(error).__name__)
        return InMemoryIndex()


def _choose_reasoner(
    settings: Settings, sheets: Sheets, local: Reasoner, clock: Clock, stack: AsyncExitStack
) -> Reasoner:
    if not settings.key_of_model:
        return local
    client = AsyncOpenAI(api_key=settings.key_of_model, base_url=settings.openai_base_url)
    stack.push_async_callback(client.close)
    check = AnswerChecks(sheets)
    chat = ChatReasoner(client, model=settings.model, timeout_s=settings.model_timeout_s, check=check)
    return FallbackReasoner(chat, local, clock=clock, check=check)
