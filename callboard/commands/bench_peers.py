"""`callboard eval bench peers`: the same work on other stacks, in one run."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.commands.progress import progress
from callboard.output import JsonOption

if TYPE_CHECKING:  # Only for types: help needs none of it.
    from evals.bench_peers import PeerBench
    from evals.running import Running

METERS = Path(__file__).resolve().parents[2] / "playbooks" / "meters"
"""The playbook whose turns are five calls of the model and two of tools."""


def bench_peers(
    as_json: JsonOption = False,
    until: Annotated[int, typer.Option(min=25, help="Turns of one long conversation with us.")] = 200,
    crowd: Annotated[int, typer.Option(min=1, max=1000, help="Conversations at once, with a slow model.")] = 200,
) -> None:
    """Measure a turn of five model calls and two tool calls beside a bare floor and LangGraph with ChatOpenAI.

    The model is a mock in a process of its own, asked over the real protocol. Everything else runs on one core.
    """
    # Slow to import, and needed here only.
    from evals.bench_peers import Size
    from evals.bench_peers import bench_peers as measure
    from playbooks.meters.records import Books, build

    size = Size(length=until, crowd=crowd)
    each = size.conversations * size.turns + size.crowd * size.crowd_turns
    paces = 3 * size.conversations * size.turns
    with progress("Measuring", 4 * each + 3 * size.late + until + paces) as advance:
        bench = asyncio.run(measure(open_with_model, Books, build, size=size, on_turn=advance))
    if as_json:
        typer.echo(json.dumps(bench.as_json(), indent=2))
    else:
        _print(bench)


def open_with_model(
    directory: Path, base_url: str, model: str, *, timeout_s: float = 60
) -> "AbstractAsyncContextManager[Running]":
    """A Callboard on the meters playbook, with records of its own and that model behind its specialists."""
    # Slow to import, and needed here only.
    from callboard.runtime import Runtime
    from callboard.settings import read_settings

    return Runtime.open(
        read_settings(
            env="development",
            host="127.0.0.1",
            playbook=METERS,
            data_dir=directory,
            systems_dir=directory / "systems",
            openai_api_key="mock",
            openai_base_url=base_url,
            model=model,
            model_timeout_s=timeout_s,
            # What is measured is time: nothing is to end early for what it took.
            model_turn_s=3600,
            budget_turn_tokens=0,
            budget_case_tokens=0,
        )
    )


def _print(bench: "PeerBench") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="One turn: five model calls, two tool calls, a session on disk", title_justify="left")
    table.padding = (0, 0)
    for name in ("", "turns/s", "p50 ms", "×", "CPU ms", "×", "21st-25th", "×", "crowd/s", "×", "p99 s"):
        table.add_column(name, justify="right" if name else "left")
    floor = bench.figures[0]
    for one in bench.figures:
        table.add_row(
            one.name.replace("LangGraph + ChatOpenAI", "LangGraph"),
            f"{one.turns_per_second:.0f}",
            f"{one.p50_ms:.1f}",
            f"{one.p50_ms / floor.p50_ms:.1f}",
            f"{one.cpu_ms:.1f}",
            f"{one.cpu_ms / floor.cpu_ms:.1f}",
            f"{one.late_ms:.1f}",
            f"{one.late_ms / floor.late_ms:.1f}",
            f"{one.crowd_per_second:.0f}",
            f"{one.crowd_per_second / floor.crowd_per_second:.2f}",
            f"{one.crowd_p99_s:.2f}",
        )
    Console().print(table)
    typer.echo(
        f"× is against the floor of this run: asyncio, httpx2, SQLite. Crowd: conversations at once with a model of "
        f"300 ms. LangGraph: ChatOpenAI, messages in the state, SQLite saver. Ours, turns 2 to 11 of one conversation: "
        f"{bench.early_ms:.1f} ms, the last ten of {bench.length}: {bench.late_ms:.1f} ms."
    )
    waits = ", ".join(f"{name} {pace.p50_ms:.1f} ms" for name, pace in bench.ledger.items())
    typer.echo(
        f"What waiting for the disk costs, by SQLite's synchronous: {waits} a turn. Callboard's ledger is on FULL."
    )
    for missing in bench.absent:
        typer.echo(f"Not measured, {missing}.")
