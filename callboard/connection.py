"""How the command line reaches Callboard: always through its API, a running server's or one opened in this process."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from callboard.errors import Refused, ServerUnreachable, SettingsInvalid
from callboard.operator import OPERATOR_KEY_FILE, authenticator
from callboard.settings import Settings
from memory.data_directory import DataDirectory
from memory.errors import DataDirectoryHeld

TIMEOUT_S = 120.0
"""A turn with a slow model takes its time; a person at the keyboard can always break off."""


class Api:
    """Callboard's HTTP API as plain calls."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str, **parameters: str | int | None) -> dict[str, Any]:
        """Read something. Raises `Refused`, `ServerUnreachable`."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return await self._send("GET", path, params=given)

    async def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do something. Raises `Refused`, `ServerUnreachable`."""
        return await self._send("POST", path, json=body)

    async def delete(self, path: str) -> dict[str, Any]:
        """End something. Raises `Refused`, `ServerUnreachable`."""
        return await self._send("DELETE", path)

    async def _send(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            response = await self._client.request(method, path, **options)
        except httpx2.TransportError as error:
            raise ServerUnreachable(
                f"Nothing answers at {self._client.base_url} ({type(error).__name__}). Is `callboard serve` running?"
            ) from error
        try:
            body = response.json()
        except ValueError:
            raise ServerUnreachable(f"What answers at {self._client.base_url} is no Callboard.") from None
        if response.status_code >= 400:
            raise Refused(body)
        return dict(body)


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Api]:
    """Reach the Callboard of these settings.

    That is the one at `api_url` if it is set; else the process that holds the data directory; else, when nobody holds
    it, and on Postgres, one that lives in this process for as long as the connection.

    Raises:
        DataDirectoryHeld: Its holder serves no API.
        SettingsInvalid: A key is needed and there is none.
        CallboardError: As `Runtime.open`.
    """
    async with AsyncExitStack() as stack:
        if settings.api_url:
            if settings.api_key is None:
                raise SettingsInvalid("CALLBOARD_API_URL is set: set CALLBOARD_API_KEY too.")
            yield await _reach(stack, settings.api_url, settings.api_key.get_secret_value())
            return
        if settings.postgres_url:
            yield await _open_here(stack, settings)
            return
        try:
            # Asked before the runtime is imported, which takes seconds that a running server has spent already.
            DataDirectory.hold(settings.data_dir).release()
            api = await _open_here(stack, settings)
        except DataDirectoryHeld as held:
            if held.url is None:
                raise
            api = await _reach(stack, held.url, _key_for(settings))
        yield api


async def _open_here(stack: AsyncExitStack, settings: Settings) -> Api:
    # The floors below take seconds to import: only for those who open them.
    from callboard.api.app import create_app
    from callboard.runtime import Runtime

    # Turns of others are left to the workers, if there are any.
    runtime = await stack.enter_async_context(Runtime.open(settings, works="alone"))
    operator_key = secrets.token_urlsafe(32)
    # Whoever gives a key is who that key says, here as on a server.
    key = settings.api_key.get_secret_value() if settings.api_key is not None else operator_key
    app = create_app(runtime, authenticate=authenticator(runtime.store, operator_key=operator_key))
    return await _reach(stack, "http://callboard", key, transport=httpx2.ASGITransport(app=app))


async def _reach(stack: AsyncExitStack, url: str, key: str, transport: httpx2.AsyncBaseTransport | None = None) -> Api:
    client = httpx2.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=TIMEOUT_S,
        transport=transport,
        trust_env=False,
    )
    return Api(await stack.enter_async_context(client))


def _key_for(settings: Settings) -> str:
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    try:
        return Path(settings.data_dir / OPERATOR_KEY_FILE).read_text()
    except OSError:
        raise SettingsInvalid(
            "CALLBOARD_API_KEY: a server holds the data directory and its operator's key can't be read. Give a key."
        ) from None
