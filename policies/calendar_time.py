"""Calendar time as people count it: months and days of a calendar, in a place where clocks change."""

import calendar
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones


def months_after(at: datetime, months: int) -> datetime:
    """The same day and time so many calendar months later (UTC); the month's last day where it is shorter."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return at.replace(year=year, month=month + 1, day=day)


def months_after_in(at: datetime, months: int, place: str) -> datetime:
    """The same by the clocks of a place: noon stays noon where summer time begins between.

    Raises:
        ValueError: There is no such time zone.
    """
    there = at.astimezone(_zone(place))
    later = months_after(there.replace(tzinfo=None), months).replace(tzinfo=there.tzinfo)
    return later.astimezone(at.tzinfo)


def days_between(earlier: datetime, later: datetime, place: str) -> int:
    """How many midnights of a place lie between: 0 on the same day there, negative if `later` is earlier.

    Raises:
        ValueError: There is no such time zone.
    """
    zone = _zone(place)
    return (later.astimezone(zone).date() - earlier.astimezone(zone).date()).days


def is_zone(place: str) -> bool:
    """Whether this is the name of a time zone: "Europe/Berlin". Its tables are read and kept."""
    try:
        _zone(place)
    except ValueError:
        return False
    return True


@cache
def zones() -> frozenset[str]:
    """The names of all time zones."""
    return frozenset(available_timezones())


@cache
def _zone(place: str) -> ZoneInfo:
    if place not in zones():
        raise ValueError("There is no such time zone.")
    return ZoneInfo(place)
