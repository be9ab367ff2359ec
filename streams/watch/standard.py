"""What the rows of a local day are held against, in one value, and the score that it takes to alarm. Pure.

That score is learned for each series from the highest scores of its own past days. A school portal's days stay below 3; those of a road
with its jams reach 5 one day in ten. One limit for both cries wolf on the one and is deaf on the other. So the limit follows from a budget
of false alerts and from what an ordinary day of the series reaches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streams.watch.alert_types import Array, Flags, Sensitivity
from streams.watch.baseline import COUNTS_ENOUGH, smooth_widths
from streams.watch.scales import GROUPS, HOURS_LONG, Scales
from streams.watch.score import MEASURED_PART_MIN, LevelSpread, Piece, day_so_far
from streams.watch.shift import Shifts
from streams.watch.spread import Spread
from streams.watch.store import HOURS, Heaps, Past

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
#: At a budget of so many a month it takes so much more than an ordinary day's highest, and by its square more where ordinary days reach
#: high: the longer is the tail beyond (measured on the real series that taught).
BUDGET_A_MONTH, MORE, HEAVY = 2.0, 1.1, 1.7
#: While no days tell of that tail, seven tenths of it are taken for granted; all of it after so many.
HEAVY_DAYS = 28.0
#: ... and where the budget is e times as rare, so much again: between a normal tail (0.3) and the heavy ones of real series.
TAIL = 0.32
#: Hours are busy in which at least this part of a mean hour is expected; they have this part of the budget.
BUSY_PART, BUSY_BUDGET = 0.5, 0.97


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
    heavy = HEAVY * (0.7 + 0.3 * min(1.0, len(peaks) / HEAVY_DAYS)) * ((usual / PEAK_MIN) ** 2 - 1.0)
    score = usual + MORE + heavy + TAIL * rarer
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


#: Too many or too few must be this part of a mean row of the day, at least: nights have most of the rows, and the least to lose.
WORTH_PART = 0.15


@dataclass(frozen=True, slots=True)
class Standard:
    """`worth` (directions, series): events that must be too many or too few."""

    scales: Scales
    least: Sensitivity
    spread: Spread
    shifts: Shifts
    limits: Limits
    worth: Array
    learning: bool

    @staticmethod
    def worth_of(expected: Array, least: Sensitivity, heaps: Heaps) -> Array:
        """From what is expected of a day, (series, slots)."""
        known = np.isfinite(expected)
        mean = np.where(known, expected, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1) / heaps.size
        worth = np.maximum(least.counts_min, WORTH_PART * mean)
        return np.stack([np.maximum(worth, heaps.largest / heaps.size), worth])


#: Sudden windows are compared with the same day: of what missing comparable days leave unsure they have this part, and as much as the
#: expectation changes (a logarithm, up to 1) from the rows before: the shape of a day is better known than its level.
SHAPE_PART, CHANGE_PART = 0.1, 0.5
#: ... where there is no day of the first rung.
FOREIGN_SHAPE_PART, FOREIGN_CHANGE_PART = 0.25, 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """All windows of one length; arrays are (series, rows), by last row.

    `expected` of comparable days, `likely` that at the level of the rows before a sudden window; `known`: enough was
    measured. Variances of log(observed / likely): `early` of when the day begins, `doubt` all that need not be learned from the series.
    """

    sudden: bool
    observed: Array
    expected: Array
    likely: Array
    known: Flags
    early: Array
    doubt: Array

    def times(self, factor: Array) -> Window:
        """Held against so many times as much."""
        return replace(self, expected=self.expected * factor, likely=self.likely * factor)


def make_window(piece: Piece, day: Standard, level: LevelSpread, rows: int, sudden: bool) -> Window:
    """Windows of `rows` rows that end at the judged rows."""
    scales, shifts = day.scales, day.shifts
    observed, expected, measured = piece.window(rows)
    known = np.asarray((measured >= MEASURED_PART_MIN * rows) & (expected > 0))
    if sudden:
        so_far = day_so_far(piece, scales, level, rows)
        shift, unseen = shifts.seen(rows, piece.slots, scales, so_far)
        likely = expected * np.exp(so_far.level + shift)
        early = unseen**2
        doubt = _of_shape(piece, day, rows) + early
    else:
        likely, early = expected, np.zeros_like(expected)
        doubt = larger_extra(piece.extra, rows, piece.first) ** 2
    doubt = doubt + 1.0 / _counts_below(likely, rows, day)
    return Window(sudden, observed, expected, likely, known, early, doubt)


def larger_extra(extra: Array, rows: int, first: int) -> Array:
    """(rows) the larger uncertainty of the first and the last row of each window: it may reach back into a day that was less sure."""
    begins = np.maximum(np.arange(first, len(extra)) - rows + 1, 0)
    return np.maximum(extra[first:], extra[begins])


def _of_shape(piece: Piece, day: Standard, rows: int) -> Array:
    """(series, rows) variance that missing comparable days leave where a window is compared with the rows before it."""
    reach = rows + day.scales.level_reach  # it leans on those, too
    unsure = larger_extra(piece.extra, reach, piece.first) ** 2
    part, by_change = (SHAPE_PART, CHANGE_PART) if day.shifts.days else (FOREIGN_SHAPE_PART, FOREIGN_CHANGE_PART)
    change = np.minimum(day.shifts.change(rows, piece.slots, day.scales), 1.0)
    # Before midnight it was another day: both are unsure.
    return np.where(piece.slots < reach - 1, 2.0 * unsure, unsure * (part + by_change * change) ** 2)


def _counts_below(likely: Array, rows: int, day: Standard) -> Array:
    """Counts that the expectation of a window stands on: those of its comparable days, and of neighbours where these are few."""
    counts = max(day.shifts.days, 1) * likely
    smoothed = smooth_widths(day.scales.step_minutes)[-1]
    return np.maximum(counts, np.minimum(COUNTS_ENOUGH, counts * smoothed / rows)) + 0.5
