"""Serving: the HTTP door on a socket, the timer behind it, and a clean end on a signal."""

import asyncio
import contextlib
import logging
import secrets
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from callboard.api.access import Role
from callboard.api.app import create_app
from callboard.errors import CallboardError, SettingsInvalid, UnsafeStart
from callboard.keys import make_demo_keys, refuse_demo_keys
from callboard.logs import configure_logging
from callboard.operator import authenticator, lend_operator_key
from callboard.runtime import Runtime
from callboard.settings import Settings

logger = logging.getLogger("callboard.serve")

Announce = Callable[[str, dict[Role, str]], None]
"""Told the server's URL and its demo keys once it accepts connections."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to us: uvicorn raises them again when it has stopped, which would end the process before the
        store is closed."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.announce()

    announce: Callable[[], None] = staticmethod(lambda: None)


async def serve(settings: Settings, *, demo: bool, announce: Announce) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: Where to listen, and everything the runtime needs.
        demo: Make demo keys; in development only.
        announce: Told when it is open.

    Raises:
        UnsafeStart: Demo keys outside development.
        CallboardError: The port is taken; or as `Runtime.open`.
    """
    configure_logging(settings.log_level)
    if demo and settings.env != "development":
        raise UnsafeStart("Demo keys are for development only. Start without --demo, or set CALLBOARD_ENV=development.")
    with _listen(settings) as sock:
        async with Runtime.open(settings, works="yes" if settings.worker else "no") as runtime:
            keys = await _prepare_keys(runtime, demo=demo)
            with _operator_key(settings) as operator_key:
                app = create_app(runtime, authenticate=authenticator(runtime.store, operator_key=operator_key))
                url = f"http://{_host_of(sock)}:{sock.getsockname()[1]}"
                runtime.store.announce(url)
                config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
                server = _Server(config)
                server.announce = lambda: announce(url, keys)
                await _run(server, sock, runtime)
            await runtime.anchor()


async def _prepare_keys(runtime: Runtime, *, demo: bool) -> dict[Role, str]:
    if runtime.settings.env != "development":
        await runtime.store.read(refuse_demo_keys)
        return {}
    if not demo:
        return {}
    now = runtime.clock()
    return await runtime.store.write(lambda unit: make_demo_keys(unit, now=now))


async def work(settings: Settings, *, announce: Callable[[], None]) -> None:
    """Run turns that others take, until SIGINT or SIGTERM; what is in hand then is finished or handed back.

    Args:
        settings: The database, and everything the runtime needs.
        announce: Told when it works.

    Raises:
        SettingsInvalid: There is no Postgres database to work on.
        CallboardError: As `Runtime.open`.
    """
    configure_logging(settings.log_level)
    if not settings.postgres_url:
        raise SettingsInvalid(
            "CALLBOARD_DATABASE_URL: a worker needs the Postgres database of the servers it works for. "
            "Without one, callboard serve runs its turns itself."
        )
    async with Runtime.open(settings, works="yes"):
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        announce()
        await stopped.wait()


async def _run(server: _Server, sock: socket.socket, runtime: Runtime) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, server)
    # On Postgres the queue brings the clock's work to one of those who work.
    timers = [] if runtime.settings.postgres_url else [asyncio.create_task(_keep_time(runtime))]
    try:
        await server.serve(sockets=[sock])
    finally:
        for timer in timers:
            timer.cancel()
        await asyncio.gather(*timers, return_exceptions=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _operator_key(settings: Settings) -> Iterator[str]:
    """The command line's key for this server. On Postgres it needs none: it opens the records itself."""
    if settings.postgres_url:
        yield secrets.token_urlsafe(32)
        return
    with lend_operator_key(settings.data_dir) as key:
        yield key


def _stop(server: _Server) -> None:
    # A second signal doesn't wait for open requests any more.
    server.force_exit = server.should_exit
    server.should_exit = True


async def _keep_time(runtime: Runtime) -> None:
    while True:
        await asyncio.sleep(runtime.settings.timer_s)
        try:
            await runtime.tick()
        except Exception:  # The next tick tries again; without this one failure would end all of them.
            logger.exception("the timer failed")


def _listen(settings: Settings) -> socket.socket:
    """Take the port before anything is opened."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
    except OSError as error:
        sock.close()
        raise CallboardError(
            f"Can't listen on {settings.host}:{settings.port} ({error.strerror}). "
            "Stop what uses it, or choose another with --port or CALLBOARD_PORT."
        ) from None
    sock.set_inheritable(False)
    return sock


def _host_of(sock: socket.socket) -> str:
    host = str(sock.getsockname()[0])
    # Listening everywhere, this machine reaches it by its own address.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{host}]" if ":" in host else host
