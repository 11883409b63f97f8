"""`callboard policy decide | explain | diff | backtest`: what policies say, and what others would say instead."""

import asyncio
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

import typer

from callboard.commands import policy_life
from callboard.commands.asking import ask
from callboard.output import DONE, NOT_AS_IT_SHOULD, USAGE, JsonOption, Options, show

if TYPE_CHECKING:  # Imported by the commands themselves when they run; help needs none of it.
    from callboard.connection import Api

PlaybookOption = Annotated[
    Path | None, typer.Option("--playbook", help="Folder of the business; that of the settings when not given.")
]
FactsOption = Annotated[
    Literal["recorded", "live"],
    typer.Option(help="live: facts that a request doesn't state are read from the playbook's systems of record."),
]
SystemsOption = Annotated[
    Path | None, typer.Option(help="Where the systems of record are; the playbook's fixtures when not given.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    policy = typer.Typer(help="What policies say, and how they change.", no_args_is_help=True)
    policy.command("decide")(decide)
    policy.command("explain")(explain)
    policy.command("diff")(diff)
    policy.command("backtest")(backtest)
    policy_life.register(policy)
    app.add_typer(policy, name="policy")


def decide(
    context: typer.Context,
    requests: Annotated[Path, typer.Option("--in", help="JSON lines, one request each; - for stdin.")],
    decisions: Annotated[Path, typer.Option("--out", help="JSON lines, one decision each, in order; - for stdout.")],
    playbook: PlaybookOption = None,
    facts: FactsOption = "live",
    systems: SystemsOption = None,
) -> None:
    """Judge a file of requests. A line that can't be used is denied with an error, and the rest goes on."""
    from evals.courts import open_court
    from evals.request_lines import lines_of

    async def run() -> None:
        opening = open_court(_folder(context, playbook), facts_from=facts, systems=systems, now=datetime.now(UTC))
        async with opening as court:
            with _reading(requests) as given, _writing(decisions) as taken:
                async for answer in court.decide(lines_of(given)):
                    taken.write(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    if str(requests) != "-" and not requests.is_file():
        typer.echo(f"There is no file {requests}.", err=True)
        raise typer.Exit(USAGE)
    asyncio.run(run())


def explain(
    context: typer.Context,
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="A stored request's id, or a request as JSON.")],
    playbook: PlaybookOption = None,
    facts: FactsOption = "live",
    systems: SystemsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what was decided on a request, or would be, and why: rules, facts, what comes with it."""
    from rich.text import Text

    if request.lstrip().startswith("{"):
        found = asyncio.run(_explain_line(_folder(context, playbook), request, facts, systems))
    else:
        found = ask(context, lambda api: api.get(f"/v1/requests/{request}/decisions"))
    text = "\n\n".join(f"{one['phase']}, {one['at']}\n{one['explanation']}" for one in found["decisions"])
    show(found, as_json=as_json, view=lambda: Text(text or "Nothing was decided on it."))


def diff(
    context: typer.Context,
    one: Annotated[str, typer.Argument(metavar="A", help="A playbook's folder, or a stored version's hash.")],
    other: Annotated[str, typer.Argument(metavar="B", help="The same, for what it is compared with.")],
    as_json: JsonOption = False,
) -> None:
    """Say in words what differs between two sets of policies; exit code 1 if anything does."""
    from rich.text import Text

    if Path(one).is_dir() and Path(other).is_dir():
        found = _compare_folders(Path(one), Path(other))
    else:
        hashes = {"one": one, "other": other}
        found = ask(context, lambda api: api.get("/v1/policies/diff", **hashes))["differences"]
    lines = [f"{each['subject']}: {sentence}" for each in found for sentence in each["sentences"]]
    text = "\n".join(lines) or "They say the same."
    show({"differences": found}, as_json=as_json, view=lambda: Text(text))
    raise typer.Exit(NOT_AS_IT_SHOULD if found else DONE)


def backtest(
    context: typer.Context,
    candidate: Annotated[
        Path | None, typer.Option(help="A playbook's folder, or one with policy files; nothing is stored.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="A drafted version's hash; the result is kept with it.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only decisions since then, UTC.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay the recorded decisions under other policies: what would flip, by which rule, with how much money."""
    from callboard.policy_words import backtest_lines
    from policies.contents import read_content

    if (candidate is None) == (version is None):
        typer.echo("Give either --candidate DIR or --version HASH.", err=True)
        raise typer.Exit(USAGE)
    moment = since.replace(tzinfo=UTC).isoformat() if since else None

    async def work(api: "Api") -> dict[str, Any]:
        if candidate is not None:
            content: dict[str, Any] = dict(read_content(candidate).as_json())
            return await api.post("/v1/policies/backtest", {**content, "since": moment})
        query = f"?since={moment.replace('+', '%2B')}" if moment else ""
        return await api.post(f"/v1/policies/{version}/backtest{query}")

    from rich.text import Text

    report = ask(context, work)
    show(report, as_json=as_json, view=lambda: Text("\n".join(backtest_lines(report))))


def _folder(context: typer.Context, playbook: Path | None) -> Path:
    """The playbook's folder: as given here, before the command, or by the settings."""
    from callboard.settings import read_settings

    options: Options = context.obj
    return playbook or read_settings(**options.as_settings()).playbook


async def _explain_line(
    folder: Path, line: str, facts: Literal["recorded", "live"], systems: Path | None
) -> dict[str, Any]:
    from evals.courts import open_court
    from evals.request_lines import read_line
    from policies.explanation import explain as in_words

    now = datetime.now(UTC)
    async with open_court(folder, facts_from=facts, systems=systems, now=now) as court:
        read = read_line(line.encode(), playbook=court.playbook, now=now)
        decision = await court.judge(read)
    one = {
        "phase": "asked",
        "at": read.situation.now.isoformat(),
        "effect": decision.effect.value,
        "rules": [*decision.rules],
        "policy_version": decision.policy_version,
        "shadow": None,
        "explanation": in_words(decision, read.request),
    }
    return {"id": read.id, "tool": read.request.tool, "decisions": [one]}


def _compare_folders(one: Path, other: Path) -> list[dict[str, Any]]:
    """Two folders; one that holds policy files only is read beside the tools of the other."""
    from graphs.playbook import load_playbook
    from policies.contents import SHEET, read_content
    from policies.differences import differences

    loaded = {each: load_playbook(each) for each in (one, other) if (each / SHEET).is_file()}
    tools = next((each.tools.profiles() for each in loaded.values()), {})
    sets = [
        loaded[each].policies.policies if each in loaded else read_content(each).load(tools) for each in (one, other)
    ]
    return [asdict(each) for each in differences(*sets)]


def _reading(file: Path) -> AbstractContextManager[IO[bytes]]:
    return nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb")


def _writing(file: Path) -> AbstractContextManager[IO[bytes]]:
    return nullcontext(sys.stdout.buffer) if str(file) == "-" else file.open("wb")
