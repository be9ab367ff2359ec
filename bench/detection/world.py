"""Simulated school years: visits a minute of the regions, with everything ordinary that must not alarm. Seeded.

What a region's minute depends on, beside chance: the hour (config/load_shape.yaml), the day of the week, the holidays of its zone, the
rentrée, Monday mornings and first days back, Wednesday afternoons, Sunday evenings, seasons, growth (a little each day, and new
establishments that join on a Monday), a day that is busier or quieter as a whole, hours that waver, mornings that begin
some minutes earlier or later.
"""

import datetime
import math
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import yaml

from streams.catalog import Region, load_catalog
from streams.history import DayType, SchoolCalendar, load_calendar
from streams.watch import Array, Index, KeysOf, SchoolDays

#: Visits a minute of the whole country in the busiest minute of a Tuesday: 2,000 events/s, 10 events a visit.
NATIONAL_PEAK = 12_000.0
#: Zones without a packaged calendar are given one here, as an operator would by calendar_overrides.yaml.
LENT_ZONES = {"CORSE": "B"}
LENT_ZONE = "C"
#: How much days, hours and minutes waver, as standard deviations of a logarithm; minutes by which a morning shifts.
DAY_SPREAD, HOUR_SPREAD, MINUTE_SPREAD, SHIFT_MINUTES = 0.06, 0.04, 0.02, 2.5
_CONFIG = Path(__file__).resolve().parents[2] / "config"
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Place:
    """A region, its zone of holidays, its clock, and the visits of its busiest ordinary minute."""

    region: Region
    zone: str
    clock: ZoneInfo
    peak: float


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of one place:

    `minutes` epoch minutes, `dates` ordinals of local days and `slots` minutes of them; `means` and `counts` (rows).
    """

    place: Place
    minutes: Index
    dates: Index
    slots: Index
    means: Array
    counts: Array


class World:
    """Places and calendar; `span` makes the rows of one place."""

    def __init__(self, seed: int, regions: tuple[str, ...] = ()) -> None:
        catalog = load_catalog(_CONFIG)
        self.seed = seed
        self.calendar: SchoolCalendar = load_calendar(_CONFIG, catalog)
        self.shape = yaml.safe_load((_CONFIG / "load_shape.yaml").read_text())["load_shape"]
        self.curve = _curve(self.shape["hourly_local"])
        known = [region for region in catalog.regions if region.weight > 0]
        total = sum(region.weight for region in known)
        self.places = tuple(
            Place(region, _zone(region), ZoneInfo(region.timezone), NATIONAL_PEAK * region.weight / total)
            for region in known
            if not regions or region.code in regions
        )

    def keys_of(self, place: Place) -> KeysOf:
        """What the detector is told of the place's days."""
        return SchoolDays(lambda date: self.calendar.zone_day_type(date, place.zone))

    def span(self, place: Place, first: datetime.date, last: datetime.date) -> Span:
        """All rows of the local days from `first` to `last`, both included."""
        rng = np.random.default_rng([self.seed, int(place.region.code)])
        begin = _epoch_minute(first, place.clock)
        end = _epoch_minute(last + _DAY, place.clock)
        minutes = np.arange(begin, end)
        offsets = _offsets(minutes, place.clock)
        local = minutes + offsets
        dates = local // 1440 + datetime.date(1970, 1, 1).toordinal()
        slots = local % 1440
        means = np.concatenate([self._day(place, int(day), slots[dates == day], rng) for day in np.unique(dates)])
        means *= _busy(local, rng)
        means *= self._growth(dates, rng) * _waver(len(minutes), 60, HOUR_SPREAD, rng)
        noisy = means * np.exp(rng.normal(0, MINUTE_SPREAD, len(means)))
        return Span(place, minutes, dates, slots, means, rng.poisson(noisy).astype(np.float64))

    def _day(self, place: Place, ordinal: int, slots: Index, rng: np.random.Generator) -> Array:
        date = datetime.date.fromordinal(ordinal)
        shift = rng.normal(0, SHIFT_MINUTES)
        day = place.peak * self._day_factor(date, place.zone)
        curve = np.interp(slots + shift, np.arange(-1440, 2880), np.tile(self.curve, 3))
        moved: Array = np.asarray(slots + shift, np.float64)
        return np.asarray(day * curve * self._day_shape(date, place.zone, moved))

    def _day_factor(self, date: datetime.date, zone: str) -> float:
        kind = self.calendar.zone_day_type(date, zone)
        week = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[date.weekday()]
        factor = float(self.shape["weekday"][week] / self.shape["weekday"]["tue"])
        factor *= 1.0 + 0.08 * math.cos(2 * math.pi * (date.timetuple().tm_yday - 20) / 365)  # more in winter
        if kind is DayType.RETURN:
            factor *= 1.25
        if kind is DayType.PUBLIC_HOLIDAY:
            factor *= 0.2
        if self.calendar.break_on(date, zone):
            return factor * self._holiday_factor(date, zone)
        return factor * self._rentree_factor(date, zone)

    def _holiday_factor(self, date: datetime.date, zone: str) -> float:
        if date.month not in (7, 8, 9):  # the summer may end on 1 September
            return float(self.shape["holiday_factor"])
        rentree = self.calendar.rentree(date.year, zone)
        ahead = (rentree - date).days if rentree else 99
        days = [14, 7, 3, 1]
        values = [self.shape["summer_factor"], *(self.shape["pre_rentree_ramp"][f"d-{day}"] for day in days[1:])]
        if ahead <= 14:
            return float(np.interp(-ahead, [-day for day in days], values))
        return float(
            np.interp((date - datetime.date(date.year, 7, 4)).days, [0, 14], [0.12, self.shape["summer_factor"]])
        )

    def _rentree_factor(self, date: datetime.date, zone: str) -> float:
        rentree = self.calendar.rentree(date.year, zone)
        since = (date - rentree).days if rentree else -1
        if not 0 <= since < 28:
            return 1.0
        table = {int(name[1:]): value for name, value in self.shape["rentree_factor"].items()}
        return float(np.interp(since, [*table, 28], [*table.values(), 1.0]))

    def _day_shape(self, date: datetime.date, zone: str, minutes: Array) -> Array:
        """What bends the curve: Monday mornings, Wednesday afternoons, Sunday evenings, holidays."""
        kind = self.calendar.zone_day_type(date, zone)
        bend = np.ones(len(minutes))
        closed = self.calendar.break_on(date, zone) is not None or kind in (DayType.PUBLIC_HOLIDAY, DayType.WEEKEND)
        if closed:
            bend *= 1.0 - 0.45 * np.exp(-(((minutes - 500) / 90) ** 2))  # nobody logs in at eight
        elif date.weekday() == 2:
            bend *= np.where(minutes > 780, 0.72, 1.08)
        elif date.weekday() == 6:
            bend *= 1.0 + 1.2 * np.exp(-(((minutes - 1170) / 110) ** 2)) - 0.5 * np.exp(-(((minutes - 500) / 120) ** 2))
        if kind in (DayType.RETURN, DayType.RENTREE_WEEK) or (not closed and date.weekday() == 0):
            strong = 0.9 if kind is DayType.RETURN else 0.6
            bend *= 1.0 + strong * np.exp(-(((minutes - 482) / 11) ** 2))  # everybody logs in at eight
        return bend

    def _growth(self, dates: Index, rng: np.random.Generator) -> Array:
        """A little each day, and establishments that join on Mondays: steps of a few percent."""
        days = np.unique(dates)
        slope = rng.uniform(-0.1, 0.4) / 365
        steps = np.where((days % 7 == 1) & (rng.random(len(days)) < 0.12), rng.uniform(0.01, 0.08, len(days)), 0.0)
        return np.asarray(np.exp(slope * np.arange(len(days)) + np.cumsum(steps))[np.searchsorted(days, dates)])


