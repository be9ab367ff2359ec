"""Count series of other kinds than school portals: web pages, rides, messages, requests, rare events; any step, gaps, growth. Seeded.

Every kind has a weekly cycle or none, noise beyond chance (whole days, hours and rows waver), and truths of its own: surges, drops and
silences put in, and for some the special days that such series have (a storm, New Year's night, a public holiday, a new level).
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streams.watch import AlertKind, Array
from streams.watch.alert_types import Flags

_DAY = 1440


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations of logarithms: of whole days, of what wavers over an hour, of single rows."""

    day: float
    hour: float
    row: float


@dataclass(frozen=True, slots=True)
class Event:
    """What happens from row `begin` to `until` (left out): the mean is multiplied by `factor`."""

    kind: AlertKind
    begin: int
    until: int
    factor: float
    special: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of series: what it is called, its step and length, its mean a row, its noise, and what is particular."""

    name: str
    step_minutes: int
    days: int
    mean: float
    noise: Noise
    daily: float = 0.8
    weekend: float = 1.0
    growth_a_year: float = 0.0
    gaps: bool = False
    special: "Callable[[Shape, datetime.datetime], list[Event]] | None" = None
    events: tuple[tuple[float, int], ...] = ((2.0, 60), (3.0, 30), (1.6, 180), (0.4, 120), (0.0, 60))

    @property
    def rows_a_day(self) -> int:
        """Rows of a day."""
        return _DAY // self.step_minutes


@dataclass(frozen=True, slots=True)
class Made:
    """A series: `counts` (rows), NaN where not measured, without events and with them."""

    shape: Shape
    first: datetime.datetime
    ordinary: Array
    eventful: Array
    events: tuple[Event, ...]


def _at(shape: Shape, day: int, hour: float) -> int:
    return round((day * 24 + hour) * 60 / shape.step_minutes)


def rides_days(shape: Shape, _first: datetime.datetime) -> list[Event]:
    """A marathon, a public holiday, Christmas, New Year's night, a storm that closes the city for a day and a half."""
    return [
        Event(AlertKind.SURGE, _at(shape, 124, 0.5), _at(shape, 124, 4), 1.6, True),
        Event(AlertKind.DROP, _at(shape, 149, 6), _at(shape, 149, 22), 0.65, True),
        Event(AlertKind.DROP, _at(shape, 177, 5), _at(shape, 178, 3), 0.5, True),
        Event(AlertKind.SURGE, _at(shape, 184, 0), _at(shape, 184, 4), 1.9, True),
        Event(AlertKind.DROP, _at(shape, 209, 14), _at(shape, 210, 20), 0.2, True),
    ]


def new_level(shape: Shape, _first: datetime.datetime) -> list[Event]:
    """From one hour to the next there is 70 % more, for good; the first two days of it are the event."""
    begin = _at(shape, 60, 11)
    return [Event(AlertKind.SURGE, begin, begin + 2 * shape.rows_a_day, 1.7, True)]


def holidays(shape: Shape, first: datetime.datetime) -> list[Event]:
    """Six working days on which next to nobody works."""
    found = []
    for day in (38, 66, 81, 97, 119, 140):
        while (first + datetime.timedelta(days=day)).weekday() > 4:
            day += 1
        found.append(Event(AlertKind.DROP, _at(shape, day, 7), _at(shape, day, 20), 0.35, True))
    return found


_SOFT, _PLAIN, _WILD = Noise(0.03, 0.03, 0.02), Noise(0.06, 0.06, 0.05), Noise(0.12, 0.15, 0.2)
_DAY_LONG = ((1.5, 720), (2.0, 180), (4.0, 60), (0.5, 360), (0.0, 180))
SHAPES = (
    Shape("web pages, 60 min", 60, 180, 800, _PLAIN, weekend=0.7, growth_a_year=0.6, events=_DAY_LONG),
    Shape("rides, 30 min", 30, 215, 15_000, _SOFT, 0.7, 1.05, special=rides_days, events=((1.5, 180), (0.5, 240))),
    Shape("messages, 5 min", 5, 56, 80, _WILD, 0.6, 0.9, events=((4.0, 60), (8.0, 30), (2.5, 240), (0.0, 60))),
    Shape("requests, 5 min, 2 weeks", 5, 14, 120, _PLAIN, 0.5, events=((2.5, 60), (0.3, 90), (0.0, 45))),
    Shape("requests, 5 min, 4 weeks", 5, 28, 300, _PLAIN, 0.8, 0.6),
    Shape("visits, 15 min, gaps, growth", 15, 120, 60, _PLAIN, 0.9, 0.5, 1.5, gaps=True),
    Shape("minutes, 3 weeks", 1, 21, 60, _SOFT, 0.8, 0.6),
    Shape("rare, 60 min, mean 3", 60, 150, 3.0, _PLAIN, 0.8, 0.6, events=((5.0, 360), (8.0, 120), (0.0, 1440))),
    Shape("rare, 15 min, mean 0.7", 15, 90, 0.7, _PLAIN, 0.8, events=((6.0, 180), (10.0, 60))),
    Shape("flat, 10 min", 10, 40, 30, _SOFT, 0.0, events=((2.0, 60), (3.0, 20), (0.5, 120), (0.0, 30))),
    Shape("new level, 60 min", 60, 120, 500, _PLAIN, 0.8, 0.6, special=new_level, events=()),
    Shape("offices, 30 min, holidays", 30, 160, 200, _PLAIN, 0.95, 0.15, special=holidays, events=((2.0, 120), (0.4, 180))),
)  # fmt: skip


