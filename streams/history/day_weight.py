"""How much use a day has against an ordinary one, by the load shape and the school calendar. Pure."""

from __future__ import annotations

import itertools
from datetime import date

from streams.history.calendar import SchoolCalendar, school_year_of
from streams.history.day_types import DayType
from streams.load_shape import WEEKDAYS, LoadShape, rentree_factor

_CLOSED = (DayType.HOLIDAY, DayType.PUBLIC_HOLIDAY, DayType.SUNDAY_BEFORE_SCHOOL)


def day_weight(shape: LoadShape, calendar: SchoolCalendar, zone: str, day: date) -> float:
    """The weight of a day in a zone: its weekday's, less in holidays and summer, more after a rentrée."""
    kind = calendar.zone_day_type(day, zone)
    weekday = shape.weekday[WEEKDAYS[day.weekday()]]
    rentree = calendar.rentree(school_year_of(day), zone)
    since = (day - rentree).days if rentree else 999
    if since < 0 or day.month in (7, 8):
        ramp = _ramp(shape, since) if since < 0 else shape.summer_factor
        return weekday * ramp if kind in _CLOSED else weekday
    if kind in (DayType.HOLIDAY, DayType.PUBLIC_HOLIDAY):
        return weekday * shape.holiday_factor
    return weekday * rentree_factor(shape, since)


def _ramp(shape: LoadShape, days: int) -> float:
    """The summer before a rentrée: straight lines between the listed days before it, the summer's factor before the first."""
    points = sorted((-int(name.removeprefix("d-")), value) for name, value in shape.pre_rentree_ramp.items())
    points = [(points[0][0] - 7, shape.summer_factor), *points, (0, 1.0)]
    for (day, value), (next_day, next_value) in itertools.pairwise(points):
        if day <= days < next_day:
            return value + (next_value - value) * (days - day) / (next_day - day)
    return shape.summer_factor
