"""The score that it takes to alarm, learned for each series from the highest scores of its own past days. Pure.

A school portal's days stay below 3; those of a road with its jams reach 5 one day in ten. One limit for both cries wolf on the one and is
deaf on the other. So the limit follows from a budget of false alerts and from what an ordinary day of the series reaches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from streams.watch.store import Past
from streams.watch.types import Array, Sensitivity

#: Days whose highest scores are looked at.
PEAK_DAYS = 63
#: The quantile of them that is read: of rarer ones a few weeks tell little, and true events are among them.
PEAK_QUANTILE = 0.9
#: What it is taken to be before anything is learned, and of how many days that counts.
PRIOR_PEAK, PRIOR_DAYS = 4.0, 21.0
#: An hour in which so many of the days score so high has events that recur: it tells nothing of ordinary days. Unless half of the hours do.
RECURRING_PART, RECURRING_SCORE, RECURRING_HOURS_MAX = 0.2, 3.0, 12
#: Beyond the quantile, e times as rare is so much higher: between a normal tail (0.3) and the heavy ones of real series.
TAIL = 0.4
#: Between which it lies, whatever was learned.
PEAK_MIN, PEAK_MAX = 2.9, 6.5
DAYS_A_MONTH = 30.4


@dataclass(frozen=True, slots=True)
class Limits:
    """`score` (directions, series): what it takes; `usual`: the highest score of an ordinary day, which one day in ten exceeds."""

    score: Array
    usual: Array


def learn_limits(past: Past, series: int, least: Sensitivity) -> Limits:
    """From the highest scores of the last days; before there are any, from what is usual elsewhere."""
    peaks = past.peaks()[-PEAK_DAYS:]
    usual = np.full((2, series), PRIOR_PEAK)
    if peaks:
        by_hour = np.stack(peaks)  # (days, directions, series, hours)
        often = np.quantile(by_hour, 1.0 - RECURRING_PART, axis=0) > RECURRING_SCORE
        often = often | np.roll(often, 1, axis=2) | np.roll(often, -1, axis=2)
        often &= often.sum(axis=2, keepdims=True) <= RECURRING_HOURS_MAX
        of_day = np.where(often, 0.0, by_hour).max(axis=3)
        weight = len(peaks) / (len(peaks) + PRIOR_DAYS)
        usual = weight * np.quantile(of_day, PEAK_QUANTILE, axis=0) + (1.0 - weight) * PRIOR_PEAK
    each_way = least.budget_a_month / DAYS_A_MONTH / 2.0
    score = np.clip(usual, PEAK_MIN, PEAK_MAX) + TAIL * math.log((1.0 - PEAK_QUANTILE) / each_way)
    return Limits(score, usual)
