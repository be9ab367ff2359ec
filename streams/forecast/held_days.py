"""Days of the archive as a forecast needs them: (series, 1440) by minute of the clock in Paris, whole days alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np

from streams.catalog import Catalog
from streams.forecast.expectation import DAY_MINUTES, KnownDays, Values
from streams.history import SchoolCalendar, school_year_of
from streams.history.coverage import wall_minutes
from streams.history.day_columns import Key
from streams.history.paris_days import paris_day
from streams.history.reading import History

#: A day of which less was measured is no day to compare with.
MEASURED_MIN = 0.99
#: The kind of a day is that of this zone where series are not of one region.
ZONE = "A"
BY = {"national": "national", "region": "region", "project": "project", "service": "service"}


def known_days(
    history: History, catalog: Catalog, calendar: SchoolCalendar, by: str, days: Iterable[date]
) -> tuple[tuple[Key, ...], KnownDays]:
    """The series that any of the days has, and what was counted of each.

    Raises:
        InputError: a file cannot be read.
    """
    del catalog
    read: dict[date, tuple[tuple[Key, ...], Values]] = {}
    for day in days:
        first, end = paris_day(day)
        panel = history.panel(BY[by], "visits", first, end)
        if panel.share.mean() < MEASURED_MIN or not panel.keys:
            continue
        table = np.zeros((len(panel.keys), DAY_MINUTES))
        wall = wall_minutes(day)
        for place in range(len(panel.keys)):
            table[place] = np.bincount(wall, np.nan_to_num(panel.values[place]), DAY_MINUTES)
        read[day] = panel.keys, table
    keys = tuple(sorted({key for of_day, _table in read.values() for key in of_day}))
    index = {key: number for number, key in enumerate(keys)}
    found: dict[date, Values] = {}
    for day, (of_day, table) in read.items():
        found[day] = np.zeros((len(keys), DAY_MINUTES))
        found[day][[index[key] for key in of_day]] = table
    return keys, KnownDays(
        found, lambda day: calendar.zone_day_type(day, ZONE), lambda day: calendar.rentree(school_year_of(day), ZONE)
    )
