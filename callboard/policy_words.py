"""A backtest in words, for the terminal."""

from collections.abc import Iterator
from typing import Any

from policies.sentences import format_money
from policies.words import Money


def backtest_lines(report: dict[str, Any]) -> Iterator[str]:
    """What a backtest found, one thought per line."""
    yield (
        f"{report['decisions']} decisions replayed under {report['candidate'][:12]}: {report['identical']} identical, "
        f"{report['same_effect']} with the same effect for other reasons, {report['flipped']} flipped."
    )
    for direction, count in report["directions"].items():
        moved = report["money_minor"].get(direction, {})
        money = ", ".join(format_money(Money(amount, currency)) for currency, amount in moved.items())
        yield f"  {direction}: {count}" + (f", about {money}" if money else "")
    for rule, counts in report["by_rule"].items():
        yield f"  by {rule}: " + ", ".join(f"{direction} {count}" for direction, count in counts.items())
    for queue, count in report["approvals_added"].items():
        yield f"  {count} approvals more for {queue}"
    for queue, count in report["approvals_saved"].items():
        yield f"  {count} approvals less for {queue}"
    for some in report["examples"].values():
        for one in some:
            yield f"  for example {one['decision']}, {one['tool']}: {' '.join(one['reasons'])}"
    if report["unreplayable"]:
        yield f"{report['unreplayable']} can't be replayed."
    for each in report["missing"]:
        yield f"  {each['message']} ({each['decisions']} decisions)"
    for what, count in report["left_out"].items():
        yield f"{count} left out: {what.replace('_', ' ')}."
