"""One side of a comparison: sums, peaks and silences of some days, how far they can be trusted, and what of them is compared. Pure.

Days are compared minute by minute, by the clock in Paris, and only where both sides measured. A range that still runs, or has gaps, is held
against the same part of the other, never against the whole of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streams.clock import PARIS, paris_day
from streams.history.day_columns import CutName, Ints, Key
from streams.history.marks import MINUTES_AN_HOUR, HourMark, HourSource, note_measured

DAY_MINUTES = 24 * 60
#: Of less than this part of the days, distinct users and establishments are not held against one another: they cannot be cut.
NEARLY_WHOLE = 0.99
Minutes = NDArray[np.bool_]
#: Whether each minute of a day (0 to 1439, by the clock in Paris) is known, by cut.
Known = Mapping[CutName, Minutes]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of some days is compared: `day_numbers` (from 0) of the `days` asked for, `minutes` in all.

    `since` is the minute of the day from which the first of them is compared, `until` the one up to which the last is; None: from its
    beginning, to its end.
    """

    days: int
    day_numbers: tuple[int, ...]
    minutes: int
    since: int | None
    until: int | None

    @property
    def is_whole(self) -> bool:
        """Whether every minute of every day is compared."""
        return self.minutes == self.days * DAY_MINUTES

    @property
    def is_nearly_whole(self) -> bool:
        """Whether figures of whole days may be held against one another."""
        return self.minutes >= NEARLY_WHOLE * self.days * DAY_MINUTES

    @property
    def gap_minutes(self) -> int:
        """Minutes that are missing on the days compared, but for the beginning of the first and the end of the last."""
        tail = DAY_MINUTES - self.until if self.until is not None else 0
        return len(self.day_numbers) * DAY_MINUTES - (self.since or 0) - tail - self.minutes


def nothing_known() -> Known:
    """A day of which nothing is known."""
    return {cut: np.zeros(DAY_MINUTES, bool) for cut in CutName}


def known_minutes(day: date, marks: Sequence[HourMark]) -> Known:
    """The minutes of a day that these hours know. An hour that the clock skips is as known as the day is."""
    first, end = paris_day(day)
    wall = wall_minutes(day)
    found = {}
    for cut in CutName:
        measured = np.zeros(end - first, bool)
        note_measured(measured, (mark for mark in marks if mark.knows(cut)), first, end)
        found[cut] = np.full(DAY_MINUTES, bool(measured.any()))
        found[cut][wall[~measured]] = False
    return found


def both(one: Known, other: Known) -> Known:
    """What both sides know."""
    return {cut: one[cut] & other[cut] for cut in CutName}


def in_epoch(minutes: Minutes, day: date) -> Minutes:
    """Minutes of the clock as minutes of a day from its first on: 1380, 1440 or 1500."""
    return minutes[wall_minutes(day)]


def extent(days: list[Minutes]) -> Extent:
    """How much of the days is compared, from what is compared of each."""
    numbers = tuple(number for number, minutes in enumerate(days) if minutes.any())
    since = until = None
    if numbers:
        first, last = int(days[numbers[0]].argmax()), DAY_MINUTES - int(days[numbers[-1]][::-1].argmax())
        since, until = first or None, last if last < DAY_MINUTES else None
    return Extent(len(days), numbers, sum(int(minutes.sum()) for minutes in days), since, until)


@lru_cache(maxsize=1024)
def wall_minutes(day: date) -> NDArray[np.int64]:
    """The minute of the clock in Paris of each minute of a day."""
    first, end = paris_day(day)
    hours = [datetime.fromtimestamp(minute * 60, UTC).astimezone(PARIS).hour for minute in range(first, end, 60)]
    return (np.repeat(np.array(hours) * MINUTES_AN_HOUR, 60) + np.tile(np.arange(60), len(hours))).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Peak:
    """The busiest minute: visits that began in it, and its epoch minute."""

    visits: int
    minute: int


@dataclass(slots=True)
class Sum:
    """Figures of one code over all days. `by_day` are its visits on each; `compared` those of minutes that both sides measured."""

    by_day: Ints
    compared_by_day: Ints
    events: int = 0
    peak: Peak | None = None
    silence_minutes: int | None = None

    @classmethod
    def zeros(cls, days: int) -> "Sum":
        """Nothing counted."""
        return cls(np.zeros(days, np.int64), np.zeros(days, np.int64))

    @property
    def visits(self) -> int:
        """On all days, everything that was measured."""
        return int(self.by_day.sum())

    @property
    def compared(self) -> int:
        """On all days, in minutes that both sides measured."""
        return int(self.compared_by_day.sum())


@dataclass(frozen=True, slots=True)
class Quality:
    """How far the figures of one side can be trusted. Minutes are of all its days.

    `rejected`, `duplicates` and `lost` are told by when they were counted, to the hour.
    """

    minutes: int
    measured_minutes: int
    late_events: int
    rejected: int
    duplicates: int
    lost: int
    sources: tuple[HourSource, ...]
    days_without_data: tuple[date, ...]


@dataclass(slots=True)
class Side:
    """One side of a comparison; `days` in order, figures by (what is reported, code)."""

    days: tuple[date, ...]
    sums: dict[tuple[str, str], Sum] = field(default_factory=dict)
    #: Visits compared of a service, and of a profile, by region: (region, code) -> visits.
    service_visits: dict[Key, int] = field(default_factory=dict)
    profile_visits: dict[Key, int] = field(default_factory=dict)
    users: dict[tuple[str, str], int] = field(default_factory=dict)
    establishments: dict[tuple[str, str], int] = field(default_factory=dict)
    quality: Quality | None = None
    #: National visits of each minute of the first day, for a chart: (epoch minute of its start, visits).
    first_day: tuple[int, Ints] | None = None
    #: Cuts of which something is known; the figures of the others are unknown, not zero.
    cuts: frozenset[CutName] = frozenset(CutName)
    estimated: bool = False
    #: Estimated from weekly figures: the regions that these cover, of visits and of services. None: all.
    regions: frozenset[str] | None = None
    service_regions: frozenset[str] | None = None
    simulated: bool = False

    def sum_of(self, by: str, code: str) -> Sum:
        """The figures of a code, zeros where it has none."""
        return self.sums.get((by, code)) or Sum.zeros(len(self.days))

    def codes(self, by: str) -> list[str]:
        """The codes that have figures, in order."""
        return sorted(code for name, code in self.sums if name == by)


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a comparison, and how much of them is compared, by cut; `first` is the same of the first day alone, where asked."""

    now: Side
    then: Side
    extents: Mapping[CutName, Extent]
    first: "Sides | None" = None
