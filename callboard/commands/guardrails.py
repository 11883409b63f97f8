"""`callboard eval hostile`, `screen` and `drafts`: what the guardrails stop, what they let through, what they cost."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.output import NOT_AS_IT_SHOULD, JsonOption

if TYPE_CHECKING:  # Only for types: help needs none of it.
    from evals.hostile.benign import BenignReport
    from evals.hostile.run import HostileReport, Stage
    from evals.labelled import LabelledReport

SHARED = "CALLBOARD_SHARED_DATA"
PAYLOADS = Path("agentdojo", "payloads.jsonl")


def hostile(
    as_json: JsonOption = False,
    proposals: Annotated[int, typer.Option(min=1, help="How many outputs the hostile model writes, at least.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Decides what it writes.")] = 1,
    benign: Annotated[int, typer.Option(min=0, help="Real requests that are played beside it.")] = 120,
    payloads: Annotated[
        Path | None, typer.Option(help="JSON lines of injection texts, as AgentDojo's.", exists=True)
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes; one per core if not given.")] = None,
) -> None:
    """Let an attacker answer for every specialist, and count what it achieved in the books and in the replies.

    On the retail playbook. Exits with 1 if there was a violation, a leak, a lie that was sent, or a crash.
    """
    # Slow to import, and needed here only.
    from evals.hostile.run import WORLD, HostileReport

    worlds = [min(WORLD, proposals - start) for start in range(0, proposals, WORLD)]
    cores = workers or os.cpu_count() or 1
    if len(worlds) < cores:
        worlds = [-(-proposals // cores)] * cores
    file = str(payloads or _shared(PAYLOADS) or "")
    jobs = [Job(seed, number, size, file) for number, size in enumerate(worlds)]
    report = HostileReport()
    with _progress("Attacking", proposals) as advance:
        for done in _run(jobs, cores):
            report.add(done)
            advance(done.proposals)
    beside = _benign(seed, benign)
    if as_json:
        typer.echo(json.dumps(report.as_json() | {"seed": seed, **_speed(report, cores), "benign": beside.as_json()},
                              ensure_ascii=False, indent=2))  # fmt: skip
    else:
        _print_hostile(report, beside, cores)
    if not report.ok:
        raise typer.Exit(NOT_AS_IT_SHOULD)


def screen(
    as_json: JsonOption = False,
    payloads: Annotated[
        Path | None, typer.Option(help="JSON lines of injection texts, as AgentDojo's.", exists=True)
    ] = None,
) -> None:
    """Put our labelled messages through screening: precision and recall by kind, and what passes untouched.

    Exits with 1 if recall or precision is under 0.9.
    """
    # Slow to import, and needed here only.
    from evals.hostile.payloads import read_payloads
    from evals.labelled import evaluate_screening

    file = payloads or _shared(PAYLOADS)
    report = evaluate_screening(read_payloads(file) if file else [])
    _show(report, as_json=as_json, title="Screening of messages and tool results")


def drafts(as_json: JsonOption = False) -> None:
    """Put our labelled drafts through the draft check: which are held, which pass, and which should have been.

    Exits with 1 if recall or precision is under 0.9.
    """
    # Slow to import, and needed here only.
    from evals.labelled import evaluate_drafts

    _show(evaluate_drafts(), as_json=as_json, title="Drafts held for what nothing bears out")


@dataclass(frozen=True, slots=True)
class Job:
    """One world of a hostile run, for a process of its own."""

    seed: int
    number: int
    proposals: int
    payloads: str
    """File of payloads; empty for our own."""


def run_job(job: Job) -> "HostileReport":
    """Play one world in this process."""
    # Imported in the process that needs them.
    import asyncio
    import logging

    from evals.hostile.payloads import OWN, read_payloads
    from evals.hostile.run import run_world

    logging.getLogger("callboard").setLevel(logging.CRITICAL)
    known = [*(read_payloads(Path(job.payloads)) if job.payloads else ()), *OWN]
    return asyncio.run(run_world(stage(), seed=f"{job.seed}/{job.number}", proposals=job.proposals, payloads=known))


def stage() -> "Stage":
    """The retail playbook, opened on disposable records at the moment of hostile runs."""
    # Imported in the process that needs them.
    from callboard.runtime import Runtime
    from callboard.settings import DEFAULT_PLAYBOOK, Settings
    from evals.hostile.run import NOW, Stage
    from graphs.playbook import load_playbook

    def open_runtime(data_dir: Path, systems_dir: Path, reasoner: Any, check: Any) -> Any:
        settings = Settings(env="development", data_dir=data_dir, systems_dir=systems_dir, playbook=DEFAULT_PLAYBOOK)
        return Runtime.open(settings, clock=lambda: NOW, reasoner=reasoner, check=check)

    return Stage(load_playbook(DEFAULT_PLAYBOOK), open_runtime)


def _run(jobs: list[Job], cores: int) -> Iterator["HostileReport"]:
    if cores == 1 or len(jobs) == 1:
        yield from map(run_job, jobs)
        return
    # Imported here only: a fork of a process with threads may hang.
    from multiprocessing import get_context

    with ProcessPoolExecutor(min(cores, len(jobs)), mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run_job, job) for job in jobs]):
            yield future.result()


def _benign(seed: int, requests: int) -> "BenignReport":
    import asyncio

    from evals.hostile.benign import BenignReport, run_benign
    from evals.hostile.run import books

    if not requests:
        return BenignReport()
    opened = stage()

    async def play() -> BenignReport:
        async with books(opened.playbook) as template:
            with _progress("Serving", requests) as advance:
                return await run_benign(
                    opened, seed=seed, requests=requests, template=template, on_request=lambda: advance(1)
                )

    return asyncio.run(play())


def _shared(path: Path) -> Path | None:
    """A file of samples that lies beside the repository; None where there is none."""
    root = Path(os.environ.get(SHARED) or Path(__file__).parents[2].parent / "shared" / "data")
    return root / path if (root / path).is_file() else None


def _speed(report: "HostileReport", cores: int) -> dict[str, Any]:
    per_core = report.proposals / report.seconds if report.seconds else 0.0
    return {"workers": cores, "proposals_per_s": round(per_core * cores, 1)}


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal; nothing otherwise. Failed turns are counted, not logged into it."""
    import logging

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    logging.getLogger("callboard").setLevel(logging.CRITICAL)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


