"""`callboard playbook check`: whether a playbook is right."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.output import NOT_AS_IT_SHOULD, JsonOption, Options, show

if TYPE_CHECKING:  # Imported by the command itself when it runs; help needs none of it.
    from agents.local.intents import FitReport
    from policies.errors import Mistake
    from policies.examples import ExampleReport
    from policies.programs import PolicySet


def register(app: typer.Typer) -> None:
    """Add the commands."""
    playbook = typer.Typer(help="Businesses as folders.", no_args_is_help=True)
    playbook.command("check")(check)
    app.add_typer(playbook, name="playbook")


CONFUSED_SHOWN = ODD_SHOWN = 5
ODD_LETTERS = 60


def check(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The playbook's folder.")],
    as_json: JsonOption = False,
) -> None:
    """Load a playbook, whole or not at all, run its rules' own examples, and say how well its intents are told apart.

    Exits with 1 if something is wrong.
    """
    from rich.text import Text

    from agents.errors import TooFewExamples
    from agents.local.intents import fit_journeys
    from callboard.settings import read_settings
    from graphs.playbook import load_playbook
    from memory.minilm import open_weights
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
    options: Options = context.obj
    embedder = open_weights(read_settings(**options.as_settings()).weights)
    understood, too_few = None, ""
    try:
        understood = fit_journeys(list(playbook.journeys.values()), embedder=embedder).report
    except TooFewExamples as found:
        too_few = str(found)
    result = {
        "ok": not report.failures and not too_few,
        "mistakes": _as_json(report.failures),
        "intents": _understood_as_json(understood) if understood is not None else {"error": too_few},
        "name": playbook.name,
        "hash": playbook.hash,
        "policy_version": policies.version,
        **counts,
        "coverage": rules,
    }
    lines = [f"{playbook.title}: {', '.join(f'{count} {name}' for name, count in counts.items())}."]
    lines += [_line(rule) for rule in rules]
    lines += [too_few] if understood is None else _understood(understood, embedder.name if embedder else "")
    lines += [str(failure) for failure in report.failures] or ([] if too_few else ["Nothing to change."])
    style = "red" if report.failures or too_few else "green"
    show(result, as_json=as_json, view=lambda: Text("\n".join(lines), style=style))
    if report.failures or too_few:
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


def _understood_as_json(report: "FitReport") -> dict[str, Any]:
    return {
        "accuracy": round(report.accuracy, 4),
        "calibration_error": round(report.calibration_error, 4),
        "coverage": round(report.coverage, 4),
        "uncovered_refused": round(report.uncovered_refused, 4),
        "confused": [{"is": true, "taken_for": guess, "times": times} for true, guess, times in report.confused],
        "odd": [*report.odd],
    }


def _understood(report: "FitReport", weights: str) -> list[str]:
    """How well the examples tell the journeys apart, for people who write them."""
    lines = [
        f"Intents, of examples left out of training{f', with {weights}' if weights else ''}:",
        f"  {report.accuracy:.0%} recognised, {report.coverage:.0%} taken up without asking, "
        f"probabilities off by {report.calibration_error:.0%}",
        f"  {report.uncovered_refused:.0%} refused if their journey weren't there, as uncovered requests should be",
    ]
    for true, guess, times in report.confused[:CONFUSED_SHOWN]:
        lines.append(f"  {true} taken for {guess}: {times}")
    for text in report.odd[:ODD_SHOWN]:
        shown = text if len(text) <= ODD_LETTERS else f"{text[: ODD_LETTERS - 1]}…"
        lines.append(f"  looks like another journey's: {shown}")
    return lines


def _line(rule: dict[str, Any]) -> str:
    shown = f"{rule['allows']} allow, {rule['stops']} stop" if rule["allows"] else f"{rule['examples']} examples"
    if rule.get("rows_without_example"):
        missing = ", ".join(str(row) for row in rule["rows_without_example"])
        shown += f", rows without one: {missing}"
    return f"  {rule['rule']} ({rule['section']}, {len(rule['tools'])} tools): {shown}"


def _as_json(mistakes: "Iterable[Mistake]") -> list[dict[str, Any]]:
    return [{"file": one.file, "line": one.line, "message": one.message, "write": one.suggestion} for one in mistakes]
