"""Adds up days into one side of a comparison, by everything that is reported."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from streams.catalog import UNKNOWN, Catalog
from streams.clock import PARIS
from streams.history import hll
from streams.history.calendar import SchoolCalendar
from streams.history.marks import HourMark, Source
from streams.history.reading import PastDay
from streams.history.rows import CutName, CutRows, Key
from streams.history.side import Peak, Quality, Side, Sum

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
#: Silence is looked for between these hours of the day, on days with school.
SILENCE_HOURS = (7, 21)


@dataclass(frozen=True, slots=True)
class _Matrix:
    """One day by code: `visits` (codes, minutes), `events` (codes)."""

    codes: tuple[str, ...]
    visits: NDArray[np.float64]
    events: NDArray[np.float64]

    @classmethod
    def of(cls, day: PastDay, rows: CutRows, position: int) -> _Matrix:
        """The rows of a cut by the code at one position of its key."""
        first, end = day.minutes
        codes = tuple(sorted({key[position] for key in rows.keys}))
        place = {code: number for number, code in enumerate(codes)}
        of_key = np.array([place[key[position]] for key in rows.keys], np.int64)
        cell = of_key[rows.series] * (end - first) + (rows.minute - first)
        visits = np.bincount(cell, rows.visits, len(codes) * (end - first)).reshape(len(codes), end - first)
        events = np.bincount(of_key, np.bincount(rows.series, rows.events, len(rows.keys)), len(codes))
        return cls(codes, visits.astype(np.float64), events.astype(np.float64))

    def regrouped(self, targets: Callable[[str], tuple[str, ...]]) -> _Matrix:
        """The same by other codes; one may go into several of them, or into none."""
        of_code = [targets(code) for code in self.codes]
        codes = tuple(sorted({name for some in of_code for name in some}))
        share = np.array([[name in some for some in of_code] for name in codes], np.float64).reshape(
            len(codes), len(of_code)
        )
        return _Matrix(codes, share @ self.visits, share @ self.events)


class Collector:
    """Adds up days into a `Side`."""

    def __init__(self, catalog: Catalog, calendar: SchoolCalendar, days: Sequence[date]) -> None:
        self._catalog = catalog
        self._calendar = calendar
        self._side = Side(tuple(days))
        self._index = {day: number for number, day in enumerate(days)}
        self._family = {service.code: service.family for service in catalog.services}
        self._groups = {
            s.code: tuple(g for g, codes in catalog.published_groups.items() if s.code in codes)
            for s in catalog.services
        }
        self._sketches: dict[tuple[str, str, str], list[bytes]] = {}
        self._marks: list[HourMark] = []
        self._measured: dict[date, int] = {}
        self._late = 0

    def add(self, day: PastDay) -> None:
        """Add one of the days."""
        self._measured[day.date] = day.measured_minutes
        self._marks += day.hours
        self._late += int(day.rows[CutName.REGION].late.sum())
        for by, cut, position in _CUTS_READ:
            found = _Matrix.of(day, day.rows[cut], position)
            self._add_matrix(by, day, found)
            if by == "region":
                self._add_matrix("national", day, found.regrouped(lambda _code: ("FR",)))
            elif by == "service":
                self._add_matrix("family", day, found.regrouped(lambda code: (self._family.get(code, UNKNOWN),)))
                self._add_matrix("group", day, found.regrouped(lambda code: self._groups.get(code, ())))
        self._add_regional(self._side.service_visits, day.rows[CutName.REGION_SERVICE])
        self._add_regional(self._side.profile_visits, day.rows[CutName.PROFILE_REGION])
        self._silences(day)
        self._add_sketches(day)

    def side(self) -> Side:
        """The sums of all days added."""
        side = self._side
        for (kind, by, code), sketches in self._sketches.items():
            target = side.users if kind == "users" else side.establishments
            target[by, code] = hll.count(hll.union(sketches))
        side.quality = self._quality()
        return side

    def _add_matrix(self, by: str, day: PastDay, matrix: _Matrix) -> None:
        number = self._index[day.date]
        first = day.minutes[0]
        best = matrix.visits.argmax(axis=1) if matrix.codes else np.zeros(0, np.int64)
        for index, code in enumerate(matrix.codes):
            found = self._side.sums.setdefault((by, code), Sum(np.zeros(len(self._side.days), np.int64)))
            row = matrix.visits[index]
            found.by_day[number] += round(float(row.sum()))
            found.events += round(float(matrix.events[index]))
            minute = int(best[index])
            if found.peak is None or row[minute] > found.peak.visits:
                found.peak = Peak(round(float(row[minute])), first + minute)
        if by == "national" and number == 0 and matrix.codes:
            self._side.first_day = (first, matrix.visits[0].round().astype(np.int64))

    def _add_regional(self, target: dict[Key, int], rows: CutRows) -> None:
        visits = np.bincount(rows.series, rows.visits, len(rows.keys))
        for key, number in zip(rows.keys, visits.tolist(), strict=True):
            target[key] = target.get(key, 0) + round(number)

    def _silences(self, day: PastDay) -> None:
        first, end = day.minutes
        known = np.zeros(end - first, bool)
        for mark in day.hours:
            for begin, stop in mark.measured:
                known[max(begin, first) - first : min(stop, end) - first] = True
        for by, cut in (("region", CutName.REGION), ("project", CutName.PROJECT)):
            rows = day.rows[cut]
            regions = {r.code: r for r in self._catalog.regions} if by == "region" else {}
            for index, key in enumerate(rows.keys):
                zone = ZoneInfo(regions[key[0]].timezone) if key[0] in regions else PARIS
                if not self._has_school(day.date, key[0] if by == "region" else None):
                    continue
                seen = np.zeros(end - first, bool)
                inside = (rows.series == index) & (rows.minute >= first) & (rows.minute < end) & (rows.events > 0)
                seen[rows.minute[inside] - first] = True
                silent = known & ~seen & _in_hours(first, end, zone)
                found = self._side.sums[by, key[0]]
                found.silence_minutes = (found.silence_minutes or 0) + int(silent.sum())

    def _has_school(self, day: date, region: str | None) -> bool:
        if region is None:
            return any(self._calendar.has_school(day, zone) for zone in "ABC")
        zone = self._calendar.zones.get(region)
        return self._calendar.has_school(day, zone, region) if zone else False

    def _add_sketches(self, day: PastDay) -> None:
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
        minutes = sum((end - first) for first, end in (_bounds(day) for day in self._side.days))
        rejected, duplicates, lost = _counted(self._marks)
        return Quality(
            minutes=minutes,
            measured_minutes=sum(self._measured.values()),
            late_events=self._late,
            rejected=rejected,
            duplicates=duplicates,
            lost=lost,
            sources=tuple(sorted({mark.source for mark in self._marks})),
            days_without_data=tuple(day for day in self._side.days if not self._measured.get(day)),
        )


def _bounds(day: date) -> tuple[int, int]:
    from streams.history.days import paris_day

    return paris_day(day)


def _in_hours(first: int, end: int, zone: ZoneInfo) -> NDArray[np.bool_]:
    """Which minutes lie between `SILENCE_HOURS` of the local day."""
    begin, stop = SILENCE_HOURS
    hours = [datetime.fromtimestamp(minute * 60, UTC).astimezone(zone).hour for minute in range(first, end, 60)]
    return np.repeat(np.array([begin <= hour < stop for hour in hours]), 60)[: end - first]


def _counted(marks: Iterable[HourMark]) -> tuple[int, int, int]:
    """Rejected, duplicate and lost events: what the totals grew by from each archived hour to the next."""
    live = sorted((mark for mark in marks if mark.source is Source.LIVE), key=lambda mark: mark.hour)
    grown = [0, 0, 0]
    for before, after in itertools.pairwise(live):
        if before.topic_id == after.topic_id:
            for place, name in enumerate(("rejected", "duplicates", "lost")):
                grown[place] += max(0, getattr(after.totals, name) - getattr(before.totals, name))
    return grown[0], grown[1], grown[2]
