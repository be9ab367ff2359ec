"""Minutes without any event where one is expected: by day, on days with school, on the clock of the place itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from streams.catalog import UNKNOWN, Catalog
from streams.clock import PARIS
from streams.history.calendar import PACKAGED_ZONES, SchoolCalendar
from streams.history.day_columns import CutName
from streams.history.marks import note_measured
from streams.history.reading import PastDay
from streams.history.side import Side

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
    _school: dict[tuple[date, str | None], bool] = field(default_factory=dict)

    def add(self, day: PastDay) -> None:
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
            if not rows.keys:
                continue
            table = np.stack([expected[regions.get(key[0])] for key in rows.keys])
            heard = np.bincount(
                rows.series, table[rows.series, rows.minute - first] & (rows.events > 0), len(rows.keys)
            )
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
        begin, stop = SILENCE_HOURS
        found = np.zeros(end - first, bool)
        for index, (day, hour) in enumerate(_local_hours(first, end, place.timezone if place else PARIS.key)):
            if begin <= hour < stop and self._has_school(day, region):
                found[index * 60 : index * 60 + 60] = True
        return found

    def _has_school(self, day: date, region: str | None) -> bool:
        key = (day, region)
        if key not in self._school:
            zone = self.calendar.zones.get(region or "")
            self._school[key] = (
                any(self.calendar.has_school(day, zone) for zone in PACKAGED_ZONES)
                if region is None
                else zone is not None and self.calendar.has_school(day, zone, region)
            )
        return self._school[key]


@lru_cache(maxsize=64)
def _local_hours(first: int, end: int, timezone: str) -> tuple[tuple[date, int], ...]:
    """The local date and hour of each hour from a minute on."""
    zone = ZoneInfo(timezone)
    moments = [datetime.fromtimestamp(minute * 60, UTC).astimezone(zone) for minute in range(first, end, 60)]
    return tuple((moment.date(), moment.hour) for moment in moments)
