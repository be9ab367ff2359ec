"""What an archive that logs filled has to tell: days, peaks, alerts and what drove them. Judged by the very code of the observer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from streams.backfill.log_input import InputReport
from streams.catalog import UNKNOWN, Catalog
from streams.clock import PARIS, paris_day
from streams.history import DayType, SchoolCalendar, hll
from streams.history.day_columns import CutName
from streams.history.reading import History
from streams.rehearse import CountsGrid, Found, Rehearsal, counts_of, rehearse_regions
from streams.rehearse.judge_rows import Progress
from streams.watch import AlertKind, AlertScope, Array, KeysOf, SchoolDays, Sensitivity

#: Services that are named as what drove an alert.
DRIVERS_MAX = 4
#: The same minutes of so many earlier days of the same weekday are what a service is held against.
WEEKS_BACK = 4
WEEK_MINUTES = 7 * 24 * 60
_OFF = (DayType.WEEKEND, DayType.HOLIDAY, DayType.PUBLIC_HOLIDAY, DayType.SUNDAY_BEFORE_SCHOOL)


@dataclass(frozen=True, slots=True)
class TrialDay:
    """One day in Paris: visits, distinct users (None where nobody knows), whether it is a day off, its measured minutes."""

    day: date
    visits: int
    users: int | None
    is_off: bool
    measured_minutes: int


@dataclass(frozen=True, slots=True)
class ServicePeak:
    """One service: its visits in all, and its busiest minute (epoch) and hour."""

    code: str
    visits: int
    peak_visits: int
    peak_minute: int
    hour_visits: int
    hour_minute: int


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """What a service had while an alert lasted, and what it has in the mean in the same minutes of the weeks before."""

    code: str
    visits: int
    usual: float

    @property
    def more(self) -> float:
        """By how much it differs."""
        return self.visits - self.usual


@dataclass(frozen=True, slots=True)
class TrialAlert:
    """An alert of the whole (a region's visits), with the services that drove it, the largest difference first."""

    found: Found
    drivers: tuple[ServiceChange, ...]


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """Everything that the page tells."""

    inputs: Sequence[InputReport]
    repeats: int
    unseen: Sequence[tuple[str, str, int]]
    days: Sequence[TrialDay]
    peaks: Sequence[ServicePeak]
    counts: CountsGrid
    rehearsal: Rehearsal
    alerts: Sequence[TrialAlert]
    sensitivity: str


@dataclass(frozen=True, slots=True)
class TrialRules:
    """How it is judged; `zone` of the school holidays, None: that of each region."""

    catalog: Catalog
    calendar: SchoolCalendar
    zone: str | None
    least: Sensitivity


def curves_of(history: History, rules: TrialRules, progress: Progress | None = None) -> tuple[CountsGrid, Rehearsal]:
    """Every minute of the archive by region, and what the observer would have made of it."""
    held = history.archive.dates()
    begin, end = paris_day(held[0])[0], paris_day(held[-1])[1]
    panel = history.panel("region", "visits", begin, end)
    values = np.where(panel.share[None, :] >= 1.0, panel.values, np.nan)
    counts = counts_of([AlertScope(*key) for key in panel.keys], begin, 1, values, PARIS)
    zones = {region.code: ZoneInfo(region.timezone) for region in rules.catalog.regions}
    known: dict[str, KeysOf] = {}

    def keys_of(region: str) -> tuple[str, KeysOf]:
        name = rules.zone or region
        return name, known.setdefault(name, SchoolDays(lambda day: _type(rules, day, region)))

    return counts, rehearse_regions(
        counts, lambda region: zones.get(region, PARIS), keys_of, least=rules.least, progress=progress
    )


def _type(rules: TrialRules, day: date, region: str) -> DayType:
    if rules.zone is not None:
        return rules.calendar.zone_day_type(day, rules.zone)
    return DayType.UNKNOWN if region in ("", UNKNOWN) else rules.calendar.day_type(day, region)


def days_of(history: History, rules: TrialRules, regions: Sequence[str]) -> list[TrialDay]:
    """The archive's days; days off are those of the region with the most of them, or of the zone."""
    found = []
    for past in history.days(history.archive.dates()[0], history.archive.dates()[-1]):
        users = [sketch for (scope, _code), sketch in past.sketches.users.items() if scope == "region"]
        kinds = {_type(rules, past.date, region) for region in regions}
        is_off = past.date.weekday() >= 5 if kinds <= {DayType.UNKNOWN} else all(kind in _OFF for kind in kinds)
        found.append(
            TrialDay(
                past.date,
                visits=int(past.rows[CutName.REGION].visits.sum()),
                users=hll.count(hll.union(users)) if users else None,
                is_off=is_off,
                measured_minutes=past.measured_minutes,
            )
        )
    return found


def service_visits(history: History) -> tuple[tuple[str, ...], int, Array]:
    """(services, first epoch minute, visits by service and minute; NaN where nobody measured)."""
    held = history.archive.dates()
    begin = paris_day(held[0])[0]
    panel = history.panel("service", "visits", begin, paris_day(held[-1])[1])
    return tuple(key[0] for key in panel.keys), begin, panel.values


def peaks_of(codes: Sequence[str], begin: int, values: Array) -> list[ServicePeak]:
    """The busiest minute and hour of each service, the most used one first."""
    found = []
    for code, row in zip(codes, np.nan_to_num(values), strict=True):
        hours = row[: len(row) - len(row) % 60].reshape(-1, 60).sum(axis=1)
        minute, hour = int(row.argmax()), int(hours.argmax())
        found.append(
            ServicePeak(code, int(row.sum()), int(row[minute]), begin + minute, int(hours[hour]), begin + hour * 60)
        )
    return sorted(found, key=lambda one: (-one.visits, one.code))


def with_drivers(alerts: Sequence[Found], codes: Sequence[str], values: Array) -> list[TrialAlert]:
    """Alerts with what the services did meanwhile, against the same minutes of the weeks before."""
    told = []
    for found in alerts:
        rows = slice(found.start, found.last + 1)
        weeks = [
            slice(rows.start - back, rows.stop - back)
            for back in range(WEEK_MINUTES, (WEEKS_BACK + 1) * WEEK_MINUTES, WEEK_MINUTES)
        ]
        drivers = []
        for code, row in zip(codes, values, strict=True):
            before = [float(row[week].sum()) for week in weeks if week.start >= 0 and np.isfinite(row[week]).all()]
            if before:
                drivers.append(ServiceChange(code, int(np.nansum(row[rows])), float(np.mean(before))))
        # What went the other way drove nothing.
        drove = (one for one in drivers if (one.more > 0) == (found.kind is AlertKind.SURGE))
        largest = sorted(drove, key=lambda one: (-abs(one.more), one.code))[:DRIVERS_MAX]
        told.append(TrialAlert(found, tuple(largest)))
    return told
