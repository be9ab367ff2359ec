"""From what the judges tell to the alerts that people see: figures, what drives them, what was planned. Pure.

Projects that were expected and never came are told here, too: silence alone cannot see what never spoke. A project of
`config/projects.yaml` may say `expected_since: DATE`. While no event of it was ever counted, it is an alert from nine in the morning (local
time) of the first day with school from then on. It ends with its first event.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from streams.catalog import Catalog
from streams.clock import PARIS, dates
from streams.history import DayType, SchoolCalendar
from streams.history.day_columns import CutName
from streams.incidents import NOW_MINUTES, AlertRecord, Driver
from streams.observe.series import Plan
from streams.watch import (
    AlertScope,
    Array,
    Judge,
    Maintenance,
    Measure,
    Part,
    Told,
    drivers,
    level_of,
    normal_since,
    planned_because,
    sums,
)


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes records. `judges` are those of all groups; `shift_minutes` is archive time minus clock."""

    judges: Sequence[Judge]
    maintenances: Sequence[Maintenance]
    project_regions: Mapping[str, str | None]
    shift_minutes: int

    def record(self, judge: Judge, told: Told) -> AlertRecord:
        """The record of an alert that a judge tells."""
        series = judge.group.series[told.series]
        scope = series.scope
        figures = sums(judge, told.series, told.start, told.until)
        now = sums(judge, told.series, max(told.start, told.until - NOW_MINUTES), told.until)
        start_ms = self._clock_ms(told.start)
        normal = normal_since(told.kind, told.start, told.until)
        return AlertRecord(
            id=f"{told.kind}:{scope.name}:{start_ms}",
            kind=told.kind.value,
            scope=level_of(scope),
            region=scope.region,
            service=scope.service,
            project=scope.project,
            measure=series.measure.value,
            start_ms=start_ms,
            raised_ms=self._clock_ms(told.raised),
            until_ms=self._clock_ms(told.until),
            end_ms=self._clock_ms(told.until) if told.is_over else None,
            observed=round(figures.observed, 1),
            expected=round(figures.expected, 1),
            lower=round(figures.lower, 1),
            upper=round(figures.upper, 1),
            learning=told.learning,
            score=round(told.score, 2),
            usual_score=round(told.usual, 2),
            planned=planned_because(
                self.maintenances,
                told.kind,
                told.start,
                until=told.until,
                scope=scope,
                region=scope.region or self.project_regions.get(scope.project or ""),
            ),
            last_rentree=judge.last_rentree(told.series, told.start, told.until),
            drivers=tuple(_driver(part) for part in drivers(self.judges, series, told, self.project_regions)),
            observed_now=round(now.observed, 1),
            expected_now=round(now.expected, 1),
            normal_since_ms=None if normal is None else self._clock_ms(normal),
        )

    def _clock_ms(self, minute: int) -> int:
        return (minute - self.shift_minutes) * 60_000


def _driver(part: Part) -> Driver:
    scope, sums = part.scope, part.sums
    ratio = round(sums.observed / sums.expected, 3) if sums.expected > 0 else None
    return Driver(scope.region, scope.service, scope.project, round(sums.observed, 1), round(sums.expected, 1), ratio)


def merged_measures(records: Sequence[AlertRecord]) -> list[AlertRecord]:
    """One alert a place: where a scope's events and visits both tell, the one that began first."""
    best: dict[str, AlertRecord] = {}
    for record in sorted(records, key=lambda one: (one.start_ms, one.measure != Measure.VISITS)):
        best.setdefault(record.place, record)
    return list(best.values())


NEVER_SEEN = "never_seen"
NINE = time(9)
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
        if project.expected_since is not None:
            day = _first_school_day(project.expected_since, project.region, calendar)
            nine = datetime.combine(day, NINE, zones.get(project.region or "", PARIS))
            found.append(
                Expected(project.code, int(nine.timestamp()) // 60, plan.places[(CutName.PROJECT, (project.code,))][0])
            )
    return found


def _first_school_day(since: date, region: str | None, calendar: SchoolCalendar) -> date:
    for day in dates(since, since + timedelta(days=DAYS_MAX - 1)):
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
        self._seen = dict.fromkeys(projects, 0) | self._seen

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
