"""`callboard eval conformance`: how far a playbook's policies agree with calls that somebody else judged."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.output import JsonOption, Options, show

# Only for types: the command imports what it needs when it runs, so that `callboard --help` stays quick.
if TYPE_CHECKING:
    from rich.console import Group

    from evals.conformance import ConformanceReport


def conformance(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            help="Folder with db.json, gold.jsonl, gold_end_states.jsonl, violations*.jsonl, compliant*.jsonl, "
            "conversations.jsonl; what is absent is left out.",
            exists=True,
            file_okay=False,
        ),
    ],
    playbook: Annotated[
        Path | None, typer.Option(help="Folder of the business; else the one that the settings name.", file_okay=False)
    ] = None,
    details: Annotated[
        Path | None, typer.Option(help="Write every call and what was said of it here, one JSON object a line.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Put gold calls, violations, their legal twins and calls of language models through a playbook's policies."""
    # Slow to import, and needed here only.
    from callboard.settings import read_settings
    from evals.conformance import measure_conformance
    from evals.conformance_rows import read_conformance_set
    from graphs.playbook import load_playbook

    options: Options = context.obj
    rows = read_conformance_set(data)
    loaded = load_playbook(playbook or read_settings(**options.as_settings()).playbook)
    report = asyncio.run(measure_conformance(loaded, rows))
    if details is not None:
        lines = [json.dumps(each.as_json(), ensure_ascii=False) + "\n" for each in report.rows()]
        details.write_text("".join(lines), encoding="utf-8")
    show(report.as_json(), as_json=as_json, view=lambda: _view(report))


def _view(report: "ConformanceReport") -> "Group":
    from rich.console import Group
    from rich.table import Table

    figures = Table(show_header=False, box=None, pad_edge=False)
    found = report.as_json()
    for name, value in found.items():
        if name != "by_rule":
            figures.add_row(name.replace("_", " "), str(value))
    parts = [figures]
    by_rule = found.get("by_rule")
    if isinstance(by_rule, dict):
        table = Table("rule", "stopped", "total", "right rule")
        for rule, counts in by_rule.items():
            if isinstance(counts, dict):
                table.add_row(rule, *[str(counts[name]) for name in ("stopped", "total", "right_rule")])
        parts.append(table)
    if report.stopped_because:
        reasons = Table("calls of language models stopped by", "")
        for rule, times in report.stopped_because.most_common():
            reasons.add_row(rule, str(times))
        parts.append(reasons)
    return Group(*parts)
