"""Projects that were expected and never came: silence alone cannot see what never spoke. Pure but for what it remembers.

`expected_since: DATE` of a project in `config/projects.yaml`: from that day on, at nine in the morning (local time) of a day with school,
a project of which no event was ever counted is an alert. It ends with its first event.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from streams.catalog import Catalog
from streams.history import DayType, SchoolCalendar
from streams.history.day_columns import CutName
from streams.live import AlertRecord
from streams.observe.series import Plan
from streams.watch import AlertScope, Array

NEVER_SEEN = "never_seen"
NINE = datetime.time(9)
#: A first day with school is looked for so long: longer than the summer.
DAYS_MAX = 100
_SCHOOL = frozenset(
    {
        DayType.SCHOOL_DAY,
        DayType.WEDNESDAY,
        DayType.FRIDAY,
        DayType.RETURN,
        DayType.RENTREE_WEEK,
        DayType.LOCAL_HOLIDAY,
    }
)


@dataclass(frozen=True, slots=True)
class Expected:
    """A project that is expected: `due` is the epoch minute (archive time) from which its absence is an alert."""

    project: str
    due: int
    row: int


def expected_projects(catalog: Catalog, calendar: SchoolCalendar, plan: Plan) -> list[Expected]:
    """The projects that say since when they are expected."""
    zones = {region.code: ZoneInfo(region.timezone) for region in catalog.regions}
    found = []
    for project in catalog.projects:
        if project.expected_since is None:
            continue
        day = _first_school_day(project.expected_since, project.region, calendar)
        zone = zones.get(project.region or "", ZoneInfo("Europe/Paris"))
        due = int(datetime.datetime.combine(day, NINE, zone).timestamp()) // 60
        found.append(Expected(project.code, due, plan.places[(CutName.PROJECT, (project.code,))][0]))
    return found


def _first_school_day(since: date, region: str | None, calendar: SchoolCalendar) -> date:
    for offset in range(DAYS_MAX):
        day = since + timedelta(days=offset)
        kind = calendar.zone_day_type(day, "A") if region is None else calendar.day_type(day, region)
        # Where nobody told when there is school, a working day must do.
        if kind in _SCHOOL or (kind is DayType.UNKNOWN and day.weekday() < 5):
            return day
    return since


@dataclass(slots=True)
class NeverSeen:
    """Watches the expected projects; `shift_minutes` is archive time minus clock."""

    expected: list[Expected]
    shift_minutes: int
    _seen: dict[str, int] = field(default_factory=dict)

    def known(self, projects: Iterable[str]) -> None:
        """These projects were seen at some time, nobody says when."""
        for project in projects:
            self._seen.setdefault(project, 0)

    def feed(self, first: int, table: Array) -> list[AlertRecord]:
        """Look at the minutes of a table from `first` on; return the alerts that ended in them."""
        ended = []
        for one in self.expected:
            if one.project in self._seen:
                continue
            places = np.flatnonzero(np.nan_to_num(table[one.row]) > 0)
            if len(places):
                minute = self._seen[one.project] = first + int(places[0])
                if minute > one.due:
                    ended.append(self._record(one, minute, over=True))
        return ended

    def running(self, minute: int) -> list[AlertRecord]:
        """The alerts that hold at an epoch minute of archive time."""
        return [
            self._record(one, minute, over=False)
            for one in self.expected
            if one.project not in self._seen and minute > one.due
        ]

    def _record(self, one: Expected, minute: int, *, over: bool) -> AlertRecord:
        start_ms, until_ms = ((at - self.shift_minutes) * 60_000 for at in (one.due, minute))
        return AlertRecord(
            id=f"{NEVER_SEEN}:{AlertScope(project=one.project).name}:{start_ms}",
            kind=NEVER_SEEN,
            scope="project",
            region=None,
            service=None,
            project=one.project,
            measure="events",
            start_ms=start_ms,
            raised_ms=start_ms,
            until_ms=until_ms,
            end_ms=until_ms if over else None,
            observed=0.0,
            expected=0.0,
            lower=0.0,
            upper=0.0,
        )


def seen_in(totals: Mapping[tuple[str, ...], int]) -> list[str]:
    """Projects of which anything was ever counted, from Redis's totals."""
    return [field[1] for field, number in totals.items() if field[0] == "p" and number > 0]
