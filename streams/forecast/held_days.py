"""Days of the archive as a forecast needs them: (series, 1440) by minute of the clock in Paris, whole days alone."""

from collections.abc import Iterable
from datetime import date
from functools import partial

import numpy as np

from streams.catalog import UNKNOWN
from streams.clock import paris_day
from streams.forecast.expectation import DAY_MINUTES, Kind, KnownDays, Values
from streams.history import SchoolCalendar, hll, school_year_of
from streams.history.day_columns import CutName, Key
from streams.history.reading import History
from streams.history.side import wall_minutes

#: A day of which less was measured is no day to compare with.
MEASURED_MIN = 0.99
#: The kind of a day where series are of no one region: what it is in each zone.
ZONES = ("A", "B", "C")
#: Codes of regions that have no calendar.
NOWHERE = (UNKNOWN, "99")


#: Series whose days are of one kind (those of a region, or all where they are of no one region): their keys, and what is known of them.
KnownGroup = tuple[tuple[Key, ...], KnownDays]


def known_groups(
    history: History, calendar: SchoolCalendar, by: str, days: Iterable[date], measure: str = "visits"
) -> list[KnownGroup]:
    """What was counted on these days, by calendar. `national` comes by region: France is the sum of what is expected of each.

    Raises:
        InputError: a file cannot be read.
    """
    keys, found = _tables(history, "region" if by == "national" else by, measure, days)

    def rentree_of(day: date) -> date | None:
        return calendar.rentree(school_year_of(day), ZONES[0])

    def of_zones(day: date) -> Kind:
        return tuple(calendar.zone_day_type(day, zone) for zone in ZONES)

    if by not in ("national", "region"):
        return [(keys, KnownDays(found, of_zones, rentree_of))]
    return [
        (
            (key,),
            KnownDays(
                {day: table[place : place + 1] for day, table in found.items()},
                of_zones if key[0] in NOWHERE else partial(_of_region, calendar, key[0]),
                rentree_of,
            ),
        )
        for place, key in enumerate(keys)
    ]


def users_a_visit(history: History, days: Iterable[date]) -> float | None:
    """Distinct users of a day in France for each visit, over these days; None where the archive has no users of them."""
    users = visits = 0.0
    for day in days:
        if (found := history.day(day)) is not None and found.sketches.users:
            # A region's own day where its day in Paris is no other.
            of_region = {
                key[1]: sketch
                for kind in ("region", "paris")
                for key, sketch in found.sketches.users.items()
                if key[0] == kind
            }
            users += hll.count(hll.union(of_region.values()))
            visits += float(found.rows[CutName.REGION].visits.sum())
    return users / visits if visits else None


def _of_region(calendar: SchoolCalendar, region: str, day: date) -> Kind:
    return (calendar.day_type(day, region),)


def _tables(
    history: History, by: str, measure: str, days: Iterable[date]
) -> tuple[tuple[Key, ...], dict[date, Values]]:
    read: dict[date, tuple[tuple[Key, ...], Values]] = {}
    for day in days:
        panel = history.panel(by, measure, *paris_day(day))
        if panel.share.mean() >= MEASURED_MIN and panel.keys:
            rows = [np.bincount(wall_minutes(day), row, DAY_MINUTES) for row in np.nan_to_num(panel.values)]
            read[day] = panel.keys, np.stack(rows)
    keys = tuple(sorted({key for of_day, _table in read.values() for key in of_day}))
    index = {key: number for number, key in enumerate(keys)}
    found = {day: np.zeros((len(keys), DAY_MINUTES)) for day in read}
    for day, (of_day, table) in read.items():
        found[day][[index[key] for key in of_day]] = table
    return keys, found
