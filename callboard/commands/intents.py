"""`callboard eval intents`: how well intents are understood from their examples, and what no intent covers refused."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.commands.progress import progress
from callboard.output import JsonOption, Options, show

# Only for types: the command imports what it needs when it runs, so that `callboard --help` stays quick.
if TYPE_CHECKING:
    from rich.table import Table

    from evals.intents import IntentFigures

MEANINGS = {
    "accuracy": "of covered texts, the best guess is right",
    "coverage": "of covered texts, accepted",
    "accuracy_accepted": "of accepted texts, right",
    "near_rejected": "of requests that no intent covers, not accepted",
    "far_rejected": "of anything else, not accepted",
    "clarify_top2": "of clarified texts, the right one is offered",
    "ece": "expected calibration error of the probabilities",
    "ms_per_text": "milliseconds a text",
    "fit_s": "seconds to learn the examples",
    "weights": "whose meaning of words is used",
}


def intents(
    context: typer.Context,
    journey: Annotated[
        Path, typer.Option(help="An episode: `intents` with examples, `test` with texts and labels.", dir_okay=False)
    ],
    weights: Annotated[
        str | None, typer.Option(help="auto, none, or a directory; else as CALLBOARD_WEIGHTS says.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Learn an episode's examples as a playbook's are learned, and see what is made of its test texts."""
    # Slow to import, and needed here only.
    from callboard.settings import read_settings
    from evals.intents import measure_intents, read_episode
    from memory.minilm import open_weights

    options: Options = context.obj
    episode = read_episode(journey)
    embedder = open_weights(weights or read_settings(**options.as_settings()).weights)
    with progress("Reading", len(episode.test)) as advance:
        figures = measure_intents(episode, embedder=embedder, clock=time.perf_counter, on_text=advance)
    show(figures.as_json(), as_json=as_json, view=lambda: _view(figures))


def _view(figures: "IntentFigures") -> "Table":
    from rich.table import Table

    found = figures.as_json()
    table = Table(title=f"{figures.journey}: {found['intents']} intents", title_justify="left", box=None)
    table.add_column("figure", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("meaning", style="dim")
    for name, meaning in MEANINGS.items():
        value = found[name]
        shares = isinstance(value, float) and name not in {"ms_per_text", "fit_s"}
        table.add_row(
            name.replace("_", " "), "-" if value is None else f"{value:.1%}" if shares else str(value), meaning
        )
    return table
