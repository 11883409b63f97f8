"""How things look in a terminal: replies, approvals, cases, handoffs and keys, with rich."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from policies.sentences import format_money
from policies.words import Money

OUTCOME_STYLES = {
    "resolved": "green",
    "replied": "green",
    "scheduled": "green",
    "awaiting_customer": "cyan",
    "awaiting_approval": "yellow",
    "escalated": "magenta",
    "with_person": "magenta",
}
EFFECT_STYLES = {"allow": "green", "require_approval": "yellow", "escalate": "magenta", "deny": "red"}
STATUS_WORDS = {"spent": "approved and used"}
"""Where the record's word says little to people."""
WIDTH = 100
ID_WIDTH = 40
"""An approval's id is pasted into the next command, so it is never broken."""


def said(author: str, text: str, *, outcome: str = "", style: str = "blue") -> RenderableType:
    """One thing that was said, in a panel."""
    subtitle = f"[{OUTCOME_STYLES.get(outcome, 'dim')}]{outcome}[/]" if outcome else None
    return Panel(
        Text(text), title=escape(author), subtitle=subtitle, title_align="left", subtitle_align="right",
        border_style=style, width=WIDTH - 12,
    )  # fmt: skip


def silence() -> RenderableType:
    """The AI says nothing, for a person has the conversation."""
    return Text("   … the AI stays silent; a person has the conversation", style="magenta italic")


def approval_card(approval: Mapping[str, Any], *, brief: bool = False) -> RenderableType:
    """What a reviewer needs to decide; in brief, with the number of facts instead of the facts."""
    details = approval["details"]
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Approval", Text(approval["approval_id"]))
    table.add_row("Status", Text(f"{_status(approval)}, version {approval['version']}"))
    table.add_row("Needs", Text(f"{approval['needed']} × {approval['role']} or above; {approval['votes']} so far"))
    table.add_row("Until", Text(f"{_moment(approval['expires_at'])[:16]} UTC"))
    if approval["claimed_by"]:
        until = _moment(approval["claimed_until"])[:16]
        table.add_row("Claimed", Text(f"by {approval['claimed_by']} until {until} UTC"))
    if approval["ended_by"]:
        because = f": {approval['ended_because']}" if approval["ended_because"] else ""
        table.add_row("Ended", Text(f"by {approval['ended_by']}{because}"))
    for addition in approval["additions"]:
        table.add_row("Customer adds", Text(addition["text"]))
    arguments = dict(details.get("arguments", {}))
    for name, value in arguments.items():
        origin = dict(details.get("provenance", {})).get(name, {}).get("origin", "")
        shown = _worth(name, value, arguments.get("currency"))
        table.add_row(name, Text.assemble(shown, (f"   from {origin}" if origin else "", "dim")))
    for reason in details.get("reasons", []):
        table.add_row("Why asked", Text(_sentence(reason)))
    facts = dict(details.get("facts", {}))
    if brief:
        sources = ", ".join(sorted({str(fact.get("source", "")) for fact in facts.values()}))
        table.add_row("Facts", Text(f"{len(facts)}, read just now from {sources}"))
        facts = {}
    for name, fact in sorted(facts.items()):
        currency = facts.get(f"{name.rpartition('.')[0]}.currency", {}).get("value")
        shown = _worth(name, fact.get("value"), currency)
        table.add_row(f"fact {name}", Text.assemble(shown, (f"   {fact.get('source', '')}", "dim")))
    for label, name in (("If yes", "consequences_yes"), ("If no", "consequences_no"), ("Changed", "difference")):
        if details.get(name):
            table.add_row(label, Text(_plain(details[name])))
    return Panel(table, title=escape(approval["summary"]), title_align="left", border_style="yellow", width=WIDTH)


