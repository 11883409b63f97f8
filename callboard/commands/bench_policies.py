"""`callboard eval bench policies`: what a decision costs, beside other engines on the same checks."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.output import JsonOption

if TYPE_CHECKING:  # Only for types: help needs none of it.
    from evals.bench_policies import PolicyBench


def bench_policies(
    as_json: JsonOption = False,
    decisions: Annotated[int, typer.Option(min=1, help="How many recorded decisions the backtest replays.")] = 100_000,
) -> None:
    """Measure decisions on one core: 30 rules, 3 tables, 20 facts; and a backtest of recorded decisions."""
    # Slow to import, and needed here only.
    from evals.bench_policies import bench_policies as measure

    bench = measure(decisions=decisions)
    if as_json:
        typer.echo(json.dumps(bench.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(bench)


def _print(bench: "PolicyBench") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="One decision, warm: 30 rules, 3 tables, 20 facts", title_justify="left")
    for name in ("", "µs", "per second"):
        table.add_column(name, justify="left" if not name else "right")
    for speed in bench.warm:
        table.add_row(speed.name, f"{speed.microseconds:.1f}", f"{speed.per_second:,}")
    table.add_section()
    for part in bench.parts:
        table.add_row(f"of which {part.name}", f"{part.microseconds:.1f}", "")
    Console().print(table)
    typer.echo(
        f"Cold, files to first decision: {bench.cold_ms:.0f} ms. Backtest: {bench.backtest_decisions:,} decisions in "
        f"{bench.backtest_s:.1f} s, {bench.backtest_identical:,} identical. Times of the processor, one core."
    )
