"""One length of window over a stretch: what was observed, what to hold it against, and how sure that is. Pure."""

from dataclasses import dataclass, replace

import numpy as np

from streams.watch.alert_types import Array, Flags
from streams.watch.baseline import COUNTS_ENOUGH, smooth_widths
from streams.watch.score import MEASURED_PART_MIN, LevelSpread, Piece, day_so_far
from streams.watch.standard import Standard

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

    def times(self, factor: Array) -> "Window":
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
