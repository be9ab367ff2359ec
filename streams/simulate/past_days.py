"""A simulated past: whole days of counts written straight to an archive, no event ever made. Seeded: the same day is the same file.

Every figure is drawn around what live traffic of the same load has in the mean, minute by minute: the same `Levels`, and the same
`VisitRule` from courses to visits. Drawn are the courses that begin in each project and academy; what they bring in the minutes after comes
in heaps, as it does live. Regions are sums of these; services and profiles are dealt out one by one. Every total is the sum of its parts.
"""

import datetime
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from streams.catalog import Catalog, Region, load_catalog
from streams.clock import dates, paris_day
from streams.history import SchoolCalendar, hll, load_calendar, school_year_of
from streams.history.day_columns import CutName, CutRows, Ints, Key, Rows, Sketches
from streams.history.marks import DayFile, HourMark, HourSource
from streams.load_shape import LoadShape, load_shape
from streams.simulate.levels import Levels, PastPlan, load_past
from streams.simulate.population import Establishments
from streams.simulate.scenario import ScenarioTraffic, load_scenarios
from streams.stable_hash import mix

Floats = NDArray[np.float64]
#: Late events among a minute's.
LATE_SHARE = 0.0005


@dataclass(frozen=True, slots=True)
class PastInputs:
    """Everything that a simulated past follows from."""

    catalog: Catalog
    shape: LoadShape
    traffic: ScenarioTraffic
    calendar: SchoolCalendar
    plan: PastPlan
    seed: int
    scale: float


