"""Where a round's records are: the seam between the harness and the backend that is put to the test."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from evals.errors import BackendMissing


class Place(Protocol):
    """The records of one round."""

    @property
    def url(self) -> str:
        """Of the database; empty for the data directory's own."""

    def engine(self) -> AbstractContextManager[Engine]:
        """The database, to read bare rows from when all processes have ended."""


class Places(Protocol):
    """Gives each round its records."""

    backend: str

    def opened(self, scratch: Path) -> AbstractAsyncContextManager[None]:
        """Have what all rounds share, while it lasts."""

    def place(self, directory: Path) -> Place:
        """The records of a round whose files lie in this directory."""


@dataclass(frozen=True, slots=True)
class SqlitePlace:
    """A data directory."""

    directory: Path
    url: str = ""

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Read only, past the store."""
        engine = create_engine(f"sqlite:///{self.directory / 'data' / 'callboard.db'}", poolclass=NullPool)
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

    def place(self, directory: Path) -> SqlitePlace:
        """A data directory in the round's own."""
        return SqlitePlace(directory)


def places_of(backend: Literal["sqlite", "postgres"]) -> Places:
    """The backend of this name."""
    if backend == "postgres":
        raise BackendMissing(backend)
    return SqlitePlaces()
