"""`callboard serve` and `callboard worker`: the API on a socket, and what runs turns beside it."""

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.output import Options

if TYPE_CHECKING:  # Imported by the command itself when it runs; help needs none of it.
    from callboard.api.access import Role


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(worker)


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address. [CALLBOARD_HOST, default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one. [CALLBOARD_PORT, default: 8080]")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Make demo keys and say what to try. Development only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Announce as one line of JSON.")] = False,
) -> None:
    """Serve the API until it is stopped."""
    # The floors below take seconds to import: only for those who serve.
    from callboard.serve import serve as serve_until_stopped
    from callboard.settings import read_settings

    options: Options = context.obj
    settings = read_settings(**options.as_settings(), host=host, port=port)

    def announce(url: str, keys: "Mapping[Role, str]") -> None:
        typer.echo(announcement(url, keys) if as_json else welcome(url, keys))

    asyncio.run(serve_until_stopped(settings, demo=demo, announce=announce))


def worker(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Announce as one line of JSON.")] = False,
) -> None:
    """Run turns that servers take, on their Postgres database, until it is stopped. Any number may run."""
    # The floors below take seconds to import: only for those who work.
    import os

    from callboard.serve import work as work_until_stopped
    from callboard.settings import read_settings

    options: Options = context.obj
    settings = read_settings(**options.as_settings())

    def announce() -> None:
        said = {"pid": os.getpid(), "turns": settings.worker_turns}
        typer.echo(
            json.dumps(said)
            if as_json
            else f"Callboard works, up to {settings.worker_turns} turns at once. Stop it with Ctrl-C."
        )

    asyncio.run(work_until_stopped(settings, announce=announce))


def announcement(url: str, keys: "Mapping[Role, str]") -> str:
    """For programs."""
    return json.dumps({"url": url, "keys": dict(keys)})


def welcome(url: str, keys: "Mapping[Role, str]") -> str:
    """For people: where it is, and lines to paste."""
    lines = [f"Callboard serves on {url}. Stop it with Ctrl-C."]
    if not keys:
        return "\n".join([*lines, "Make keys with: callboard keys create NAME --role bot"])
    exports = [f"export {role.upper()}={key}" for role, key in keys.items() if role in ("bot", "reviewer")]
    return "\n".join(
        [
            *lines,
            "",
            "Demo keys, for this data directory and development only:",
            *(f"  {role:<11}{key}" for role, key in keys.items()),
            "",
            "Try it, in another terminal:",
            "",
            *exports,
            f"export CALLBOARD={url}",
            "",
            TRY_STATUS,
            "",
            "A refund that needs a person's approval:",
            "",
            TRY_REFUND,
            "",
            "Or talk to it: callboard chat    (with make: .venv/bin/callboard chat)",
        ]
    )


TRY_STATUS = """\
curl -s $CALLBOARD/v1/conversations/hello/messages -H "Authorization: Bearer $BOT" \\
  --json '{"message_id": "1", "text": "Where is my order 20731?"}'; echo
curl -s $CALLBOARD/v1/conversations/hello/messages -H "Authorization: Bearer $BOT" \\
  --json '{"message_id": "2", "text": "jonas.lindqvist@example.org, 411 24"}'; echo"""
TRY_REFUND = """\
n=0
for text in "I sent order 20418 back and want my money" "mira.okafor@example.org, 10435" "Yes, please"; do
  n=$((n + 1))
  curl -s $CALLBOARD/v1/conversations/refund/messages -H "Authorization: Bearer $BOT" \\
    --json "{\\"message_id\\": \\"$n\\", \\"text\\": \\"$text\\"}"; echo
done
ID=$(curl -s "$CALLBOARD/v1/approvals?status=pending" -H "Authorization: Bearer $REVIEWER" \\
  | grep -o 'apr-[^"]*' | head -1)
curl -s $CALLBOARD/v1/approvals/$ID/decision -H "Authorization: Bearer $REVIEWER" --json '{"answer": "approve"}'; echo
sleep 1
curl -s $CALLBOARD/v1/conversations/refund -H "Authorization: Bearer $BOT"; echo"""
