"""`callboard eval chaos`: processes killed in the middle of conversations, and what that did."""

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from callboard.commands.progress import progress
from callboard.output import NOT_AS_IT_SHOULD, JsonOption, show

if TYPE_CHECKING:  # Only for types: the command imports what it needs when it runs.
    from collections.abc import Coroutine

    from rich.console import Group

    from evals.chaos.run import ChaosReport

SHOWN = 20
"""Findings that are printed of each kind."""


def chaos(
    kills: Annotated[int, typer.Option(min=1, help="How many processes are killed.")] = 100,
    seed: Annotated[int, typer.Option(help="Decides who wants what, what goes wrong, and where processes die.")] = 1,
    backend: Annotated[Literal["sqlite", "postgres"], typer.Option(help="Where the records are.")] = "sqlite",
    as_json: JsonOption = False,
) -> None:
    """Kill processes in the middle of conversations, wherever something is written, and count what that did.

    Customers of the retail playbook write late, twice and out of order; reviewers click twice; tools and the model
    fail; processes die at every boundary and in between. What counts as done is what the shop's books say, which are
    kept outside of all that. Exits with 1 unless every bad column is 0.
    """
    # Slow to import, and needed here only.
    from callboard.database import upgrade
    from callboard.settings import DEFAULT_PLAYBOOK
    from evals.chaos.places import places_of
    from evals.chaos.run import run_chaos
    from graphs.playbook import load_playbook

    with progress("Killing", kills) as advance:
        report = asyncio.run(
            _unless_interrupted(
                run_chaos(
                    kills=kills,
                    seed=seed,
                    playbook=load_playbook(DEFAULT_PLAYBOOK),
                    places=places_of(backend, upgrade=upgrade),
                    command=[sys.executable, "-m", "callboard.chaos_nursery", str(DEFAULT_PLAYBOOK)],
                    on_kill=advance,
                )
            )
        )
    show(report.as_json(), as_json=as_json, view=lambda: _view(report))
    if not report.ok:
        raise typer.Exit(NOT_AS_IT_SHOULD)


async def _unless_interrupted(run: "Coroutine[Any, Any, ChaosReport]") -> "ChaosReport":
    """The run's report; when Ctrl-C ends it, what breaks on the way out is no news."""
    task = asyncio.create_task(run)
    interrupted = asyncio.Event()

    def interrupt() -> None:
        interrupted.set()
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)
    try:
        return await task
    except (Exception, asyncio.CancelledError):
        if interrupted.is_set():
            raise KeyboardInterrupt from None
        raise


def _view(report: "ChaosReport") -> "Group":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    rows = report.as_json()
    figures = Table(show_header=False, box=None, pad_edge=False)
    for name in ("backend", "conversations", "turns", "approvals", "effects", "kills", "pauses", "connections_cut"):
        figures.add_row(name.replace("_", " "), str(rows[name]))
    figures.add_row("boundaries", f"{rows['boundaries_covered']} of {rows['boundaries_total']}")
    for name in report.BAD:
        figures.add_row(name.replace("_", " "), str(rows[name]), style="red" if rows[name] else "")
    figures.add_row("audit ok", str(rows["audit_ok"]), style="" if rows["audit_ok"] else "red")
    figures.add_row("seconds", f"{rows['seconds']} ({rows['kills_per_minute']} kills a minute)")
    outcomes = ", ".join(f"{name} {times}" for name, times in sorted(report.outcomes.items()))
    parts: list[Table | Text] = [figures, Text(f"Turns ended: {outcomes}.")]
    parts += [Text(sentence, style="red") for sentences in report.found() for sentence in sentences[:SHOWN]]
    return Group(*parts)
