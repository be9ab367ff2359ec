"""Adds up days into one side of a comparison, by everything that is reported.

Silent are minutes without any event where one is expected: by day, on days with school, on the clock of the place itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from streams.catalog import UNKNOWN, Catalog
from streams.clock import PARIS, paris_day
from streams.history import hll
from streams.history.calendar import PACKAGED_ZONES, SchoolCalendar
from streams.history.day_columns import CutName, CutRows
from streams.history.marks import DayFile, HourMark, counted_between, note_measured
from streams.history.side import Known, Minutes, Peak, Quality, Side, Sum, in_epoch

#: What is reported, in order: name, cut, position of the code in the cut's key (-1: France).
REPORTED: tuple[tuple[str, CutName, int], ...] = (
    ("national", CutName.REGION, -1),
    ("region", CutName.REGION, 0),
    ("academy", CutName.ACADEMY, 0),
    ("service", CutName.REGION_SERVICE, 1),
    ("family", CutName.REGION_SERVICE, 1),
    ("group", CutName.REGION_SERVICE, 1),
    ("project", CutName.PROJECT, 0),
    ("profile", CutName.PROFILE_REGION, 1),
)
#: Those that are read; the others follow from them.
_CUTS_READ = tuple(item for item in REPORTED if item[0] not in ("national", "family", "group"))


@dataclass(frozen=True, slots=True)
class _Matrix:
    """One day by code: `visits` (codes, minutes), `events` (codes)."""

    codes: tuple[str, ...]
    visits: NDArray[np.float64]
    events: NDArray[np.float64]

    @classmethod
    def of(cls, day: DayFile, rows: CutRows, position: int) -> "_Matrix":
        """The rows of a cut by the code at one position of its key."""
        first, end = day.minutes
        codes = tuple(sorted({key[position] for key in rows.keys}))
        place = {code: number for number, code in enumerate(codes)}
        of_key = np.array([place[key[position]] for key in rows.keys], np.int64)
        cell = of_key[rows.series] * (end - first) + (rows.minute - first)
        visits = np.bincount(cell, rows.visits, len(codes) * (end - first)).reshape(len(codes), end - first)
        events = np.bincount(of_key, np.bincount(rows.series, rows.events, len(rows.keys)), len(codes))
        return cls(codes, visits.astype(np.float64), events.astype(np.float64))

    def regrouped(self, targets: Callable[[str], tuple[str, ...]]) -> "_Matrix":
        """The same by other codes; one may go into several of them, or into none."""
        of_code = [targets(code) for code in self.codes]
        codes = tuple(sorted({name for some in of_code for name in some}))
        share = np.array([[name in some for some in of_code] for name in codes], np.float64).reshape(
            len(codes), len(of_code)
        )
        return _Matrix(codes, share @ self.visits, share @ self.events)


#: Silence is looked for between these hours of the local day, on days with school.
SILENCE_HOURS = (7, 21)


@dataclass(slots=True)
class Silences:
    """Adds up days. What is expected of a region follows its own clock and school calendar; of a project, those of its region.

    A project of no region is expected where any of the zones A, B, C has school. Where nobody told when there
    is school, nothing is expected.
    """

    catalog: Catalog
    calendar: SchoolCalendar
    #: Minutes in which events were expected and that are known, by (what, region); of them those with events, by (what, code).
    _expected: dict[tuple[str, str | None], int] = field(default_factory=dict)
    _heard: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, day: DayFile) -> None:
        """Add a day."""
        first, end = day.minutes
        every = {region.code for region in self.catalog.regions} | {None}
        hours = {region: self.expected(first, end, region) for region in every}
        for by, cut, regions in self._places():
            known = np.zeros(end - first, bool)
            note_measured(known, (mark for mark in day.hours if mark.knows(cut)), first, end)
            expected = {region: known & minutes for region, minutes in hours.items()}
            for region, minutes in expected.items():
                self._expected[by, region] = self._expected.get((by, region), 0) + int(minutes.sum())
            rows = day.rows[cut]
            if rows.keys:
                table = np.stack([expected[regions.get(key[0])] for key in rows.keys])
                is_heard = table[rows.series, rows.minute - first] & (rows.events > 0)
                heard = np.bincount(rows.series, is_heard, len(rows.keys))
                for key, number in zip(rows.keys, heard.tolist(), strict=True):
                    self._heard[by, key[0]] = self._heard.get((by, key[0]), 0) + int(number)

    def tell(self, side: Side) -> None:
        """Write the silent minutes of every region and project that had any event on these days."""
        for by, _cut, regions in self._places():
            for code in side.codes(by):
                if expected := self._expected.get((by, regions.get(code)), 0):
                    side.sums[by, code].silence_minutes = expected - self._heard.get((by, code), 0)

    def _places(self) -> tuple[tuple[str, CutName, dict[str, str | None]], ...]:
        """What is looked at, and the region of each code."""
        regions: dict[str, str | None] = {region.code: region.code for region in self.catalog.regions}
        projects = {project.code: project.region for project in self.catalog.projects}
        return ("region", CutName.REGION, regions | {UNKNOWN: "99"}), ("project", CutName.PROJECT, projects)

    def expected(self, first: int, end: int, region: str | None) -> NDArray[np.bool_]:
        """Which epoch minutes `first <= minute < end` lie in the school hours of a region; None: where any zone A, B, C has school."""
        place = next((place for place in self.catalog.regions if place.code == region), None)
        zone = self.calendar.zones.get(region or "")
        zones = PACKAGED_ZONES if region is None else (zone,) if zone else ()
        hours = _local_hours(first, end, place.timezone if place else PARIS.key)
        days = {day for day, _hour in hours}
        of_school = {day for day in days if any(self.calendar.has_school(day, z, region) for z in zones)}
        begin, stop = SILENCE_HOURS
        return np.repeat([begin <= hour < stop and day in of_school for day, hour in hours], 60)


@lru_cache(maxsize=64)
def _local_hours(first: int, end: int, timezone: str) -> tuple[tuple[date, int], ...]:
    """The local date and hour of each hour from a minute on."""
    zone = ZoneInfo(timezone)
    moments = [datetime.fromtimestamp(minute * 60, UTC).astimezone(zone) for minute in range(first, end, 60)]
    return tuple((moment.date(), moment.hour) for moment in moments)


class Collector:
    """Adds up days into a `Side`."""

    def __init__(self, catalog: Catalog, calendar: SchoolCalendar, days: Sequence[date]) -> None:
        self._side = Side(tuple(days), cuts=frozenset())
        self._silences = Silences(catalog, calendar)
        self._family = {service.code: service.family for service in catalog.services}
        self._groups = {
            s.code: tuple(g for g, codes in catalog.published_groups.items() if s.code in codes)
            for s in catalog.services
        }
        self._sketches: dict[tuple[str, str, str], list[bytes]] = {}
        self._marks: list[HourMark] = []
        self._measured: dict[date, int] = {}
        self._late = 0

    def add(self, number: int, day: DayFile, compared: Known) -> None:
        """Add day `number` (from 0); `compared` are its minutes that the other side knows as well."""
        self._measured[day.date] = day.measured_minutes
        self._marks += day.hours
        self._late += int(day.rows[CutName.REGION].late.sum())
        self._side.simulated |= day.is_simulated
        self._side.cuts |= {cut for cut in CutName if any(mark.knows(cut) for mark in day.hours)}
        first = day.minutes[0]
        inside = {cut: in_epoch(minutes, day.date) for cut, minutes in compared.items()}
        for by, cut, position in _CUTS_READ:
            found = _Matrix.of(day, day.rows[cut], position)
            matrices = {by: found}
            if by == "region":
                matrices["national"] = found.regrouped(lambda _code: ("FR",))
            elif by == "service":
                matrices["family"] = found.regrouped(lambda code: (self._family.get(code, UNKNOWN),))
                matrices["group"] = found.regrouped(lambda code: self._groups.get(code, ()))
            for name, matrix in matrices.items():
                self._add_matrix(number, name, matrix, first, inside[cut])
        for target, cut in (
            (self._side.service_visits, CutName.REGION_SERVICE),
            (self._side.profile_visits, CutName.PROFILE_REGION),
        ):
            rows = day.rows[cut]
            visits = np.bincount(rows.series, rows.visits * inside[cut][rows.minute - first], len(rows.keys))
            for key, added in zip(rows.keys, visits.tolist(), strict=True):
                target[key] = target.get(key, 0) + round(added)
        self._silences.add(day)
        self._add_sketches(day)

    def _add_matrix(self, number: int, by: str, matrix: _Matrix, first: int, compared: Minutes) -> None:
        """Add one grouping of day `number`, which begins at minute `first`; `compared` are its minutes that count in the comparison."""
        side = self._side
        columns = (matrix.codes, matrix.visits, matrix.events.tolist(), matrix.visits[:, compared].sum(axis=1).tolist())
        for code, row, events, visits_compared in zip(*columns, strict=True):
            found = side.sums.setdefault((by, code), Sum.zeros(len(side.days)))
            found.by_day[number] += round(float(row.sum()))
            found.compared_by_day[number] += round(visits_compared)
            found.events += round(events)
            minute = int(row.argmax())
            if found.peak is None or row[minute] > found.peak.visits:
                found.peak = Peak(round(float(row[minute])), first + minute)
        if by == "national" and number == 0 and matrix.codes:
            side.first_day = (first, matrix.visits[0].round().astype(np.int64))

    def side(self) -> Side:
        """The sums of all days added."""
        side = self._side
        for (kind, by, code), sketches in self._sketches.items():
            target = side.users if kind == "users" else side.establishments
            target[by, code] = hll.count(hll.union(sketches))
        side.quality = self._quality()
        self._silences.tell(side)
        return side

    def _add_sketches(self, day: DayFile) -> None:
        users = day.sketches.users
        for (scope, code), sketch in users.items():
            if scope == "region":
                self._sketches.setdefault(("users", "region", code), []).append(sketch)
            if scope == "paris" or ("paris", code) not in users:
                self._sketches.setdefault(("users", "national", "FR"), []).append(sketch)
        for (scope, code), sketch in day.sketches.establishments.items():
            self._sketches.setdefault(("establishments", scope, code), []).append(sketch)
            if scope == "region":
                self._sketches.setdefault(("establishments", "national", "FR"), []).append(sketch)

    def _quality(self) -> Quality:
        counted = counted_between(self._marks)
        return Quality(
            minutes=sum(end - first for first, end in map(paris_day, self._side.days)),
            measured_minutes=sum(self._measured.values()),
            late_events=self._late,
            rejected=counted.rejected,
            duplicates=counted.duplicates,
            lost=counted.lost,
            sources=tuple(sorted({mark.source for mark in self._marks})),
            days_without_data=tuple(day for day in self._side.days if not self._measured.get(day)),
        )
