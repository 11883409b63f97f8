"""Calendar time as people count it, where clocks change."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from policy_builders import NOW, PERMIT_ALL, decide, engine, facts, mistakes, request, situation

from policies.calendar_time import days_between, months_after, months_after_in
from policies.words import Effect

RULE = """
never:
  - id: too-late
    why: It is too late.
    source: T
    applies_to: refund_order
    when: %s
    examples: {allows: [{}], stops: [{}]}
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "months", "later"),
    [
        ("2026-01-31T10:00:00Z", 1, "2026-02-28T10:00:00Z"),
        ("2024-01-31T10:00:00Z", 1, "2024-02-29T10:00:00Z"),
        ("2026-11-30T10:00:00Z", 3, "2027-02-28T10:00:00Z"),
        ("2026-03-31T10:00:00Z", -1, "2026-02-28T10:00:00Z"),
    ],
)
def test_a_month_later_is_the_same_day_or_the_months_last(start: str, months: int, later: str) -> None:
    assert months_after(at(start), months) == at(later)


def test_months_of_a_place_keep_its_clock_where_summer_time_begins_between() -> None:
    noon_in_winter = at("2026-02-15T12:00:00+01:00")
    assert months_after_in(noon_in_winter, 2, "Europe/Berlin") == at("2026-04-15T12:00:00+02:00")
    assert months_after(noon_in_winter, 2) == at("2026-04-15T11:00:00Z")


def test_days_of_a_place_are_counted_by_its_midnights() -> None:
    late, early = at("2026-11-20T23:30:00+01:00"), at("2026-11-21T00:30:00+01:00")
    assert days_between(late, early, "Europe/Berlin") == 1
    assert days_between(late, early, "UTC") == 0
    assert days_between(early, late, "Europe/Berlin") == -1


def test_conditions_count_days_and_months_in_a_time_zone(tmp_path: Path) -> None:
    by_days = engine(tmp_path, PERMIT_ALL, RULE % "days_between(order.delivered_at, now, 'Europe/Berlin') > 9")
    assert decide(by_days, request(), facts(), situation()).effect is Effect.DENY
    by_months = engine(
        tmp_path,
        PERMIT_ALL,
        RULE % "months_after(order.delivered_at, 1, 'Europe/Berlin') <= now || now < now - days(1)",
    )
    delivered = facts(order_delivered_at="2026-10-21T12:00:00+02:00")
    assert decide(by_months, request(), delivered, situation(now=NOW)).effect is Effect.DENY
    earlier = facts(order_delivered_at="2026-10-21T15:00:00+02:00")
    assert decide(by_months, request(), earlier, situation(now=NOW)).effect is Effect.ALLOW


@pytest.mark.parametrize(
    "text",
    [
        "days_between(order.delivered_at, now, 'Europe/Berln') > 9",
        "months_after(order.delivered_at, 1, 'Europe/Berln') < now",
        "now.getHours('Europe/Berln') > 18",
    ],
)
def test_a_time_zone_that_does_not_exist_is_a_mistake_at_load(tmp_path: Path, text: str) -> None:
    (found,) = mistakes(tmp_path, PERMIT_ALL, RULE % text)
    assert (found.line, found.message) == (7, "too-late: There is no time zone 'Europe/Berln'.")
    assert found.suggestion == "Europe/Berlin"
