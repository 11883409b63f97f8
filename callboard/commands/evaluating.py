"""`callboard eval`: recorded customers played against a playbook, and what turns cost."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.commands import guardrails
from callboard.commands.bench_models import bench_models
from callboard.commands.bench_peers import bench_peers
from callboard.commands.bench_policies import bench_policies
from callboard.commands.chaos import chaos
from callboard.commands.conformance import conformance
from callboard.commands.erasure import erasure
from callboard.commands.fixtures import runtime_factory
from callboard.commands.intents import intents
from callboard.commands.load import load
from callboard.commands.model_faults import model_faults
from callboard.commands.progress import progress
from callboard.commands.retrieval import retrieval
from callboard.commands.stock import stock
from callboard.output import NOT_AS_IT_SHOULD, JsonOption, Options

# Only for types: the commands import what they need when they run, so that `callboard --help` stays quick.
if TYPE_CHECKING:
    from evals.bench import Bench
    from evals.transcripts import Played, TranscriptReport


def register(app: typer.Typer) -> None:
    """Add the commands."""
    evaluating = typer.Typer(help="How well it serves, and at what cost.", no_args_is_help=True)
    evaluating.command("transcripts")(transcripts)
    evaluating.command("conformance")(conformance)
    evaluating.command("retrieval")(retrieval)
    evaluating.command("erasure")(erasure)
    evaluating.command("load")(load)
    guardrails.register(evaluating)
    evaluating.command("model-faults")(model_faults)
    evaluating.command("intents")(intents)
    evaluating.command("chaos")(chaos)
    evaluating.command("stock")(stock)
    bench = typer.Typer(help="What it costs.", no_args_is_help=True)
    bench.command("turns")(turns)
    bench.command("policies")(bench_policies)
    bench.command("peers")(bench_peers)
    bench.command("models")(bench_models)
    evaluating.add_typer(bench, name="bench")
    app.add_typer(evaluating, name="eval")


def transcripts(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="JSON lines; each a conversation with `events`.", exists=True)],
    as_json: JsonOption = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Play the first so many only.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Conversations in hand at once.")] = 4,
    shown: Annotated[
        int, typer.Option("--show", min=0, help="Print so many of the conversations, spread over the run.")
    ] = 0,
) -> None:
    """Play recorded customers in order, whatever is answered, and count what must never happen.

    Exits with 1 if anything crashed, an effect had no permit or the audit chain doesn't verify.
    """
    # Slow to import, and needed here only.
    from evals.conversations import read_conversations
    from evals.transcripts import play_transcripts

    conversations = read_conversations(data, limit=limit)
    with progress("Playing", len(conversations)) as advance:
        report = asyncio.run(
            play_transcripts(
                runtime_factory(context), conversations, workers=workers, on_played=lambda _played: advance()
            )
        )
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
    else:
        _print_report(report)
    if shown:
        _print_conversations(report.played, shown)
    if not report.ok:
        raise typer.Exit(NOT_AS_IT_SHOULD)


def turns(
    context: typer.Context,
    as_json: JsonOption = False,
    script: Annotated[
        Path | None, typer.Option(help="What the customer says; the playbook's suites/turns.yaml when not given.")
    ] = None,
    until: Annotated[int, typer.Option(min=1, help="The last turn that is measured.")] = 200,
) -> None:
    """Measure time and bytes per turn as one conversation grows, beside a plain LangGraph chat."""
    # Slow to import, and needed here only.
    from callboard.settings import read_settings
    from evals.bench import POINTS, WINDOW, bench_turns, read_script

    options: Options = context.obj
    points = sorted({min(point, until) for point in POINTS})
    window = min(WINDOW, until)
    said = read_script(script or read_settings(**options.as_settings()).playbook / "suites" / "turns.yaml")
    with progress("Measuring", 2 * max(until, window)) as advance:
        bench = asyncio.run(bench_turns(runtime_factory(context), said, points=points, window=window, on_turn=advance))
    if as_json:
        typer.echo(json.dumps(bench.as_json(), indent=2))
    else:
        _print_bench(bench)


def _print_report(report: "TranscriptReport") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    rows = report.as_json()
    table = Table(show_header=False, box=None, pad_edge=False)
    for key in ("conversations", "turns", "crashes", "effects", "effects_without_permit", "audit_ok"):
        table.add_row(key.replace("_", " "), str(rows[key]))
    table.add_row("repeated questions", f"{rows['repeated_questions']} {dict(report.repeated) or ''}")
    for outcome, times in sorted(rows["outcomes"].items() if isinstance(rows["outcomes"], dict) else ()):
        table.add_row(f"  {outcome}", str(times))
    console.print(table)
    for kind, times in report.crashes.most_common():
        console.print(f"[red]{times} × {kind}[/red], for example in {report.examples[kind]}", highlight=False)
    for sentence in [*report.effects.unpermitted, *report.audit_problems]:
        console.print(f"[red]{sentence}[/red]", highlight=False)
    if report.handoff_reasons:
        console.print("Handed to people because:")
        for reason, times in report.handoff_reasons.most_common(12):
            console.print(f"  {times:4} {reason}", highlight=False, markup=False)


def _print_conversations(played: "Sequence[Played]", count: int) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    step = max(1, len(played) // count)
    for one in list(played)[::step][:count]:
        table = Table(title=one.id, title_justify="left", show_lines=True, expand=True)
        table.add_column("customer", ratio=1)
        table.add_column("we", ratio=1)
        table.add_column("outcome", no_wrap=True, style="dim")
        for turn in one.turns:
            table.add_row(escape(turn.customer), escape(turn.reply), turn.outcome)
        console.print(table)


def _print_bench(bench: "Bench") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="One conversation, turn by turn", title_justify="left", pad_edge=False, padding=(0, 0))
    for name in (" " * 9, "turn", "ms", "×", "CPU ms", "×", "kB written", "×", "kB kept", "×"):
        table.add_column(name, justify="right" if name.strip() else "left")
    for label, figures in (("callboard", bench.ours), ("plain", bench.plain)):
        for number, one in enumerate(figures):
            first = figures[0]
            table.add_row(
                label if number == 0 else "",
                str(one.turn),
                f"{one.milliseconds:.1f}",
                _times(one.milliseconds, first.milliseconds),
                f"{one.cpu_milliseconds:.1f}",
                _times(one.cpu_milliseconds, first.cpu_milliseconds),
                "-" if one.bytes_written is None else f"{one.bytes_written / 1000:,.0f}",
                _times(one.bytes_written, first.bytes_written),
                f"{one.bytes_kept / 1000:,.1f}",
                _times(one.bytes_kept, first.bytes_kept),
            )
        table.add_section()
    Console().print(table)
    typer.echo(
        "Median times and mean bytes of the ten turns that end there (the first ten for turn 1); × is against the "
        "first row. Ours is the whole turn: understanding, policy, records. Plain is a LangGraph chat that keeps "
        "its messages in its state, with the SQLite saver, and thinks nothing."
    )


def _times(value: float | None, first: float | None) -> str:
    return f"{value / first:.2f}" if value is not None and first else "-"
