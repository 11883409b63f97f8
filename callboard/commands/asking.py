"""How commands reach Callboard: through its API, a running server's or one opened in this process."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import typer

from callboard.output import Options

if TYPE_CHECKING:  # Imported when a command runs; help needs none of it.
    from callboard.connection import Api


def ask(context: typer.Context, work: "Callable[[Api], Awaitable[Any]]") -> Any:
    """Reach Callboard, do the work, and leave."""
    # Settings and HTTP take time to import that help needn't spend.
    from callboard.connection import connect
    from callboard.settings import read_settings

    options: Options = context.obj

    async def run() -> Any:
        async with connect(read_settings(**options.as_settings())) as api:
            return await work(api)

    return asyncio.run(run())
