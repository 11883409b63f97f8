"""The process that forks the processes of `callboard eval chaos`: everything is imported and fitted once, here."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

from pydantic import SecretStr

from agents.reasoners.base import Reasoner
from callboard.runtime import Prepared, Runtime, prepare
from callboard.settings import Settings
from evals.chaos.books import at_a_distance
from evals.chaos.living import Clock, live
from evals.chaos.nursery import Bomb, Life, keep
from evals.chaos.places import TAKEOVER_S
from evals.chaos.wire import Wire
from memory.index import InMemoryIndex
from memory.knowledge import passages_of
from memory.retrieval import Retriever
from memory.vectors import HashingEmbedder

AHEAD = ("callboard.jobs", "callboard.notices", "memory.pgvector_index", "memory.postgres_store")
"""What a process reads only if it works on Postgres; here it is read for all of them."""


def main() -> None:
    """Warm up and fork on demand. The one argument is the playbook's folder."""
    directory = Path(sys.argv[1])
    for module in AHEAD:
        import_module(module)
    prepared = asyncio.run(_warm(directory))
    keep(partial(live, open_runtime=partial(_open, prepared)))


async def _warm(directory: Path) -> Prepared:
    prepared = prepare(directory, weights="none")
    # The vector index is derived from the articles and disposable; opening its files takes longer than a life.
    retriever = Retriever(HashingEmbedder(), InMemoryIndex())
    await retriever.sync([passage for article in prepared.playbook.articles for passage in passages_of(article)])
    return replace(prepared, retriever=retriever)


@asynccontextmanager
async def _open(
    prepared: Prepared,
    life: Life,
    *,
    wire: Wire,
    clock: Clock,
    checkpoint: Bomb,
    model: Callable[[Reasoner], Reasoner],
) -> AsyncIterator[Runtime]:
    data_dir = Path(life.data_dir)
    # The systems of record are elsewhere; a directory that is there keeps fixtures from being built.
    systems = data_dir / "systems"
    systems.mkdir(parents=True, exist_ok=True)
    playbook = at_a_distance(prepared.playbook, lambda: wire)
    settings = Settings(
        data_dir=data_dir,
        playbook=prepared.playbook.directory,
        systems_dir=systems,
        openai_api_key=None,
        database_url=SecretStr(life.database) if life.database else None,
        database_connections=4,
        takeover_s=TAKEOVER_S,
        timer_s=1.0,
    )
    async with Runtime.open(
        settings,
        clock=clock,
        reasoner=lambda _, local: model(local),
        checkpoint=checkpoint,
        prepared=replace(prepared, playbook=playbook),
        works="no" if life.role == "front" else "yes",
    ) as runtime:
        yield runtime


if __name__ == "__main__":
    main()
