"""`callboard reconciliations`, `receipts`, `events`, `load`: what happened or not, what shall be undone, what waits."""

import json
from typing import Annotated, Any, Literal

import typer

from callboard.commands.records import ask
from callboard.output import JsonOption, show

ReconciliationId = Annotated[str, typer.Argument(metavar="RECONCILIATION")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    reconciliations = typer.Typer(help="Calls of which nobody knows whether they happened.", no_args_is_help=True)
    reconciliations.command("list")(list_reconciliations)
    reconciliations.command("show")(show_reconciliation)
    reconciliations.command("answer")(answer)
    app.add_typer(reconciliations, name="reconciliations")
    receipts = typer.Typer(help="Effects that happened.", no_args_is_help=True)
    receipts.command("undo")(undo)
    app.add_typer(receipts, name="receipts")
    app.command("events")(show_events)
    app.command("load")(show_load)


def list_reconciliations(
    context: typer.Context,
    status: Annotated[str, typer.Option(help='Only those in this state; "any" for all.')] = "open",
    queue: Annotated[str | None, typer.Option(help="Only those of this queue.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List calls of unknown outcome, the longest open first."""
    from callboard.terminal import reconciliations_table

    found = ask(
        context,
        lambda api: api.get("/v1/reconciliations", status=None if status == "any" else status, queue=queue, limit=200),
    )
    show(found, as_json=as_json, view=lambda: reconciliations_table(found["reconciliations"]))


def show_reconciliation(context: typer.Context, item: ReconciliationId, as_json: JsonOption = False) -> None:
    """Show one with what it takes to find out."""
    from callboard.terminal import reconciliation_card

    found = ask(context, lambda api: api.get(f"/v1/reconciliations/{item}"))
    show(found, as_json=as_json, view=lambda: reconciliation_card(found))


def answer(
    context: typer.Context,
    item: ReconciliationId,
    outcome: Annotated[Literal["happened", "did_not_happen"], typer.Argument(metavar="happened|did_not_happen")],
    note: Annotated[str, typer.Option("--note", "-m", help="How you know.")],
    result: Annotated[
        str | None,
        typer.Option(help="If it happened: what the system of record shows for it, as a JSON object."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what came of a call; its conversation goes on from that. Nothing is called again."""
    from callboard.terminal import reconciliation_card

    given: dict[str, Any] = {"answer": outcome, "note": note}
    if result is not None:
        try:
            given["result"] = json.loads(result)
        except ValueError:
            raise typer.BadParameter("--result takes a JSON object.") from None
    elif outcome == "happened":
        raise typer.BadParameter("If it happened, give --result.")
    answered = ask(context, lambda api: api.post(f"/v1/reconciliations/{item}/answer", given))
    show(answered, as_json=as_json, view=lambda: reconciliation_card(answered))


def undo(
    context: typer.Context,
    receipt: Annotated[str, typer.Argument(metavar="RECEIPT")],
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why; it stands in the record.")],
    as_json: JsonOption = False,
) -> None:
    """Have an effect undone: policy judges it, and people where it says so; the case as it stands then."""
    from callboard.terminal import case_view

    case = ask(context, lambda api: api.post(f"/v1/receipts/{receipt}/undo", {"reason": reason}))
    show(case, as_json=as_json, view=lambda: case_view(case))


def show_events(
    context: typer.Context,
    after: Annotated[int, typer.Option(help="Only those after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 200,
    as_json: JsonOption = False,
) -> None:
    """Show what became of approvals and reconciliations, oldest first."""
    from callboard.terminal import events_table

    found = ask(context, lambda api: api.get("/v1/events", after=after, limit=limit))
    show(found, as_json=as_json, view=lambda: events_table(found["events"]))


def show_load(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show how much waits, what is refused, and which business systems are left alone."""
    from callboard.terminal import load_view

    load = ask(context, lambda api: api.get("/v1/load"))
    show(load, as_json=as_json, view=lambda: load_view(load))
