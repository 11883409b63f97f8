"""`callboard chat` and `callboard demo`: conversations in the terminal."""

import asyncio
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.output import NOT_AS_IT_SHOULD, JsonOption, Options

if TYPE_CHECKING:  # Imported by the commands themselves when they run; help needs none of it.
    from callboard.chatting import Event


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(chat)
    app.command()(demo)


def chat(
    context: typer.Context,
    conversation: Annotated[str | None, typer.Option(help="Go on with this conversation.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as one line of JSON.")] = False,
) -> None:
    """Talk to it. Approvals can be answered in between: /approve, /reject; /help lists all."""
    import uuid

    from callboard.chatting import Chat
    from callboard.connection import connect
    from callboard.settings import read_settings

    options: Options = context.obj

    async def run() -> None:
        async with connect(read_settings(**options.as_settings())) as api:
            talk = Chat(api, conversation or f"chat-{uuid.uuid4().hex[:8]}", lambda: uuid.uuid4().hex)
            if not as_json:
                typer.echo(f"Conversation {talk.conversation_id}. Write as the customer; /help for more, /quit to end.")
            while (line := await asyncio.to_thread(_read_line)) is not None:
                if line.strip() in ("/quit", "/exit"):
                    return
                for event in await talk.take(line):
                    _show(event, as_json=as_json)

    asyncio.run(run())


def demo(
    context: typer.Context,
    keep: Annotated[
        Path | None, typer.Option(help="Keep records and systems of record in this new directory.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Play three conversations to the end; exit code 1 if one ends otherwise than it should.

    In a directory of its own, or on the Postgres database and the data directory of the settings, which must be fresh.
    With OPENAI_API_KEY set they are played with that model, without one locally.
    """
    import tempfile
    import uuid
    from datetime import UTC, datetime

    from rich.console import Console

    from callboard.demo import Audience, demo_settings, play
    from callboard.errors import SettingsInvalid
    from callboard.settings import DEFAULT_PLAYBOOK, read_settings
    from callboard.stage import StageLight
    from policies.sentences import format_money
    from policies.words import Money

    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise SettingsInvalid(f"{keep} is not empty; the demo wants a directory of its own.")
    console = Console()
    options: Options = context.obj
    given = read_settings(**options.as_settings())
    if keep is not None and given.postgres_url:
        raise SettingsInvalid("On Postgres the demo keeps everything in the database and the data directory anyway.")
    with ExitStack() as stack:
        if given.postgres_url:
            directory = given.data_dir
        else:
            directory = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callboard-demo-")))
        played = asyncio.run(
            play(
                demo_settings(directory, Path(options.playbook) if options.playbook else DEFAULT_PLAYBOOK),
                clock=lambda: datetime.now(UTC),
                new_id=lambda: uuid.uuid4().hex,
                audience=Audience() if as_json else StageLight(console),
            )
        )
    as_planned = all(one.ended_as_planned for one in played)
    if as_json:
        typer.echo(json.dumps({"conversations": [one.as_json() for one in played]}, indent=2, ensure_ascii=False))
    else:
        console.print()
        console.print("What the payments system itself holds now:", style="bold")
        for one in played:
            count, total = one.refunds_booked["count"], Money(one.refunds_booked["amount_minor"], one.currency)
            booked = f"{count} × refunded, {format_money(total)} in all" if count else "nothing refunded"
            ended = "" if one.ended_as_planned else "; the conversation did NOT end as planned"
            console.print(f"  {one.scene.customer}: {booked}{ended}", highlight=False)
        turns = [turn for one in played for turn in one.turns]
        if calls := sum(turn["model_calls"] for turn in turns):
            models = sorted({name for turn in turns for name in turn["answered_by"] if name.startswith("chat:")})
            tokens = sum(turn["model_tokens"] for turn in turns)
            console.print(f"  Models: {', '.join(models) or 'none answered'}, {calls} calls, {tokens:,} tokens.")
        if as_planned:
            console.print("All three conversations ended as planned.", style="green")
    if not as_planned:
        raise typer.Exit(NOT_AS_IT_SHOULD)


def _read_line() -> str | None:
    """The next line of the customer; None at the end."""
    if sys.stdin.isatty():
        try:
            return input("> ")
        except EOFError:
            return None
    return sys.stdin.readline() or None


def _show(event: "Event", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"kind": event.kind, **event.data}, ensure_ascii=False))
        return
    from rich.console import Console

    from callboard.terminal import approval_card, approvals_table, said

    console = Console()
    match event.kind:
        case "said":
            author = "Callboard" if event.data["author"] == "assistant" else "A person"
            console.print(said(author, event.data["text"], outcome=event.data["outcome"]))
        case "approvals":
            console.print(approvals_table(event.data["approvals"]))
            if event.data["approvals"]:
                console.print("Answer as a reviewer: /approve, /reject why, /respond text", style="dim", markup=False)
        case "approval":
            console.print(approval_card(event.data, brief=True))
        case "refused":
            console.print(event.data.get("detail") or event.data.get("title"), style="red", markup=False)
        case "note":
            console.print(event.data["text"], style="dim", markup=False)
