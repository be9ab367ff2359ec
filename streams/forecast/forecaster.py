"""Forecasts whose intervals are as wide as the days before needed them to be (*split conformal* scaling). Pure.

Each of the last days is forecast as if it were as far ahead, from what was known then. Its quarters of an hour were off their means by so
many reaches of the formula's interval. The interval is widened or narrowed by what holds four of five of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from streams.forecast.expectation import QUARTER, KnownDays, Outlook, Values, outlook, summed

#: Days before whose intervals are looked at, one of so many days earlier half as much; the part that an interval from 10 to 90 % holds.
LOOK_DAYS, LOOK_HALF_LIFE, INSIDE = 70, 21.0, 0.8
#: Fewer quarters than this tell nothing.
QUARTERS_MIN = 200
WIDTH_MIN, WIDTH_MAX = 0.5, 5.0
#: Quarters with fewer visits expected say nothing of an interval: most are 0.
COVERED_FROM = 5.0
#: Days ahead whose widths are learned; one in between has that of the next one.
AHEAD = (1, 2, 4, 7, 14, 28)


#: What is expected of some groups of series: the number of each, and its outlook.
GroupOutlooks = Sequence[tuple[int, Outlook]]


class Forecaster:
    """Forecasts groups of series. `as_one`: the sum of all groups is one series, and its interval is what is made to hold.

    What was computed for a day is kept: days that are asked for one after the other share nearly everything.
    """

    def __init__(self, groups: Sequence[KnownDays], *, as_one: bool = False) -> None:
        self._groups, self._as_one = groups, as_one
        self._days = sorted({day for known in groups for day in known.days})
        self._raw: dict[tuple[date, int], GroupOutlooks] = {}
        self._scores: dict[tuple[date, int], Values] = {}

    def told(self, day: date, last_known: date) -> GroupOutlooks:
        """What to expect of a day from what was known at the end of another; groups of which nothing like it is known are left out."""
        found = self._of(day, (day - last_known).days)
        width = self._width(last_known, (day - last_known).days)
        return [(group, replace(one, width=width)) for group, one in found]

    def actual(self, day: date, found: GroupOutlooks) -> Values:
        """What was counted on a day of these groups, (series, 96) by quarter of an hour; one series where all are one."""
        days = np.concatenate([self._groups[group].days[day] for group, _outlook in found])
        table = days.reshape(len(days), -1, QUARTER).sum(axis=-1)
        return np.asarray(table.sum(axis=0, keepdims=True) if self._as_one else table)

    def _of(self, day: date, ahead: int) -> GroupOutlooks:
        if (day, ahead) not in self._raw:
            last = day - timedelta(days=ahead)
            told = enumerate(outlook(known.until(last), day) for known in self._groups)
            self._raw[day, ahead] = [(group, one) for group, one in told if one is not None]
        return self._raw[day, ahead]

    def _width(self, last_known: date, ahead: int) -> float:
        """By how much the formula's interval is to be widened."""
        ahead = next((each for each in AHEAD if each >= ahead), AHEAD[-1])
        days = (day for day in self._days if 0 <= (last_known - day).days < LOOK_DAYS)
        found = [(day, scores) for day in days if len(scores := self._score(day, ahead))]
        if sum(len(scores) for _day, scores in found) < QUARTERS_MIN:
            return 1.0
        weights = np.array([0.5 ** ((last_known - day).days / LOOK_HALF_LIFE) for day, _scores in found])
        # A day is wrong as a whole: it is so many days that tell, and the next is one more.
        inside = INSIDE * (1 + np.sum(weights**2) / np.sum(weights) ** 2)
        scores = np.concatenate([scores for _day, scores in found])
        each = np.concatenate(
            [np.full(len(one), weight / len(one)) for weight, (_day, one) in zip(weights, found, strict=True)]
        )
        width = np.quantile(scores, min(inside, 1.0), weights=each, method="inverted_cdf")
        return float(np.clip(width, WIDTH_MIN, WIDTH_MAX))

    def _score(self, day: date, ahead: int) -> Values:
        """Of each quarter of a day that enough is expected of: how far it was from the mean, in reaches of the formula's interval."""
        if (day, ahead) not in self._scores:
            found = [pair for pair in self._of(day, ahead) if day in self._groups[pair[0]].days]
            scores = np.zeros(0)
            if found:
                mean, _lower, upper = quarters_of(found, as_one=self._as_one)
                enough = mean >= COVERED_FROM
                scores = np.asarray(np.abs(self.actual(day, found) - mean)[enough] / (upper - mean)[enough])
            self._scores[day, ahead] = scores
        return self._scores[day, ahead]


def quarters_of(found: GroupOutlooks, *, as_one: bool) -> tuple[Values, Values, Values]:
    """Mean, lower and upper by quarter of an hour, (series, 96)."""
    by_group = [outlook for _group, outlook in found]
    outlooks = [summed(by_group)] if as_one else by_group
    mean, lower, upper = map(np.concatenate, zip(*(one.quarters() for one in outlooks), strict=True))
    return mean, lower, upper


WEEKS = 4


@dataclass(frozen=True, slots=True)
class Score:
    """One horizon (days ahead) on `days` days: errors as parts of the visits, and the part of quarters within the interval."""

    horizon: int
    days: int
    unknown_days: int
    error: float
    error_last_week: float
    error_four_weeks: float
    coverage: float


def backtest(groups: Sequence[KnownDays], days: Sequence[date], horizon: int, *, as_one: bool = False) -> Score | None:
    """Forecast each of these days as if it were so many days ahead; None where none can be. `as_one`: the sum of all is judged."""
    forecaster = Forecaster(groups, as_one=as_one)
    sums = np.zeros(4)
    inside = quarters = tried = unknown = 0
    for day in days:
        weeks = [day - timedelta(days=7 * back) for back in range(1, WEEKS + 1)]
        if any(one not in groups[0].days for one in (day, *weeks)):
            continue
        if not (found := forecaster.told(day, day - timedelta(days=horizon))):
            unknown += 1
            continue
        actual, *before = (forecaster.actual(one, found) for one in (day, *weeks))
        mean, lower, upper = quarters_of(found, as_one=as_one)
        guesses = (mean, before[0], np.mean(before, axis=0))
        sums += [actual.sum(), *(np.abs(guess - actual).sum() for guess in guesses)]
        enough = mean >= COVERED_FROM
        inside += int(((actual >= lower) & (actual <= upper) & enough).sum())
        quarters += int(enough.sum())
        tried += 1
    if not tried:
        return None
    ours, last_week, four_weeks = (sums[1:] / max(sums[0], 1.0)).tolist()
    return Score(horizon, tried, unknown, ours, last_week, four_weeks, inside / max(quarters, 1))
