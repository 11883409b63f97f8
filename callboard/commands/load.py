"""`callboard eval load`: many conversations at once, and what gives way first."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.commands.bench_peers import open_with_model
from callboard.commands.progress import progress
from callboard.output import NOT_AS_IT_SHOULD, JsonOption

if TYPE_CHECKING:  # Only for types: help needs none of it.
    from evals.load import Door, Load

MODEL_PATIENCE_S = 600
"""Longer than any queue here gets: that customers wait is what is measured, not that the model is given up."""


class Backend(StrEnum):
    """Where the records are."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


def load(
    as_json: JsonOption = False,
    backend: Annotated[Backend, typer.Option(help="Where the records are.")] = Backend.SQLITE,
    conversations: Annotated[int, typer.Option(min=1, max=9_998, help="Open at once.")] = 1_000,
    turns: Annotated[int, typer.Option(min=1, help="Messages of each conversation.")] = 2,
    pause: Annotated[
        float, typer.Option(min=0, help="Seconds that a customer thinks before the next message; 0 for none.")
    ] = 0.0,
    ramp: Annotated[float, typer.Option(min=0, help="Seconds over which the conversations begin.")] = 20.0,
    delay: Annotated[int, typer.Option(min=0, help="Milliseconds that each of the model's five answers takes.")] = 300,
    workers: Annotated[
        list[int] | None,
        typer.Option(min=1, max=16, help="On Postgres: worker processes. Repeat for several runs."),
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="On Postgres: URL of an empty database; one of its own when not given.")
    ] = None,
) -> None:
    """Open many conversations at once against a mock model that takes its time, on this machine.

    Exits with 1 if a customer had no answer or a wrong one.
    """
    # Slow to import, and needed here only.
    from evals.load import run_load

    runs = (workers or [1]) if backend is Backend.POSTGRES else [1]
    if server is not None and len(runs) > 1:
        raise typer.BadParameter("An empty database does for one run; give --workers once.")
    if backend is Backend.POSTGRES:
        from callboard.load_doors import opens_postgres

        opens = opens_postgres(server, turns_at_once=conversations)
    else:
        opens = _open_here
    loads = []
    with progress("Serving", len(runs) * conversations * turns) as advance:
        for count in runs:
            one = run_load(
                opens,
                backend.value,
                workers=count,
                conversations=conversations,
                turns=turns,
                pause_s=pause,
                ramp_s=ramp,
                model=f"mock-{delay}ms",
                on_turn=advance,
            )
            loads.append(asyncio.run(one))
    if as_json:
        figures = [one.as_json() for one in loads]
        typer.echo(json.dumps(figures[0] if len(figures) == 1 else {"runs": figures}, indent=2))
    else:
        _print(loads)
    if any(one.errors for one in loads):
        raise typer.Exit(NOT_AS_IT_SHOULD)


def _open_here(directory: Path, base_url: str, model: str, _workers: int) -> "AbstractAsyncContextManager[Door]":
    from evals.load import open_here

    return open_here(directory, open_with_model(directory, base_url, model, timeout_s=MODEL_PATIENCE_S))


def _print(loads: "list[Load]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{loads[0].conversations:,} conversations at once", title_justify="left")
    for name in ("workers", "turns/s", "p50 s", "p95 s", "p99 s", "errors", "memory MB", "kB/turn"):
        table.add_column(name, justify="right")
    for one in loads:
        figures = one.as_json()
        table.add_row(
            str(one.workers),
            str(figures["turns_per_second"]),
            str(figures["p50_s"]),
            str(figures["p95_s"]),
            str(figures["p99_s"]),
            str(one.errors),
            f"{one.memory_bytes / 1e6:,.0f}",
            f"{one.bytes_per_turn / 1e3:.1f}",
        )
    Console().print(table)
    for one in loads:
        busy = ", ".join(f"{name} {share:.0%}" for name, share in one.shares.items())
        typer.echo(f"Used up with {one.workers} workers: {one.saturated} ({busy}).")