def _zone(region: Region) -> str:
    return region.zone if region.zone in ("A", "B", "C") else LENT_ZONES.get(region.zone or "", LENT_ZONE)


def _curve(hours: list[float]) -> Array:
    """The day by local minute, 1.0 at its highest."""
    middles = np.arange(-1, 25) * 60 + 30
    curve = np.interp(np.arange(1440), middles, [hours[-1], *hours, hours[0]])
    return np.asarray(curve / curve.max())


def _busy(local: Index, rng: np.random.Generator) -> Array:
    """A day that is busier or quieter as a whole: it takes over from the one before between midnight and six."""
    days = local // 1440
    levels = rng.normal(0, DAY_SPREAD, int(days[-1] - days[0]) + 2)
    part = np.clip(local % 1440 / 360, 0, 1)
    index = days - days[0]
    return np.asarray(np.exp(levels[index] * (1 - part) + levels[index + 1] * part))


def _waver(rows: int, scale: int, spread: float, rng: np.random.Generator) -> Array:
    """A factor that wanders over `scale` minutes: a first-order autoregression on five-minute knots."""
    knots = rows // 5 + 2
    keep = np.exp(-5 / scale)
    steps = rng.normal(0, spread * np.sqrt(1 - keep**2), knots)
    walk = np.empty(knots)
    value = rng.normal(0, spread)
    for index, step in enumerate(steps.tolist()):
        value = keep * value + step
        walk[index] = value
    return np.asarray(np.exp(np.interp(np.arange(rows) / 5, np.arange(knots), walk)))


def _epoch_minute(date: datetime.date, clock: ZoneInfo) -> int:
    return int(datetime.datetime.combine(date, datetime.time(), clock).timestamp()) // 60


def _offsets(minutes: Index, clock: ZoneInfo) -> Index:
    hours, place = np.unique(minutes // 15, return_inverse=True)
    known = [
        datetime.datetime.fromtimestamp(int(hour) * 900, clock).utcoffset() or datetime.timedelta() for hour in hours
    ]
    return np.array([int(one.total_seconds()) // 60 for one in known], dtype=np.int64)[place]