class PastMaker:
    """Makes days. Slow to construct, then about 0.2 s a day."""

    def __init__(self, inputs: PastInputs) -> None:
        self.inputs = inputs
        self.levels = Levels(
            inputs.catalog, inputs.shape, inputs.calendar, plan=inputs.plan, traffic=inputs.traffic, seed=inputs.seed
        )
        self.perimeter = Establishments(inputs.catalog, inputs.traffic, inputs.seed)
        self._curve = np.array(self.levels.curve)

    def day(self, day: datetime.date) -> DayFile:
        """One whole day."""
        rng = np.random.default_rng([self.inputs.seed, day.toordinal()])
        first, end = paris_day(day)
        counts = {region.code: self._drawn(region, day, first, end, rng) for region in self.levels.regions}
        rows = self._rows(counts, day, np.arange(first, end), rng)
        hours = tuple(
            HourMark(hour, HourSource.SIMULATED, ((hour * 60, hour * 60 + 60),))
            for hour in range(first // 60, end // 60)
        )
        return DayFile(day, 0, hours, rows, self._sketches(counts, day, rng), self.inputs.catalog.digest)

    def expected(self, region: Region, day: datetime.date, first: int, end: int) -> "ExpectedMinutes":
        """What the epoch minutes `first` (at a whole hour) to `end` of a day have in the mean."""
        rule = self.levels.rule
        perimeter = sum(share for _part, share in self.perimeter.active(self.levels, region.code, day))
        starts = self._starts(region, first, end) * perimeter
        shares, factors = self._services(day)
        return ExpectedMinutes(
            visits=rule.visits(starts),
            events=np.outer(shares * factors, rule.events(starts)),
            service_visits=rule.service_visits(starts, shares) * factors[:, None],
        )

    def _drawn(self, region: Region, day: datetime.date, first: int, end: int, rng: np.random.Generator) -> "_Counts":
        """One region's counts around what is expected."""
        rule, usual = self.levels.rule, self._starts(region, first, end)
        mean = [rule.events(usual), rule.visits(usual)]
        events_of, visits_of = [], []
        for _part, share in self.perimeter.active(self.levels, region.code, day):
            starts = rng.poisson(usual * share).astype(np.float64)
            visits_of.append(starts[rule.lead :].astype(np.int64) + rng.poisson(rule.returns(starts)))
            others = np.maximum(rule.events(starts) - rule.visits(starts), 0.0)
            heaps = np.maximum(others**2 / np.maximum(rule.heaps * mean[0] * share, 1e-12), 1e-6)
            events_of.append(visits_of[-1] + rng.poisson(others * rng.gamma(heaps) / heaps))
        visits, events = np.sum(visits_of, axis=0), np.sum(events_of, axis=0)
        shares, factors = self._services(day)
        chances = shares / shares.sum()
        # Each visit begins with a visit of a service; of the other events those are one whose service was not used before.
        begun = rng.multinomial(visits, chances).T
        others = rng.multinomial(events - visits, chances).T
        first_uses = rule.service_visits(usual, shares) - np.outer(chances, mean[1])
        part = first_uses / np.maximum(np.outer(chances, mean[0] - mean[1]), 1e-12)
        service_visits = begun + rng.binomial(others, np.clip(part, 0.0, 1.0))
        of_services = begun + others
        for number in np.flatnonzero(factors != 1.0):  # in a year of growth
            more = rng.random(len(visits))
            of_services[number] = np.floor(of_services[number] * factors[number] + more)
            service_visits[number] = np.floor(service_visits[number] * factors[number] + more)
        if (factors != 1.0).any():
            events_of = _dealt_as(of_services.sum(axis=0), events_of, rng)
        return _Counts(visits_of, events_of, of_services, service_visits)

    def _starts(self, region: Region, first: int, end: int) -> Floats:
        """Courses that begin in each minute in the mean, at the whole perimeter, from `lead` minutes before `first` on."""
        rule = self.levels.rule
        lead = -(-rule.lead // 60) * 60
        return self._rate(region, np.arange(first - lead, end))[lead - rule.lead :] / rule.events_per_course

    def _services(self, day: datetime.date) -> tuple[Floats, Floats]:
        """(services): their shares of the events, and by how much their use differs on a day."""
        services, moved = self.inputs.catalog.services, self.levels.service_factors(day)
        shares = np.array([service.weight for service in services])
        return shares, np.array([moved.get(service.code, 1.0) for service in services])

    def _rate(self, region: Region, minutes: Ints) -> Floats:
        """Expected events of each minute by level and curve, at the whole perimeter."""
        peak = self.levels.peak(region.code) * 60 * self.inputs.scale
        zone = ZoneInfo(region.timezone)
        rate = np.empty(len(minutes))
        for begin in range(0, len(minutes), 60):
            local = datetime.datetime.fromtimestamp(int(minutes[begin]) * 60, zone)
            of_day = local.hour * 60 + local.minute
            rate[begin : begin + 60] = self._curve[of_day : of_day + 60] * self.levels.level(local.date(), region.code)
        return rate * peak

    def _rows(self, counts: "dict[str, _Counts]", day: datetime.date, minutes: Ints, rng: np.random.Generator) -> Rows:
        shares = [profile.share for profile in self.inputs.catalog.profiles]
        tables = {cut: _Table(len(minutes)) for cut in CutName}
        for region in self.levels.regions:
            found = counts[region.code]
            events = found.events.sum(axis=0)
            tables[CutName.REGION].add((region.code,), events, found.visits, rng.binomial(events, LATE_SHARE))
            for index, service in enumerate(self.inputs.catalog.services):
                tables[CutName.REGION_SERVICE].add(
                    (region.code, service.code), found.events[index], found.service_visits[index]
                )
            active = list(self.perimeter.active(self.levels, region.code, day))
            for (part, _share), part_events, part_visits in zip(active, found.events_of, found.visits_of, strict=True):
                tables[CutName.PROJECT].add((part.project,), part_events, part_visits)
                tables[CutName.ACADEMY].add((part.academy,), part_events, part_visits)
            profiles = zip(*(_dealt(n, shares, rng) for n in (events, found.visits)), strict=True)
            for profile, (part_events, part_visits) in zip(self.inputs.catalog.profiles, profiles, strict=True):
                tables[CutName.PROFILE_REGION].add((region.code, profile.code), part_events, part_visits)
        return {cut: table.rows(int(minutes[0])) for cut, table in tables.items()}

    def _sketches(self, counts: "dict[str, _Counts]", day: datetime.date, rng: np.random.Generator) -> Sketches:
        users: dict[Key, bytes] = {}
        schools: dict[Key, list[NDArray[np.uint64]]] = {}
        for region in self.levels.regions:
            for part, _share in self.perimeter.active(self.levels, region.code, day):
                schools.setdefault(("region", region.code), []).append(part.establishments)
                schools.setdefault(("project", part.project), []).append(part.establishments)
            seen = round(int(counts[region.code].visits.sum()) * self.inputs.plan.visitors_per_visit)
            # Visitors come back on other days: they are drawn from a population.
            population = max(1, round(self._population(region)))
            salt = np.uint64(zlib.crc32(region.code.encode()) << 32)
            users["region", region.code] = sketch_of_numbers(rng.integers(0, population, seen, np.uint64) + salt)
            if region.timezone != "Europe/Paris":
                users["paris", region.code] = users["region", region.code]
        return Sketches(users, {key: sketch_of_numbers(np.concatenate(parts)) for key, parts in schools.items()})

    def _population(self, region: Region) -> float:
        a_day = float(self.levels.peak(region.code) * 60 * self.inputs.scale * self._curve.sum())
        return 3 * a_day / self.inputs.traffic.events_per_visit * self.inputs.plan.visitors_per_visit


@dataclass(frozen=True, slots=True)
class ExpectedMinutes:
    """One region's minutes in the mean: visits (minutes), events and visits of services (services, minutes)."""

    visits: Floats
    events: Floats
    service_visits: Floats


@dataclass(frozen=True, slots=True)
class _Counts:
    """One region's day: visits and events of its active parts (minutes), events and visits of services (services, minutes)."""

    visits_of: list[Ints]
    events_of: list[Ints]
    events: Ints
    service_visits: Ints

    @property
    def visits(self) -> Ints:
        """Of the region."""
        return np.asarray(np.sum(self.visits_of, axis=0))


class _Table:
    """Adds up series of one cut, then gives its rows."""

    def __init__(self, minutes: int) -> None:
        self._series = defaultdict[Key, Ints](lambda: np.zeros((3, minutes), np.int64))

    def add(self, key: Key, events: Ints, visits: Ints, late: Ints | None = None) -> None:
        """Add to a key's series."""
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


def _dealt(total: Ints, shares: Sequence[float], rng: np.random.Generator) -> list[Ints]:
    """Each number dealt out by shares, one by one; the parts add up to it."""
    return list(rng.multinomial(total, np.array(shares) / sum(shares)).T)


def _dealt_as(total: Ints, parts: Sequence[Ints], rng: np.random.Generator) -> list[Ints]:
    """Each minute's total dealt out as its parts were; to the first where there was none."""
    stacked = np.stack(parts).astype(np.float64)
    stacked[0, stacked.sum(axis=0) == 0] = 1.0
    return list(rng.multinomial(total, (stacked / stacked.sum(axis=0)).T).T)


def default_archive_days(plan: PastPlan, years: float) -> tuple[datetime.date, datetime.date]:
    """First and last day of a past of so many years that ends as the plan says."""
    return plan.last_day - datetime.timedelta(days=round(years * 365.25) - 1), plan.last_day


def scenario_days(calendar: SchoolCalendar, day: datetime.date) -> list[datetime.date]:
    """The yesterdays of a scenario's day: last year's rentrée, a week before to four weeks after it, and the eight weeks before the day."""
    rentree = calendar.rentree(school_year_of(day) - 1)
    week = datetime.timedelta(days=7)
    found = list(dates(rentree - week, rentree + 4 * week - datetime.timedelta(days=1))) if rentree else []
    before = dates(day - 8 * week, day - datetime.timedelta(days=1))
    return [*found, *(day for day in before if day not in found)]


def load_inputs(config_dir: Path, seed: int, scale: float | None, plan: PastPlan | None = None) -> PastInputs:
    """Read everything from `config/`.

    Raises:
        SettingsError: a file cannot be used.
    """
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


def sketch_of_numbers(members: NDArray[np.uint64]) -> bytes:
    """A HyperLogLog of numbers, hashed by splitmix64."""
    registers = hll.no_registers()
    hll.see(registers, mix(members))
    return hll.sketch_of(registers)
