"""One length of window over a stretch: what was observed, what to hold it against, and how sure that is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.watch.baseline import COUNTS_ENOUGH
from streams.watch.scales import Scales
from streams.watch.score import MEASURED_PART_MIN, Stretch, day_so_far
from streams.watch.shift import Shifts
from streams.watch.types import Array, Flags, Index

#: Sudden windows are compared with the same day: of what missing comparable days leave unsure they have this part, and as much as the
#: expectation changes (a logarithm, up to 1) from the rows before: the shape of a day is better known than its level.
SHAPE_PART, CHANGE_PART = 0.1, 0.5
#: ... where there is no day of the first rung.
FOREIGN_SHAPE_PART, FOREIGN_CHANGE_PART = 0.25, 1.0
#: The expectation is smoothed over at most so many rows where counts are small.
SMOOTHED_ROWS = 31


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


def make_window(
    stretch: Stretch,
    scales: Scales,
    shifts: Shifts,
    slots: Index,
    extra: Array,
    level_spread: Array,
    part_spread: Array,
    rows: int,
    sudden: bool,
    first: int,
) -> Window:
    """Windows of `rows` rows that end at row `first` or later; `slots`, `extra` and `shifts` as in `judge_rows`."""
    until = stretch.counts.shape[1]
    observed, expected, measured = stretch.window(rows, first, until)
    known = np.asarray((measured >= MEASURED_PART_MIN * rows) & (expected > 0))
    if sudden:
        reach = rows + scales.level_reach  # it leans on the rows before it, too
        so_far = day_so_far(stretch, scales, level_spread, part_spread, rows, first, until)
        shift, unseen = shifts.seen(rows, slots, scales, so_far)
        likely = expected * np.exp(so_far.level + shift)
        early = unseen**2
        doubt = _of_shape(larger_extra(extra, reach, first) ** 2, reach, rows, slots, scales, shifts) + early
    else:
        likely, early = expected, np.zeros_like(expected)
        doubt = larger_extra(extra, rows, first) ** 2
    doubt = doubt + 1.0 / _counts_below(likely, rows, shifts.days)
    return Window(sudden, observed, expected, likely, known, early, doubt)


def larger_extra(extra: Array, rows: int, first: int) -> Array:
    """(rows) the larger uncertainty of the first and the last row of each window: it may reach back into a day that was less sure."""
    begins = np.maximum(np.arange(first, len(extra)) - rows + 1, 0)
    return np.maximum(extra[first:], extra[begins])


def _of_shape(unsure: Array, reach: int, rows: int, slots: Index, scales: Scales, shifts: Shifts) -> Array:
    """(series, rows) variance that is left of `unsure` (rows) where a window is compared with the rows before it."""
    part, by_change = (SHAPE_PART, CHANGE_PART) if shifts.days else (FOREIGN_SHAPE_PART, FOREIGN_CHANGE_PART)
    change = np.minimum(shifts.change(rows, slots, scales), 1.0)
    # Before midnight it was another day: both are unsure.
    return np.where(slots < reach - 1, 2.0 * unsure, unsure * (part + by_change * change) ** 2)


def _counts_below(likely: Array, rows: int, days: int) -> Array:
    """Counts that the expectation of a window stands on: those of its comparable days, and of neighbours where these are few."""
    counts = max(days, 1) * likely
    return np.maximum(counts, np.minimum(COUNTS_ENOUGH, counts * SMOOTHED_ROWS / rows) + 0.5)
