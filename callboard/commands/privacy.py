"""`callboard erase`, `export`, `hold` and `erasures`: what a person may ask of us, and the proof that it was done."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from callboard.commands.asking import ask
from callboard.output import NOT_AS_IT_SHOULD, USAGE, JsonOption, show

if TYPE_CHECKING:  # Rich takes time to import that help needn't spend.
    from rich.table import Table

Customer = Annotated[str, typer.Option("--customer", metavar="ID", help="The customer's id in the systems of record.")]
Reference = Annotated[str, typer.Option(help="A ticket's number or the like. It stays on record; nothing personal.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("erase")(erase)
    app.command("export")(export)
    erasures = typer.Typer(help="Erasures and their receipts.", no_args_is_help=True)
    erasures.command("list")(list_erasures)
    erasures.command("purge")(purge)
    erasures.command("check")(check_receipt)
    app.add_typer(erasures, name="erasures")
    holds = typer.Typer(help="Duties to keep somebody's records.", no_args_is_help=True)
    holds.command("place")(place_hold)
    holds.command("list")(list_holds)
    holds.command("release")(release_hold)
    app.add_typer(holds, name="hold")


def erase(
    context: typer.Context,
    customer: Customer,
    now: Annotated[
        bool, typer.Option("--now", help="Leave no byte in any file before this ends, instead of by the deadline.")
    ] = False,
    reason: Annotated[
        Literal["requested", "consent_withdrawn", "unlawful", "retention"], typer.Option(help="Why.")
    ] = "requested",
    reference: Reference = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask back in a terminal.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a person: out of every context at once, their last byte by the deadline. It can't be undone."""
    if not (yes or as_json) and sys.stdin.isatty():
        typer.confirm(f"Erase everything of customer {customer}? It can't be undone.", abort=True)
    body = {"reason": reason, "reference": reference, "now": now}
    done = ask(context, lambda api: api.post(f"/v1/customers/{customer}/erasure", body))
    show(done, as_json=as_json, view=lambda: _erasure_card(done))


def export(
    context: typer.Context,
    customer: Customer,
    output: Annotated[
        Path | None, typer.Option(help="A file to write, readable by you alone; else it is printed.")
    ] = None,
) -> None:
    """Give a person their data in readable JSON: conversations, cases with all reasons, consents."""
    found = ask(context, lambda api: api.get(f"/v1/customers/{customer}/export"))
    text = json.dumps(found, indent=2, ensure_ascii=False)
    if output is None:
        typer.echo(text)
        return
    output.touch(mode=0o600)
    output.write_text(text + "\n", encoding="utf-8")
    typer.echo(f"{output}: {len(found['conversations'])} conversations, {len(found['cases'])} cases.")


def list_erasures(context: typer.Context, as_json: JsonOption = False) -> None:
    """List erasures, the latest first. They name nobody."""
    found = ask(context, lambda api: api.get("/v1/erasures"))
    show(found, as_json=as_json, view=lambda: _erasures_table(found["erasures"]))


def purge(context: typer.Context, as_json: JsonOption = False) -> None:
    """Purge now what erasures have left in files, before their deadline."""
    found = ask(context, lambda api: api.post("/v1/erasures/purge"))
    show(found, as_json=as_json, view=lambda: _erasures_table(found["erasures"]))


def check_receipt(
    file: Annotated[Path, typer.Argument(help="A receipt: statement, signature and public key as JSON.", exists=True)],
    public_key: Annotated[str | None, typer.Option(help="The key that must have signed it, base64.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the signature of an erasure's receipt; needs no running Callboard. Exit code 1 if it isn't genuine."""
    from rich.text import Text

    from memory.signing import is_genuine

    try:
        given = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        given = None
    if isinstance(given, dict) and isinstance(given.get("receipt"), dict):
        given = given["receipt"]
    if not isinstance(given, dict) or "statement" not in given:
        typer.echo(f"{file} holds no receipt; give what `callboard erase --json` printed.", err=True)
        raise typer.Exit(USAGE)
    genuine = is_genuine(given, public_key=public_key)
    result = {"genuine": genuine, "statement": given["statement"], "public_key": given.get("public_key")}
    words = "Genuine." if genuine else "NOT GENUINE: the statement is not what was signed."
    show(result, as_json=as_json, view=lambda: Text(words, style="green" if genuine else "red"))
    if not genuine:
        raise typer.Exit(NOT_AS_IT_SHOULD)


def place_hold(
    context: typer.Context,
    customer: Customer,
    reference: Annotated[str, typer.Option(help="The proceeding's or order's number. Nothing personal.")],
    as_json: JsonOption = False,
) -> None:
    """Forbid a person's erasure until the hold is released."""
    held = ask(context, lambda api: api.post(f"/v1/customers/{customer}/hold", {"reference": reference}))
    show(held, as_json=as_json, view=lambda: _holds_table([held]))


def list_holds(context: typer.Context, as_json: JsonOption = False) -> None:
    """List holds, released ones too. They name nobody."""
    found = ask(context, lambda api: api.get("/v1/holds"))
    show(found, as_json=as_json, view=lambda: _holds_table(found["holds"]))


def release_hold(
    context: typer.Context, hold_id: Annotated[str, typer.Argument(metavar="HOLD")], as_json: JsonOption = False
) -> None:
    """End a hold."""
    released = ask(context, lambda api: api.post(f"/v1/holds/{hold_id}/release"))
    show(released, as_json=as_json, view=lambda: _holds_table([released]))


def _erasure_card(erasure: dict[str, Any]) -> "Table":
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("erasure", erasure["erasure_id"])
    table.add_row("out of every context", _moment(erasure["at"]))
    if erasure["purged_at"]:
        table.add_row("no byte left", _moment(erasure["purged_at"]))
    else:
        table.add_row("no byte left by", _moment(erasure["purge_by"]))
    removed = [f"{count} {table}" for table, count in erasure["removed"].items()]
    table.add_row("rows removed", ", ".join(removed) or "none: nothing was on record")
    if erasure["receipt"]:
        table.add_row("receipt", "signed; callboard erasures list --json shows it")
    return table


def _erasures_table(erasures: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table("erasure", "at", "reason", "rows", "purged")
    for one in erasures:
        rows = str(sum(one["removed"].values()))
        purged = _moment(one["purged_at"]) if one["purged_at"] else f"by {_moment(one['purge_by'])}"
        table.add_row(one["erasure_id"][:16], _moment(one["at"]), one["reason"], rows, purged)
    return table


def _holds_table(holds: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table("hold", "reference", "since", "released")
    for one in holds:
        released = _moment(one["released_at"]) if one["released_at"] else "stands"
        table.add_row(one["hold_id"], one["reference"], _moment(one["at"]), released)
    return table


def _moment(text: str) -> str:
    return f"{text[:10]} {text[11:16]}"
