"""The score that it takes to alarm, learned for each series from the highest scores of its own past days. Pure.

A school portal's days stay below 3; those of a road with its jams reach 5 one day in ten. One limit for both cries wolf on the one and is
deaf on the other. So the limit follows from a budget of false alerts and from what an ordinary day of the series reaches.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.watch.alert_types import Array, Flags, Sensitivity
from streams.watch.scales import GROUPS, HOURS, HOURS_LONG
from streams.watch.store import Past

#: Days whose highest scores are looked at.
PEAK_DAYS = 63
#: The quantile of them that is read: of rarer ones a few weeks tell little, and true events are among them.
PEAK_QUANTILE = 0.9
#: What it is taken to be before anything is learned, and of how many days that counts.
PRIOR_PEAK, PRIOR_DAYS = 4.0, 21.0
#: An hour in which so many of the days score so high has events that recur: it tells nothing of ordinary days. Unless half of the hours
#: do. Windows of days have no hour: one strange day is in all of their hours for three days.
RECURRING_PART, RECURRING_SCORE, RECURRING_HOURS_MAX = 0.2, 3.0, 12
#: In such an hour it takes no more than this, at a budget of `BUDGET_A_MONTH`: what is beyond is an event more often than elsewhere.
RECURRING_LIMIT = 3.8
#: No less is expected of an ordinary day. A day that reached more than this had an event, and is no ordinary one; of more than
#: this part of the days nobody believes it.
PEAK_MIN, EVENT_SCORE, EVENT_DAYS_MAX = 2.9, 6.5, 0.3
#: At a budget of so many a month it takes so much more than an ordinary day's highest, upward and downward (weather and holidays end many
#: a day, little fills one as much), and by its square more where ordinary days reach high: the longer is the tail beyond (measured on
#: the real series that taught).
BUDGET_A_MONTH, MORE, HEAVY = 2.0, (1.1, 1.4), 1.7
#: While no days tell of that tail, seven tenths of it are taken for granted; all of it after so many.
HEAVY_DAYS = 28.0
#: ... and where the budget is e times as rare, so much again: between a normal tail (0.3) and the heavy ones of real series.
TAIL = 0.32
#: Hours are busy in which at least this part of a mean hour is expected; they have nearly all of the budget: nights are strange in ways of
#: their own. What is rarer than `RAREST` (a logarithm, in budgets of 2 a month) no tail tells: x6 at night is told at any budget.
BUSY_PART, BUSY_BUDGET, RAREST = 0.5, 0.9999, 9.22


@dataclass(frozen=True, slots=True)
class Limits:
    """By group of windows and hour of the day: (directions, groups, series, hours). `score`: what it takes; `usual`: the highest score of
    an ordinary day in hours like this one, which one day in ten exceeds. `recurs` (series, hours): where surges recur.
    """

    score: Array
    usual: Array
    recurs: Flags


def learn_limits(past: Past, expected: Array, least: Sensitivity) -> Limits:
    """From the highest scores of the last days; before there are any, from what is usual elsewhere. `expected` (series, slots) of the day.

    Busy hours and quiet ones have limits of their own: nights are strange in other ways than days, and are worth less.
    """
    series = len(expected)
    peaks = past.peaks()[-PEAK_DAYS:]
    busy = _busy(expected)
    usual = np.full((2, GROUPS, series, HOURS), PRIOR_PEAK)
    often = np.zeros(usual.shape, bool)
    if peaks:
        by_hour = np.stack(peaks)  # (days, directions, groups, series, hours)
        often[:, : HOURS_LONG + 1] = _recurring(by_hour[:, :, : HOURS_LONG + 1])
        ordinary = np.where(often, 0.0, by_hour)
        weight = len(peaks) / (len(peaks) + PRIOR_DAYS)
        for hours in (busy, ~busy):
            of_day = np.where(hours, ordinary, 0.0).max(axis=-1)
            found = weight * _ordinary_quantile(of_day) + (1.0 - weight) * PRIOR_PEAK
            usual = np.where(hours, found[..., None], usual)
    usual = np.maximum(usual, PEAK_MIN)
    rarer = np.log(BUDGET_A_MONTH / least.budget_a_month / np.where(busy, BUSY_BUDGET, 1.0 - BUSY_BUDGET))
    rarer = np.minimum(rarer, RAREST)
    heavy = HEAVY * (0.7 + 0.3 * min(1.0, len(peaks) / HEAVY_DAYS)) * ((usual / PEAK_MIN) ** 2 - 1.0)
    score = usual + np.reshape(MORE, (2, 1, 1, 1)) + heavy + TAIL * rarer
    score = np.where(often, np.minimum(score, RECURRING_LIMIT + TAIL * rarer), score)
    return Limits(score, usual, often[0].any(axis=0))


def _recurring(by_hour: NDArray[np.floating]) -> Flags:
    """(directions, groups, series, hours) where something recurs."""
    often = np.quantile(by_hour, 1.0 - RECURRING_PART, axis=0) > RECURRING_SCORE
    often |= np.roll(often, 1, axis=-1) | np.roll(often, -1, axis=-1)
    return np.asarray(often & (often.sum(axis=-1, keepdims=True) <= RECURRING_HOURS_MAX))


def _ordinary_quantile(of_day: Array) -> Array:
    """(directions, groups, series) the quantile over the days without events; of days with events alone, the least that tells one."""
    ordered = np.sort(of_day, axis=0)
    number = np.maximum(
        (of_day <= EVENT_SCORE).sum(axis=0), np.ceil((1.0 - EVENT_DAYS_MAX) * len(of_day)).astype(np.int64)
    )
    place = np.rint(PEAK_QUANTILE * (number - 1)).astype(np.int64)
    return np.asarray(np.take_along_axis(ordered, place[None], axis=0)[0])


def _busy(expected: Array) -> Flags:
    """(series, hours): whether an hour is busy."""
    filled = np.where(np.isfinite(expected), expected, 0.0)
    slots = filled.shape[1]
    edges = np.minimum(np.arange(HOURS) * slots // HOURS, slots - 1)
    by_hour = np.add.reduceat(filled, edges, axis=1) / (slots / HOURS)
    return np.asarray(by_hour >= BUSY_PART * filled.mean(axis=1, keepdims=True))
