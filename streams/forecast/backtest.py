"""A forecast judged on days that came: against the same weekday of last week, and the mean of four such weekdays. Pure.

Quarters of an hour, all series pooled. Error: weighted absolute percentage error, the sum of absolute differences over the sum of visits.
Coverage: how many quarters lie within the interval from 10 to 90 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from streams.forecast.expectation import KnownDays
from streams.forecast.forecaster import COVERED_FROM, Forecaster, quarters_of

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
        found = forecaster.told(day, day - timedelta(days=horizon))
        if not found:
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
