"""`callboard playbook check`: whether a playbook is right."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.output import NOT_AS_IT_SHOULD, JsonOption, show

if TYPE_CHECKING:  # Imported by the command itself when it runs; help needs none of it.
    from policies.errors import Mistake
    from policies.examples import ExampleReport
    from policies.programs import PolicySet


def register(app: typer.Typer) -> None:
    """Add the commands."""
    playbook = typer.Typer(help="Businesses as folders.", no_args_is_help=True)
    playbook.command("check")(check)
    app.add_typer(playbook, name="playbook")


def check(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The playbook's folder.")],
    as_json: JsonOption = False,
) -> None:
    """Load a playbook, whole or not at all, and run its rules' own examples; exit code 1 if something is wrong."""
    from rich.text import Text

    from graphs.playbook import load_playbook
    from policies.errors import PlaybookMistakes
    from policies.examples import run_examples

    try:
        playbook = load_playbook(directory)
    except PlaybookMistakes as found:
        text = str(found)
        unusable = {"ok": False, "mistakes": _as_json(found.mistakes)}
        show(unusable, as_json=as_json, view=lambda: Text(text, style="red"))
        raise typer.Exit(NOT_AS_IT_SHOULD) from None
    policies = playbook.policies.policies
    report = run_examples(policies)
    rules = _coverage(policies, report)
    counts = {
        "journeys": len(playbook.journeys),
        "tools": len(list(playbook.tools)),
        "articles": len(playbook.articles),
        "rules": len(rules),
        "examples": report.ran,
    }
    result = {
        "ok": not report.failures,
        "mistakes": _as_json(report.failures),
        "name": playbook.name,
        "hash": playbook.hash,
        "policy_version": policies.version,
        **counts,
        "coverage": rules,
    }
    lines = [f"{playbook.title}: {', '.join(f'{count} {name}' for name, count in counts.items())}."]
    lines += [_line(rule) for rule in rules]
    lines += [str(failure) for failure in report.failures] or ["Nothing to change."]
    style = "red" if report.failures else "green"
    show(result, as_json=as_json, view=lambda: Text("\n".join(lines), style=style))
    if report.failures:
        raise typer.Exit(NOT_AS_IT_SHOULD)


def _coverage(policies: "PolicySet", report: "ExampleReport") -> list[dict[str, Any]]:
    """Of each rule that isn't Callboard's own: where it is, what it applies to, and what its examples show."""
    from policies.loading import BASELINE_PREFIX

    rules = []
    for located in policies.located:
        rule_id = located.rule.id
        if rule_id.startswith(BASELINE_PREFIX):
            continue
        sides = [side for side, _ in located.example_lines]
        rule: dict[str, Any] = {
            "rule": rule_id,
            "section": located.section,
            "source": located.rule.source,
            "place": f"{located.file}:{located.line}",
            "tools": [*located.tools],
            "examples": report.per_rule[rule_id],
            "allows": sides.count("allows"),
            "stops": sides.count("stops"),
        }
        if rule_id in report.rows_reached:
            rows = len(policies.tables[rule_id].rule.rows)
            rule["rows"] = rows
            rule["rows_without_example"] = sorted({*range(1, rows + 1)} - {*report.rows_reached[rule_id]})
        rules.append(rule)
    return rules


def _line(rule: dict[str, Any]) -> str:
    shown = f"{rule['allows']} allow, {rule['stops']} stop" if rule["allows"] else f"{rule['examples']} examples"
    if rule.get("rows_without_example"):
        missing = ", ".join(str(row) for row in rule["rows_without_example"])
        shown += f", rows without one: {missing}"
    return f"  {rule['rule']} ({rule['section']}, {len(rule['tools'])} tools): {shown}"


def _as_json(mistakes: "Iterable[Mistake]") -> list[dict[str, Any]]:
    return [{"file": one.file, "line": one.line, "message": one.message, "write": one.suggestion} for one in mistakes]
