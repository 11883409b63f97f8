"""Opening a court: a playbook with its systems of record, for judging requests outside of any conversation."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path

from evals.decision_lines import Court, FactsFrom
from graphs.playbook import load_playbook
from tools.spec import BusinessSystem


@asynccontextmanager
async def open_court(
    playbook: Path, *, facts_from: FactsFrom, systems: Path | None, now: datetime
) -> AsyncIterator[Court]:
    """A playbook's policies, and its systems of record where facts are read live.

    Args:
        playbook: Its folder.
        facts_from: Whether facts that a request doesn't state are read from the systems.
        systems: Where the systems' files are; None makes the playbook's own fixtures, for as long as the court is open.
        now: The moment of requests that don't say one; aware, UTC.

    Raises:
        PlaybookMistakes: The playbook can't be loaded.
    """
    loaded = load_playbook(playbook)
    async with AsyncExitStack() as stack:
        opened: dict[str, BusinessSystem] = {}
        if facts_from == "live":
            directory = systems
            if directory is None:
                directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callboard-systems-")))
                await asyncio.to_thread(loaded.build_fixtures, directory, now=now)
            opened = await loaded.open_systems(directory)
            for system in opened.values():
                stack.push_async_callback(system.close)
        yield Court(loaded, opened, facts_from, now)
