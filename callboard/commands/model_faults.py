"""`callboard eval model-faults`: conversations against a model's endpoint that misbehaves in every way we know."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.output import NOT_AS_IT_SHOULD, JsonOption, Options

# Only for types: the command imports what it needs when it runs, so that `callboard --help` stays quick.
if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from evals.model_faults import FaultReport, ModelledFactory
    from evals.running import Running

TASK_S, TURN_S = 0.6, 1.5
"""How long the model may take for one task and for one turn: short, since an endpoint that hangs uses it all."""


def model_faults(
    context: typer.Context,
    suite: Annotated[
        Path | None,
        typer.Option(help="Conversations; the playbook's suites/models.yaml when not given.", exists=True),
    ] = None,
    fault: Annotated[list[str] | None, typer.Option(help="Only these faults, and no mixed run.")] = None,
    seed: Annotated[int, typer.Option(help="For the run with faults by chance.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Play conversations against a model that fails: too many requests, errors, hangs, nonsense.

    Exits with 1 unless each ends in a correct answer or a complete handoff, within what its turn may take.
    """
    # Slow to import, and needed here only.
    from callboard.commands.progress import progress
    from callboard.settings import read_settings
    from evals.model_faults import play_faults, read_samples
    from evals.model_server import FAULTS
    from graphs.playbook import load_playbook

    options: Options = context.obj
    if unknown := sorted({*(fault or ())} - {*FAULTS}):
        raise typer.BadParameter(f"There is no fault {unknown[0]}. There are: {', '.join(FAULTS)}.")
    chosen = [each for each in FAULTS if fault is None or each in fault]
    directory = read_settings(**options.as_settings()).playbook
    samples = read_samples(suite or directory / "suites" / "models.yaml")
    total = len(samples) * (len(chosen) + (fault is None))
    with progress("Playing", total) as advance:
        report = asyncio.run(
            play_faults(
                modelled_factory(context, task_s=TASK_S, turn_s=TURN_S),
                load_playbook(directory),
                samples,
                faults=chosen,
                mixed=fault is None,
                turn_budget_s=TURN_S,
                seed=seed,
                on_played=advance,
            )
        )
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(NOT_AS_IT_SHOULD)


def modelled_factory(context: typer.Context, *, task_s: float, turn_s: float) -> "ModelledFactory":
    """How evals open a Callboard that asks a model: as the settings say, but on fixtures and at their own endpoint."""
    # Slow to import, and needed here only.
    from callboard.runtime import Runtime
    from callboard.settings import read_settings

    options: Options = context.obj

    def open_runtime(url: str, data_dir: Path, systems_dir: Path) -> "AbstractAsyncContextManager[Running]":
        own = {
            "env": "development",
            "host": "127.0.0.1",
            "data_dir": data_dir,
            "systems_dir": systems_dir,
            "openai_api_key": "loopback",
            "openai_base_url": url,
            "second_model": "",
            "langchain_model": "",
            "model_timeout_s": task_s,
            "model_turn_s": turn_s,
        }
        return Runtime.open(read_settings(**options.as_settings() | own))

    return open_runtime


def _print(report: "FaultReport") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    figures = report.as_json()
    table = Table(title="A model's endpoint that misbehaves", title_justify="left", box=None, pad_edge=False)
    table.add_column("fault", no_wrap=True)
    for name in ("played", "correct", "handed over", "neither", "hung", "requests", "longest s"):
        table.add_column(name, justify="right")
    rows = figures["faults"]
    for row in [*(rows if isinstance(rows, list) else []), {"fault": "all", **figures}]:
        if isinstance(row, dict):
            names = ("conversations", "correct", "handed_over", "neither", "hung", "requests", "longest_models_s")
            table.add_row(str(row["fault"]), *(str(row[name]) for name in names))
    console.print(table)
    console.print(
        f"Models may take {report.budget_s:g} s of a turn; the last column is the longest that they took of one, on a "
        "machine that does other things too.",
        style="dim",
    )
    for problem in figures["problems"] if isinstance(figures["problems"], list) else []:
        console.print(f"[red]{problem}[/red]", highlight=False, soft_wrap=True)
