"""What is put into the ordinary years: surges, drops and silences of known place, time and size. Seeded."""

import datetime
from dataclasses import dataclass

import numpy as np

from bench.detection.world import Span, World
from streams.history import DayType
from streams.watch import AlertKind, Array

#: Days between two truths of one place, so that one has been forgotten when the next begins.
APART_DAYS = 3
LARGE = 100.0


@dataclass(frozen=True, slots=True)
class Form:
    """The factor by minute of the event: at once, or rising over the first half."""

    factor: float
    rises: bool = False

    def __call__(self, minutes: int) -> Array:
        """(minutes)"""
        if not self.rises:
            return np.full(minutes, self.factor)
        return np.interp(np.arange(minutes), [0, minutes // 2], [1.0, self.factor])


@dataclass(frozen=True, slots=True)
class Class:
    """A kind of truth. `days`: day types it happens on; `hours`: local hours it may begin in; `large`: where >= 100 visits
    a minute are expected.

    `goal`: (minutes within which it must be found, recall), None where only the table is wanted. `tuned`: whether anybody
    looked at it while the detector was tuned; the others were kept apart.
    """

    name: str
    kind: AlertKind
    minutes: int
    form: Form
    days: tuple[DayType, ...]
    hours: tuple[int, int]
    large: bool = True
    goal: tuple[int, float] | None = None
    tuned: bool = True
    weekday: int | None = None
    clock_change: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """Rows `begin` to `until` (left out) of a place."""

    class_: Class
    begin: int
    until: int


def sharp(factor: float) -> Form:
    """From one minute to the next."""
    return Form(factor)


def slow(factor: float) -> Form:
    """Rises over the first half, then stays."""
    return Form(factor, rises=True)


_ORDINARY = (DayType.SCHOOL_DAY, DayType.WEDNESDAY, DayType.FRIDAY)
_DAY_HOURS, _ANY = (8, 18), (0, 22)
CLASSES = (
    Class("x2, 30 min", AlertKind.SURGE, 30, sharp(2.0), _ORDINARY, _DAY_HOURS, goal=(3, 0.99)),
    Class("x1.3, 30 min", AlertKind.SURGE, 30, sharp(1.3), _ORDINARY, _DAY_HOURS, goal=(15, 0.9)),
    Class("x1.5, 60 min", AlertKind.SURGE, 60, sharp(1.5), _ORDINARY, _DAY_HOURS),
    Class("x3, 5 min", AlertKind.SURGE, 5, sharp(3.0), _ORDINARY, _DAY_HOURS),
    Class("x10, 10 min", AlertKind.SURGE, 10, sharp(10.0), _ORDINARY, _DAY_HOURS, tuned=False),
    Class("to x2 in 2 h", AlertKind.SURGE, 240, slow(2.0), _ORDINARY, (7, 16), tuned=False),
    Class("x1.4, a day", AlertKind.SURGE, 720, sharp(1.4), _ORDINARY, (7, 8), tuned=False),
    Class("x2, Mondays at 8", AlertKind.SURGE, 30, sharp(2.0), (DayType.SCHOOL_DAY,), (7, 8), goal=(3, 0.99), weekday=0),
    Class("x2, first days back", AlertKind.SURGE, 30, sharp(2.0), (DayType.RETURN,), _DAY_HOURS, goal=(3, 0.99), tuned=False),
    Class("x2, rentrée week", AlertKind.SURGE, 30, sharp(2.0), (DayType.RENTREE_WEEK,), _DAY_HOURS, goal=(3, 0.99), tuned=False),
    Class("x2, clock change", AlertKind.SURGE, 60, sharp(2.0), (), (10, 20), goal=(3, 0.99), tuned=False, clock_change=True),
    Class("x2, holidays", AlertKind.SURGE, 60, sharp(2.0), (DayType.HOLIDAY,), (9, 20), large=False),
    Class("x5, nights", AlertKind.SURGE, 60, sharp(5.0), _ORDINARY, (1, 4), large=False),
    Class("x2, small, 60 min", AlertKind.SURGE, 60, sharp(2.0), _ORDINARY, _DAY_HOURS, large=False),
    Class("x0.5, 60 min", AlertKind.DROP, 60, sharp(0.5), _ORDINARY, _DAY_HOURS),
    Class("x0.2, 20 min", AlertKind.DROP, 20, sharp(0.2), _ORDINARY, _DAY_HOURS, tuned=False),
    Class("x0.5, small, 60 min", AlertKind.DROP, 60, sharp(0.5), _ORDINARY, _DAY_HOURS, large=False, tuned=False),
    Class("silence, 30 min", AlertKind.SILENCE, 30, sharp(0.0), _ORDINARY, _DAY_HOURS, goal=(3, 1.0)),
    Class("silence, small, 60 min", AlertKind.SILENCE, 60, sharp(0.0), _ORDINARY, _DAY_HOURS, large=False),
    Class("silence, nights", AlertKind.SILENCE, 120, sharp(0.0), _ORDINARY, (1, 4), large=False, tuned=False),
)  # fmt: skip
#: Where several classes could be put, the rare days are served first.
_WEIGHT_RARE = 20.0


def place_truths(world: World, span: Span, first: datetime.date, seed: int) -> tuple[Array, list[Truth]]:
    """Counts of the span with truths from `first` on, and the truths in order."""
    rng = np.random.default_rng([seed, int(span.place.region.code), 7])
    counts = span.counts.copy()
    truths: list[Truth] = []
    date, last = first, datetime.date.fromordinal(int(span.dates[-1]) - 1)
    while date < last:
        fitting = [one for one in CLASSES if _fits(world, span, date, one)]
        if fitting:
            rare = [
                one for one in fitting if one.clock_change or set(one.days) & {DayType.RETURN, DayType.RENTREE_WEEK}
            ]
            weights = np.array([_WEIGHT_RARE if one in rare else 1.0 for one in fitting])
            one = fitting[int(rng.choice(len(fitting), p=weights / weights.sum()))]
            if (truth := _truth(span, date, one, rng)) is not None:
                truths.append(truth)
                _change(span, counts, truth, rng)
                date += datetime.timedelta(days=APART_DAYS)
                continue
        date += datetime.timedelta(days=1)
    return counts, truths


def _fits(world: World, span: Span, date: datetime.date, one: Class) -> bool:
    if one.clock_change:
        rows = span.dates == date.toordinal()
        return int(rows.sum()) != 1440
    if world.calendar.zone_day_type(date, span.place.zone) not in one.days:
        return False
    return one.weekday is None or date.weekday() == one.weekday


def _truth(span: Span, date: datetime.date, one: Class, rng: np.random.Generator) -> Truth | None:
    low, high = one.hours[0] * 60, one.hours[1] * 60
    # A surge of Mondays at eight begins in the half hour before.
    minute = int(rng.integers(450, 481)) if one.weekday == 0 else int(rng.integers(low, high))
    rows = np.flatnonzero((span.dates == date.toordinal()) & (span.slots == minute))
    if not len(rows) or rows[0] + one.minutes >= len(span.means):
        return None
    begin = int(rows[0])
    means = span.means[begin : begin + one.minutes]
    if one.large != bool(means.min() >= LARGE):
        return None
    if means.sum() < 30:  # nothing that anybody could see
        return None
    return Truth(one, begin, begin + one.minutes)


def _change(span: Span, counts: Array, truth: Truth, rng: np.random.Generator) -> None:
    rows = slice(truth.begin, truth.until)
    factor = truth.class_.form(truth.until - truth.begin)
    fewer = rng.binomial(counts[rows].astype(np.int64), np.minimum(factor, 1.0))
    more = rng.poisson(span.means[rows] * np.maximum(factor - 1.0, 0.0))
    counts[rows] = fewer + more
