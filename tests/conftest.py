"""What holds for every test: no network but loopback, nothing from the developer's environment."""

import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import databases
import pytest
from databases import NewDatabase

LOOPBACK = ("127.", "::1", "localhost")
LEAKING = ("CALLBOARD_", "OPENAI_")


class NetworkBlocked(RuntimeError):
    """A test tried to leave the machine. Serve what it needs on 127.0.0.1."""


def _is_local(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # A Unix socket's path.
    return str(address[0]).startswith(LOOPBACK) or address[0] == ""


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: object) -> None:
        if not _is_local(address):
            raise NetworkBlocked(f"connect to {address!r}. Tests may only use loopback.")
        connect(self, address)  # type: ignore[arg-type]  # passed through as it came

    def guarded_connect_ex(self: socket.socket, address: object) -> int:
        if not _is_local(address):
            raise NetworkBlocked(f"connect to {address!r}. Tests may only use loopback.")
        return connect_ex(self, address)  # type: ignore[arg-type]  # passed through as it came

    def guarded_getaddrinfo(host: object, *args: object, **options: object) -> object:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not str(name).startswith(LOOPBACK) and name != "":
            raise NetworkBlocked(f"look up {name!r}. Tests may only use loopback.")
        return getaddrinfo(host, *args, **options)  # type: ignore[arg-type]  # passed through as it came

    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(LEAKING):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server, shared by the processes of a run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    # Not inside of it: another run takes from pytest's own folder the rights that the server's user needs to get in.
    name = hashlib.sha256(str(shared).encode()).hexdigest()[:12]
    with databases.server(Path(tempfile.gettempdir()) / f"callboard-postgres-{name}") as url:
        yield url


@pytest.fixture(scope="session")
def _own_database(postgres_server: str) -> Iterator[str]:
    with databases.database(postgres_server) as url:
        yield url


@pytest.fixture
def postgres(_own_database: str) -> str:
    """A database with our schema and nothing in it."""
    databases.empty(_own_database)
    return _own_database


@pytest.fixture
def new_database(postgres_server: str) -> Iterator[NewDatabase]:
    """Makes databases without a schema."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(databases.database(postgres_server, upgraded=False))
