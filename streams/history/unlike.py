"""Whether the days compared are of the same kinds: a Saturday against a Friday is no growth. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from streams.history.calendar import PACKAGED_ZONES, SchoolCalendar


class Kind(StrEnum):
    """How much use a day promises, in a zone."""

    SCHOOL = "school day"  # a Monday, Tuesday, Thursday or Friday with school
    WEDNESDAY = "Wednesday with school"
    SATURDAY = "Saturday"
    SUNDAY = "Sunday"
    FREE = "weekday without school"
    UNKNOWN = "day of no known school calendar"


@dataclass(frozen=True, slots=True)
class UnlikeDays:
    """How many of the days compared are of a kind on both sides, where these numbers differ; in these zones."""

    kind: Kind
    zones: tuple[str, ...]
    now: int
    then: int


def kind_of(calendar: SchoolCalendar, day: date, zone: str) -> Kind:
    """The kind of one day in a zone."""
    if day.weekday() >= 5:
        return Kind.SATURDAY if day.weekday() == 5 else Kind.SUNDAY
    if not calendar.is_known(day, zone):
        return Kind.UNKNOWN
    if not calendar.has_school(day, zone):
        return Kind.FREE
    return Kind.WEDNESDAY if day.weekday() == 2 else Kind.SCHOOL


def unlike_days(
    calendar: SchoolCalendar, days: Sequence[date], against: Sequence[date], numbers: Sequence[int]
) -> tuple[UnlikeDays, ...]:
    """The kinds of which there are more on one side, among the days with these numbers; by zone where they differ."""
    found: dict[tuple[Kind, int, int], list[str]] = {}
    for zone in PACKAGED_ZONES:
        now, then = (Counter(kind_of(calendar, side[n], zone) for n in numbers) for side in (days, against))
        for kind in Kind:
            if now[kind] != then[kind]:
                found.setdefault((kind, now[kind], then[kind]), []).append(zone)
    return tuple(UnlikeDays(kind, tuple(zones), mine, other) for (kind, mine, other), zones in sorted(found.items()))