def approvals_table(approvals: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A list of approvals."""
    if not approvals:
        return Text("Nothing waits for approval.", style="green")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("approval", min_width=ID_WIDTH)
    table.add_column("status")
    table.add_column("until, UTC", min_width=16)
    for one in approvals:
        table.add_row(
            Text(f"{one['approval_id']}\n{one['summary']}"),
            Text(f"{_status(one)}\n{one['votes']} of {one['needed']} {one['role']}"),
            _moment(one["expires_at"])[:16],
        )
    return table


def measures_table(measures: Sequence[Mapping[str, Any]]) -> RenderableType:
    """How approvals are answered."""
    if not measures:
        return Text("Nobody has answered an approval in this time.")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("reviewer\naction", overflow="fold")
    for head in ("answers", "approved", "edited", "no", "quick", "median"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in measures:
        seconds = one["median_seconds_of_claim"]
        median = one["median_seconds_to_decide"] if seconds is None else seconds
        table.add_row(
            Text(f"{one['reviewer']}\n{one['tool']}"),
            str(one["answers"]),
            f"{one['share_approved']:.0%}",
            str(one["edited"]),
            str(one["rejected"] + one["responded"]),
            f"{one['share_quick']:.0%}",
            f"{median:.0f} s",
        )
    return table


def reconciliations_table(items: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Calls of unknown outcome."""
    if not items:
        return Text("Nothing is to be found out.", style="green")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("reconciliation", min_width=ID_WIDTH)
    table.add_column("status")
    table.add_column("since, UTC", min_width=16)
    for one in items:
        table.add_row(
            Text(f"{one['reconciliation_id']}\n{one['known']['summary']}"),
            Text(f"{one['status']}\n{one['role']}"),
            _moment(one["created_at"])[:16],
        )
    return table


def reconciliation_card(item: Mapping[str, Any]) -> RenderableType:
    """What it takes to find out what came of a call."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Id", Text(item["reconciliation_id"]))
    decided = f" by {item['decided_by']}" if item["decided_by"] else ""
    table.add_row("Status", Text(f"{item['status']}{decided}"))
    table.add_row("Receipt", Text(item["receipt_id"]))
    for name, value in item["known"].items():
        if name != "summary":
            table.add_row(name.replace("_", " "), Text(_plain(value)))
    if item["note"]:
        table.add_row("Known from", Text(item["note"]))
    title = escape(str(item["known"]["summary"]))
    return Panel(table, title=title, title_align="left", border_style="yellow", width=WIDTH)


def events_table(events: Sequence[Mapping[str, Any]]) -> RenderableType:
    """What became of approvals and reconciliations."""
    if not events:
        return Text("Nothing has happened since.")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("no.", justify="right")
    table.add_column("at, UTC", min_width=16)
    table.add_column("what", overflow="fold")
    for one in events:
        about = one["ids"].get("approval") or one["ids"].get("reconciliation", "")
        table.add_row(str(one["seq"]), _moment(one["at"])[:16], Text(f"{one['kind']}\n{about}"))
    return table


def load_view(load: Mapping[str, Any]) -> RenderableType:
    """How much there is to do."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    oldest = load["oldest_waiting_s"]
    limits = load["limits"]
    table.add_row("Waiting", Text(f"{load['waiting']} of {limits['waiting']} in all"))
    table.add_row("Running", Text(f"{load['running']}; {load['turns_in_flight']} of {limits['turns']} in this process"))
    table.add_row("Oldest", Text("none" if oldest is None else f"{oldest:.0f} s"))
    refused = load["refused"]
    table.add_row("Refused", Text(f"{refused['conversation']} by a conversation's limit, {refused['total']} in all"))
    for name, state in load["circuits"].items():
        table.add_row(f"System {name}", Text(state, style="green" if state == "closed" else "red"))
    return table


def case_view(case: Mapping[str, Any]) -> RenderableType:
    """A case from its opening to its end."""
    head = Text(
        f"{case['case_id']}   {case['journey'] or 'no journey yet'}   {case['status']}"
        + (f" ({case['disposition']})" if case["disposition"] else "")
    )
    timeline = Table("at", "who", "what", title="Timeline", title_justify="left")
    for entry in case["timeline"]:
        timeline.add_row(_moment(entry["at"]), Text(entry["author"]), Text(_entry(entry), overflow="fold"))
    decisions = Table("tool", "moment", "effect", "reasons", title="Decisions", title_justify="left")
    for made in case["decisions"]:
        effect = Text(made["effect"], style=EFFECT_STYLES.get(made["effect"], ""))
        decisions.add_row(made["tool"], made["phase"], effect, Text("\n".join(made["reasons"])))
    receipts = Table("tool", "state", "arguments", "result", title="Receipts", title_justify="left")
    for receipt in case["receipts"]:
        receipts.add_row(
            receipt["tool"], receipt["state"], Text(_plain(receipt["arguments"])), Text(_plain(receipt["result"]))
        )
    parts: list[RenderableType] = [head, timeline, decisions, receipts]
    if case["model_answers"]:
        parts.append(_answers_table(case["model_answers"]))
    parts += [approval_card(approval) for approval in case["approvals"]]
    parts += [handoff_card(handoff["bundle"], handoff["score"]) for handoff in case["handoffs"]]
    return Group(*parts)


def _answers_table(answers: Iterable[Mapping[str, Any]]) -> RenderableType:
    """Who answered the tasks of a case, what it took, and why it was they."""
    table = Table("task", "answered by", "calls", "tokens", "why", title="Models", title_justify="left")
    for answer in answers:
        table.add_row(
            answer["task"].removesuffix("Task"),
            answer["reasoner"] or "nobody",
            str(answer["calls"]),
            f"{answer['prompt_tokens'] + answer['completion_tokens']:,}",
            Text("\n".join(answer["notes"])),
        )
    return table


def handoff_card(bundle: Mapping[str, Any], score: float) -> RenderableType:
    """What a person gets who takes a case over."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, part in bundle.items():
        value = part.get("value") if isinstance(part, Mapping) and "value" in part else part
        table.add_row(name.replace("_", " "), Text(_plain(value)))
    title = f"Handoff to a person, {score:.0%} complete"
    return Panel(table, title=title, title_align="left", border_style="magenta", width=WIDTH)


def keys_table(keys: Iterable[Mapping[str, Any]]) -> RenderableType:
    """API keys, without the keys."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("id", min_width=20)
    table.add_column("name", max_width=10, overflow="fold")
    table.add_column("role", min_width=10)
    table.add_column("limits", min_width=11)
    table.add_column("made", min_width=16)
    for key in keys:
        limits = "none"
        if key["limits"] is not None:
            limits = ", ".join(format_money(Money(amount, currency)) for currency, amount in key["limits"].items())
        name = f"{key['name']} (demo)" if key["demo"] else key["name"]
        table.add_row(
            Text(key["key_id"]),
            Text(name),
            key["role"],
            limits,
            _moment(key["created_at"])[:10]
            + (f"\nended {_moment(key['revoked_at'])[:10]}" if key["revoked_at"] else ""),
        )
    return table


def _entry(entry: Mapping[str, Any]) -> str:
    body = entry["body"]
    if entry["kind"] in ("message_in", "message_out", "note"):
        return str(body.get("text", ""))
    words = [entry["kind"], *(str(body[name]) for name in ("tool", "effect", "state", "code") if body.get(name))]
    if body.get("phase"):
        words.append(f"({body['phase']})")
    return " ".join(words)


def _status(approval: Mapping[str, Any]) -> str:
    return STATUS_WORDS.get(approval["status"], str(approval["status"]))


def _moment(at: Any) -> str:
    """ISO 8601 to the second, for eyes."""
    return str(at)[:19].replace("T", " ")


def _worth(name: str, value: Any, currency: Any) -> str:
    """A value in words; an amount in minor units also as money, where its currency stands beside it."""
    if name.endswith("_minor") and isinstance(value, int) and isinstance(currency, str):
        return f"{value}, {format_money(Money(value, currency))}"
    return _plain(value)


def _sentence(reason: Any) -> str:
    return str(reason.get("sentence", reason)) if isinstance(reason, Mapping) else str(reason)


def _plain(value: Any) -> str:
    """A JSON value in words: without brackets and quotes."""
    if isinstance(value, Mapping):
        if set(value) == {"amount_minor", "currency"}:
            return format_money(Money(value["amount_minor"], value["currency"]))
        return ", ".join(f"{name}: {_plain(inner)}" for name, inner in value.items() if inner not in (None, "", [], {}))
    if isinstance(value, (list, tuple)):
        return "; ".join(_plain(inner) for inner in value)
    if value is None:
        return "–"
    return str(value)
