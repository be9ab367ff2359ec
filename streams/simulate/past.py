"""A simulated past: whole days of counts written straight to an archive, no event ever made. Seeded: the same day is the same file.

Every figure is drawn around what `Levels` expects: events of a region and service are Poisson; their visits, and the parts of projects,
academies and profiles, are shares rounded at random, so that every total is the sum of its parts.
"""

from __future__ import annotations

import datetime
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.catalog import UNKNOWN, Catalog, Region
from streams.history import SchoolCalendar, school_year_of
from streams.history.day_file import DayFile
from streams.history.days import dates, paris_day
from streams.history.marks import HourMark, Source
from streams.history.rows import CutName, CutRows, Ints, Key, Rows, Sketches
from streams.load_shape import LoadShape, curve
from streams.simulate.levels import Levels, PastPlan
from streams.simulate.past_sketches import sketch_of_numbers
from streams.simulate.population import make_establishments
from streams.simulate.scenario import Traffic

Floats = NDArray[np.float64]
#: Late events among a minute's.
LATE_SHARE = 0.0005


@dataclass(frozen=True, slots=True)
class PastInputs:
    """Everything that a simulated past follows from."""

    catalog: Catalog
    shape: LoadShape
    traffic: Traffic
    calendar: SchoolCalendar
    plan: PastPlan
    seed: int
    scale: float


@dataclass(frozen=True, slots=True)
class _Part:
    """Establishments of one region that share a project and an academy; `share` of the region's use."""

    project: str
    academy: str
    share: float
    establishments: NDArray[np.uint64]


