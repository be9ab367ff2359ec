"""Whether the days compared are of the same kinds: a Saturday against a Friday is no growth. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from streams.history.calendar import PACKAGED_ZONES, SchoolCalendar, school_year_of


class DayUse(StrEnum):
    """How much use a day promises, in a zone."""

    RENTREE = "rentrée"  # the first school day of a year
    SCHOOL = "school day"  # a Monday, Tuesday, Thursday or Friday with school
    WEDNESDAY = "Wednesday with school"
    SATURDAY = "Saturday"
    SUNDAY = "Sunday"
    PUBLIC = "public holiday"  # on a weekday
    FREE = "weekday without school"
    FREE_SATURDAY = "Saturday of holidays"
    FREE_SUNDAY = "Sunday of holidays"
    UNKNOWN = "day of no known school calendar"


@dataclass(frozen=True, slots=True)
class UnlikeDays:
    """How many of the days compared are of a kind on both sides, where these numbers differ; in these zones."""

    kind: DayUse
    zones: tuple[str, ...]
    now: int
    then: int


def kind_of(calendar: SchoolCalendar, day: date, zone: str) -> DayUse:
    """The kind of one day in a zone."""
    if day.weekday() >= 5:
        is_free = calendar.is_known(day, zone) and calendar.break_on(day, zone) is not None
        if day.weekday() == 5:
            return DayUse.FREE_SATURDAY if is_free else DayUse.SATURDAY
        return DayUse.FREE_SUNDAY if is_free else DayUse.SUNDAY
    if calendar.public_holiday(day) is not None:
        return DayUse.PUBLIC
    if not calendar.is_known(day, zone):
        return DayUse.UNKNOWN
    if not calendar.has_school(day, zone):
        return DayUse.FREE
    if calendar.rentree(school_year_of(day), zone) == day:
        return DayUse.RENTREE
    return DayUse.WEDNESDAY if day.weekday() == 2 else DayUse.SCHOOL


def is_off(calendar: SchoolCalendar, day: date) -> bool:
    """Whether there is no school in any zone."""
    return day.weekday() >= 5 or all(
        kind_of(calendar, day, zone) in (DayUse.FREE, DayUse.PUBLIC) for zone in PACKAGED_ZONES
    )


def unlike_days(
    calendar: SchoolCalendar, days: Sequence[date], against: Sequence[date], numbers: Sequence[int]
) -> tuple[UnlikeDays, ...]:
    """The kinds of which there are more on one side, among the days with these numbers; by zone where they differ."""
    found: dict[tuple[DayUse, int, int], list[str]] = {}
    for zone in PACKAGED_ZONES:
        now, then = (Counter(kind_of(calendar, side[n], zone) for n in numbers) for side in (days, against))
        for kind in DayUse:
            if now[kind] != then[kind]:
                found.setdefault((kind, now[kind], then[kind]), []).append(zone)
    return tuple(UnlikeDays(kind, tuple(zones), mine, other) for (kind, mine, other), zones in sorted(found.items()))
