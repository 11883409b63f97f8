"""What differs between two sets of policies, in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from policies.conditions import Condition
from policies.domains import domain_of
from policies.programs import LocatedRule, PolicySet
from policies.reasoning import covers
from policies.sentences import format_money
from policies.words import Money

SECTION_NAMES: Final[Mapping[str, str]] = {
    "permissions": "permission",
    "never": "hard constraint",
    "prefer": "soft constraint",
    "thresholds": "threshold",
    "limits": "limit",
    "tables": "decision table",
    "autonomy": "autonomy matrix",
    "procedure": "procedure rule",
    "provenance": "provenance rule",
    "triggers": "trigger",
    "obligations": "obligation",
    "prose": "prose rule",
}
SILENT: Final = {"id", "examples"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was."""

    subject: str
    """A rule's id, "params.<name>" or "tools.<name>"."""
    kind: Literal["added", "removed", "changed"]
    sentences: tuple[str, ...]


def differences(before: PolicySet, after: PolicySet) -> tuple[Difference, ...]:
    """What changed, sorted by subject; examples and the files that rules lie in don't count."""
    found = [*_rules(before, after), *_parameters(before, after), *_tools(before, after)]
    return tuple(sorted(found, key=lambda each: each.subject))


def _rules(before: PolicySet, after: PolicySet) -> Iterator[Difference]:
    old = {each.rule.id: each for each in before.located}
    new = {each.rule.id: each for each in after.located}
    for rule_id in sorted(old.keys() | new.keys()):
        if rule_id not in old:
            added = new[rule_id]
            about = f" It applies to {_tool_list(added)}." if added.tools else ""
            yield Difference(rule_id, "added", (f"New {SECTION_NAMES[added.section]}: {added.rule.why}{about}",))
        elif rule_id not in new:
            gone = old[rule_id]
            yield Difference(rule_id, "removed", (f"No longer a {SECTION_NAMES[gone.section]}: {gone.rule.why}",))
        else:
            sentences = [*_changes(old[rule_id], new[rule_id]), *_reach(rule_id, before, after)]
            if sentences:
                yield Difference(rule_id, "changed", tuple(sentences))


def _changes(old: LocatedRule, new: LocatedRule) -> Iterator[str]:
    if old.section != new.section:
        yield f"It was a {SECTION_NAMES[old.section]} and is a {SECTION_NAMES[new.section]} now."
    was, now = _written(old), _written(new)
    for key in sorted(was.keys() | now.keys()):
        if was.get(key) == now.get(key):
            continue
        if key == "rows":
            yield from _rows(was.get(key) or [], now.get(key) or [])
        elif key == "applies_to":
            yield from _tools_changed(old, new)
        elif key not in was:
            yield f"{key} is new: {_shown(key, now[key])}."
        elif key not in now:
            yield f"{key} is gone; it was {_shown(key, was[key])}."
        else:
            yield f"{key} was {_shown(key, was[key])} and is {_shown(key, now[key])} now."


def _rows(was: list[Any], now: list[Any]) -> Iterator[str]:
    """Rows by their content: of those that are in one only, pairs with the same cells have changed their answer."""
    gone = [row for row in was if row not in now]
    come = [row for row in now if row not in was]
    for row in list(gone):
        other = next((each for each in come if each.get("if") == row.get("if")), None)
        if other is not None:
            gone.remove(row)
            come.remove(other)
            yield f"The row {_plain(row['if'])} gave {_answer(row)} and gives {_answer(other)} now."
    yield from (f"The row {_plain(row['if'])} is gone; it gave {_answer(row)}." for row in gone)
    yield from (f"New row {_plain(row['if'])}: {_answer(row)}." for row in come)
    if not gone and not come and was != now and sorted(map(str, was)) == sorted(map(str, now)):
        yield "Its rows stand in another order."


def _tools_changed(old: LocatedRule, new: LocatedRule) -> Iterator[str]:
    come, gone = set(new.tools) - set(old.tools), set(old.tools) - set(new.tools)
    if come:
        yield f"It applies to {', '.join(sorted(come))} too."
    if gone:
        yield f"It no longer applies to {', '.join(sorted(gone))}."


def _reach(rule_id: str, before: PolicySet, after: PolicySet) -> Iterator[str]:
    """Whether a rule speaks more or less often than it did, where the conditions alone tell."""
    for tool in sorted(before.programs.keys() & after.programs.keys()):
        was, now = _condition(rule_id, before, tool), _condition(rule_id, after, tool)
        if was is None or now is None or was.syntax == now.syntax:
            continue
        domain = partial(domain_of, profile=after.tools[tool])
        more, less = covers(now.syntax, was.syntax, domain), covers(was.syntax, now.syntax, domain)
        if more and not less:
            yield "It speaks wherever it did, and in more cases."
        elif less and not more:
            yield "It speaks in fewer cases than it did, and in no new ones."
        elif more and less:
            yield "It speaks in the same cases as it did."
        return


def _condition(rule_id: str, policies: PolicySet, tool: str) -> Condition | None:
    rules = (*policies.programs[tool].rules, *policies.programs[tool].triggers)
    return next((rule.condition for rule in rules if rule.id == rule_id), None)


def _parameters(before: PolicySet, after: PolicySet) -> Iterator[Difference]:
    old, new = before.parameters.values, after.parameters.values
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) == new.get(name) and (name in old) == (name in new):
            continue
        was, now = _shown(name, old[name]) if name in old else "", _shown(name, new[name]) if name in new else ""
        if name not in old:
            yield Difference(f"params.{name}", "added", (f"New parameter: {now}.",))
        elif name not in new:
            yield Difference(f"params.{name}", "removed", (f"No longer a parameter; it was {was}.",))
        else:
            yield Difference(f"params.{name}", "changed", (f"It was {was} and is {now} now.",))


def _tools(before: PolicySet, after: PolicySet) -> Iterator[Difference]:
    for name in sorted(before.tools.keys() | after.tools.keys()):
        if name not in before.tools:
            yield Difference(f"tools.{name}", "added", ("A new tool.",))
        elif name not in after.tools:
            yield Difference(f"tools.{name}", "removed", ("The tool is gone.",))
        elif before.tools[name] != after.tools[name]:
            yield Difference(f"tools.{name}", "changed", ("The tool describes itself differently.",))


def _written(located: LocatedRule) -> dict[str, Any]:
    return located.rule.model_dump(by_alias=True, exclude_defaults=True, exclude=SILENT)


def _shown(name: str, value: Any) -> str:
    if isinstance(value, dict) and value and all(_is_currency(key, amount) for key, amount in value.items()):
        return ", ".join(format_money(Money(amount, currency)) for currency, amount in sorted(value.items()))
    if isinstance(value, str):
        return f"`{value}`"
    if value is None:
        return "none"
    return _plain(value)


def _is_currency(name: object, amount: object) -> bool:
    return isinstance(name, str) and len(name) == 3 and name.isupper() and type(amount) is int


def _answer(row: Mapping[str, Any]) -> str:
    return _plain(row["then"]) if "then" in row else _plain(row.get("asks"))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(each)}" for key, each in value.items()) or "(anything)"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_plain(each) for each in value)}]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _tool_list(located: LocatedRule) -> str:
    names = sorted(located.tools)
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
