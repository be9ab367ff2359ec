"""Ordinary days that other rules take for events: whether a false alert fell on one of them."""

import datetime

from bench.detection.world import Place, World
from streams.history import DayType

#: Local minutes of Monday mornings; days before a rentrée, and after it, that are the end of summer.
MONDAY_MINUTES = (450, 540)
SUMMER_BEFORE_DAYS, SUMMER_AFTER_DAYS = 21, 7
TRAPS = ("Mondays at 8", "first days back", "public holidays", "Wednesdays", "end of summer", "clock changes")
_DAY = datetime.timedelta(days=1)


def traps_of(world: World, place: Place, minute: int) -> list[str]:
    """The traps that an epoch minute lies in; none on an ordinary one."""
    moment = datetime.datetime.fromtimestamp(minute * 60, place.clock)
    date, of_day = moment.date(), moment.hour * 60 + moment.minute
    kind = world.calendar.zone_day_type(date, place.zone)
    school = world.calendar.break_on(date, place.zone) is None
    found = {
        "Mondays at 8": date.weekday() == 0 and school and MONDAY_MINUTES[0] <= of_day < MONDAY_MINUTES[1],
        "first days back": kind is DayType.RETURN,
        "public holidays": kind in (DayType.PUBLIC_HOLIDAY, DayType.LOCAL_HOLIDAY),
        "Wednesdays": kind is DayType.WEDNESDAY,
        "end of summer": _end_of_summer(world, place, date),
        "clock changes": any(_changes(place, date + days * _DAY) for days in (0, -1)),
    }
    return [name for name in TRAPS if found[name]]


def _end_of_summer(world: World, place: Place, date: datetime.date) -> bool:
    rentree = world.calendar.rentree(date.year, place.zone)
    return rentree is not None and -SUMMER_BEFORE_DAYS <= (date - rentree).days < SUMMER_AFTER_DAYS


def _changes(place: Place, date: datetime.date) -> bool:
    offsets = [datetime.datetime.combine(day, datetime.time(), place.clock).utcoffset() for day in (date, date + _DAY)]
    return offsets[0] != offsets[1]
