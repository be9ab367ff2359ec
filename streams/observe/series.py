"""Which series are judged, and from which counts: the plan of the detector. Pure.

A *group* is what shares a time zone, a calendar and a length of rows, and is one panel of `streams.watch`:

- France: all visits and events, and the projects of no region, in rows of a minute;
- each region: its visits and events, and its projects, in rows of a minute;
- each region's services: their visits, in rows of five minutes, since they are few a minute.

Surges and drops are told from visits, silences from events, which are about ten times as many and so fall silent sooner. Where visits are
too few to tell anything, surges and drops are told from events.

`INCONNU` is nobody's, and is not judged on its own; France counts it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from streams.catalog import Catalog
from streams.history import SchoolCalendar
from streams.history.day_columns import CutName, CutRows, Key
from streams.watch import AlertScope, Array, Group, Measure, MixedDays, SchoolDays, Series

MINUTE_ROWS, SERVICE_ROWS = 1, 5
#: The cuts of counts that a table is made of.
JUDGED_CUTS = (CutName.REGION, CutName.REGION_SERVICE, CutName.PROJECT)
#: Zones whose holidays France is judged by: those of nine pupils out of ten.
MAINLAND_ZONES = ("A", "B", "C")


_Place = tuple[CutName, Key]


@dataclass(frozen=True, slots=True)
class Plan:
    """All groups, and how counts come into one table: (rows, minutes).

    `places`: (cut, key) -> its rows of events and of visits (-1: none).
    """

    groups: tuple[Group, ...]
    rows: int
    places: Mapping[_Place, tuple[int, int]]

    def table(self, counts: Mapping[CutName, CutRows], first: int, measured: Array) -> Array:
        """Counts of the minutes from epoch minute `first` on; `measured` (minutes) is above 0 where a minute is known. NaN elsewhere."""
        minutes = len(measured)
        table = np.zeros((self.rows, minutes))
        for cut in JUDGED_CUTS:
            rows = counts[cut]
            places = [self.places.get((cut, key), (-1, -1)) for key in rows.keys]
            inside = (rows.minute >= first) & (rows.minute < first + minutes)
            for column, values in enumerate((rows.events, rows.visits)):
                target = np.array([place[column] for place in places], np.int64)[rows.series]
                wanted = inside & (target >= 0)
                # A cut holds each key and minute once, so nothing has to be added up.
                table[target[wanted], rows.minute[wanted] - first] = values[wanted]
                if cut is CutName.REGION:  # France is the sum of its regions; its rows are the first two
                    table[column] = np.bincount(rows.minute[inside] - first, values[inside], minutes)
        table[:, measured <= 0] = np.nan
        return table


def make_plan(catalog: Catalog, calendar: SchoolCalendar) -> Plan:
    """The plan of a configuration."""
    return _Planner(catalog, calendar).plan()


class _Planner:
    def __init__(self, catalog: Catalog, calendar: SchoolCalendar) -> None:
        self.catalog, self.calendar = catalog, calendar
        self.count = 0
        self.places: dict[_Place, tuple[int, int]] = {}

    def plan(self) -> Plan:
        france = [*self._pair(AlertScope()), *self._projects(None)]
        keys = MixedDays([self._zone_days(zone) for zone in MAINLAND_ZONES])
        groups = [Group("France", ZoneInfo("Europe/Paris"), keys, MINUTE_ROWS, tuple(france))]
        for region in self.catalog.regions:
            groups += self._region(region.code, ZoneInfo(region.timezone))
        return Plan(tuple(groups), self.count, self.places)

    def _region(self, code: str, zone: ZoneInfo) -> list[Group]:
        days = SchoolDays(lambda date: self.calendar.day_type(date, code))
        own = self._pair(AlertScope(region=code), CutName.REGION, (code,))
        services = {service.code: self._row() for service in self.catalog.services}
        self.places |= {(CutName.REGION_SERVICE, (code, service)): (-1, row) for service, row in services.items()}
        return [
            Group(code, zone, days, MINUTE_ROWS, (*own, *self._projects(code))),
            Group(
                f"{code}/services",
                zone,
                days,
                SERVICE_ROWS,
                tuple(Series(AlertScope(code, service), Measure.VISITS, row) for service, row in services.items()),
            ),
        ]

    def _projects(self, region: str | None) -> list[Series]:
        """The projects of a region; with None those of no region."""
        codes = [project.code for project in self.catalog.projects if project.region == region]
        return [one for code in codes for one in self._pair(AlertScope(project=code), CutName.PROJECT, (code,))]

    def _pair(self, scope: AlertScope, cut: CutName | None = None, key: Key = ()) -> list[Series]:
        events, visits = self._row(), self._row()
        if cut is not None:
            self.places[(cut, key)] = (events, visits)
        return [Series(scope, Measure.EVENTS, events), Series(scope, Measure.VISITS, visits)]

    def _row(self) -> int:
        self.count += 1
        return self.count - 1

    def _zone_days(self, zone: str) -> SchoolDays:
        return SchoolDays(lambda date: self.calendar.zone_day_type(date, zone))
