"""The past of a panel: whole local days by slot, and what their judging left over. Pure: values in, values out."""

import datetime
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streams.watch.alert_types import Array, Flags
from streams.watch.bursts import DayHeaps, heaps_of
from streams.watch.comparable_days import DayKeys
from streams.watch.scales import HOURS

#: When on so many days in a row most of what was expected lay in judged rows, it is a new normal, and enters baselines.
ADOPT_DAYS = 3
ADOPT_SHARE = 0.5
#: Days that are kept: one more year, for the rentrée, and some weeks.
DAYS_MAX = 430
#: Days whose errors tell the spread: the newest sure ones, and unsure ones where there are fewer than so many of those.
SPREAD_DAYS, SPREAD_DAYS_MIN = 28, 14
#: A day is sure when missing comparable days add no more than this to its uncertainty.
SURE_EXTRA = 0.13


@dataclass(frozen=True, slots=True)
class Residuals:
    """How one judged day missed its expectation. `error` is log(observed / expected), `noise` the variance that counting explains.

    Shapes (series, windows, 24 local hours, samples of the hour). NaN where a window was not measured or judged anything
    but ordinary. `extra`: what missing comparable days left unsure.
    """

    error: NDArray[np.float32]
    noise: NDArray[np.float32]
    extra: float = 0.0

    @property
    def sure(self) -> bool:
        """Whether the expectation stood on enough comparable days."""
        return self.extra <= SURE_EXTRA


@dataclass(frozen=True, slots=True)
class Day:
    """A local day that is over.

    `counts` (series, slots), NaN where not measured; `judged` (series, slots): where they were a surge, drop or silence;
    `share` (series): how much of what was expected of the day lay in those rows; `hours` (series, 24): means of the others.
    `heaps`: how many of its counts came together.
    `peaks` (directions, groups of windows, series, 24): the highest score of each hour, None where it was not judged.
    `hoped` (series, 24): means of what comparable days promised, None where nothing was.
    """

    date: datetime.date
    keys: DayKeys
    counts: NDArray[np.float32]
    judged: Flags
    share: Array
    hours: Array
    heaps: DayHeaps
    residuals: Residuals | None = None
    peaks: NDArray[np.float32] | None = None
    hoped: Array | None = None

    @staticmethod
    def of(date: datetime.date, keys: DayKeys, counts: Array, judged: Flags, share: Array) -> "Day":
        """A day with the means of its hours."""
        hours = by_hour(np.where(judged, np.nan, counts))
        return Day(date, keys, counts.astype(np.float32), judged, share, hours, heaps_of(counts, judged))

    @staticmethod
    def unjudged(date: datetime.date, keys: DayKeys, counts: Array) -> "Day":
        """A day as it was counted."""
        return Day.of(date, keys, counts, np.zeros(counts.shape, bool), np.zeros(len(counts)))

    def adopted(self, series: Flags) -> "Day":
        """The day with the judged rows of these series as ordinary ones."""
        judged = self.judged & ~series[:, None]
        hours = np.where(series[:, None], by_hour(self.counts.astype(np.float64)), self.hours)
        return replace(self, judged=judged, hours=hours)


@dataclass(slots=True)
class Past:
    """Days that are over, oldest first; at most `DAYS_MAX`."""

    days: list[Day] = field(default_factory=list)

    def residuals(self) -> list[Residuals]:
        """Those that tell the spread today."""
        kept = [day.residuals for day in self.days if day.residuals is not None]
        sure = [one for one in kept if one.sure][-SPREAD_DAYS:]
        missing = SPREAD_DAYS_MIN - len(sure)
        return sure + [one for one in kept if not one.sure][-missing:] if missing > 0 else sure

    def peaks(self) -> list[NDArray[np.float32]]:
        """Highest scores of the days that were judged: (directions, groups, series, hours) each."""
        return [day.peaks for day in self.days if day.peaks is not None]

    def _forget_residuals(self) -> None:
        """They are large, and of older days nobody asks."""
        left = {True: SPREAD_DAYS, False: SPREAD_DAYS_MIN}
        for place in range(len(self.days) - 1, -1, -1):
            day = self.days[place]
            if day.residuals is None:
                continue
            left[day.residuals.sure] -= 1
            if left[day.residuals.sure] < 0:
                self.days[place] = replace(day, residuals=None)

    def add(self, day: Day) -> None:
        """Put a day at the end. What lasted for `ADOPT_DAYS` is ordinary from now on, back to where it began; nothing at all
        never is: what comes back comes back as it was.
        """
        self.days.append(day)
        del self.days[:-DAYS_MAX]
        self._forget_residuals()
        if len(self.days) < ADOPT_DAYS:
            return
        lasting = np.all(
            [(day.share > ADOPT_SHARE) & (day.counts > 0).any(axis=1) for day in self.days[-ADOPT_DAYS:]], axis=0
        )
        if lasting.any():
            self.days[-ADOPT_DAYS:] = [day.adopted(lasting) for day in self.days[-ADOPT_DAYS:]]


def by_hour(counts: Array) -> Array:
    """(series, 24) means of what is known of each hour of a day's slots."""
    series, slots = counts.shape
    measured = np.isfinite(counts)
    edges = np.minimum(np.searchsorted(np.arange(slots) * HOURS // slots, np.arange(HOURS)), slots - 1)
    total = np.add.reduceat(np.where(measured, counts, 0.0), edges, axis=1)
    number = np.add.reduceat(measured.astype(np.float64), edges, axis=1)
    return np.where(number > 0, total / np.maximum(number, 1.0), np.nan).reshape(series, HOURS)
