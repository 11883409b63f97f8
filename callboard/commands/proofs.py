"""`callboard playbook check` and `callboard eval`: is a playbook right, and how well does it serve."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.output import NOT_AS_IT_SHOULD, JsonOption, Options, show

if TYPE_CHECKING:  # Imported by the commands themselves when they run; help needs none of it.
    from evals.running import Running, RuntimeFactory


def register(app: typer.Typer) -> None:
    """Add the commands."""
    playbook = typer.Typer(help="Businesses as folders.", no_args_is_help=True)
    playbook.command("check")(check)
    app.add_typer(playbook, name="playbook")
    evals = typer.Typer(help="How well it serves.", no_args_is_help=True)
    evals.command("transcripts")(transcripts)
    evals.command("bench")(bench)
    app.add_typer(evals, name="eval")


def check(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The playbook's folder.")],
    as_json: JsonOption = False,
) -> None:
    """Load a playbook, whole or not at all; exit code 1 if something in it must be changed."""
    from rich.text import Text

    from graphs.playbook import load_playbook
    from policies.errors import PlaybookMistakes

    try:
        playbook = load_playbook(directory)
    except PlaybookMistakes as found:
        mistakes = [
            {"file": one.file, "line": one.line, "message": one.message, "write": one.suggestion}
            for one in found.mistakes
        ]
        text = str(found)
        show({"ok": False, "mistakes": mistakes}, as_json=as_json, view=lambda: Text(text, style="red"))
        raise typer.Exit(NOT_AS_IT_SHOULD) from None
    counts = {
        "journeys": len(playbook.journeys),
        "tools": len(list(playbook.tools)),
        "articles": len(playbook.articles),
    }
    counted = ", ".join(f"{count} {name}" for name, count in counts.items())
    show(
        {"ok": True, "mistakes": [], "name": playbook.name, "hash": playbook.hash, **counts},
        as_json=as_json,
        view=lambda: Text(f"{playbook.title}: {counted}. Nothing to change.", style="green"),
    )


def transcripts(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="Recorded conversations, one JSON object a line.", exists=True)],
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many of them.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Play recorded customers against the playbook; exit code 1 if something happened that never may."""
    from rich.text import Text

    from evals.conversations import read_conversations
    from evals.transcripts import play_transcripts

    report = asyncio.run(play_transcripts(_factory(context), read_conversations(data, limit=limit)))
    result = report.as_json()
    show(result, as_json=as_json, view=lambda: Text("\n".join(f"{name}: {value}" for name, value in result.items())))
    if not report.ok:
        raise typer.Exit(NOT_AS_IT_SHOULD)


def bench(
    context: typer.Context,
    script: Annotated[
        Path | None, typer.Option(help="What the customer says.", exists=True, show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure turns of one long conversation, beside a plain LangGraph chat that keeps its messages in its state."""
    from callboard.settings import DEFAULT_PLAYBOOK
    from evals.bench import bench_turns, read_script

    lines = read_script(script or DEFAULT_PLAYBOOK / "suites" / "turns.yaml")
    result = asyncio.run(bench_turns(_factory(context), lines)).as_json()
    show(result, as_json=as_json, view=lambda: _bench_table(result))


def _factory(context: typer.Context) -> "RuntimeFactory":
    """How evals open a Callboard: these settings, but with records, keys and systems of their own, and no key file."""
    from callboard.runtime import Runtime
    from callboard.settings import read_settings

    options: Options = context.obj

    def open_runtime(data_dir: Path, systems_dir: Path) -> "AbstractAsyncContextManager[Running]":
        own = read_settings(**options.as_settings() | {"data_dir": data_dir, "systems_dir": systems_dir})
        return Runtime.open(own)

    return open_runtime


def _bench_table(result: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table("", *[name.replace("_", " ") for name in result["ours"][0]])
    for side in ("ours", "plain"):
        for row in result[side]:
            table.add_row(side, *[str(value) for value in row.values()])
    return table