def make(shape: Shape, seed: int) -> Made:
    """One series of a kind."""
    rng = np.random.default_rng([seed, *shape.name.encode()])
    first = datetime.datetime(2025, 7, 1, tzinfo=datetime.UTC)
    rows = shape.days * shape.rows_a_day
    mean = _means(shape, first, rows) * _wavers(shape, rows, rng)
    events = shape.special(shape, first) if shape.special else []
    events = sorted(events + _placed(shape, mean, events, rng), key=lambda event: event.begin)
    changed = mean.copy()
    for event in events:
        last = len(changed) if shape.special is new_level else event.until
        changed[event.begin : last] *= event.factor
    measured = ~_gaps(shape, rows, events, rng)
    ordinary = rng.poisson(mean).astype(np.float64)
    apart = changed != mean
    eventful = np.where(apart, rng.poisson(changed), ordinary)
    return Made(shape, first, np.where(measured, ordinary, np.nan), np.where(measured, eventful, np.nan), tuple(events))


def _means(shape: Shape, first: datetime.datetime, rows: int) -> Array:
    minutes = np.arange(rows) * shape.step_minutes
    hour = minutes % _DAY / 60
    weekday = (first.weekday() + minutes // _DAY) % 7
    day = np.exp(-(((hour - 11) / 3.5) ** 2)) + 0.8 * np.exp(-(((hour - 19) / 2.5) ** 2))
    curve = 1.0 - shape.daily + shape.daily * day / day.mean()
    curve *= np.where(weekday > 4, shape.weekend, 1.0)
    growth = np.exp(np.log1p(shape.growth_a_year) * minutes / (365 * _DAY))
    return np.asarray(shape.mean * np.maximum(curve, 0.02) * growth)


def _wavers(shape: Shape, rows: int, rng: np.random.Generator) -> Array:
    a_day = shape.rows_a_day
    days = rng.normal(0, shape.noise.day, rows // a_day + 2)
    place = np.arange(rows) / a_day
    slow = np.interp(place, np.arange(len(days)), days)
    keep = np.exp(-shape.step_minutes / 60)
    walk, value = np.empty(rows), 0.0
    for index, step in enumerate(rng.normal(0, shape.noise.hour * np.sqrt(1 - keep**2), rows).tolist()):
        value = keep * value + step
        walk[index] = value
    return np.asarray(np.exp(slow + walk + rng.normal(0, shape.noise.row, rows)))


def _gaps(shape: Shape, rows: int, events: list[Event], rng: np.random.Generator) -> Flags:
    missing = np.zeros(rows, dtype=bool)
    if shape.gaps:
        for begin in rng.integers(0, rows, shape.days // 6):
            missing[begin : begin + int(rng.integers(1, shape.rows_a_day))] = True
        missing |= rng.random(rows) < 0.01
        for event in events:
            missing[event.begin : event.until] = False
    return missing


def _placed(shape: Shape, mean: Array, special: list[Event], rng: np.random.Generator) -> list[Event]:
    """Events two to four days apart, each where it can be seen: at least 40 counts more or less than usual."""
    found: list[Event] = []
    apart = max(1.0, min(3.0, shape.days / 14))
    day = max(7.0, min(21.0, 0.4 * shape.days))
    number = 0
    while shape.events and day < shape.days - 1.5:
        factor, minutes = shape.events[number % len(shape.events)]
        begin = round((day + rng.uniform(0, 0.9)) * shape.rows_a_day)
        until = begin + max(1, minutes // shape.step_minutes)
        clear = all(until + shape.rows_a_day < one.begin or begin > one.until + shape.rows_a_day for one in special)
        if (
            clear
            and mean[begin:until].sum() * abs(factor - 1.0) >= 40
            and (factor > 0 or mean[begin:until].min() > 0.2)
        ):
            kind = AlertKind.SURGE if factor > 1 else AlertKind.DROP if factor > 0 else AlertKind.SILENCE
            found.append(Event(kind, begin, until, factor))
            number += 1
            day += apart
        else:
            day += 0.1
    return found