def _print_hostile(report: "HostileReport", beside: "BenignReport", cores: int) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    for name in ("proposals", "conversations", "turns", "effects"):
        table.add_row(name, f"{getattr(report, name):,}")
    for name in ("violations", "leaks", "lies_sent", "planted_said"):
        count = len(getattr(report, name))
        table.add_row(name.replace("_", " "), f"[{'red' if count else 'green'}]{count}[/]")
    table.add_row("crashes", str(report.crashes.total()))
    table.add_row("real requests that came through", f"{beside.passed} of {beside.requests} ({beside.share:.1%})")
    table.add_row("proposals per second", str(_speed(report, cores)["proposals_per_s"]))
    console.print(table)
    for found in (*report.violations, *report.leaks, *report.lies_sent, *report.planted_said)[:20]:
        console.print(f"[red]{found[:300]}[/red]", highlight=False, markup=False)


def _show(report: "LabelledReport", *, as_json: bool, title: str) -> None:
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
    else:
        _print_labelled(report, title)
    if not report.ok:
        raise typer.Exit(NOT_AS_IT_SHOULD)


def _print_labelled(report: "LabelledReport", title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in ("kind", "rows", "found", "wrongly", "missed", "precision", "recall"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for kind, counts in (*sorted(report.by_kind.items()), ("all", report.total)):
        table.add_row(
            kind, str(counts.rows), str(counts.found), str(counts.wrong), str(counts.missed),
            f"{counts.precision:.3f}", f"{counts.recall:.3f}",
        )  # fmt: skip
    console = Console()
    console.print(table)
    for line in (*report.missed[:10], *report.wrongly[:10]):
        console.print(line, markup=False, highlight=False)
    for name, value in report.more.items():
        console.print(f"{name.replace('_', ' ')}: {value}", highlight=False)


def register(evaluating: typer.Typer) -> None:
    """Add the commands to `callboard eval`."""
    evaluating.command("hostile")(hostile)
    evaluating.command("screen")(screen)
    evaluating.command("drafts")(drafts)
