"""`callboard approvals`, `case`, `audit` and `keys`: what is on record, asked of the API of whoever holds it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from callboard.output import DONE, NOT_AS_IT_SHOULD, USAGE, JsonOption, Options, show

if TYPE_CHECKING:  # Imported by the commands themselves when they run; help needs none of it.
    from callboard.connection import Api

ApprovalId = Annotated[str, typer.Argument(metavar="APPROVAL")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    approvals = typer.Typer(help="What waits for a person.", no_args_is_help=True)
    approvals.command("list")(list_approvals)
    approvals.command("show")(show_approval)
    approvals.command("decide")(decide)
    approvals.command("withdraw")(withdraw)
    approvals.command("claim")(claim)
    approvals.command("release")(release)
    approvals.command("measures")(show_measures)
    app.add_typer(approvals, name="approvals")
    case = typer.Typer(help="What happened in a case.", no_args_is_help=True)
    case.command("show")(show_case)
    app.add_typer(case, name="case")
    audit = typer.Typer(help="The audit trail.", no_args_is_help=True)
    audit.command("verify")(verify_audit)
    app.add_typer(audit, name="audit")
    keys = typer.Typer(help="API keys.", no_args_is_help=True)
    keys.command("create")(create_key)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke_key)
    app.add_typer(keys, name="keys")


def list_approvals(
    context: typer.Context,
    status: Annotated[str, typer.Option(help='Only those in this state; "any" for all.')] = "pending",
    queue: Annotated[str | None, typer.Option(help="Only those of this queue.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List approvals, the first to expire first."""
    from callboard.terminal import approvals_table

    async def work(api: "Api") -> list[Any]:
        found: list[Any] = []
        after = None
        while True:
            page = await api.get(
                "/v1/approvals", status=None if status == "any" else status, queue=queue, limit=200, after=after
            )
            found += page["approvals"]
            after = page["next"]
            if after is None:
                return found

    found = ask(context, work)
    show({"approvals": found}, as_json=as_json, view=lambda: approvals_table(found))


def show_approval(context: typer.Context, approval_id: ApprovalId, as_json: JsonOption = False) -> None:
    """Show one approval with all that is needed to decide it."""
    from callboard.terminal import approval_card

    approval = ask(context, lambda api: api.get(f"/v1/approvals/{approval_id}"))
    show(approval, as_json=as_json, view=lambda: approval_card(approval))


