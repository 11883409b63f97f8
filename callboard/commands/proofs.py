"""`callboard playbook check`: whether a playbook is right."""

from pathlib import Path
from typing import Annotated

import typer

from callboard.output import NOT_AS_IT_SHOULD, JsonOption, show


def register(app: typer.Typer) -> None:
    """Add the commands."""
    playbook = typer.Typer(help="Businesses as folders.", no_args_is_help=True)
    playbook.command("check")(check)
    app.add_typer(playbook, name="playbook")


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
