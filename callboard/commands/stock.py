"""`callboard eval stock`: seven abuses of an approval, on the stock stack and on Callboard."""

import asyncio
import sys
from typing import TYPE_CHECKING

import typer

from callboard.commands.fixtures import runtime_factory
from callboard.commands.progress import progress
from callboard.output import NOT_AS_IT_SHOULD, JsonOption, show

if TYPE_CHECKING:  # Only for types: the command imports what it needs when it runs.
    from rich.table import Table

    from evals.stock import StockReport

STYLES = {"held": "green", "partly": "yellow", "failed": "red"}


def stock(context: typer.Context, as_json: JsonOption = False) -> None:
    """Abuse approvals in seven ways, on LangChain's human-in-the-loop middleware and on Callboard.

    Both run in earnest, the stock stack with a fake model and LangGraph's SQLite saver. Exits with 1 if Callboard
    doesn't hold.
    """
    # Slow to import, and needed here only.
    from callboard.settings import DEFAULT_PLAYBOOK
    from evals.stock import ABUSES, compare_with_stock
    from graphs.playbook import load_playbook

    with progress("Abusing", len(ABUSES)) as advance:
        report = asyncio.run(
            compare_with_stock(
                runtime_factory(context),
                playbook=load_playbook(DEFAULT_PLAYBOOK),
                command=[sys.executable, "-m", "callboard.chaos_nursery", str(DEFAULT_PLAYBOOK)],
                on_abuse=advance,
            )
        )
    show(report.as_json(), as_json=as_json, view=lambda: _view(report))
    if not report.ok:
        raise typer.Exit(NOT_AS_IT_SHOULD)


def _view(report: "StockReport") -> "Table":
    from rich.table import Table

    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    table = Table(caption=versions, caption_justify="left", show_lines=True)
    for name in ("abuse", "stock", "Callboard"):
        table.add_column(name, ratio=1)
    for abuse in report.abuses:
        cells = [f"[{STYLES[one.held]}]{one.held}[/]: {one.says}" for one in (abuse.stock, abuse.callboard)]
        table.add_row(abuse.title, *cells)
    return table
