"""How a command prints: for people with rich, or one JSON document for programs; and how it fails."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:  # Rich takes time to import that `--json` needn't spend.
    from rich.console import RenderableType

EXIT_CODES = """\
Exit codes: 0 done; 1 what was looked at is not as it should be; 2 wrong usage; 3 Callboard can't start or be reached;
4 Callboard refused; 5 an error of Callboard's own."""

DONE, NOT_AS_IT_SHOULD, USAGE, CANT_START, REFUSED, OWN_ERROR = range(6)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@dataclass(frozen=True, slots=True)
class Options:
    """What was given before the command's name."""

    data_dir: str | None = None
    playbook: str | None = None

    def as_settings(self) -> dict[str, object]:
        """For `read_settings`."""
        return {"data_dir": self.data_dir, "playbook": self.playbook}


def show(data: Any, *, as_json: bool, view: "Callable[[], RenderableType]") -> None:
    """Print a result."""
    if as_json:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    Console().print(view())


def show_error(kind: str, message: str, *, as_json: bool) -> None:
    """Print why a command failed: a sentence on stderr, or a JSON document where one was asked for."""
    if as_json:
        typer.echo(json.dumps({"error": {"kind": kind, "message": message}}, ensure_ascii=False))
    else:
        typer.secho(message, err=True, fg=typer.colors.RED)
