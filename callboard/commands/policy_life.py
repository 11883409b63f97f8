"""`callboard policy draft | shadow | approve | activate | rollback | history`: the life of a change of policies."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.commands.asking import ask
from callboard.output import JsonOption, show

if TYPE_CHECKING:  # Rich takes time to import that `--json` needn't spend.
    from rich.console import RenderableType

Version = Annotated[str, typer.Argument(metavar="HASH", help="The version's hash, or its first eight letters.")]


def register(policy: typer.Typer) -> None:
    """Add the commands."""
    policy.command("draft")(draft)
    policy.command("shadow")(shadow)
    policy.command("approve")(approve)
    policy.command("activate")(activate)
    policy.command("rollback")(roll_back)
    policy.command("history")(history)


def draft(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A playbook's folder, or one with policy files.")],
    note: Annotated[str, typer.Option(help="Why it is changed, for whoever approves.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Store the policies of a folder as a draft, by the hash of their content."""
    from policies.contents import read_content

    body: dict[str, Any] = {**read_content(directory).as_json(), "note": note}
    version = ask(context, lambda api: api.post("/v1/policies", body))
    following = f"Next: callboard policy backtest --version {version['hash'][:12]}"
    show(version, as_json=as_json, view=lambda: _text(f"Draft {version['hash']}.", following))


def shadow(context: typer.Context, version: Version, as_json: JsonOption = False) -> None:
    """Let a version that was backtested decide beside the one in force; nothing follows from what it says."""
    found = ask(context, lambda api: api.post(f"/v1/policies/{version}/shadow"))
    show(found, as_json=as_json, view=lambda: _text(f"{found['hash'][:12]} decides in the shadow."))


def approve(context: typer.Context, version: Version, as_json: JsonOption = False) -> None:
    """Say yes to a version that somebody else drafted; wants the role supervisor."""
    found = ask(context, lambda api: api.post(f"/v1/policies/{version}/approve"))
    words = f"{found['hash'][:12]} is approved, after {found['flipped']} flips in {found['shadowed']} decisions."
    show(found, as_json=as_json, view=lambda: _text(words))


def activate(
    context: typer.Context,
    version: Version,
    starts_at: Annotated[datetime | None, typer.Option("--from", help="From when, UTC; at once when left out.")] = None,
    share: Annotated[int, typer.Option(min=1, max=100, help="For so many percent of the cases.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Bring an approved version into force."""
    moment = starts_at.replace(tzinfo=UTC).isoformat() if starts_at else None
    found = ask(
        context, lambda api: api.post(f"/v1/policies/{version}/activate", {"starts_at": moment, "share": share})
    )
    show(found, as_json=as_json, view=lambda: _history(found))


def roll_back(context: typer.Context, as_json: JsonOption = False) -> None:
    """End the latest activation; the version before it is in force again, at once."""
    found = ask(context, lambda api: api.post("/v1/policies/rollback"))
    show(found, as_json=as_json, view=lambda: _history(found))


def history(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show what is in force, every version and what it decided, and every step with who and when."""
    found = ask(context, lambda api: api.get("/v1/policies"))
    show(found, as_json=as_json, view=lambda: _history(found))


def _history(found: dict[str, Any]) -> "RenderableType":
    lines = ["In force, the first that applies to a case:"]
    now = datetime.now(UTC)
    replaced = False
    for term in found["in_force"]:
        share = "all cases" if term["share"] == 100 else f"{term['share']} % of the cases"
        note = ", replaced; a rollback returns to it" if replaced else ""
        lines.append(f"  {term['hash'][:12]}  {share}, from {term['starts_at'][:16].replace('T', ' ')} UTC{note}")
        replaced = replaced or (term["share"] == 100 and datetime.fromisoformat(term["starts_at"]) <= now)
    lines.append("Versions:")
    for one in found["versions"]:
        flips = f", {one['flipped']} flips in {one['shadowed']} shadow decisions" if one["shadowed"] else ""
        lines.append(
            f"  {one['hash'][:12]}  {one['state']}, {_origin(one['drafted_by'])}, made {one['decisions']} decisions"
            f"{flips}  {one['note']}".rstrip()
        )
    lines.append("Steps:")
    lines += [
        f"  {step['at'][:19]}  {step['kind']:<12} {step['hash'][:12]}  by {step['details'].get('by', '')}"
        for step in found["events"]
    ]
    return _text(*lines)


def _origin(drafted_by: str) -> str:
    return "from the playbook's files" if drafted_by == "adopted" else f"drafted by {drafted_by}"


def _text(*lines: str) -> "RenderableType":
    from rich.text import Text

    return Text("\n".join(lines))
