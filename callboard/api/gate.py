"""What every request passes before any route: a key, a size, a line in the log, and a last net for errors."""

import logging
import time
import traceback
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callboard.api.access import PUBLIC, Principal
from callboard.api.problems import BodyTooLarge, NoKey, problem_of

MAX_BODY_BYTES = 128 * 1024
"""8,000 characters are at most 96,000 bytes of escaped JSON; an edit's arguments are far smaller."""

Authenticate = Callable[[str], Awaitable[Principal | None]]
"""Key → who holds it, None for a key that isn't known or was revoked."""

logger = logging.getLogger("callboard.api")


class Gate:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, authenticate: Authenticate) -> None:
        self.app = app
        self.authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._admit(scope)
            await self.app(scope, _replay(await _read_body(receive), receive), watch)
        except Exception as error:
            _log_unexpected(error)
            if status:
                raise  # The answer has begun; only breaking it off tells the caller.
            await problem_of(error)(scope, receive, watch)
        finally:
            # The route, not the path: ids may be somebody's telephone number.
            route = getattr(scope.get("route"), "path_format", "-")
            took_ms = (time.perf_counter() - started) * 1000
            logger.info("%s %s %d %.0f ms", scope["method"], route, status, took_ms)

    async def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            raise BodyTooLarge
        if scope["path"] in PUBLIC:
            return
        scheme, _, key = headers.get("authorization", "").partition(" ")
        principal = await self.authenticate(key.strip()) if scheme.lower() == "bearer" and key.strip() else None
        if principal is None:
            raise NoKey
        scope.setdefault("state", {})["principal"] = principal


async def _read_body(receive: Receive) -> list[Message]:
    """Take the whole body in before any route sees it, so that one too large stops here however it was sent."""
    messages: list[Message] = []
    size = 0
    while not messages or messages[-1].get("more_body", False):
        messages.append(await receive())
        size += len(messages[-1].get("body", b""))
        if size > MAX_BODY_BYTES:
            raise BodyTooLarge
    return messages


def _replay(messages: list[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def replay() -> Message:
        return next(waiting, None) or await receive()

    return replay


def _log_unexpected(error: Exception) -> None:
    if isinstance(error, NoKey | BodyTooLarge):
        return
    # Places, not messages: an exception's message may quote a customer.
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
    logger.error("unexpected %s at %s", type(error).__name__, places)