@dataclass(slots=True)
class Past:
    """Makes days. Slow to construct, then about 0.1 s a day."""

    inputs: PastInputs
    levels: Levels = field(init=False)
    _regions: list[Region] = field(init=False)
    _parts: dict[str, list[_Part]] = field(init=False)
    _curve: Floats = field(init=False)

    def __post_init__(self) -> None:
        inputs = self.inputs
        self._curve = np.array(curve(inputs.shape))
        normal = inputs.traffic.normal_peak_events_per_second * 60 * self._curve.sum() / inputs.traffic.events_per_visit
        self.levels = Levels(inputs.catalog, inputs.shape, inputs.calendar, inputs.plan, normal)
        self._regions = [region for region in inputs.catalog.regions if region.weight > 0]
        self._parts = _parts(inputs)

    def day(self, day: datetime.date) -> DayFile:
        """One whole day."""
        rng = np.random.default_rng([self.inputs.seed, day.toordinal()])
        first, end = paris_day(day)
        minutes = np.arange(first, end)
        counts = {region.code: self._region(region, day, minutes, rng) for region in self._regions}
        rows = self._rows(counts, day, minutes, rng)
        hours = tuple(
            HourMark(hour, Source.SIMULATED, ((hour * 60, hour * 60 + 60),)) for hour in range(first // 60, end // 60)
        )
        return DayFile(day, 0, hours, rows, self._sketches(counts, day, rng), self.inputs.catalog.digest)

    def _region(self, region: Region, day: datetime.date, minutes: Ints, rng: np.random.Generator) -> _Counts:
        """Visits (minutes), and events and visits of services (services, minutes) of one region."""
        inputs = self.inputs
        rate = self._rate(region, minutes) * self._perimeter(region, day)
        factors = self.levels.service_factors(day)
        weights = np.array([s.weight * factors.get(s.code, 1.0) for s in inputs.catalog.services])
        events = rng.poisson(np.outer(weights, rate))
        # A visit of a service is so many of its events: rounded at random, so that small numbers come out right in the mean.
        share = inputs.plan.services_per_visit / inputs.traffic.events_per_visit
        service_visits = np.floor(events * share + rng.random(events.shape, np.float32)).astype(np.int64)
        # A visit begins with one of its events, so there are never more of them.
        visits = rng.binomial(events.sum(axis=0), 1 / (inputs.traffic.events_per_visit * weights.sum()))
        return _Counts(visits, events, service_visits)

    def _rate(self, region: Region, minutes: Ints) -> Floats:
        """Expected events of each minute, at the whole perimeter."""
        inputs = self.inputs
        total = sum(other.weight for other in self._regions)
        peak = inputs.traffic.normal_peak_events_per_second * 60 * inputs.scale * region.weight / total
        zone = ZoneInfo(region.timezone)
        rate = np.empty(len(minutes))
        for begin in range(0, len(minutes), 60):
            local = datetime.datetime.fromtimestamp(int(minutes[begin]) * 60, zone)
            of_day = local.hour * 60 + local.minute
            rate[begin : begin + 60] = self._curve[of_day : of_day + 60] * self.levels.level(local.date(), region.code)
        return rate * peak

    def _perimeter(self, region: Region, day: datetime.date) -> float:
        return sum(share for _part, share in self._active(region, day))

    def _active(self, region: Region, day: datetime.date) -> Iterator[tuple[_Part, float]]:
        for part in self._parts[region.code]:
            if self.levels.is_active(day, part.project):
                yield part, part.share * self.levels.project_factor(day, part.project, region.code)

    def _rows(self, counts: dict[str, _Counts], day: datetime.date, minutes: Ints, rng: np.random.Generator) -> Rows:
        services = [service.code for service in self.inputs.catalog.services]
        shares = [profile.share for profile in self.inputs.catalog.profiles]
        tables = {cut: _Table(len(minutes)) for cut in CutName}
        for region in self._regions:
            found = counts[region.code]
            events = found.events.sum(axis=0)
            tables[CutName.REGION].add((region.code,), events, found.visits, rng.binomial(events, LATE_SHARE))
            for index, service in enumerate(services):
                tables[CutName.REGION_SERVICE].add(
                    (region.code, service), found.events[index], found.service_visits[index]
                )
            active = list(self._active(region, day))
            parts = list(
                zip(*(_split(n, [share for _part, share in active], rng) for n in (events, found.visits)), strict=True)
            )
            for (part, _share), (part_events, part_visits) in zip(active, parts, strict=True):
                tables[CutName.PROJECT].add((part.project,), part_events, part_visits)
                tables[CutName.ACADEMY].add((part.academy,), part_events, part_visits)
            profiles = zip(*(_split(n, shares, rng) for n in (events, found.visits)), strict=True)
            for profile, (part_events, part_visits) in zip(self.inputs.catalog.profiles, profiles, strict=True):
                tables[CutName.PROFILE_REGION].add((region.code, profile.code), part_events, part_visits)
        return {cut: table.rows(int(minutes[0])) for cut, table in tables.items()}

    def _sketches(self, counts: dict[str, _Counts], day: datetime.date, rng: np.random.Generator) -> Sketches:
        users: dict[Key, bytes] = {}
        schools: dict[Key, list[NDArray[np.uint64]]] = {}
        for region in self._regions:
            for part, _share in self._active(region, day):
                schools.setdefault(("region", region.code), []).append(part.establishments)
                schools.setdefault(("project", part.project), []).append(part.establishments)
            seen = round(int(counts[region.code].visits.sum()) * self.inputs.plan.visitors_per_visit)
            # Visitors come back on other days: they are drawn from a population.
            population = max(1, round(self._population(region)))
            salt = np.uint64(zlib.crc32(region.code.encode()) << 32)
            users["region", region.code] = sketch_of_numbers(rng.integers(0, population, seen, np.uint64) + salt)
            if region.timezone != "Europe/Paris":
                users["paris", region.code] = users["region", region.code]
        establishments = {key: sketch_of_numbers(np.concatenate(parts)) for key, parts in schools.items()}
        return Sketches(users, establishments)

    def _population(self, region: Region) -> float:
        inputs = self.inputs
        total = sum(other.weight for other in self._regions)
        a_day = float(
            inputs.traffic.normal_peak_events_per_second * 60 * inputs.scale * self._curve.sum() * region.weight / total
        )
        return 3 * a_day / inputs.traffic.events_per_visit * inputs.plan.visitors_per_visit


@dataclass(frozen=True, slots=True)
class _Counts:
    """One region's day: visits (minutes), events and visits of services (services, minutes)."""

    visits: Ints
    events: Ints
    service_visits: Ints


class _Table:
    """Adds up series of one cut, then gives its rows."""

    def __init__(self, minutes: int) -> None:
        self._series: dict[Key, NDArray[np.int64]] = {}
        self._minutes = minutes

    def add(self, key: Key, events: Ints, visits: Ints, late: Ints | None = None) -> None:
        """Add to a key's series."""
        if key not in self._series:
            self._series[key] = np.zeros((3, self._minutes), np.int64)
        table = self._series[key]
        table[0] += events
        table[1] += visits
        if late is not None:
            table[2] += late

    def rows(self, first: int) -> CutRows:
        """The rows of all keys, without zeros."""
        keys = [key for key in sorted(self._series) if self._series[key][:2].any()]
        if not keys:
            return CutRows.empty()
        tables = [self._series[key] for key in keys]
        minutes = [np.flatnonzero(table[0] | table[1]) for table in tables]
        series = np.repeat(np.arange(len(keys)), [len(found) for found in minutes])
        counts = np.concatenate([table[:, found] for table, found in zip(tables, minutes, strict=True)], axis=1)
        return CutRows(tuple(keys), series, np.concatenate(minutes) + first, *counts)


def _split(total: Ints, shares: Sequence[float], rng: np.random.Generator) -> list[Ints]:
    """Parts of each number by shares, rounded at random; they add up to it."""
    edges = np.cumsum(shares) / sum(shares)
    shift = rng.random(len(total))
    # The last edge is the whole; the others are moved by the same random part of one, so that each part is right in the mean.
    cuts = [np.minimum(total, np.floor(total * edge + shift).astype(np.int64)) for edge in edges[:-1]]
    return [np.diff(pair, axis=0)[0] for pair in zip([np.zeros_like(total), *cuts], [*cuts, total], strict=True)]


def _parts(inputs: PastInputs) -> dict[str, list[_Part]]:
    found: dict[str, list[_Part]] = {}
    number = 0
    for region, establishments in make_establishments(inputs.catalog, inputs.traffic, inputs.seed).items():
        counted = Counter((e.place.project, e.place.academy) for e in establishments)
        found[region] = []
        for (project, academy), size in sorted(counted.items()):
            ids = np.arange(number, number + size, dtype=np.uint64)
            number += size
            found[region].append(_Part(project, academy or UNKNOWN, size / len(establishments), ids))
    return found


def default_archive_days(plan: PastPlan, years: float) -> tuple[datetime.date, datetime.date]:
    """First and last day of a past of so many years that ends as the plan says."""
    return plan.last_day - datetime.timedelta(days=round(years * 365.25) - 1), plan.last_day


def scenario_days(calendar: SchoolCalendar, day: datetime.date) -> list[datetime.date]:
    """The yesterdays of a scenario's day: last year's rentrée, a week before to four weeks after it, and the eight weeks before the day."""
    found = []
    rentree = calendar.rentree(school_year_of(day) - 1)
    if rentree is not None:
        found = list(dates(rentree - datetime.timedelta(days=7), rentree + datetime.timedelta(days=27)))
    before = dates(day - datetime.timedelta(days=56), day - datetime.timedelta(days=1))
    return [*found, *(day for day in before if day not in found)]


def scenario_plan(plan: PastPlan) -> PastPlan:
    """The plan without what would change the year of the scenarios: a lockdown of the year before, for instance."""
    return msgspec.structs.replace(plan, periods=tuple(period for period in plan.periods if period.moves == "against"))


def load_inputs(config_dir: Path, seed: int, scale: float | None, plan: PastPlan | None = None) -> PastInputs:
    """Read everything from `config/`.

    Raises:
        SettingsError: a file cannot be used.
    """
    from streams.catalog import load_catalog
    from streams.history import load_calendar
    from streams.load_shape import load_shape
    from streams.simulate.levels import load_past
    from streams.simulate.scenario import load_scenarios

    catalog = load_catalog(config_dir)
    chosen = plan or load_past(config_dir, catalog)
    return PastInputs(
        catalog,
        load_shape(config_dir, catalog),
        load_scenarios(config_dir).traffic,
        load_calendar(config_dir, catalog),
        chosen,
        seed,
        chosen.scale if scale is None else scale,
    )