def decide(
    context: typer.Context,
    approval_id: ApprovalId,
    answer: Annotated[Literal["approve", "edit", "reject", "respond"], typer.Argument()],
    message: Annotated[
        str, typer.Option("--message", "-m", help="Why; or, to respond, what the customer is told.")
    ] = "",
    arguments: Annotated[
        str | None, typer.Option(help="To edit: all arguments as they shall run, as a JSON object.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="The version that you saw; another one is refused.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer an approval, and wait a moment for what follows."""
    import json

    from callboard.commands.deciding import decide_and_wait
    from callboard.terminal import approval_card

    given: dict[str, Any] = {"answer": answer, "message": message}
    if version is not None:
        given["version"] = version
    if arguments is not None:
        try:
            given["arguments"] = json.loads(arguments)
        except ValueError:
            raise typer.BadParameter("--arguments takes a JSON object.") from None
    elif answer == "edit":
        raise typer.BadParameter("To edit, give --arguments.")
    approval = ask(context, lambda api: decide_and_wait(api, approval_id, given))
    show(approval, as_json=as_json, view=lambda: approval_card(approval))


def withdraw(
    context: typer.Context,
    approval_id: ApprovalId,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why; it stands in the record.")],
    as_json: JsonOption = False,
) -> None:
    """Take a waiting request back, because the customer changed their mind."""
    from callboard.terminal import approval_card

    approval = ask(context, lambda api: api.post(f"/v1/approvals/{approval_id}/withdraw", {"reason": reason}))
    show(approval, as_json=as_json, view=lambda: approval_card(approval))


def claim(context: typer.Context, approval_id: ApprovalId, as_json: JsonOption = False) -> None:
    """Take an approval in hand for a while: nobody else decides it then. Again, to hold it longer."""
    from callboard.terminal import approval_card

    approval = ask(context, lambda api: api.post(f"/v1/approvals/{approval_id}/claim"))
    show(approval, as_json=as_json, view=lambda: approval_card(approval))


def release(context: typer.Context, approval_id: ApprovalId, as_json: JsonOption = False) -> None:
    """Give your claim back."""
    from callboard.terminal import approval_card

    approval = ask(context, lambda api: api.post(f"/v1/approvals/{approval_id}/claim/release"))
    show(approval, as_json=as_json, view=lambda: approval_card(approval))


def show_measures(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="Only answers from this moment on, ISO 8601 with a zone.")] = None,
    until: Annotated[str | None, typer.Option(help="Only answers before it.")] = None,
    reviewer: Annotated[str | None, typer.Option(help="Only theirs.")] = None,
    action: Annotated[str | None, typer.Option(help="Only on this tool.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show how approvals are answered: time to decide, share approved, edits; by reviewer and action."""
    from callboard.terminal import measures_table

    found = ask(
        context,
        lambda api: api.get("/v1/approvals/measures", since=since, until=until, reviewer=reviewer, action=action),
    )
    show(found, as_json=as_json, view=lambda: measures_table(found["measures"]))


def show_case(
    context: typer.Context, case_id: Annotated[str, typer.Argument(metavar="CASE")], as_json: JsonOption = False
) -> None:
    """Show a case: timeline, decisions with their reasons, receipts, approvals, handoff bundles."""
    from callboard.terminal import case_view

    case = ask(context, lambda api: api.get(f"/v1/cases/{case_id}"))
    show(case, as_json=as_json, view=lambda: case_view(case))


def verify_audit(context: typer.Context, as_json: JsonOption = False) -> None:
    """Recompute every audit chain; exit code 1 if one doesn't hold."""
    from rich.text import Text

    report = ask(context, lambda api: api.get("/v1/audit/verify"))
    counted = f"{report['entries']} entries in {report['chains']} chains"
    lines = [f"Whole: {counted}."] if report["ok"] else [f"NOT WHOLE: {counted}.", *report["problems"]]
    show(report, as_json=as_json, view=lambda: Text("\n".join(lines), style="green" if report["ok"] else "red"))
    raise typer.Exit(DONE if report["ok"] else NOT_AS_IT_SHOULD)


def create_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The person or program; the same name for all keys of one person.")],
    role: Annotated[Literal["bot", "reviewer", "supervisor", "evaluator", "admin"], typer.Option()],
    limit: Annotated[
        list[str] | None,
        typer.Option(help="Highest amount they may approve, in minor units: EUR:50000. None for no limit."),
    ] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(help="A tool they may decide on, with a limit of its own: refund_order:EUR:50000. None for all."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make an API key. It is shown this once."""
    from rich.text import Text

    body = {
        "name": name,
        "role": role,
        "limits": read_limits(limit) if limit else None,
        "actions": read_actions(action) if action else None,
    }
    made = ask(context, lambda api: api.post("/v1/keys", body))
    show(
        made, as_json=as_json, view=lambda: Text(f"{made['key']}\nKeep it: it is not shown again. Id: {made['key_id']}")
    )


def list_keys(context: typer.Context, as_json: JsonOption = False) -> None:
    """List API keys, revoked ones too."""
    from callboard.terminal import keys_table

    found = ask(context, lambda api: api.get("/v1/keys"))
    show(found, as_json=as_json, view=lambda: keys_table(found["keys"]))


def revoke_key(
    context: typer.Context,
    key_id: Annotated[str | None, typer.Argument(metavar="KEY_ID")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="All demo keys.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End a key, for good and at once."""
    from callboard.terminal import keys_table

    if (key_id is None) != demo:
        typer.echo("Give a key's id, or --demo for all demo keys.", err=True)
        raise typer.Exit(USAGE)

    async def work(api: "Api") -> list[Any]:
        ids = [key_id]
        if demo:
            known = (await api.get("/v1/keys"))["keys"]
            ids = [key["key_id"] for key in known if key["demo"] and key["revoked_at"] is None]
        return [await api.delete(f"/v1/keys/{one}") for one in ids]

    ended = ask(context, work)
    show({"keys": ended}, as_json=as_json, view=lambda: keys_table(ended))


def read_limits(given: list[str]) -> dict[str, int]:
    """Amounts like "EUR:50000", by currency."""
    limits = {}
    for one in given:
        currency, _, amount = one.partition(":")
        if not (len(currency) == 3 and currency.isascii() and currency.isupper() and amount.isdecimal()):
            raise typer.BadParameter(f"{one} is no limit; write EUR:50000 for 500.00 EUR.")
        limits[currency] = int(amount)
    return limits


def read_actions(given: list[str]) -> dict[str, dict[str, int] | None]:
    """Tools like "cancel_order", or with a limit "refund_order:EUR:50000", several times for several currencies."""
    actions: dict[str, dict[str, int] | None] = {}
    for one in given:
        tool, _, limit = one.partition(":")
        known = actions.get(tool) or {}
        actions[tool] = {**known, **read_limits([limit])} if limit else (known or None)
    return actions


def ask(context: typer.Context, work: "Callable[[Api], Awaitable[Any]]") -> Any:
    """Reach Callboard, do the work, and leave."""
    from callboard.connection import connect
    from callboard.settings import read_settings

    options: Options = context.obj

    async def run() -> Any:
        async with connect(read_settings(**options.as_settings())) as api:
            return await work(api)

    return asyncio.run(run())
