"""`callboard eval bench models`: what a resolved conversation asks of a model, beside LangGraph's supervisor."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from callboard.output import JsonOption, Options

# Only for types: the command imports what it needs when it runs, so that `callboard --help` stays quick.
if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from evals.bench_models import ModelBench
    from evals.counting_model import CountingModel
    from evals.running import Running


def bench_models(context: typer.Context, as_json: JsonOption = False) -> None:
    """Count a model's calls and tokens per resolved demo conversation, beside LangGraph's supervisor pattern."""
    # Slow to import, and needed here only.
    from callboard.commands.progress import progress
    from callboard.demo import SCENES
    from callboard.models import reasoner_of
    from callboard.runtime import Runtime
    from callboard.settings import DEFAULT_PLAYBOOK, Settings, read_settings
    from evals.bench_models import bench_models as measure
    from graphs.context import Clock
    from graphs.playbook import load_playbook

    options: Options = context.obj

    def open_ours(model: "CountingModel", data_dir: Path, systems_dir: Path) -> "AbstractAsyncContextManager[Running]":
        own = {"env": "development", "host": "127.0.0.1", "data_dir": data_dir, "systems_dir": systems_dir}
        settings: Settings = read_settings(**options.as_settings() | own | {"playbook": DEFAULT_PLAYBOOK})
        clock: Clock = _now
        return Runtime.open(
            settings, clock=clock, reasoner=lambda sheets, local: reasoner_of(model, sheets, local, clock=clock)
        )

    conversations = {scene.name: scene.lines for scene in SCENES}
    with progress("Counting", 2 * sum(map(len, conversations.values()))) as advance:
        bench = asyncio.run(measure(open_ours, load_playbook(DEFAULT_PLAYBOOK), conversations, on_turn=advance))
    if as_json:
        typer.echo(json.dumps(bench.as_json(), indent=2))
    else:
        _print(bench)


def _now() -> datetime:
    return datetime.now(UTC)


def _print(bench: "ModelBench") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="What a resolved conversation asks of a model", title_justify="left", box=None, pad_edge=False)
    for name in ("conversation", "calls", "supervisor", "prompt tokens", "supervisor"):
        table.add_column(name, justify="left" if name == "conversation" else "right")
    for one in bench.asked:
        table.add_row(
            one.conversation,
            str(one.ours.calls),
            str(one.supervisor.calls),
            f"{one.ours.prompt_tokens:,}",
            f"{one.supervisor.prompt_tokens:,}",
        )
    ours, theirs = bench.mean("ours"), bench.mean("supervisor")
    table.add_row(
        "on average",
        str(ours["calls"]),
        str(theirs["calls"]),
        f"{ours['prompt_tokens']:,}",
        f"{theirs['prompt_tokens']:,}",
    )
    Console().print(table)
    typer.echo(
        "The same conversations, tools and records, one estimate of tokens for both. The supervisor's model says the "
        "fewest things by which the pattern gets there."
    )
