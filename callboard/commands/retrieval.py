"""`callboard eval retrieval`: how often retrieval finds the right text, and what its halves find alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.output import JsonOption, show

if TYPE_CHECKING:  # Imported by the command itself when it runs; help needs none of it.
    from rich.table import Table

    from evals.retrieval_quality import Quality


def retrieval(
    data: Annotated[
        Path,
        typer.Option(help="A folder with sets of {text, label} as JSON lines."),
    ] = Path("../shared/data/nlu"),
    most: Annotated[int, typer.Option(min=1, help="Questions of each set at most.")] = 1000,
    seed: Annotated[int, typer.Option(help="Which utterances are stored and which are asked.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Store ten utterances of each label, ask the others, and count hits; and find records by names, numbers, dates."""
    from callboard.commands.progress import progress
    from evals.retrieval_quality import SETS, measure, records, utterances

    files = [data / name for name in SETS]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise typer.BadParameter(f"{data} has no {' and no '.join(missing)}; say where they are.", param_hint="--data")
    samples = {file.stem: utterances(file, most=most, seed=seed) for file in files}
    samples["records"] = records(most=most, seed=seed)
    total = sum(len(asked) for _, asked in samples.values())
    with progress("questions", total) as step:
        found = [measure(name, stored, asked, on_question=step) for name, (stored, asked) in samples.items()]
    show({one.name: one.as_json() for one in found}, as_json=as_json, view=lambda: _table(found))


def _table(found: "list[Quality]") -> "Table":
    from rich.table import Table

    from evals.retrieval_quality import WAYS

    table = Table("set", "stored", "asked", *(f"{way}\n% @1 / @5" for way in WAYS))
    for one in found:
        hits = [f"{one.ways[way].hit_1 * 100:.1f} / {one.ways[way].hit_5 * 100:.1f}" for way in WAYS]
        table.add_row(one.name.removesuffix("_train"), str(one.stored), str(one.asked), *hits)
    return table
